"""The sandbox of `nil`, from inside: a program that takes the keep's place tries what a workload that had
broken out of the engine would; and from outside, the calls that a keep really makes."""
import os
import re
import shutil
import signal
import subprocess

import pytest

CLANG = ["clang-14", "--target=wasm32-wasi", "-O1", "-g0"]


@pytest.fixture(scope="module")
def programs(build, tmp_path_factory):
    """A folder with broch, and the probe as its keep."""
    folder = tmp_path_factory.mktemp("nil")
    shutil.copy(build / "src/cli/broch", folder)
    shutil.copy(build / "tests/e2e/nil/probe", folder / "broch-keep")
    return folder


def list_calls(build):
    """The table, from the compiled one."""
    return subprocess.run([build / "tests/e2e/nil/list_calls"], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def probe(programs, tmp_path):
    def run(mode, before=(), level="info", words=(), **options):
        (tmp_path / "mode").write_text(mode)
        return subprocess.run([*before, programs / "broch", "run", *words, tmp_path / "mode"],
                              capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False,
                              env={**os.environ, "BROCH_LOG_LEVEL": level}, **options)
    return run


def results(done):
    return dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())


@pytest.fixture(params=["listener", "no listener"])
def before(request, build):
    """Words to run before broch: so that a filter above it has the listener, or not."""
    return [] if request.param == "listener" else [build / "tests/e2e/nil/outer_listener"]


@pytest.mark.parametrize("mode, count", [("forbidden-calls", 28), ("forbidden-arguments", 17)])
def test_forbidden(probe, before, mode, count):
    done = probe(mode, before, level="debug")
    got = results(done)
    assert done.returncode == 0 and len(got) == count
    assert {name: result for name, result in got.items() if result != "ENOSYS"} == {}
    if not before and mode == "forbidden-calls":
        for call in ["openat", "ptrace", "io_uring_setup", "process_vm_readv"]:
            assert done.stderr.count(f"call={call} ") == 1, done.stderr
        assert 'refused="at all"' in done.stderr


