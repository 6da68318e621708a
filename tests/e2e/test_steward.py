"""broch-steward, from outside: certificates for genuine keeps, clear refusals for everything else."""
import base64
import hashlib
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import tempfile
import time

import pytest

from conftest import ROOT, SHARED
from steward_host import MEASUREMENT, MRENCLAVE, PKCS10, Platforms, Steward, digest, serial_of, split, wait_for

SLUG = "registry.example/alice/chat-server:0.1.0"
DIGEST = digest("a package")


@pytest.fixture(scope="module")
def platforms(build, tmp_path_factory):
    return Platforms(build, tmp_path_factory.mktemp("platforms") / "sim")


@pytest.fixture
def make(platforms, tmp_path):
    """make(change=…): a Steward that is stopped in the end."""
    made = []

    def new(change=lambda text: text, start=True, simulation=True, folder=tmp_path, **options):
        steward = Steward(platforms, folder / f"steward{len(made)}", *(["--simulation"] if simulation else []),
                          change=change)
        made.append(steward)
        return steward.start(**options) if start else steward
    yield new
    for steward in made:
        if steward.process is not None:
            steward.kill()


@pytest.fixture
def steward(make):
    return make()


@pytest.fixture
def key(platforms, tmp_path):
    return platforms.key(tmp_path / "key.pem")


def run(*words, **options):
    return subprocess.run([str(w) for w in words], capture_output=True, timeout=60, check=False, **options)


# ---- certificates ----

@pytest.mark.parametrize("technology", ["snp", "sgx"])
def test_a_genuine_keep_gets_a_certificate_that_everybody_reads(steward, key, platforms, tmp_path, technology):
    status, headers, chain = steward.attest(key, "digest=" + DIGEST, technology=technology)
    assert status == 200 and headers["Content-Type"] == "application/pem-certificate-chain"
    assert headers["Cache-Control"] == "no-store"
    path, root = tmp_path / "chain.pem", steward.folder / "simulation-root.pem"
    path.write_bytes(chain)
    assert len(split(chain)) == 3
    assert run("openssl", "verify", "-x509_strict", "-CAfile", root, "-untrusted", path, path).returncode == 0
    assert b"Verified. The certificate is trusted" in run(
        "certtool", "--verify", "--verify-profile", "medium", "--load-ca-certificate", root, input=chain).stdout
    # nobody who trusts the real root is led to believe a simulation
    assert run("openssl", "verify", "-CAfile", steward.folder / "root.pem", "-untrusted", path, path).returncode != 0
    text = run("openssl", "x509", "-in", path, "-noout", "-text").stdout.decode()
    assert f"URI:spiffe://example.org/simulated/keep/local/sha-256/{DIGEST}" in text
    assert f"URI:{steward_url(steward)}/v1/simulation/crl" in text
    shown = platforms.broch("evidence", "show", path).stdout
    for fact in (f"digest                {DIGEST}", f"technology            {technology}",
                 "measurement           " + (MEASUREMENT if technology == "snp" else MRENCLAVE),
                 "simulated             true"):
        assert fact in shown
    # the key is the keep's own
    public = run("openssl", "x509", "-in", path, "-noout", "-pubkey").stdout
    assert public == run("openssl", "pkey", "-in", key, "-pubout").stdout


def steward_url(steward):
    return re.search(r'^url = "(.*?)"', steward.config.read_text(), re.MULTILINE).group(1)


def test_a_chain_is_given_as_a_path_too(steward, key):
    status, headers, body = steward.attest(key, "digest=" + DIGEST, headers={"Accept": "application/pkix-pkipath"})
    assert status == 200 and headers["Content-Type"] == "application/pkix-pkipath"
    certificates = take_certificates(body)
    assert len(certificates) == 2  # the CA's, then the leaf
    assert b"Steward CA of example.org, SIMULATED" in run("openssl", "x509", "-inform", "DER", "-noout", "-subject",
                                                          input=certificates[0]).stdout
    assert steward.refusal(key, "digest=" + DIGEST, headers={"Accept": "text/html"}) == (406, "not-acceptable")
    assert steward.attest(key, "digest=" + DIGEST, headers={"Accept": "text/*;q=0.1, */*"})[0] == 200


def take(der):
    """The first element of DER: its content, and what follows it."""
    size, at = der[1], 2
    if size & 0x80:
        size, at = int.from_bytes(der[2:2 + (size & 0x7f)], "big"), 2 + (size & 0x7f)
    return der[at:at + size], der[at + size:]


def take_certificates(der):
    content, rest = take(der)
    assert rest == b""
    out = []
    while content:
        _, after = take(content)
        out.append(content[:len(content) - len(after)])
        content = after
    return out


def test_the_time_that_is_signed_is_now(steward, key):
    before = int(time.time())
    _, _, chain = steward.attest(key, "digest=" + DIGEST)
    dates = run("openssl", "x509", "-noout", "-startdate", "-enddate", input=chain).stdout.decode()
    start, end = (int(run("date", "-d", line.partition("=")[2], "+%s").stdout) for line in dates.splitlines())
    assert before - 1 <= start + 300 <= time.time() + 1
    assert end - start == 24 * 3600 + 300


def test_a_platform_without_workload_is_named_so(steward, key, tmp_path):
    status, _, chain = steward.attest(key)
    assert status == 200
    assert b"URI:spiffe://example.org/simulated/keep/platform" in run("openssl", "x509", "-noout", "-text",
                                                                      input=chain).stdout


# ---- evidence ----

