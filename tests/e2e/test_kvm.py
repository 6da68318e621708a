"""The backend `kvm`, from inside: a program that takes the exec layer's place in the machine; and from outside. What
holds in an enclave as well is tried on simulated `sgx`, too.

What runs on every backend runs on this one in test_wasi.py, test_programs.py and test_echo.py."""
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

import programs
from test_nil import list_calls, results

CLANG = ["clang-14", "--target=wasm32-wasi", "-O1", "-g0"]


@pytest.fixture(scope="module")
def guest(root, build):
    out = build / "kvm_guest.wasm"
    subprocess.run([*CLANG, root / "tests/e2e/keep/guest.c", "-o", out], check=True)
    return out


@pytest.fixture(params=["kvm", "sgx"])
def backend(request):
    """The words that choose it."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def broch(build, backend):
    def run(*words, env=None, **options):
        return subprocess.run([build / "src/cli/broch", "run", *backend, *words], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=60, check=False, env={**os.environ, **(env or {})},
                              **options)
    return run


@pytest.fixture
def installed(build, tmp_path, backend):
    """A folder with all that a keep is made of; and what runs something in it."""
    for name in ("src/cli/broch", "src/keep/broch-keep", "src/shim/kvm/broch-shim-kvm", "src/shim/sgx/broch-shim-sgx"):
        shutil.copy(build / name, tmp_path)

    def run(what, level="info"):
        return subprocess.run([tmp_path / "broch", "run", *backend, what], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=60, check=False,
                              env={**os.environ, "BROCH_LOG_LEVEL": level})
    run.folder = tmp_path
    return run


@pytest.fixture
def probe(build, installed):
    """Runs the probe of `nil`'s tests as the exec layer."""
    shutil.copy(build / "tests/e2e/nil/probe", installed.folder / "broch-keep")

    def run(mode, level="info"):
        (installed.folder / "mode").write_text(mode)
        return installed(installed.folder / "mode", level)
    return run


def test_forbidden_calls(probe):
    """As on `nil`: what is not in the table is ENOSYS, and named in the log."""
    done = probe("forbidden-calls", level="debug")
    got = results(done)
    assert done.returncode == 0 and len(got) == 28, done
    assert set(got.values()) == {"ENOSYS"}
    for call in ["openat", "ptrace", "io_uring_setup", "process_vm_readv"]:
        assert done.stderr.count(f"call={call} ") == 1, done.stderr


def test_an_instruction_that_there_is_not(probe):
    """The probe's last try is a 32-bit system call, which is no instruction of the machine's, nor of an enclave's: the
    end, with a report."""
    done = probe("forbidden-arguments")
    assert set(results(done).values()) <= {"ENOSYS"}
    assert done.returncode == 128 + signal.SIGILL
    assert 'the keep failed reason="an instruction that there is not" vector=6' in done.stderr


def test_the_table_is_enforced(probe, build):
    """Whatever bit of an argument is wrong."""
    said, tried = probe("table").stdout.rsplit("tried ", 1)
    bold = sum(line.count("**") // 2 for line in list_calls(build).splitlines())
    assert said == "" and int(tried) > 30 * bold > 500


def test_descriptors(probe):
    """Nothing but the three of the standard and the boot request: keep calls are calls there."""
    assert probe("descriptors").stdout.split() == ["0", "2", "4"]


def test_who_runs_a_machine_is_confined(build, guest, backend):
    """A process of its own under seccomp, that ends with its loader."""
    with subprocess.Popen([build / "src/cli/broch", "run", *backend, guest, "--", "cat"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as loader:
        loader.stdin.write(b"ready\n")
        loader.stdin.flush()
        assert loader.stdout.readline() == b"ready\n"
        (child,) = [pid for pid in programs.process_tree(loader.pid) if pid != loader.pid]
        status = pathlib.Path(f"/proc/{child}/status").read_text()
        assert "Seccomp:\t2" in status and "NoNewPrivs:\t1" in status
        links = [os.readlink(link) for link in pathlib.Path(f"/proc/{child}/fd").iterdir()]
        assert not [link for link in links if link.startswith("anon_inode:kvm-vm") or link == "/dev/kvm"]
        loader.send_signal(signal.SIGKILL)
    end = time.monotonic() + 10
    while pathlib.Path(f"/proc/{child}").exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert not pathlib.Path(f"/proc/{child}").exists()


@pytest.mark.parametrize("device, said", [
    ("/nonexistent", "no /dev/kvm that you may use"),
    ("/dev/null", "the device is not KVM's"),
])
def test_no_device(build, guest, device, said):
    done = subprocess.run([build / "src/cli/broch", "run", "--backend", "kvm", guest], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=60, check=False,
                          env={**os.environ, "BROCH_KVM_DEVICE": device})
    assert done.returncode == 1 and said in done.stderr, done


def test_time_is_kept(broch, guest):
    start = time.monotonic()
    assert broch("--timeout", "1", guest, "--", "loop").returncode == 124
    assert time.monotonic() - start < 10


def damage(path, at, value):
    content = bytearray(path.read_bytes())
    content[at] = value
    path.write_bytes(content)


@pytest.mark.parametrize("backend", ["kvm"], indirect=True)
@pytest.mark.parametrize("name, at, said", [
    ("broch-keep", 0x10, "the exec layer is no static-PIE"),  # e_type
    ("broch-keep", 0x12, "the exec layer is no static-PIE"),  # e_machine
    ("broch-shim-kvm", 0, "this is no shim"),
    ("broch-shim-kvm", 0x38, "this is no shim"),  # e_phnum
])
def test_damaged_images(installed, guest, name, at, said):
    damage(installed.folder / name, at, 0xee)
    done = installed(guest)
    assert done.returncode != 0 and said in done.stderr, done


def test_memory_is_given_and_taken(broch, guest):
    for mebibytes, code in [("100", 0), ("1500", 0)]:
        assert broch(guest, "--", "memory", mebibytes).returncode == code


def test_ring_0_has_no_string_instructions(build):
    """Where KVM is software each round of one takes as long as an instruction; and ring 0 is small."""
    out = subprocess.run(["objdump", "-d", "--section=.ktext", build / "src/shim/kvm/broch-shim-kvm"],
                         capture_output=True, text=True, check=True).stdout
    assert "iretq" in out and "\trep" not in out and "%xmm" not in out
    assert "<memset>" not in out and "<memcpy>" not in out  # which are ring 3's
    sizes = subprocess.run(["size", "-A", build / "src/shim/kvm/broch-shim-kvm"], capture_output=True, text=True,
                           check=True).stdout
    text = {line.split()[0]: int(line.split()[1]) for line in sizes.splitlines() if line.startswith(".")}
    assert text[".ktext"] <= 6 << 10 and text[".ktext"] + text[".utext"] <= 64 << 10


def test_the_strongest_backend_is_deployed_on(build, guest, kvm):
    """Where none is named; `run` takes the lightest. A device that is not there is no backend."""
    def backend(**env):
        done = subprocess.run([build / "src/cli/broch", "deploy", "--json", guest], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=60, check=False, env={**os.environ, **env})
        assert (done.returncode, done.stdout) == (7, "hello\n"), done
        return done.stderr.splitlines()[0]
    assert backend(BROCH_BACKEND="") == '{"backend":"kvm"}'
    assert backend(BROCH_BACKEND="", BROCH_KVM_DEVICE="/nonexistent") == '{"backend":"nil"}'
    assert backend(BROCH_BACKEND="nil") == '{"backend":"nil"}'
