"""Slugs are proved: the Steward reads the tag at the slug's registry, and at no other host."""
import concurrent.futures
import json
import signal
import time

import pytest

from drawbridge_host import DIRECTORY, ENTRY, Drawbridge, compact, entry, openssl
from foreign_registry import ForeignRegistry
from steward_host import Platforms, Steward, digest, wait_for

FILES = {"main.wasm": (b"\0asm\x01\0\0\0", "application/wasm")}
TAG = "alice/app/_tag/0.1.0"


@pytest.fixture(scope="module")
def platforms(build, tmp_path_factory):
    return Platforms(build, tmp_path_factory.mktemp("platforms") / "sim")


@pytest.fixture
def key(platforms, tmp_path):
    return platforms.key(tmp_path / "key.pem")


@pytest.fixture
def make(platforms, tmp_path):
    """make(registries, …): a Steward with that under [registries]; what is in it is relative to tmp_path."""
    made = []

    def new(registries, change=lambda text: text, start=True):
        steward = Steward(platforms, tmp_path / f"steward{len(made)}", "--simulation",
                          change=lambda text: change(text).replace("[registries]", "[registries]\n" + registries + "\n#"))
        made.append(steward)
        return steward.start() if start else steward
    yield new
    for steward in made:
        if steward.process is not None:
            steward.stop()


class Registry(ForeignRegistry):
    """Answers what it is told to, and remembers what it was asked."""

    def __init__(self, folder):
        self.asked, self.status, self.body, self.headers, self.delay = [], 200, b"", {}, 0
        super().__init__(folder, self.answer)
        self.slug = f"{self.host}/alice/app:0.1.0"

    def answer(self, request):
        self.asked.append((request.path, request.headers.get("Host"), request.headers.get("Accept")))
        time.sleep(self.delay)
        return self.status, self.headers, self.body

    def serve(self, root):
        """The tag of a root directory; its digest."""
        tag = entry(root, DIRECTORY)
        self.body = compact(tag)
        return digest(root.decode())


@pytest.fixture
def registry(tmp_path):
    made = Registry(tmp_path)
    yield made
    made.close()


def claim(slug, root):
    return "slug=" + slug, "digest=" + root


def why(steward, key, *words):
    """Code and detail of a refusal."""
    status, _, body = steward.attest(key, *words)
    error = json.loads(body)["error"]
    return status, error["code"], error.get("detail")


def listed(registry):
    return f'"{registry.host}" = {{ ca = "../registry.pem" }}'


def test_a_drawbridge_proves_what_it_serves(build, make, key, tmp_path):
    """And nothing else: another digest, an absent tag, a host that is not listed."""
    bridge = Drawbridge(build, tmp_path).start()
    try:
        token = bridge.issuer.token()
        bridge.register(token)
        _, directory = bridge.publish(token, TAG, FILES)
        root, slug = digest(directory.decode()), f"localhost:{bridge.port}/alice/app:"
        steward = make(f'"localhost:{bridge.port}" = "../server.pem"')
        status, _, chain = steward.attest(key, *claim(slug + "0.1.0", root))
        assert status == 200, chain
        path = tmp_path / "leaf.pem"
        path.write_bytes(chain)
        shown = steward.platforms.broch("evidence", "show", path).stdout
        assert f"keep/localhost..{bridge.port}/alice/app/0.1.0" in shown and slug + "0.1.0" in shown, shown
        refused = (403, "slug-unverified")
        assert why(steward, key, *claim(slug + "0.1.0", digest("another"))) == (
            *refused, "the registry's tag names another digest")
        assert why(steward, key, *claim(slug + "0.1.1", root)) == (*refused, "the registry has no such tag")
        unlisted = "its registry is not one that this Steward asks: [registries] lists them"
        for other in (f"127.0.0.1:{bridge.port}/alice/app:0.1.0", "localhost/alice/app:0.1.0",
                      f"localhost:{bridge.port + 1}/alice/app:0.1.0"):
            assert why(steward, key, *claim(other, root)) == (*refused, unlisted), other
    finally:
        bridge.stop()


