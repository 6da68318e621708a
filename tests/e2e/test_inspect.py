"""broch inspect: what a TLS server shows of itself, who vouches for it, and what its registry says now.

The servers are `openssl s_server` with certificates of a real Steward for simulated platforms, and with ones that its
CA's key signed behind its back: expired, of a real platform, with another digest."""
import base64
import contextlib
import json
import os
import re
import socket
import struct
import subprocess
import threading
import time

import pytest

from drawbridge_host import Drawbridge, compact, openssl
from foreign_registry import ForeignRegistry
from steward_host import MEASUREMENT, MRENCLAVE, Platforms, Steward, digest, serial_of, split

ARC = 1880230127500594781
TAG = "alice/app/_tag/0.1.0"
FILES = {"main.wasm": (b"\0asm\x01\0\0\0", "application/wasm")}
NONE = {"judged": False, "trusted": None, "reason": None, "steward": None, "revocation": "not asked",
        "revocation_reason": None}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module", name="bridge")
def fixture_bridge(build, tmp_path_factory):
    """A registry that serves a tag; `root` is its digest, `slug` its name."""
    bridge = Drawbridge(build, tmp_path_factory.mktemp("bridge")).start()
    bridge.token = bridge.issuer.token()
    bridge.register(bridge.token, repos=("app", "gone", "old"))
    _, directory = bridge.publish(bridge.token, TAG, FILES)
    for other in ("gone", "old"):
        bridge.publish(bridge.token, TAG.replace("app", other), FILES)
    bridge.root, bridge.slug = digest(directory.decode()), f"localhost:{bridge.port}/alice/app:0.1.0"
    yield bridge
    bridge.stop()


@pytest.fixture(scope="module", name="platforms")
def fixture_platforms(build, tmp_path_factory):
    return Platforms(build, tmp_path_factory.mktemp("platforms") / "sim")


@pytest.fixture(scope="module", name="steward")
def fixture_steward(platforms, bridge, tmp_path_factory):
    """A Steward, reached where its certificates say, and which asks the registry."""
    port = free_port()
    steward = Steward(platforms, tmp_path_factory.mktemp("steward") / "steward", "--simulation", change=lambda text: (
        text.replace("https://localhost:0", f"https://localhost:{port}").replace("127.0.0.1:0", f"127.0.0.1:{port}")
        .replace("[registries]", f'[registries]\n"localhost:{bridge.port}" = "{bridge.ca}"\n#'))).start()
    yield steward
    if steward.process is not None:
        steward.stop()


class Served:
    """A key and its chain, for s_server."""

    def __init__(self, folder, key, chain):
        self.folder, self.key, self.chain = folder, key, chain
        self.leaf, self.rest = folder / "leaf.pem", folder / "rest.pem"
        parts = split(chain)
        self.leaf.write_bytes(parts[0])
        self.rest.write_bytes(b"".join(parts[1:]))


@pytest.fixture(scope="module", name="attested")
def fixture_attested(steward, platforms, tmp_path_factory):
    """attested(words…): what the Steward issues to a keep that claims that."""
    made = {}

    def get(*words, **options):
        name = (words, *options.items())
        if name not in made:
            folder = tmp_path_factory.mktemp("keep")
            key = platforms.key(folder / "key.pem")
            status, _, chain = steward.attest(key, *words, **options)
            assert status == 200, chain
            made[name] = Served(folder, key, chain)
        return made[name]
    return get


def oid(*arcs):
    """DER of an object identifier's content."""
    out = b""
    for arc in (arcs[0] * 40 + arcs[1], *arcs[2:]):
        part = [arc & 0x7f]
        while arc := arc >> 7:
            part.append(arc & 0x7f | 0x80)
        out += bytes(reversed(part))
    return out


def identity_of(leaf):
    """The content of the identity's extension."""
    der = openssl("x509", "-in", leaf, "-outform", "DER")
    name = oid(2, 25, ARC, 3)
    at = der.index(name) + len(name)
    assert der[at] == 4 and der[at + 1] in (*range(128), 0x81)
    size, at = (der[at + 1], at + 2) if der[at + 1] < 128 else (der[at + 2], at + 3)
    return der[at:at + size]


