"""The chat of workloads/ over plain TCP: servers and clients in C and Rust, clients that are many, slow or rude.

Over plain TCP everybody is anonymous; --allow-anonymous admits them. The clients here are the workloads
where it matters, else sockets of this test.
"""
import contextlib
import re
import selectors
import socket
import struct
import time

import pytest

import programs
import workload_builds

LATE_S = 60
SOON_S = 0.3  # in which nothing is to happen
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset and forgets what was not sent
CLIENTS_MAX = 128
LINE_MAX = 4096
LANGUAGES = {"c": "", "rust": "-rust"}
REFUSED = "client did not present a valid certificate, refuse connection"


class Lines:
    """The lines of a pipe or socket, as they come."""

    def __init__(self, file):
        self.file = file
        self.buffer = b""
        self.selector = selectors.DefaultSelector()
        self.selector.register(file, selectors.EVENT_READ)

    def fill(self, seconds):
        """Whether more has come; EOFError at the end."""
        if not self.selector.select(seconds):
            return False
        data = self.file.recv(65536) if isinstance(self.file, socket.socket) else self.file.read1(65536)
        if not data:
            raise EOFError(self.buffer)
        self.buffer += data
        return True

    def next(self):
        until = time.monotonic() + LATE_S
        while b"\n" not in self.buffer:
            left = until - time.monotonic()
            assert left > 0 and self.fill(left), f"no line, only {self.buffer!r}"
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.decode()

    def until(self, line):
        """The lines before this one."""
        before = []
        while (got := self.next()) != line:
            before.append(got)
        return before

    def rest(self):
        """All up to the end."""
        with contextlib.suppress(EOFError):
            while self.fill(LATE_S):
                pass
        return self.buffer.decode()

    def is_silent(self):
        return not self.buffer and not self.fill(SOON_S)


class Client:
    """A socket that speaks to the server."""

    def __init__(self, port, receive_buffer=None, send_buffer=None):
        self.socket = socket.socket()
        if send_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(LATE_S)
        self.socket.connect(("127.0.0.1", port))
        self.lines = Lines(self.socket)

    def join(self):
        """Its name, once the server has let it in."""
        line = self.lines.next()
        assert re.fullmatch(r"#\d+ anonymous joined the chat", line), line
        self.name = line.removesuffix(" joined the chat")
        return self

    def say(self, *lines):
        self.socket.sendall("".join(f"{line}\n" for line in lines).encode())

    def end(self):
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.socket.close()


class Server:
    """The server while it runs. Clients that it makes are gone at its end."""

    def __init__(self, process, port):
        self.process = process
        self.port = port
        self.said = Lines(process.stdout)
        self.clients = []

    def client(self, **options):
        client = Client(self.port, **options)
        self.clients.append(client)
        return client

    def join(self, others=(), **options):
        """A new client, which the others have heard of."""
        client = self.client(**options).join()
        for other in others:
            assert other.lines.next() == f"{client.name} joined the chat"
        return client


@contextlib.contextmanager
def running(build, folder, language, *args):
    port = programs.free_port()
    broch = programs.Broch([build / "src/cli/broch", "run"], folder)
    module = workload_builds.module("chat-server" + LANGUAGES[language])
    with broch.start(module, *args, port, config=workload_builds.plain_server(port)) as process:
        server = Server(process, port)
        assert server.said.next() == f"Listening on port {port}"
        try:
            yield server
        finally:
            for client in server.clients:
                client.socket.close()


@pytest.fixture(params=LANGUAGES)
def language(request):
    return request.param


@pytest.fixture
def server(build, tmp_path, language):
    with running(build, tmp_path, language, "--allow-anonymous") as server:
        yield server
        assert server.process.poll() is None, server.process.stderr.read()


@contextlib.contextmanager
def chatting(build, folder, language, port, *args, address=True):
    """The client as a workload; its standard input is a pipe."""
    folder = folder / f"client-{time.monotonic_ns()}"
    folder.mkdir()
    broch = programs.Broch([build / "src/cli/broch", "run"], folder)
    module = workload_builds.module("chat-client" + LANGUAGES[language])
    words = [*args, f"127.0.0.1:{port}"] if address else args
    with broch.start(module, *words, config=workload_builds.plain_client(port)) as process:
        process.lines = Lines(process.stdout)
        yield process


