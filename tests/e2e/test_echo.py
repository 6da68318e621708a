"""An echo server as a workload, on /net/lis through poll(), against clients that are many, slow or rude."""
import asyncio
import contextlib
import os
import random
import re
import socket
import struct
import time

import pytest

import programs

LATE_S = 60
SOAK = 100_000 if os.environ.get("BROCH_FULL") else 5_000
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset and forgets what was not sent
GROWTH_KIB_MAX = 512


class Server:
    """The server while it runs, and what it said at its end."""

    def __init__(self, process, port):
        self.process = process
        self.port = port
        self.said = None

    def connect(self, source="127.0.0.1"):
        return socket.create_connection(("127.0.0.1", self.port), LATE_S, source_address=(source, 0))

    def end(self):
        """Ends it; returns how many it served, left open, how many bytes came and how many broke off."""
        out, err = self.process.communicate(timeout=LATE_S)
        assert self.process.returncode == 0, err
        return tuple(map(int, re.fullmatch(
            rb"(\d+) served, (\d+) open, (\d+) bytes, (\d+) broken\n", out).groups()))

    def check_alive(self):
        with self.connect() as s:
            assert echo(s, b"still there?") == b"still there?"


@pytest.fixture(params=["nil", "kvm", "snp", "sgx"])
def server(request, root, build, tmp_path):
    module = programs.compile_program("echo.c", root, build)
    port = programs.free_port()
    words = [] if request.param == "nil" else request.getfixturevalue(request.param)
    broch = programs.Broch([build / "src/cli/broch", "run", *words], tmp_path)
    with broch.start(module, port, config=programs.incoming(port)) as process:
        assert process.stdout.readline() == b"listening\n", process.stderr.read()
        yield Server(process, port)


def read_all(s):
    pieces = []
    while piece := s.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def echo(s, data):
    """Sends the data, which must fit into the sockets' buffers, and the end; returns what comes back."""
    s.sendall(data)
    s.shutdown(socket.SHUT_WR)
    return read_all(s)


async def echo_while_sending(reader, writer, data, is_half_closed=True):
    """Sends while it receives, so that neither side waits for the other for ever."""
    async def send():
        writer.write(data)
        await writer.drain()
        if is_half_closed:
            writer.write_eof()

    sending = asyncio.create_task(send())
    back = await (reader.read(-1) if is_half_closed else reader.readexactly(len(data)))
    await sending
    return back


def within_time(coroutine):
    asyncio.run(asyncio.wait_for(coroutine, LATE_S))


def test_in_turn(server):
    rng, total = random.Random(1), 0
    for _ in range(1000):
        data = rng.randbytes(rng.choice([0, 1, 100, 16384, 16385, 40000]))
        total += len(data)
        with server.connect() as s:
            assert echo(s, data) == data
    assert server.end() == (1000, 0, total, 0)


def test_at_once(server):
    """All connections are there before any sends; then each sends and receives ten times."""
    rng, total = random.Random(2), 0

    async def talk(reader, writer):
        nonlocal total
        for _ in range(10):
            data = rng.randbytes(rng.randrange(1, 50_000))
            total += len(data)
            assert await echo_while_sending(reader, writer, data, is_half_closed=False) == data
            await asyncio.sleep(rng.random() / 100)
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()

    async def all_of_them():
        streams = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(200)]
        await asyncio.gather(*(talk(*stream) for stream in streams))

    within_time(all_of_them())
    assert server.end() == (200, 0, total, 0)


def test_big_messages(server):
    messages = [os.urandom(size) for size in (2**20, 2**20 + 1, 5_000_000)]

    async def talk(data):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        assert await echo_while_sending(reader, writer, data) == data
        writer.close()

    async def all_of_them():
        await asyncio.gather(*map(talk, messages))

    within_time(all_of_them())
    assert server.end() == (3, 0, sum(map(len, messages)), 0)


def test_one_that_does_not_read(server):
    """Its own connection stops; the others go on, and it gets all when it reads at last."""
    data = os.urandom(20_000_000)
    with server.connect() as stubborn:
        stubborn.setblocking(False)
        sent = 0
        while True:  # until every buffer between here and the server is full for a while
            try:
                sent += stubborn.send(data[sent:sent + 65536])
            except BlockingIOError:
                time.sleep(0.1)
                with contextlib.suppress(BlockingIOError):
                    sent += stubborn.send(data[sent:sent + 65536])
                    continue
                break
        assert sent < len(data)
        for _ in range(20):
            server.check_alive()
        stubborn.settimeout(LATE_S)
        back = bytearray()
        while len(back) < sent:
            back += stubborn.recv(65536)
        stubborn.shutdown(socket.SHUT_WR)
        assert read_all(stubborn) == b"" and back == data[:sent]
    assert server.end() == (21, 0, sent + 20 * 12, 0)