@pytest.mark.parametrize(("technology", "bit", "check"), [
    ("snp", 8 * 0x90 + 1, "snp.measurement"),  # the launch digest
    ("snp", 8 * 0x50 + 3, "snp.report-data"),  # what it is bound to
    ("snp", 8 * 0x0a + 4, "snp.debug"),        # the guest's policy: debuggable
    ("snp", 8 * 0x2a0 + 1, "snp.signature"),
    ("sgx", 8 * (48 + 64) + 1, "sgx.measurement"),
    ("sgx", 8 * (48 + 320) + 1, "quote.report-data"),
    ("sgx", 8 * (48 + 384 + 4) + 1, "quote.signature"),
])
def test_one_changed_bit_refuses_and_names_the_check(steward, key, technology, bit, check):
    status, _, body = steward.attest(key, "digest=" + DIGEST, f"flip={bit}", technology=technology)
    error = json.loads(body)["error"]
    assert (status, error["code"]) == (403, "evidence-refused")
    failed = {c["name"] for c in error["checks"]}
    assert check in failed, error
    assert all(set(c) == {"name", "result", "expected", "found"} and c["result"] in ("fail", "not made")
               for c in error["checks"])
    line = [x for x in steward.audit() + steward.audit("audit.log") if x["event"] == "refused"][-1]
    assert line["code"] == "evidence-refused" and line["check"] in failed


def test_another_image_is_refused(steward, key):
    status, _, body = steward.attest(key, "digest=" + DIGEST, measurement="5b" * 48)
    assert status == 403 and "snp.measurement" in body.decode()


def test_simulated_platforms_are_refused_when_nobody_believes_them(make, key):
    steward = make(simulation=False)
    status, _, body = steward.attest(key, "digest=" + DIGEST)
    assert status == 403 and "snp.root" in body.decode()
    for path in ("ca.pem", "bundle", "crl"):
        assert steward.ask("GET", "/v1/simulation/" + path)[0] == 404


def test_a_request_by_another_key_is_refused(steward, key, platforms, tmp_path):
    nonce = steward.nonce(key)
    csr = platforms.request(platforms.key(tmp_path / "other.pem"), "nonce=" + nonce, "digest=" + DIGEST)
    assert json.loads(steward.ask("POST", "/v1/attest", csr, PKCS10)[2])["error"]["code"] == "nonce-foreign"


# ---- nonces ----

def test_a_nonce_is_spent_once(steward, key, platforms):
    nonce = steward.nonce(key)
    csr = platforms.request(key, "nonce=" + nonce, "digest=" + DIGEST)
    assert steward.ask("POST", "/v1/attest", csr, PKCS10)[0] == 200
    status, _, body = steward.ask("POST", "/v1/attest", csr, PKCS10)
    assert (status, json.loads(body)["error"]["code"]) == (403, "nonce-used")
    # with other claims, too
    csr = platforms.request(key, "nonce=" + nonce)
    assert json.loads(steward.ask("POST", "/v1/attest", csr, PKCS10)[2])["error"]["code"] == "nonce-used"


def test_nonces_of_others_are_refused(steward, make, key, platforms):
    for nonce, code in (("00" * 72, "nonce-foreign"), ("00" * 20, "nonce-malformed"),
                        (make().nonce(key), "nonce-foreign")):
        csr = platforms.request(key, "nonce=" + nonce, "digest=" + DIGEST)
        assert json.loads(steward.ask("POST", "/v1/attest", csr, PKCS10)[2])["error"]["code"] == code


def test_stewards_that_share_a_key_know_each_others_nonces(make, key, platforms, tmp_path):
    first = make()
    second = make(start=False)
    for name in ("nonce-key", "simulation-ca.pem", "simulation-ca-key.pem"):
        shutil.copy(first.folder / name, second.folder / name)
    second.start()
    csr = platforms.request(key, "nonce=" + first.nonce(key), "digest=" + DIGEST)
    status, _, chain = second.ask("POST", "/v1/attest", csr, PKCS10)
    assert status == 200
    path = tmp_path / "chain.pem"
    path.write_bytes(chain)
    assert run("openssl", "verify", "-CAfile", first.folder / "simulation-root.pem", "-untrusted", path,
               path).returncode == 0


def test_a_rotated_key_still_counts_behind_the_new_one(make, key, platforms):
    steward = make()
    csr = platforms.request(key, "nonce=" + steward.nonce(key), "digest=" + DIGEST)
    (steward.folder / "new-key").write_text("77" * 32 + "\n")
    steward.configure(lambda text: text.replace('keys = ["nonce-key"]', 'keys = ["new-key", "nonce-key"]'))
    steward.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "was read again" in steward.log())
    assert steward.ask("POST", "/v1/attest", csr, PKCS10)[0] == 200
    assert steward.attest(key, "digest=" + DIGEST)[0] == 200
    steward.configure(lambda text: text.replace('"new-key", "nonce-key"', '"new-key"'))
    csr = platforms.request(key, "nonce=" + steward.nonce(key), "digest=" + DIGEST)
    steward.process.send_signal(signal.SIGHUP)
    wait_for(lambda: steward.log().count("was read again") == 2)
    assert steward.ask("POST", "/v1/attest", csr, PKCS10)[0] == 200  # it was made by the new one


@pytest.mark.parametrize("query", ["", "?spki=", "?spki=12", "?spki=" + "zz" * 32, "?spki=" + "11" * 33,
                                   f"?spki={'11' * 32}&spki={'11' * 32}", "?spki=%00"])