def write(process, text):
    process.stdin.write(text.encode())
    process.stdin.flush()


def finish(process):
    """What it says up to its end, on both outputs, and its exit code."""
    process.stdin.close()
    out, err = process.lines.rest(), process.stderr.read().decode()
    return out, err, process.wait(LATE_S)


def without_log(err):
    """What the program itself wrote: lines of the log begin with a time."""
    return "".join(line for line in err.splitlines(True) if not re.match(r"\d{4}-\d\d-\d\dT", line))


# ---- the client ----

@pytest.mark.parametrize("client_language", LANGUAGES)
def test_two_clients_talk(server, build, tmp_path, client_language):
    def client():
        return chatting(build, tmp_path, client_language, server.port, "--allow-anonymous")

    connected = f"Connected to `127.0.0.1:{server.port}`, which proves nothing"
    with client() as a:
        assert a.lines.next() == connected
        assert a.lines.next() == "#1 anonymous joined the chat"
        with client() as b:
            assert b.lines.next() == connected
            assert b.lines.next() == a.lines.next() == "#2 anonymous joined the chat"
            write(a, "hello\n")
            write(a, "how are")
            assert b.lines.next() == a.lines.next() == "#1 anonymous: hello"
            assert b.lines.is_silent()
            write(a, " you?\n")
            assert b.lines.next() == a.lines.next() == "#1 anonymous: how are you?"
            write(b, "fine\nand you?\n")
            for line in ("fine", "and you?"):
                assert b.lines.next() == a.lines.next() == f"#2 anonymous: {line}"
            write(b, "no end of line")
            out, err, code = finish(b)
            assert (out, without_log(err), code) == ("#2 anonymous: no end of line\n", "", 0)
        assert a.lines.next() == "#2 anonymous: no end of line"
        assert a.lines.next() == "#2 anonymous left the chat"
        assert finish(a)[2] == 0
    for name, what in (("#1", "joined"), ("#2", "joined"), ("#2", "left"), ("#1", "left")):
        assert server.said.next() == f"{name} anonymous {what} the chat"  # and nothing of what was said


@pytest.mark.parametrize("client_language", LANGUAGES)
def test_client_asks_for_the_address(server, build, tmp_path, client_language):
    with chatting(build, tmp_path, client_language, server.port, "--allow-anonymous", address=False) as process:
        write(process, f"  127.0.0.1:{server.port} \r\nfirst\nsecond")
        out, err, code = finish(process)
    assert code == 0 and without_log(err) == "Server address: "
    assert out.splitlines()[1:] == ["#1 anonymous joined the chat", "#1 anonymous: first", "#1 anonymous: second"]


@pytest.mark.parametrize("text, said", [
    ("", "no server address was given"),
    ("  \nhello\n", "no server address was given"),
    ("\0\n", None),
    ("a/../b:1\n", None),
    ("x" * 100_000, None),
], ids=["nothing", "blank", "zero", "path", "long"])
def test_client_refuses_what_is_no_address(build, tmp_path, language, text, said):
    broch = programs.Broch([build / "src/cli/broch", "run"], tmp_path)
    module = workload_builds.module("chat-client" + LANGUAGES[language])
    done = broch.run(module, stdin=text, config=workload_builds.plain_client(1))
    assert done.returncode == 1 and done.stdout == ""
    assert said is None or said in done.stderr


def test_client_retries(build, tmp_path, language):
    port = programs.free_port()
    with chatting(build, tmp_path, language, port, "--allow-anonymous", "--tries", "5") as client:
        err = Lines(client.stderr)
        said = err.next()
        assert re.fullmatch(rf"Failed to connect to `127.0.0.1:{port}`: Connection refused( \(os error 14\))?", said)
        assert err.next() == "Retrying in 1s"
        with socket.create_server(("127.0.0.1", port)) as listener:
            listener.settimeout(LATE_S)
            with listener.accept()[0] as s:
                s.sendall(b"welcome\n")
                assert client.lines.next().startswith("Connected to ")
                assert client.lines.next() == "welcome"
                client.stdin.close()
                assert s.recv(1) == b""
        assert client.wait(LATE_S) == 0


