"""broch deploy: packages from registries, good and bad, and the identity that a Steward gives, on `nil` and on
simulated platforms."""
import base64
import json
import os
import subprocess

import pytest

from deploy_host import (API, SIMULATED, Deploy, PlainRegistry, Private, Tree, another_steward, change_and_reload,
                         compile_guest, config, digest_of)
from drawbridge_host import DIRECTORY, compact, entry
from foreign_registry import ForeignRegistry
from world import World, free_port, running

ALONE = config(head="")


@pytest.fixture(scope="module")
def show(tmp_path_factory):
    """A guest that prints files."""
    return compile_guest(tmp_path_factory.mktemp("guests"), "show")


@pytest.fixture(scope="module")
def peer(tmp_path_factory):
    return compile_guest(tmp_path_factory.mktemp("guests"), "peer")


@pytest.fixture(scope="module")
def world(build, tmp_path_factory, show):
    world = World(build, tmp_path_factory.mktemp("world"))
    world.owned = world.package("owned", show, config())
    world.pin = world.publish("alice/app/_tag/0.1.0", world.package("hello", show, ALONE))
    world.publish("alice/chat-server/_tag/0.1.0", world.owned)
    assert world.registry.put("alice/secret", world.token, b'{"public":false}')[0] == 201
    world.publish("alice/secret/_tag/0.1.0", world.owned)
    world.slug = f"{world.host}/alice/app:0.1.0"
    yield world
    world.stop()


@pytest.fixture(scope="module")
def deploy(build, world):
    """With the registry's CA."""
    return Deploy(build, "--registry-ca", world.registry.ca)


@pytest.fixture(scope="module")
def bare(build):
    """Without any option."""
    return Deploy(build)


@pytest.fixture(scope="module")
def liar(tmp_path_factory):
    """A registry over HTTPS: `tell` is what it answers with."""
    registry = ForeignRegistry(tmp_path_factory.mktemp("liar"), lambda request: registry.tell(request))
    yield registry
    registry.close()


@pytest.fixture
def plain():
    registry = PlainRegistry()
    yield registry
    registry.close()


def encoded(pin):
    return base64.b64encode(bytes.fromhex(pin)).decode()


# ---- what is deployed ----

def test_a_public_package(deploy, world):
    assert deploy.out(world.slug) == "it runs\n"
    assert deploy.out("https://" + world.slug) == "it runs\n"
    assert deploy.out(f"https://{world.host}{API}alice/app/_tag/0.1.0") == "it runs\n"
    assert "Keep.toml" in deploy.out(world.slug, "--", "/Keep.toml")


def test_a_package_by_its_digest(deploy, world):
    for pin in (world.pin, encoded(world.pin)):
        assert deploy.out(f"{world.slug}@sha-256:{pin}") == "it runs\n"
    assert deploy.out(f"https://{world.slug}@sha-256:{world.pin}") == "it runs\n"
    wrong = deploy.error(1, f"{world.slug}@sha-256:{'0' * 64}")
    assert "another package under this tag than the digest that was asked for" in wrong


@pytest.mark.parametrize("form", ["{}", "file:{}", "file://{}"])
def test_what_is_on_this_machine(bare, tmp_path, show, form):
    package = tmp_path / "package"
    (package / "data/deep").mkdir(parents=True)
    (package / "main.wasm").write_bytes(show)
    (package / "Keep.toml").write_text(ALONE)
    (package / "data/deep/a.txt").write_text("deep")
    (package / "secret.key").write_text("mine")
    (package / ".brochignore").write_text("*.key\n")
    assert bare.out(form.format(package), "--", "/data/deep/a.txt", "/secret.key") == \
        "/data/deep/a.txt deep\n/secret.key none\n"
    assert bare.out(form.format(package / "main.wasm")) == "it runs\n"
    assert bare.error(1, form.format(tmp_path / "none") if form != "{}" else "file:/none") != ""


