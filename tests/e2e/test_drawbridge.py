"""The Drawbridge over HTTP, as Enarx's clients, curl and others find it."""
import base64
import concurrent.futures
import contextlib
import hashlib
import json
import os
import pathlib
import re
import resource
import signal
import socket
import sqlite3
import subprocess
import time

import pytest

from drawbridge_host import (DIRECTORY, ENTRY, Drawbridge, base64_digest, base64url, compact, content_digest,
                             entry, openssl)
from steward_host import wait_for

FILES = {"Enarx.toml": (b"steward = 'https://steward.example'\n", "application/toml"),
         "main.wasm": (b"\0asm\x01\0\0\0", "application/wasm")}
TAG = "alice/app/_tag/0.1.0"


@pytest.fixture(name="bridge")
def fixture_bridge(build, tmp_path):
    bridge = Drawbridge(build, tmp_path).start()
    yield bridge
    if bridge.process is not None:
        bridge.stop()


@pytest.fixture(name="token")
def fixture_token(bridge):
    return bridge.issuer.token()


# ---- the table of the protocol ----

def test_health_takes_any_method(bridge):
    for method in ("GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"):
        assert bridge.request(method, "/health")[0] == 200


@pytest.mark.parametrize("path,status", [
    ("/", 404), ("/nothing", 404), ("/api/v1/alice", 400), ("/api/v0.5.0/alice", 501), ("/api/v1.0.0/alice", 501),
    ("/api/v0.4.9/alice", 401), ("/api/v0.0.1/alice", 401), ("/api/v0.1.0/al-ice", 400),
    ("/api/v0.1.0/alice/a_b", 400), ("/api/v0.1.0/alice/app/tags", 404), ("/api/v0.1.0/alice/app/_tag/1.0", 400),
    ("/api/v0.1.0/alice/app/_tag/0.1.0/tree/..", 400), ("/api/v0.1.0/alice/app/_tag/0.1.0/tree/a%2fb", 400),
    ("/api/v0.1.0/alice/app/_tag/0.1.0/tree/a%00", 400),
    ("/api/v0.1.0/alice/app/_tag/0.1.0/tree/" + "a" * 300, 400)])
def test_paths(bridge, path, status):
    answer, headers, body = bridge.request("GET", path)
    assert answer == status
    assert json.loads(body)["error"]["message"]
    assert (headers["WWW-Authenticate"] == "Bearer") == (status == 401)


@pytest.mark.parametrize("method,path", [
    ("POST", "alice"), ("DELETE", "alice"), ("DELETE", "alice/app"), ("PUT", "alice/app/_tag"),
    ("POST", TAG), ("DELETE", TAG + "/tree"), ("PATCH", TAG + "/tree/main.wasm")])
def test_other_methods(bridge, method, path):
    assert bridge.request(method, path, body=b"{}")[0] == 405


def test_users(bridge, token):
    record = compact({"subject": "auth|alice"})
    assert bridge.request("GET", "alice", token)[0] == 401  # there is none
    assert bridge.put("alice", None, record) == (401, "unauthorized")
    assert bridge.put("alice", token, compact({"subject": "auth|bob"})) == (401, "unauthorized")
    assert bridge.put("alice", token, record) == (201, "")
    assert bridge.put("alice", token, record) == (409, "exists")
    assert bridge.put("alice2", token, record, digest=None) == (201, "")  # a digest is optional here
    status, headers, body = bridge.request("GET", "alice", token)
    assert (status, body) == (200, record)
    assert headers["Content-Type"] == "application/json"
    assert headers["Content-Digest"] == content_digest(record)
    assert bridge.request("HEAD", "alice", token)[0] == 200
    assert bridge.request("GET", "alice")[0] == 401
    assert bridge.request("GET", "alice", bridge.issuer.token(sub="auth|bob"))[0] == 401


@pytest.mark.parametrize("body,media,status", [
    (b"{}", "text/plain", 415), (b"{", "application/json", 400), (b"{}", "application/json", 422),
    (b'{"subject":""}', "application/json", 422), (b'{"subject":"auth|alice","x":1}', "application/json", 422),
    (b'{"subject":"a","subject":"auth|alice"}', "application/json", 400), (b"[]", "application/json", 422),
    (b"x" * 70000, "application/json", 413)])
def test_bad_records(bridge, token, body, media, status):
    assert bridge.put("alice", token, body, media)[0] == status
    assert bridge.put("alice", token, compact({"subject": "auth|alice"})) == (201, "")


def test_repositories(bridge, token):
    public = compact({"public": True})
    assert bridge.put("alice/app", token, public) == (401, "unauthorized")  # no such user
    bridge.register(token, repos=())
    assert bridge.request("GET", "alice/app", token)[0] == 404
    assert bridge.put("alice/app", bridge.issuer.token(sub="auth|bob"), public) == (401, "unauthorized")
    assert bridge.put("alice/app", token, b'{"public":1}') == (422, "wrong-shape")
    assert bridge.put("alice/app", token, public) == (201, "")
    assert bridge.put("alice/app", token, public) == (409, "exists")
    status, headers, body = bridge.request("GET", "alice/app", token)
    assert (status, body, headers["Content-Type"]) == (200, public, "application/json")
    assert bridge.request("GET", "alice/app")[0] == 401  # even of a public one