def test_client_gives_up(build, tmp_path, language):
    port = programs.free_port()
    with chatting(build, tmp_path, language, port, "--tries", "2") as client:
        out, err, code = finish(client)
    assert (out, code) == ("", 1)
    assert err.count("Failed to connect") == 2 and err.count("Retrying") == 1


def test_client_does_not_retry_what_is_not_allowed(build, tmp_path, language):
    broch = programs.Broch([build / "src/cli/broch", "run"], tmp_path)
    module = workload_builds.module("chat-client" + LANGUAGES[language])
    done = broch.run(module, "127.0.0.1:2", config=workload_builds.plain_client(1))
    assert done.returncode == 1 and "Permission denied" in done.stderr and "Retrying" not in done.stderr


def test_client_aborts_when_the_server_is_anonymous(server, build, tmp_path, language):
    with chatting(build, tmp_path, language, server.port) as client:
        write(client, "secret\n")
        out, err, code = finish(client)
    assert (out, code) == ("", 1)
    assert "server did not present a valid certificate, abort connection" in err
    assert server.said.next() == "#1 anonymous joined the chat"
    assert server.said.next() in ("#1 anonymous left the chat", "#1 anonymous left the chat: connection lost")


def test_client_ends_when_the_server_closes(build, tmp_path, language):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(LATE_S)
        with chatting(build, tmp_path, language, listener.getsockname()[1], "--allow-anonymous") as client:
            with listener.accept()[0] as s:
                s.sendall(b"bye")
            assert client.wait(LATE_S) == 1
            out, err, _ = finish(client)
    assert out.endswith("\nbye") and "the server closed the connection" in err