def test_a_nonce_is_for_a_key(steward, query):
    status, _, body = steward.ask("GET", "/v1/nonce" + query)
    assert (status, json.loads(body)["error"]["code"]) == (400, "nonce-parameter")


# ---- workloads ----

def test_a_slug_that_nobody_proved_is_refused(steward, key):
    assert steward.refusal(key, "digest=" + DIGEST, "slug=" + SLUG) == (403, "slug-unverified")


def test_or_left_out_when_the_policy_says_so(make, key, platforms, tmp_path):
    steward = make(change=lambda text: text.replace("any = true", 'any = true\nunverified_slugs = "as-local"'))
    status, _, chain = steward.attest(key, "digest=" + DIGEST, "slug=" + SLUG)
    assert status == 200
    path = tmp_path / "leaf.pem"
    path.write_bytes(chain)
    shown = platforms.broch("evidence", "show", path).stdout
    assert f"local/sha-256/{DIGEST}" in shown and SLUG not in shown


RULES = """
[[workloads.allow]]
workload = "registry.example/alice/chat-server"
tags = ["0.1.0"]
digests = ["sha-256:%s"]

[[workloads.allow]]
digests = ["sha-256:%s"]
technology = ["sgx"]
""" % (DIGEST, digest("another"))


def test_rules_say_which_workloads(make, key):
    rules = lambda text: text.replace("any = true", "").replace("# Which images of keeps",
                                                                RULES + "# Which images of keeps")
    steward = make(change=rules)
    good, other = "digest=" + DIGEST, "digest=" + digest("another")
    # admitted by its rule, and then its slug is not proved
    assert steward.refusal(key, good, "slug=" + SLUG) == (403, "slug-unverified")
    assert steward.attest(key, other, technology="sgx")[0] == 200
    assert steward.attest(key)[0] == 200  # a platform
    for words, technology in (((good,), "snp"), ((good, "slug=" + SLUG.replace("0.1.0", "0.1.1")), "snp"),
                              ((good, "slug=" + SLUG.replace("alice", "bob")), "snp"),
                              ((other, "slug=" + SLUG), "snp"), ((other,), "snp")):
        assert steward.refusal(key, *words, technology=technology) == (403, "workload-refused"), words
    # a name that is left out, since nobody proved it, fits no rule about names
    local = make(change=lambda text: rules(text.replace("any = true", 'unverified_slugs = "as-local"')))
    assert local.refusal(key, good, "slug=" + SLUG) == (403, "workload-refused")
    assert local.attest(key, other, "slug=" + SLUG, technology="sgx")[0] == 200


def test_platforms_can_be_refused(make, key):
    steward = make(change=lambda text: text.replace("any = true", "any = true\nplatform = false\nenarx = false"))
    assert steward.refusal(key) == (403, "workload-refused")
    assert steward.attest(key, "digest=" + DIGEST)[0] == 200


# ---- Enarx ----

@pytest.mark.parametrize("technology", ["snp", "sgx"])
def test_enarx_keeps_are_certified_as_such(steward, platforms, tmp_path, technology):
    key = platforms.key(tmp_path / "enarx.pem", *(["p384"] if technology == "snp" else []))
    csr = platforms.request(key, technology=technology)
    status, headers, body = steward.ask("POST", "/", csr, PKCS10)
    assert status == 200 and headers["Content-Type"] == "application/octet-stream"
    issuer, leaf = take_certificates(body)
    path = tmp_path / "leaf.der"
    path.write_bytes(leaf)
    (tmp_path / "issuer.pem").write_bytes(run("openssl", "x509", "-inform", "DER", input=issuer).stdout)
    assert b"URI:spiffe://example.org/simulated/keep/enarx" in run("openssl", "x509", "-inform", "DER", "-noout",
                                                                   "-text", input=leaf).stdout
    assert run("openssl", "verify", "-CAfile", steward.folder / "simulation-root.pem", "-untrusted",
               tmp_path / "issuer.pem", path).returncode == 0
    # the binding to the key is always checked
    other = platforms.key(tmp_path / "other.pem", *(["p384"] if technology == "snp" else []))
    flipped = platforms.request(other, f"flip={8 * (0x50 if technology == 'snp' else 48 + 320) + 1}",
                                technology=technology)
    status, _, body = steward.ask("POST", "/", flipped, PKCS10)
    assert status == 400 and "report-data" in body.decode()


def test_enarx_bundles(steward, platforms, tmp_path):
    media = {"Content-Type": "application/vnd.steward.pkcs10-bundle.v1"}
    requests = [platforms.request(platforms.key(tmp_path / f"k{i}.pem"), technology="sgx") for i in range(3)]
    status, _, body = steward.ask("POST", "/", sequence(b"".join(requests)), media)
    assert status == 200
    content, rest = take(body)
    chain, issued = content[:len(content) - len(take(content)[1])], take(content)[1]
    assert rest == b"" and len(take_certificates(chain)) == 1 and len(take_certificates(issued)) == 3
    assert steward.ask("POST", "/", sequence(b""), media)[0] == 200
    assert steward.ask("POST", "/", sequence(requests[0] + b"\x30\x00"), media)[0] == 400
    assert steward.ask("POST", "/", sequence(b"".join(requests * 6)), media)[0] == 400
    assert steward.ask("POST", "/", b"\x30\x05", media)[0] == 400


def sequence(content):
    size = len(content)
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    head = bytes([size]) if size < 128 else bytes([0x80 | len(length)]) + length
    return b"\x30" + head + content


