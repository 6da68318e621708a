"""Who reads private repositories by a certificate: platforms of trusted Stewards, and Stewards themselves."""
import json

import pytest

from drawbridge_host import Drawbridge, compact, openssl
from steward_host import Platforms, Steward, digest

FILES = {"main.wasm": (b"\0asm\x01\0\0\0", "application/wasm")}
TAG = "alice/app/_tag/0.1.0"
TREE = TAG + "/tree/main.wasm"


@pytest.fixture(scope="module", name="steward")
def fixture_steward(build, tmp_path_factory):
    folder = tmp_path_factory.mktemp("steward")
    steward = Steward(Platforms(build, folder / "sim"), folder / "steward", "--simulation").start()
    yield steward
    steward.stop()


@pytest.fixture(scope="module", name="identities")
def fixture_identities(steward, tmp_path_factory):
    """Certificates that the Steward issued, with their keys."""
    folder = tmp_path_factory.mktemp("identities")

    def issue(name, *words, **options):
        key = steward.platforms.key(folder / f"{name}.pem")
        status, _, chain = steward.attest(key, *words, **options)
        assert status == 200, chain
        path = folder / f"{name}-chain.pem"
        path.write_bytes(chain)
        return path, key
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
            "/CN=stranger", "-keyout", folder / "stranger-key.pem", "-out", folder / "stranger.pem")
    return {"snp": issue("snp"), "sgx": issue("sgx", technology="sgx"),
            "workload": issue("workload", "digest=" + digest("a package")),
            "stranger": (folder / "stranger.pem", folder / "stranger-key.pem")}


@pytest.fixture(name="make")
def fixture_make(build, tmp_path):
    """make(text): a Drawbridge with that at its configuration's end, and a package in a private repository."""
    made = []

    def new(text=""):
        bridge = Drawbridge(build, tmp_path)
        bridge.config.write_text(bridge.config.read_text() + text)
        made.append(bridge.start())
        token = bridge.issuer.token()
        bridge.register(token, public=False)
        bridge.publish(token, TAG, FILES)
        return bridge
    yield new
    for bridge in made:
        bridge.stop()


def trust(steward, more):
    return f'[[stewards]]\nname = "ours"\nca = "{steward.folder / "simulation-root.pem"}"\n{more}\n'


def statuses(bridge, identity):
    """Of the tags' list, a tag, a node."""
    return [bridge.request("GET", path, identity=identity)[0] for path in ("alice/app/_tag", TAG, TREE)]


def test_platforms_of_a_trusted_steward_read(make, steward, identities):
    bridge = make(trust(steward, "simulated = true"))
    assert statuses(bridge, identities["snp"]) == [200, 200, 200]
    assert statuses(bridge, identities["sgx"]) == [200, 200, 200]
    assert statuses(bridge, identities["workload"]) == [403, 403, 403]
    assert statuses(bridge, identities["stranger"]) == [401, 401, 401]
    assert statuses(bridge, None) == [401, 401, 401]
    assert bridge.request("GET", "alice/app", identity=identities["snp"])[0] == 401  # the owner's alone
    assert bridge.put("alice/other", None, compact({"public": True})) == (401, "unauthorized")


def test_nobody_is_trusted_by_default(make, identities):
    bridge = make()
    assert statuses(bridge, identities["snp"]) == [401, 401, 401]


def test_simulated_platforms_need_a_word(make, steward, identities):
    bridge = make(trust(steward, ""))
    assert statuses(bridge, identities["snp"]) == [403, 403, 403]
    _, _, body = bridge.request("GET", TAG, identity=identities["snp"])
    assert "SIMULATED" in json.loads(body)["error"]["message"]


def test_technologies(make, steward, identities):
    bridge = make(trust(steward, 'simulated = true\ntechnology = ["sgx"]'))
    assert statuses(bridge, identities["snp"]) == [403, 403, 403]
    assert statuses(bridge, identities["sgx"]) == [200, 200, 200]


def test_a_repository_trusts_a_steward(make, steward, identities):
    bridge = make()
    token = bridge.issuer.token()
    ca = (steward.folder / "simulation-root.pem").read_text()

    def put(value):
        return bridge.request("PUT", "alice/app/_steward/ours", token, compact(value),
                              Content_Type="application/json")[0]
    assert put({"ca": "nothing"}) == 422
    assert put({"ca": ca, "technology": ["none"]}) == 422
    assert put({"ca": ca}) == 204
    assert statuses(bridge, identities["snp"]) == [403, 403, 403]
    assert put({"ca": ca, "simulated": True, "technology": ["snp"]}) == 204
    assert statuses(bridge, identities["snp"]) == [200, 200, 200]
    assert statuses(bridge, identities["sgx"]) == [403, 403, 403]
    listed = json.loads(bridge.request("GET", "alice/app/_steward", token)[2])
    assert listed == [{"name": "ours", "simulated": True, "technology": ["snp"], "ca": ca}]
    assert bridge.request("DELETE", "alice/app/_steward/ours", token)[0] == 204
    assert bridge.request("DELETE", "alice/app/_steward/ours", token)[0] == 404
    assert statuses(bridge, identities["snp"]) == [401, 401, 401]


def test_a_registered_steward_reads_tags(make, steward, identities):
    certificate, key = identities["stranger"]
    bridge = make(trust(steward, f'simulated = true\nclient = "{certificate}"'))
    assert statuses(bridge, (certificate, key)) == [200, 200, 403]