def test_resets(server):
    """In the middle of sending, before anything, and while the answer is under way."""
    rng = random.Random(3)
    for i in range(300):
        s = server.connect()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        if i % 3 > 0:
            s.sendall(rng.randbytes(rng.choice([1, 16384, 100_000])))
        if i % 3 == 2:
            s.recv(1)
        s.close()
    server.check_alive()
    # 300 were reset, though some perhaps before they were accepted, or where the server saw an end
    served, still_open, _, broken = server.end()
    assert 101 <= served <= 301 and still_open == 0 and 100 <= broken <= 300


def test_ends_with_open_connections(server):
    with server.connect() as a, server.connect() as b:
        a.sendall(b"x")
        assert a.recv(1) == b"x"
        b.sendall(b"yz")
        assert b.recv(2) in (b"y", b"yz")
        assert server.end() == (0, 2, 3, 0)
        assert a.recv(1) == b""


def test_waiting_takes_no_time(server):
    """While nothing comes, no processor time is used."""
    keep = programs.keep_of(server.process.pid)

    def ticks():
        with open(f"/proc/{keep}/stat", encoding="ascii") as f:
            return sum(map(int, f.read().rpartition(")")[2].split()[11:13]))

    with server.connect() as s:
        s.sendall(b"x")
        assert s.recv(1) == b"x"
        before = ticks()
        time.sleep(1)
        assert ticks() - before <= 2


def test_port_in_use(server, root, build, tmp_path):
    module = programs.compile_program("echo.c", root, build)
    broch = programs.Broch([build / "src/cli/broch", "run"], tmp_path)
    done = broch.run(module, server.port, config=programs.incoming(server.port))
    assert done.returncode == 1 and "listen: Address in use" in done.stderr, done.stderr
    server.check_alive()


def test_port_not_allowed(server, root, build, tmp_path):
    module = programs.compile_program("echo.c", root, build)
    broch = programs.Broch([build / "src/cli/broch", "run"], tmp_path)
    done = broch.run(module, programs.free_port(), config=programs.incoming(server.port))
    assert done.returncode == 1 and "listen: Permission denied" in done.stderr, done.stderr


def settled(measure, is_good):
    """The measure once it is good, or the last one after a while."""
    value = measure()
    for _ in range(50):
        if is_good(value):
            break
        time.sleep(0.1)
        value = measure()
    return value


def test_soak(server, record_property):
    """Memory and descriptors, of keep and loader, stay what they were; 1/20 of it unless --full."""
    pids = [server.process.pid, programs.keep_of(server.process.pid)]

    def descriptors():
        return [programs.descriptor_count(pid) for pid in pids]

    def open_and_close(first, end):
        for i in range(first, end):
            # other addresses, so that closed connections which linger do not use up the ports
            with server.connect(f"127.0.0.{2 + i % 10}") as s:
                if i % 3 == 2:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                if i % 3 > 0:
                    s.sendall(b"x")
                    assert s.recv(1) == b"x"

    server.check_alive()
    time.sleep(0.5)  # until that one is closed there too
    idle = descriptors()
    open_and_close(0, SOAK // 10)
    assert settled(descriptors, lambda d: d == idle) == idle
    before = [programs.resident_kib(pid) for pid in pids]
    start = time.monotonic()
    open_and_close(SOAK // 10, SOAK)
    seconds = time.monotonic() - start
    assert settled(descriptors, lambda d: d == idle) == idle
    after = [programs.resident_kib(pid) for pid in pids]
    grown = [a - b for a, b in zip(after, before)]
    record_property("detail", f"{SOAK} connections, {SOAK * 0.9 / seconds:.0f}/s; resident KiB of the keep: "
                    f"{before[1]}, then {after[1]}; of the loader: {before[0]}, then {after[0]}")
    assert all(kib <= GROWTH_KIB_MAX for kib in grown), (before, after)
    server.check_alive()
    served, still_open, _, _ = server.end()
    assert still_open == 0 and SOAK * 2 // 3 <= served <= SOAK + 2
