"""The commands of a page of the documentation, run as a reader would: pasted block by block into one shell.

A fenced block whose info string is `sh` is run. The next `text` block, before any other `sh` block, is what a reader
sees then: standard output and standard error together, line for line. In it `…` stands for anything within a line, and
a line of `…` alone for any lines, also none. `sh norun` is not run; its first line is a comment that says why:
`# not run by the tests, …`. `sh kvm` is run where virtual machines can be made. A page that goes on where another one ended says so in a comment,
`<!-- continues ../tutorial.md -->`, and that one's commands are run first."""
import dataclasses
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

FENCE = re.compile(r"^```(.*)$")
CONTINUES = re.compile(r"^<!-- continues (\S+) -->$", re.MULTILINE)
REASON = re.compile(r"# not run by the tests, \S.*")
ANY = "…"


@dataclasses.dataclass
class Block:
    """A fenced block; `line` is that of its first line of text."""
    page: pathlib.Path
    info: str
    line: int
    text: str
    output: str = None  # what is shown behind it, of blocks that are run


def blocks(page):
    """The fenced blocks of a page, in order."""
    found, block = [], None
    for number, line in enumerate(page.read_text().split("\n"), 1):
        fence = FENCE.match(line)
        if fence and block is None:
            block = Block(page, fence[1], number + 1, "")
        elif fence:
            assert fence[1] == "", f"{page}:{number}: a block begins within another"
            found.append(block)
            block = None
        elif block is not None:
            block.text += line + "\n"
    assert block is None, f"{page}:{block.line}: this block has no end"
    return found


def commands(page, has_kvm=True):
    """The blocks of a page that are run, each with its output."""
    found, last = [], None
    for block in blocks(page):
        if block.info.split(" ")[0] == "sh":
            last = block if block.info == "sh" or (block.info == "sh kvm" and has_kvm) else None
            found += [last] if last else []
        elif block.info == "text" and last is not None:
            last.output, last = block.text, None
    return found


def chain(page):
    """A page, and before it those that it continues."""
    before = CONTINUES.search(page.read_text())
    return (chain((page.parent / before[1]).resolve()) if before else []) + [page]


def as_pattern(shown):
    """What output must look like."""
    pattern = ""
    for line in shown.splitlines():
        if line.strip() == ANY:
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*".join(re.escape(part) for part in line.rstrip().split(ANY)) + r"[ \t]*\n"
    return re.compile(pattern)


def agrees(shown, said):
    """Whether output is as the page shows it."""
    if said and not said.endswith("\n"):
        said += "\n"
    return as_pattern(shown).fullmatch(said) is not None


def can_isolate():
    """Whether namespaces may be made: of a network, so that fixed ports collide with nothing, and of processes, so
    that what a page starts ends with it."""
    done = subprocess.run([*ISOLATE, "true"], capture_output=True, check=False)
    return done.returncode == 0


ISOLATE = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
# Brings up the loopback of a new network: SIOCSIFFLAGS, IFF_UP.
LOOPBACK = ("import fcntl, socket, struct\n"
            "fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh22x', b'lo', 1))")


class Fault(AssertionError):
    """A page that is wrong: its name, line, command and output."""


class Reader:
    """A shell in a folder of its own, with the programs of a build; where that can be had, in namespaces of its own."""

    def __init__(self, build, folder, isolate=None, device=None):
        self.folder, self.scripts = folder / "work", folder / "scripts"
        home = folder / "home"
        for path in (self.folder, self.scripts, home):
            path.mkdir()
        env = {"PATH": f"{build / 'src/cli'}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
               "HOME": str(home), "LANG": "C.UTF-8", "TERM": "dumb", "USER": "reader"}
        if device is not None:
            env["BROCH_KVM_DEVICE"] = device
        isolate = can_isolate() if isolate is None else isolate
        self.shell = subprocess.Popen([*(ISOLATE if isolate else []), "bash", "--norc"], text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                      cwd=self.folder, env=env, start_new_session=True)
        self.count = 0
        if isolate:
            self.tell(f'/usr/bin/python3 -c "{LOOPBACK}" || exit 1')

    def tell(self, line):
        self.shell.stdin.write(line + "\n")
        self.shell.stdin.flush()

    def run(self, block, timeout):
        """Runs a block to its end. The first command that fails is its end, as it would be for a reader."""
        self.count += 1
        script, said, done = (self.scripts / f"{self.count}.{kind}" for kind in ("sh", "out", "done"))
        script.write_text(block.text)
        self.tell(f"trap 'echo \"$? $LINENO\" > {done}.new; mv {done}.new {done}; exit 1' ERR; set -E; "
                  f". {script} > {said} 2>&1 < /dev/null; trap - ERR; set +E; "
                  f"echo 0 0 > {done}.new; mv {done}.new {done}")
        end = time.monotonic() + timeout
        while not done.exists():
            if self.shell.poll() is not None:
                raise self.fault(block, block.line, "the shell has ended", said)
            if time.monotonic() > end:
                raise self.fault(block, block.line, f"this has not ended within {timeout} s", said)
            time.sleep(0.02)
        status, line = map(int, done.read_text().split())
        output = said.read_text()
        if status != 0:
            raise self.fault(block, block.line + line - 1, f"this ends with status {status}", said)
        if block.output is not None and not agrees(block.output, output):
            raise self.fault(block, block.line, f"this prints something else than\n{block.output}\n", said)
        return output

    def fault(self, block, line, what, said):
        text = block.text.split("\n")[line - block.line] if line >= block.line else block.text
        logs = "".join(f"\n--- {path.relative_to(self.folder)}\n{path.read_text(errors='replace')[-3000:]}"
                       for path in sorted(self.folder.rglob("*.log")))
        output = said.read_text(errors="replace") if said.exists() else ""
        return Fault(f"{block.page}:{line}: {what}\n    {text}\n--- output\n{output}{logs}")

    def close(self):
        """Ends the shell and all that it has started."""
        try:
            os.killpg(self.shell.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.shell.stdin.close()
        self.shell.stdout.close()
        self.shell.wait(30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def give_packages(page, npm, folder):
    """What `npm install` would have fetched, in the same versions: there is no network."""
    if any("npm install" in block.text for block in blocks(page)):
        (folder / "node_modules").symlink_to(npm / "node_modules")


def needs_roots(page):
    """Whether a page simulates TEEs under roots that it does not make itself."""
    text = "".join(block.text for part in chain(page) for block in commands(part))
    return "--simulate" in text and "broch sim init" not in text


def give_roots(sim_dir, folder):
    """Roots of simulated platforms, which `broch sim init` has made once for all pages: that takes seconds."""
    shutil.copytree(sim_dir, folder.parent / "home/.local/share/broch/sim")
