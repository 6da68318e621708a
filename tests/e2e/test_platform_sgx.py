"""broch platform sgx: Intel's endorsements of a platform, from a service that stands in for Intel's, with Intel's real
answers; what a machine says of itself; and what keeps are given of it."""
import json
import os
import struct
import subprocess
import urllib.parse

import pytest

from aesm_host import Aesm, SELECT_KEY, answer
from conftest import SHARED
from foreign_registry import ForeignRegistry

SGX = SHARED / "vectors/sgx"
QUOTE = SGX / "steward-icelake-xeon-csr/quote.bin"
FMSPC = "00606a000000"
V4 = "/sgx/certification/v4/"
TCB, IDENTITY, ROOT = f"{V4}tcb?fmspc={FMSPC}", f"{V4}qe/identity", f"{V4}rootcacrl"
LIST, OTHER_LIST = (f"{V4}pckcrl?ca={ca}&encoding=der" for ca in ("platform", "processor"))
FILES = ["tcb_info.json", "tcb_chain.pem", "pck_crl.der", "pck_crl.url", "root_crl.der", "root_crl.url",
         "qe_identity.json"]


@pytest.fixture(name="files", scope="module")
def fixture_files():
    icelake, oasis = SGX / "steward-icelake-xeon-csr", SGX / "platform-oasis"
    return {"tcb": (icelake / "tcb_info.json").read_bytes(), "chain": (oasis / "tcb_info_chain.pem").read_bytes(),
            "platform": (icelake / "crl_intel_sgx_pck_platform_ca.der").read_bytes(),
            "processor": (icelake / "crl_intel_sgx_pck_processor_ca.der").read_bytes(),
            "root": (icelake / "crl_intel_sgx_root_ca.der").read_bytes(),
            "identity": (oasis / "qe_identity.json").read_bytes()}


@pytest.fixture(name="service", scope="module")
def fixture_service(tmp_path_factory):
    """A server by HTTPS: `answers` by path, and what was asked for."""
    def reply(request):
        made.asked.append(request.path)
        status, body, *headers = made.answers.get(request.path, (404, b"no such thing"))
        return status, headers[0] if headers else {}, body
    made = ForeignRegistry(tmp_path_factory.mktemp("pcs"), reply)
    made.url = f"https://localhost:{made.server.server_address[1]}"
    yield made
    made.close()


@pytest.fixture(name="pcs")
def fixture_pcs(service, files):
    """That server with Intel's answers."""
    service.chain = {"TCB-Info-Issuer-Chain": urllib.parse.quote(files["chain"].decode())}
    service.answers = {TCB: (200, files["tcb"], service.chain), LIST: (200, files["platform"]),
                       OTHER_LIST: (200, files["processor"]), ROOT: (200, files["root"]),
                       IDENTITY: (200, files["identity"])}
    service.asked = []
    return service


@pytest.fixture(name="broch")
def fixture_broch(build):
    def run(*words, **variables):
        env = {key: value for key, value in os.environ.items() if not key.startswith(("BROCH_SGX", "BROCH_AESM"))}
        return subprocess.run([build / "src/cli/broch", *map(str, words)], capture_output=True, timeout=60,
                              check=False, stdin=subprocess.DEVNULL, env=env | variables, text=True)
    return run


@pytest.fixture(name="update")
def fixture_update(broch, pcs, tmp_path):
    """Runs the command for that platform, unless told otherwise."""
    def run(*words, fmspc=FMSPC, ca="platform", url=None):
        options = ["--cache", tmp_path / "deep/cache", "--pcs", url or pcs.url, "--pcs-ca", pcs.ca]
        for name, value in (("--fmspc", fmspc), ("--ca", ca)):
            options += [] if value is None else [name, value]
        return broch("platform", "sgx", "update", *options, *words)
    run.cache = tmp_path / "deep/cache"
    return run


# ---- update ----

def test_update(update, pcs, files):
    done = update()
    assert done.returncode == 0, done.stderr
    assert pcs.asked == [TCB, LIST, ROOT, IDENTITY]
    assert {path.name: path.read_bytes() for path in update.cache.iterdir()} == {
        "tcb_info.json": files["tcb"], "tcb_chain.pem": files["chain"], "pck_crl.der": files["platform"],
        "pck_crl.url": f"{pcs.url}{LIST}".encode(), "root_crl.der": files["root"],
        "root_crl.url": f"{pcs.url}{ROOT}".encode(), "qe_identity.json": files["identity"]}
    assert done.stdout.splitlines() == [str(update.cache / name) for name in FILES]