def craft(steward, folder, identity, uri, crl, start=None, end=None, ca="simulation-ca", more="", subject="/CN=keep"):
    """A certificate by the profile that a CA's key signs, without a Steward."""
    (folder / "index").write_text("")
    (folder / "ca.cnf").write_text(f"""
[ca]
default_ca = here
[here]
database = {folder}/index
new_certs_dir = {folder}
default_md = sha256
policy = any
unique_subject = no
rand_serial = yes
[any]
commonName = supplied
[leaf]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth,clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
subjectAltName = URI:{uri}
crlDistributionPoints = URI:{crl}
2.25.{ARC}.3 = DER:{identity.hex(":")}
{more}
""")
    now = int(time.time())
    dates = [time.strftime("%Y%m%d%H%M%SZ", time.gmtime(at)) for at in (start or now - 300, end or now + 86400)]
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject,
            "-keyout", folder / "key.pem", "-out", folder / "csr.pem", "-utf8")
    openssl("ca", "-config", folder / "ca.cnf", "-batch", "-notext", "-in", folder / "csr.pem", "-out",
            folder / "signed.pem", "-startdate", dates[0], "-enddate", dates[1], "-extensions", "leaf", "-cert",
            steward.folder / f"{ca}.pem", "-keyfile", steward.folder / f"{ca}-key.pem", "-utf8")
    chain = (folder / "signed.pem").read_bytes() + (steward.folder / f"{ca}.pem").read_bytes()
    return Served(folder, folder / "key.pem", chain)


@contextlib.contextmanager
def s_server(served, *words, host="127.0.0.1"):
    """openssl's server, and where it listens."""
    chain = ["-cert_chain", served.rest] if served.rest.stat().st_size != 0 else []
    with subprocess.Popen(["openssl", "s_server", "-accept", f"{host}:0", "-key", served.key, "-cert", served.leaf,
                           *chain, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True) as process:
        try:
            lines = iter(process.stdout.readline, "")
            port = next(line for line in lines if line.startswith("ACCEPT")).rpartition(":")[2].strip()
            threading.Thread(target=lambda: [None for _ in lines], daemon=True).start()
            yield f"{host}:{port}"
        finally:
            process.kill()


@contextlib.contextmanager
def tcp_server(talk):
    """A server that does to each connection what it is told to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        talk(connection)
        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture(name="broch")
def fixture_broch(build, tmp_path, bridge):
    """Runs the command, as somebody without tokens who knows the registry's root."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("BROCH_", "XDG_"))}

    def run(*words, ca=bridge.ca, **more):
        return subprocess.run([build / "src/cli/broch", "inspect", *words], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=60, check=False,
                              env={**env, "HOME": str(tmp_path), **({"BROCH_CA_BUNDLE": str(ca)} if ca else {}), **more})
    return run


@pytest.fixture(name="look")
def fixture_look(broch):
    """The exit status, JSON and stderr about a server with these certificates; the text has the same facts."""
    def run(served, *words, options=(), **more):
        with s_server(served, *options) as target:
            text = broch(target, *words, **more)
            done = broch(target, *words, "--json", **more)
        assert text.returncode == done.returncode and text.stderr.startswith("broch: ") == bool(text.returncode)
        shown = json.loads(done.stdout)
        assert shown["good"] == (done.returncode == 0) and (shown["error"] is None) == shown["good"]
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text.stdout)
        for link in shown["chain"]:
            assert {link["serial"], link["sha256"], link["not_after"]} <= set(text.stdout.split())
        shown["text"] = text.stdout
        return done.returncode, shown, done.stderr
    return run


@pytest.fixture(name="roots")
def fixture_roots(steward):
    """The Steward's roots: that of the simulation, and that of its server."""
    return ["--steward-ca", steward.folder / "simulation-root.pem", "--steward-ca", steward.folder / "root.pem"]


def workload(bridge):
    return "slug=" + bridge.slug, "digest=" + bridge.root


# ---- keeps ----