def test_private_tags_are_read_with_the_registered_certificate(build, make, key, tmp_path):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
            "/CN=steward", "-keyout", tmp_path / "client-key.pem", "-out", tmp_path / "client.pem")
    bridge = Drawbridge(build, tmp_path)
    bridge.config.write_text(bridge.config.read_text() +
                             '[[stewards]]\nname = "ours"\nca = "client.pem"\nclient = "client.pem"\n')
    bridge.start()
    try:
        token = bridge.issuer.token()
        bridge.register(token, public=False)
        _, directory = bridge.publish(token, TAG, FILES)
        words = claim(f"localhost:{bridge.port}/alice/app:0.1.0", digest(directory.decode()))
        stranger = make(f'"localhost:{bridge.port}" = "../server.pem"')
        assert why(stranger, key, *words) == (403, "slug-unverified",
                                              "the registry does not let this Steward read the repository's tags")
        known = make(f'"localhost:{bridge.port}" = {{ ca = "../server.pem", certificate = "../client.pem", '
                     'key = "../client-key.pem" }')
        status, _, body = known.attest(key, *words)
        assert status == 200, body
    finally:
        bridge.stop()


def test_what_is_asked(make, key, registry):
    root = registry.serve(b"{}")
    steward = make(listed(registry))
    assert steward.attest(key, *claim(registry.slug, root))[0] == 200
    path, host, accept = registry.asked[0]
    assert (path, host) == ("/api/v0.1.0/alice/app/_tag/0.1.0", registry.host)
    assert ENTRY in accept and "application/jose+json" in accept


def test_tags_are_read_once_and_hosts_are_checked_each_time(make, key, registry):
    root = registry.serve(b"{}")
    steward = make(listed(registry))
    for _ in range(3):
        assert steward.attest(key, *claim(registry.slug, root))[0] == 200
    assert len(registry.asked) == 1
    other = registry.serve(b'{"a":1}')  # a tag cannot change; who says so is not believed
    assert why(steward, key, *claim(registry.slug, other))[1:] == ("slug-unverified",
                                                                  "the registry's tag names another digest")
    assert len(registry.asked) == 1
    steward.process.send_signal(signal.SIGHUP)
    wait_for(lambda: steward.log().count("was read again") == 1)
    assert steward.attest(key, *claim(registry.slug, other))[0] == 200
    steward.configure(lambda text: text.replace(listed(registry), ""))
    steward.process.send_signal(signal.SIGHUP)
    wait_for(lambda: steward.log().count("was read again") == 2)
    assert steward.refusal(key, *claim(registry.slug, other)) == (403, "slug-unverified")


def test_nothing_else_counts_as_a_tag(make, key, registry, tmp_path):
    root = registry.serve(b"{}")
    good = registry.body
    steward = make(listed(registry))
    (tmp_path / "registry.pem").write_bytes((tmp_path / "registry.pem").read_bytes())

    def detail(status=200, body=good, headers=None):
        registry.status, registry.body, registry.headers = status, body, headers or {}
        time.sleep(2.1 if detail.is_fault else 0)
        said = why(steward, key, *claim(registry.slug, root))
        assert said[:2] == (403, "slug-unverified")
        detail.is_fault = status == 500
        return said[2]
    detail.is_fault = False
    assert detail(404) == "the registry has no such tag"
    assert detail(401) == detail(403) == "the registry does not let this Steward read the repository's tags"
    assert detail(body=b"no json").startswith("what the registry answered is no tag: ")
    assert detail(body=b'{"digest":{},"length":1,"type":"a/b"}').startswith("what the registry answered is no tag: ")
    assert detail(body=compact(entry(b"{}", DIRECTORY, sizes=("512",)))) == "the registry's tag has no sha-256"
    assert detail(302, headers={"Location": f"https://{registry.host}/elsewhere"}) == \
        "the registry answered with HTTP status 302"
    assert detail(500) == "the registry answered with HTTP status 500"
    assert detail(body=good + b" " * (1 << 16)).startswith("the registry cannot be asked: a reply is larger")
    assert all(path == "/api/v0.1.0/alice/app/_tag/0.1.0" for path, _, _ in registry.asked)


def test_a_tag_at_which_the_registry_balks_is_no_fault_of_the_registry(make, key, registry):
    """Else whoever claims such a tag would keep all others of that registry from being proved."""
    root = registry.serve(b"{}")
    good = registry.body
    steward = make(listed(registry))
    bad = f"{registry.host}/alice/app:0.0.1-" + "a" * 300
    for i, (status, body) in enumerate(((400, b"{}"), (301, b""), (200, good + b" " * (1 << 16)))):
        registry.status, registry.body = status, body
        assert why(steward, key, *claim(bad, root))[:2] == (403, "slug-unverified")
        registry.status, registry.body = 200, good
        assert steward.attest(key, *claim(f"{registry.host}/alice/app:0.1.{i}", root))[0] == 200


