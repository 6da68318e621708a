"""Where the tests find the checkout, the build and the shared test data."""
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("BROCH_BUILD", ROOT / "build/release"))
SHARED = pathlib.Path(os.environ.get("BROCH_SHARED", ROOT.parent / "shared"))


@pytest.fixture(scope="session")
def root():
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def build():
    """The folder of the build under test."""
    return BUILD


@pytest.fixture(scope="session")
def aarch64():
    """The words to put before arguments to run a program of the build for aarch64: aarch64(path)."""
    def command(program):
        path = ROOT / "build/aarch64" / program
        assert path.exists(), "./run build aarch64 has not been run"
        return ["qemu-aarch64-static", path]
    return command


@pytest.fixture(scope="session")
def kvm():
    """The words that choose the backend `kvm`, where there is a device for it: BROCH_KVM_DEVICE, or /dev/kvm."""
    device = os.environ.get("BROCH_KVM_DEVICE") or "/dev/kvm"
    if not os.access(device, os.R_OK | os.W_OK):
        pytest.skip(f"{device} cannot be used: no virtual machines here")
    return ["--backend", "kvm"]


@pytest.fixture(scope="session")
def sim_dir(tmp_path_factory):
    """A folder with roots of simulated platforms."""
    folder = tmp_path_factory.mktemp("sim") / "roots"
    subprocess.run([BUILD / "src/cli/broch", "sim", "init", "--dir", folder], capture_output=True, check=True)
    return str(folder)


@pytest.fixture(scope="session")
def snp(kvm, sim_dir):
    """The words that choose the simulated backend `snp`, with roots of its own; where `kvm` is."""
    assert kvm
    return ["--backend", "snp", "--simulate", "--sim-dir", sim_dir]


@pytest.fixture(scope="session")
def sgx(sim_dir):
    """The words that choose the simulated backend `sgx`, which is everywhere."""
    return ["--backend", "sgx", "--simulate", "--sim-dir", sim_dir]
