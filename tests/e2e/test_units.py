"""The servers' units for systemd: what systemd says of them, and the servers started as they say, under the same
filter of system calls."""
import ctypes
import functools
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile

import pytest

from drawbridge_host import Drawbridge
from steward_host import Platforms, Steward

SERVERS = ["broch-steward", "broch-drawbridge"]
NOBODY = 65534


def lines(unit, name):
    """The values of all lines of a unit with that name."""
    return re.findall(rf"^{name}=(.*)$", unit, re.MULTILINE)


def exec_start(unit, bindir, state):
    """The command of a unit, as systemd would make it, with other folders."""
    assert len(lines(unit, "ExecStart")) == 1
    program, *words = lines(unit, "ExecStart")[0].split()
    return [str(bindir / pathlib.Path(program).name), *(word.replace("%S", str(state)) for word in words)]


@pytest.fixture(params=SERVERS)
def server(request):
    return request.param


@pytest.fixture
def unit(build, server):
    return (build / f"packaging/{server}.service").read_text()


@pytest.fixture(scope="module")
def place():
    """A folder that anybody can reach, as the servers' user must."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="broch-units-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def bindir(build, place):
    folder = place / "bin"
    folder.mkdir()
    for server in SERVERS:
        shutil.copy(build / "src/cli" / server, folder)
    return folder


@pytest.fixture(scope="module")
def state(place):
    folder = place / "state"
    folder.mkdir()
    return folder


# ---- what systemd says ----

@pytest.fixture
def here(build, unit, server, tmp_path):
    """The unit with its program where it is in the build, as systemd looks for it."""
    path = tmp_path / f"{server}.service"
    program = lines(unit, "ExecStart")[0].split()[0]
    path.write_text(unit.replace(program, str(build / "src/cli" / server)))
    return path


def test_systemd_understands_it(here):
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", here], capture_output=True, text=True, timeout=60,
                          check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_little_is_exposed(here, record_property):
    """What is left: it is on the network, in the host's files, and logs."""
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=12", "--no-pager", here],
                          capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "LC_ALL": "C"})
    record_property("detail", re.search(r"Overall exposure level for \S+: [\d.]+", done.stdout)[0])
    assert done.returncode == 0, done.stdout


def test_its_user_is_made(root, server, unit):
    made = (root / f"packaging/{server}.conf").read_text().splitlines()
    state = "/var/lib/" + lines(unit, "StateDirectory")[0]
    assert lines(unit, "User") == [server]
    assert made[-1].startswith(f"u {server} - ") and made[-1].endswith(state)
    assert lines(unit, "ConditionPathExists")[0].startswith(state + "/")
    assert lines(unit, "ConditionPathExists")[0] == lines(unit, "ExecStart")[0].split()[-1].replace("%S", "/var/lib")


# ---- the filter ----

@functools.lru_cache
def members(name):
    """The calls of a set of systemd's."""
    done = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True)
    found = set()
    for word in re.findall(r"^    ([@\w-]+)$", done.stdout, re.MULTILINE):
        found |= members(word) if word.startswith("@") else {word}
    return found


def allowed_calls(unit):
    allowed = set()
    for line in lines(unit, "SystemCallFilter"):
        named = set().union(*(members(word) if word.startswith("@") else {word} for word in line.lstrip("~").split()))
        allowed = allowed - named if line.startswith("~") else allowed | named
    return allowed


class Comparison(ctypes.Structure):
    """libseccomp's struct scmp_arg_cmp."""
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


EQUAL, MASKED_EQUAL = 4, 7
ALLOW, REFUSE = 0x7fff0000, 0x00050000 | 1  # EPERM
PROT_WRITE, PROT_EXEC = 2, 4


def filter_of(unit):
    """A function that puts this process under what the unit has of seccomp: calls, families of addresses, and memory
    that is not both written and run."""
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    assert "yes" in lines(unit, "MemoryDenyWriteExecute")
    families = [getattr(socket, name) for name in lines(unit, "RestrictAddressFamilies")[0].split()]
    conditions = {"socket": [(0, EQUAL, family, 0) for family in families],
                  "mmap": [(2, MASKED_EQUAL, PROT_WRITE | PROT_EXEC, wanted) for wanted in (0, PROT_WRITE, PROT_EXEC)],
                  "mprotect": [(2, MASKED_EQUAL, PROT_EXEC, 0)]}
    rules = []
    for name in sorted(allowed_calls(unit)):
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # what this machine has
            rules += [(number, Comparison(*condition)) for condition in conditions.get(name, [])] or [(number, None)]

    def enter():
        context = ctypes.c_void_p(library.seccomp_init(REFUSE))
        for number, condition in rules:
            status = library.seccomp_rule_add_array(context, ctypes.c_uint(ALLOW), number, int(condition is not None),
                                                    ctypes.byref(condition) if condition is not None else None)
            assert status == 0, number
        assert library.seccomp_load(context) == 0
    return enter