def test_enarx_status_codes(steward, platforms, key):
    assert steward.ask("GET", "/")[::2] == (200, b"")
    for headers, body, expected in (({}, b"x", 400), ({"Content-Type": "application/pkcs10; x=1"}, b"x", 400),
                                    (PKCS10, b"x", 400), (PKCS10, b"x" * (512 * 1024 + 1), 413)):
        assert steward.ask("POST", "/", body, headers)[0] == expected
    assert steward.ask("PUT", "/", b"")[0] == 405
    bare = run("openssl", "req", "-new", "-key", key, "-subj", "/CN=x", "-outform", "DER", "-addext",
               "subjectAltName=DNS:x").stdout
    status, _, body = steward.ask("POST", "/", bare, PKCS10)
    assert (status, json.loads(body)["error"]["code"]) == (401, "evidence-missing")
    # a keep of Broch's is not taken here, and an Enarx keep not there
    csr = platforms.request(key, "nonce=" + steward.nonce(key), "digest=" + DIGEST)
    assert json.loads(steward.ask("POST", "/", csr, PKCS10)[2])["error"]["code"] == "claims-unexpected"
    csr = platforms.request(key, technology="sgx")
    assert json.loads(steward.ask("POST", "/v1/attest", csr, PKCS10)[2])["error"]["code"] == "claims-missing"


MILAN = """
[snp]
hash = ["%s"]
versions = [2]
product_of_version_2 = "Milan"
[snp.tcb_min.milan]
snp = 6
"""


def test_real_requests_of_enarx_get_the_verdict_that_is_due_at_their_time(make, platforms):
    request = SHARED / "vectors/snp/steward-milan-csr/evidence.csr"
    measured = (SHARED / "vectors/snp/steward-milan-csr/report.bin").read_bytes()[0x90:0xc0].hex()
    steward = make(simulation=False,
                   change=lambda text: re.sub(r"\[snp\]\nmeasurements.*?\n", MILAN % measured, text))
    judge = lambda at, *words: steward.broch("policy", "test", request, "--at", at, "--json", *words, check=False)
    assert judge("2023-01-01T00:00:00Z", "--enarx").returncode == 0
    after = judge("2023-06-01T00:00:00Z", "--enarx")
    assert after.returncode == 1 and "snp.crl" in after.stdout
    assert "claims-missing" in judge("2023-01-01T00:00:00Z").stdout
    # today its lists have ended
    status, _, body = steward.ask("POST", "/", request.read_bytes(), PKCS10)
    assert status == 400 and "snp.crl" in body.decode()
    # the SGX one lacks the quoting enclave's identity
    status, _, body = steward.ask("POST", "/", (SHARED / "vectors/sgx/steward-icelake-xeon-csr/evidence.csr")
                                  .read_bytes(), PKCS10)
    assert status == 400 and "quote.qe-identity" in body.decode()


# ---- what anybody may know ----

def test_published(steward, tmp_path):
    status, headers, body = steward.ask("GET", "/v1/ca.pem")
    assert status == 200 and body == (steward.folder / "ca.pem").read_bytes()
    assert steward.ask("GET", "/v1/simulation/ca.pem")[2] == (steward.folder / "simulation-ca.pem").read_bytes()
    assert steward.ask("GET", "/healthz")[::2] == (200, b'{"status":"ok"}\n')
    curl = run("curl", "-sS", "--cacert", steward.folder / "root.pem", steward.url + "/healthz")
    assert curl.stdout == b'{"status":"ok"}\n', curl.stderr
    assert run("curl", "-sS", steward.url + "/healthz").returncode == 60  # its root is not the system's
    status, headers, _ = steward.ask("HEAD", "/v1/ca.pem")
    assert status == 200 and int(headers["Content-Length"]) == len(body)


@pytest.mark.parametrize("prefix", ["", "simulation-"])
def test_the_trust_bundle_has_the_root_and_nothing_else(steward, prefix):
    bundle = json.loads(steward.ask("GET", "/v1/simulation/bundle" if prefix else "/v1/bundle")[2])
    (jwk,) = bundle["keys"]
    root = run("openssl", "x509", "-in", steward.folder / f"{prefix}root.pem", "-outform", "DER").stdout
    assert base64.b64decode(jwk["x5c"][0]) == root
    spki = run("openssl", "x509", "-in", steward.folder / f"{prefix}root.pem", "-noout", "-pubkey").stdout
    point = run("openssl", "pkey", "-pubin", "-outform", "DER", input=spki).stdout[-96:]
    decode = lambda text: base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    assert decode(jwk["x"]) + decode(jwk["y"]) == point
    assert (jwk["kty"], jwk["crv"], jwk["use"]) == ("EC", "P-384", "x509-svid")


def test_metrics(steward, key):
    steward.attest(key, "digest=" + DIGEST)
    steward.attest(key, "digest=" + DIGEST, measurement="5b" * 48)
    text = steward.ask("GET", "/metrics")[2].decode()
    assert 'steward_decisions_total{code="issued"} 1\n' in text
    assert 'steward_decisions_total{code="evidence-refused"} 1\n' in text
    assert 'broch_http_requests_total{route="/v1/attest",method="POST",status="403"} 1\n' in text
    for line in text.splitlines():
        assert line.startswith("# ") or re.fullmatch(r'\w+(\{[^}]*\})? [\d.]+', line), line


