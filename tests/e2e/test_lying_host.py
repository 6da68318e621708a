"""Keeps that have an identity, on a host that lies to them: between honest ones, and what leaves them is looked at."""
import concurrent.futures
import contextlib
import os
import pathlib
import random
import re
import selectors
import signal
import socket
import subprocess
import threading
import time

import pytest

import programs
import testhost as hosts
from deploy_host import SIMULATED, Private, compile_guest, config
from steward_host import MEASUREMENT
from world import World, free_port, running

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FULL = os.environ.get("BROCH_FULL") == "1"
SECRET = "what nobody else is to read"
NAME = "peer.test"
AT_ONCE = 2
# lies that are told of each call without --full
CLIENT_LIES, SERVER_LIES = 2, 1


class Proxy:
    """Hands bytes on, both ways, and keeps them; a connection for which `holds` is true waits."""

    def __init__(self, port):
        self.port_behind, self.kept, self.count = port, bytearray(), 0
        self.holds = lambda number: False
        self.released, self.holding = threading.Event(), threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                self.count += 1
                threading.Thread(target=self.serve, args=(client, self.count), daemon=True).start()

    def serve(self, client, number):
        with client, contextlib.suppress(OSError):
            if self.holds(number):
                self.holding.set()
                self.released.wait(60)
            with socket.create_connection(("localhost", self.port_behind)) as server:
                self.pump({client: server, server: client})

    def pump(self, others):
        with selectors.DefaultSelector() as selector:
            for sock in others:
                selector.register(sock, selectors.EVENT_READ)
            while selector.get_map():
                for key, _ in selector.select(60) or [(None, None)]:
                    if key is None:
                        return
                    data = key.fileobj.recv(65536)
                    self.kept += data
                    if data:
                        others[key.fileobj].sendall(data)
                    else:
                        selector.unregister(key.fileobj)
                        others[key.fileobj].shutdown(socket.SHUT_WR)

    def close(self):
        self.listener.close()


@pytest.fixture(scope="module")
def peer(tmp_path_factory):
    return compile_guest(tmp_path_factory.mktemp("guests"), "peer")


@pytest.fixture(scope="module")
def world(build, tmp_path_factory):
    world = World(build, tmp_path_factory.mktemp("world"))
    yield world
    world.stop()


def server_package(world, peer, port):
    return world.package(f"server-{port}", peer, config(["serve", port], SIMULATED + f'[network.incoming.{port}]\n'
                                                        'peers = "any"\n'))


def client_package(world, peer, port):
    return world.package(f"client-{port}", peer, config(["call", f"{NAME}:{port}", SECRET], SIMULATED +
                                                        f'[network.outgoing."{NAME}:{port}"]\npeers = "any"\n'))


def client_host(world, *words):
    return world.testhost("--resolve", f"{NAME}=127.0.0.1", "--timeout", 6, *words)


def chosen(counts, each, **options):
    """The lies that are told: all, or some about each call; always the same."""
    told = list(hosts.lies(ROOT, counts, **options))
    if FULL:
        return told
    by_call = {}
    for lie in told:
        by_call.setdefault(lie.partition(",")[0], []).append(lie)
    pick = random.Random(8)
    return [lie for lies in by_call.values() for lie in pick.sample(lies, min(each, len(lies)))]


def loses(lie):
    """Whether bytes are lost by it: the call is made, and then the keep is told otherwise. Nobody can tell this from a
    cable that is cut, and the workload may wait for ever; for servers that the keep asks itself it has patience."""
    return lie.startswith(("recvfrom,", "sendto,"))


def check_issued(world, seen):
    """Whatever was certified is what runs: by digest and measurement."""
    digests = {line["digest"] for line in world.steward.audit()[:seen] if line["event"] == "issued"}
    for line in world.steward.audit()[seen:]:
        if line["event"] == "issued":
            assert line["measurement"] == MEASUREMENT and line["digest"] in digests


@pytest.fixture(scope="module")
def pair(world, peer):
    """An honest server behind a proxy, an honest run of a client that comes from the registry, and what it asked of
    its host."""
    port = free_port()
    with running(world.testhost(), server_package(world, peer, port)) as keep:
        keep.wait_for("serving")
        proxy = Proxy(port)
        world.publish("alice/chat-client/_tag/0.1.0", client_package(world, peer, proxy.port))
        words = world.deploy_words("alice/chat-client:0.1.0")
        done, counts = client_host(world).count(*words)
        assert done.returncode == 0 and f"got {SECRET}" in done.stdout, done.stderr
        yield keep, proxy, words, counts
        assert keep.process.poll() is None, keep.look().err
        proxy.close()


