"""tests/testhost, the loader for tests: a keep as `nil` runs it, with evidence of a simulated platform."""
import os
import pathlib
import shutil
import struct
import subprocess

import pytest

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


@pytest.fixture
def testhost(build):
    def run(*words, stdin="", timeout=60, text=True):
        return subprocess.run([build / "tests/testhost/testhost", *words], input=stdin, capture_output=True,
                              text=text, timeout=timeout, check=False)
    return run


@pytest.fixture
def ask(build, testhost, tmp_path):
    """The results of attestations, and the evidence: ask("--sim", …)."""
    def run(*words, count=1):
        (tmp_path / "asked").write_text("\n" * count)
        done = testhost("--keep", build / "tests/testhost/asker", *words, tmp_path / "asked", stdin=b"", text=False)
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