def test_verdicts_without_certificates(steward, key, platforms):
    csr = platforms.request(key, "nonce=" + "11" * 72, "digest=" + DIGEST)
    status, _, body = steward.ask("POST", "/v1/verify", csr)
    verdict = json.loads(body)
    assert status == 200 and verdict["genuine"] and verdict["simulated"] and verdict["refusal"] is None
    assert len(verdict["checks"]) > 20
    status, _, body = steward.ask("POST", "/v1/verify", b"nothing of the kind")
    assert (status, json.loads(body)["error"]["code"]) == (400, "evidence-malformed")
    assert all(line["event"] == "policy" for line in steward.audit())


# ---- the audit log ----

def test_every_decision_is_a_line(steward, key):
    serial = serial_of(steward.attest(key, "digest=" + DIGEST)[2])
    steward.attest(key, "digest=" + DIGEST, measurement="5b" * 48)
    steward.attest(key, "digest=" + DIGEST, "slug=" + SLUG)
    steward.ask("POST", "/v1/attest", b"no request", PKCS10)
    _, issued, refused, unproved = steward.audit()
    assert (issued["event"], issued["serial"]) == ("issued", serial)
    assert issued["measurement"] == MEASUREMENT and issued["digest"] == DIGEST and issued["client"] == "127.0.0.1"
    assert (refused["code"], refused["check"]) == ("evidence-refused", "snp.measurement")
    assert (unproved["code"], unproved["slug"]) == ("slug-unverified", SLUG)
    assert steward.audit("audit.log")[-1]["code"] == "request-malformed"


def test_a_changed_log_is_found(steward, key, platforms, tmp_path):
    for _ in range(3):
        steward.attest(key, "digest=" + DIGEST)
    steward.stop()
    log, copy = steward.folder / "simulation-audit.log", tmp_path / "copy.log"
    verify = lambda path, *words: platforms.broch("steward", "audit", "verify", path, *words, check=False)
    good = verify(log, "--json")
    head = json.loads(good.stdout)
    assert (good.returncode, head["lines"], head["issued"], head["cut"]) == (0, 4, 3, False)
    lines = log.read_bytes().splitlines(keepends=True)
    assert hashlib.sha256(lines[-1].rstrip(b"\n")).hexdigest() == head["head"]

    def check(lines, words, *options):
        copy.write_bytes(b"".join(lines))
        done = verify(copy, *options)
        assert done.returncode == 1 and words in done.stderr, done.stderr
    check([lines[0], lines[1].replace(b"127.0.0.1", b"127.0.0.2"), *lines[2:]], "line 3: the line before this one")
    check([lines[0], *lines[2:]], "line 2: lines are missing")
    check(lines[1:], "line 1: the audit log does not begin")
    check([*lines[:2], b"{}\n", *lines[2:]], "line 3: a line of the audit log is malformed")
    check([lines[1], lines[0]], "line 1")
    check(lines[:-1], "no line has the hash of --head", "--head", head["head"])
    assert verify(log, "--head", head["head"]).returncode == 0
    copy.write_bytes(b"".join(lines)[:-5])
    assert json.loads(verify(copy, "--json").stdout)["cut"] is True
    # a Steward mends what a crash cut, and goes on; it does not start over a forgery
    shutil.copy(copy, log)
    steward.start()
    assert steward.attest(key, "digest=" + DIGEST)[0] == 200
    steward.stop()
    assert verify(log).returncode == 0
    assert [line["event"] for line in steward.audit()] == ["policy", "issued", "issued", "recovered", "policy", "issued"]
    log.write_bytes(log.read_bytes() + b"{}\n")
    failed = run(platforms.build / "src/cli/broch-steward", "--config", steward.config)
    assert failed.returncode == 1 and b"audit log" in failed.stderr


def test_two_processes_do_not_write_one_log(steward, platforms):
    second = run(platforms.build / "src/cli/broch-steward", "--config", steward.config)
    assert second.returncode == 1 and b"another process writes the audit log" in second.stderr


# ---- crashes ----

def test_a_crash_loses_no_line_of_an_answered_request(steward, platforms, tmp_path):
    """kill -9 at twenty random moments during a thousand issues."""
    load = platforms.build / "tests/e2e/steward/attest_load"
    moments = [0.05 + (i * 7919 % 97) / 97 * 0.4 for i in range(20)]
    answered = []
    for moment in moments:
        with open(tmp_path / "answers", "w+") as answers:
            keeps = subprocess.Popen([load, steward.url, steward.folder / "root.pem", platforms.folder, "1000", "8"],
                                     stdout=answers)
            wait_for(lambda: os.fstat(answers.fileno()).st_size > 0, 20)
            time.sleep(moment)
            steward.kill()
            keeps.kill()
            keeps.wait(10)
            answers.seek(0)
            lines = answers.read().splitlines()
        answered += [line.split()[1] for line in lines if re.fullmatch(r"issued [0-9a-f]{32}", line)]
        steward.start()
    steward.stop()
    assert len(answered) > 200, len(answered)
    done = platforms.broch("steward", "audit", "verify", steward.folder / "simulation-audit.log")
    assert "none changed" in done.stdout
    serials = [line["serial"] for line in steward.audit() if line["event"] == "issued"]
    assert len(serials) == len(set(serials)) and set(answered) <= set(serials)
    # what the log has, the store has
    with sqlite3.connect(steward.folder / "state/steward.db") as db:
        stored = {row[0].hex() for row in db.execute("SELECT serial FROM certificates")}
    assert stored == set(serials)


@pytest.mark.parametrize("which", [1, 2, 3])
def test_when_a_process_dies_nothing_is_left(steward, which):
    pids = steward.pids()
    os.kill(pids[which], signal.SIGKILL)
    assert steward.process.wait(20) == 1
    steward.process = None
    wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids))
    assert "was killed" in steward.log()