def faults_of(told, run):
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        return [(lie, fault) for lie, fault in zip(told, pool.map(run, told)) if fault is not None]


def test_a_client_that_is_lied_to(world, pair, record_property):
    """At each call in turn, from its start to its end."""
    _, proxy, words, counts = pair
    told = [lie for lie in chosen(counts, CLIENT_LIES) if not lie.startswith("attest,")]
    seen, ended = len(world.steward.audit()), []

    def run(lie):
        done = client_host(world, "--lie", lie).run(*words, timeout=30)
        ended.append(done.returncode)
        return None if done.returncode == 124 and loses(lie) else hosts.fault(lie, done)
    assert faults_of(told, run) == []
    check_issued(world, seen)
    assert SECRET.encode() not in proxy.kept and len(proxy.kept) > 1000
    good = sum(code == 0 for code in ended)
    record_property("detail", f"client: {len(told)} lies, {len(told) - good} of them ended the keep")
    # the server has seen worse: it still serves
    done = client_host(world).run(*words)
    assert done.returncode == 0 and f"got {SECRET}" in done.stdout, done.stderr


@pytest.mark.skipif(not FULL, reason="half a minute; --full has it")
def test_patience_ends(world, pair):
    """An answer whose bytes the host has lost is not waited for without end."""
    _, _, words, _ = pair
    host = world.testhost("--resolve", f"{NAME}=127.0.0.1", "--timeout", 60, "--lie", "recvfrom,3,short")
    done = host.run(*words, timeout=90)
    assert done.returncode == 1 and "no answer in time" in done.stderr, done


@pytest.mark.parametrize("technology", ["snp", "sgx"])
def test_evidence_that_is_no_evidence(world, pair, technology):
    """There is no certificate for any of it, and no word to the peer."""
    _, proxy, words, counts = pair
    before, seen = len(proxy.kept), len(world.steward.audit())
    for lie in hosts.lies(ROOT, counts, call="attest"):
        done = client_host(world, "--technology", technology, "--lie", lie).run(*words)
        assert hosts.fault(lie, done) is None
        issued = [line for line in world.steward.audit()[seen:] if line["event"] == "issued"]
        assert issued == [] and done.returncode == 125 and done.stdout == "", (lie, done)
    assert len(proxy.kept) == before


def start_and_call(world, peer, lie):
    """A server that is lied to, and two calls; what is wrong with it, and what went over the wire."""
    port = free_port()
    proxy = Proxy(port)
    client = client_package(world, peer, proxy.port)
    with running(world.testhost("--lie", lie), server_package(world, peer, port)) as keep:
        end = time.monotonic() + 6
        while keep.process.poll() is None and "serving" not in keep.look().out and time.monotonic() < end:
            time.sleep(0.01)
        answered = False
        for _ in range(2):
            if keep.process.poll() is None and not answered:
                done = client_host(world).run(client, timeout=30)
                answered = done.returncode == 0
                if done.returncode < 0 or "killed by signal" in done.stderr:
                    return f"the honest one crashed: {done.stderr}", proxy.kept
        is_running = keep.process.poll() is None
        keep.look()
        if not is_running:
            return ("crashed: " + keep.err if keep.process.returncode < 0 or "killed by signal" in keep.err
                    else None), proxy.kept
        if not answered and not loses(lie) and not re.search(",all,|,fd,", lie):
            return f"hung: {keep.err}", proxy.kept
    proxy.close()
    return None, proxy.kept


def test_a_server_that_is_lied_to(world, peer, tmp_path, record_property):
    port = free_port()
    host = world.testhost("--calls", tmp_path / "calls", "--timeout", 3)
    with running(host, server_package(world, peer, port)) as keep:
        keep.wait_for("serving")
        done = client_host(world).run(client_package(world, peer, port))
        assert done.returncode == 0, done.stderr
        keep.process.wait(20)
    counts = {name: int(count) for name, count in map(str.split, (tmp_path / "calls").read_text().splitlines())}
    told = [lie for lie in chosen(counts, SERVER_LIES) if not lie.startswith("attest,")]

    def run(lie):
        fault, kept = start_and_call(world, peer, lie)
        return "plaintext" if SECRET.encode() in kept else fault
    assert faults_of(told, run) == []
    record_property("detail", f"server: {len(told)} lies")