def test_the_table_is_enforced(probe, before, build):
    """Whatever bit of an argument is wrong."""
    done = probe("table", before)
    said, tried = done.stdout.rsplit("tried ", 1)
    bold = sum(line.count("**") // 2 for line in list_calls(build).splitlines())
    assert said == "" and int(tried) > 30 * bold > 500


def test_allowed(probe, before):
    got = results(probe("allowed", before))
    assert got.pop("accept4") == "EAGAIN"
    assert set(got.values()) == {"done"} and len(got) == 5


def test_descriptors(probe):
    """Nothing but the three of the standard, the boot socket and the boot request, though the loader has more."""
    (ours, theirs), before = os.pipe(), []
    os.set_inheritable(ours, True)
    os.set_inheritable(theirs, True)
    try:
        assert probe("descriptors", before).stdout.split() == ["0", "2", "3", "4"]
    finally:
        os.close(ours)
        os.close(theirs)


def test_keep_calls(probe):
    done = probe("keep-calls")
    assert results(done) == {
        "resolve": "done",
        "resolve-no-room": "ENOENT",
        "resolve-unknown": "ENOENT",
        "resolve-empty": "EINVAL",
        "resolve-long": "EINVAL",
        "resolve-huge": "EINVAL",
        "resolve-nul": "EINVAL",
        "resolve-option": "EINVAL",
        "resolve-from-nowhere": "EFAULT",
        "resolve-to-nowhere": "EFAULT",
        "log": "done",
        "log-nothing": "done",
        "log-long": "EMSGSIZE",
        "log-level": "EINVAL",
        "log-from-nowhere": "EFAULT",
        "attest": "ENOSYS",
    }
    lines = done.stderr.splitlines()
    assert len(lines) == 2  # nothing that the keep says makes a line of its own
    assert r"one\nerror two\u001b[31m" in lines[0]


def test_flood(probe):
    done = probe("flood", level="debug")
    assert done.stdout == "wrong 0\n"
    assert done.stderr.count("call=getpid ") == 1


def test_messages(probe, before):
    done = probe("messages", before)
    replies = [int(line.split()[1]) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert replies[0] in (17, 34) and replies[1:] == [-2, 0, -22, -38, -9999]
    assert "hello" in done.stderr and "broke the protocol" in done.stderr


def test_half_a_message(probe):
    assert probe("half-a-message").returncode == 0


def test_a_keep_that_goes_before_its_answer(probe, before):
    """The loader writes to a socket that nobody has: that is no reason to end."""
    for _ in range(5):
        assert probe("gone", before).returncode == 3


@pytest.mark.parametrize("mode", ["deaf", "stuck"])
def test_a_keep_that_blocks_its_calls(probe, mode):
    """It waits for itself, and --timeout ends it all the same."""
    done = probe(mode, words=["--timeout", "1"])
    assert done.returncode == 124 and "--timeout" in done.stderr


def test_the_end_is_seen_where_children_are_ignored(probe):
    """SIGCHLD ignored, as some parents leave it: then nobody may wait for a child, unless it is put right."""
    done = probe("gone", preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    assert done.returncode == 3, done.stderr


def test_crash(probe):
    done = probe("crash")
    assert done.returncode == 139 and "killed by signal 11" in done.stderr


@pytest.mark.parametrize("outer", ["outer_listener", "outer_eperm"])
def test_keep_calls_go_over_the_socket(build, tmp_path, outer):
    """Resolving and the log work all the same where there is no listener, or nothing may be copied."""
    source, module, config = tmp_path / "m.c", tmp_path / "m.wasm", tmp_path / "Keep.toml"
    source.write_text('#include <fcntl.h>\nint main(void)\n{ open("/net/con/localhost:1", O_RDWR);\n'
                      "__builtin_trap(); }\n")
    subprocess.run([*CLANG, source, "-o", module], check=True)
    config.write_text('[network.outgoing.default]\nprot = "tcp"\n')
    done = subprocess.run([build / "tests/e2e/nil" / outer, build / "src/cli/broch", "run",
                           "--wasmcfgfile", config, module], capture_output=True, text=True, check=False,
                          env={**os.environ, "BROCH_LOG_LEVEL": "debug"})
    assert done.returncode == 134 and "the workload trapped" in done.stderr
    assert ("a filter above this process has it" in done.stderr) == (outer == "outer_listener")


# ---- from outside ----

def listed_calls(build):
    return {name: int(number) for name, number in re.findall(r"^\| `(\w+)` \| (\d+) ", list_calls(build), re.MULTILINE)}


def calls_of_the_keep(trace):
    """What a keep called, with the results, by strace's files of one process each."""
    for file in trace.parent.glob(trace.name + ".*"):
        text = file.read_text(errors="replace")
        if 'execveat(5, "", ["broch-keep"]' in text:
            after = text[text.index('execveat(5, "", ["broch-keep"]'):].splitlines()[1:]
            return [re.match(r"(\w+)\(.*?(?:= (-?\w+)(?: (\w+))?.*)?$", line).groups() for line in after
                    if re.match(r"\w+\(", line)]
    raise AssertionError("strace saw no keep")


def assert_only_listed(trace, listed):
    made = calls_of_the_keep(trace)
    assert len(made) > 10
    foreign = {name for name, _, error in made
               if name not in listed and error != "ENOSYS" and not name.startswith("syscall_0xea")}
    assert foreign == set()
    return {name for name, _, _ in made}


def test_strace_shows_no_other_call(build, root, tmp_path):
    """Files, sockets, sleeping, memory, a trap: everything that a keep does, it does with the table's calls."""
    source, module, config, trace = (tmp_path / n for n in ("m.c", "m.wasm", "Keep.toml", "trace"))
    source.write_text(r"""
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
int main(void)
{
    char buffer[4096];
    FILE *f = fopen("/tmp/x", "w");
    fputs("text", f);
    fclose(f);
    int l = open("/net/lis/0", O_RDWR | O_NONBLOCK);
    accept(l, NULL, NULL);
    open("/net/con/localhost:1", O_RDWR);
    open("/net/con/127.0.0.1:1", O_RDWR | O_NONBLOCK);
    struct pollfd p = {.fd = l, .events = POLLIN};
    poll(&p, 1, 5);
    getentropy(buffer, 32);
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    memset(malloc(64 << 20), 1, 64 << 20);
    printf("%ld %d\n", (long)time(NULL), (int)read(0, buffer, sizeof buffer));
    fflush(stdout);
    abort();
}
""")
    subprocess.run([*CLANG, source, "-o", module], check=True)
    config.write_text('[stdin]\nkind = "host"\n[stdout]\nkind = "host"\n[network.incoming.0]\nprot = "tcp"\n'
                      '[network.outgoing.default]\nprot = "tcp"\n')
    done = subprocess.run(["strace", "-ff", "-o", trace, build / "src/cli/broch", "run", "--wasmcfgfile", config,
                           module], capture_output=True, text=True, input="input", check=False, timeout=120)
    assert done.returncode == 134, done
    made = assert_only_listed(trace, listed_calls(build))
    assert {"read", "write", "ppoll", "socket", "bind", "listen", "accept4", "connect"} <= made


def test_the_check_finds_a_foreign_call(tmp_path):
    (tmp_path / "trace.1").write_text('execveat(5, "", ["broch-keep"], 0x7f /* 0 vars */, 0) = 0\n'
                                      + "brk(NULL) = 0x5\n" * 20 + "prlimit64(0) = -1 ENOSYS (Function)\n"
                                      + 'openat(AT_FDCWD, "/x") = 3\n')
    with pytest.raises(AssertionError, match="openat"):
        assert_only_listed(tmp_path / "trace", {"brk": 12})


def test_calls_md_is_the_table(build, root):
    assert (root / "docs/calls.md").read_text().endswith("\n" + list_calls(build)), \
        "print it anew: build/release/tests/e2e/nil/list_calls"
