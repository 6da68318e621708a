"""Endorsements that a request lacks: from a folder, from the store, from a service as AMD's and Intel's."""
import http.server
import json
import re
import ssl
import subprocess
import threading

import pytest

from conftest import SHARED
from steward_host import PKCS10, Platforms, Steward

VECTORS = SHARED / "vectors"
AT = "2026-01-01T00:00:00Z"


class Service:
    """An HTTPS service that has some files under some paths, and notes what it was asked."""

    def __init__(self, folder):
        self.answers, self.asked = {}, []
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                service.asked.append(self.path)
                body, headers = service.answers.get(self.path, (None, {}))
                self.send_response(200 if body is not None else 404)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_):
                pass
        for words in (["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                       "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2", "-keyout",
                       folder / "service.key", "-out", folder / "service.pem"],):
            subprocess.run(["openssl", *words], check=True, capture_output=True)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "service.pem", folder / "service.key")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://localhost:{self.server.server_address[1]}"
        self.ca = folder / "service.pem"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def put(self, path, file, **headers):
        self.answers[path] = (file if isinstance(file, bytes) else (VECTORS / file).read_bytes(),
                              {name.replace("_", "-"): value for name, value in headers.items()})


@pytest.fixture
def service(tmp_path):
    made = Service(tmp_path)
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(scope="module")
def platforms(build, tmp_path_factory):
    return Platforms(build, tmp_path_factory.mktemp("platforms") / "sim")


@pytest.fixture
def steward(platforms, tmp_path, service):
    return Steward(platforms, tmp_path / "steward", change=lambda text: text.replace(
        "# amd = \"https://kdsintf.amd.com\"", f'amd = "{service.url}"\nca = "{service.ca}"').replace(
        "# intel = \"https://api.trustedservices.intel.com\"", f'intel = "{service.url}"').replace(
        "trust_domain", "any_workload = true\ntrust_domain", 1).replace(
        '["UpToDate"]', '["UpToDate", "SWHardeningNeeded", "ConfigurationAndSWHardeningNeeded"]\n'
        'advisories = ["INTEL-SA-00289", "INTEL-SA-00615", "INTEL-SA-00334"]').replace(
        re.search(r"\[snp\]\nmeasurements.*\n", text).group(), "[snp]\n").replace(
        re.search(r"mrenclaves.*\n", text).group(), ""))


def judge(steward, file, at=AT):
    done = steward.broch("policy", "test", VECTORS / file, "--at", at, "--json", check=False)
    return json.loads(done.stdout), done.stderr


def listed(steward):
    return json.loads(steward.broch("collateral", "list", "--json").stdout)["endorsements"]


def vcek_path(report):
    """As AMD's key distribution service has it, from the report's own bytes."""
    tcb = report[0x180:0x188]
    return (f"/vcek/v1/Genoa/{report[0x1a0:0x1e0].hex()}?blSPL={tcb[0]:02}&teeSPL={tcb[1]:02}"
            f"&snpSPL={tcb[6]:02}&ucodeSPL={tcb[7]:02}")


def crl_of_genoa():
    """A list of ARK-Genoa's that is current at AT."""
    for path in VECTORS.glob("snp/**/*crl*"):
        shown = subprocess.run(["openssl", "crl", "-inform", "DER", "-in", path, "-noout", "-issuer", "-lastupdate",
                                "-nextupdate"], capture_output=True, text=True, check=False).stdout
        if "ARK-Genoa" in shown and "2022" not in shown:
            return path.read_bytes()
    return None


def test_amd(steward, service):
    folder = VECTORS / "snp/genoa-v3"
    report = (folder / "report.bin").read_bytes()
    first = re.search(rb"-----BEGIN CERT.*?END CERTIFICATE-----\n", (folder / "vcek_chain.pem").read_bytes(), re.DOTALL)
    der = subprocess.run(["openssl", "x509", "-outform", "DER"], input=first.group(), capture_output=True,
                         check=True).stdout
    service.put(vcek_path(report), der)
    # the list is not there: the rest is, and the check says what is missing
    verdict, said = judge(steward, "snp/genoa-v3/report.bin")
    assert verdict["refusal"] == "snp.crl", verdict["refusal"]
    assert service.asked == [vcek_path(report), "/vcek/v1/Genoa/crl"] and "endorsements cannot be fetched" not in said
    (stored,) = listed(steward)
    assert (stored["kind"], stored["url"]) == ("certificate", service.url + vcek_path(report))
    assert stored["subject"] == "SEV-VCEK" and stored["expires"].startswith("20")
    # what is there is not asked for again
    judge(steward, "snp/genoa-v3/report.bin")
    assert service.asked.count(vcek_path(report)) == 1
    steward.broch("collateral", "refresh")
    assert service.asked.count(vcek_path(report)) == 2
    service.answers.clear()
    failed = steward.broch("collateral", "refresh", check=False)
    assert failed.returncode == 1 and "HTTP status 404" in failed.stderr
    assert len(listed(steward)) == 1