def test_tags_and_trees(bridge, token):
    bridge.register(token)
    assert bridge.request("GET", "alice/none/_tag")[0] == 404
    assert bridge.request("GET", TAG)[0] == 404
    tag, directory = bridge.publish(token, TAG, FILES)
    assert bridge.request("GET", "alice/app/_tag")[2] == b'["0.1.0"]'
    expected = {"": (tag, ENTRY), "/tree": (directory, DIRECTORY), "/tree/": (directory, DIRECTORY),
                **{"/tree/" + name: value for name, value in FILES.items()}}
    for path, (content, media) in expected.items():
        for method in ("GET", "HEAD"):
            status, headers, body = bridge.request(method, TAG + path)
            assert (status, headers["Content-Type"], headers["Content-Length"]) == (200, media, str(len(content)))
            assert headers["Content-Digest"] == content_digest(content)
            assert body == (content if method == "GET" else b"")
    assert bridge.request("GET", TAG + "/tree/none")[0] == 404
    assert bridge.put(TAG, token, tag, ENTRY) == (409, "exists")
    assert bridge.put(TAG + "/tree", token, directory, DIRECTORY) == (409, "exists")
    assert bridge.fsck() == (0, {"tags": 1, "nodes": 3, "files": 3, "bytes": len(directory) + 44, "unreferenced": 0,
                                 "faults": 0})


def test_private_repositories(bridge, token):
    bridge.register(token, public=False)
    bridge.publish(token, TAG, FILES)
    for path in ("alice/app/_tag", TAG, TAG + "/tree", TAG + "/tree/main.wasm"):
        assert bridge.request("GET", path)[0] == 401
        assert bridge.request("GET", path, bridge.issuer.token(sub="auth|bob"))[0] == 401
        assert bridge.request("GET", path, token)[0] == 200
    assert bridge.request("PATCH", "alice/app", token, b'{"public":true}', Content_Type="application/json")[0] == 204
    assert bridge.request("GET", TAG + "/tree/main.wasm")[0] == 200
    assert bridge.request("PATCH", "alice/app", token, b'{"public":false}', Content_Type="application/json")[0] == 204
    assert bridge.request("GET", TAG + "/tree/main.wasm")[0] == 401


def test_digests_are_wanted_and_checked(bridge, token):
    bridge.register(token)
    tag = compact(entry(b"x", "application/wasm"))
    assert bridge.put(TAG, token, tag, ENTRY, digest=None) == (400, "digest-missing")
    assert bridge.put(TAG, token, tag, ENTRY, digest=content_digest(b"other")) == (400, "digest-mismatch")
    assert bridge.put(TAG, token, tag, ENTRY, digest="md5=:AAAA:") == (400, "malformed")
    assert bridge.put(TAG, token, tag, "text/plain") == (400, "malformed")
    assert bridge.put(TAG, token, b"{}", ENTRY) == (400, "malformed")
    assert bridge.put(TAG, token, tag, ENTRY, digest=content_digest(tag).upper().split(",")[0].replace(
        base64_digest("224", tag).upper(), base64_digest("224", tag))) == (201, "")


@pytest.mark.parametrize("method, path, body, media, wanted", [
    ("GET", "alice", None, None, "read users"), ("HEAD", "alice", None, None, "read users"),
    ("PUT", "alice", {"subject": "auth|alice"}, "application/json", "write users"),
    ("GET", "alice/app", None, None, "read repositories"), ("HEAD", "alice/app", None, None, "read repositories"),
    ("PUT", "alice/new", {"public": True}, "application/json", "write repositories"),
    ("PATCH", "alice/app", {"public": False}, "application/json", "write repositories"),
    ("GET", "alice/app/_tag", None, None, "read repositories"), ("GET", TAG, None, None, "read repositories"),
    ("HEAD", TAG, None, None, "read repositories"), ("GET", TAG + "/tree", None, None, "read repositories"),
    ("HEAD", TAG + "/tree", None, None, "read repositories"),
    ("GET", TAG + "/tree/main.wasm", None, None, "read repositories"),
    ("PUT", "alice/app/_tag/1.0.0", entry(b"", "a/b"), ENTRY, "write tags"),
    ("PUT", "alice/app/_tag/9.0.0/tree", {}, DIRECTORY, "write tags"),
    ("DELETE", "alice/app/_tag/9.0.0", None, None, "write tags"),
    ("GET", "alice/app/_tag/9.0.0/_missing", None, None, "read tags"),
    ("PUT", TAG + "/_yank", {"yanked": True}, "application/json", "write tags"),
    ("GET", "_repositories?user=alice", None, None, "read repositories"),
    ("GET", "alice/app/_steward", None, None, "read repositories"),
    ("DELETE", "alice/app/_steward/ours", None, None, "write repositories")])
def test_who_may(bridge, token, method, path, body, media, wanted):
    """The column "Auth" of the protocol's table, for a private repository: the owner, with the scope of the row and no
    other."""
    bridge.register(token, public=False)
    bridge.publish(token, TAG, FILES)
    assert bridge.put("alice/app/_tag/9.0.0", token, compact(entry(b"{}", DIRECTORY)), ENTRY) == (201, "")
    content = compact(body) if body is not None else None
    level, context = wanted.split()
    issue = bridge.issuer.token

    def ask(token):
        digest = content_digest(content) if content is not None else None
        return bridge.request(method, path, token, content, Content_Type=media, Content_Digest=digest)[0]
    every = {f"{verb}:drawbridge_{noun}": (verb, noun)
             for noun in ("users", "repositories", "tags") for verb in ("read", "write", "manage")}
    good = [scope for scope, (verb, noun) in every.items() if noun == context and verb in (level, "manage")]
    bad = " ".join(scope for scope in every if scope not in good)
    assert ask(None) == ask(issue(scope=bad)) == ask(issue(scope="openid")) == 401
    assert ask(issue(scope=" ".join(every), sub="auth|bob")) == 401
    for scope in good:
        assert ask(issue(scope="openid " + scope)) != 401


def test_a_publishers_token_finds_what_it_began(bridge, token):
    """It has the scope of tags alone."""
    bridge.register(token)
    publisher = bridge.issuer.token(scope="manage:drawbridge_tags")
    tag = compact(entry(b"{}", DIRECTORY))
    assert bridge.put(TAG, publisher, tag, ENTRY) == (201, "")
    assert bridge.request("GET", TAG, publisher)[2] == tag
    assert bridge.request("GET", "alice/app/_tag", publisher)[2] == b'["0.1.0"]'
    assert bridge.request("GET", TAG, bridge.issuer.token(scope="manage:drawbridge_users"))[0] == 404