@pytest.mark.parametrize("technology", ["snp", "sgx"])
def test_a_keep_that_all_is_well_with(look, attested, bridge, roots, steward, technology):
    served = attested(*workload(bridge), technology=technology)
    code, shown, stderr = look(served, *roots)
    assert code == 0 and stderr == "", shown
    raw = bytes.fromhex(bridge.root)
    identity = shown["identity"]
    assert (identity["kind"], identity["slug"], identity["technology"]) == ("keep", bridge.slug, technology)
    assert identity["digest"] == {"hex": bridge.root, "base64": base64.b64encode(raw).decode().rstrip("=")}
    assert identity["measurement"] == (MEASUREMENT if technology == "snp" else MRENCLAVE)
    assert identity["tcb"] and (identity["tcb_status"] == "UpToDate") == (technology == "sgx")
    assert identity["simulated"] is True and identity["trust_domain"] == "example.org"
    assert identity["name"] == f"spiffe://example.org/simulated/keep/localhost..{bridge.port}/alice/app/0.1.0"
    assert shown["trust"] == {"judged": True, "trusted": True, "reason": None, "revocation": "not revoked",
                              "revocation_reason": None, "steward": str(steward.folder / "simulation-root.pem")}
    assert shown["registry"] == {"digest": "same", "reason": None, "served": identity["digest"], "yanked": False}
    assert shown["tls"]["version"] == "1.3" and shown["tls"]["reception"] == "not asked"
    assert len(shown["chain"]) == 3 and "SIMULATED" in shown["chain"][0]["issuer"]
    assert shown["chain"][0]["serial"].rjust(32, "0") == serial_of(served.chain)
    # the text says all of it, and is loud about the simulation
    text = shown["text"]
    for fact in (f"a keep that runs {bridge.slug}", "*** SIMULATED: no TEE protects this keep", "YES: it proves nothing",
                 "sha-256:" + bridge.root, "sha-256:" + base64.b64encode(raw).decode(), identity["measurement"],
                 identity["tcb"], identity["name"], "valid: the chain ends in", "not revoked",
                 "serves the same digest now", "h left)"):
        assert fact in text, text


def test_nobody_vouches(look, attested, bridge):
    code, shown, _ = look(attested(*workload(bridge)))
    assert code == 0 and shown["trust"] == NONE and shown["registry"]["digest"] == "same"
    assert "says that it is a keep" in shown["text"]
    assert "not judged: nobody was asked to vouch; --steward-ca" in shown["text"]


def test_a_local_keep(look, attested, bridge, roots):
    code, shown, _ = look(attested("digest=" + bridge.root), *roots)
    assert code == 0 and shown["identity"]["kind"] == "local" and shown["identity"]["slug"] is None
    assert shown["trust"]["trusted"] and shown["registry"]["digest"] == "not asked"
    assert "no registry's name for it" in shown["text"]


def test_a_platform(look, attested, roots):
    code, shown, _ = look(attested())
    assert code == 0 and shown["identity"]["kind"] == "platform" and shown["identity"]["digest"] is None
    code, shown, stderr = look(attested(), *roots)
    assert code == 1 and shown["trust"]["trusted"] is False and "for reading from registries only" in stderr


def test_a_keep_of_a_real_platform(look, steward, attested, bridge, tmp_path):
    """As the real CA would certify it: no mark of a simulation."""
    identity = identity_of(attested(*workload(bridge)).leaf)
    assert identity.endswith(b"\x01\x01\xff")
    uri = f"spiffe://example.org/keep/localhost..{bridge.port}/alice/app/0.1.0"
    served = craft(steward, tmp_path, identity[:-1] + b"\0", uri, f"{steward.url}/v1/crl", ca="ca")
    code, shown, _ = look(served, "--steward-ca", steward.folder / "root.pem")
    assert code == 0 and shown["identity"]["simulated"] is False and shown["trust"]["revocation"] == "not revoked"
    assert "SIMULATED" not in shown["text"]
    code, shown, _ = look(served, "--steward-ca", steward.folder / "simulation-root.pem")
    assert code == 1 and shown["trust"]["trusted"] is False


# ---- who is not to be trusted ----

def test_another_root(look, attested, bridge, platforms, tmp_path):
    other = Steward(platforms, tmp_path / "other", "--simulation")
    words = ["--steward-ca", other.folder / "root.pem", "--steward-ca", other.folder / "simulation-root.pem"]
    code, shown, stderr = look(attested(*workload(bridge)), *words)
    assert code == 1 and "does not come from a trusted Steward" in stderr
    assert shown["trust"]["trusted"] is False and shown["trust"]["revocation"] == "not asked"
    assert "NOT TRUSTED" in shown["text"]
    # whom nobody believes does not say which registry we ask
    assert shown["registry"]["digest"] == "not asked" and "not to be trusted" in shown["registry"]["reason"]


def crafted(steward, attested, bridge, folder, **options):
    """As the Steward issued it, but for the options."""
    base = attested(*workload(bridge)).leaf
    given = {"identity": identity_of(base), "crl": f"{steward.url}/v1/simulation/crl",
             "uri": f"spiffe://example.org/simulated/keep/localhost..{bridge.port}/alice/app/0.1.0", **options}
    return craft(steward, folder, **given)