# ---- its operator ----

def test_init(platforms, tmp_path):
    folder = tmp_path / "made"
    done = platforms.broch("steward", "init", folder, "--trust-domain", "example.org", "--host", "10.0.0.1:999")
    assert f"broch-steward --config {folder}/steward.toml" in done.stdout
    for path in folder.iterdir():
        assert (stat.S_IMODE(path.stat().st_mode) == 0o600) == ("key" in path.name), path
    for name, curve in (("root", "secp384r1"), ("ca", "prime256v1")):
        text = run("openssl", "x509", "-in", folder / f"{name}.pem", "-noout", "-text").stdout.decode()
        assert curve in text and "CA:TRUE" in text and "SIMULATED" not in text
    assert b"IP Address:10.0.0.1" in run("openssl", "x509", "-in", folder / "server.pem", "-noout", "-text").stdout
    assert run("openssl", "verify", "-x509_strict", "-CAfile", folder / "root.pem", folder / "ca.pem",
               folder / "server.pem").returncode == 0
    again = platforms.broch("steward", "init", folder, "--trust-domain", "example.org", check=False)
    assert again.returncode == 1 and "already" in again.stderr
    for words, said in ((["--trust-domain", "Ex ample"], "lower-case letters"), ([], "--trust-domain: is missing"),
                        (["--trust-domain", "x", "--host", "a b"], "no name of a host"),
                        (["--trust-domain", "x", "--host", "a:99999"], "port")):
        bad = platforms.broch("steward", "init", tmp_path / "bad", *words, check=False)
        assert bad.returncode != 0 and said in bad.stderr, bad.stderr
    assert not (tmp_path / "bad").exists()


def test_init_with_images_and_registries(platforms, tmp_path):
    """What the command line names stands in the configuration, with whole paths, and is in force."""
    (tmp_path / "a b").mkdir()
    done = platforms.broch("image", "measure", "--json", "--reference", "a b/keep.toml", cwd=tmp_path)
    platforms.broch("steward", "init", "first", "--trust-domain", "example.org", cwd=tmp_path)
    words = ["steward", "init", "made", "--trust-domain", "example.org"]
    made = platforms.broch(*words, "--reference", "a b/keep.toml", "--registry", "localhost:8444=first/root.pem",
                           "--registry=registry.example=web-pki", cwd=tmp_path)
    assert "accepts no image" not in made.stdout
    shown = platforms.broch("steward", "policy", "explain", "--config", tmp_path / "made/steward.toml").stdout
    for measured in json.loads(done.stdout)["measurements"]:
        assert measured["measurement"] in shown
    assert f"localhost:8444, whose certificate ends in {tmp_path}/first/root.pem" in shown
    assert "registry.example" in shown
    for more, code, said in ((["--reference", "none"], 1, "none: No such file"), (["--registry", "x"], 2, "takes HOST=CA"),
                             (["--registry", "=x"], 2, "takes HOST=CA"), (["--registry", "x="], 2, "takes HOST=CA"),
                             (["--registry", "x=none"], 1, "none: No such file"),
                             (["--registry", "x=web-pki"] * 65, 2, "too often")):
        bad = platforms.broch(*words[:2], "bad", *words[3:], *more, check=False, cwd=tmp_path)
        assert bad.returncode == code and said in bad.stderr, bad
    assert not (tmp_path / "bad").exists()


def test_simulation_has_a_ca_of_its_own(steward):
    for name in ("simulation-root", "simulation-ca"):
        assert b"SIMULATED, NOT A TEE" in run("openssl", "x509", "-in", steward.folder / f"{name}.pem", "-noout",
                                              "-subject").stdout
    assert run("openssl", "verify", "-CAfile", steward.folder / "root.pem",
               steward.folder / "simulation-ca.pem").returncode != 0


def test_a_changed_policy_is_read_again_and_a_broken_one_is_not(steward, key):
    assert steward.attest(key, "digest=" + DIGEST)[0] == 200
    steward.configure(lambda text: text.replace(MEASUREMENT, "77" * 48))
    steward.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "was read again" in steward.log())
    assert steward.refusal(key, "digest=" + DIGEST) == (403, "evidence-refused")
    steward.configure(lambda text: text.replace("77" * 48, MEASUREMENT).replace("[snp]", "[snp]\nmesurements = []"))
    steward.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "stays as it was" in steward.log())
    assert "unknown key 'mesurements'; did you mean 'measurements'?" in steward.log()
    assert steward.refusal(key, "digest=" + DIGEST) == (403, "evidence-refused")
    assert len({line["detail"] for line in steward.audit() if line["event"] == "policy"}) == 2


@pytest.mark.parametrize("everybody", [False, True])
def test_sigterm_answers_what_was_asked(steward, platforms, everybody):
    load = subprocess.Popen([platforms.build / "tests/e2e/steward/attest_load", steward.url,
                             steward.folder / "root.pem", platforms.folder, "400", "8"], stdout=subprocess.PIPE,
                            text=True)
    assert load.stdout.readline().startswith("issued")
    if everybody:  # as a service manager does
        os.killpg(steward.process.pid, signal.SIGTERM)
    assert steward.stop() == 0
    answered = [line.split()[1] for line in load.communicate(timeout=60)[0].splitlines() if line.startswith("issued")]
    assert set(answered) <= {line["serial"] for line in steward.audit() if line["event"] == "issued"}


