"""What broch shows of certificates and requests of keeps, which OpenSSL's own tool makes here from DER that
is written by hand."""
import hashlib
import json
import struct
import subprocess

import pytest

from conftest import SHARED

ARC = "2.25.1880230127500594781"
DIGEST = bytes(range(32))
SLUG = "registry.example:8443/alice/chat-server:0.1.0+x86"
NAME = "spiffe://example.org/keep/registry.example..8443/alice/chat-server/0.1.0_.x86"


def der(tag, *parts):
    content = b"".join(parts)
    count = len(content)
    return bytes([tag, *([count] if count < 128 else [0x81, count] if count < 256 else
                         [0x82, *count.to_bytes(2, "big")])]) + content


CLAIMS = der(0x30, b"\x02\x01\x01", der(0x80, SLUG.encode()), der(0x81, DIGEST))
IDENTITY = der(0x30, b"\x02\x01\x01", CLAIMS, b"\x0a\x01\x02", der(0x04, b"\xee" * 32), der(0x80, b"\xaa" * 32),
               der(0x81, b"\x07\x08"), der(0x82, b"UpToDate"), b"\x01\x01\x00")
EXTENSIONS = {"basicConstraints": "critical,CA:FALSE", "keyUsage": "critical,digitalSignature",
              "extendedKeyUsage": "serverAuth,clientAuth", "subjectAltName": f"URI:{NAME}",
              "subjectKeyIdentifier": "hash", "authorityKeyIdentifier": "keyid:always",
              "crlDistributionPoints": "URI:https://steward.example/v1/crl",
              f"{ARC}.3": "DER:" + IDENTITY.hex(":")}


@pytest.fixture
def openssl_req(tmp_path):
    """Makes a self-signed certificate, or a request, with extensions."""
    def make(extensions, *words):
        lines = ["[req]", "distinguished_name=dn", "prompt=no", "[dn]", "CN=keep", "[ext]"]
        config = tmp_path / "openssl.cnf"
        config.write_text("\n".join(lines + [f"{key}={value}" for key, value in extensions.items()]) + "\n")
        out = tmp_path / "out.pem"
        subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", tmp_path / "key.pem", "-config", config, "-out", out, *words],
                       check=True, capture_output=True)
        return out
    return make


@pytest.fixture
def broch(build):
    """The code and JSON of an evidence command."""
    def run(*words):
        done = subprocess.run([build / "src/cli/broch", "evidence", *words, "--json"], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=60, check=False)
        return done.returncode, json.loads(done.stdout)
    return run


def of_keep(shown, kind):
    return [item["facts"] for item in shown["items"] if item["kind"] == kind]


def test_certificate(openssl_req, broch):
    code, shown = broch("show", openssl_req(EXTENSIONS, "-x509", "-extensions", "ext"))
    assert code == 0 and len(of_keep(shown, "certificate")) == 1
    assert of_keep(shown, "keep certificate") == [{
        "name": NAME, "trust_domain": "example.org", "slug": SLUG, "digest": DIGEST.hex(), "technology": "sgx",
        "measurement": "ee" * 32, "signer": "aa" * 32, "tcb": "0708", "tcb_status": "UpToDate", "simulated": "false"}]


@pytest.mark.parametrize("key, value, message", [
    ("subjectAltName", "URI:spiffe://example.org/keep/platform", "the certificate's name and its identity do not agree"),
    ("subjectAltName", f"URI:{NAME},DNS:bank.example", "the certificate's name and its identity do not agree"),
    ("keyUsage", "critical,digitalSignature,keyCertSign", "the certificate's usage is not a keep's"),
    ("keyUsage", "digitalSignature", "the certificate's usage is not a keep's"),
    ("extendedKeyUsage", "serverAuth,clientAuth,1.2.3.4", "the certificate's usage is not a keep's"),
    ("nsComment", "something else", "the certificate's usage is not a keep's"),
    ("basicConstraints", "critical,CA:TRUE", "the certificate's usage is not a keep's"),
    (f"{ARC}.3", "DER:" + (IDENTITY + b"\0").hex(":"), "the certificate's identity is malformed"),
])
def test_certificate_that_breaks_the_profile(openssl_req, broch, key, value, message):
    code, shown = broch("show", openssl_req(EXTENSIONS | {key: value}, "-x509", "-extensions", "ext"))
    assert code == 0 and of_keep(shown, "keep certificate") == [{"invalid": message}]


def test_another_certificate_is_no_keeps(openssl_req, broch):
    path = openssl_req({"basicConstraints": "critical,CA:FALSE"}, "-x509", "-extensions", "ext")
    code, shown = broch("show", path)
    assert code == 0 and [item["kind"] for item in shown["items"]] == ["certificate"]


def evidence():
    """Enarx's SNP extension about a real report."""
    folder = SHARED / "vectors/snp/milan-v2"
    no_lists = der(0x30, der(0x30))
    return der(0x30, der(0x30, (folder / "vcek.der").read_bytes(), no_lists),
               der(0x04, (folder / "report.bin").read_bytes()))


def test_request_binds_key_claims_and_nonce(openssl_req, broch, tmp_path):
    nonce = b"nonce of a Steward"
    path = openssl_req({f"{ARC}.1": "DER:" + CLAIMS.hex(":"), f"{ARC}.2": "DER:" + der(0x04, nonce).hex(":"),
                        "1.3.6.1.4.1.58270.1.3": "DER:" + evidence().hex(":")}, "-reqexts", "ext")
    code, shown = broch("show", path)
    assert code == 0 and of_keep(shown, "keep request") == [
        {"slug": SLUG, "digest": DIGEST.hex(), "nonce": nonce.hex(), "platform": "false"}]
    spki = subprocess.run(["openssl", "pkey", "-in", tmp_path / "key.pem", "-pubout", "-outform", "DER"],
                          check=True, capture_output=True).stdout
    bound = b"broch keep claims v1\0" + b"".join(struct.pack(">I", len(part)) + part for part in (spki, CLAIMS, nonce))
    code, verdict = broch("verify", path)
    check = {c["name"]: c for c in verdict["checks"]}["snp.report-data"]
    assert code == 1 and check["result"] == "fail"  # the report is real, and about something else
    assert check["expected"] == hashlib.sha512(bound).hexdigest()


def test_enarxs_request_binds_its_key_alone(openssl_req, broch, tmp_path):
    path = openssl_req({"1.3.6.1.4.1.58270.1.3": "DER:" + evidence().hex(":")}, "-reqexts", "ext")
    spki = subprocess.run(["openssl", "pkey", "-in", tmp_path / "key.pem", "-pubout", "-outform", "DER"],
                          check=True, capture_output=True).stdout
    _, verdict = broch("verify", path)
    check = {c["name"]: c for c in verdict["checks"]}["snp.report-data"]
    assert check["expected"] == hashlib.sha384(spki).hexdigest() + "00" * 16
