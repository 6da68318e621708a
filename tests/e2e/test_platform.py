"""broch platform info: what this machine has, and how to mend what it lacks."""
import json
import os
import pathlib
import socket
import subprocess
import tempfile

import pytest

NOBODY = 65534
BACKENDS = ["nil", "kvm", "snp", "sgx"]
SGX_DEVICES = {"BROCH_SGX_DEVICE": "/dev/sgx_enclave", "BROCH_SGX_PROVISION": "/dev/sgx_provision"}
PLACES = ["BROCH_KVM_DEVICE", "BROCH_AESM_SOCKET", *SGX_DEVICES]


@pytest.fixture(name="info")
def fixture_info(build):
    """Runs the command; `device` stands for /dev/kvm, or None; `places` are variables that name others."""
    def run(*words, device=None, places=None, **options):
        env = {name: value for name, value in os.environ.items() if name not in PLACES}
        if device is not None:
            env["BROCH_KVM_DEVICE"] = str(device)
        env.update({name: str(place) for name, place in (places or {}).items()})
        return subprocess.run([build / "src/cli/broch", "platform", "info", *words], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=60, check=False, env=env, **options)
    return run


def backends(done):
    assert done.returncode == 0, done.stderr
    return {backend["name"]: backend for backend in json.loads(done.stdout)["backends"]}


def probe(backend, name):
    (found,) = [probe for probe in backend["probes"] if probe["name"] == name]
    return found


def test_json_says_everything(info):
    done = info("--json")
    assert done.returncode == 0 and done.stderr == ""
    shown = json.loads(done.stdout)
    assert set(shown) == {"version", "system", "cpu", "microcode", "backends", "simulation"}
    uname = os.uname()
    assert shown["system"] == f"{uname.sysname} {uname.release} {uname.version} {uname.machine}"
    assert [backend["name"] for backend in shown["backends"]] == BACKENDS
    for backend in shown["backends"]:
        assert set(backend) == {"name", "summary", "in_this_version", "machine_ready", "usable", "simulated", "probes"}
        assert backend["in_this_version"]
        assert backend["machine_ready"] == all(probe["ok"] for probe in backend["probes"])
        assert backend["usable"] == (backend["in_this_version"] and backend["machine_ready"])
        assert backend["name"] in ("snp", "sgx") or not backend["simulated"]
        assert len(backend["probes"]) >= 2
        for one in backend["probes"]:
            assert set(one) == {"name", "ok", "found", "mend"}
            assert one["name"] and one["found"], backend
            # what is missing can be mended, and nothing else is
            assert (one["mend"] is None) == one["ok"]
    assert "sim init" in shown["simulation"]


def test_nil_runs_here(info):
    nil = backends(info("--json"))["nil"]
    assert nil["usable"] and probe(nil, "broch-keep")["found"].endswith("/broch-keep")


def test_text_says_the_same(info):
    text, shown = info().stdout, backends(info("--json"))
    assert text.startswith("Broch ") and os.uname().release in text
    for name in BACKENDS:
        (line,) = [line for line in text.splitlines() if line.startswith(name + ": ")]
        assert "not in this version" not in line
        for one in shown[name]["probes"]:
            assert one["found"] in text and (one["mend"] is None or "→ " + one["mend"] in text)
    assert "Simulation: " in text and ("  ok  snp\n" in text) == shown["snp"]["simulated"]


def test_simulation_needs_a_device(info):
    done = info(device="/nonexistent")
    assert "  no  snp: there is no /dev/kvm that you may use" in done.stdout
    assert not backends(info("--json", device="/nonexistent"))["snp"]["simulated"]


@pytest.mark.parametrize("device, found, mend", [
    ("/nonexistent", "No such file or directory", "BROCH_KVM_DEVICE"),
    ("/nonexistent/deeper", "No such file or directory", "BROCH_KVM_DEVICE"),
    ("/dev/null", "it is not KVM's", "BROCH_KVM_DEVICE"),
    ("/", "Is a directory", "the device that was meant"),
    ("/etc/passwd", None, ""),  # may be written to or not
    ("/dev/" + "x" * 5000, "File name too long", "the device that was meant"),
    ("/\x1b[31mred", "No such file or directory", "BROCH_KVM_DEVICE"),
])
def test_another_device_that_is_none(info, device, found, mend):
    shown = backends(info("--json", device=device))
    for name in ("kvm", "snp"):
        one = probe(shown[name], device)
        assert not one["ok"] and mend in one["mend"] and not shown[name]["machine_ready"]
        assert found is None or one["found"] == found
    assert not probe(shown["snp"], "virtual machines")["ok"]
    assert shown["nil"]["usable"]
    text = info(device=device).stdout
    assert "\x1b" not in text and text.count("→") >= 3


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become nobody")
@pytest.mark.parametrize("mode, group, mend", [
    (0o600, 0, "sudo chgrp kvm {0} && sudo chmod 0660 {0}"),
    (0o660, 12345, "add yourself to the group of {0}"),
    (0o660, 0, "sudo chgrp kvm"),
])
def test_a_device_that_may_not_be_used(info, mode, group, mend):
    with tempfile.TemporaryDirectory() as folder:
        device = pathlib.Path(folder, "kvm")
        device.write_bytes(b"")
        os.chown(device, 0, group)
        device.chmod(mode)
        device.parent.chmod(0o755)
        try:
            done = info("--json", device=device, user=NOBODY, group=NOBODY, extra_groups=[])
        except PermissionError:
            pytest.skip("nobody may not run what was built here")
    one = probe(backends(done)["kvm"], str(device))
    assert one["found"] == "Permission denied" and mend.format(device) in one["mend"]
    assert "usermod -aG" in one["mend"]


