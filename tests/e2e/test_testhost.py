"""tests/testhost, the loader for tests: a keep as `nil` runs it, with evidence of a simulated platform."""
import os
import pathlib
import shutil
import struct
import subprocess
import time

import pytest

import programs
import testhost as hosts

HERE = pathlib.Path(__file__).resolve().parent
REPORT_DATA = bytes(range(64))  # what the asker asks about
TECHNOLOGY, REPORT, VEK, CRL, TCB_CERTIFICATE, TCB_INFO = range(1, 7)
ENOSYS = 38
# technology: its number, where report data and measurement are in the report, and the latter's size
FORMS = {"snp": (1, 0x50, 0x90, 48), "sgx": (2, 48 + 320, 48 + 64, 32)}


@pytest.fixture(scope="module")
def guest(tmp_path_factory):
    """A package: workloads of a few behaviours."""
    folder = tmp_path_factory.mktemp("package")
    subprocess.run(["clang-14", "--target=wasm32-wasi", "-O1", "-g0", HERE / "keep/guest.c", "-o",
                    folder / "main.wasm"], check=True)
    return folder


@pytest.fixture(scope="module")
def sim(build, tmp_path_factory):
    folder = tmp_path_factory.mktemp("platforms") / "sim"
    subprocess.run([build / "src/cli/broch", "sim", "init", "--dir", folder], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def testhost(build):
    return hosts.Testhost(build, "--log-level", "warn").run


@pytest.fixture(scope="module")
def testhost_start(build):
    return hosts.Testhost(build).start


@pytest.fixture
def ask(build, testhost, tmp_path):
    """The results of attestations, and the evidence: ask("--sim", …)."""
    def run(*words, count=1):
        (tmp_path / "asked").write_text("\n" * count)
        done = testhost("--keep", build / "tests/testhost/asker", *words, tmp_path / "asked", stdin=b"")
        assert done.returncode == 0, done.stderr
        answers, rest = [], done.stdout
        while rest:
            line, _, rest = rest.partition(b"\n")
            size = max(int(line), 0)
            answers.append((int(line), rest[:size]))
            rest = rest[size:]
        assert len(answers) == count
        return answers
    return run


def sections(evidence):
    """Evidence as sallyport.h has it: kind to content."""
    found = {}
    while evidence:
        kind, size = struct.unpack_from("<II", evidence)
        assert kind not in found and len(evidence) >= 8 + size
        found[kind], evidence = evidence[8:8 + size], evidence[8 + size:]
    return found


def test_a_workload_runs_as_elsewhere(testhost, guest):
    done = testhost(guest)
    assert (done.returncode, done.stdout, done.stderr) == (7, "hello\n", "")
    assert testhost(guest, "--", "exit", "42").returncode == 42
    assert testhost("--env", "A=1", "--env", "B=x", guest, "env").stdout == "1 x\n"
    assert testhost(guest, "cat", stdin="in and out").stdout == "in and out"
    done = testhost(guest, "trap")
    assert done.returncode == 134 and "the workload trapped" in done.stderr
    done = testhost("--timeout", "1", guest, "loop")
    assert done.returncode == 124 and "stopped" in done.stderr


@pytest.mark.parametrize("technology", FORMS)
def test_evidence(ask, sim, tmp_path, technology):
    number, data_at, measurement_at, size = FORMS[technology]
    log = tmp_path / "log"
    measurement = bytes(range(100, 100 + size))
    answers = ask("--sim", sim, "--technology", technology, "--measurement", measurement.hex(), "--attest-log",
                  log, count=2)
    for result, evidence in answers:
        found = sections(evidence)
        assert result == len(evidence) and found[TECHNOLOGY] == bytes([number])
        assert found[REPORT][data_at:][:64] == REPORT_DATA
        assert found[REPORT][measurement_at:][:size] == measurement
        assert set(found) == {TECHNOLOGY, REPORT} | ({VEK, CRL} if technology == "snp" else {TCB_INFO})
    assert log.read_text() == 2 * f"{technology} {REPORT_DATA.hex()}\n"


def test_no_platform_no_evidence(ask):
    assert ask() == [(-ENOSYS, b"")]


def symbols(program):
    return subprocess.run(["nm", program], capture_output=True, text=True, check=True).stdout


def test_what_is_shipped_has_no_such_path(build, tmp_path):
    """The loader has the answer of src/host/attest.c, and nothing of a simulated platform answers for it."""
    folder = tmp_path / "broch"
    folder.mkdir()
    shutil.copy(build / "src/cli/broch", folder)
    shutil.copy(build / "tests/testhost/asker", folder / "broch-keep")
    (tmp_path / "asked").write_text("\n")
    done = subprocess.run([folder / "broch", "run", tmp_path / "asked"], capture_output=True, text=True, check=False,
                          env={**os.environ, "BROCH_SIM_DIR": str(tmp_path)})
    assert done.stdout == f"{-ENOSYS}\n"
    found = symbols(build / "src/cli/broch")
    assert " platform_attest\n" in found
    for name in ["attester", "attest_setup", "lie", "testhost"]:
        assert f" {name}" not in found, name
    installed = subprocess.run(["meson", "introspect", "--installed", build], capture_output=True, text=True,
                               check=True).stdout
    assert "bin/broch" in installed and "tests/" not in installed
    assert "attester_evidence" in symbols(build / "tests/testhost/testhost")  # as it would look


def keeps_below(pid):
    """The keeps that a process has started, itself or through another."""
    def name(p):
        return os.readlink(f"/proc/{p}/exe").rpartition("/")[2]
    return [p for p in programs.process_tree(pid) if name(p) == "broch-keep"]


# ---- lies ----

NAME = "self.test"


class Talker:
    """A workload that talks to itself, so that its keep makes every host call."""

    def __init__(self, build, folder, *words):
        self.port = programs.free_port()
        self.host = hosts.Testhost(build, *words, "--timeout", "2", "--resolve", f"{NAME}=127.0.0.1")
        self.words = [folder, "talk", NAME, self.port]
        subprocess.run(["clang-14", "--target=wasm32-wasi", "-O1", "-g0", "-Wall", "-Wextra", "-Werror",
                        HERE.parent / "testhost/guest.c", "-o", folder / "main.wasm"], check=True)
        (folder / "Keep.toml").write_text(programs.incoming(self.port) + f'[network.outgoing."{NAME}:{self.port}"]\n'
                                          'prot = "tcp"\n')
        self.honest, self.counts = self.host.count(*self.words, stdin="said\n")

    def lied_to(self, *lies):
        words = [word for lie in lies for word in ("--lie", lie)]
        return self.host.run(*words, *self.words, stdin="said\n")


@pytest.fixture(scope="module")
def talker(build, tmp_path_factory):
    return Talker(build, tmp_path_factory.mktemp("talker"))


ROOT = HERE.parent.parent
# a workload without a Steward has no need of them
UNUSED = {"attest", "phase"}
# a lie without which a call is not made
FIRST = {"getsockopt": ["getpeername,1,errno,107"]}
CALLS = [name for name, args in hosts.host_calls(ROOT).items() if hosts.kinds(name, args)]


def test_every_call_is_in_the_table():
    """As the file is read by the compiler."""
    text = (ROOT / "src/sallyport/calls.def").read_text()
    assert len(CALLS) == text.count(", HOST,") - 1 + text.count("\nKEEP(")
    assert hosts.host_calls(ROOT)["recvfrom"].split(", ")[2] == "SIZE"


def test_the_honest_run(talker):
    assert (talker.honest.returncode, talker.honest.stdout) == (0, "said\ndone\n"), talker.honest.stderr
    assert set(CALLS) - set(talker.counts) <= UNUSED | set(FIRST)


@pytest.mark.parametrize("call", CALLS)
def test_lies(talker, record_property, call):
    """At each call in turn: the keep ends, or says what is wrong, and never crashes."""
    first = FIRST.get(call, [])
    words = [word for lie in first for word in ("--lie", lie)]
    _, counts = talker.host.count(*words, *talker.words, stdin="said\n")
    told = list(hosts.lies(ROOT, counts, call))
    assert told or call in UNUSED
    done = [(lie, talker.lied_to(*first, lie)) for lie in told]
    assert [(lie, hosts.fault(lie, d)) for lie, d in done if hosts.fault(lie, d) is not None] == []
    ended = sum(d.returncode != 0 for _, d in done)
    record_property("detail", f"{call}: {len(told)} lies, {ended} of them ended the keep")


@pytest.mark.parametrize("lie, said", [
    ("recvfrom,2,long", "recv: I/O error"),
    ("read,1,noise", "this is no boot request"),
    ("recvfrom,all,errno,104", "Connection reset"),
    ("recvfrom,2,flip", "something else came"),
    ("connect,1,errno,111", "Connection refused"),
    ("accept4,1,fd", "peek"),
    ("resolve,1,long", "connect: I/O error"),
    ("write,1,errno,32", "write: Broken pipe"),
    ("clock_gettime,1,zero", None),
])
def test_a_lie_is_told(talker, lie, said):
    """So that what the table above does is known to be something."""
    done = talker.lied_to(lie)
    if said is None:
        assert done.returncode == 0 and done.stdout == talker.honest.stdout
    else:
        assert done.returncode == 1 and said in done.stderr


def test_several_lies(talker):
    assert "Broken pipe" in talker.lied_to("recvfrom,1,errno,11", "recvfrom,2,errno,32").stderr


@pytest.mark.parametrize("lie", ["x,1,zero", "read,0,zero", "read,x,zero", "read,1", "read,1,truth", "read,1,garbage",
                                 "read,1,errno,5,6"])
def test_malformed_lies(testhost, guest, lie):
    done = testhost("--lie", lie, guest)
    assert done.returncode == 2 and done.stderr.startswith("testhost: ")


def clocks(talker, *words, count=2):
    """Lines of realtime and monotonic, in seconds."""
    done = talker.host.run(*words, talker.words[0], "clock", str(count), "100")
    assert done.returncode == 0, done.stderr
    return [tuple(int(n) / 1e9 for n in line.split()) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("offset", [-2 * 86400, 2 * 86400])
def test_another_time(talker, offset):
    before, monotonic = time.time(), time.clock_gettime(time.CLOCK_MONOTONIC)
    (first, from_there), (second, _) = clocks(talker, "--clock", offset)
    if offset > 0:
        assert before + offset <= first < second <= time.time() + offset
    else:  # not before the image was built, when time stands still until it has come
        assert before + offset <= first <= second <= time.time()
    assert monotonic <= from_there <= time.clock_gettime(time.CLOCK_MONOTONIC)
    (_, both), *_ = clocks(talker, "--clock", f"both:{offset}")
    assert both >= (monotonic + offset if offset > 0 else 0)  # below zero is no time


def test_clocks_that_stand_still(talker):
    assert len(set(clocks(talker, "--clock", "stopped", count=3))) == 1


def test_a_clock_that_is_set(talker, tmp_path):
    (tmp_path / "clock").write_text("0\n")
    with talker.host.start("--clock", f"@{tmp_path}/clock", talker.words[0], "clock", "200", "10") as process:
        first = int(process.stdout.readline().split()[0])
        (tmp_path / "clock").write_text("86400\n")
        times = [int(line.split()[0]) / 1e9 for line in process.stdout]
        assert process.wait(10) == 0
    assert times == sorted(times) and 86400 <= times[-1] - first / 1e9 < 86400 + 60


@pytest.mark.parametrize("words", [[], ["--clock", "0"]], ids=["loader", "tracer"])
def test_nothing_is_left(testhost_start, guest, words):
    with testhost_start(*words, guest, "loop") as process:
        deadline = time.monotonic() + 20
        while not (found := keeps_below(process.pid)) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(found) == 1
        process.kill()
        process.wait(20)
        while any(pathlib.Path(f"/proc/{p}").exists() for p in found) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not any(pathlib.Path(f"/proc/{p}").exists() for p in found)


@pytest.mark.parametrize("technology", FORMS)
def test_lies_about_evidence(ask, sim, technology):
    _, data_at, measurement_at, size = FORMS[technology]
    def told(kind, count=1):
        return ask("--sim", sim, "--technology", technology, "--lie", f"attest,{count},{kind}", count=count)[-1]
    (truth,) = ask("--sim", sim, "--technology", technology)
    assert told("errno") == (-5, b"") and told("errno,13") == (-13, b"") and told("empty") == (0, b"")
    assert told("huge") == (2 ** 63 - 1, b"") and told("long") == (262144 + 1, b"")
    assert told("zero")[0] == 0 and told("negative")[0] != truth[0]
    assert abs(told("short")[0] - truth[0] // 2) < 100
    result, garbage = told("garbage", count=2)
    assert result == len(garbage) and garbage[:4] != b"\1\0\0\0"
    report = sections(told("other-data")[1])[REPORT]
    assert report[data_at] == REPORT_DATA[0] ^ 1 and report[data_at + 1:][:63] == REPORT_DATA[1:]
    report = sections(told("other-measurement")[1])[REPORT]
    assert report[measurement_at:][:size] != sections(truth[1])[REPORT][measurement_at:][:size]
    assert sections(told("technology")[1])[TECHNOLOGY] != sections(truth[1])[TECHNOLOGY]
    changed = sections(told("unsigned")[1])[REPORT]
    assert changed[28] == sections(truth[1])[REPORT][28] ^ 1 and changed[data_at:][:64] == REPORT_DATA
