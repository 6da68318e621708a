"""Mistakes that real verifiers made, where the vectors as they stand do not show that ours makes them not:
docs/evidence-failures.md is the list. Each test changes real evidence or endorsements by as little as the
mistake needs."""
import json
import subprocess

import pytest

from conftest import SHARED

VECTORS = SHARED / "vectors"


@pytest.fixture
def verify(build):
    """The verdict of `broch evidence verify`, and its exit code as "code"."""
    def run(*words):
        done = subprocess.run([build / "src/cli/broch", "evidence", "verify", *words, "--json"], capture_output=True,
                              text=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
        return {**json.loads(done.stdout), "code": done.returncode}
    return run


@pytest.fixture
def policy(tmp_path):
    """A policy's file with the text, which allows any workload."""
    def write(text):
        path = tmp_path / "policy.toml"
        path.write_text(f"any_workload = true\n{text}")
        return path
    return write


def result(verdict, name):
    return next(check["result"] for check in verdict["checks"] if check["name"] == name)


# What evidence is about

TDX = [VECTORS / "tdx/v4-phala/quote.bin", VECTORS / "tdx/v4-phala/collateral.json", "--at", "2025-07-01T00:00:00Z"]
SGX = [VECTORS / "sgx/processor-phala/quote.bin", VECTORS / "sgx/processor-phala/collateral.json",
       "--at", "2025-07-01T00:00:00Z"]
SNP = [VECTORS / "snp/genoa-v5/report.bin", VECTORS / "snp/genoa-v5/vcek_chain.pem", "--at", "2026-01-01T00:00:00Z"]
TOLERANT = """require_crls = false
[intel]
tcb_statuses = ["ConfigurationAndSWHardeningNeeded", "UpToDate"]
advisories = ["INTEL-SA-00289", "INTEL-SA-00615"]
"""
SNP_REPORT_DATA, SGX_REPORT_DATA, TDX_REPORT_DATA = 0x50, 0x170, 0x238


@pytest.mark.parametrize("words, at, check", [
    (SNP, SNP_REPORT_DATA, "snp.report-data"),
    (SGX, SGX_REPORT_DATA, "quote.report-data"),
    (TDX, TDX_REPORT_DATA, "quote.report-data"),
], ids=["snp", "sgx", "tdx"])
def test_report_data(words, at, check, verify, policy):
    """All 64 bytes must be as expected; without an expectation the check says that it does not apply."""
    words = [*words, "--policy", policy(TOLERANT)]
    data = words[0].read_bytes()[at:at + 64]
    assert verify(*words, "--report-data", data.hex())["refusal"] is None
    for i in (0, 31, 32, 63):
        other = bytearray(data)
        other[i] ^= 1
        verdict = verify(*words, "--report-data", other.hex())
        assert (verdict["code"], verdict["refusal"]) == (1, check)
    assert result(verify(*words), check) == "not applicable"


STEWARD_MILAN = """[snp]
versions = [2]
product_of_version_2 = "Milan"
[snp.tcb_min.milan]
snp = 6
"""


def der(tag, content):
    """An element whose length takes one byte or three."""
    size = bytes([len(content)]) if len(content) < 128 else b"\x82" + len(content).to_bytes(2, "big")
    return bytes([tag]) + size + content


def openssl(*words, data=None):
    return subprocess.run(["openssl", *words], input=data, capture_output=True, check=True).stdout


def with_another_key(request, key):
    """A certificate request with the key of a PEM file in the place of its own, before it is signed: all but the
    signature. And the signature algorithm."""
    point = bytes.fromhex("301006072a8648ce3d020106052b8104002203620004")
    at = request.index(point) + len(point)
    assert request[:2] == request[4:6] == b"\x30\x82" and at < 64  # the key of the request, not the VCEK's
    info = request[4:8 + int.from_bytes(request[6:8], "big")]
    public = openssl("pkey", "-in", key, "-pubout", "-outform", "DER")
    algorithm = bytes.fromhex("300a06082a8648ce3d040303")
    assert request[4 + len(info):].startswith(algorithm)
    return info[:at - 4] + public[-96:] + info[at - 4 + 96:], algorithm


def test_request_of_another_key(verify, policy, tmp_path):
    """Evidence in a certificate request is about the request's key, which must have signed it, and no
    configuration turns that off."""
    request = VECTORS / "snp/steward-milan-csr/evidence.csr"
    words = ["--at", "2023-01-01T00:00:00Z", "--policy", policy(STEWARD_MILAN)]
    assert result(verify(request, *words), "snp.report-data") == "pass"

    key, path = tmp_path / "key.pem", tmp_path / "evidence.csr"
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384", "-out", key)
    info, algorithm = with_another_key(request.read_bytes(), key)
    signature = openssl("dgst", "-sha384", "-sign", key, data=info)
    path.write_bytes(der(0x30, info + algorithm + der(0x03, b"\0" + signature)))
    verdict = verify(path, *words)
    assert (verdict["code"], verdict["refusal"]) == (1, "snp.report-data")

    path.write_bytes(der(0x30, info + algorithm + der(0x03, b"\0" + openssl("dgst", "-sha384", "-sign", key))))
    assert verify(path, *words)["code"] == 2


# What Intel signed

def parts(set_name):
    """The members of a set's collateral."""
    return json.loads((VECTORS / set_name / "collateral.json").read_text())


def with_tcb_info(change, tmp_path):
    """The SGX set with its TCB info changed, under the old signature; change(text) gives the new text."""
    collateral = parts("sgx/processor-phala")
    text = change(collateral["tcb_info"])
    assert text != collateral["tcb_info"]
    path = tmp_path / "collateral.json"
    path.write_text(json.dumps({**collateral, "tcb_info": text}))
    return [SGX[0], path, *SGX[2:]]


def swapped(text):
    """The levels in another order."""
    info = json.loads(text)
    info["tcbLevels"].reverse()
    return json.dumps(info, separators=(",", ":"))


@pytest.mark.parametrize("change", [
    lambda text: json.dumps(json.loads(text)),
    lambda text: text.replace(",", ", ", 1),
    lambda text: text + " ",
    swapped,
    lambda text: text.replace('"tcbEvaluationDataNumber":17', '"tcbEvaluationDataNumber":18'),
], ids=["written anew", "a space", "a space behind", "levels reversed", "a number"])
def test_json_is_judged_as_it_was_signed(change, verify, policy, tmp_path):
    words = [*with_tcb_info(change, tmp_path), "--policy", policy(TOLERANT)]
    verdict = verify(*words)
    assert verdict["code"] == 1 and verdict["refusal"] == "quote.tcb-info"


def components(text, count):
    """The first level with so many components, which nobody could reach."""
    info = json.loads(text)
    level = info["tcbLevels"][0]["tcb"]
    level["sgxtcbcomponents"] = [{"svn": 0}] * count
    return json.dumps(info)


@pytest.mark.parametrize("count", [0, 1, 15, 17])
def test_sixteen_components(count, verify, policy, tmp_path):
    """Fewer or more are no TCB info, so that none is compared in part."""
    words = [*with_tcb_info(lambda text: components(text, count), tmp_path), "--policy", policy(TOLERANT)]
    verdict = verify(*words)
    assert verdict["code"] == 1 and result(verdict, "quote.tcb-info") == "fail"
    assert verdict["tcbStatus"] == "" and result(verdict, "quote.tcb-status") == "not made"


# What is too much

@pytest.mark.parametrize("fill", [
    b"\x00", b"[", b'{"a":', b"-----BEGIN CERTIFICATE-----\n", b"\x30\x84\xff\xff\xff\xff",
], ids=["zeroes", "arrays", "objects", "PEM", "DER"])
def test_files_have_a_limit(fill, verify, tmp_path):
    """Of evidence and of endorsements: no more is read than either can be, and no depth is followed."""
    path = tmp_path / "large"
    path.write_bytes(fill * (1 + (2 << 20) // len(fill)))
    assert verify(path)["code"] == 2
    assert verify(*SNP, "--collateral", path)["code"] == 2
    path.write_bytes(fill * (100_000 // len(fill)))
    assert verify(path)["code"] == 2
    assert verify(*SNP, "--collateral", path)["refusal"] == "snp.crl"
