"""tests/testhost, the loader for tests, as tests use it; and every lie that a host can tell a keep with it.

    host = testhost.Testhost(build)
    honest, counts = host.count(package, "serve", "50000")
    for lie in testhost.lies(root, counts):
        assert testhost.fault(lie, host.run("--lie", lie, package, "serve", "50000")) is None, lie
"""
import contextlib
import pathlib
import re
import subprocess
import tempfile

# How a lie is told, by what the call is for (tests/testhost/lie.c has the kinds).
RESULTS = ["errno,5", "errno,11", "errno,4", "errno,4095", "negative", "negative,-1", "zero", "huge"]
SIZED = ["short", "long"]  # it says how much it did
WRITTEN = ["flip,0", "noise"]  # it writes to the keep's memory
ADDRESS = [*WRITTEN, "length,0", "length"]
POLLED = ["flip,0", "flip,48", "noise", "long"]  # bit 48: POLLIN in the first revents
DESCRIPTOR = ["fd", "fd,0", "fd,3", "fd,2147483647"]
EVIDENCE = ["short", "garbage", "other-data", "other-measurement", "empty", "technology", "unsigned", "errno,5"]

OCCURRENCES_MAX = 20
# of a call that is made all the time, the first few will do
OCCURRENCES = {"clock_gettime": 3}


class Testhost:
    """Runs keeps."""

    def __init__(self, build, *words):
        self.words = [str(build / "tests/testhost/testhost"), *map(str, words)]

    def run(self, *words, stdin="", timeout=60, **options):
        """To its end; stdin and both outputs are text, or bytes if stdin is."""
        if isinstance(stdin, str):
            options |= {"encoding": "utf-8", "errors": "replace"}  # what it was lied to about is anything
        return subprocess.run([*self.words, *map(str, words)], input=stdin, capture_output=True, timeout=timeout,
                              check=False, **options)

    @contextlib.contextmanager
    def start(self, *words, **options):
        """A process with three pipes, which is gone at the end of the block."""
        with subprocess.Popen([*self.words, *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, **options) as process:
            try:
                yield process
            finally:
                process.kill()

    def count(self, *words, **options):
        """An honest run, and how often the keep made each call in it."""
        with tempfile.NamedTemporaryFile("r") as file:
            done = self.run("--calls", file.name, *words, **options)
            return done, {name: int(count) for name, count in map(str.split, file)}


def host_calls(root):
    """The calls that a host answers, by name: the shapes of their arguments in calls.def."""
    text = (pathlib.Path(root) / "src/sallyport/calls.def").read_text()
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    found = {}
    for name, home, args in re.findall(r"^(?:CALL|KEEP)\((\w+), (\w+),((?:[^()]|\([^()]*(?:\(\w+ \w+\))?[^()]*\))*)\)",
                                       text, re.MULTILINE):
        if home != "LOCAL":
            found[name] = args
    return found


def kinds(name, args):
    """The lies that make sense about a call."""
    if name == "exit_group":  # it never comes back
        return []
    found = [*RESULTS]
    if name in ("socket", "accept4"):
        found += DESCRIPTOR
    if re.search(r"\b(IN|OUT)\(", args):
        found += SIZED
    if re.search(r"\bOUT_AT\(", args):
        found += ADDRESS
    elif re.search(r"\b(OUT|TAKE)\(", args):
        found += WRITTEN
    if "POLLFDS" in args:
        found += POLLED
    if name == "attest":
        found += EVIDENCE
    return list(dict.fromkeys(found))


def lies(root, counts, call=None):
    """Every lie about the calls of a run, one at a time, and about all of a call's: words for --lie."""
    for name, args in host_calls(root).items():
        if call in (None, name):
            count = min(counts.get(name, 0), OCCURRENCES.get(name, OCCURRENCES_MAX))
            for nth in [*range(1, count + 1), "all"] if count else []:
                for kind in kinds(name, args):
                    lie, *value = kind.split(",")
                    yield ",".join([name, str(nth), lie, *value])


def fault(lie, done):
    """What a keep that was lied to may not do; None when it did not. A host can always leave a keep waiting: by one
    wrong answer after the other, or with a descriptor that blocks."""
    if done.returncode < 0 or "killed by signal" in str(done.stderr):
        return f"crashed: {done.stderr}"
    if done.returncode == 124 and not re.search(",all,|,fd,", lie):
        return f"hung: {done.stderr}"
    return None