# ---- keys ----

def find_keys(build, pid, *hashes):
    """Scalars that are in a process's memory, by the SHA-256 of their public keys."""
    done = subprocess.run([build / "tests/e2e/memory/key_scan", str(pid), *hashes], capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found = {}
    for line in done.stdout.splitlines()[:-1]:
        key, scalar, _ = line.split()
        found[key] = bytes.fromhex(scalar)
    return found


def parts(scalar, size=8):
    """What of a scalar would give it away, in both orders of its bytes."""
    for text in (scalar, scalar[::-1]):
        for at in range(len(text) - size + 1):
            yield text[at:at + size]


def memory_has(pid, scalar):
    """Whether any half of it is anywhere in what the process may write."""
    halves = [half for text in (scalar, scalar[::-1]) for half in (text[:16], text[16:])]
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            span, rights, *_ = line.split()
            first, last = (int(n, 16) for n in span.split("-"))
            if not rights.startswith("rw"):
                continue
            with contextlib.suppress(OSError):
                memory.seek(first)
                content = memory.read(last - first)
                if any(half in content for half in halves):
                    return True
    return False


STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
SENDING = "write,writev,pwrite64,pwritev,sendto,sendmsg,sendmmsg"


def test_no_key_leaves_the_keep(build, world, peer, tmp_path):
    """Nothing that it sends or writes, from its start on, has a part of its key, or of what it says to peers."""
    port = free_port()
    traced = world.testhost()
    traced.words = ["strace", "-f", "-qq", "-xx", "-s", "10000000", "-e", f"trace={SENDING}", "-o", tmp_path / "trace",
                    *traced.words]
    seen = len(world.steward.audit())
    with traced.start(server_package(world, peer, port)) as process:
        out = b""
        while b"serving" not in out:
            out += os.read(process.stdout.fileno(), 100)
        done = client_host(world).run(client_package(world, peer, port))
        assert done.returncode == 0 and f"got {SECRET}" in done.stdout, done.stderr
        key = world.steward.audit()[seen]["key"]
        found = find_keys(build, programs.keep_of(process.pid), key)
        assert list(found) == [key]
        os.kill(programs.process_tree(process.pid)[1], signal.SIGKILL)  # testhost, and with it the keep
        process.wait(30)
    lines = (tmp_path / "trace").read_text().splitlines()
    sent = [bytes.fromhex(text.replace("\\x", "")) for line in lines for text in STRING.findall(line)]
    total = b"\n".join(sent)
    assert total.count(b"/v1/") == 0 and b"serving" in total and len(total) > 10_000
    assert SECRET.encode() not in total
    for part in parts(found[key]):
        assert part not in total
    for text in (found[key].hex(), found[key][::-1].hex()):
        assert text[:16].encode() not in total.lower() and text[-16:].encode() not in total.lower()


def test_the_platform_s_key_is_gone(build, world, peer, tmp_path):
    """It is there while the registry is asked, and nowhere when the workload runs."""
    proxy = Proxy(world.registry.port)
    nap = world.package("nap", peer, config(["nap", 20000]))
    private = Private(world, tmp_path, nap, [f"localhost:{proxy.port}"])
    proxy.holds = lambda number: number == 2  # the first is told that it must say who it is
    roots = tmp_path / "roots.pem"
    roots.write_text(world.roots)
    seen = len(world.steward.audit())
    try:
        with running(world.testhost(), "--steward", world.steward.url, "--steward-ca", roots, "--registry-ca",
                     world.registry.ca, "--package", f"localhost:{proxy.port}/alice/ours:0.1.0") as keep:
            assert proxy.holding.wait(20), keep.look().err
            platform = world.steward.audit()[seen]["key"]
            pid = programs.keep_of(keep.process.pid)
            found = find_keys(build, pid, platform)
            assert list(found) == [platform] and memory_has(pid, found[platform])
            proxy.released.set()
            keep.wait_for("realtime")
            own = world.steward.audit()[seen + 1]["key"]
            after = find_keys(build, pid, platform, own)
            assert list(after) == [own]
            assert not memory_has(pid, found[platform])
            for part in [*parts(found[platform]), *parts(after[own])]:
                assert part not in proxy.kept
    finally:
        proxy.close()
        private.other.stop()