def test_headers_of_uploads(bridge, token):
    """Length and type belong to each PUT, whatever it puts."""
    bridge.register(token)
    bridge.publish(token, "alice/app/_tag/9.0.0", FILES)
    tag = compact(entry(b"{}", DIRECTORY))

    def curl(path, body, *headers):
        done = subprocess.run(["curl", "-s", "-w", "\n%{http_code}", "--cacert", bridge.ca, "-X", "PUT", "--data-binary", body,
                               "-H", f"Authorization: Bearer {token}", *(word for h in headers for word in ("-H", h)),
                               f"{bridge.url}/api/v0.1.0/{path}"], check=True, capture_output=True, text=True, timeout=60)
        answer, _, status = done.stdout.rpartition("\n")
        return int(status), json.loads(answer)["error"]["message"] if answer else ""
    for path, body, media in (("bob", b'{"subject":"auth|alice"}', "application/json"),
                              ("alice/other", b'{"public":true}', "application/json"), (TAG, tag, ENTRY),
                              (TAG + "/tree", b"{}", DIRECTORY)):
        digest = "Content-Digest: " + content_digest(body)
        assert curl(path, body, digest, "Content-Type:") == (400, "the header Content-Type is missing, or is no media type")
        assert curl(path, body, digest, "Content-Type: " + media, "Transfer-Encoding: chunked") == \
            (400, "the header Content-Length is missing")
        assert curl(path, body, "Content-Type: " + media, "Content-Digest: sha-256")[0] == 400
        assert curl(path, body, "Content-Type: " + media, "Content-Digest: " + "x" * 5000)[0] == 400
        assert curl(path, body, digest, "Content-Type: " + media) == (201, "")


def test_a_disk_that_fails(bridge, token):
    """500 says so, without a path; the log has it. What was asked for is had again when the disk is well."""
    bridge.register(token)
    bridge.publish(token, TAG, {"main.wasm": (bytes(20000), "application/wasm")})
    name = hashlib.sha256(bytes(20000)).hexdigest()
    blob = bridge.folder / "store/blobs" / name[:2] / name
    blob.rename(blob.with_suffix(".away"))
    status, _, body = bridge.request("GET", TAG + "/tree/main.wasm")
    assert (status, json.loads(body)["error"]["code"]) == (500, "internal")
    assert "store" in json.loads(body)["error"]["message"] and str(bridge.folder) not in body.decode()
    assert "the store has lost a file" in bridge.log()
    blob.with_suffix(".away").rename(blob)
    assert bridge.request("GET", TAG + "/tree/main.wasm")[0] == 200


