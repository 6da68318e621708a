"""The HTTPS server and client of src/http, by way of a small program: every limit and every error, as
curl, OpenSSL and raw sockets see them."""
import concurrent.futures
import contextlib
import hashlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

MIB = 1 << 20
# freed memory is to be seen as such also by AddressSanitizer's builds
ENVIRONMENT = {**os.environ, "ASAN_OPTIONS": "quarantine_size_mb=1:detect_leaks=1"}


def make_certificate(folder, name, *options):
    """Paths of a new self-signed certificate and its key."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout", key, "-out", certificate,
                    *options], check=True, capture_output=True)
    return certificate, key


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """The folder with server.pem, and client.pem and other.pem, which nobody vouches for."""
    folder = tmp_path_factory.mktemp("keys")
    make_certificate(folder, "server", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    make_certificate(folder, "client")
    make_certificate(folder, "other")
    return folder


class Reply:
    """What a server sent to one request."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def error(self):
        """The code of the error in the body, which is then as all errors are."""
        assert self.headers["content-type"] == "application/json"
        said = json.loads(self.body)
        assert list(said) == ["error"] and list(said["error"]) == ["code", "message"]
        assert said["error"]["message"]
        return said["error"]["code"]


class Connection:
    """A TLS connection, byte by byte."""

    def __init__(self, port, context, timeout=10):
        raw = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = context.wrap_socket(raw, server_hostname="localhost")
        self.buffer = b""

    def send(self, text):
        self.socket.sendall(text if isinstance(text, bytes) else text.encode())

    def receive(self):
        """The next bytes; nothing when the server has ended the connection in whatever way."""
        try:
            return self.socket.recv(65536)
        except (ConnectionError, ssl.SSLError) as error:
            assert not isinstance(error, TimeoutError)
            return b""

    def reply(self, has_body=True):
        """The next reply; None at the end of the connection."""
        while b"\r\n\r\n" not in self.buffer:
            more = self.receive()
            if not more:
                return None
            self.buffer += more
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:])}
        status = int(lines[0].split()[1])
        if status == 100:
            return self.reply(has_body)
        size = int(headers.get("content-length", 0)) if has_body else 0
        while len(self.buffer) < size:
            more = self.receive()
            if not more:
                return None
            self.buffer += more
        body, self.buffer = self.buffer[:size], self.buffer[size:]
        return Reply(status, headers, body)

    def ask(self, method, target, headers="", body=b""):
        self.send(f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode() + body)
        return self.reply(has_body=method != "HEAD")

    def seconds_until_end(self):
        begin = time.monotonic()
        while self.receive():
            pass
        return time.monotonic() - begin

    def close(self):
        self.socket.close()


