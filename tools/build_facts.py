#!/usr/bin/python3
"""From what a keep image is built, as C: build_facts.py OUTPUT SOURCE MAP COMPILER…

MAP is the linker's map of the exec layer: every archive and object of the system that went into it is listed, with
the version of its package and its SHA-256. Writes nothing when nothing has changed.
"""
import hashlib
import json
import pathlib
import re
import subprocess
import sys


def said(*command):
    """The first line of what a command says; "" when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip().partition("\n")[0] if done.returncode == 0 else ""


def commit(source):
    found = said("git", "-C", source, "rev-parse", "HEAD")
    dirty = found and said("git", "-C", source, "status", "--porcelain", "--untracked-files=no")
    return (found or "unknown") + ("-dirty" if dirty else "")


def version(path):
    package = said("dpkg-query", "-S", path).partition(": ")[0]
    return (package and said("dpkg-query", "-W", "-f", "${Version}", package)) or "unknown"


def archives(link_map):
    found = re.findall(r"^LOAD (/\S+\.[ao])$", link_map, re.MULTILINE)
    return sorted({pathlib.Path(path).resolve() for path in found})


def main():
    out, source, link_map, compiler = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]
    lines = [f"#define BUILD_COMMIT {json.dumps(commit(source))}",
             f"#define BUILD_COMPILER {json.dumps(said(*compiler, '--version'))}",
             "static const struct build_archive build_archives[] = {"]
    for path in archives(pathlib.Path(link_map).read_text(encoding="utf-8")):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        lines.append("    {" + ", ".join(map(json.dumps, (path.name, version(str(path)), digest))) + "},")
    text = "\n".join([*lines, "    {NULL, NULL, NULL},", "};", ""])
    if not out.exists() or out.read_text(encoding="utf-8") != text:
        out.write_text(text, encoding="utf-8")


main()
