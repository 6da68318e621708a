"""broch platform snp: AMD's endorsements of a processor, from a service that stands in for AMD's, with AMD's real
certificates."""
import pathlib
import subprocess

import pytest

from conftest import SHARED
from foreign_registry import ForeignRegistry

# a real chip of AMD's, and the TCB that its certificate is for
CHIP = ("d49554ec717f4e5b0fe6b143bcf0405bd7ae304727edf46603f2a76aef6a3abc"
        "15d7af38db757039029f0efacfd08e244324884738c72b082e2f87a44d541eb6")
TCB = "0200000000000673"
PATH = f"/vcek/v1/Milan/{CHIP}?blSPL=02&teeSPL=00&snpSPL=06&ucodeSPL=115"


@pytest.fixture(name="files", scope="module")
def fixture_files():
    vectors = SHARED / "vectors/snp"
    return {"vcek": (vectors / "milan-v2/vcek.der").read_bytes(),
            "crl": (vectors / "steward-milan-csr/crl_ark-milan.der").read_bytes()}


@pytest.fixture(name="kds")
def fixture_kds(tmp_path, files):
    """AMD's service: `answers` by path, and what was asked for."""
    answers, asked = {PATH: (200, files["vcek"]), "/vcek/v1/Milan/crl": (200, files["crl"])}, []

    def answer(request):
        asked.append(request.path)
        status, body = answers.get(request.path, (404, b"no such thing"))
        return status, {}, body
    (tmp_path / "kds").mkdir()
    made = ForeignRegistry(tmp_path / "kds", answer)
    made.answers, made.asked = answers, asked
    made.url = f"https://localhost:{made.server.server_address[1]}"
    yield made
    made.close()


@pytest.fixture(name="snp")
def fixture_snp(build, kds, tmp_path):
    """Runs the command for that chip, unless told otherwise."""
    def run(command, *words, chip=CHIP, tcb=TCB, product="Milan", url=None):
        options = ["--cache", tmp_path / "deep/cache"]
        if command != "vcek":
            options += ["--kds", url or kds.url, "--kds-ca", kds.ca]
            if chip is not None:
                options += ["--chip-id", chip, "--tcb", tcb, "--product", product]
        return subprocess.run([build / "src/cli/broch", "platform", "snp", command, *map(str, options), *words],
                              capture_output=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    run.cache = tmp_path / "deep/cache"
    return run


def test_update(snp, kds, files):
    done = snp("update")
    assert done.returncode == 0, done.stderr
    assert kds.asked == [PATH, "/vcek/v1/Milan/crl"]
    assert {path.name: path.read_bytes() for path in snp.cache.iterdir()} == {
        "vcek.der": files["vcek"], "crl.der": files["crl"], "crl.url": f"{kds.url}/vcek/v1/Milan/crl".encode()}
    assert done.stdout.decode().splitlines() == [str(snp.cache / n) for n in ("vcek.der", "crl.der", "crl.url")]
    assert snp("vcek").stdout == files["vcek"]
    assert snp("vcek", "--file").stdout.decode() == f"{snp.cache}/vcek.der\n"


def test_the_list_alone(snp, kds):
    assert snp("cache-crl").returncode == 0 and kds.asked == ["/vcek/v1/Milan/crl"]
    assert sorted(path.name for path in snp.cache.iterdir()) == ["crl.der", "crl.url"]
    done = snp("vcek")
    assert done.returncode == 1 and b"No such file" in done.stderr


@pytest.mark.parametrize("product, tcb, path", [
    ("Genoa", "0a00000000001758", f"Genoa/{CHIP}?blSPL=10&teeSPL=00&snpSPL=23&ucodeSPL=88"),
    ("Turin", "0203040500000006", f"Turin/{CHIP[:16]}?fmcSPL=02&blSPL=03&teeSPL=04&snpSPL=05&ucodeSPL=06"),
])
def test_where_it_asks(snp, kds, product, tcb, path):
    """By product: Turin has another TCB and a shorter number."""
    assert snp("update", product=product, tcb=tcb).returncode == 1
    assert kds.asked == ["/vcek/v1/" + path]


def test_what_a_service_may_answer(snp, kds, files):
    for status, body, said in ((404, b"", "it knows no such chip or TCB"), (429, b"", "asked less often"),
                               (500, b"", "answered 500"), (200, b"rubbish", "something else"),
                               (200, files["crl"], "something else"), (200, b"", "something else"),
                               (200, bytes(2 << 20), "")):
        kds.answers[PATH] = (status, body)
        done = snp("update")
        assert done.returncode == 1 and said in done.stderr.decode(), done
        assert not (snp.cache / "vcek.der").exists()


def test_another_chip(snp, kds, files):
    """The certificate must be of the chip that was asked for."""
    other = "00" + CHIP[2:]
    kds.answers[PATH.replace(CHIP, other)] = (200, files["vcek"])
    done = snp("update", chip=other)
    assert done.returncode == 1 and b"certificate of another chip" in done.stderr


@pytest.mark.parametrize("options, code, said", [
    ({"chip": "00" * 64}, 1, "hides its chip"), ({"chip": "zz"}, 2, "--chip-id"), ({"tcb": "12"}, 2, "--tcb"),
    ({"product": "Rome"}, 2, "is Milan, Genoa or Turin"), ({"tcb": "0101010101010101"}, 1, "TCB is none"),
])
def test_bad_words(snp, kds, options, code, said):
    done = snp("update", **options)
    assert done.returncode == code and said in done.stderr.decode() and kds.asked == []


def test_a_machine_without(snp, build):
    """Here there is nothing to ask."""
    if pathlib.Path("/dev/sev").exists():
        pytest.skip("this machine has /dev/sev")
    for command in ("update", "cache-crl"):
        done = snp(command, chip=None)
        assert done.returncode == 1 and b"cannot open /dev/sev" in done.stderr
    done = subprocess.run([build / "src/cli/broch", "platform", "snp", "show"], capture_output=True, check=False)
    assert done.returncode == 1 and b"cannot open /dev/sev" in done.stderr


def test_services_that_are_none(snp):
    done = snp("update", url="http://localhost:1")
    assert done.returncode == 2 and b"takes https://" in done.stderr
    done = snp("update", url="https://localhost:1")
    assert done.returncode == 1