def test_a_disk_that_is_full(bridge, token):
    """As far as the server can tell: files have a limit. Nothing is left, and the upload can be repeated."""
    bridge.register(token)
    content = os.urandom(3 << 20)
    assert bridge.put(TAG, token, compact(entry(content, "a/b")), ENTRY) == (201, "")
    resource.prlimit(bridge.process.pid, resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
    assert bridge.put(TAG + "/tree", token, content, "a/b") == (500, "internal")
    assert list((bridge.folder / "store/new").iterdir()) == []
    resource.prlimit(bridge.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert bridge.put(TAG + "/tree", token, content, "a/b") == (201, "")
    assert bridge.fsck()[0] == 0


# ---- what Enarx's had wrong ----

def test_a_failed_upload_can_be_repeated(bridge, token):
    bridge.register(token)
    content = b"0123456789" * 1000
    assert bridge.put(TAG, token, compact(entry(content, "application/wasm")), ENTRY) == (201, "")
    path = TAG + "/tree"
    assert bridge.put(path, token, content[:-1] + b"x", "application/wasm", content_digest(content)) == \
        (400, "digest-mismatch")
    assert bridge.put(path, token, content[:-1], "application/wasm") == (400, "length-mismatch")
    assert bridge.put(path, token, content, "application/toml") == (400, "type-mismatch")
    # a connection that drops
    raw = bridge.context.wrap_socket(socket.create_connection(("localhost", bridge.port)), server_hostname="localhost")
    raw.sendall(f"PUT /api/v0.1.0/{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: "
                f"application/wasm\r\nContent-Digest: {content_digest(content)}\r\nContent-Length: {len(content)}"
                "\r\n\r\n".encode() + content[:5000])
    raw.close()
    deadline = time.monotonic() + 10
    while os.listdir(bridge.folder / "store/new") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert os.listdir(bridge.folder / "store/new") == []
    assert bridge.request("GET", path, token)[0] == 404
    assert bridge.put(path, token, content, "application/wasm") == (201, "")
    assert bridge.fsck()[0] == 0


def test_nodes_are_checked_against_their_entries(bridge, token):
    bridge.register(token)
    directory = compact({name: entry(*value) for name, value in FILES.items()})
    assert bridge.put(TAG, token, compact(entry(directory, DIRECTORY)), ENTRY) == (201, "")
    assert bridge.put(TAG + "/tree/main.wasm", token, *FILES["main.wasm"]) == (404, "not-found")  # no parent yet
    assert bridge.put(TAG + "/tree", token, b" " + directory[:-2] + b" }", DIRECTORY)[0] == 400
    assert bridge.put(TAG + "/tree", token, directory, DIRECTORY) == (201, "")
    assert bridge.put(TAG + "/tree/other", token, *FILES["main.wasm"]) == (404, "not-found")
    other = b"\0asm\x02\0\0\0"
    assert bridge.put(TAG + "/tree/main.wasm", token, other, "application/wasm") == (400, "digest-mismatch")
    assert bridge.put(TAG + "/tree/main.wasm", token, *FILES["main.wasm"]) == (201, "")


def test_a_tag_is_seen_when_its_tree_is_whole(bridge, token):
    bridge.register(token)
    tag = compact(entry(b"x", "application/wasm"))
    assert bridge.put(TAG, token, tag, ENTRY) == (201, "")
    assert bridge.request("GET", TAG)[0] == 404
    assert bridge.request("GET", TAG, token)[0] == 200
    assert bridge.request("GET", "alice/app/_tag")[2] == b"[]"
    assert bridge.request("GET", "alice/app/_tag", token)[2] == b'["0.1.0"]'
    assert bridge.request("GET", TAG + "/_missing", token)[2] == b'[""]'
    assert bridge.request("DELETE", TAG, bridge.issuer.token(sub="auth|bob"))[0] == 401
    assert bridge.request("DELETE", TAG, token)[0] == 204  # never published: it may go
    assert bridge.request("GET", TAG, token)[0] == 404
    assert bridge.put(TAG, token, tag, ENTRY) == (201, "")
    assert bridge.put(TAG + "/tree", token, b"x", "application/wasm") == (201, "")
    assert bridge.request("GET", TAG)[0] == 200
    assert bridge.request("DELETE", TAG, token)[0] == 409  # published


def test_ranges_and_entity_tags(bridge, token):
    bridge.register(token)
    content = bytes(range(256)) * 40
    bridge.publish(token, TAG, {"main.wasm": (content, "application/wasm")})
    path = TAG + "/tree/main.wasm"
    status, headers, body = bridge.request("GET", path, Range="bytes=100-199")
    assert (status, body) == (206, content[100:200])
    assert headers["Content-Range"] == f"bytes 100-199/{len(content)}"
    assert "Content-Digest" not in headers and headers["Repr-Digest"] == content_digest(content)
    assert bridge.request("GET", path, Range="bytes=-10")[2] == content[-10:]
    status, headers, _ = bridge.request("GET", path, Range=f"bytes={len(content)}-")
    assert (status, headers["Content-Range"]) == (416, f"bytes */{len(content)}")
    etag = bridge.request("GET", path)[1]["ETag"]
    assert etag == f'"{hashlib.sha256(content).hexdigest()}"'
    assert bridge.request("GET", path, If_None_Match=etag)[0] == 304
    assert bridge.request("GET", path, If_None_Match='"other"')[2] == content
    assert bridge.request("GET", TAG, If_None_Match=bridge.request("GET", TAG)[1]["ETag"])[0] == 304
    assert bridge.request("GET", path, Range="bytes=0-9", If_Range=etag)[0] == 206
    for other in ('"other"', "W/" + etag, "Sat, 29 Oct 1994 19:43:31 GMT"):  # a part of something else is asked for
        status, headers, body = bridge.request("GET", path, Range="bytes=0-9", If_Range=other)
        assert (status, body, headers["Content-Digest"]) == (200, content, content_digest(content))


def test_lists(bridge, token):
    bridge.register(token, repos=("app", "own"))
    for version in ("0.10.0", "0.2.0", "0.2.0-rc.1"):
        bridge.publish(token, f"alice/app/_tag/{version}", FILES)
    assert bridge.request("GET", "alice/app/_tag")[2] == b'["0.2.0-rc.1","0.2.0","0.10.0"]'
    assert bridge.request("GET", "alice/app/_tag?search=rc")[2] == b'["0.2.0-rc.1"]'
    assert bridge.request("GET", "_users")[2] == bridge.request("GET", "_users?search=lic")[2] == b'["alice"]'
    assert bridge.request("GET", "_users?search=bob")[2] == bridge.request("GET", "_users?after=alice")[2] == b"[]"
    assert bridge.request("GET", "_repositories?search=ow")[2] == b'["alice/own"]'
    assert bridge.request("GET", "_repositories?limit=1")[2] == b'["alice/app"]'
    assert bridge.request("GET", "_repositories?after=alice/app")[2] == b'["alice/own"]'
    assert bridge.request("GET", "_repositories?limit=x")[0] == 400
    assert bridge.request("GET", "_repositories?user=alice")[0] == 401


def test_yanking(bridge, token):
    bridge.register(token)
    bridge.publish(token, TAG, FILES)
    mark = {"yanked": True, "reason": "it leaks"}
    assert bridge.put(TAG + "/_yank", bridge.issuer.token(sub="auth|bob"), compact(mark))[0] == 401
    assert bridge.request("PUT", TAG + "/_yank", token, compact(mark), Content_Type="application/json")[0] == 204
    status, headers, _ = bridge.request("GET", TAG)
    assert (status, headers["Broch-State"]) == (200, "yanked")
    details = json.loads(bridge.request("GET", "alice/app/_tag?details=true")[2])
    assert (details[0]["state"], details[0]["reason"]) == ("yanked", "it leaks")
    assert bridge.request("GET", TAG + "/tree/main.wasm")[2] == FILES["main.wasm"][0]
    assert bridge.request("PUT", TAG + "/_yank", token, b'{"yanked":false}', Content_Type="application/json")[0] == 204
    assert "Broch-State" not in bridge.request("GET", TAG)[1]


# ---- tokens ----

def test_bad_tokens(bridge, token):
    now = int(time.time())
    issue = bridge.issuer.token
    head, body, signature = token.split(".")
    none = base64url(compact({"alg": "none"})) + "." + body + "."
    cases = {
        issue(exp=now - 100): "expired", issue(exp=None): "exp", issue(iat=None): "iat",
        issue(nbf=now + 1000): "not valid yet", issue(aud="https://other.example/"): "another audience",
        issue(aud=None): "another audience", issue(iss="https://issuer.example"): "another issuer",
        issue(sub=None): "subject", issue(scope=None): "scope", none: "signed by none",
        issue({"alg": "HS256", "kid": "one"}): "signed by HS256",
        issue({"alg": "RS512", "kid": "one"}): "signed by RS512",
        issue({"alg": "RS256", "kid": "one", "crit": ["x"], "x": 1}): "critical",
        f"{head}.{body}.{signature[:-8]}AAAAAAAA": "signature", "a.b": "no JWT", "x": "no JWT",
        issue(scope="openid read:drawbridge_users"): "missing a scope for level write",
    }
    for bad, why in cases.items():
        status, _, answer = bridge.request("PUT", "alice", bad, compact({"subject": "auth|alice"}),
                                           Content_Type="application/json")
        assert status == 401 and why in json.loads(answer)["error"]["message"], (why, answer)
    assert bridge.request("GET", "alice", Authorization="Basic eDp5")[0] == 400
    assert bridge.put("alice", issue(aud=["x", bridge.issuer.audience]), compact({"subject": "auth|alice"})) == \
        (201, "")
    assert token not in bridge.log() and body not in bridge.log()


def test_a_key_in_the_token_is_nobodys(bridge):
    """A token that brings its own key and is signed with it."""
    key = dict(bridge.issuer.jwks["keys"][0], kid="two")
    forger = type(bridge.issuer)(_folder(bridge, "forger"))
    key["n"] = forger.jwks["keys"][0]["n"]
    forged = forger.token({"alg": "RS256", "jwk": key})
    assert bridge.put("alice", forged, compact({"subject": "auth|alice"})) == (401, "unauthorized")


def test_no_issuer_speaks_for_the_users_of_local_tokens(bridge):
    """They are one namespace in the records of users, and two kinds of tokens."""
    local = bridge.broch("token", "create", "--user", "bob", "--scope", "all").stdout.strip()
    bridge.register(local, "bob", "local:bob")
    issued = bridge.issuer.token(sub="local:bob")
    for method, path in (("GET", "bob"), ("GET", "bob/app"), ("PUT", "bob/other")):
        status, _, body = bridge.request(method, path, issued, b'{"public":true}' if method == "PUT" else None,
                                         Content_Type="application/json")
        assert status == 401 and "one of this registry's own" in json.loads(body)["error"]["message"]


def _folder(bridge, name):
    (bridge.folder / name).mkdir()
    return bridge.folder / name


def test_local_tokens(bridge):
    made = bridge.broch("token", "create", "--user", "bob", "--scope", "all")
    token = made.stdout.strip()
    assert token.startswith("broch_") and "not shown again" in made.stderr
    assert bridge.put("alice", token, compact({"subject": "local:bob"})) == (401, "unauthorized")
    bridge.register(token, "bob", "local:bob")
    bridge.publish(token, "bob/app/_tag/1.0.0", FILES)
    listed = json.loads(bridge.broch("token", "list", "--json").stdout)
    assert (listed[0]["user"], listed[0]["state"]) == ("bob", "good") and token not in json.dumps(listed)
    for file in (bridge.folder / "store").glob("drawbridge.db*"):
        assert token.encode() not in file.read_bytes() and token[-43:].encode() not in file.read_bytes()
    bridge.broch("token", "revoke", listed[0]["id"])
    assert bridge.request("GET", "bob", token)[0] == 401
    reader = bridge.broch("token", "create", "--user", "bob", "--scope", "read:drawbridge_users").stdout.strip()
    assert bridge.request("GET", "bob", reader)[0] == 200
    assert bridge.put("bob/other", reader, compact({"public": True})) == (401, "unauthorized")
    for words, why in ((("--scope", "all"), "--user"), (("--user", "bob"), "--scope"),
                       (("--user", "bob", "--scope", "x"), "--scope"), (("--user", "b-b", "--scope", "all"), "--user")):
        failed = bridge.broch("token", "create", *words, check=False)
        assert failed.returncode == 2 and why in failed.stderr
    failed = bridge.broch("token", "revoke", "none", check=False)
    assert failed.returncode == 1 and "there is no such token" in failed.stderr


# ---- other people's tools ----

def test_as_in_the_talk(bridge, token):
    """The file, the directory and the tag: what curl fetches has the digests that it says."""
    bridge.register(token)
    tag, directory = bridge.publish(token, TAG, FILES)
    url = f"{bridge.url}/api/v0.1.0/{TAG}"

    def shell(text):
        return subprocess.run(["bash", "-c", text], check=True, capture_output=True, text=True, timeout=60,
                              env={**os.environ, "URL": url, "CURL_CA_BUNDLE": str(bridge.ca)}).stdout.split()[0]
    assert shell("curl -sf $URL | sha256sum") == hashlib.sha256(tag).hexdigest()
    root = json.loads(tag)["digest"]["sha-256"]
    assert shell("curl -sf $URL/tree | sha256sum") == base64.b64decode(root).hex()
    named = json.loads(directory)["main.wasm"]["digest"]["sha-256"]
    assert shell("curl -sf $URL/tree/main.wasm | sha256sum") == base64.b64decode(named).hex()


def test_two_servers_of_one_store(bridge):
    second = subprocess.run([bridge.build / "src/cli/broch-drawbridge", "--config", bridge.config],
                            capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 1 and "another process serves this store" in second.stderr


def test_configuration_is_read_again(bridge, token):
    bridge.register(token)
    text = bridge.config.read_text()
    bridge.config.write_text(text.replace("audience = \"https://registry", "audience = \"https://elsewhere"))
    bridge.process.send_signal(signal.SIGHUP)
    _until(lambda: bridge.request("GET", "alice", token)[0] == 401)
    bridge.config.write_text("nonsense")
    bridge.process.send_signal(signal.SIGHUP)
    _until(lambda: "stays as it was" in bridge.log())
    assert bridge.request("GET", "/health")[0] == 200
    bridge.config.write_text(text)


def _until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("change,why", [
    (lambda t: t.replace("[store]\nfolder = \"store\"", ""), "[store] folder is missing"),
    (lambda t: t + "x = 1\n", "unknown key"),
    (lambda t: t.replace("keys = \"jwks.json\"", ""), "needs all of issuer, audience and keys"),
    (lambda t: t.replace("jwks.json", "none.json"), "none.json"),
    (lambda t: t.replace("jwks.json", "key.pem"), "no JWK set"),
    (lambda t: t + "[[stewards]]\nname = \"x\"\n", "a Steward needs name and ca"),
    (lambda t: t + "[[stewards]]\nname = \"x\"\nca = \"jwks.json\"\n", "no certificate in PEM"),
])
def test_bad_configurations(build, tmp_path, change, why):
    bridge = Drawbridge(build, tmp_path)
    bridge.config.write_text(change(bridge.config.read_text()))
    failed = subprocess.run([build / "src/cli/broch-drawbridge", "--config", bridge.config], capture_output=True,
                            text=True, timeout=60, check=False)
    assert failed.returncode == 1 and why in failed.stderr, failed.stderr


def test_a_killed_server_leaves_a_clean_store(bridge, token):
    bridge.register(token)
    content = b"x" * 3000000
    tag = compact(entry(content, "application/wasm"))
    assert bridge.put(TAG, token, tag, ENTRY) == (201, "")
    raw = bridge.context.wrap_socket(socket.create_connection(("localhost", bridge.port)), server_hostname="localhost")
    raw.sendall(f"PUT /api/v0.1.0/{TAG}/tree HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: "
                f"application/wasm\r\nContent-Digest: {content_digest(content)}\r\nContent-Length: {len(content)}"
                "\r\n\r\n".encode() + content[:1000000])
    _until(lambda: os.listdir(bridge.folder / "store/new"))
    bridge.kill()
    raw.close()
    bridge.start()
    assert os.listdir(bridge.folder / "store/new") == []
    assert bridge.fsck()[0] == 0
    assert bridge.put(TAG + "/tree", token, content, "application/wasm") == (201, "")
    assert bridge.fsck()[0] == 0


def test_signed_tags(bridge, token):
    bridge.register(token)
    content = b"\0asm\x01\0\0\0"
    flat = {"payload": base64url(compact(entry(content, "application/wasm"))),
            "protected": base64url(b'{"alg":"ES256"}'), "signature": base64url(b"s" * 64)}
    signed = compact(flat)
    assert bridge.put(TAG, token, signed, ENTRY) == (400, "malformed")  # of the other type
    assert bridge.put(TAG, token, compact({**flat, "payload": "e30"}), "application/jose+json") == (400, "malformed")
    assert bridge.put(TAG, token, signed, "application/jose+json") == (201, "")
    assert bridge.put(TAG + "/tree", token, content + b"x", "application/wasm") == (400, "length-mismatch")
    assert bridge.put(TAG + "/tree", token, content, "application/wasm") == (201, "")
    status, headers, body = bridge.request("GET", TAG)
    assert (status, headers["Content-Type"], body) == (200, "application/jose+json", signed)


def test_digests_in_headers_of_their_own(bridge, token):
    """A list may come in several headers (RFC 9110 §5.3); all of it counts."""
    bridge.register(token)
    tag = compact(entry(b"{}", DIRECTORY))

    def put(*digests):
        given = [word for digest in digests for word in ("-H", f"Content-Digest: {digest}")]
        return subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", bridge.ca, "-X", "PUT",
                               "-H", f"Authorization: Bearer {token}", "-H", f"Content-Type: {ENTRY}", *given,
                               "--data-binary", tag, f"{bridge.url}/api/v0.1.0/{TAG}"], check=True, capture_output=True,
                              text=True, timeout=60).stdout
    good, other = content_digest(tag, ("256",)), content_digest(tag, ("512",))
    assert put(good, content_digest(b"x", ("512",))) == "400"
    assert put(good, good) == "400"
    assert put(good, other) == "201"


@pytest.mark.parametrize("curve, algorithm, size", [("P-256", "ES256", "256"), ("P-384", "ES384", "384")])
def test_tokens_of_other_algorithms(build, tmp_path, curve, algorithm, size):
    """openssl signs them; the key set says which key."""
    bridge = Drawbridge(build, tmp_path)
    key, width = tmp_path / "ec.pem", int(size) // 8
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}", "-out", key)
    point = openssl("ec", "-in", key, "-pubout", "-outform", "DER")[-2 * width:]
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [
        {"kty": "EC", "crv": curve, "kid": "ec", "x": base64url(point[:width]), "y": base64url(point[width:])}]}))

    def numbers(der):
        """r and s of an ECDSA signature, as JWS has them."""
        at, out = 2, b""
        for _ in range(2):
            out += int.from_bytes(der[at + 2:at + 2 + der[at + 1]], "big").to_bytes(width, "big")
            at += 2 + der[at + 1]
        return out

    def token(header, **claims):
        now = int(time.time())
        given = {"iss": bridge.issuer.url, "aud": bridge.issuer.audience, "sub": "auth|alice", "iat": now,
                 "exp": now + 600, "scope": "manage:drawbridge_users", **claims}
        head = base64url(compact(header)) + "." + base64url(compact(given))
        der = openssl("dgst", "-sha" + size, "-sign", key, input=head.encode())
        return head + "." + base64url(numbers(der))
    bridge.start()
    try:
        good = token({"alg": algorithm, "kid": "ec"})
        assert bridge.put("alice", good, compact({"subject": "auth|alice"})) == (201, "")
        assert bridge.request("GET", "alice", good)[0] == 200
        for bad in (token({"alg": algorithm, "kid": "ec"}, exp=1), token({"alg": "ES512", "kid": "ec"}),
                    good[:-8] + "AAAAAAAA"):
            assert bridge.request("GET", "alice", bad)[0] == 401
    finally:
        bridge.stop()


