"""What a Steward does with requests that are too large, too slow, too many, or not requests at all."""
import concurrent.futures
import contextlib
import json
import os
import re
import socket
import ssl
import struct
import time

import pytest

from steward_host import PKCS10, Platforms, Steward, digest
from test_evidence_negative import GROUPS, contents

DIGEST = digest("a package")
FULL = os.environ.get("BROCH_FULL") == "1"


@pytest.fixture(scope="module")
def platforms(build, tmp_path_factory):
    return Platforms(build, tmp_path_factory.mktemp("platforms") / "sim")


@pytest.fixture(scope="module")
def steward(platforms, tmp_path_factory):
    made = Steward(platforms, tmp_path_factory.mktemp("limits") / "steward", "--simulation").start()
    yield made
    assert made.stop() == 0, made.log()


@pytest.fixture
def key(platforms, tmp_path):
    return platforms.key(tmp_path / "key.pem")


def error(answer):
    status, headers, body = answer
    assert headers["Content-Type"] == "application/json", answer
    return status, json.loads(body)["error"]["code"]


# ---- sizes and types ----

def test_a_body_has_a_largest_size(steward):
    assert error(steward.ask("POST", "/v1/attest", b"x" * (512 * 1024 + 1), PKCS10)) == (413, "body-too-large")
    assert error(steward.ask("POST", "/v1/attest", b"x" * (512 * 1024), PKCS10)) == (400, "request-malformed")
    # one of 100 MB is refused before it is sent
    with contextlib.closing(connect(steward)) as client:
        client.sendall(b"POST /v1/attest HTTP/1.1\r\nHost: x\r\nContent-Type: application/pkcs10\r\n"
                       b"Content-Length: 100000000\r\n\r\n")
        assert b" 413 " in client.recv(4096)


def test_also_when_its_length_is_not_said(steward):
    parts = (b"x" * 65536 for _ in range(10))
    with contextlib.closing(steward.connect()) as connection:
        connection.request("POST", "/v1/attest", parts, {**PKCS10, "Transfer-Encoding": "chunked"},
                           encode_chunked=True)
        answer = connection.getresponse()
        assert error((answer.status, dict(answer.getheaders()), answer.read())) == (413, "body-too-large")


@pytest.mark.parametrize("media", [None, "text/plain", "application/pkcs10x", "application/json"])
def test_a_body_has_a_type(steward, media):
    assert error(steward.ask("POST", "/v1/attest", b"x", {"Content-Type": media} if media else {})) == \
        (415, "media-type")


def test_its_type_may_have_parameters(steward):
    assert error(steward.ask("POST", "/v1/attest", b"x", {"Content-Type": "Application/PKCS10; a=b"})) == \
        (400, "request-malformed")


def test_paths_and_methods(steward):
    for path in ("/nothing", "/v1", "/v1/attest/", "//", "/v1/../v1/crl", "/v1/ca.pem%00", "/v1%2fcrl%2f"):
        assert steward.ask("GET", path)[0] in (404, 400), path
    status, headers, body = steward.ask("DELETE", "/v1/attest")
    assert error((status, headers, body)) == (405, "method-not-allowed") and headers["Allow"] == "POST"
    assert steward.ask("POST", "/v1/crl", b"")[1]["Allow"] == "GET, HEAD"


def connect(steward, **options):
    context = ssl.create_default_context(cafile=steward.folder / "root.pem")
    plain = socket.create_connection(("127.0.0.1", steward.port), timeout=60)
    return context.wrap_socket(plain, server_hostname="localhost", **options)


