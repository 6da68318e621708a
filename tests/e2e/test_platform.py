"""broch platform info: what this machine has, and how to mend what it lacks."""
import json
import os
import pathlib
import subprocess
import tempfile

import pytest

NOBODY = 65534
BACKENDS = ["nil", "kvm", "snp", "sgx"]


@pytest.fixture(name="info")
def fixture_info(build):
    """Runs the command; the device that stands for /dev/kvm, or None."""
    def run(*words, device=None, **options):
        env = {name: value for name, value in os.environ.items() if name != "BROCH_KVM_DEVICE"}
        if device is not None:
            env["BROCH_KVM_DEVICE"] = str(device)
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
        assert backend["in_this_version"] == (backend["name"] != "sgx")
        assert backend["machine_ready"] == all(probe["ok"] for probe in backend["probes"])
        assert backend["usable"] == (backend["in_this_version"] and backend["machine_ready"])
        assert backend["name"] == "snp" or not backend["simulated"]
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
        assert ("not in this version" in line) == (name == "sgx")
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