def test_what_is_kept_is_what_a_verifier_needs(update, broch):
    """Of a real quote of that platform, at a time when all but the QE identity was current."""
    assert update().returncode == 0
    done = broch("evidence", "verify", QUOTE, "--collateral", update.cache, "--at", "2023-01-27T00:00:00Z", "--json")
    failed = {check["name"] for check in json.loads(done.stdout)["checks"] if check["result"] == "fail"}
    assert failed == {"quote.qe-identity-dates", "quote.tcb-status", "quote.advisories"}


def test_the_other_ca(update, pcs, files):
    assert update(ca="processor").returncode == 0
    assert pcs.asked == [TCB, OTHER_LIST, ROOT, IDENTITY]
    assert (update.cache / "pck_crl.der").read_bytes() == files["processor"]


def test_a_platform_by_its_quote(update, pcs, files):
    assert update("--quote", QUOTE, fmspc=None, ca=None).returncode == 0
    assert pcs.asked == [TCB, LIST, ROOT, IDENTITY]
    assert (update.cache / "tcb_info.json").read_bytes() == files["tcb"]


def test_capitals(update, pcs):
    assert update(fmspc=FMSPC.upper()).returncode == 0 and pcs.asked[0] == TCB


def pem(der):
    return subprocess.run(["openssl", "crl", "-inform", "der"], input=der, capture_output=True, check=True).stdout


@pytest.mark.parametrize("form", [bytes.hex, lambda der: der.hex().upper() + "\n", pem, lambda der: pem(der) + b"\n\n"],
                         ids=["hex", "hex-line", "pem", "pem-lines"])
def test_lists_in_other_forms(update, pcs, files, form):
    """As caching services give them."""
    for path, name in ((ROOT, "root"), (LIST, "platform")):
        text = form(files[name])
        pcs.answers[path] = (200, text if isinstance(text, bytes) else text.encode())
    assert update().returncode == 0
    assert (update.cache / "root_crl.der").read_bytes() == files["root"]
    assert (update.cache / "pck_crl.der").read_bytes() == files["platform"]


def test_the_older_name_of_the_chain(update, pcs, files):
    pcs.answers[TCB] = (200, files["tcb"], {"SGX-TCB-Info-Issuer-Chain": pcs.chain["TCB-Info-Issuer-Chain"]})
    assert update().returncode == 0 and (update.cache / "tcb_chain.pem").read_bytes() == files["chain"]