def test_headers_have_a_largest_size(steward):
    with contextlib.closing(connect(steward)) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 40000 + b"\r\n\r\n")
        assert re.match(rb"HTTP/1.1 (431|413|400) ", client.recv(4096))
    with contextlib.closing(connect(steward)) as client:
        client.sendall(b"GET /" + b"y" * 40000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        assert re.match(rb"HTTP/1.1 (414|431|400) ", client.recv(4096))


@pytest.mark.parametrize("junk", [b"\x00" * 100, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 50 + b"x",
                                  b"POST /v1/attest HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
                                  b"POST /v1/attest HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
                                  b"POST /v1/attest HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"])
def test_what_is_no_http(steward, junk):
    with contextlib.closing(connect(steward)) as client:
        client.sendall(junk)
        client.settimeout(2)
        with contextlib.suppress(TimeoutError, ConnectionError, ssl.SSLError):
            assert b" 200 " not in client.recv(4096)
    assert steward.ask("GET", "/healthz")[0] == 200


def test_what_is_no_tls(steward):
    with contextlib.closing(socket.create_connection(("127.0.0.1", steward.port), timeout=5)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            assert b"HTTP" not in client.recv(4096)


def test_tls_1_2_is_refused(steward):
    context = ssl.create_default_context(cafile=steward.folder / "root.pem")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with contextlib.closing(socket.create_connection(("127.0.0.1", steward.port), timeout=5)) as plain:
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(plain, server_hostname="localhost")


# ---- time ----

def trickle(client, parts):
    """Sends one part a second until the other side has had enough; the seconds that took."""
    begin = time.monotonic()
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        for part in parts:
            client.sendall(part)
            client.settimeout(1)
            with contextlib.suppress(TimeoutError):
                if client.recv(1) == b"":
                    break
    return time.monotonic() - begin


def test_slow_clients_are_cut_off(steward):
    """Each sends something every second, and none has a request together after 30."""
    slow = [
        lambda: trickle(connect(steward), [b"GET /healthz HTTP/1.1\r\n"] + [b"X: y\r\n"] * 60),
        lambda: trickle(connect(steward), [b"POST /v1/attest HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
                                           b"Content-Type: application/pkcs10\r\n\r\n"] + [b"x"] * 60),
        lambda: trickle(socket.create_connection(("127.0.0.1", steward.port)), [b"\x16", b"\x03", b"\x01"] + [b""] * 60),
    ]
    with concurrent.futures.ThreadPoolExecutor(len(slow)) as pool:
        for seconds in pool.map(lambda client: client(), slow):
            assert 20 < seconds < 45, seconds
    assert steward.ask("GET", "/healthz")[0] == 200


# ---- numbers ----

def memory(steward):
    """Resident KiB of all its processes."""
    total = 0
    for pid in steward.pids():
        with open(f"/proc/{pid}/smaps_rollup") as file:
            total += int(re.search(r"^Pss:\s+(\d+)", file.read(), re.MULTILINE).group(1))
    return total


def test_memory_is_flat_under_ten_thousand_bad_requests(steward, platforms, key):
    good = platforms.request(key, "nonce=" + "11" * 72, "digest=" + DIGEST)
    bodies = [b"", b"x", good[:-1], good[:100] + b"\x00" + good[101:], good, good + b"\x00", bytes(5000),
              b"\x30\x82\xff\xff" + bytes(300), b"\x30\x80" * 1000, good[:200] * 300]

    def flood(count):
        with contextlib.closing(steward.connect()) as connection:
            for i in range(count):
                connection.request("POST", "/v1/attest", bodies[i % len(bodies)], PKCS10)
                answer = connection.getresponse()
                answer.read()
                assert 400 <= answer.status < 500
    flood(500)
    before = memory(steward)
    count = 10000
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(flood, [count // 4] * 4))
    assert memory(steward) - before < 4096, (before, memory(steward))
    refused = [line for line in steward.audit("audit.log") if line["event"] == "refused"]
    assert len(refused) >= count + 500


def test_rates_are_limited(platforms, tmp_path):
    limited = Steward(platforms, tmp_path / "steward", change=lambda text: text.replace(
        "# requests_per_second = 2000", "requests_per_second = 100").replace(
        "# requests_per_second_of_address = 50", "requests_per_second_of_address = 20")).start()
    try:
        with contextlib.closing(limited.connect()) as connection:
            answers = []
            for _ in range(200):
                connection.request("GET", "/v1/ca.pem")
                answer = connection.getresponse()
                answers.append((answer.status, answer.getheader("Retry-After"), answer.read()))
                if answer.status == 429:
                    connection.close()
        statuses = [status for status, _, _ in answers]
        assert statuses[:40] == [200] * 40 and set(statuses) == {200, 429}
        refused = next(answer for answer in answers if answer[0] == 429)
        assert refused[1] == "1" and json.loads(refused[2])["error"]["code"] == "too-many-requests"
        time.sleep(1.1)
        assert limited.ask("GET", "/v1/ca.pem")[0] == 200
        assert "broch_http_rate_refusals_total{rate=\"address\"} " in limited.ask("GET", "/metrics")[2].decode()
    finally:
        limited.stop()


def test_an_address_has_so_many_connections(steward):
    held = []
    try:
        for _ in range(130):
            client = socket.create_connection(("127.0.0.1", steward.port), timeout=5)
            held.append(client)
        time.sleep(0.5)
        closed = 0
        for client in held:
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError, ConnectionError):
                closed += client.recv(1) == b""
        assert closed >= 20
    finally:
        for client in held:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
    time.sleep(0.5)
    assert steward.ask("GET", "/healthz")[0] == 200


# ---- mutants ----

def test_no_mutant_is_genuine_through_http(steward):
    """The negative suite of the evidence, whose policies and times are not the Steward's: here nothing may pass
    as genuine, and nothing may hurt."""
    cases = []
    for group in (json.loads(path.read_text()) for path in GROUPS):
        bases = {base["name"]: base["files"] for base in group["bases"]}
        cases += [(case["name"], (bases[case["base"]] | case.get("files", {}))["evidence"])
                  for case in group["cases"] if case["refusal"] is not None]
    cases = cases if FULL else cases[::10]
    assert len(cases) > 200

    def judge(part):
        with contextlib.closing(steward.connect()) as connection:
            for name, reference in part:
                evidence = contents(reference)
                for path in ("/v1/verify", "/", "/v1/attest"):
                    connection.request("POST", path, evidence, PKCS10)
                    answer = connection.getresponse()
                    body = json.loads(answer.read())
                    assert answer.status < 500, (name, body)
                    if answer.status == 200:
                        assert path == "/v1/verify" and body["genuine"] is False, name
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(judge, [cases[::2], cases[1::2]]))
    assert steward.ask("GET", "/healthz")[0] == 200