def publish_folder(world, build, folder, slug):
    """As a person does it; the digest."""
    token = world.folder / "token"
    token.write_text(world.token)
    done = subprocess.run([build / "src/cli/broch", "package", "publish", "--ca-bundle", world.registry.ca,
                           "--token-file", token, "--json", f"{world.host}/{slug}", folder], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["digest"]


def nested(folder, show, text):
    (folder / "data/deep").mkdir(parents=True)
    (folder / "data/empty").write_bytes(b"")
    (folder / "data/deep/a.txt").write_text("deep")
    (folder / "data.txt").write_text("beside")  # '.' is before '/'
    (folder / "data-b").write_text("before")
    (folder / "secret.key").write_text("mine")
    (folder / ".brochignore").write_text("*.key\n")
    (folder / "main.wasm").write_bytes(show)
    (folder / "Keep.toml").write_text(text)
    return folder


def test_nested_folders(deploy, world, build, tmp_path, show):
    digest = publish_folder(world, build, nested(tmp_path / "package", show, ALONE), "alice/app:0.3.0")
    assert deploy.out(f"{world.host}/alice/app:0.3.0@{digest}", "--", "/data/deep/a.txt", "/data/empty", "/data.txt",
                      "/secret.key") == "/data/deep/a.txt deep\n/data/empty \n/data.txt beside\n/secret.key none\n"


def test_a_tag_that_is_a_module(deploy, world, show):
    """As with Enarx's: the tag names no folder."""
    slug, content = "alice/app/_tag/0.2.0", entry(show, "application/wasm")
    assert world.registry.put(slug, world.token, compact(content),
                              "application/vnd.drawbridge.entry.v1+json") == (201, "")
    assert world.registry.put(slug + "/tree", world.token, show, "application/wasm") == (201, "")
    assert deploy.out(f"{world.host}/alice/app:0.2.0") == "it runs\n"
    assert deploy.out(f"{world.host}/alice/app:0.2.0@sha-256:{digest_of(show)}") == "it runs\n"


# ---- over http ----

def test_plain_http(bare, plain, show):
    tree = Tree({"main.wasm": show, "Keep.toml": ALONE.encode(), "data": {"a": b"content of a"}})
    slug, words = f"http://{plain.host}/alice/app:0.1.0", ["--", "/data/a"]
    plain.answer = tree.answer
    assert "sha-256:" in bare.error(2, slug) and plain.asked == []
    assert bare.out(f"{slug}@sha-256:{tree.digest}", *words) == "/data/a content of a\n"
    assert bare.out(f"http://{plain.host}{API}alice/app/_tag/0.1.0@sha-256:{tree.digest}") == "it runs\n"
    # with another's digest, and with contents changed under way
    assert "another package under this tag" in bare.error(1, f"{slug}@sha-256:{'1' * 64}")
    other = Tree({"main.wasm": show, "Keep.toml": ALONE.encode(), "data": {"a": b"CONTENT OF A"}})
    plain.answer = other.answer
    assert "another package under this tag" in bare.error(1, f"{slug}@sha-256:{tree.digest}")
    for path, content in tree.nodes.items():
        changed = content[:-1] + bytes([content[-1] ^ 1])
        plain.answer = lambda p, bad=path, changed=changed: (
            changed if p.endswith("/tree" + ("/" + bad if bad else "")) else tree.answer(p))
        said = bare.error(1, f"{slug}@sha-256:{tree.digest}", *words)
        assert "cannot fetch the package" in said and (f"at={path}" if path else 'at=""') in said


def test_the_keep_itself_wants_a_pin_over_http(world, plain):
    """Not only the command line."""
    done = world.testhost().run("--package", f"http://{plain.host}/alice/app:0.1.0")
    assert done.returncode == 1 and "over plain http" in done.stderr and plain.asked == []


def test_http_is_no_way_to_a_private_package(world, plain):
    handler = plain.server.RequestHandlerClass
    handler.do_GET = lambda self: (self.send_response(401), self.send_header("Content-Length", "0"),
                                   self.end_headers())
    log = world.folder / "http-attests"
    done = world.testhost("--attest-log", log).run("--steward", world.steward.url, "--steward-ca",
                                                   world.owned / "steward.pem", "--package",
                                                   f"http://{plain.host}/alice/app:0.1.0@sha-256:{'0' * 64}")
    assert done.returncode == 1 and "not fetched over plain http" in done.stderr and not log.exists()


# ---- registries that have not what is asked for, or are not who they should be ----

@pytest.mark.parametrize("name", ["alice/app:9.9.9", "alice/none:0.1.0", "nobody/app:0.1.0"])
def test_what_is_not_there(deploy, world, name):
    error = deploy.error(1, f"{world.host}/{name}")
    assert f"the registry has no such package package={world.host}/{name}" in error


def test_authorities(bare, world, liar):
    for words in ([], ["--registry-ca", liar.ca]):
        assert "no authority that is believed vouches for the server" in bare.error(1, *words, world.slug)
    assert bare.out(world.slug, env={"BROCH_CA_BUNDLE": str(world.registry.ca)}) == "it runs\n"
    assert bare.out("--registry-ca", world.registry.ca, world.slug, env={"BROCH_CA_BUNDLE": "/none"}) == "it runs\n"
    assert "/none" in bare.error(1, world.slug, env={"BROCH_CA_BUNDLE": "/none"})


def test_a_server_of_another_name(world):
    """The host says where a name is; the certificate says that it lies."""
    done = world.testhost("--resolve", "registry.example=127.0.0.1").run(
        "--registry-ca", world.registry.ca, "--package", f"registry.example:{world.registry.port}/alice/app:0.1.0")
    assert done.returncode == 1 and "name" in done.stderr and done.stdout == ""


def test_a_registry_that_is_down(deploy):
    assert "the server cannot be reached" in deploy.error(1, f"localhost:{free_port()}/alice/app:0.1.0")
    assert "knows no address" in deploy.error(1, "registry.invalid/alice/app:0.1.0")


def test_redirects_are_not_followed(bare, world, liar):
    liar.tell = lambda request: (302, {"Location": world.registry.url + request.path}, b"")
    error = bare.error(1, "--registry-ca", liar.ca, f"{liar.host}/alice/app:0.1.0")
    assert "the registry failed" in error and "status=302" in error


GOOD = {"main.wasm": b"", "Keep.toml": ALONE.encode(), "data": {"a": b"content of a", "b": b"content of b"}}


def lie(tree, path, content=None, **headers):
    """One node is something else."""
    tree.nodes[path] = tree.nodes.get(path, b"") if content is None else content
    tree.headers = {path: {name.replace("_", "-"): value for name, value in headers.items()}}


def with_tag(change):
    def make(tree):
        tree.tag = change(json.loads(tree.tag), tree)
    return make


def with_root(change):
    """The root is changed, and its entry with it."""
    def make(tree):
        root = change(json.loads(tree.nodes[""]), tree)
        tree.nodes[""] = root if isinstance(root, bytes) else compact(root)
        tree.tag = compact(entry(tree.nodes[""], DIRECTORY, sizes=("256",)))
    return make


def changed(value, **more):
    return {**value, **more}


def deep(count):
    def make(tree):
        files = {"a": b"content of a"}
        for _ in range(count):
            files = {"d": files}
        tree.__init__({"main.wasm": tree.nodes["main.wasm"], **files})
    return make


# what a registry may try: what it changes, and what the keep says (all of them end it)
LIES = {
    "other bytes": (lambda t: lie(t, "data/a", b"CONTENT OF A"), "digest"),
    "shorter": (lambda t: lie(t, "data/a", b"content of "), "length"),
    "empty": (lambda t: lie(t, "data/a", b""), "length"),
    "longer": (lambda t: lie(t, "data/a", b"content of a."), "at=data/a"),
    "much longer": (lambda t: lie(t, "data/a", b"x" * 10_000_000), "too long"),
    "it says longer": (lambda t: lie(t, "data/a", Content_Length="10000"), "too long"),
    "it says huge": (lambda t: lie(t, "data/a", Content_Length=str(2 ** 63)), "answer"),
    "it says less": (lambda t: lie(t, "data/a", Content_Length="11"), "length"),
    "two sizes": (lambda t: lie(t, "data/a", Transfer_Encoding="chunked"), "no HTTP/1.1"),
    "swapped": (lambda t: lie(t, "data/a", t.nodes["data/b"]), "digest"),
    "a folder's other bytes": (lambda t: lie(t, "data", t.nodes["data"].replace(b"12", b"21", 1)), "digest"),
    "the root's other bytes": (lambda t: lie(t, "", t.nodes[""].replace(b"data", b"atad")), "digest"),
    "the module's other bytes": (lambda t: lie(t, "main.wasm", t.nodes["main.wasm"][:-1] + b"?"), "digest"),
    "a file is missing": (lambda t: t.nodes.pop("data/a"), "no such package"),
    "surplus entry": (with_root(lambda d, t: changed(d, more=d["main.wasm"])), "no such package"),
    "duplicate": (with_root(lambda d, t: t.nodes[""].replace(b'{"Keep', b'{"Keep.toml":' +
                                                             compact(d["Keep.toml"]) + b',"Keep', 1)), "at="),
    "unsorted": (with_root(lambda d, t: dict(reversed(d.items()))), None),
    "with blanks": (with_root(lambda d, t: json.dumps(d).encode()), None),
    "a name with a slash": (with_root(lambda d, t: {"a/b": d["main.wasm"], **d}), "at="),
    "..": (with_root(lambda d, t: {"..": d["main.wasm"], **d}), "at="),
    "no name": (with_root(lambda d, t: {"": d["main.wasm"], **d}), "at="),
    "no json": (with_root(lambda d, t: b"<html>"), "at="),
    "no object": (with_root(lambda d, t: b"[]"), "at="),
    "a huge file": (with_root(lambda d, t: changed(d, data=changed(d["main.wasm"], length=2 ** 40))), "too large"),
    "a huge folder": (with_root(lambda d, t: changed(d, data=changed(d["data"], length=2 ** 31))), "too large"),
    "a length below zero": (with_root(lambda d, t: changed(d, data=changed(d["data"], length=-1))), "at="),
    "a length that is no number": (with_root(lambda d, t: changed(d, data=changed(d["data"], length="1"))), "at="),
    "an entry without digest": (with_root(lambda d, t: changed(d, data=changed(d["data"], digest={}))), "at="),
    "an entry with an unknown digest": (with_root(lambda d, t: changed(d, data=changed(d["data"],
                                                                                     digest={"md5": "AAAA"}))), "at="),
    "a folder that is a file": (with_root(lambda d, t: changed(d, data=changed(d["data"], type="text/plain"))), None),
    "a file that is a folder": (with_root(lambda d, t: changed(d, **{"main.wasm": changed(d["main.wasm"],
                                                                                          type=DIRECTORY)})), "at="),
    "deep": (deep(70), "more folders in each other"),
    "no module": (with_root(lambda d, t: {"Keep.toml": d["Keep.toml"]}), "the package has no main.wasm"),
    "no root": (lambda t: t.nodes.pop(""), "no such package"),
    "a tag that is no json": (with_tag(lambda g, t: b"{"), "at="),
    "a tag of nothing": (with_tag(lambda g, t: b""), "at="),
    "a tag of another root": (with_tag(lambda g, t: compact(changed(g, digest={"sha-256": encoded("00" * 32)}))),
                              "digest"),
    "a tag of another length": (with_tag(lambda g, t: compact(changed(g, length=g["length"] - 1))), "at="),
    "a huge tag": (with_tag(lambda g, t: compact(g) + b" " * 100_000), "too long"),
    "a tag with a huge root": (with_tag(lambda g, t: compact(changed(g, length=2 ** 40))), "too large"),
}


@pytest.mark.parametrize("name", LIES)
def test_a_registry_that_lies(bare, liar, show, name):
    tree = Tree({**GOOD, "main.wasm": show})
    tree.headers = {}
    change, said = LIES[name]
    change(tree)

    def tell(request):
        content = tree.answer(request.path)
        _, _, path = request.path.partition("/tree")
        headers = tree.headers.get(path.lstrip("/"), {}) if "/tree" in request.path else {}
        return (404, {}, b"") if content is None else (200, headers, content)
    liar.tell = tell
    words = "--registry-ca", liar.ca, f"{liar.host}/alice/app:0.1.0", "--", "/data", "/data/a"
    if said is None:  # it is no lie: the digests are those of the bytes that were sent
        assert bare.out(*words) != ""
    else:
        assert said in bare.error(1, *words)


def test_a_registry_that_fails_in_the_middle(bare, liar, show):
    """Its own words are longer than the file that was asked for: they are no reason to call them the file."""
    tree = Tree({**GOOD, "main.wasm": show})
    liar.tell = lambda request: ((500, {}, b'{"error":{"code":"internal","message":"it failed"}}')
                                 if request.path.endswith("/a") else (200, {}, tree.answer(request.path)))
    error = bare.error(1, "--registry-ca", liar.ca, f"{liar.host}/alice/app:0.1.0")
    assert "the registry failed" in error and "status=500" in error and "at=data/a" in error


def test_a_yanked_tag(deploy, world, show):
    pin = world.publish("alice/app/_tag/0.4.0", world.package("yanked", show, ALONE))
    slug = f"{world.host}/alice/app:0.4.0"
    assert deploy.out(slug) == "it runs\n"
    assert world.registry.request("PUT", "alice/app/_tag/0.4.0/_yank", world.token,
                                  b'{"yanked":true,"reason":"it leaks"}', Content_Type="application/json")[0] == 204
    error = deploy.error(1, slug)
    assert "yanked" in error and "HOST/USER/REPO:TAG@sha-256:" in error and f"package={slug}" in error
    assert deploy.out(f"{slug}@sha-256:{pin}") == "it runs\n"


# ---- private packages ----

@pytest.fixture(scope="module")
def private(world, tmp_path_factory):
    made = Private(world, tmp_path_factory.mktemp("client"), world.owned)
    yield made
    made.other.stop()


def test_a_private_package(private, world):
    """The platform is certified first, then the keep, with another key."""
    seen = len(world.steward.audit())
    done, attested = private.run("ours")
    assert (done.returncode, done.stdout) == (0, "it runs\n"), done.stderr
    assert len(attested) == 2 and len(set(attested)) == 2
    platform, keep = [line for line in world.steward.audit()[seen:] if line["event"] == "issued"]
    assert "digest" not in platform and "slug" not in platform and platform["key"] != keep["key"]
    assert keep["slug"] == f"{world.host}/alice/ours:0.1.0" and len(keep["digest"]) == 64


def test_one_attestation_is_enough_for_what_is_public(world):
    for words, count in ((world.deploy_words("alice/chat-server:0.1.0"), 1), ([world.owned], 1),
                         (world.deploy_words("alice/app:0.1.0"), 0)):
        log = world.folder / f"attests-{os.urandom(4).hex()}"
        done = world.testhost("--attest-log", log).run(*words)
        assert (done.returncode, done.stdout) == (0, "it runs\n"), done.stderr
        assert (log.read_text().count("\n") if log.exists() else 0) == count


@pytest.mark.parametrize("name", ["real", "sgx", "none", "foreign"])
def test_a_platform_that_the_repository_does_not_trust(private, name):
    done, attested = private.run(name)
    assert (done.returncode, done.stdout, len(attested)) == (1, "", 1), done.stderr
    assert "the registry does not give this package to this platform" in done.stderr


def test_technologies(private):
    done, attested = private.run("sgx", "--technology", "sgx")
    assert (done.returncode, done.stdout, len(attested)) == (0, "it runs\n", 2), done.stderr


def test_a_foreign_steward_s_platform(private):
    """The repository does not trust the one of the boot request; where it does, its word ends there."""
    done, attested = private.run("ours", steward=private.other)
    assert (done.returncode, done.stdout, len(attested)) == (1, "", 1), done.stderr
    seen = len(private.world.steward.audit())
    done, attested = private.run("foreign", steward=private.other)
    assert (done.returncode, done.stdout, len(attested)) == (0, "it runs\n", 2), done.stderr
    (issued,) = [line for line in private.world.steward.audit()[seen:] if line["event"] == "issued"]
    assert issued["slug"].endswith("/alice/foreign:0.1.0")  # by the package's own


def test_nobody_to_certify_the_platform(private, deploy, world):
    error = deploy.error(1, f"{world.host}/alice/ours:0.1.0")
    assert "--steward names who certifies this platform" in error
    done, attested = private.run("ours", named=False)
    assert done.returncode == 1 and attested == [] and "--steward names who" in done.stderr
    # nil has no evidence: the Steward says so
    roots = world.owned / "steward.pem"
    error = deploy.error(125, "--steward", world.steward.url, "--steward-ca", roots, f"{world.host}/alice/ours:0.1.0")
    assert "evidence-missing" in error and "no certificate for the platform" in error
    error = deploy.error(125, "--steward", f"https://localhost:{free_port()}", "--steward-ca", roots,
                         f"{world.host}/alice/ours:0.1.0")
    assert "no certificate for the platform" in error and "the server cannot be reached" in error
    for words in (["--steward-ca", world.registry.ca], []):
        error = deploy.error(125, "--steward", world.steward.url, *words, f"{world.host}/alice/ours:0.1.0")
        assert "no certificate for the platform" in error


# ---- identity ----

def test_on_nil_the_steward_refuses(deploy, bare, world):
    for error in (deploy.error(125, f"{world.host}/alice/chat-server:0.1.0"), bare.error(125, world.owned)):
        assert "evidence-missing" in error and "the keep has no identity" in error
    error = bare.error(125, "--json", world.owned)
    assert "evidence-missing" in error


def test_the_digest_is_that_of_the_tree(world, build, tmp_path, show):
    folder = nested(tmp_path / "package", show, config(["/data/deep/a.txt", "/secret.key"]).format(
        steward=world.steward.url))
    (folder / "steward.pem").write_text(world.roots)
    done = world.testhost().run(folder)
    assert (done.returncode, done.stdout) == (0, "/data/deep/a.txt deep\n/secret.key none\n"), done.stderr
    issued = world.steward.audit()[-1]
    shown = subprocess.run([build / "src/cli/broch", "tree", "digest", folder], capture_output=True, text=True,
                           check=True).stdout
    assert "slug" not in issued and issued["digest"] in shown
    digest = publish_folder(world, build, folder, "alice/app:0.5.0")
    assert digest.endswith(issued["digest"])
    done = world.testhost().run(*world.deploy_words("alice/app:0.5.0"))
    assert done.returncode == 0, done.stderr
    assert world.steward.audit()[-1]["digest"] == issued["digest"]


def test_what_no_registry_would_have(world, show):
    package = world.package("odd", show, config(), {"a b.txt": "x"})
    done = world.testhost().run(package)
    assert done.returncode == 1 and "a path that no registry takes" in done.stderr


@pytest.mark.parametrize("head, files, said", [
    ('steward = "{steward}"\nsteward_ca = "none.pem"\n', {}, "file=none.pem"),
    (None, {"steward.pem": "nothing\n"}, "bad file of a Steward's root"),
    (None, {"steward.pem": ""}, "bad file of a Steward's root"),
    (None, {"steward.pem": "LEAF"}, "bad file of a Steward's root"),
    (None, {"steward.pem": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
     "bad file of a Steward's root"),
    ('steward = "{steward}"\nsteward_ca = "data"\n', {"steward.pem": ""}, "file=data"),
], ids=["missing", "garbage", "empty", "no CA", "no certificate", "missing folder"])
def test_a_bad_root(world, show, head, files, said):
    files = {name: (world.registry.ca.read_text() if text == "LEAF" else text) for name, text in files.items()}
    if files.get("steward.pem", "").startswith("-----BEGIN") and "AAAA" not in files["steward.pem"]:
        files["steward.pem"] = (world.steward.folder / "ca.pem").read_text()  # a CA, but no root
    done = world.testhost().run(world.package("bad", show, config(head=head) if head else config(), files))
    assert (done.returncode, done.stdout) == (1, "") and said in done.stderr, done.stderr


@pytest.fixture(scope="module")
def other(world):
    """Another Steward of the same platforms; its server has the first one's certificate."""
    steward = another_steward(world, "other", lambda t: t.replace(
        'certificate = "server.pem"', f'certificate = "{world.steward.folder / "server.pem"}"').replace(
            'key = "server-key.pem"', f'key = "{world.steward.folder / "server-key.pem"}"'))
    yield steward
    steward.stop()


def test_a_steward_that_is_down_or_another(world, other, show):
    def run(url, roots=world.roots):
        package = world.package("moved", show, config(head=f'steward = "{url}"\nsteward_ca = "steward.pem"\n'),
                                {"steward.pem": roots})
        done = world.testhost().run(package)
        assert (done.returncode, done.stdout) == (125, ""), done.stderr
        assert "the keep has no identity" in done.stderr
        return done.stderr
    assert "the server cannot be reached" in run(f"https://localhost:{free_port()}")
    assert "no authority that is believed vouches for the server" in run(world.steward.url, world.root_of(other))
    # its server is believed, but not what it issues
    seen = len(other.audit())
    assert "does not end in the root that is trusted" in run(other.url)
    assert len(other.audit()) == seen + 1


def test_a_refusal_is_told(world, show):
    done = world.testhost("--measurement", "11" * 48).run(world.owned)
    assert done.returncode == 125 and "the Steward refused" in done.stderr and "11" * 48 in done.stderr
    assert "a check failed" in done.stderr and "check=" in done.stderr, done.stderr


NONCE = (200, {}, b'{"nonce":"' + b"5a" * 40 + b'"}')
# what one who took a Steward's server may answer, to the nonce's request and to the other
BAD_STEWARDS = {
    "no nonce": [(500, {}, b"")],
    "elsewhere": [(302, {"Location": "https://localhost:1/v1/nonce"}, b"")],
    "no json": [(200, {}, b"<html>")],
    "an empty nonce": [(200, {}, b'{"nonce":""}')],
    "no hexadecimal": [(200, {}, b'{"nonce":"xyz"}')],
    "a number": [(200, {}, b'{"nonce":5}')],
    "a long nonce": [(200, {}, b'{"nonce":"' + b"5a" * 10_000 + b'"}')],
    "a huge answer": [(200, {}, b" " * 1_000_000)],
    "words of its own": [(403, {}, b'{"error":{"code":"\x7f","message":"\\u001b[2J","checks":[{"result":"fail"},7]}}')],
    "an error that is none": [(403, {}, b'{"error":[1,2],"checks":{}}')],
    "no certificate": [NONCE, (200, {}, b"")],
    "no pem": [NONCE, (200, {}, b"\0" * 1000)],
    "an empty pem": [NONCE, (200, {}, b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n")],
    "the server's own": [NONCE, (200, {}, "SERVER")],
    "another keep's": [NONCE, (200, {}, "CHAIN")],
    "a huge chain": [NONCE, (200, {}, b"-----BEGIN CERTIFICATE-----\n" * 100_000)],
    "no word": [NONCE, (204, {}, b"")],
}


@pytest.fixture(scope="module")
def chain(world, tmp_path_factory):
    """What another keep has got."""
    key = world.platforms.key(tmp_path_factory.mktemp("key") / "key.pem")
    status, _, chain = world.steward.attest(key, headers={"Accept": "application/pem-certificate-chain"})
    assert status == 200
    return chain


@pytest.fixture(scope="module")
def thief(world, tmp_path_factory):
    """Who has the key of the Steward's server, and nothing else of it."""
    registry = ForeignRegistry(tmp_path_factory.mktemp("thief"), lambda request: registry.tell(request))
    registry.server.socket.context.load_cert_chain(world.steward.folder / "server.pem",
                                                   world.steward.folder / "server-key.pem")
    yield registry
    registry.close()


@pytest.mark.parametrize("name", BAD_STEWARDS)
def test_a_steward_that_lies(world, thief, show, chain, name):
    server = (world.steward.folder / "server.pem").read_bytes()
    answers = [(status, headers, {"SERVER": server, "CHAIN": chain}.get(body, body))
               for status, headers, body in BAD_STEWARDS[name]]
    asked = []

    def tell(request):
        asked.append(request.path.partition("?")[0])
        return answers[len(asked) - 1]
    thief.tell = tell
    package = world.package("lied-to", show, config(head=f'steward = "https://{thief.host}"\n'
                                                         'steward_ca = "steward.pem"\n'))
    done = world.testhost().run(package)
    assert (done.returncode, done.stdout) == (125, ""), done.stderr
    assert "the keep has no identity" in done.stderr and "\x1b" not in done.stderr
    assert asked == ["/v1/nonce", "/v1/attest"][:len(answers)]


def test_slugs_that_the_steward_does_not_find(world, liar, show):
    """It reads the tag itself: of a registry that it does not know, or which tells it something else."""
    owned = {"main.wasm": show, "Keep.toml": (world.owned / "Keep.toml").read_bytes(),
             "steward.pem": world.roots.encode()}
    tree, other = Tree(owned), Tree({**owned, "more": b"x"})

    def run():
        asked = []

        def tell(request):
            asked.append(request.path)
            return 200, {}, (other if asked.count(request.path) > 1 else tree).answer(request.path)
        liar.tell = tell
        done = world.testhost().run("--registry-ca", liar.ca, "--package", f"{liar.host}/alice/app:0.1.0")
        assert (done.returncode, done.stdout) == (125, ""), done.stderr
        assert "slug-unverified" in done.stderr
        return len([path for path in asked if path.endswith("/_tag/0.1.0")])
    assert run() == 1
    change_and_reload(world.steward, lambda t: t.replace("[registries]", f'[registries]\n"{liar.host}" = '
                                                                         f'{{ ca = "{liar.ca}" }}'))
    assert run() == 2


def test_a_workload_that_the_steward_does_not_certify(world, other, show):
    before = other.config.read_text()
    change_and_reload(other, lambda t: t.replace("any = true", "any = false\n[[workloads.allow]]\nworkload = "
                                                 f'"{world.host}/alice/app"\ntags = ["0.6.0"]\n'))
    package = world.package("strict", show, config(head=f'steward = "{other.url}"\nsteward_ca = "steward.pem"\n'),
                            {"steward.pem": world.root_of(other) + world.root_of(world.steward)})
    for tag in ("0.6.0", "0.6.1"):
        world.publish(f"alice/app/_tag/{tag}", package)
    done = world.testhost().run(*world.deploy_words("alice/app:0.6.0"))
    assert (done.returncode, done.stdout) == (0, "it runs\n"), done.stderr
    done = world.testhost().run(*world.deploy_words("alice/app:0.6.1"))
    assert done.returncode == 125 and "workload-refused" in done.stderr, done.stderr
    change_and_reload(other, lambda t: before)


def test_overrides_are_refused(bare, world):
    for words, said in ((["--", "x"], "arguments"), (["--env", "A=1"], "variables of the environment"),
                        (["--fuel", "1000"], "a limit of fuel"), (["--max-memory", "1MiB"], "a limit of memory")):
        options, _, arguments = " ".join(words).partition("-- ")
        error = bare.error(1, *options.split(), world.owned, *(["--", arguments] if arguments else []))
        assert "takes them from its package alone" in error and said in error
    # --steward makes one of any package
    roots = world.owned / "steward.pem"
    alone = world.folder / "hello"
    assert bare.out("--env", "A=1", alone, "--", "/main") == "/main none\n"
    error = bare.error(1, "--steward", world.steward.url, "--steward-ca", roots, alone, "--", "x")
    assert "takes them from its package alone" in error
    assert "evidence-missing" in bare.error(125, "--steward", world.steward.url, "--steward-ca", roots, alone)


# ---- the boot request is no source of trust ----

def test_the_boot_request_s_steward_is_no_anchor(world, other, peer, tmp_path):
    """The package's own is asked for the keep's certificate; who has the other's is nobody."""
    port = free_port()
    server = world.package("server", peer, config(["serve", port], SIMULATED +
                                                  f'[network.incoming.{port}]\npeers = "any"\n'))
    def client(steward):
        head = f'steward = "{steward.url}"\nsteward_ca = "own.pem"\n'
        trust = '[trust]\nsimulated = true\nstewards = ["steward.pem"]\n'
        return world.package("client", peer, config(["call", f"localhost:{port}", "hello"], trust +
                                                    f'[network.outgoing."localhost:{port}"]\npeers = "any"\n', head),
                             {"own.pem": world.root_of(steward) + world.roots})
    (tmp_path / "other.pem").write_text(world.root_of(other) + world.roots)
    boot = ["--steward", other.url, "--steward-ca", tmp_path / "other.pem"]
    seen = len(other.audit())
    with running(world.testhost(), *boot, server) as keep:
        keep.wait_for("serving")
        assert len(other.audit()) == seen
        done = world.testhost().run(client(world.steward))
        assert done.returncode == 0 and "got hello" in done.stdout, done.stderr
        done = world.testhost().run(client(other))
        assert "got hello" not in done.stdout, done.stdout
        keep.wait_for("Steward")
        assert "came" in keep.out and keep.out.count("came") == 1, keep.out
    # the same, but the package says that it is one
    server = world.package("server", peer, config(["serve", port], SIMULATED + 'stewards = ["other.pem"]\n' +
                                                  f'[network.incoming.{port}]\npeers = "any"\n'),
                           {"other.pem": world.root_of(other)})
    with running(world.testhost(), server) as keep:
        keep.wait_for("serving")
        done = world.testhost().run(client(other))
        assert done.returncode == 0 and "got hello" in done.stdout, done.stderr + keep.look().err


def test_a_steward_of_the_boot_request_alone(world, other, peer, tmp_path):
    """A package that names none: its certificate is for others, and it knows no keep by it."""
    port = free_port()
    (tmp_path / "other.pem").write_text(world.root_of(other) + world.roots)
    boot = ["--steward", other.url, "--steward-ca", tmp_path / "other.pem"]
    server = world.package("server", peer, config(["serve", port], SIMULATED +
                                                  f'[network.incoming.{port}]\nanonymous = true\n', head=""))
    client = world.package("client", peer, config(["call", f"localhost:{port}", "hello"], SIMULATED +
                                                  f'[network.outgoing."localhost:{port}"]\npeers = "any"\n',
                                                  f'steward = "{other.url}"\nsteward_ca = "own.pem"\n'),
                           {"own.pem": world.root_of(other) + world.roots})
    with running(world.testhost(), *boot, server) as keep:
        keep.wait_for("serving")
        done = world.testhost().run(client)
        assert done.returncode == 0 and '"local"' in done.stdout, done.stderr  # which knows the server
        assert '"anonymous"' in keep.wait_for("came .*").group()
    # whom it believes besides changes nothing, and it has no use for the lists of the other
    package = world.package("trusting", peer, config(["nap", 300], SIMULATED + 'stewards = ["steward.pem"]\n', ""))
    done = world.testhost("--log-level", "debug").run(*boot, package)
    assert done.returncode == 0 and "revocation list" not in done.stderr, done.stderr


# ---- what a person sees ----

def test_phases(deploy, world):
    done = deploy.run("--json", world.slug)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert lines[0] == {"backend": "nil"}
    assert [line["phase"] for line in lines[1:]] == ["booted", "fetched", "compiled", "running"]
    totals = [line["total_ms"] for line in lines[1:]]
    assert totals == sorted(totals) and all(line["ms"] >= 0 for line in lines[1:])
    done = deploy.run(world.slug)
    assert [line.split()[1] for line in done.stderr.splitlines()] == \
        ["backend", "booted", "fetched", "compiled", "running"]
    phases = world.folder / "phases"
    assert world.testhost("--phases", phases).run(*world.deploy_words("alice/chat-server:0.1.0")).returncode == 0
    assert [line.split()[0] for line in phases.read_text().splitlines()][-4:] == \
        ["fetched", "attested", "compiled", "running"]


@pytest.mark.parametrize("words, said", [
    ([], "PACKAGE"),
    (["--backend", "nil", "--simulate", "SLUG"], "has nothing to simulate"),
    (["--backend", "tdx", "SLUG"], "no such backend"),
    (["ftp://SLUG"], "a scheme other than file, http and https"),
    (["no-slug"], "neither a file or folder here nor HOST/USER/REPO:TAG"),
    (["SLUG@sha-256:xyz"], "sha-256:xyz"),
    (["SLUG@"], "SLUG@"),
    (["SLUG@md5:00"], "SLUG@md5:00"),
    (["http://SLUG"], "over plain http only a package whose digest is given"),
    (["--steward", "http://localhost", "SLUG"], "--steward takes https://"),
    (["--steward-ca", "/dev/null", "SLUG"], "needs --steward beside it"),
    (["--registry-ca", "/dev/null", "SLUG"], "is empty"),
    (["--max-memory", "1KiB", "SLUG"], "--max-memory: takes"),
    (["--fuel", "many", "SLUG"], "--fuel"),
    (["--env", "A", "SLUG"], "NAME=VALUE"),
    (["--timeout", "0", "SLUG"], "--timeout"),
    (["--nonsense", "SLUG"], "--nonsense"),
    (["SLUG", "SLUG"], "SLUG"),
])
def test_usage(bare, words, said):
    slug = "localhost:1/alice/app:0.1.0"
    error = bare.error(2, *[word.replace("SLUG", slug) for word in words])
    assert error.startswith("broch: ") and said.replace("SLUG", slug) in error


def test_bad_authorities(bare, world, tmp_path):
    (tmp_path / "garbage.pem").write_text("nothing\n")
    assert "bad --registry-ca" in bare.error(1, "--registry-ca", tmp_path / "garbage.pem", world.slug)
    assert "none.pem" in bare.error(1, "--registry-ca", tmp_path / "none.pem", world.slug)
