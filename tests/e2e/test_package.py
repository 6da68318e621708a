"""Registries from the command line: publish, fetch, verify, against a Drawbridge and against liars."""
import base64
import contextlib
import fcntl
import hashlib
import json
import os
import pty
import re
import select
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import time

import pytest

from drawbridge_host import DIRECTORY, ENTRY, Drawbridge, compact, entry, openssl
from foreign_registry import ForeignRegistry

MODULE = b"\0asm\x01\0\0\0"


class Client:
    """broch, as a person on a machine of her own."""

    def __init__(self, build, home, ca):
        self.broch, self.home = build / "src/cli/broch", home
        home.mkdir(exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("BROCH_", "XDG_"))}
        self.env = {**kept, "HOME": str(home), "BROCH_CA_BUNDLE": str(ca)}

    def start(self, *words, **options):
        return subprocess.Popen([self.broch, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, cwd=self.home, env={**self.env, **options})

    def run(self, *words, **options):
        with self.start(*words, **options) as process:
            out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def __call__(self, *words, **options):
        """What a command that succeeds prints."""
        done = self.run(*words, **options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def json(self, *words, **options):
        return json.loads(self(*words, "--json", **options))

    def error(self, *words, **options):
        """What a command that fails says; its exit status is 1."""
        done = self.run(*words, **options)
        assert done.returncode == 1 and done.stderr.startswith("broch: "), done
        return done.stderr

    def keep_token(self, host, token, mode=0o600):
        path = self.home / ".config/broch/credentials" / host
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(token + "\n")
        path.chmod(mode)
        return path


@pytest.fixture(name="bridge")
def fixture_bridge(build, tmp_path):
    folder = tmp_path / "bridge"
    folder.mkdir()
    bridge = Drawbridge(build, folder).start()
    yield bridge
    if bridge.process is not None:
        bridge.stop()


@pytest.fixture(name="host")
def fixture_host(bridge):
    return f"localhost:{bridge.port}"


@pytest.fixture(name="alice")
def fixture_alice(build, tmp_path, bridge, host):
    """A user with a token in her file and a repository."""
    client = Client(build, tmp_path / "alice", bridge.ca)
    token = bridge.broch("token", "create", "--user", "alice", "--scope", "all").stdout.strip()
    client.keep_token(host, token)
    client.token = token
    client("user", "register", f"{host}/alice")
    client("repo", "register", f"{host}/alice/app")
    return client


@pytest.fixture(name="bob")
def fixture_bob(build, tmp_path, bridge):
    """Somebody without a token."""
    return Client(build, tmp_path / "bob", bridge.ca)


@pytest.fixture(name="package")
def fixture_package(tmp_path):
    folder = tmp_path / "package"
    (folder / "data/deep").mkdir(parents=True)
    (folder / "main.wasm").write_bytes(MODULE)
    (folder / "Keep.toml").write_text('args = ["x"]\n')
    (folder / "data/deep/a.txt").write_text("a\n")
    (folder / "empty").write_bytes(b"")
    (folder / "big.bin").write_bytes(bytes(range(256)) * 4096 * 3)
    return folder


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ---- the way there and back ----

def test_publish_and_fetch(alice, bob, host, package, tmp_path):
    slug = f"{host}/alice/app:0.1.0"
    said = alice("package", "publish", slug, package)
    digest = alice("tree", "digest", package).strip()
    assert re.fullmatch(r"sha-256:[0-9a-f]{64}", digest)
    assert said == f"{slug}: published, 5 files, 3.0 MiB\n{digest}\n"
    assert bob.json("package", "fetch", slug, "--out", tmp_path / "got") == {
        "slug": slug, "digest": digest, "files": 5, "bytes": said and bob.json("package", "fetch", slug)["bytes"],
        "folder": str(tmp_path / "got")}
    assert contents(tmp_path / "got") == contents(package) == contents(bob.home / "app-0.1.0")
    assert not list(tmp_path.glob("*.part"))
    assert "the folder is the same" in bob("package", "verify", slug, package)
    assert "all of it is as it says" in bob("package", "verify", slug)
    again = alice.json("package", "publish", slug, package)
    assert again["new"] is False and again["digest"] == digest


def test_the_three_digests_of_the_talk(alice, bridge, host, package):
    """curl | sha256sum of what is served, what broch says, and the tag agree."""
    slug = f"{host}/alice/app:0.1.0"
    alice("package", "publish", slug, package)

    def curl(path, tool="sha256sum"):
        line = f"curl -sf --cacert {bridge.ca} https://{host}/api/v0.1.0/alice/app/_tag/0.1.0{path} | {tool}"
        return subprocess.run(["bash", "-c", line], check=True, capture_output=True, text=True).stdout.split()[0]
    digest = alice("tree", "digest", package).strip()
    assert "sha-256:" + curl("/tree") == digest
    in_tag = curl("", "jq -r '.digest.\"sha-256\"'")
    assert "sha-256:" + base64.b64decode(in_tag).hex() == digest
    in_tree = curl("/tree", "jq -r '.\"main.wasm\".digest.\"sha-256\"'")
    assert base64.b64decode(in_tree).hex() == sha256(MODULE)
    listed = {line.split()[2]: line.split()[1] for line in alice("tree", "info", slug).splitlines()}
    assert listed["/"] == digest and listed["/main.wasm"] == "sha-256:" + curl("/tree/main.wasm") == \
        "sha-256:" + sha256(MODULE)
    assert listed["/data/deep/a.txt"] == "sha-256:" + curl("/tree/data/deep/a.txt")


def test_one_file_is_a_package(alice, bob, host, tmp_path):
    (tmp_path / "built.wasm").write_bytes(MODULE)
    alice("package", "publish", f"{host}/alice/app:0.1.0", tmp_path / "built.wasm")
    bob("package", "fetch", f"{host}/alice/app:0.1.0")
    assert contents(bob.home / "app-0.1.0") == {"main.wasm": MODULE}


def test_what_a_tag_is(alice, bob, host, package):
    slug = f"{host}/alice/app:0.1.0"
    alice("package", "publish", slug, package)
    tag = bob.json("package", "info", slug)
    assert tag["type"] == DIRECTORY and tag["signed"] is False and tag["yanked"] is False
    digest = alice("tree", "digest", package).strip()
    assert digest in bob("package", "info", slug).splitlines()
    nodes = {node["path"]: node["entry"] for node in bob.json("tree", "info", slug)}
    assert set(nodes) == {"", "Keep.toml", "big.bin", "data", "data/deep", "data/deep/a.txt", "empty", "main.wasm"}
    assert nodes["main.wasm"]["length"] == 8 and nodes["main.wasm"]["type"] == "application/wasm"
    entry_said = alice.json("tree", "digest", package)
    assert entry_said["digest"] == tag["digest"] and entry_said["length"] == tag["length"]


def test_one_file_of_a_tree(alice, bob, host, package, tmp_path):
    slug = f"{host}/alice/app:0.1.0"
    alice("package", "publish", slug, package)
    assert bob("tree", "fetch", slug, "data/deep/a.txt") == "a\n"
    bob("tree", "fetch", slug, "/big.bin", "--out", tmp_path / "big")
    assert (tmp_path / "big").read_bytes() == (package / "big.bin").read_bytes()
    assert "File exists" in bob.error("tree", "fetch", slug, "big.bin", "--out", tmp_path / "big")
    assert "no such file" in bob.error("tree", "fetch", slug, "absent")
    assert "is a folder" in bob.error("tree", "fetch", slug, "data")


def test_pins(alice, bob, host, package):
    slug = f"{host}/alice/app:0.1.0"
    digest = alice.json("package", "publish", slug, package)["digest"]
    bob("package", "fetch", f"{slug}@{digest}")
    wrong = "sha-256:" + "00" * 32
    for command in (("package", "fetch"), ("package", "info"), ("package", "verify"), ("tree", "info")):
        assert "names another digest than the pin" in bob.error(*command, f"{slug}@{wrong}")
    assert "no digest of the pin's algorithm" in bob.error("package", "info", f"{slug}@sha-512:" + "00" * 64)
    assert bob.run("package", "info", slug + "@sha-256:12").returncode == 2
    assert bob.run("package", "publish", slug + "@" + digest, package).returncode == 2


def test_signed_tags(alice, bob, host, package, tmp_path):
    slug = f"{host}/alice/app:0.1.0"
    for curve in ("P-256", "P-384"):
        alice("key", "publisher", "create", "--out", tmp_path / f"{curve}.pem", "--curve", curve)
        assert stat.S_IMODE((tmp_path / f"{curve}.pem").stat().st_mode) == 0o600
        public = alice.json("key", "publisher", "show", tmp_path / f"{curve}.pem")
        (tmp_path / f"{curve}.pub").write_text(public["public_key"])
        assert alice.json("key", "publisher", "show", tmp_path / f"{curve}.pub") == public
    shown = openssl("pkey", "-in", tmp_path / "P-256.pem", "-pubout").decode()
    assert shown == (tmp_path / "P-256.pub").read_text()
    alice("package", "publish", slug, package, "--sign", tmp_path / "P-256.pem")
    good, other = ("--publisher-key", tmp_path / "P-256.pub"), ("--publisher-key", tmp_path / "P-384.pub")
    assert bob.json("package", "info", slug, *good)["signed"] is True
    bob("package", "fetch", slug, *good)
    bob("package", "fetch", slug, "--out", "unasked")  # a signature that nobody asked for is no obstacle
    assert "not signed by this key" in bob.error("package", "fetch", slug, *other, "--out", "refused")
    assert not (bob.home / "refused").exists()
    assert alice.json("package", "publish", slug, package, "--sign", tmp_path / "P-256.pem")["new"] is False
    assert "with a signature; give --sign" in alice.error("package", "publish", slug, package)
    alice("package", "publish", f"{host}/alice/app:0.2.0", package, "--sign", tmp_path / "P-384.pem")
    bob("package", "verify", f"{host}/alice/app:0.2.0", *other)
    alice("package", "publish", f"{host}/alice/app:0.3.0", package)
    assert "is not signed" in bob.error("package", "fetch", f"{host}/alice/app:0.3.0", *good)


def test_keys_that_are_none(alice, tmp_path, host, package):
    (tmp_path / "no.pem").write_text("no key\n")
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", tmp_path / "rsa.pem")
    for name in ("no.pem", "rsa.pem"):
        assert "no key of P-256 or P-384" in alice.error("key", "publisher", "show", tmp_path / name)
        assert "key" in alice.error("package", "publish", f"{host}/alice/app:0.1.0", package, "--sign", tmp_path / name)
    assert alice.run("key", "publisher", "create", "--curve", "P-521").returncode == 2
    (tmp_path / "there.pem").write_text("mine\n")
    assert "File exists" in alice.error("key", "publisher", "create", "--out", tmp_path / "there.pem")
    assert (tmp_path / "there.pem").read_text() == "mine\n"
    assert "BEGIN PRIVATE KEY" in alice("key", "publisher", "create")


def test_yanked_tags_need_a_pin(alice, bob, host, package):
    slug = f"{host}/alice/app:0.1.0"
    digest = alice.json("package", "publish", slug, package)["digest"]
    assert alice("package", "yank", slug, "--reason", "it leaks") == f"{slug}: yanked\n"
    assert "was yanked" in bob.error("package", "fetch", slug)
    assert bob.json("package", "info", slug)["yanked"] is True and "YANKED" in bob("package", "info", slug)
    bob("package", "fetch", f"{slug}@{digest}")
    assert "  0.1.0 (yanked: it leaks)\n" in bob("repo", "info", f"{host}/alice/app")
    assert alice.run("package", "yank", slug, "--undo", "--reason", "x").returncode == 2
    assert alice.json("package", "yank", slug, "--undo") == {"slug": slug, "yanked": False}
    bob("package", "fetch", slug, "--out", "again")


# ---- users and repositories ----

def test_users(alice, bob, bridge, host):
    assert alice.json("user", "info", f"{host}/alice") == {"subject": "local:alice"}
    assert alice("user", "info", f"{host}/alice") == "subject: local:alice\n"
    assert "a token is needed" in bob.error("user", "info", f"{host}/alice")
    assert "token: is missing" in bob.error("user", "register", f"{host}/bob")
    token = bridge.issuer.token(sub="auth|bob")
    assert bob("user", "register", f"{host}/bob", "--insecure-auth-token", token) == f"{host}/bob: registered\n"
    assert bob.json("user", "info", f"{host}/bob", BROCH_INSECURE_AUTH_TOKEN=token) == {"subject": "auth|bob"}
    assert "status 409" in bob.error("user", "register", f"{host}/bob", "--insecure-auth-token", token)
    assert "another token may be needed" in bob.error("repo", "register", f"{host}/alice/x", "--insecure-auth-token", token)
    assert "another token may be needed" in bob.error("user", "info", f"{host}/bob", "--insecure-auth-token", token[:-4] + "AAAA")


def test_repositories(alice, bob, host, package):
    assert alice.json("repo", "info", f"{host}/alice/app") == {"config": {"public": True}, "tags": []}
    assert alice("repo", "register", f"{host}/alice/own", "--private").startswith(f"{host}/alice/own: private")
    for tag in ("0.10.0", "0.2.0"):
        alice("package", "publish", f"{host}/alice/own:{tag}", package)
    assert alice.json("repo", "info", f"{host}/alice/own") == {"config": {"public": False}, "tags": ["0.2.0", "0.10.0"]}
    assert alice("repo", "info", f"{host}/alice/own") == f"{host}/alice/own: private, 2 tags\n  0.2.0\n  0.10.0\n"
    assert "answered with status 401" in bob.error("repo", "info", f"{host}/alice/own")
    assert bob("repo", "list", host) == "alice/app\n" and alice("repo", "list", f"{host}/alice") == "alice/app\nalice/own\n"
    assert bob.json("repo", "list", f"{host}/alice") == ["alice/app"] and bob.json("repo", "list", f"{host}/ali") == []
    assert bob.json("repo", "search", host, "pp") == ["alice/app"] and bob.json("repo", "search", host, "&%/ö") == []
    assert bob.error("package", "fetch", f"{host}/alice/own:0.2.0")
    alice("repo", "visibility", f"{host}/alice/own", "public")
    bob("package", "fetch", f"{host}/alice/own:0.2.0")
    assert bob.json("repo", "list", host) == ["alice/app", "alice/own"]
    alice("repo", "visibility", f"{host}/alice/own", "private")
    assert bob.error("package", "fetch", f"{host}/alice/own:0.10.0")
    assert alice.run("repo", "visibility", f"{host}/alice/own", "secret").returncode == 2


def test_long_lists_come_in_pages(alice, bob, bridge, host):
    alice.run("repo", "register", f"{host}/alice/zzz")
    bridge.stop()
    with contextlib.closing(sqlite3.connect(next((bridge.folder / "store").glob("*.db")))) as db:
        columns = [row[1] for row in db.execute("PRAGMA table_info(repos)")]
        given = ", ".join(name for name in columns if name not in ("id", "name"))
        db.executemany(f"INSERT INTO repos (name, {given}) SELECT ?, {given} FROM repos WHERE name = 'app'",
                       [(f"r{i:04}",) for i in range(2500)])
        db.commit()
    bridge.start()
    names = bob.json("repo", "list", f"localhost:{bridge.port}")
    assert len(names) == 2502 and names == sorted(set(names))


def test_stewards_of_a_repository(alice, bridge, host):
    repo = f"{host}/alice/app"
    assert alice.run("repo", "steward", "add", repo, "ours").returncode == 2
    alice("repo", "steward", "add", repo, "ours", "--ca", bridge.ca, "--technology", "snp", "--technology", "sgx")
    alice("repo", "steward", "add", repo, "test", "--ca", bridge.ca, "--simulated")
    assert alice("repo", "steward", "list", repo) == \
        "ours: snp, sgx\ntest (SIMULATED platforms too)\n"
    assert [steward["name"] for steward in alice.json("repo", "steward", "list", repo)] == ["ours", "test"]
    alice("repo", "steward", "remove", repo, "ours")
    assert [steward["name"] for steward in alice.json("repo", "steward", "list", repo)] == ["test"]
    assert "status 404" in alice.error("repo", "steward", "remove", repo, "ours")
    assert "a Steward's name has" in alice.error("repo", "steward", "remove", repo, "../app")


# ---- who asks ----

def test_the_credential_file_is_for_its_owner_alone(alice, host):
    path = alice.keep_token(host, alice.token, mode=0o640)
    assert "others can read it; 'chmod 600'" in alice.error("user", "info", f"{host}/alice")
    path.chmod(0o600)
    alice("user", "info", f"{host}/alice")
    path.write_text("two words\n")
    assert "what is in it is no token" in alice.error("user", "info", f"{host}/alice")
    path.write_text("\n")
    assert "there is no token in it" in alice.error("user", "info", f"{host}/alice")


def test_the_token_of_another_issuer_has_a_file_of_its_own(alice, host):
    token = alice.keep_token(host, "").unlink() or alice.token
    issuer = "https://auth.example/"
    alice.keep_token("auth.example-" + host, token)
    assert "a token is needed" in alice.error("user", "info", f"{host}/alice")
    alice("user", "info", f"{host}/alice", "--oidc-domain", issuer)
    alice("user", "info", f"{host}/alice", BROCH_OIDC_DOMAIN=issuer)
    moved = alice.home / "elsewhere"
    shutil.move(alice.home / ".config", moved)
    alice("user", "info", f"{host}/alice", "--oidc-domain", issuer, XDG_CONFIG_HOME=str(moved))


def test_credential_helpers(alice, bob, bridge, host, tmp_path):
    helper = tmp_path / "helper"
    helper.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n'
                      f'case $1 in show) cat {tmp_path}/secret;; insert) cat > {tmp_path}/secret;; esac\n')
    helper.chmod(0o755)
    (tmp_path / "secret").write_text(alice.token + "\n")
    bob("user", "info", f"{host}/alice", "--credential-helper", helper)
    bob("user", "info", f"{host}/alice", BROCH_CREDENTIAL_HELPER=str(helper), BROCH_OIDC_DOMAIN="https://auth.example/")
    assert (tmp_path / "asked").read_text() == f"show {host}\nshow auth.example-{host}\n"
    helper.write_text("#!/bin/sh\necho no such secret >&2; exit 3\n")
    said = bob.run("user", "info", f"{host}/alice", "--credential-helper", helper).stderr
    assert said == f"no such secret\nbroch: {helper}: Credential helper failed with exit code 3\n"
    helper.write_text("#!/bin/sh\nkill -9 $$\n")
    assert "Credential helper was killed" in bob.error("user", "info", f"{host}/alice", "--credential-helper", helper)
    assert "No such file" in bob.run("user", "info", f"{host}/alice", "--credential-helper", "/nonexistent").stderr


def test_a_token_can_be_kept(bob, bridge, host, tmp_path):
    token = tmp_path / "token"
    token.write_text(bridge.broch("token", "create", "--user", "bob", "--scope", "all").stdout)
    bob("user", "register", f"{host}/bob", "--token-file", token, "--save")
    kept = bob.home / ".config/broch/credentials" / host
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600 and kept.read_text() == token.read_text()
    assert bob.json("user", "info", f"{host}/bob") == {"subject": "local:bob"}


def test_a_registry_of_another_ca_is_not_believed(build, alice, host, tmp_path):
    stranger = Client(build, tmp_path / "stranger", "/etc/ssl/certs/ca-certificates.crt")
    assert "certificate is not to be trusted" in stranger.error("repo", "list", host)
    (tmp_path / "empty.pem").write_text("")
    assert "the file is empty" in alice.error("repo", "list", host, "--ca-bundle", tmp_path / "empty.pem")
    assert "No such file" in alice.error("repo", "list", host, "--ca-bundle", tmp_path / "absent.pem")


@pytest.mark.parametrize("words, reason", [
    (("package", "info", "alice/app:0.1.0"), "host"),
    (("package", "info", "localhost:1/alice/app"), "tag"),
    (("package", "info", "localhost:1/alice/app:latest"), "tag"),
    (("repo", "info", "localhost:1/alice"), "repo"),
    (("repo", "info", "localhost:1/alice/app:0.1.0"), "more than is asked for"),
    (("user", "info", "localhost:1/al%2fice"), "user"),
    (("repo", "list", "local host"), "host"),
    (("package", "info", "localhost:1/../app:0.1.0"), "user"),
])
def test_what_is_no_slug(bob, words, reason):
    done = bob.run(*words)
    assert done.returncode == 2 and reason in done.stderr, done.stderr


def test_what_to_do_next(alice, bob, bridge, host, package):
    """What fails says what may help."""
    assert "Repository does not exist; 'broch repo register" in \
        alice.error("package", "publish", f"{host}/alice/none:0.1.0", package)
    assert "Not found; 'broch repo info" in bob.error("package", "fetch", f"{host}/alice/app:0.1.0")
    token = bridge.broch("token", "create", "--user", "carol", "--scope", "all").stdout.strip()
    assert "User `carol` not found; another token may be needed, or 'broch user register'" in \
        bob.error("repo", "register", f"{host}/carol/app", "--insecure-auth-token", token)


def test_nobody_there(bob):
    assert "no connection to a server" in bob.error("repo", "list", "localhost:1")
    assert json.loads(bob.run("repo", "list", "localhost:1", "--json").stdout)["error"].startswith("localhost:1: ")


# ---- folders ----

def test_what_is_left_out(alice, bob, host, package):
    for name in ("a.o", "keep.o", "data/b.o", "build/x", "data/build/y", "notes/z", "data/notes"):
        (package / name).parent.mkdir(exist_ok=True)
        (package / name).write_text(name)
    (package / ".brochignore").write_text("# objects\n*.o\n!keep.o\n/build\nnotes/\n\ndata/deep \r\n")
    alice("package", "publish", f"{host}/alice/app:0.1.0", package)
    bob("package", "fetch", f"{host}/alice/app:0.1.0")
    assert set(contents(bob.home / "app-0.1.0")) == {"Keep.toml", "big.bin", "data/build/y", "data/notes", "empty",
                                                     "keep.o", "main.wasm"}


def change_package(package, kind):
    if kind == "no module":
        (package / "main.wasm").unlink()
    elif kind == "no wasm":
        (package / "main.wasm").write_text("#!/bin/sh\n")
    elif kind == "bad config":
        (package / "Keep.toml").write_text("argz = []\n")
    elif kind == "two configs":
        (package / "Enarx.toml").write_text("")
    elif kind == "space":
        (package / "a b").write_text("")
    elif kind == "umlaut":
        (package / "ä").write_text("")
    elif kind == "pipe":
        os.mkfifo(package / "pipe")
    elif kind == "link out":
        (package / "out").symlink_to("/etc/passwd")
    elif kind == "link up":
        (package / "up").symlink_to("../alice/secret")
    elif kind == "dangling":
        (package / "data/none").symlink_to("absent")
    elif kind == "link to a folder":
        (package / "data/loop").symlink_to("..")
    elif kind == "deep":
        (package / "/".join(["d"] * 65)).mkdir(parents=True)


@pytest.mark.parametrize("kind, reason", [
    ("no module", "main.wasm: is missing"), ("no wasm", "main.wasm: is no WebAssembly module"),
    ("bad config", "Keep.toml:1:1: "), ("two configs", "Keep.toml: is there beside Enarx.toml"),
    ("space", "a b: a name in a package has letters"), ("umlaut", "a name in a package has letters"),
    ("pipe", "pipe: neither a file nor a folder"), ("link out", "out: a link that leads out of the folder"),
    ("link up", "up: a link that leads out of the folder"), ("dangling", "data/none: No such file"),
    ("link to a folder", "data/loop: a link to a folder"), ("deep", "deeper than 64")])
def test_what_is_no_package(alice, host, package, kind, reason):
    (alice.home / "secret").write_text("mine")
    change_package(package, kind)
    assert reason in alice.error("package", "publish", f"{host}/alice/app:0.1.0", package)
    assert alice.json("repo", "info", f"{host}/alice/app")["tags"] == []


def test_links_to_files_inside_are_followed(alice, bob, host, package):
    (package / "data/link").symlink_to("../Keep.toml")
    alice("package", "publish", f"{host}/alice/app:0.1.0", package)
    bob("package", "fetch", f"{host}/alice/app:0.1.0")
    assert (bob.home / "app-0.1.0/data/link").read_text() == 'args = ["x"]\n'


def test_folders_that_differ(alice, host, package):
    slug = f"{host}/alice/app:0.1.0"
    alice("package", "publish", slug, package)
    (package / "data/more").write_text("")
    assert "data/more: is here, and not in the registry's tree" in alice.error("package", "verify", slug, package)
    (package / "data/more").unlink()
    (package / "empty").unlink()
    assert "empty: is in the registry's tree, and not here" in alice.error("package", "verify", slug, package)
    (package / "empty").write_text("x")
    assert "empty: differs" in alice.error("package", "verify", slug, package)
    (package / "empty").unlink()
    (package / "empty").mkdir()
    assert "empty: is a folder on one side" in alice.error("package", "verify", slug, package)


# ---- interrupted ----

def test_tags_do_not_change(alice, bridge, host, package):
    slug = f"{host}/alice/app:0.1.0"
    alice("package", "publish", slug, package)
    (package / "empty").write_text("no more")
    said = alice.error("package", "publish", slug, package)
    assert "it is there already with other content" in said
    assert "tags do not change; choose another version" in alice.error("package", "publish", slug, package, "--restart")


def test_an_interrupted_publish_goes_on_or_is_taken_back(alice, bob, bridge, host, package):
    slug, path = f"{host}/alice/app:0.1.0", "alice/app/_tag/0.1.0"
    directory = compact({"main.wasm": entry(MODULE, "application/wasm")})
    bridge.put(path, alice.token, compact(entry(directory, DIRECTORY)), ENTRY)
    assert "--restart takes it back" in alice.error("package", "publish", slug, package)
    assert alice.json("package", "publish", slug, package, "--restart")["new"] is True
    bob("package", "fetch", slug)
    # one that is the same goes on where it was
    slug = f"{host}/alice/app:0.2.0"
    nodes = alice.json("tree", "digest", package)
    assert bridge.put("alice/app/_tag/0.2.0", alice.token, compact(nodes), ENTRY) == (201, "")
    assert alice.json("package", "publish", slug, package)["new"] is True
    bob("package", "verify", slug, package)


def test_an_interrupted_fetch_goes_on(alice, bob, host, package, tmp_path):
    slug = f"{host}/alice/app:0.1.0"
    digest = alice.json("package", "publish", slug, package)["digest"]
    part = tmp_path / f"got.{digest[8:24]}.part"
    part.mkdir()
    big = (package / "big.bin").read_bytes()
    (part / "big.bin").write_bytes(big[:1000003])
    (part / "main.wasm").write_bytes(MODULE)
    bob("package", "fetch", slug, "--out", tmp_path / "got")
    assert contents(tmp_path / "got") == contents(package) and not part.exists()


def test_what_an_interrupted_fetch_left_is_checked(alice, bob, host, package, tmp_path):
    slug = f"{host}/alice/app:0.1.0"
    digest = alice.json("package", "publish", slug, package)["digest"]
    part, out = tmp_path / f"got.{digest[8:24]}.part", tmp_path / "got"
    part.mkdir()
    (part / "big.bin").write_bytes(b"\xff" * 5000)  # no beginning of it
    assert "what an earlier fetch left of it was wrong" in bob.error("package", "fetch", slug, "--out", out)
    assert not out.exists()
    (part / "main.wasm").write_bytes(b"\0asm\x02\0\0\0")    # whole, and wrong
    (part / "empty").write_bytes(b"not empty")              # too long
    bob("package", "fetch", slug, "--out", out)
    assert contents(out) == contents(package)


def test_an_interrupted_fetch_is_gone_on_with_by_no_link(alice, bob, host, package, tmp_path):
    """Somebody put links where it will go on: what they lead to stays as it is."""
    slug = f"{host}/alice/app:0.1.0"
    digest = alice.json("package", "publish", slug, package)["digest"]
    part = tmp_path / f"got.{digest.partition(':')[2][:16]}.part"
    outside = tmp_path / "outside"
    for link, leads_to in (("data/deep", outside), ("data", outside), ("big.bin", outside / "big")):
        shutil.rmtree(part, ignore_errors=True)
        (part / link).parent.mkdir(parents=True)
        (outside / "deep").mkdir(parents=True, exist_ok=True)
        (part / link).symlink_to(leads_to)
        assert bob.run("package", "fetch", slug, "--out", tmp_path / "got").returncode == 1
        assert contents(outside) == {} and not (tmp_path / "got").exists()


def test_an_unfinished_fetch_of_somebody_else(alice, bob, host, package, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    slug = f"{host}/alice/app:0.1.0"
    digest = alice.json("package", "publish", slug, package)["digest"]
    part = tmp_path / f"got.{digest.partition(':')[2][:16]}.part"
    part.mkdir()
    os.chown(part, 65534, 65534)
    assert "is somebody else's" in bob.error("package", "fetch", slug, "--out", tmp_path / "got")


@pytest.mark.parametrize("name", ["surplus", "data/surplus", "data/deep/.hidden"])
def test_surplus_files_are_refused(alice, bob, host, package, tmp_path, name):
    slug = f"{host}/alice/app:0.1.0"
    digest = alice.json("package", "publish", slug, package)["digest"]
    planted = tmp_path / f"got.{digest[8:24]}.part" / name
    planted.parent.mkdir(parents=True)
    planted.write_text("x")
    assert f"{name}: is no part of the package" in bob.error("package", "fetch", slug, "--out", tmp_path / "got")
    assert not (tmp_path / "got").exists()


def test_where_a_package_may_go(alice, bob, host, package, tmp_path):
    slug, out = f"{host}/alice/app:0.1.0", tmp_path / "got"
    digest = alice.json("package", "publish", slug, package)["digest"]
    out.mkdir()
    (out / "mine").write_text("x")
    assert "it is there, and not empty" in bob.error("package", "fetch", slug, "--out", out)
    assert contents(out) == {"mine": b"x"}
    (out / "mine").unlink()
    bob("package", "fetch", slug, "--out", str(out) + "/")
    assert contents(out) == contents(package)
    part = tmp_path / f"other.{digest[8:24]}.part"
    part.mkdir()
    with open(part / "../lock", "w", encoding="ascii"):
        fd = os.open(part, os.O_RDONLY)
        fcntl.flock(fd, fcntl.LOCK_EX)
        assert "another fetch is at work" in bob.error("package", "fetch", slug, "--out", tmp_path / "other")
        os.close(fd)
    part.rmdir()
    part.symlink_to(out)
    assert bob.error("package", "fetch", slug, "--out", tmp_path / "other")


# ---- registries that lie ----

class Liar(ForeignRegistry):
    """Serves a small package truly, but for what a test puts into `lies`."""

    def __init__(self, folder):
        self.files = {"main.wasm": MODULE, "data/a.txt": b"a\n"}
        data = compact({"a.txt": entry(b"a\n", "text/plain")})
        root = compact({"data": entry(data, DIRECTORY), "main.wasm": entry(MODULE, "application/wasm")})
        self.base = "/api/v0.1.0/alice/app/_tag/0.1.0"
        self.true = {"": compact(entry(root, DIRECTORY)), "/tree": root, "/tree/data": data,
                     "/tree/data/a.txt": b"a\n", "/tree/main.wasm": MODULE}
        self.lies, self.asked = {}, []
        super().__init__(folder, self.answer)
        self.slug = f"{self.host}/alice/app:0.1.0"

    def answer(self, request):
        self.asked.append(request)
        path = request.path.removeprefix(self.base)
        if path in self.lies:
            lie = self.lies[path]
            return lie(request) if callable(lie) else (200, {}, lie)
        return (200, {}, self.true[path]) if path in self.true else (404, {}, b"")


@pytest.fixture(name="liar")
def fixture_liar(tmp_path):
    liar = Liar(tmp_path)
    yield liar
    liar.close()


@pytest.fixture(name="victim")
def fixture_victim(build, tmp_path, liar):
    return Client(build, tmp_path / "victim", liar.ca)


def test_any_registry_of_that_protocol_will_do(victim, liar):
    victim("package", "fetch", liar.slug)
    assert contents(victim.home / "app-0.1.0") == liar.files


def directory(**items):
    return compact({name.replace("_", "."): entry(content, media) for name, (content, media) in items.items()})


@pytest.mark.parametrize("path, lie, reason", [
    ("", b"no tag", "localhost"),
    ("", compact({"digest": {}, "length": 1, "type": DIRECTORY}), "localhost"),
    ("/tree", b"{}", "the tree's root: "),
    ("/tree/data", b"{}", "data: "),
    ("/tree/data", directory(b_txt=(b"b", "text/plain")), "data: "),
    ("/tree/main.wasm", MODULE[:-1], "main.wasm: "),
    ("/tree/main.wasm", MODULE + b"\0", "main.wasm: the registry sends more than its entry says"),
    ("/tree/main.wasm", b"\0asm\x02\0\0\0", "main.wasm: "),
    ("/tree/data/a.txt", b"", "data/a.txt: "),
    ("/tree/data/a.txt", lambda request: (404, {}, b""), "status 404"),
    ("/tree/data/a.txt", lambda request: (302, {"Location": "https://localhost/"}, b""), "status 302"),
    ("/tree/data/a.txt", lambda request: (206, {"Content-Range": "bytes 1-1/2"}, b"\n"), "data/a.txt: "),
    ("/tree/main.wasm", lambda request: (200, {"Content-Length": "4096", "Connection": "close"}, MODULE), "main.wasm: "),
])
def test_no_wrong_byte_is_taken(victim, liar, path, lie, reason):
    liar.lies[path] = lie
    assert reason in victim.error("package", "fetch", liar.slug)
    assert reason in victim.error("package", "verify", liar.slug)
    assert not (victim.home / "app-0.1.0").exists()
    if path.startswith("/tree/"):
        assert victim.error("tree", "fetch", liar.slug, path[6:]) and victim.run(
            "tree", "fetch", liar.slug, path[6:]).stdout == ""
    liar.lies.clear()  # and what was wrong is not in the way
    if victim.run("package", "fetch", liar.slug).returncode != 0:
        victim("package", "fetch", liar.slug)
    assert contents(victim.home / "app-0.1.0") == liar.files


@pytest.mark.parametrize("name", ["..", ".", "a/b", "", "a b", "a\0b", "x" * 256, "/etc"])
def test_names_that_lead_elsewhere(victim, liar, name):
    root = compact({name: entry(MODULE, "application/wasm")})
    liar.lies.update({"": compact(entry(root, DIRECTORY)), "/tree": root})
    assert "the tree's root: " in victim.error("package", "fetch", liar.slug)
    assert os.listdir(victim.home) == []


def test_names_that_are_there_twice(victim, liar):
    one = json.dumps(entry(MODULE, "application/wasm"))
    root = f'{{"a":{one},"a":{one}}}'.encode()
    liar.lies.update({"": compact(entry(root, DIRECTORY)), "/tree": root})
    assert "the tree's root: " in victim.error("package", "fetch", liar.slug)


def test_trees_without_end(victim, liar):
    """Directories that are deeper than any tree may be."""
    inner, lies = compact({}), {}
    for depth in range(66, -1, -1):
        lies["/tree" + "/d" * depth] = inner
        inner = compact({"d": entry(inner, DIRECTORY)})
    root = lies["/tree"]
    liar.lies.update({**lies, "": compact(entry(root, DIRECTORY))})
    assert "larger or deeper than can be taken" in victim.error("package", "fetch", liar.slug)


def test_a_registry_without_ranges(victim, liar):
    digest = sha256(liar.true["/tree"])[:16]
    part = victim.home / f"app-0.1.0.{digest}.part"
    part.mkdir()
    (part / "main.wasm").write_bytes(MODULE[:3])
    victim("package", "fetch", liar.slug)
    assert any(request.headers.get("Range") == "bytes=3-" for request in liar.asked)
    assert contents(victim.home / "app-0.1.0") == liar.files


def test_a_registry_that_is_busy_is_asked_again(victim, liar):
    answers = iter([(503, {}, b""), (429, {}, b"")])
    liar.lies["/tree/main.wasm"] = lambda request: next(answers, (200, {}, MODULE))
    victim("package", "fetch", liar.slug)
    assert contents(victim.home / "app-0.1.0") == liar.files


def test_what_a_registry_says_is_not_obeyed_by_terminals(victim, liar):
    liar.lies[""] = lambda request: (400, {}, compact({"error": {"code": "x", "message": "\x1b[2Jgone"}}))
    said = victim.error("package", "fetch", liar.slug)
    assert "status 400" in said and "\x1b" not in said


def test_no_token_goes_elsewhere(build, liar, victim, tmp_path):
    """A redirect is not followed; the token goes to the slug's host alone."""
    (tmp_path / "other").mkdir()
    other = ForeignRegistry(tmp_path / "other", lambda request: (200, {}, b"{}"))
    seen = []
    liar.lies[""] = lambda request: (seen.append(request.headers.get("Authorization")),
                                     (307, {"Location": f"https://{other.host}{request.path}"}, b""))[1]
    assert "status 307" in victim.error("package", "info", liar.slug, "--insecure-auth-token", "secret")
    assert seen == ["Bearer secret"]
    other.close()


# ---- progress ----

def on_terminal(client, *words):
    """What a command shows on a terminal."""
    leader, follower = pty.openpty()
    shown = b""
    with subprocess.Popen([client.broch, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=follower,
                          cwd=client.home, env=client.env) as process:
        os.close(follower)
        while select.select([leader], [], [], 60)[0]:
            try:
                part = os.read(leader, 4096)
            except OSError:
                break
            shown += part
            if not part:
                break
        assert process.wait(60) == 0
    os.close(leader)
    return shown.decode()


def test_progress_on_terminals(alice, host, package):
    with open(package / "huge", "wb") as file:
        for i in range(600):
            file.write(bytes([i & 255]) * (1 << 20))
    shown = on_terminal(alice, "package", "publish", f"{host}/alice/app:0.1.0", package)
    assert re.search(r"\rhashing \d+\.\d MiB, \d+\.\d MiB/s", shown)
    assert re.search(r"\ruploading \d+\.\d MiB of 603\.\d MiB, \d+\.\d [KMG]iB/s, \d+:\d\d left", shown), shown
    assert shown.endswith("\r\x1b[K")
    assert on_terminal(alice, "package", "publish", f"{host}/alice/app:0.1.0", package, "--json") == ""


# ---- many, large, and killed ----

def test_a_thousand_small_files(alice, bob, host, package):
    for i in range(1000):
        (package / f"data/f{i}").write_text(f"file {i}\n")
    alice("package", "publish", f"{host}/alice/app:0.1.0", package)
    bob("package", "fetch", f"{host}/alice/app:0.1.0")
    assert contents(bob.home / "app-0.1.0") == contents(package)


def test_the_server_is_killed_at_any_point_of_a_publish(alice, bob, bridge, host, package):
    """A hundred times; after each start the store is clean, and the same publish ends well."""
    rng = random.Random(20230204)
    for i in range(40):
        (package / f"data/f{i}").write_bytes(bytes([i]) * rng.randrange(1, 200000))
    begin = time.monotonic()
    alice("package", "publish", f"{host}/alice/app:0.0.1", package)
    usual = time.monotonic() - begin
    for i in range(100):
        (package / "empty").write_text(f"publish {i}")
        slug = f"/alice/app:1.0.{i}"
        publish = alice.start("package", "publish", f"localhost:{bridge.port}{slug}", package)
        time.sleep(rng.uniform(0, usual * 1.1))
        bridge.kill()
        publish.kill()
        publish.communicate()
        bridge.start()
        alice.keep_token(f"localhost:{bridge.port}", alice.token)
        status, report = bridge.fsck()
        assert status == 0, report
        alice("package", "publish", f"localhost:{bridge.port}{slug}", package)
    status, report = bridge.fsck()
    assert status == 0, report
    bob("package", "verify", f"localhost:{bridge.port}/alice/app:1.0.99", package)


def test_a_client_is_killed_at_any_point_of_a_fetch(alice, bob, host, package, tmp_path):
    slug = f"{host}/alice/app:0.1.0"
    alice("package", "publish", slug, package)
    for i in range(20):
        fetch = bob.start("package", "fetch", slug, "--out", tmp_path / "got")
        time.sleep(0.002 * i)
        fetch.send_signal(signal.SIGKILL)
        fetch.communicate()
    if not (tmp_path / "got").exists():
        bob("package", "fetch", slug, "--out", tmp_path / "got")
    assert contents(tmp_path / "got") == contents(package)


def test_a_file_of_a_gibibyte(alice, bob, bridge, host, package):
    """Published and fetched in memory that does not grow with it."""
    with open(package / "huge", "wb") as file:
        block = os.urandom(1 << 20)
        for i in range(1024):
            file.write(bytes([i & 255]) + block[1:])
    alice("package", "publish", f"{host}/alice/app:0.1.0", package)
    bob("package", "verify", f"{host}/alice/app:0.1.0")
    peak = int(re.search(r"VmHWM:\s+(\d+) kB",
                         (open(f"/proc/{bridge.process.pid}/status", encoding="ascii")).read()).group(1))
    assert peak < 64 << 10, peak


# ---- a registry of one's own ----

@pytest.mark.parametrize("given, name", [("localhost:0", "localhost"), ("127.0.0.1:0", "127.0.0.1")])
def test_a_registry_in_a_minute(build, tmp_path, package, given, name):
    """As docs/packages.md shows it."""
    client = Client(build, tmp_path / "home", tmp_path / "registry/root.pem")
    said = client("drawbridge", "init", "../registry", "--host", given)
    assert "broch-drawbridge --config ../registry/drawbridge.toml" in said
    folder = tmp_path / "registry"
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {
        "root.pem": 0o644, "server.pem": 0o644, "drawbridge.toml": 0o644, "root-key.pem": 0o600, "server-key.pem": 0o600}
    openssl("verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", folder / "root.pem", folder / "server.pem")
    assert "in use already" in client.error("drawbridge", "init", "../registry")
    config = folder / "drawbridge.toml"
    config.write_text(config.read_text().replace("[::]", "127.0.0.1"))
    with subprocess.Popen([build / "src/cli/broch-drawbridge", "--config", config], stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.DEVNULL) as server:
        host = name + ":" + server.stdout.readline().strip().rpartition(":")[2]
        token = client("drawbridge", "token", "create", "--config", config, "--user", "alice", "--scope", "all")
        client.keep_token(host, token.strip())
        client("user", "register", f"{host}/alice")
        client("repo", "register", f"{host}/alice/app")
        client("package", "publish", f"{host}/alice/app:0.1.0", package)
        client("package", "fetch", f"{host}/alice/app:0.1.0")
        server.terminate()
        assert server.wait(30) == 0
    assert contents(client.home / "app-0.1.0") == contents(package)


@pytest.mark.parametrize("wrong", ["a b", "x:99999", "", "a,b", "a/b"])
def test_hosts_that_are_none(bob, wrong):
    assert "host" in bob.error("drawbridge", "init", "new", "--host", wrong)
    assert not (bob.home / "new").exists()