@pytest.mark.parametrize("start, end, said, word", [
    (-4000, -3000, "has expired", "EXPIRED, since 50 min"),
    (3000, 4000, "is not valid yet", "NOT YET VALID: begins in"),
])
def test_dates(look, steward, attested, bridge, roots, tmp_path, start, end, said, word):
    now = int(time.time())
    served = crafted(steward, attested, bridge, tmp_path, start=now + start, end=now + end)
    code, shown, stderr = look(served, *roots)
    assert code == 1 and said in stderr and said in shown["trust"]["reason"] and word in shown["text"]
    code, shown, _ = look(served)  # not judged, and said all the same
    assert code == 0 and word in shown["text"]


def test_revoked(look, steward, platforms, bridge, roots, tmp_path):
    key = platforms.key(tmp_path / "revoked.pem")
    served = Served(tmp_path, key, steward.attest(key, *workload(bridge))[2])
    assert look(served, *roots)[0] == 0
    steward.broch("revoke", "--serial", serial_of(served.chain), "--reason", "a test")
    code, shown, stderr = look(served, *roots)
    assert code == 1 and "has been revoked" in stderr
    assert (shown["trust"]["trusted"], shown["trust"]["revocation"]) == (False, "revoked")
    assert look(served)[1]["trust"] == NONE


def test_a_list_under_a_root_that_nobody_named(look, steward, attested, bridge):
    code, shown, _ = look(attested(*workload(bridge)), "--steward-ca", steward.folder / "simulation-root.pem")
    assert code == 0 and shown["trust"]["trusted"] and shown["trust"]["revocation"] == "unknown"
    assert "one more --steward-ca" in shown["trust"]["revocation_reason"]
    assert re.search(r"^revocation +unknown$", shown["text"], re.MULTILINE)


@pytest.mark.parametrize("crl, said", [
    ("https://localhost:1/v1/crl", "no connection"),
    ("http://localhost/v1/crl", "no https:// URL"),
    ("{url}/v1/absent", "status 404"),
    ("{url}/v1/crl", "signed"),  # of the real CA
    ("{url}/v1/bundle", ""),     # no list at all
])
def test_a_list_that_cannot_be_had(look, steward, attested, bridge, roots, tmp_path, crl, said):
    served = crafted(steward, attested, bridge, tmp_path, crl=crl.format(url=steward.url))
    code, shown, _ = look(served, *roots)
    assert code == 0 and (shown["trust"]["trusted"], shown["trust"]["revocation"]) == (True, "unknown")
    assert said in shown["trust"]["revocation_reason"] and shown["trust"]["revocation_reason"] in shown["text"]


# ---- registries ----

def test_another_digest(look, steward, attested, bridge, roots, tmp_path):
    identity = identity_of(attested(*workload(bridge)).leaf)
    other = identity.replace(bytes.fromhex(bridge.root), bytes.fromhex(digest("another")))
    assert other != identity
    served = crafted(steward, attested, bridge, tmp_path, identity=other)
    for words in ((), roots):
        code, shown, stderr = look(served, *words)
        assert code == 1 and "another digest now" in stderr and "ANOTHER DIGEST NOW" in shown["text"]
        assert shown["identity"]["digest"]["hex"] == digest("another")
        assert shown["registry"]["digest"] == "differs" and shown["registry"]["served"]["hex"] == bridge.root


def test_a_tag_that_is_not_shown_any_more(look, attested, bridge, roots):
    slug = bridge.slug.replace("app", "gone")
    served = attested("slug=" + slug, "digest=" + bridge.root)
    assert look(served, *roots)[1]["registry"]["digest"] == "same"
    private = compact({"public": False})
    assert bridge.request("PATCH", "alice/gone", bridge.token, private, Content_Type="application/json")[0] == 204
    code, shown, _ = look(served, *roots)
    assert code == 0 and shown["registry"]["digest"] == "no tag"
    assert "does not show it to strangers" in shown["registry"]["reason"]
    assert shown["registry"]["reason"] in shown["text"]


def test_a_tag_that_there_never_was(look, steward, attested, bridge, roots, tmp_path):
    identity = identity_of(attested(*workload(bridge)).leaf)
    served = crafted(steward, attested, bridge, tmp_path, identity=identity.replace(b"app:0.1.0", b"app:9.9.9"),
                     uri=f"spiffe://example.org/simulated/keep/localhost..{bridge.port}/alice/app/9.9.9")
    code, shown, _ = look(served, *roots)
    assert code == 0 and shown["registry"]["digest"] == "no tag" and "no such tag" in shown["registry"]["reason"]