class Server:
    """http_probe, serving."""

    def __init__(self, program, keys, options):
        self.keys = keys
        self.process = subprocess.Popen(
            [program, "serve", keys / "server.pem", keys / "server.key", *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
        line = self.process.stdout.readline()
        assert line.startswith("port "), self.process.stderr.read()
        self.port = int(line.split()[1])
        self.url = f"https://localhost:{self.port}"
        self.context = ssl.create_default_context(cafile=keys / "server.pem")
        self.opened = []

    def connect(self, **more):
        self.opened.append(Connection(self.port, self.context, **more))
        return self.opened[-1]

    def ask(self, method, target, headers="", body=b""):
        """The reply to one request on a connection of its own."""
        with contextlib.closing(self.connect()) as connection:
            return connection.ask(method, target, headers, body)

    def curl(self, *arguments, check=True):
        return subprocess.run(["curl", "-sS", "--max-time", "60", "--cacert", self.keys / "server.pem",
                               *arguments], capture_output=True, check=check)

    def memory(self, name="VmRSS"):
        """Bytes of memory that the server has."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(rf"{name}:\s+(\d+) kB", status.read())[1]) * 1024

    def metric(self, name):
        text = self.ask("GET", "/metrics").body.decode()
        return float(re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)[1])

    def stop(self):
        """Ends it as people would; what it said on stderr, which is nothing when all is well."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        said = self.process.communicate(timeout=30)[1]
        for connection in self.opened:
            connection.close()
        assert self.process.returncode == 0, said
        return said


@pytest.fixture(scope="module")
def program(build):
    path = build / "tests/e2e/http/http_probe"
    assert path.exists()
    return path


@pytest.fixture(scope="module")
def serve(program, keys):
    """A context that is a server with the options given."""
    @contextlib.contextmanager
    def started(*options):
        server = Server(program, keys, options)
        try:
            yield server
        except BaseException:
            server.process.kill()
            raise
        assert server.stop() == ""
    return started


@pytest.fixture(scope="module")
def server(serve):
    with serve("ask_certificate=1", "request_timeout_ms=20000") as started:
        yield started


# Routes and requests

def test_unknown_path(server):
    reply = server.ask("GET", "/nowhere")
    assert (reply.status, reply.error()) == (404, "not-found")


def test_path_is_not_decoded(server):
    assert server.ask("GET", "/%77hoami").status == 404


@pytest.mark.parametrize("method,target,allowed", [
    ("DELETE", "/echo", "POST, PUT"), ("POST", "/whoami", "GET, HEAD"), ("GET", "/echo", "POST, PUT"),
    ("PUT", "/files/a/b", "GET, HEAD"), ("get", "/whoami", "GET, HEAD"), ("HEAD", "/echo", "POST, PUT")])
def test_other_method(server, method, target, allowed):
    reply = server.ask(method, target)
    assert (reply.status, reply.headers["allow"]) == (405, allowed)
    if method != "HEAD":
        assert reply.error() == "method-not-allowed"


def test_what_a_handler_is_told(server):
    reply = server.ask("GET", "/files/a%2Fb?p=%C3%A9%20+&q=1", "X-Test: yes\r\n")
    assert reply.status == 200
    assert reply.body.decode().splitlines() == [
        "client=127.0.0.1", "method=GET", "path=/files/a%2Fb", "query=p=%C3%A9%20+&q=1", "header=yes",
        "parameter=é +"]


def test_header_that_comes_twice_is_none(server):
    reply = server.ask("GET", "/whoami?p=1&p=2", "X-Test: a\r\nx-test: b\r\n")
    assert b"header=(none)\nparameter=(none)\n" in reply.body


@pytest.mark.parametrize("header,quality", [
    ("", 1000), ("Accept: text/plain;q=0.3, */*\r\n", 300), ("Accept: image/png\r\n", 0),
    ("Accept: */*\r\nAccept: text/*;q=0.25\r\n", 250)])
def test_accept(server, header, quality):
    assert server.ask("GET", "/accept", header).body == str(quality).encode()


def test_head(server):
    with contextlib.closing(server.connect()) as connection:
        reply = connection.ask("HEAD", "/download?size=1000000")
        assert (reply.status, reply.headers["content-length"], reply.body) == (200, "1000000", b"")
        assert connection.ask("GET", "/slow?ms=0").body == b"slow"  # and nothing came between


def test_handlers_that_say_nothing_or_too_much(server):
    for target in "/nothing", "/bad-header":
        reply = server.ask("GET", target)
        assert (reply.status, reply.error()) == (500, "internal")
        assert "x-injected" not in reply.headers


def test_error_message_is_escaped(server):
    reply = server.ask("GET", "/message")
    assert reply.error() == "told"
    assert json.loads(reply.body)["error"]["message"] == 'a "b" \\ \n � é'


def test_requests_on_one_connection(server):
    with contextlib.closing(server.connect()) as connection:
        for _ in range(3):
            assert connection.ask("GET", "/whoami").status == 200
            assert connection.ask("GET", "/nowhere").status == 404
            reply = connection.ask("POST", "/size", "Content-Length: 5\r\n", b"12345")
            assert (reply.status, reply.body) == (200, b"5")


def test_pipelined_requests(server):
    with contextlib.closing(server.connect()) as connection:
        connection.send("".join(
            f"POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: {n}\r\n\r\n{'x' * n}" for n in range(20)))
        assert [connection.reply().body for _ in range(20)] == [str(n).encode() for n in range(20)]


def test_client_certificates_are_seen_and_not_checked(server, keys):
    for names in [], ["client"], ["client", "other"]:
        context = ssl.create_default_context(cafile=keys / "server.pem")
        if names:
            chain = keys / "chain.pem"
            chain.write_text("".join((keys / f"{name}.pem").read_text() for name in names))
            context.load_cert_chain(chain, keys / "client.key")
        with contextlib.closing(Connection(server.port, context)) as connection:
            body = connection.ask("GET", "/whoami").body.decode()
        sizes = [len(ssl.PEM_cert_to_DER_cert((keys / f"{name}.pem").read_text())) for name in names]
        assert re.findall(r"certificate=(\d+)", body) == [str(size) for size in sizes]


def test_no_issuer_is_asked_for(server):
    """Clients would send no certificate of an issuer that is not named."""
    said = subprocess.run(["openssl", "s_client", "-connect", f"localhost:{server.port}"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20).stdout
    assert "No client certificate CA names sent" in said and "Requested Signature Algorithms" in said


def test_certificates_are_asked_for_only_if_wanted(serve, keys):
    with serve() as server:
        said = subprocess.run(["openssl", "s_client", "-connect", f"localhost:{server.port}"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20).stdout
        assert "Requested Signature Algorithms" not in said
        assert b"certificate=" not in server.curl("--cert", keys / "client.pem", "--key",
                                                  keys / "client.key", server.url + "/whoami").stdout


# Bodies

def test_echo(server):
    body = os.urandom(MIB)
    headers = "Content-Type: application/octet-stream; a=b\r\n"
    assert server.ask("POST", "/echo", headers + f"Content-Length: {MIB}\r\n", body).body == body
    assert server.ask("POST", "/echo", headers + "Content-Length: 0\r\n").body == b""


def test_echo_in_chunks(server):
    chunks = b"".join(b"%x\r\n%s\r\n" % (n, b"y" * n) for n in (1, 5000, 70000)) + b"0\r\n\r\n"
    with contextlib.closing(server.connect()) as connection:
        for _ in range(2):
            reply = connection.ask("PUT", "/echo", "Transfer-Encoding: chunked\r\n", chunks)
            assert (reply.status, reply.body) == (200, b"y" * 75001)


@pytest.mark.parametrize("header", ["", "Content-Type: application/json\r\n", "Content-Type: text\r\n",
                                    "Content-Type: text/plain\r\nContent-Type: text/plain\r\n"])
@pytest.mark.parametrize("body", [b"", b"abc"])
def test_media_type(server, header, body):
    reply = server.ask("POST", "/echo", f"{header}Content-Length: {len(body)}\r\n", body)
    assert (reply.status, reply.error()) == (415, "media-type")


def test_body_of_the_greatest_size(server):
    assert server.ask("POST", "/size", "Content-Length: 1000\r\n", b"x" * 1000).body == b"1000"
    chunks = b"3e8\r\n" + b"x" * 1000 + b"\r\n0\r\n\r\n"
    assert server.ask("POST", "/size", "Transfer-Encoding: chunked\r\n", chunks).body == b"1000"


def test_body_too_large_by_its_length(server):
    """The answer comes before the body."""
    for size in 1001, 10**15, 2**64 - 1:
        reply = server.ask("POST", "/size", f"Content-Length: {size}\r\n")
        assert (reply.status, reply.error()) == (413, "body-too-large")
        assert reply.headers["connection"] == "close"


CHUNKED = "Transfer-Encoding: chunked"


# a body without a length is read for a while only, then the connection ends
@pytest.mark.parametrize(("size", "headers"), [
    (size, headers) for size in (3000, 300000, 50 * MIB)
    for headers in ([], ["-H", "Expect:"], ["-H", CHUNKED], ["-H", CHUNKED, "-H", "Expect:"])
    if size < 10 * MIB or CHUNKED not in headers])
def test_body_too_large_as_curl_sees_it(server, tmp_path, size, headers):
    (tmp_path / "body").write_bytes(b"x" * size)
    out = server.curl("-X", "POST", "-T", tmp_path / "body", *headers, "-w", "\n%{http_code}",
                      server.url + "/size").stdout
    assert json.loads(out.splitlines()[0])["error"]["code"] == "body-too-large"
    assert out.splitlines()[1] == b"413"


def test_client_that_sends_first_and_reads_then_sees_the_413(server):
    with contextlib.closing(server.connect()) as connection:
        connection.send("POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n")
        time.sleep(0.3)  # the answer is on its way, and the connection ended
        connection.send(b"x" * 500000)
        assert connection.reply().error() == "body-too-large"


def test_endless_body_ends_the_connection(server):
    before = server.memory()
    with contextlib.closing(server.connect()) as connection:
        connection.send("POST /size HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        with pytest.raises((ConnectionError, ssl.SSLError)):
            for _ in range(1000):
                connection.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
    assert server.memory() - before < 16 * MIB


@pytest.mark.parametrize("chunked", [False, True])
def test_upload_is_streamed(serve, tmp_path, chunked):
    body = os.urandom(50 * MIB)
    (tmp_path / "body").write_bytes(body)
    with serve() as server:
        before = server.memory()
        out = server.curl("-X", "POST", "-T", tmp_path / "body",
                          *(["-H", "Transfer-Encoding: chunked"] if chunked else []),
                          server.url + "/upload").stdout
        assert out.decode() == f"{len(body)} {hashlib.sha256(body).hexdigest()}"
        assert server.memory("VmHWM") - before < 8 * MIB


def test_download_is_streamed(serve):
    size = 50 * MIB
    with serve() as server:
        before = server.memory()
        out = server.curl(f"{server.url}/download?size={size}").stdout
        assert out == (bytes(range(251)) * (size // 251 + 1))[:size]
        assert server.memory("VmHWM") - before < 8 * MIB


def test_download_that_fails_breaks_the_connection(server):
    done = server.curl(f"{server.url}/download?size={MIB}&fail=300000", check=False)
    assert done.returncode in (18, 56) and len(done.stdout) < MIB


@pytest.mark.parametrize("refuse_at", [0, 1, 20 * MIB, 50 * MIB])
@pytest.mark.parametrize("chunked", [False, True])
def test_upload_that_is_refused_says_why(server, tmp_path, refuse_at, chunked):
    (tmp_path / "body").write_bytes(b"x" * (50 * MIB))
    out = server.curl("-X", "POST", "-T", tmp_path / "body", "-H", f"X-Refuse-At: {refuse_at}",
                      *(["-H", "Transfer-Encoding: chunked"] if chunked else []),
                      server.url + "/upload", "-w", "\n%{http_code}").stdout
    assert out.splitlines()[1] == b"409"


def test_upload_that_breaks_off(server, tmp_path):
    """begin's end comes all the same: else the sanitizer finds a leak."""
    connection = server.connect()
    connection.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc")
    connection.close()
    assert server.ask("POST", "/upload", "Content-Length: 3\r\n", b"abc").body.startswith(b"3 ")


# What is malformed

@pytest.mark.parametrize("request_line", [
    "OPTIONS *", "GET whoami", "GET http://localhost/whoami", "GET /who\tami", "GET /who\x7fami",
    "GET /wh\xc3\xb6", "GET /who#ami"])
def test_target_that_is_no_path(server, request_line):
    reply = server.ask(*request_line.split(" "))
    assert reply is None or reply.status == 400
    if reply is not None and reply.headers.get("content-type") == "application/json":
        assert reply.error() == "malformed"


@pytest.mark.parametrize("headers", [
    "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 3\r\nContent-Length: 3\r\n",
    "Content-Length: 3\r\nContent-Length: 4\r\n", "Transfer-Encoding: gzip\r\n",
    "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"])
def test_length_in_two_ways(server, headers):
    """Else what one takes for a body is to another the next request."""
    with contextlib.closing(server.connect()) as connection:
        reply = connection.ask("POST", "/size", headers, b"3\r\nabc\r\n0\r\n\r\n")
        assert (reply.status, reply.error()) == (400, "malformed")
        assert connection.reply() is None


@pytest.mark.parametrize("length", ["-1", "+3", "3x", "0x3", "", "18446744073709551616", "3, 3"])
def test_length_that_is_no_number(server, length):
    with contextlib.closing(server.connect()) as connection:
        reply = connection.ask("POST", "/size", f"Content-Length: {length}\r\n", b"abc")
        assert reply is None or reply.status in (400, 413)
        assert reply is None or connection.reply() is None


def test_no_host(server):
    with contextlib.closing(server.connect()) as connection:
        connection.send("GET /whoami HTTP/1.1\r\n\r\n")
        assert connection.reply().status == 400


@pytest.mark.parametrize("size,statuses", [(15000, {200}), (17000, {431}), (100000, {413, 414, 431, None})])
@pytest.mark.parametrize("where", ["header", "target", "many"])
def test_headers_of_any_size(server, size, statuses, where):
    with contextlib.closing(server.connect()) as connection:
        target = "/whoami?" + ("a" * size if where == "target" else "")
        headers = {"header": f"X-Test: {'a' * size}\r\n", "target": "",
                   "many": "A: bcdefg\r\n" * (size // 11)}[where]
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            reply = connection.ask("GET", target, headers)
            if where == "many":  # libmicrohttpd needs more room for each than it has bytes
                statuses = statuses | {413, 431, None}
            assert (reply.status if reply else None) in statuses
            if size == 17000 and reply and reply.headers.get("content-type") == "application/json":
                assert reply.error() == "headers-too-large"
    assert server.ask("GET", "/whoami").status == 200


def test_garbage(server):
    for garbage in b"", b"\x00" * 1000, b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"a" * 70000:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
            with contextlib.suppress(ConnectionError):
                raw.sendall(garbage)
    for garbage in "\r\n" * 100, "\0" * 1000, "GET", "GET /whoami\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", \
            "GET /whoami HTTP/1.1\r\nno colon\r\n\r\n":
        with contextlib.closing(server.connect()) as connection:
            connection.send(garbage)
            connection.socket.settimeout(0.2)
            with contextlib.suppress(TimeoutError):
                connection.receive()
    assert server.ask("GET", "/whoami").status == 200


def test_tls_before_1_3_is_refused(server):
    context = ssl.create_default_context(cafile=server.keys / "server.pem")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        Connection(server.port, context)
    with contextlib.closing(server.connect()) as connection:
        assert connection.socket.version() == "TLSv1.3"


# Limits in time and number

def test_rate_of_an_address(serve):
    with serve("address_rate=1", "address_burst=5") as server:
        with contextlib.closing(server.connect()) as connection:
            replies = [connection.ask("GET", "/whoami") for _ in range(8)]
            assert [r.status for r in replies] == [200] * 5 + [429] * 3
            assert replies[-1].error() == "too-many-requests" and replies[-1].headers["retry-after"] == "1"
            time.sleep(1.1)
            assert connection.ask("GET", "/whoami").status == 200
            time.sleep(1.1)
        assert server.metric('broch_http_rate_refusals_total{rate="address"}') == 3


def test_rate_of_all(serve):
    with serve("global_rate=1", "global_burst=5") as server:
        with contextlib.closing(server.connect()) as connection:
            replies = [connection.ask("GET", "/whoami") for _ in range(8)]
            assert [r.status for r in replies] == [200] * 5 + [429] * 3
            time.sleep(1.1)
        assert server.metric('broch_http_rate_refusals_total{rate="global"}') == 3


def drip(connection, pieces, seconds=0.1):
    """Sends pieces slowly; the seconds until that fails or the server ends the connection."""
    begin = time.monotonic()
    connection.socket.settimeout(seconds)
    for piece in pieces:
        try:
            connection.send(piece)
            if not connection.socket.recv(1000):
                break
        except TimeoutError:
            continue
        except (ConnectionError, ssl.SSLError):
            break
    return time.monotonic() - begin


@pytest.mark.parametrize("begin", [
    "", "GET /who", "GET /whoami HTTP/1.1\r\nHost: a\r\nX: ",
    "POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n",
    "POST /size HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n",
    "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"])
def test_slow_request_is_cut_off(serve, begin):
    with serve("request_timeout_ms=1000") as server:
        with contextlib.closing(server.connect()) as connection:
            if begin:
                connection.send(begin)
            assert 0.7 < drip(connection, ["a"] * 100) < 2.5
        assert server.metric("broch_http_connections_cut_total") == 1


def test_slow_second_request_is_cut_off(serve):
    with serve("request_timeout_ms=1000", "idle_timeout_s=2") as server:
        with contextlib.closing(server.connect()) as connection:
            assert connection.ask("GET", "/whoami").status == 200
            connection.send("GET /whoami HTTP/1.1\r\nX: ")
            assert 0.7 < drip(connection, ["a"] * 100) < 2.5
        with contextlib.closing(server.connect()) as connection:
            assert connection.ask("GET", "/whoami").status == 200
            # its line does not end: the time of silence and that of a request
            assert 2 < drip(connection, ["a"] * 100) < 4.5


def test_slow_handshake_is_cut_off(serve):
    with serve("request_timeout_ms=1000") as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
            begin = time.monotonic()
            raw.sendall(b"\x16\x03\x01\x02\x00")
            with contextlib.suppress(ConnectionError):
                while raw.recv(1000):
                    pass
            assert 0.7 < time.monotonic() - begin < 2.5


def test_slow_reader_is_cut_off(serve):
    size = 24 * MIB
    with serve("request_timeout_ms=500", f"answer_rate={24 * MIB}") as server:
        with contextlib.closing(server.connect()) as connection:
            connection.send(f"GET /download?size={size} HTTP/1.1\r\nHost: a\r\n\r\n")
            time.sleep(3)
            got = 0
            while more := connection.receive():
                got += len(more)
            assert 0 < got < size


def test_slow_answer_is_waited_for(serve):
    """The limit is for the request's arrival: a handler has all the time it wants."""
    with serve("request_timeout_ms=500", "idle_timeout_s=1") as server:
        assert server.ask("GET", "/slow?ms=2500").body == b"slow"


def test_idle_connection_is_closed(serve):
    with serve("idle_timeout_s=1") as server:
        with contextlib.closing(server.connect()) as connection:
            assert connection.ask("GET", "/whoami").status == 200
            assert 0.5 < connection.seconds_until_end() < 4


def test_connections_of_one_address(serve):
    with serve("address_connections=3") as server:
        connections = [server.connect() for _ in range(3)]
        with pytest.raises((ConnectionError, ssl.SSLError)):
            server.connect().ask("GET", "/whoami")
        assert connections[0].ask("GET", "/whoami").status == 200
        connections[1].close()
        time.sleep(0.3)
        assert server.metric("broch_http_connections_refused_total") == 1


def test_connections_beyond_the_greatest_number_wait(serve):
    with serve("connections_max=2", "address_connections=50") as server:
        first = [server.connect() for _ in range(2)]
        assert [c.ask("GET", "/whoami").status for c in first] == [200, 200]
        with pytest.raises(TimeoutError):
            server.connect(timeout=1)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            waiting = pool.submit(lambda: server.ask("GET", "/whoami").status)
            time.sleep(0.3)
            for connection in first:
                connection.close()
            assert waiting.result(timeout=10) == 200


def test_more_requests_than_workers_can_take(serve):
    with serve("workers=1") as server:
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            replies = list(pool.map(lambda _: server.ask("GET", "/slow?ms=200"), range(20)))
        assert {r.status for r in replies} == {200, 503}
        assert sum(r.status == 200 for r in replies) >= 9  # 8 wait for 1
        refused = next(r for r in replies if r.status == 503)
        assert refused.error() == "busy" and refused.headers["retry-after"] == "1"


def test_slow_handler_holds_up_nobody_else(serve):
    with serve("workers=2", "threads=1") as server:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            slow = pool.submit(server.ask, "GET", "/slow?ms=1500")
            time.sleep(0.2)
            begin = time.monotonic()
            assert server.ask("GET", "/whoami").status == 200
            assert time.monotonic() - begin < 1 and not slow.done()


# Memory

def bad_requests(server, count):
    kinds = [("GET", "/nowhere", "", b""), ("POST", "/size", "Content-Length: 9999\r\n", b"x" * 9999),
             ("POST", "/echo", "Content-Length: 3\r\n", b"abc"), ("DELETE", "/whoami", "", b""),
             ("GET", "/message", "X-A: " + "b" * 17000 + "\r\n", b""), ("GET", "*", "", b""),
             ("POST", "/size", "Content-Length: x\r\n", b"")]
    connection = server.connect()
    for i in range(count):
        try:
            reply = connection.ask(*kinds[i % len(kinds)])
        except (ConnectionError, ssl.SSLError):
            reply = None
        assert reply is None or reply.status >= 400
        if reply is None or reply.headers.get("connection") == "close":
            connection.close()
            connection = server.connect()
    connection.close()


def test_bad_requests_leave_nothing_behind(serve):
    with serve() as server:
        bad_requests(server, 500)
        before = server.memory()
        bad_requests(server, 2000)
        assert server.memory() - before < 2 * MIB
        assert server.ask("GET", "/whoami").status == 200


def test_idle_connections_cost_little(serve):
    with serve("address_connections=1000") as server:
        assert server.ask("GET", "/whoami").status == 200
        before = server.memory()
        connections = [server.connect() for _ in range(200)]
        for connection in connections:
            assert connection.ask("GET", "/whoami").status == 200
        assert (server.memory() - before) / len(connections) < 100 << 10  # TLS has the most of it


def test_announced_bodies_take_no_memory(serve):
    with serve("address_connections=1000") as server:
        before = server.memory()
        for _ in range(100):
            server.connect().send("PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\nabc")
        time.sleep(0.5)
        assert server.memory() - before < 20 * MIB


# The end

def test_stop_waits_for_answers(serve):
    with serve() as server:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            slow = pool.submit(server.ask, "GET", "/slow?ms=1000")
            idle = server.connect()
            assert idle.ask("GET", "/whoami").status == 200
            time.sleep(0.3)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
            with pytest.raises(ConnectionError):
                socket.create_connection(("127.0.0.1", server.port), timeout=5)
            assert idle.ask("GET", "/whoami").headers["connection"] == "close"
            reply = slow.result()
        assert (reply.body, reply.headers["connection"]) == (b"slow", "close")


def test_stop_waits_for_the_body_that_comes(serve):
    with serve() as server:
        connection = server.connect()
        connection.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc")
        time.sleep(0.2)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        connection.send("def")
        assert connection.reply().body.startswith(b"6 ")


def test_stop_waits_no_longer_than_told(serve):
    with serve("workers=1", "drain_ms=300") as server:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            replies = [pool.submit(server.ask, "GET", "/slow?ms=1000") for _ in range(4)]
            stuck = server.connect()
            stuck.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc")
            time.sleep(0.3)
            begin = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            server.process.wait(timeout=10)
            assert time.monotonic() - begin < 3
            replies = [r.result() for r in replies]
        assert sorted(r.status for r in replies) == [200, 503, 503, 503]
        assert {r.error() for r in replies if r.status == 503} == {"stopping"}


def test_stop_amid_requests(serve):
    """Whatever goes on, the end is clean: no crash, no hang, and (sanitizers) no leak."""
    for _ in range(3):
        with serve("drain_ms=100") as server:
            stop = threading.Event()

            def ask(target):
                while not stop.is_set():
                    try:
                        connection = Connection(server.port, server.context)
                        while not stop.is_set() and connection.ask("GET", target):
                            pass
                        connection.close()
                    except (OSError, ssl.SSLError):
                        time.sleep(0.01)

            threads = [threading.Thread(target=ask, args=(t,)) for t in
                       ("/whoami", "/slow?ms=20", "/download?size=3000000", "/nowhere")]
            for thread in threads:
                thread.start()
            time.sleep(0.5)
            server.process.send_signal(signal.SIGTERM)
            server.process.wait(timeout=20)
            stop.set()
            for thread in threads:
                thread.join()


def test_stop_while_connections_come_and_go(serve):
    """libmicrohttpd once ended the program, one time in 150."""
    for i in range(400 if os.environ.get("BROCH_FULL") else 20):
        with serve("drain_ms=100") as server:
            stop = threading.Event()

            def visit():
                while not stop.is_set():
                    try:
                        Connection(server.port, server.context).close()
                    except (OSError, ssl.SSLError):
                        time.sleep(0.001)

            threads = [threading.Thread(target=visit) for _ in range(3)]
            for thread in threads:
                thread.start()
            time.sleep(0.03 + 0.002 * (i % 7))
            server.process.send_signal(signal.SIGTERM)
            server.process.wait(timeout=20)
            stop.set()
            for thread in threads:
                thread.join()


def test_metrics(serve):
    with serve() as server:
        for target in "/whoami", "/whoami", "/files/a", "/files/b", "/nowhere":
            server.ask("GET", target)
        server.ask("HEAD", "/whoami")
        server.ask("BREW", "/whoami")
        count = "broch_http_requests_total"
        assert server.metric(count + '{route="/whoami",method="GET",status="200"}') == 2
        assert server.metric(count + '{route="/whoami",method="HEAD",status="200"}') == 1
        assert server.metric(count + '{route="files",method="GET",status="200"}') == 2
        assert server.metric(count + '{route="none",method="GET",status="404"}') == 1
        assert server.metric(count + '{route="none",method="other",status="405"}') == 1
        assert server.metric('broch_http_request_seconds_count{route="/whoami"}') == 3
        assert server.metric("broch_http_connections") == 1


def test_key_of_another_certificate(program, keys):
    done = subprocess.run([program, "serve", keys / "server.pem", keys / "client.key"],
                          capture_output=True, text=True)
    assert done.returncode == 1 and "crypto:" in done.stderr


# The client

@pytest.fixture(scope="module")
def get(program, keys, server):
    """Runs http_get; what it printed, or the name of the error."""
    def run(url, ca="server.pem", timeout_ms=5000, body_max=MIB, accept=None, environment=None):
        done = subprocess.run([program, "get", url if "://" in url else server.url + url,
                               keys / ca if ca else "", str(timeout_ms), str(body_max),
                               *([accept] if accept else [])],
                              capture_output=True, timeout=30, env={**ENVIRONMENT, **(environment or {})})
        if done.returncode == 0:
            assert done.stderr == b""
            return done.stdout.decode(errors="replace")
        assert done.returncode == 1 and done.stdout == b""
        return re.fullmatch(r"http_probe: get: (\w+): .+\n", done.stderr.decode())[1]
    return run


def test_get(get):
    assert get("/accept?type=text/plain") == "status 200\ntype text/plain\nbody 4\n1000"
    assert get("/accept?type=text/plain", accept="text/plain;q=0.5") == "status 200\ntype text/plain\nbody 3\n500"
    assert get("/nowhere").startswith("status 404\ntype application/json\n")


def test_get_does_not_follow(get):
    assert get("/redirect") == "status 302\nbody 0\n"


def test_get_believes_only_whom_it_is_told_to(get):
    assert get("/whoami", ca="other.pem") == "crypto"
    assert get("/whoami", ca=None) == "crypto"
    assert get("/whoami", ca="server.key") in ("crypto", "memory")


def test_get_wants_the_right_name(get, server):
    assert get(server.url.replace("localhost", "127.0.0.1") + "/redirect") == "status 302\nbody 0\n"
    assert get(server.url.replace("localhost", "127.0.0.2") + "/redirect") in ("crypto", "io")


@pytest.mark.parametrize("url", ["http://localhost/", "file:///etc/passwd", "ftp://localhost/", "https://",
                                 "https://a:b:c/", "xhttps://localhost/"])
def test_get_of_no_url_of_ours(get, url):
    assert get(url) == "format"


def test_get_is_limited(get):
    assert get("/download?size=1000", body_max=1000).startswith("status 200\n")
    assert get("/download?size=1001", body_max=1000) == "limit"
    assert get("/slow?ms=3000", timeout_ms=500) == "timeout"


def test_get_finds_nobody(get, program):
    port = subprocess.run([program, "listen", "127.0.0.1:0"], capture_output=True, text=True,
                          check=True).stdout.split()[1]
    assert get(f"https://localhost:{port}/") == "io"
    assert get("https://nowhere.invalid/") == "io"


def test_get_asks_no_environment(get):
    environment = {"https_proxy": "http://127.0.0.1:9", "ALL_PROXY": "http://127.0.0.1:9",
                   "HTTPS_PROXY": "http://127.0.0.1:9"}
    assert get("/redirect", environment=environment) == "status 302\nbody 0\n"


@contextlib.contextmanager
def raw_server(keys, reply):
    """A server that says `reply` to the first who asks."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keys / "server.pem", keys / "server.key")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def run():
            with contextlib.suppress(OSError, ssl.SSLError):
                with context.wrap_socket(listener.accept()[0], server_side=True) as connection:
                    connection.recv(10000)
                    connection.sendall(reply)
        thread = threading.Thread(target=run)
        thread.start()
        yield f"https://localhost:{listener.getsockname()[1]}/"
        thread.join()


@pytest.mark.parametrize("reply,expected", [
    (b"HTTP/1.1 100 Continue\r\nX: 1\r\n\r\nHTTP/1.1 200 OK\r\ncontent-type:a\r\nContent-Length: 2\r\n\r\nhi",
     "status 200\ntype a\nbody 2\nhi"),
    (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70000 + b"\r\n\r\n", "limit"),
    (b"HTTP/1.1 200 OK\r\n" + b"X: abcdefgh\r\n" * 7000 + b"\r\n", "limit"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n200000\r\n" + b"a" * 0x200000 + b"\r\n0\r\n\r\n", "limit"),
    (b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 0x200000, "limit"),
    (b"hello\r\n\r\n", "format"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhi", "io"),
    (b"", "io"),
])
def test_get_of_strange_replies(get, keys, reply, expected):
    with raw_server(keys, reply) as url:
        assert get(url) == expected