def test_client_does_not_wait_for_ever(build, tmp_path, language):
    """For a server that does not end when it has."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(LATE_S)
        with chatting(build, tmp_path, language, listener.getsockname()[1], "--allow-anonymous") as client:
            with listener.accept()[0]:
                start = time.monotonic()
                _, err, code = finish(client)
    assert code == 1 and "does not end" in err and 9 < time.monotonic() - start < LATE_S


def test_client_sends_much_while_it_receives_much(build, tmp_path, language):
    data = b"".join(b"%07d\n" % i for i in range(250_000))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(LATE_S)
        with chatting(build, tmp_path, language, listener.getsockname()[1], "--allow-anonymous") as client:
            with listener.accept()[0] as s, selectors.DefaultSelector() as selector:
                to_client = to_server = from_client = from_server = b""
                for file, what in ((s, selectors.EVENT_READ | selectors.EVENT_WRITE),
                                   (client.stdin, selectors.EVENT_WRITE), (client.stdout, selectors.EVENT_READ)):
                    selector.register(file, what)
                s.setblocking(False)
                at_client = at_server = 0
                from_client, from_server = bytearray(), bytearray()
                while selector.get_map():
                    happened = selector.select(LATE_S)
                    assert happened
                    for key, events in happened:
                        if key.fileobj is client.stdin:
                            at_client += client.stdin.raw.write(data[at_client:at_client + 4096])
                            if at_client == len(data):
                                selector.unregister(client.stdin)
                                client.stdin.close()
                        elif key.fileobj is client.stdout:
                            piece = client.stdout.read1(65536)
                            from_client += piece
                            if not piece:
                                selector.unregister(client.stdout)
                        else:
                            if events & selectors.EVENT_READ and not (piece := s.recv(65536)):
                                s.shutdown(socket.SHUT_WR)
                                selector.unregister(s)
                                continue
                            if events & selectors.EVENT_READ:
                                from_server += piece
                            if events & selectors.EVENT_WRITE and at_server < len(data):
                                at_server += s.send(data[at_server:at_server + 65536])
                                if at_server == len(data):
                                    selector.modify(s, selectors.EVENT_READ)
            assert client.wait(LATE_S) == 0
    assert from_server == data and from_client.partition(b"\n")[2] == data


# ---- the server ----

def test_anonymous_clients_are_refused(build, tmp_path, language):
    with running(build, tmp_path, language) as server:
        for _ in range(300):
            client = server.client()
            assert client.lines.rest() == ""
            client.socket.close()
        said = Lines(server.process.stderr)
        assert "keep: listening" in said.next()
        assert [said.next() for _ in range(300)] == 300 * [REFUSED]
        server.process.kill()
        assert said.rest() == server.said.rest() == ""


def test_many_clients(server):
    clients = []
    for _ in range(50):
        clients.append(server.join(clients))
    assert len({c.name for c in clients}) == 50
    for i, client in enumerate(clients):
        client.say(f"I am number {i}")
        for other in clients:
            assert other.lines.next() == f"{client.name}: I am number {i}"
    for client in clients:  # all at once
        client.say(*range(20))
    expected = {c.name: list(map(str, range(20))) for c in clients}
    for client in clients:
        heard = {}
        for _ in range(50 * 20):
            name, _, line = client.lines.next().partition(": ")
            heard.setdefault(name, []).append(line)
        assert heard == expected
    while clients:
        gone = clients.pop()
        gone.end()
        assert gone.lines.rest() == ""
        for other in clients:
            assert other.lines.next() == f"{gone.name} left the chat"


def test_server_full(server):
    clients = [server.client().join() for _ in range(CLIENTS_MAX)]
    for _ in range(3):
        assert server.client().lines.rest() == f"* the server is full: it has {CLIENTS_MAX} clients\n"
    gone = clients.pop()
    gone.socket.close()
    clients[0].lines.until(f"{gone.name} left the chat")
    late = server.join()
    late.say("room at last")
    assert clients[0].lines.until(f"{late.name}: room at last") == [f"{late.name} joined the chat"]


def test_long_lines(server):
    a = server.join()
    b = server.join([a])
    too_long = f"* a line of more than {LINE_MAX} bytes was not sent"
    for size in (1, LINE_MAX - 1, LINE_MAX):
        a.say("x" * size)
        assert a.lines.next() == b.lines.next() == f"{a.name}: {'x' * size}"
    for size in (LINE_MAX + 1, LINE_MAX + 2, 2 * LINE_MAX + 1, 2 * LINE_MAX + 2, 1_000_000):
        a.say("x" * size, "short")
        assert a.lines.next() == too_long
        assert a.lines.next() == b.lines.next() == f"{a.name}: short"
    a.socket.sendall(b"x" * 10_000)
    a.end()
    assert a.lines.rest() == too_long + "\n"
    assert b.lines.next() == f"{a.name} left the chat"


def test_lines_in_pieces(server):
    a = server.join()
    b = server.join([a])
    for byte in b"slow\r\n\nand empty\r\n":
        a.socket.sendall(bytes([byte]))
        time.sleep(0.01)
    for client in (a, b):
        assert [client.lines.next() for _ in range(3)] == [f"{a.name}: {x}" for x in ("slow", "", "and empty")]


def test_control_characters_are_made_visible(server):
    a = server.join()
    a.socket.sendall("a\x1b[2Jb\x00c\x7fd\re\tf\u009bg\u00e9h\n".encode())
    assert a.lines.next() == f"{a.name}: a?[2Jb?c?d?e\tf??g\u00e9h"


def test_half_close(server):
    """What it said before is answered yet; then the connection ends."""
    a = server.join()
    b = server.join([a])
    b.say("one", "two")
    b.socket.sendall(b"three")
    b.end()
    said = [f"{b.name}: {word}" for word in ("one", "two", "three")]
    assert b.lines.rest() == "".join(f"{line}\n" for line in said)
    assert a.lines.until(f"{b.name} left the chat") == said


def test_abrupt_disconnects(server):
    a = server.join()
    for i in range(100):
        b = server.client()
        if i % 3 == 1:
            b.socket.sendall(b"x" * 1000)
        elif i % 3 == 2:
            b.say(*range(30))
        if i % 2 == 1:
            b.join()
        b.reset()
    a.say("still here")
    a.lines.until(f"{a.name}: still here")
    c = server.join([a] if a.lines.is_silent() else ())
    c.say("me too")
    assert c.lines.next() == f"{c.name}: me too"


def test_slow_reader_is_dropped(server):
    """The others do not wait for it, and hear of it."""
    a = server.join()
    b = server.join([a])
    slow = server.join([a, b], receive_buffer=4096)
    line, dropped = "x" * LINE_MAX, f"{slow.name} left the chat: too slow"
    for _ in range(20_000):  # what the kernel holds for the slow one is up to some MiB
        a.say(line)
        heard = a.lines.next()
        assert b.lines.next() == heard
        if heard == dropped:
            break
        assert heard == f"{a.name}: {line}"
    assert heard == dropped
    assert a.lines.next() == b.lines.next() == f"{a.name}: {line}"
    a.say("and on")
    assert a.lines.next() == b.lines.next() == f"{a.name}: and on"


def send_until_blocked(s, data):
    """As much as fits between here and the server for a while; returns the rest's offset."""
    s.setblocking(False)
    sent, blocked_since = 0, None
    while blocked_since is None or time.monotonic() - blocked_since < SOON_S:
        assert sent < len(data)
        try:
            sent += s.send(data[sent:sent + 65536])
            blocked_since = None
        except BlockingIOError:
            blocked_since = blocked_since or time.monotonic()
            yield sent
            time.sleep(0.01)
    s.settimeout(LATE_S)
    yield sent