def test_a_tag_that_is_advised_against(look, attested, bridge, roots):
    served = attested("slug=" + bridge.slug.replace("app", "old"), "digest=" + bridge.root)
    bridge.request("PUT", TAG.replace("app", "old") + "/_yank", bridge.token, compact({"yanked": True}),
                   Content_Type="application/json")
    code, shown, _ = look(served, *roots)
    assert code == 0 and shown["registry"]["digest"] == "same" and shown["registry"]["yanked"]
    assert "YANKED: its owner advises against it" in shown["text"]


def test_a_registry_that_is_not_reached(look, attested, bridge, roots, tmp_path):
    served = attested(*workload(bridge))
    code, shown, _ = look(served, *roots, ca=None)  # the system's roots, which do not know it
    assert code == 0 and shown["registry"]["digest"] == "unknown" and "could not be asked" in shown["text"]
    assert "certificate is not to be trusted" in shown["registry"]["reason"]
    code, shown, _ = look(served, *roots, "--registry-ca", bridge.ca, ca=None)
    assert code == 0 and shown["registry"]["digest"] == "same"
    # a variable's token is for a registry that a person named, not for one that a stranger did
    assert look(served, *roots, BROCH_TOKEN_FILE=str(tmp_path / "absent"))[1]["registry"]["digest"] == "same"


def test_what_a_registry_says_is_shown_and_not_obeyed(look, steward, attested, bridge, roots, tmp_path):
    registry = ForeignRegistry(tmp_path, lambda request: (500, {}, compact(
        {"error": {"code": "x", "message": "\x1b[31mred\u202e"}})))
    try:
        identity = identity_of(attested(*workload(bridge)).leaf)
        port = registry.host.rpartition(":")[2]
        assert len(port) == len(str(bridge.port))
        served = crafted(steward, attested, bridge, tmp_path,
                         identity=identity.replace(str(bridge.port).encode(), port.encode()),
                         uri=f"spiffe://example.org/simulated/keep/localhost..{port}/alice/app/0.1.0")
        code, shown, _ = look(served, *roots, "--registry-ca", registry.ca)
        assert code == 0 and shown["registry"]["digest"] == "unknown"
        assert "\\x1b[31mred\\u202e" in shown["text"] and "status 500" in shown["registry"]["reason"]
    finally:
        registry.close()


# ---- who is no keep ----

@pytest.fixture(scope="module", name="ordinary")
def fixture_ordinary(tmp_path_factory):
    """A self-signed server, whose name is one to be careful with."""
    folder = tmp_path_factory.mktemp("ordinary")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-utf8",
            "-subj", "/CN=a\x1b[31mb\u202ec\u00e9", "-keyout", folder / "key.pem", "-out", folder / "cert.pem")
    return Served(folder, folder / "key.pem", (folder / "cert.pem").read_bytes())


def test_an_ordinary_server(look, ordinary, roots):
    code, shown, stderr = look(ordinary)
    assert code == 1 and "no keep's certificate" in stderr
    assert shown["keep"] is False and shown["identity"] is None and len(shown["chain"]) == 1
    assert "NOT A KEEP" in shown["text"] and "\x1b" not in shown["text"] and "\u202e" not in shown["text"]
    assert "\u00e9" in shown["text"] and shown["chain"][0]["subject"] == shown["chain"][0]["issuer"]
    code, shown, _ = look(ordinary, *roots)
    assert code == 1 and shown["trust"]["trusted"] is False


def test_a_certificate_that_breaks_the_profile(look, steward, attested, bridge, roots, tmp_path):
    for number, options in enumerate(({"uri": "spiffe://example.org/simulated/keep/platform"},
                                      {"more": "nsComment = x"}, {"identity": b"\x30\0"})):
        folder = tmp_path / str(number)
        folder.mkdir()
        code, shown, _ = look(crafted(steward, attested, bridge, folder, **options), *roots)
        assert code == 1 and shown["keep"] is False and "NOT A KEEP" in shown["text"], shown["text"]
        assert shown["trust"]["trusted"] is False and shown["error"] != "this is no keep's certificate"


# ---- connections ----

def test_a_server_that_demands_a_certificate(look, attested, bridge, roots):
    code, shown, _ = look(attested(*workload(bridge)), *roots, options=["-Verify", "4"])
    assert code == 0 and shown["tls"]["reception"] == "turned away"
    assert shown["tls"]["alert"] == "certificate required"
    assert "TURNED US AWAY, who showed no certificate, with the alert 'certificate required'" in shown["text"]
    assert shown["identity"]["slug"] == bridge.slug and shown["trust"]["trusted"]