INTEL = "sgx/processor-phala/"
PHALA_AT = "2025-07-01T00:00:00Z"


def test_intel(steward, service):
    """TCB info, the quoting enclave's identity and lists, with the chains that come in headers."""
    from urllib.parse import quote
    collateral = json.loads((VECTORS / INTEL / "collateral.json").read_text())
    fmspc = json.loads(collateral["tcb_info"])["fmspc"]
    base = "/sgx/certification/v4/"
    document = lambda name, text, signature: json.dumps({name: "@", "signature": signature}).replace(
        '"@"', text).encode()
    service.put(f"{base}tcb?fmspc={fmspc.lower()}",
                document("tcbInfo", collateral["tcb_info"], collateral["tcb_info_signature"]),
                TCB_Info_Issuer_Chain=quote(collateral["tcb_info_issuer_chain"]))
    service.put(f"{base}qe/identity", document("enclaveIdentity", collateral["qe_identity"],
                                               collateral["qe_identity_signature"]),
                SGX_Enclave_Identity_Issuer_Chain=quote(collateral["qe_identity_issuer_chain"]))
    service.put(f"{base}pckcrl?ca=processor&encoding=der", bytes.fromhex(collateral["pck_crl"]),
                SGX_PCK_CRL_Issuer_Chain=quote(collateral["pck_crl_issuer_chain"]))
    service.put(f"{base}rootcacrl", bytes.fromhex(collateral["root_ca_crl"]))
    verdict, said = judge(steward, INTEL + "quote.bin", PHALA_AT)
    assert verdict["refusal"] is None, (verdict["refusal"], said, service.asked)
    assert sorted(service.asked) == sorted(service.answers)
    kinds = {(e["kind"], "#issuer" in e["url"]) for e in listed(steward)}
    assert {("tcb info", False), ("qe identity", False), ("crl", False), ("certificate", True)} <= kinds
    # and without the service, from the store alone
    service.answers.clear()
    assert judge(steward, INTEL + "quote.bin", PHALA_AT)[0]["refusal"] is None


def test_import_for_use_without_a_network(steward, service):
    files = [VECTORS / INTEL / "collateral.json"]
    assert judge(steward, INTEL + "quote.bin", PHALA_AT)[0]["refusal"] is not None
    steward.broch("collateral", "import", *files)
    steward.broch("collateral", "import", *files)  # the same again is the same
    assert len(listed(steward)) == 1 and listed(steward)[0]["url"] == ""
    assert judge(steward, INTEL + "quote.bin", PHALA_AT)[0]["refusal"] is None
    bad = steward.broch("collateral", "import", SHARED / "DESIGN.md", check=False)
    assert bad.returncode == 1 and "DESIGN.md" in bad.stderr
    assert "imported" in steward.broch("collateral", "list").stdout


def test_a_folder(steward):
    folder = steward.folder / "collateral"
    folder.mkdir()
    (folder / "phala.json").write_bytes((VECTORS / INTEL / "collateral.json").read_bytes())
    (folder / ".hidden").write_bytes(b"junk")
    steward.configure(lambda text: text.replace('# folder = "collateral"', 'folder = "collateral"'))
    assert judge(steward, INTEL + "quote.bin", PHALA_AT)[0]["refusal"] is None
    (folder / "junk").write_bytes(b"junk")  # is left out
    assert judge(steward, INTEL + "quote.bin", PHALA_AT)[0]["refusal"] is None


def test_a_running_server_asks_and_remembers(steward, service):
    steward.start()
    report = (VECTORS / "snp/genoa-v3/report.bin").read_bytes()
    ask = lambda: json.loads(steward.ask("POST", "/v1/verify", report)[2])
    try:
        assert ask()["refusal"] == "snp.vek"
        assert service.asked == [vcek_path(report), "/vcek/v1/Genoa/crl"]
        ask()  # a failure is remembered for a minute
        assert len(service.asked) == 2
        # an import reaches the server with its next request
        steward.broch("collateral", "import", VECTORS / "snp/genoa-v3/vcek_chain.pem")
        assert ask()["refusal"] == "snp.crl"
    finally:
        assert steward.stop() == 0


def test_a_service_with_another_certificate_is_not_believed(steward, service):
    steward.configure(lambda text: re.sub(r'\nca = ".*service.pem"', '\nca = "root.pem"', text))
    _, said = judge(steward, "snp/genoa-v3/report.bin")
    assert service.asked == []
