#!/usr/bin/python3
"""Debian packages of a build: package.py BUILD OUT

BUILD is a folder of meson's, with the prefix /usr. What it installs is put into broch_VERSION_ARCH.deb, but for what
bears the name of a server, which goes into the server's package. packaging/debian/ has what is said of each, and their
maintainer scripts. The same build gives the same bytes: times are those of the commit, or SOURCE_DATE_EPOCH.
"""
import gzip
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGING = ROOT / "packaging/debian"
# A template with the server's name for its maintainer scripts.
SCRIPTS = {"postinst": 0o755, "prerm": 0o755, "postrm": 0o755}


def said(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout.strip()


def stanzas(path):
    """The stanzas of a control file, as dicts of their fields."""
    found = []
    for part in re.split(r"\n\n+", path.read_text(encoding="utf-8").strip()):
        fields = re.findall(r"^([\w-]+): *(.*(?:\n .*)*)", part, re.MULTILINE)
        found.append(dict(fields))
    return found


def files(tree):
    """What is in a tree that is no folder, in one order."""
    return sorted(path for path in tree.rglob("*") if path.is_symlink() or not path.is_dir())


# ---- one package ----

def is_measured(tree, path):
    """What keeps are made of is measured: its bytes are left alone."""
    return path.is_relative_to(tree / "usr/libexec/broch")


def programs(tree):
    """The ELF files of a tree."""
    return [path for path in files(tree) if not path.is_symlink() and path.read_bytes()[:4] == b"\x7fELF"]


def strip(tree):
    for path in programs(tree):
        if not is_measured(tree, path):
            said("strip", "--strip-unneeded", "--remove-section=.comment", path)


def needs(tree, work):
    """The packages with the libraries that the programs of a tree are linked to, as dpkg-shlibdeps says."""
    dynamic = [path for path in programs(tree) if "INTERP" in said("readelf", "--program-headers", "--wide", path)]
    if not dynamic:
        return []
    (work / "debian").mkdir(parents=True)
    (work / "debian/control").write_text("Source: broch\n\nPackage: broch\nArchitecture: any\n", encoding="utf-8")
    found = said("dpkg-shlibdeps", "-O", *(f"-e{path}" for path in dynamic), cwd=work)
    return re.search(r"^shlibs:Depends=(.*)$", found, re.MULTILINE)[1].split(", ")


def built_using(build):
    """The sources of what is linked into the keep image, with their versions."""
    link_map = (build / "src/keep/broch-keep.map").read_text(encoding="utf-8")
    archives = sorted(set(re.findall(r"^LOAD (/\S+\.[ao])$", link_map, re.MULTILINE)))
    owners = {line.partition(": ")[0] for line in said("dpkg-query", "-S", *map(os.path.realpath, archives)).split("\n")}
    return sorted(set(said("dpkg-query", "-W", "-f", "${source:Package} (= ${source:Version})\n",
                           *sorted(owners)).split("\n")))


def compress(path):
    """gzip, with nothing of when or where."""
    with open(f"{path}.gz", "wb") as out, gzip.GzipFile("", "wb", 9, out, 0) as packed:
        packed.write(path.read_bytes())
    path.unlink()


def add_documents(tree, package, version, moment, maintainer):
    folder = tree / "usr/share/doc" / package
    folder.mkdir(parents=True)
    shutil.copy(PACKAGING / "copyright", folder)
    date = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(moment))
    log = folder / "changelog"
    log.write_text(f"broch ({version}) unstable; urgency=medium\n\n  * Broch {version}, as its repository has it.\n\n"
                   f" -- {maintainer}  {date}\n", encoding="utf-8")
    compress(log)
    for page in files(tree / "usr/share/man"):
        compress(page)
    overrides = PACKAGING / f"{package}.lintian-overrides"
    if overrides.exists():
        (tree / "usr/share/lintian/overrides").mkdir(parents=True)
        shutil.copy(overrides, tree / "usr/share/lintian/overrides" / package)


def add_control(tree, package, fields):
    control = tree / "DEBIAN"
    control.mkdir()
    installed = [path for path in files(tree) if not path.is_relative_to(control)]
    size = sum(-(-path.lstat().st_size // 1024) for path in installed)
    fields = {"Package": package, "Installed-Size": str(size), **fields}
    (control / "control").write_text("".join(f"{name}: {value}\n" for name, value in fields.items()), encoding="utf-8")
    sums = [f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(tree)}\n"
            for path in installed if not path.is_symlink()]
    (control / "md5sums").write_text("".join(sums), encoding="utf-8")
    if package != "broch":
        for script, mode in SCRIPTS.items():
            text = (PACKAGING / f"server.{script}").read_text(encoding="utf-8")
            (control / script).write_text(text.replace("@server@", package), encoding="utf-8")
            (control / script).chmod(mode)


def settle(tree, moment):
    """Modes without the umask of who builds, and times of the commit at the latest."""
    for path in [tree, *tree.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        os.utime(path, (moment, moment), follow_symlinks=False)


# ---- all of them ----

def moment_of_source():
    given = os.environ.get("SOURCE_DATE_EPOCH")
    return int(given or said("git", "-C", ROOT, "log", "-1", "--format=%ct"))


def install(build, stage):
    env = {**os.environ, "DESTDIR": str(stage)}
    said("meson", "install", "-C", build, "--no-rebuild", "--quiet", env=env)


def split(stage, trees):
    """Moves what is installed to the packages: by the name that a file has without what follows a dot."""
    for path in files(stage):
        name = path.name.partition(".")[0]
        target = trees[name if name in trees else "broch"] / path.relative_to(stage)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)


def main():
    build, out = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    version = json.loads(said("meson", "introspect", "--projectinfo", build))["version"]
    arch = said("dpkg", "--print-architecture")
    moment = moment_of_source()
    common, *packages = stanzas(PACKAGING / "control")
    shutil.rmtree(out, ignore_errors=True)
    work = out / "work"
    trees = {package["Package"]: work / package["Package"] for package in packages}
    install(build, work / "stage")
    split(work / "stage", trees)
    for package in packages:
        name = package.pop("Package")
        tree = trees[name]
        strip(tree)
        add_documents(tree, name, version, moment, common["Maintainer"])
        depends = package.get("Depends", "").replace("@version@", version)
        depends = needs(tree, work / f"{name}.needs") + ([depends] if depends else [])
        fields = {"Version": version, "Architecture": arch, **common, **package, "Depends": ", ".join(depends)}
        if name == "broch":
            fields["Built-Using"] = ", ".join(built_using(build))
        description = fields.pop("Description")
        add_control(tree, name, {**fields, "Description": description})
        settle(tree, moment)
        file = out / f"{name}_{version}_{arch}.deb"
        said("dpkg-deb", "--root-owner-group", "-Zxz", "--build", tree, file,
             env={**os.environ, "SOURCE_DATE_EPOCH": str(moment)})
        print(f"{os.path.relpath(file)}  {file.stat().st_size} bytes")
    shutil.rmtree(work)


main()