@pytest.mark.parametrize(("change", "said"), [
    (("trust_domain = \"example.org\"", ""), "trust_domain is missing"),
    (("trust_domain = \"example.org\"", "trust_domain = \"Example\""), "line 4, column 16: a trust domain has"),
    (("url = \"https", "url = \"http"), "https://"),
    (("listen = \"127.0.0.1:0\"", "listen = \"localhost:0\""), "no ADDRESS:PORT"),
    (("\"nonce-key\"", "\"root.pem\""), "root.pem': no key of 32 bytes"),
    (("\"server.pem\"", "\"absent.pem\""), "absent.pem': cannot open"),
    (("\"ca-key.pem\"", "\"server-key.pem\""), "the CA's key is not that of its certificate"),
    (("\"ca.pem\" #", "\"server.pem\" #"), "the CA's certificate is not a CA's"),
    (("lifetime_hours = 24", "lifetime_hours = 100000"), "0 to 2160"),
    (("lifetime_hours = 24", "lifetime_hours = 0"), "must not be 0"),
    (("any = true", "any = 1"), "expected true or false"),
    (("[workloads] #", "simulated_roots = []\n[workloads] #"), "unknown key 'simulated_roots'"),
    (("[nonce]", "[nonces]"), "did you mean 'nonce'?"),
    (("\"simulation-ca.pem\"", "\"ca.pem\""), "the CA's key is not that"),
])
def test_a_broken_configuration_says_where(make, platforms, change, said):
    steward = make(start=False)
    steward.configure(lambda text: text.replace(*change))
    done = run(platforms.build / "src/cli/broch-steward", "--config", steward.config)
    assert done.returncode == 1 and said in done.stderr.decode(), done.stderr.decode()


def test_policy_in_words(steward):
    text = steward.broch("policy", "explain").stdout
    for said in (MEASUREMENT, MRENCLAVE, "Any workload is certified", "WHICH PROVE NOTHING", "No security advisory",
                 "Nothing that can be debugged", "Intel TDX\n  Nothing is accepted: [tdx] mrtds names no image.",
                 "example.org and last 24 hours"):
        assert said in text, said


def test_policy_dry_run(steward, key, platforms, tmp_path):
    platforms.request(key, "nonce=" + "11" * 72, "digest=" + DIGEST)
    csr = key.with_suffix(".csr")
    assert "would be certified, as SIMULATED" in steward.broch("policy", "test", csr).stdout
    platforms.request(key, "nonce=" + "11" * 72, "digest=" + DIGEST, measurement="5b" * 48)
    refused = steward.broch("policy", "test", csr, check=False)
    assert refused.returncode == 1 and "evidence-refused" in refused.stdout and "snp.measurement" in refused.stdout
    (tmp_path / "junk").write_bytes(b"junk")
    assert steward.broch("policy", "test", tmp_path / "junk", check=False).returncode == 2
    report = SHARED / "vectors/snp/genoa-v5/report.bin"
    assert steward.broch("policy", "test", report, check=False).returncode == 1


# ---- revocation ----

@pytest.mark.parametrize("kind", ["serial", "measurement", "chip", "slug"])
def test_what_is_revoked_is_refused_and_listed(make, key, tmp_path, kind):
    steward = make(change=lambda text: text.replace("any = true", 'any = true\nunverified_slugs = "as-local"'))
    words = ["digest=" + DIGEST, "slug=" + SLUG]
    _, _, chain = steward.attest(key, *words)
    line = steward.audit()[-1]
    value = {"serial": line["serial"], "measurement": MEASUREMENT, "chip": line["chip"],
             "slug": SLUG.rpartition(":")[0]}[kind]
    crl = tmp_path / "list.der"
    crl.write_bytes(steward.ask("GET", "/v1/simulation/crl")[2])
    assert b"No Revoked Certificates" in run("openssl", "crl", "-in", crl, "-noout", "-text").stdout
    steward.broch("revoke", f"--{kind}", value, "--reason", "a test")
    expected = (200, None) if kind == "serial" else (403, "revoked")
    status, _, body = steward.attest(key, *words)
    assert (status, json.loads(body)["error"]["code"] if status == 403 else None) == expected
    crl.write_bytes(steward.ask("GET", "/v1/simulation/crl")[2])
    text = run("openssl", "crl", "-in", crl, "-noout", "-text").stdout.decode()
    # a slug that was left out of the certificate is not found by it
    assert (line["serial"].lstrip("0").upper() in text) == (kind != "slug")
    pem = tmp_path / "all.pem"
    pem.write_bytes((steward.folder / "simulation-root.pem").read_bytes() +
                    run("openssl", "crl", "-in", crl).stdout)
    path = tmp_path / "chain.pem"
    path.write_bytes(chain)
    verified = run("openssl", "verify", "-crl_check", "-CAfile", pem, "-untrusted", path, path)
    assert (b"certificate revoked" in verified.stderr) == (kind != "slug"), verified.stderr
    (listed,) = json.loads(steward.broch("revocations", "--json").stdout)["revocations"]
    assert (listed["kind"], listed["value"], listed["reason"]) == (kind, value, "a test")
    # the real CA's list says nothing of simulations
    crl.write_bytes(steward.ask("GET", "/v1/crl")[2])
    assert b"No Revoked Certificates" in run("openssl", "crl", "-in", crl, "-noout", "-text").stdout


