"""Every command of the documentation is in a block that tests/e2e/test_docs.py runs, or that says why it does not."""
import pathlib
import re

import pytest

from e2e import docs_page

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Written by `broch help --markdown`: its blocks are how commands are called, with words in place of what a reader has.
GENERATED = ROOT / "docs/command-line.md"
PAGES = [page for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))) if page != GENERATED]

# What commands begin with: perhaps a prompt, variables, sudo; then one of these.
WORDS = ["apt", "apt-get", "bash", "broch", "broch-drawbridge", "broch-steward", "broch-wasm", "cat", "cd",
         r"chat-(?:client|server)", "chmod", "chown", "cp", "curl", "dpkg", "echo", "export", "git", "install",
         "journalctl", "jq", "kill", "ln", "make", "man", "meson", "mkdir", "modprobe", "mv", "nc", "ninja", "npm",
         "npx", "openssl", "pip", "pytest", "python3", "rm", "rustc", "sed", "sha256sum", "source", "ssh", "systemctl",
         "tar", "tee", "usermod", "wget", r"clang(?:\+\+)?(?:-\d+)?", r"\$EDITOR", r"\.", r"\./\S+",
         r"(?:\w+)?/\S+/[\w.-]+"]
COMMAND = re.compile(rf"\s*(?:[$#] )?(?:\w+=\S* +)*(?:sudo|{'|'.join(WORDS)})(?: |$)")


def indented(page):
    """The indented blocks of a page, each as its first line's number and its lines. One begins behind an empty line."""
    found, block, before, is_fenced = [], None, "", False
    for number, line in enumerate(page.read_text().split("\n"), 1):
        is_fenced ^= line.startswith("```")
        if not is_fenced and line.startswith(("    ", "\t")) and (block is not None or before == ""):
            if block is None:
                block = (number, [])
                found.append(block)
            block[1].append(line)
        elif line != "":
            block = None
        before = line
    return found


def faults(page):
    """The commands of a page that nothing runs, and that do not say why."""
    found = [f"{page}:{at}: {line.strip()}" for at, lines in indented(page) for line in lines if COMMAND.match(line)]
    for block in docs_page.blocks(page):
        lines = block.text.split("\n")
        if block.info == "":  # of others the first line: what a command prints may look like anything
            found += [f"{page}:{block.line}: {line}" for line in lines if COMMAND.match(line)]
        elif block.info.split(" ")[0] != "sh" and COMMAND.match(lines[0]):
            found.append(f"{page}:{block.line}: {lines[0]}")
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_are_run_or_say_why_not(page):
    found = faults(page)
    assert not found, "write them in a block `sh`, or `sh norun` with the reason:\n" + "\n".join(found)


@pytest.mark.parametrize("text, count", [
    ("Words:\n\n    broch run hello.wasm\n", 1), ("Words:\n\n    # a comment\n    $ sudo broch x\n\nWords\n", 1),
    ("Words:\n\n    ./run test\n\n    git pull\n", 2), ("- a list\n    broch is a word here\n", 0),
    ("```\nX=1 curl -s https://localhost\n```\n", 1), ("```text\nopenssl version\n```\n", 1),
    ("```sh\nbroch run hello.wasm\n```\n", 0), ("```sh norun\n# not run\nbroch\n```\n", 0),
    ("```sh\ncat x\n```\n\n```text\nbroch: booted\n```\n", 0), ("    /usr/bin/rustc hello.rs\n", 1),
    ("Words:\n\n    . <(broch help --bash-completion)\n", 1), ("Words:\n\n    [Service]\n    PrivateUsers=no\n", 0),
    ("Words:\n\n    SHA-512(claims || nonce)\n", 0), ("```toml\nfolder = \"store\"\n```\n", 0),
])
def test_what_is_a_command(tmp_path, text, count):
    page = tmp_path / "page.md"
    page.write_text(text)
    assert len(faults(page)) == count, faults(page)