def test_a_registry_of_another_ca_is_not_believed(make, key, registry, tmp_path):
    root = registry.serve(b"{}")
    web = make(f'"{registry.host}" = "web-pki"')
    assert why(web, key, *claim(registry.slug, root)) == (
        403, "slug-unverified", "the registry cannot be asked: a server's certificate is not to be trusted")
    assert registry.asked == []


def test_a_registry_that_does_not_answer(make, key, registry):
    """It costs two seconds, and not each time; others are asked meanwhile."""
    root = registry.serve(b"{}")
    registry.delay = 4
    steward = make(listed(registry))
    begin = time.monotonic()
    assert why(steward, key, *claim(registry.slug, root))[2] == \
        "the registry cannot be asked: a server did not answer in time"
    assert time.monotonic() - begin > 1.9
    assert why(steward, key, *claim(registry.slug, root))[2] == "the registry did not answer a moment ago; try again"
    assert len(registry.asked) == 1


def test_many_keeps_of_one_workload_cost_one_look(make, platforms, registry, tmp_path):
    root = registry.serve(b"{}")
    registry.delay = 0.5
    steward = make(listed(registry))
    keys = [platforms.key(tmp_path / f"key{i}.pem") for i in range(12)]
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda key: steward.attest(key, *claim(registry.slug, root))[0], keys))
    assert answers == [200] * 12 and len(registry.asked) == 1


def test_as_local_leaves_out_what_is_not_proved(make, key, registry, tmp_path):
    root = registry.serve(b"{}")
    steward = make(listed(registry), lambda text: text.replace("any = true", 'any = true\nunverified_slugs = "as-local"'))

    def shown(*words):
        status, _, chain = steward.attest(key, *words)
        assert status == 200, chain
        (tmp_path / "leaf.pem").write_bytes(chain)
        return steward.platforms.broch("evidence", "show", tmp_path / "leaf.pem").stdout
    assert registry.slug in shown(*claim(registry.slug, root))
    other = shown(*claim(registry.slug, digest("another")))
    assert registry.slug not in other and "local/sha-256/" + digest("another") in other


def test_no_registry_is_asked_about_what_is_refused_anyway(make, key, registry):
    root = registry.serve(b"{}")
    steward = make(listed(registry), lambda text: text.replace("any = true", "any = false"))
    assert steward.refusal(key, *claim(registry.slug, root)) == (403, "workload-refused")
    assert registry.asked == []


def test_a_dry_run_asks_too(make, platforms, key, registry):
    root = registry.serve(b"{}")
    steward = make(listed(registry), start=False)
    for root, said in ((root, "would be certified"), (digest("another"), "names another digest")):
        platforms.request(key, "nonce=" + "00" * 32, *claim(registry.slug, root))
        assert said in steward.broch("policy", "test", key.with_suffix(".csr"), check=False).stdout


def test_what_a_policy_says_of_registries(make, registry):
    steward = make(listed(registry) + '\n"Registry.Example:443" = "web-pki"', start=False)
    text = steward.broch("policy", "explain").stdout
    assert f"  - {registry.host}, whose certificate ends in ../registry.pem\n" in text
    assert "  - registry.example, by the web's roots\n" in text
    assert "None is proved" in make("", start=False).broch("policy", "explain").stdout


@pytest.mark.parametrize("text, reason", [
    ('"a b" = "web-pki"', "'a b' is no registry's host"),
    ('"https://a.example" = "web-pki"', "'https://a.example' is no registry's host"),
    ('"a.example" = 1', "a table"),
    ('"a.example" = {}', 'ca is missing: a file, or "web-pki"'),
    ('"a.example" = { ca = "web-pki", certificate = "x" }', "certificate and key belong together"),
    ('"a.example" = { ca = "web-pki", keys = "x" }', "keys"),
    ('"a.example" = "web-pki"\n"A.example:443" = "web-pki"', "'a.example' is there twice"),
    ('"a.example" = "absent.pem"', "absent.pem"),
    ('"a.example" = "empty.pem"', "'empty.pem': the file is empty"),
    ("\n".join(f'"h{i}.example" = "web-pki"' for i in range(65)), "more registries than can be taken"),
])
def test_bad_registries(make, text, reason):
    steward = make(text, start=False)
    (steward.folder / "empty.pem").write_text("")
    done = steward.broch("policy", "explain", check=False)
    assert done.returncode != 0 and reason in done.stderr, done.stderr