def test_a_server_that_asks_politely(look, attested, bridge):
    started = time.monotonic()
    code, shown, _ = look(attested(*workload(bridge)), options=["-verify", "4"])
    assert code == 0 and shown["tls"]["reception"] == "let in" and shown["tls"]["alert"] is None
    assert "lets in those without one" in shown["text"] and time.monotonic() - started < 4


@pytest.mark.skipif(not os.path.exists("/proc/net/if_inet6"), reason="no IPv6 here")
def test_an_address_of_ipv6(broch, ordinary):
    with s_server(ordinary, host="[::1]") as target:
        done = broch(target, "--json")
    assert json.loads(done.stdout)["address"] == target


def refused(broch, target):
    """Why there is nothing to show: on stderr, and as JSON."""
    text, shown = broch(target), broch(target, "--json")
    assert text.returncode == shown.returncode == 1 and text.stdout == ""
    found = json.loads(shown.stdout)
    assert set(found) == {"target", "good", "error"} and found["good"] is False
    assert shown.stderr == f"broch: {target}: {found['error']}\n"
    assert text.stderr.startswith(f"broch: {target}: ")
    return found["error"]


def test_nothing_listens(broch):
    assert "nothing listens there" in refused(broch, f"127.0.0.1:{free_port()}")
    assert "has no address" in refused(broch, "no-such-host.invalid:443")


def test_only_tls_1_2(broch, ordinary):
    with s_server(ordinary, "-tls1_2") as target:
        assert "an older TLS and no TLS 1.3" in refused(broch, target)


def test_a_port_without_tls(broch):
    for talk in (lambda c: c.sendall(b"220 mail.example ESMTP\r\n") or c.recv(4096),
                 lambda c: c.recv(4096) and c.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n"),
                 lambda c: c.sendall(b"\x1b[31m" * 100) or c.recv(4096),
                 lambda c: c.recv(4096),
                 lambda c: None):
        with tcp_server(talk) as target:
            assert "speaks no TLS" in refused(broch, target)


def test_connections_that_are_reset(broch):
    """Sooner or later than what we write: which must not be the death of us."""
    reset = struct.pack("ii", 1, 0)
    with tcp_server(lambda c: c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)) as target:
        for _ in range(10):
            assert re.search("speaks no TLS|reset by peer", refused(broch, target))


def test_a_server_that_says_nothing(broch):
    with tcp_server(lambda c: time.sleep(15)) as target:
        started = time.monotonic()
        done = broch(target)
        assert done.returncode == 1 and "answered no TLS in time" in done.stderr
        assert 9 < time.monotonic() - started < 13


def test_a_hello_that_is_broken_off(broch, ordinary):
    """The handshake cut at every 97th byte: never a crash, always a reason."""
    def relay(limit):
        def talk(client):
            with socket.create_connection(("127.0.0.1", port)) as server:
                server.sendall(client.recv(16384))
                client.sendall(server.recv(16384)[:limit])
        return talk
    with s_server(ordinary) as target:
        port = int(target.rpartition(":")[2])
        for limit in range(1, 700, 97):
            with tcp_server(relay(limit)) as cut:
                done = broch(cut)
                assert done.returncode == 1 and "handshake" in done.stderr, (limit, done)


# ---- the command line ----

@pytest.mark.parametrize("words, said", [
    ([], "HOST:PORT is missing"),
    (["localhost"], "the port is missing"),
    (["localhost:0"], "a port after the host is 1 to 65535"),
    (["localhost:99999"], ""),
    (["https://localhost:1"], ""),
    (["local host:1"], ""),
    (["localhost:1", "x"], "one argument too many"),
    (["localhost:1", "--steward"], "did you mean --steward-ca"),
])
def test_mistakes(broch, words, said):
    done = broch(*words)
    assert done.returncode == 2 and said in done.stderr and "broch help inspect" in done.stderr, done.stderr


def test_files_that_are_none(broch, ordinary, tmp_path):
    (tmp_path / "empty.pem").write_text("")
    for option in ("--steward-ca", "--registry-ca"):
        done = broch("localhost:1", option, tmp_path / "absent.pem")
        assert done.returncode == 1 and "absent.pem: cannot open: No such file" in done.stderr
    for path in (tmp_path / "empty.pem", ordinary.key):
        done = broch("localhost:1", "--steward-ca", path)
        assert done.returncode == 1 and f"broch: {path}: " in done.stderr