def test_revoke_says_what_it_needs(steward):
    for words, said in (([], "says what"), (["--serial", "12"], "right length"), (["--chip", "xy"], "hexadecimal"),
                        (["--slug", "x"], "usage"), (["--serial", "11" * 16, "--chip", "11"], "one thing at a time")):
        done = steward.broch("revoke", *words, check=False)
        assert done.returncode == 2 and said in done.stderr, done.stderr


# ---- what goes wrong with disks ----

def test_a_full_disk_gives_no_certificate(steward, key, platforms):
    """As good as full: the signing process may not make its log larger."""
    simulation = steward.pids()[2]
    log = steward.folder / "simulation-audit.log"
    issued, codes = [serial_of(steward.attest(key, "digest=" + DIGEST)[2])], set()
    resource.prlimit(simulation, resource.RLIMIT_FSIZE, (log.stat().st_size + 3000, resource.RLIM_INFINITY))
    for _ in range(10):
        status, _, body = steward.attest(key, "digest=" + DIGEST)
        if status == 200:
            issued.append(serial_of(body))
        else:
            codes.add((status, json.loads(body)["error"]["code"]))
    assert codes == {(503, "audit-unavailable")} and 2 < len(issued) < 8
    written = [line["serial"] for line in steward.audit() if line["event"] == "issued"]
    assert written == issued
    assert "none changed" in platforms.broch("steward", "audit", "verify", log).stdout
    # and when there is room again it goes on
    resource.prlimit(simulation, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert steward.attest(key, "digest=" + DIGEST)[0] == 200
    assert "none changed" in platforms.broch("steward", "audit", "verify", log).stdout


def test_a_locked_store_gives_no_certificate(steward, key):
    steward.attest(key, "digest=" + DIGEST)
    db = sqlite3.connect(steward.folder / "state/steward.db", isolation_level=None)
    db.execute("BEGIN EXCLUSIVE")
    try:
        assert steward.refusal(key, "digest=" + DIGEST) == (503, "store-unavailable")
    finally:
        db.execute("ROLLBACK")
        db.close()
    assert steward.attest(key, "digest=" + DIGEST)[0] == 200


# ---- processes ----

@pytest.fixture
def open_folder():
    """A folder that every user can reach."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield pathlib.Path(folder)


def test_each_process_gave_up_what_it_does_not_need(make, open_folder):
    steward = make(folder=open_folder, change=lambda text: text.replace('# user = "nobody"', 'user = "nobody"'))
    _, signer, simulation, server = steward.pids()
    status = lambda pid: dict(line.split(":\t", 1) for line in open(f"/proc/{pid}/status").read().splitlines()
                              if ":\t" in line)
    for pid in (signer, simulation, server):
        assert (status(pid)["Seccomp"], status(pid)["NoNewPrivs"]) == ("2", "1")
    if os.geteuid() == 0:
        assert status(server)["Uid"].split()[0] != "0" and int(status(server)["CapEff"], 16) == 0
        assert (steward.folder / "state").stat().st_uid == int(status(server)["Uid"].split()[0])
        assert os.stat(steward.folder / "ca-key.pem").st_uid == 0
        # the operator's commands still work beside it
        steward.broch("revoke", "--serial", "11" * 16)
        assert (steward.folder / "state/steward.db-wal").stat().st_uid != 0
    for pid in (signer, simulation):  # no socket but the one to the server
        links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        assert sum(link.startswith("socket:") for link in links) == 1, links
    for name in ("ca-key.pem", "simulation-ca-key.pem", "root-key.pem"):
        for pid in (server, signer):
            links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
            assert not any(name in link for link in links)


# ---- OpenAPI ----

def test_the_description_is_what_the_server_does(steward):
    """Each path and method of docs/steward-openapi.json is there, and nothing else is."""
    description = json.loads((ROOT / "docs/steward-openapi.json").read_text())
    routes = re.findall(r'method = "(\w+)",\s*\.path = "([^"]+)"', (ROOT / "src/steward/service.c").read_text())
    documented = {(method.upper(), path) for path, item in description["paths"].items() for method in item}
    assert documented == set(routes) and len(routes) > 10
    for path, item in description["paths"].items():
        for method in ("get", "post", "put", "delete"):
            status, headers, body = steward.ask(method.upper(), path, b"" if method == "post" else None)
            if method not in item:
                assert status == 405 and method.upper() not in headers["Allow"], (method, path)
                continue
            answers = item[method]["responses"]
            assert str(status) in answers, (method, path, status)
            media = answers[str(status)].get("content", {})
            if body:
                assert headers["Content-Type"].partition(";")[0] in media, (method, path, status, headers)
            if "application/json" in media and body:
                check_schema(json.loads(body), media["application/json"]["schema"], description)


def check_schema(value, schema, description):
    """The little of JSON Schema that the description uses."""
    if "$ref" in schema:
        schema = description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    kinds = {"object": dict, "string": str, "integer": int, "array": list, "boolean": bool}
    assert isinstance(value, kinds[schema["type"]])
    for name in schema.get("required", []):
        assert name in value
    for name, part in schema.get("properties", {}).items():
        if name in value and value[name] is not None:
            check_schema(value[name], part, description)
    for item in value if isinstance(value, list) else []:
        check_schema(item, schema["items"], description)


def test_every_code_of_a_refusal_is_documented():
    codes = re.findall(r'REFUSAL\(\w+, (\d+), "([\w-]+)"', (ROOT / "src/steward/refusals.def").read_text())
    text = (ROOT / "docs/steward-api.md").read_text()
    assert len(codes) > 15
    for status, code in codes:
        assert f"| `{code}` | {status} |" in text, code