def peak(bridge):
    """The most memory that the server ever had, in MiB."""
    status = pathlib.Path(f"/proc/{bridge.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) / 1024


def talk(bridge, text):
    """A connection on which a request, or its beginning, was sent."""
    plain = socket.create_connection(("127.0.0.1", bridge.port), timeout=60)
    connection = bridge.context.wrap_socket(plain, server_hostname="localhost")
    connection.sendall(text)
    return connection


def test_a_hundred_large_uploads_at_once(bridge, token):
    """Memory stays flat, and what was broken off leaves nothing."""
    bridge.register(token)
    size, part = 100 << 20, bytes(64 << 10)
    content = entry(bytes(size), "application/octet-stream", ("256",))
    digest = ",".join(f"{name}=:{value}:" for name, value in content["digest"].items())
    directory = compact({f"f{i}": content for i in range(100)})
    assert bridge.put(TAG, token, compact(entry(directory, DIRECTORY)), ENTRY) == (201, "")
    assert bridge.put(TAG + "/tree", token, directory, DIRECTORY) == (201, "")
    uploads = [talk(bridge, f"PUT /api/v0.1.0/{TAG}/tree/f{i} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
                            f"Content-Type: application/octet-stream\r\nContent-Digest: {digest}\r\n"
                            f"Content-Length: {size}\r\n\r\n".encode()) for i in range(100)]
    for _ in range(16):
        for upload in uploads:
            upload.sendall(part)
    new = bridge.folder / "store/new"
    wait_for(lambda: sum(path.stat().st_size for path in new.iterdir()) == 100 * 16 * len(part), 30)
    for upload in uploads[1:]:
        upload.close()
    for _ in range(size // len(part) - 16):
        uploads[0].sendall(part)
    assert uploads[0].recv(4096).startswith(b"HTTP/1.1 201 ")
    uploads[0].close()
    wait_for(lambda: not list(new.iterdir()), 30)
    assert peak(bridge) <= 64
    assert bridge.fsck()[0] == 0


def test_a_hundred_uploads_that_end_at_once(bridge, token):
    """None of them came in vain."""
    bridge.register(token)
    contents = [bytes([i]) * 300000 for i in range(100)]
    directory = compact({f"f{i:02}": entry(content, "a/b", ("256",)) for i, content in enumerate(contents)})
    assert bridge.put(TAG, token, compact(entry(directory, DIRECTORY)), ENTRY) == (201, "")
    assert bridge.put(TAG + "/tree", token, directory, DIRECTORY) == (201, "")
    uploads = [talk(bridge, f"PUT /api/v0.1.0/{TAG}/tree/f{i:02} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
                            f"Content-Type: a/b\r\nContent-Digest: {content_digest(content, ('256',))}\r\nContent-Length: "
                            f"{len(content)}\r\n\r\n".encode() + content[:-1]) for i, content in enumerate(contents)]
    wait_for(lambda: sum(path.stat().st_size for path in (bridge.folder / "store/new").iterdir()) == 100 * 299999, 30)
    bridge.process.send_signal(signal.SIGSTOP)
    for content, upload in zip(contents, uploads):
        upload.sendall(content[-1:])
    bridge.process.send_signal(signal.SIGCONT)
    assert {upload.recv(4096)[:13] for upload in uploads} == {b"HTTP/1.1 201 "}
    for upload in uploads:
        upload.close()

    def is_there():
        """Once the server has seen that there are fewer connections again."""
        with contextlib.suppress(OSError):
            return bridge.request("GET", TAG)[0] == 200
        return False
    wait_for(is_there, 10)


def test_clients_that_stop_reading(bridge, token):
    """They cost a little memory each, and nobody waits for them."""
    bridge.register(token)
    bridge.publish(token, TAG, {"big": (bytes(100 << 20), "application/octet-stream")})
    before = peak(bridge)
    stuck = [talk(bridge, f"GET /api/v0.1.0/{TAG}/tree/big HTTP/1.1\r\nHost: x\r\n\r\n".encode()) for _ in range(50)]
    for connection in stuck:
        assert connection.recv(100)
    begin = time.monotonic()
    assert bridge.request("GET", TAG)[0] == 200
    assert len(bridge.request("GET", TAG + "/tree/big")[2]) == 100 << 20
    assert time.monotonic() - begin < 30
    assert peak(bridge) <= min(64, before + 32)
    for connection in stuck:
        connection.close()


@pytest.mark.parametrize("directory", [
    b'{"a":1}', b"[]", b"{", b'{"..":%s}' % compact(entry(b"", "a/b")), b'{"a/b":%s}' % compact(entry(b"", "a/b")),
    b'{"a":%s,"a":%s}' % ((compact(entry(b"", "a/b")),) * 2), b"[" * 100000,
    b'{"a":{"digest":{},"length":0,"type":"a/b"}}'])
def test_bad_directories(bridge, token, directory):
    bridge.register(token)
    assert bridge.put(TAG, token, compact(entry(directory, DIRECTORY)), ENTRY) == (201, "")
    assert bridge.put(TAG + "/tree", token, directory, DIRECTORY) == (400, "malformed")
    assert bridge.request("GET", TAG + "/_missing", token)[2] == b'[""]'
    assert bridge.fsck()[0] == 0


def test_huge_json(bridge, token):
    """Refused by what is announced, before it is sent."""
    bridge.register(token)
    huge = {"digest": entry(b"", DIRECTORY)["digest"], "length": 3 << 20, "type": DIRECTORY}
    assert bridge.put(TAG, token, compact(huge), ENTRY) == (201, "")
    raw = talk(bridge, f"PUT /api/v0.1.0/{TAG}/tree HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: "
                       f"{DIRECTORY}\r\nContent-Digest: {content_digest(b'')}\r\nContent-Length: {3 << 20}\r\n\r\n".encode())
    assert b" 413 " in raw.recv(4096)
    raw.close()
    assert bridge.put("alice/app/_tag/1.0.0", token, b'{"x":"' + b"a" * 70000 + b'"}', ENTRY) == (413, "body-too-large")
    assert list((bridge.folder / "store/new").iterdir()) == []


def test_large_directories_at_once(bridge, token):
    """As large as they may be nearly, and many: memory stays flat."""
    bridge.register(token)
    each = entry(b"", "a/b", ("256",))
    directories = {f"d{i}": compact({f"{i}-{k}": each for k in range(15500)}) for i in range(16)}
    root = compact({name: entry(content, DIRECTORY, ("256",)) for name, content in directories.items()})
    assert bridge.put(TAG, token, compact(entry(root, DIRECTORY)), ENTRY) == (201, "")
    assert bridge.put(TAG + "/tree", token, root, DIRECTORY) == (201, "")
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = pool.map(lambda name: bridge.put(f"{TAG}/tree/{name}", token, directories[name], DIRECTORY), directories)
        assert set(answers) == {(201, "")}
    assert peak(bridge) <= 64
    status, _, body = bridge.request("GET", TAG + "/_missing", token)
    assert (status, len(json.loads(body))) == (200, 10000)
    assert bridge.fsck()[0] == 0


def test_trees_have_an_end(bridge, token):
    bridge.register(token)
    levels = [b"{}"]
    for _ in range(65):
        levels.insert(0, compact({"d": entry(levels[0], DIRECTORY)}))
    assert bridge.put(TAG, token, compact(entry(levels[0], DIRECTORY)), ENTRY) == (201, "")
    answers = []
    for depth, level in enumerate(levels):
        answers.append(bridge.put(TAG + "/tree" + "/d" * depth, token, level, DIRECTORY))
    assert answers[:64] == [(201, "")] * 64
    assert answers[64] == (400, "malformed")


def test_one_of_two_publishers_wins(bridge, token):
    bridge.register(token)
    tags = [compact(entry(content, "application/wasm")) for content in (b"one", b"two")]
    for version in range(20):
        path = f"alice/app/_tag/{version}.0.0"
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(lambda tag, path=path: bridge.put(path, token, tag, ENTRY), tags))
        assert sorted(answers) == [(201, ""), (409, "exists")]
        assert bridge.request("GET", path, token)[2] == tags[answers.index((201, ""))]


def test_ten_thousand_tags(bridge, token):
    bridge.register(token)
    database = sqlite3.connect(bridge.folder / "store/drawbridge.db")
    tag = compact(entry(b"", "application/wasm"))
    with database:
        database.executemany("INSERT INTO tags (repo, name, type, content, digests, missing, yanked, reason, created)"
                             " VALUES (1, ?, ?, ?, ?, 0, 0, '', 0)",
                             ((f"{i}.0.0", ENTRY, tag, content_digest(tag)) for i in range(10000)))
    database.close()
    listed = json.loads(bridge.request("GET", "alice/app/_tag")[2])
    assert listed == [f"{i}.0.0" for i in range(10000)]
    assert bridge.request("GET", "alice/app/_tag/9999.0.0")[2] == tag


# ---- answers that are remembered ----

def test_what_is_remembered_is_no_older_than_its_repository(bridge, token):
    """Visibility and marks take effect at once, however often something was read before."""
    bridge.register(token)
    bridge.publish(token, TAG, FILES)
    node = TAG + "/tree/main.wasm"
    for _ in range(20):
        for path, content in ((TAG, None), (node, FILES["main.wasm"][0])):
            status, headers, body = bridge.request("GET", path)
            assert status == 200 and "Broch-State" not in headers and (content is None or body == content)
    assert bridge.request("PATCH", "alice/app", token, compact({"public": False}), Content_Type="application/json")[0] == 204
    for path in (TAG, node, TAG + "/tree"):
        assert bridge.request("GET", path)[0] == bridge.request("HEAD", path)[0] == 401
        assert bridge.request("GET", path, token)[0] == 200
        assert bridge.request("GET", path)[0] == 401  # the owner's reading changes nothing
    assert bridge.request("PATCH", "alice/app", token, compact({"public": True}), Content_Type="application/json")[0] == 204
    assert bridge.request("GET", node)[0] == 200
    assert bridge.request("PUT", TAG + "/_yank", token, compact({"yanked": True}), Content_Type="application/json")[0] == 204
    for path in (TAG, node):
        assert bridge.request("GET", path)[1]["Broch-State"] == "yanked"


def test_what_is_remembered_is_the_whole_answer(bridge, token):
    """The second reading is as the first, by whatever method and with whatever headers."""
    bridge.register(token)
    bridge.publish(token, TAG, FILES)

    def read(path, method="GET", **headers):
        status, given, body = bridge.request(method, path, **headers)
        return status, {name: value for name, value in given.items() if name != "Date"}, body
    for path in (TAG, TAG + "/tree", TAG + "/tree/main.wasm", TAG + "/tree/Enarx.toml"):
        first = read(path)
        assert first == read(path) and first[0] == 200
        status, headers, body = read(path, "HEAD")
        assert (status, headers, body) == (200, first[1], b"")
        assert read(path, If_None_Match=first[1]["ETag"])[0] == 304
        assert read(path, If_None_Match='"other"') == first
    path = TAG + "/tree/main.wasm"
    assert read(path, Range="bytes=1-3")[::2] == (206, b"asm")
    assert read(path + "?x=1")[2] == read(path)[2]
    assert bridge.request("GET", path, "no token")[0] == 401
    for ours in ("_missing", "_yank"):
        assert bridge.request("GET", f"{TAG}/{ours}", token)[0] in (200, 405)
        assert bridge.request("GET", f"{TAG}/{ours}")[0] in (401, 405)


def test_an_unfinished_tag_is_not_remembered(bridge, token):
    bridge.register(token)
    directory = compact({"main.wasm": entry(*FILES["main.wasm"])})
    assert bridge.put(TAG, token, compact(entry(directory, DIRECTORY)), ENTRY) == (201, "")
    for _ in range(2):
        assert bridge.request("GET", TAG, token)[0] == 200 and bridge.request("GET", TAG)[0] == 404
    assert bridge.request("DELETE", TAG, token)[0] == 204
    assert bridge.request("GET", TAG, token)[0] == 404
