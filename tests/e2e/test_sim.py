"""broch sim: the roots of simulated platforms."""
import json
import stat
import subprocess

import pytest


@pytest.fixture
def sim(build, tmp_path):
    """Runs a sim command about the folder `platforms`; options go to subprocess.run."""
    def run(word, *words, env=None):
        given = {"BROCH_SIM_DIR": str(tmp_path / "some/platforms")} if env is None else env
        return subprocess.run([build / "src/cli/broch", "sim", word, *words], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=120, check=False, env=given)
    return run


def test_made_shown_and_removed(sim, tmp_path):
    folder = tmp_path / "some/platforms"
    assert "broch sim init makes them" in sim("show").stderr
    made = sim("init", "--json")
    assert made.returncode == 0, made.stderr
    assert sorted(p.name for p in folder.iterdir()) == ["collateral", "sgx-root.pem", "sgx.pem", "snp-root.pem",
                                                           "snp.pem"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for name in ("snp.pem", "sgx.pem"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
        assert "PRIVATE KEY" in (folder / name).read_text()
    shown = json.loads(made.stdout)
    assert shown == json.loads(sim("show", "--json").stdout)
    for platform, subject in zip(shown["platforms"], ("ARK-Genoa", "Intel SGX Root CA")):
        assert platform["subject"] == subject
        root = subprocess.run(["openssl", "x509", "-in", platform["root"], "-noout", "-fingerprint", "-sha256",
                               "-subject"], capture_output=True, text=True, check=True).stdout
        assert platform["sha256"] == root.splitlines()[0].partition("=")[2].replace(":", "").lower()
        assert "O = Simulated" in root and "PRIVATE" not in (folder / platform["root"]).read_text()
    assert "SIMULATED: they protect nothing." in sim("show").stdout
    assert sim("remove").returncode == 0
    assert not folder.exists()
    assert sim("remove").returncode == 1


def test_nothing_is_overwritten_or_swept_away(sim, tmp_path):
    folder = tmp_path / "some/platforms"
    folder.mkdir(parents=True)
    (folder / "mine").write_text("stays")
    assert sim("init").returncode == 0
    before = (folder / "snp.pem").read_bytes()
    again = sim("init")
    assert again.returncode == 1 and "there are roots already; broch sim remove removes them" in again.stderr
    assert (folder / "snp.pem").read_bytes() == before
    assert sim("remove").returncode == 0
    assert [p.name for p in folder.iterdir()] == ["mine"]


def test_where_they_lie(sim, tmp_path):
    assert "there is no HOME; name the folder of the simulated platforms: --dir of" in sim("show", env={}).stderr
    assert f"{tmp_path}/.local/share/broch/sim: there are no" in sim("show", env={"HOME": str(tmp_path)}).stderr
    assert f"{tmp_path}/data/broch/sim: there are no" in sim(
        "show", env={"HOME": "/nowhere", "XDG_DATA_HOME": f"{tmp_path}/data"}).stderr
    assert f"{tmp_path}/x: there are no" in sim("show", "--dir", f"{tmp_path}/x").stderr
    assert "the name of the folder of the simulated platforms is too long" in sim("show", "--dir", "x" * 5000).stderr


def test_a_folder_that_cannot_be_made(sim, tmp_path):
    (tmp_path / "file").write_text("")
    failed = sim("init", "--dir", f"{tmp_path}/file/platforms")
    assert failed.returncode == 1 and "cannot make the folder: Not a directory" in failed.stderr


def test_a_root_that_is_damaged(sim, tmp_path):
    assert sim("init").returncode == 0
    (tmp_path / "some/platforms/snp-root.pem").write_text("nothing")
    assert sim("show").returncode == 1