def test_an_empty_variable_is_none(info):
    assert probe(backends(info("--json", device=""))["kvm"], "/dev/kvm")


def test_nothing_of_it_needs_a_terminal_or_descriptors(info):
    done = info("--json", preexec_fn=lambda: os.closerange(3, 64), cwd="/")
    assert backends(done)


def test_arguments_are_mistakes(info):
    done = info("kvm")
    assert done.returncode == 2 and "one argument too many" in done.stderr


# ---- SGX ----

@pytest.fixture(name="readable")
def fixture_readable():
    """A folder that nobody may look into."""
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder).chmod(0o755)
        yield pathlib.Path(folder)


def ask_as_nobody(info, places):
    try:
        return backends(info("--json", places=places, user=NOBODY, group=NOBODY, extra_groups=[]))["sgx"]
    except PermissionError:
        pytest.skip("nobody may not run what was built here")


def test_what_sgx_lacks_can_be_mended(info):
    """Whatever machine it is."""
    sgx = backends(info("--json"))["sgx"]
    names = [one["name"] for one in sgx["probes"]]
    assert names[0] == "CPU" and [n for n in names if n in ("/dev/sgx_enclave", "/dev/sgx_provision", "aesmd")] == [
        "/dev/sgx_enclave", "/dev/sgx_provision", "aesmd"]
    assert all(len(one["mend"] or "x") < 319 and len(one["found"]) < 223 for one in sgx["probes"])  # nothing was cut


@pytest.mark.parametrize("variable", SGX_DEVICES)
@pytest.mark.parametrize("place, found, mend", [
    ("/nonexistent", "No such file or directory", "{0}, or leave it empty"),
    ("/etc/passwd/below", "Not a directory", "{0}, or leave it empty"),
    ("/etc", "it is no device", "the device that was meant"),
    ("/dev/" + "x" * 300, "File name too long", "the device that was meant"),
])
def test_an_sgx_device_that_is_none(info, variable, place, found, mend):
    sgx = backends(info("--json", places={variable: place}))["sgx"]
    one = probe(sgx, place)
    assert not one["ok"] and one["found"] == found and mend.format(variable) in one["mend"]
    assert not sgx["machine_ready"]
    assert "\x1b" not in info(places={variable: "/\x1b[31mred"}).stdout


@pytest.mark.parametrize("variable, usual", SGX_DEVICES.items())
def test_an_sgx_device(info, variable, usual):
    """A device it is; whether of SGX only the loader asks."""
    sgx = backends(info("--json", places={variable: "/dev/null"}))["sgx"]
    assert probe(sgx, "/dev/null")["ok"] and usual not in [one["name"] for one in sgx["probes"]]
    assert probe(backends(info("--json", places={variable: ""}))["sgx"], usual)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become nobody")
@pytest.mark.parametrize("variable", SGX_DEVICES)
@pytest.mark.parametrize("mode, group, mend", [
    (0o600, 0, "sudo chgrp sgx {0} && sudo chmod 0660 {0}"), (0o660, 12345, "add yourself to the group of {0}"),
])
def test_an_sgx_device_that_may_not_be_used(info, readable, variable, mode, group, mend):
    device = readable / "sgx"
    device.write_bytes(b"")
    os.chown(device, 0, group)
    device.chmod(mode)
    one = probe(ask_as_nobody(info, {variable: device}), str(device))
    assert one["found"] == "Permission denied" and mend.format(device) in one["mend"] and "usermod -aG" in one["mend"]


@pytest.mark.parametrize("place, found", [
    ("/nonexistent", "no socket /nonexistent: No such file or directory"), ("/dev/null", "/dev/null is no socket"),
    ("/etc", "/etc is no socket"), ("/etc/passwd/x", "no socket /etc/passwd/x: Not a directory"),
])
def test_a_socket_of_aesmd_that_is_none(info, place, found):
    one = probe(backends(info("--json", places={"BROCH_AESM_SOCKET": place}))["sgx"], "aesmd")
    assert not one["ok"] and one["found"] == found and "BROCH_AESM_SOCKET, or leave it empty" in one["mend"]


def test_a_socket_of_aesmd(info, readable):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(readable / "aesm"))
        one = probe(backends(info("--json", places={"BROCH_AESM_SOCKET": readable / "aesm"}))["sgx"], "aesmd")
    assert one["ok"] and one["found"] == f"{readable}/aesm"


def test_no_aesmd(info):
    if pathlib.Path("/var/run/aesmd/aesm.socket").exists():
        pytest.skip("this machine has aesmd")
    one = probe(backends(info("--json"))["sgx"], "aesmd")
    assert "sgx-aesm-service" in one["mend"] and "systemctl start aesmd" in one["mend"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become nobody")
@pytest.mark.parametrize("mode, group, folder_mode, mend", [
    (0o600, 0, 0o755, "sudo chgrp aesmd {0}"), (0o660, 12345, 0o755, "add yourself to the group of {0}"),
    (0o666, 0, 0o700, "the folders on the way to {0}"),
])
def test_a_socket_of_aesmd_that_may_not_be_used(info, readable, mode, group, folder_mode, mend):
    with socket.socket(socket.AF_UNIX) as server:
        place = readable / "run/aesm"
        place.parent.mkdir()
        server.bind(str(place))
        os.chown(place, 0, group)
        place.chmod(mode)
        place.parent.chmod(folder_mode)
        one = probe(ask_as_nobody(info, {"BROCH_AESM_SOCKET": place}), "aesmd")
    assert one["found"] == f"you may not use its socket {place}"
    assert ("usermod -aG" in one["mend"]) == (folder_mode != 0o700)
    assert mend.format(place) in one["mend"]