def test_flood(server):
    """One who sends without reading is read no faster than it reads; the others are not held up."""
    a = server.join()
    b = server.join([a])
    flooder = server.join([a, b], receive_buffer=4096)
    for _ in send_until_blocked(flooder.socket, b"0123456\n" * 5_000_000):
        for client in (a, b):
            while client.lines.fill(0):
                client.lines.buffer = client.lines.buffer[-10_000:]
    b.say("can you hear me?")
    a.lines.until(f"{b.name}: can you hear me?")
    flooder.reset()
    a.lines.until(f"{flooder.name} left the chat: connection lost")


def test_reads_late(server):
    """One who sends as much as it can, ends, and only then reads, gets all that it said."""
    a = server.join(receive_buffer=65536, send_buffer=65536)
    data = b"".join(b"%d\n" % i for i in range(5_000_000))
    *_, sent = send_until_blocked(a.socket, data)
    a.end()
    heard, said = a.lines.rest().splitlines(), data[:sent].decode().splitlines()
    assert len(heard) > 1000 and heard == [f"{a.name}: {line}" for line in said]


def test_waiting_takes_no_time(server):
    a = server.join()
    b = server.join([a])
    b.end()
    a.lines.until(f"{b.name} left the chat")
    keep = programs.keep_of(server.process.pid)

    def ticks():
        with open(f"/proc/{keep}/stat", encoding="ascii") as f:
            return sum(map(int, f.read().rpartition(")")[2].split()[11:13]))

    before = ticks()
    time.sleep(1)
    assert ticks() - before <= 2


@pytest.mark.parametrize("args", [("--nonsense",), ("1", "2")])
@pytest.mark.parametrize("program", ["chat-server", "chat-client"])
def test_usage(build, tmp_path, language, program, args):
    broch = programs.Broch([build / "src/cli/broch", "run"], tmp_path)
    done = broch.run(workload_builds.module(program + LANGUAGES[language]), *args)
    assert done.returncode == 1 and f"usage: {program}" in done.stderr


def test_port_that_is_not_allowed(build, tmp_path, language):
    broch = programs.Broch([build / "src/cli/broch", "run"], tmp_path)
    done = broch.run(workload_builds.module("chat-server" + LANGUAGES[language]), 2,
                     config=workload_builds.plain_server(1))
    assert done.returncode == 1 and "failed to listen: Permission denied" in done.stderr


# ---- the packages ----

def test_packages_are_what_they_should_be(build, record_property):
    sizes = {}
    for name in workload_builds.tool.WORKLOADS:
        package = workload_builds.build(name)
        assert sorted(p.name for p in package.iterdir()) == ["Keep.toml", "main.wasm"]
        done = programs.subprocess.run([build / "src/cli/broch", "config", "check", package / "Keep.toml"],
                                       capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        sizes[name] = (package / "main.wasm").stat().st_size
    record_property("detail", ", ".join(f"{name} {size} bytes" for name, size in sizes.items()))
    assert sizes["chat-client"] <= 64 * 1024