@pytest.mark.parametrize("path", [TCB, LIST, ROOT, IDENTITY])
def test_what_a_service_may_answer(update, pcs, files, path):
    """What was kept before stays, all of it."""
    assert update().returncode == 0
    kept = {file.name: file.read_bytes() for file in update.cache.iterdir()}
    honest = pcs.answers[path]
    for status, body, said in ((404, b"", "answered 404: it"), (429, b"", "asked less often"),
                               (500, b"", "answered 500"), (200, b"rubbish", "something else"),
                               (200, b"", "something else"), (200, honest[1][:-1], "something else"),
                               (200, honest[1] + b"x", "something else"), (200, files["chain"], "something else"),
                               (200, files["identity" if path != IDENTITY else "tcb"], "something else"),
                               (200, b"00" * 100, "something else"), (200, b"{}", "something else"),
                               (200, b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", "something else"),
                               (200, bytes(2 << 20), "")):
        pcs.answers[path] = (status, body, *honest[2:])
        done = update()
        assert done.returncode == 1 and said in done.stderr and pcs.url + path in done.stderr, done
    assert {file.name: file.read_bytes() for file in update.cache.iterdir()} == kept


@pytest.mark.parametrize("path, name, said", [
    (LIST, "processor", "list of another issuer"), (LIST, "root", "list of another issuer"),
    (ROOT, "platform", "list of another issuer"), (IDENTITY, "td", "another enclave's identity"),
    (TCB, "other", "TCB info of another platform"), (TCB, "tdx", "TCB info that is not SGX's"),
])
def test_answers_about_something_else(update, pcs, files, path, name, said):
    tdx = json.loads((SGX / "teepot-pcs/tdx_tcb_info.json").read_bytes())
    tdx_fmspc = json.loads(tdx["tcb_info_json"])["tcbInfo"]["fmspc"]
    others = {**files,
              "td": json.loads((SGX / "teepot-pcs/tdx_qe_identity.json").read_bytes())["enclave_identity_json"].encode(),
              "other": files["tcb"].replace(FMSPC.upper().encode(), b"00906ED50000"),
              "tdx": tdx["tcb_info_json"].replace(tdx_fmspc, FMSPC.upper()).encode()}
    assert others[name] != files["tcb"]
    pcs.answers[path] = (200, others[name], pcs.chain)
    done = update()
    assert done.returncode == 1 and said in done.stderr and not update.cache.exists()


@pytest.mark.parametrize("chain, said", [
    (None, "sends no chain"), ("", "is no chain"), ("rubbish", "is no chain"), ("%", "is no chain"),
    ("%4", "is no chain"), ("%zz", "is no chain"),
    (lambda certificates: certificates[0], "is no chain"),  # the signer alone
    (lambda certificates: "".join(reversed(certificates)), "is no chain"),
    (lambda certificates: "".join(certificates * 3), "is no chain"),
    (lambda certificates: certificates[0] + certificates[1][:-60], "is no chain"),
    (lambda certificates: "text" + "".join(certificates), "is no chain"),
    (lambda certificates: "".join(certificates[:1] * 2 + certificates[1:]), "is no chain"),
])
def test_chains(update, pcs, files, chain, said):
    if callable(chain):
        end = "-----END CERTIFICATE-----\n"
        certificates = [text + end for text in files["chain"].decode().split(end) if text.strip()]
        assert len(certificates) == 2
        chain = urllib.parse.quote(chain(certificates))
    pcs.answers[TCB] = (200, files["tcb"], {} if chain is None else {"TCB-Info-Issuer-Chain": chain})
    done = update()
    assert done.returncode == 1 and said in done.stderr and not update.cache.exists()


@pytest.mark.parametrize("options, words, said", [
    ({"fmspc": "00"}, [], "--fmspc"), ({"fmspc": "zz" * 6}, [], "--fmspc"), ({"fmspc": "00" * 7}, [], "--fmspc"),
    ({"fmspc": None}, [], "--fmspc"), ({"ca": None}, [], "--ca"), ({"ca": "root"}, [], "platform or processor"),
    ({}, ["--quote", QUOTE], "give one of both"), ({"url": "http://localhost:1"}, [], "--pcs takes https://"),
])
def test_bad_words(update, pcs, options, words, said):
    done = update(*words, **options)
    assert done.returncode == 2 and said in done.stderr and pcs.asked == []


def test_a_service_that_is_none(update):
    assert update(url="https://localhost:1").returncode == 1


def test_a_folder_that_cannot_be(update):
    update.cache.parent.write_bytes(b"")
    done = update()
    assert done.returncode == 1 and "Not a directory" in done.stderr


# ---- show ----

def test_show(broch):
    done = broch("platform", "sgx", "show", "--quote", QUOTE)
    assert done.returncode == 0 and done.stdout == (
        f"ca      platform\nfmspc   {FMSPC}\npceid   0000\ncpusvn  04040303ffff00000000000000000000\npcesvn  11\n"
        "ppid    5183fc7b8b0bcdfb04e1375ba12c8345\n")
    done = broch("platform", "sgx", "show", "--json", "--quote", SGX / "processor-phala/quote.bin")
    shown = json.loads(done.stdout)
    assert set(shown) == {"ca", "fmspc", "pceid", "cpusvn", "pcesvn", "ppid"}
    assert (shown["ca"], shown["fmspc"], shown["pcesvn"]) == ("processor", "00a067110000", 13)
    # a request of a keep's has its quote in it
    assert broch("platform", "sgx", "show", "--quote", QUOTE.with_name("evidence.csr")).stdout.startswith("ca      plat")


@pytest.mark.parametrize("file, said", [
    ("/nonexistent", "No such file"), (SGX / "trust/intel_sgx_root_ca.pem", "no certificate of an SGX platform"),
    (SGX / "platform-oasis/quote_ppid_certtype3.bin", "no certificate of an SGX platform"),
    ("/etc/passwd", "/etc/passwd"),
])
def test_files_without_a_platform(broch, update, file, said):
    done = broch("platform", "sgx", "show", "--quote", file)
    assert done.returncode == 1 and said in done.stderr and done.stdout == ""
    assert update("--quote", file, fmspc=None, ca=None).returncode == 1


def test_this_machine(broch, tmp_path):
    """It needs a REPORT, which an enclave makes; what goes wrong before is told."""
    socket = str(tmp_path / "aesm")
    done = broch("platform", "sgx", "show", BROCH_AESM_SOCKET=socket)
    assert done.returncode == 1 and "there is no socket of aesmd" in done.stderr
    if not os.path.exists("/dev/sgx_enclave"):
        assert "broch: /dev/sgx_enclave: No such file or directory; mend" in done.stderr
    with Aesm(socket, QUOTE.read_bytes()):
        done = broch("platform", "sgx", "show", BROCH_AESM_SOCKET=socket)
    if not os.path.exists("/dev/sgx_enclave"):
        assert done.returncode == 1 and "SGX" in done.stderr, done.stderr

    def lie(number, _):
        return struct.pack("<I", len(answer(number, 12))) + answer(number, 12)
    with Aesm(socket, QUOTE.read_bytes(), lie) as aesm:
        done = broch("platform", "sgx", "show", BROCH_AESM_SOCKET=socket)
    assert done.returncode == 1 and "NETWORK_ERROR" in done.stderr and aesm.asked[0][0] == SELECT_KEY


# ---- what keeps are given ----

TECHNOLOGY, CRL, TCB_CERTIFICATE, TCB_INFO = 1, 4, 5, 6


@pytest.fixture(name="evidence")
def fixture_evidence(build):
    def run(folder, code=0):
        done = subprocess.run([build / "tests/aesm_tool/aesm_tool", "evidence", folder], capture_output=True,
                              timeout=60, check=False)
        assert done.returncode == code, done
        if code != 0:
            return done.stdout.decode()
        sections, rest = [], done.stdout
        while rest:
            kind, size = struct.unpack_from("<II", rest)
            sections.append((kind, rest[8:8 + size]))
            rest = rest[8 + size:]
        sections.append(done.stderr.decode())
        return sections
    return run


def der_of(text):
    return subprocess.run(["openssl", "x509", "-outform", "der"], input=text, capture_output=True, check=True).stdout


def crl(url, der):
    return CRL, struct.pack("<H", len(url)) + url.encode() + der


def test_evidence(update, pcs, files, evidence):
    assert update().returncode == 0
    *sections, log = evidence(update.cache)
    end = b"-----END CERTIFICATE-----\n"
    signer, root = (der_of(text + end) for text in files["chain"].split(end)[:2])
    assert sections == [
        (TECHNOLOGY, b"\2"), crl(pcs.url + LIST, files["platform"]), crl(pcs.url + ROOT, files["root"]),
        (TCB_CERTIFICATE, signer), (TCB_CERTIFICATE, root), (TCB_INFO, files["tcb"])]
    assert root == (SGX / "trust/intel_sgx_root_ca.der").read_bytes() and log == ""


@pytest.mark.parametrize("missing", FILES)
def test_what_is_not_there_is_left_out(update, evidence, missing):
    assert update().returncode == 0
    *whole, _ = evidence(update.cache)
    (update.cache / missing).unlink()
    *sections, log = evidence(update.cache)
    kinds = [kind for kind, _ in sections]
    lost = {"tcb_info.json": (TCB_INFO, 1), "tcb_chain.pem": (TCB_CERTIFICATE, 2), "pck_crl.der": (CRL, 1),
            "root_crl.der": (CRL, 1)}.get(missing)
    assert len(whole) - len(sections) == (lost[1] if lost else 0)
    if lost:
        assert kinds.count(lost[0]) == [kind for kind, _ in whole].count(lost[0]) - lost[1]
    assert ("broch platform sgx update" in log and missing in log) == (missing != "qe_identity.json")


def test_an_empty_folder(evidence, tmp_path):
    *sections, log = evidence(tmp_path)
    assert sections == [(TECHNOLOGY, b"\2")] and log.count("missing") == 4
    assert evidence(tmp_path / "nowhere")[0] == (TECHNOLOGY, b"\2")


@pytest.mark.parametrize("name, content, said", [
    ("tcb_chain.pem", b"rubbish", "error format: the cached chain"),
    ("tcb_chain.pem", b"-----BEGIN CERTIFICATE-----\n", "error format: the cached chain"),
    ("tcb_chain.pem", b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "error format: the cached chain"),
    ("tcb_chain.pem", b"-----BEGIN CERTIFICATE-----END CERTIFICATE-----\n", "error format: the cached chain"),
    ("tcb_chain.pem", b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "error format: the cached chain"),
    ("tcb_chain.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" * 5,
     "error format: the cached chain"),
    ("tcb_chain.pem", b"\0", "error format: the cached chain"),
    ("pck_crl.url", b"x" * 1025, "error limit: the address of a revocation list is too long"),
    pytest.param("tcb_info.json", bytes((1 << 20) + 1), "error limit: ", id="giant"),
    ("root_crl.der", None, "error io: "),
])
def test_caches_that_are_none(update, evidence, name, content, said):
    assert update().returncode == 0
    path = update.cache / name
    path.unlink()
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    assert evidence(update.cache, code=1).startswith(said)