def start(unit, command, folder):
    """Starts a server as its unit would, after giving its folder to its user as systemd does. Its port."""
    enter = filter_of(unit)
    if os.getuid() == 0:
        subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", folder], check=True)
        folder.chmod(0o700)

    def become():
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        os.umask(0o077)
        enter()
    with open(folder.parent / (folder.name + ".log"), "ab") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, preexec_fn=become, cwd="/",
                                   start_new_session=True, env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"})
    line = process.stdout.readline()
    assert "listening on" in line, pathlib.Path(log.name).read_text()
    return process, int(line.rpartition(":")[2])


def test_the_filter_refuses(build):
    """What the tests below rest on: that it is there."""
    unit = (build / "packaging/broch-drawbridge.service").read_text()
    tried = ("import ctypes, errno, os, socket\n"
             "libc = ctypes.CDLL(None, use_errno=True)\n"
             "libc.mmap.restype = ctypes.c_void_p\n"
             "def fails(call, *words):\n"
             "    try:\n"
             "        call(*words)\n"
             "    except PermissionError:\n"
             "        return True\n"
             "print(fails(os.setuid, 1), fails(socket.socket, socket.AF_NETLINK), fails(socket.socket),\n"
             "      libc.mmap(None, ctypes.c_size_t(4096), 6, 0x22, -1, ctypes.c_size_t(0)) == 2 ** 64 - 1,\n"
             "      libc.mmap(None, ctypes.c_size_t(4096), 2, 0x22, -1, ctypes.c_size_t(0)) == 2 ** 64 - 1)\n")
    done = subprocess.run(["/usr/bin/python3", "-c", tried], preexec_fn=filter_of(unit), capture_output=True, text=True,
                          check=True)
    assert done.stdout == "True True None True False\n"


def test_the_steward_serves(build, bindir, state, place):
    """A keep's whole flow, a revocation list, and new configuration, with the signing process behind it."""
    unit = (build / "packaging/broch-steward.service").read_text()
    platforms = Platforms(build, state / "broch-steward/sim")
    steward = Steward(platforms, state / "broch-steward", "--simulation")
    steward.process, steward.port = start(unit, exec_start(unit, bindir, state), steward.folder)
    log = place / "state/broch-steward.log"
    try:
        key = platforms.key(place / "key")
        for technology in ("snp", "sgx"):
            status, _, body = steward.attest(key, technology=technology)
            assert status == 200, (technology, body, log.read_text())
        assert steward.ask("GET", "/v1/crl")[0] == 200
        os.kill(steward.process.pid, 1)
        assert steward.attest(key)[0] == 200
    finally:
        assert steward.stop() == 0
    assert "warn" not in log.read_text().lower()
    audit = (steward.folder / "simulation-audit.log").read_text()
    assert audit.count('"issued"') == 3


def test_the_drawbridge_serves(build, bindir, state):
    unit = (build / "packaging/broch-drawbridge.service").read_text()
    folder = state / "broch-drawbridge"

    def broch(*words):
        return subprocess.run([build / "src/cli/broch", "drawbridge", *words], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=60, check=True).stdout
    broch("init", folder, "--host", "localhost")
    config = folder / "drawbridge.toml"
    config.write_text(re.sub("listen = .*", 'listen = "127.0.0.1:0"', config.read_text()))
    process, port = start(unit, exec_start(unit, bindir, state), folder)
    bridge = Drawbridge.__new__(Drawbridge)  # whose folder was made by hand
    bridge.attach(folder / "root.pem", port)
    try:
        # as root, while it is served
        token = broch("token", "create", "--config", config, "--user", "alice", "--scope", "all").strip()
        assert bridge.put("alice", token, b'{"subject":"local:alice"}') == (201, "")
        assert bridge.put("alice/app", token, b'{"public":true}') == (201, "")
        assert bridge.request("GET", "alice/app", token)[0] == 200
        os.kill(process.pid, 1)
        assert bridge.request("GET", "/health")[0] == 200
        assert broch("fsck", "--config", config)
    finally:
        process.terminate()
        assert process.wait(30) == 0
        process.stdout.close()
