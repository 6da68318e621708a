"""The host's clock is a hint (DESIGN.md §3, Time): what keeps make of one that is wrong, jumps or stands, how their
certificates are renewed, and what ends with a certificate."""
import contextlib
import os
import re
import socket
import ssl
import subprocess
import time

import pytest

from deploy_host import SIMULATED, another_steward, compile_guest, config
from steward_host import serial_of, wait_for
from world import World, free_port, running

HERE = os.path.dirname(os.path.abspath(__file__))
DAY, HOUR = 86400, 3600
TIMES = re.compile(r"realtime (\d+) monotonic (\d+)")


@pytest.fixture(scope="module")
def world(build, tmp_path_factory):
    world = World(build, tmp_path_factory.mktemp("world"))
    yield world
    world.stop()


@pytest.fixture(scope="module")
def peer(tmp_path_factory):
    return compile_guest(tmp_path_factory.mktemp("guests"), "peer")


class Clock:
    """The clock of one keep, which a test sets."""

    def __init__(self, folder):
        self.path = folder / f"clock-{os.urandom(4).hex()}"
        self.set(0)

    def set(self, offset):
        """Seconds; both:SECONDS for the monotonic one, too. At once, for it may be read at any time."""
        part = self.path.with_suffix(".part")
        part.write_text(f"{offset}\n")
        part.replace(self.path)

    @property
    def words(self):
        return "--clock", f"@{self.path}"


@pytest.fixture
def clock(tmp_path):
    return Clock(tmp_path)


def times(text):
    """What a guest printed: realtime and monotonic, in seconds."""
    return [(int(real) / 1000, int(monotonic) / 1000) for real, monotonic in TIMES.findall(text)]


def issued(steward, seen=0):
    return [line for line in steward.audit()[seen:] if line["event"] == "issued"]


def incoming(port, rule):
    return f"{SIMULATED}[network.incoming.{port}]\n{rule}\n"


def outgoing(port, trust=SIMULATED):
    return f'{trust}[network.outgoing."localhost:{port}"]\npeers = "any"\n'


def server_package(world, peer, port, rule='peers = "any"', what="serve", **options):
    return world.package(f"server-{port}", peer, config([what, port, *options.pop("args", [])], incoming(port, rule)),
                         **options)


def call(world, peer, port, text="hello", name="client"):
    """One keep that calls: what came of it."""
    return world.testhost().run(world.package(name, peer, config(["call", f"localhost:{port}", text], outgoing(port))))


@contextlib.contextmanager
def connected(port):
    """A client without a certificate, and the serial number of the server's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("localhost", port), timeout=20) as plain:
        with context.wrap_socket(plain) as tls:
            tls.serial = serial_of(ssl.DER_cert_to_PEM_cert(tls.getpeercert(binary_form=True)).encode())
            yield tls


def echoed(tls, text):
    tls.sendall(text)
    got = b""
    while len(got) < len(text):
        part = tls.recv(1000)
        assert part, got
        got += part
    return got == text


def refused(port):
    """Whether the server refuses a client without a certificate that it otherwise admits."""
    try:
        with connected(port) as tls:
            return not echoed(tls, b"x")
    except (OSError, AssertionError):
        return True


# ---- at the start ----

def test_two_days_behind(world, peer):
    """The Steward's answer says what time it is at least."""
    before = time.time()
    done = world.testhost("--clock", -2 * DAY).run(world.package("nap", peer, config(["nap", 50])))
    assert done.returncode == 0, done.stderr
    found = times(done.stdout)
    assert len(found) == 2
    for real, _ in found:
        assert before - 2 <= real <= time.time() + 1  # certificates have whole seconds
    assert found[0][1] + 0.0485 <= found[1][1]  # they are cut to milliseconds


def test_behind_among_others(world, peer):
    """A server whose clock is two days behind knows keeps, and is known by them."""
    port = free_port()
    with running(world.testhost("--clock", -2 * DAY), server_package(world, peer, port)) as keep:
        keep.wait_for("serving")
        done = call(world, peer, port)
        assert done.returncode == 0 and "got hello" in done.stdout, done.stderr


@pytest.mark.parametrize("ahead", [2 * DAY, 25 * HOUR])
def test_days_ahead(world, peer, ahead):
    """No certificate is good for such a clock: there is no identity, and the message says where to look."""
    done = world.testhost("--clock", ahead).run(world.package("nap", peer, config(["nap", 50])))
    assert (done.returncode, done.stdout) == (125, ""), done.stderr
    assert "has expired" in done.stderr and "clock" in done.stderr, done.stderr


def test_years_ahead(world, peer):
    """Then the certificates of servers are not good any more: the Steward's, the registry's."""
    package = world.package("nap", peer, config(["nap", 50]))
    done = world.testhost("--clock", 50 * 365 * DAY).run(package)
    assert (done.returncode, done.stdout) == (125, ""), done.stderr
    assert "has expired, by the clock of this host" in done.stderr, done.stderr
    world.publish("alice/app/_tag/0.1.0", package)
    done = world.testhost("--clock", 50 * 365 * DAY).run(*world.deploy_words("alice/app:0.1.0"))
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert "has expired, by the clock of this host" in done.stderr, done.stderr


def test_hours_ahead(world, peer):
    """Such a keep has an identity for what is left by its clock, and does not ask for it all the time."""
    seen = len(world.steward.audit())
    done = world.testhost("--clock", 20 * HOUR).run(world.package("nap", peer, config(["nap", 1000])))
    assert done.returncode == 0, done.stderr
    assert len(issued(world.steward, seen)) == 1


def test_stopped(world, peer):
    """A clock that stands: the keep serves all the same."""
    port = free_port()
    with running(world.testhost("--clock", "stopped"), server_package(world, peer, port)) as keep:
        keep.wait_for("serving")
        done = call(world, peer, port)
        assert done.returncode == 0 and "got hello" in done.stdout, done.stderr
    package = world.package("stopped", peer, config(["call", f"localhost:{port}", "hello"], outgoing(port)))
    with running(world.testhost(), server_package(world, peer, port)) as keep:
        keep.wait_for("serving")
        done = world.testhost("--clock", "stopped").run(package)
        assert done.returncode == 0 and "got hello" in done.stdout, done.stderr


def test_time_never_goes_back(world, clock, tmp_path):
    """Of both clocks, whatever the host does to them while the workload runs."""
    subprocess.run(["clang-14", "--target=wasm32-wasi", "-O1", "-g0", f"{HERE}/../testhost/guest.c", "-o",
                    tmp_path / "clock.wasm"], check=True)
    package = world.package("clock", (tmp_path / "clock.wasm").read_bytes(), config(["clock", 60, 20]))
    with running(world.testhost(*clock.words), package) as keep:
        for offset in ("both:100", "both:-100", "-86400", "both:50", "0"):
            lines = keep.look().out.count("\n")
            while keep.look().out.count("\n") < lines + 5 and keep.process.poll() is None:
                time.sleep(0.01)
            clock.set(offset)
        keep.process.wait(30)
        rows = [tuple(map(int, line.split())) for line in keep.look().out.splitlines()]
    assert len(rows) == 60
    for column in zip(*rows):
        assert list(column) == sorted(column)
    assert rows[-1][0] - rows[0][0] >= 99 * 10 ** 9  # it was seen


# ---- renewal ----

def test_renewal(world, peer, clock):
    """After two thirds of a certificate's life there is another: connections stay, who comes sees the new one."""
    port = free_port()
    seen = len(world.steward.audit())
    with running(world.testhost(*clock.words), server_package(world, peer, port, "anonymous = true")) as keep:
        keep.wait_for("serving")
        with connected(port) as old:
            assert echoed(old, b"before")
            clock.set(15 * HOUR)
            assert echoed(old, b"not yet")
            clock.set(17 * HOUR)
            assert echoed(old, b"is seen")
            keep.wait_for("renewed the certificate")
            first, second = issued(world.steward, seen)
            assert echoed(old, b"after") and old.serial == first["serial"]
            with connected(port) as new:
                assert echoed(new, b"new") and new.serial == second["serial"]
            assert first["key"] != second["key"] and first["serial"] != second["serial"]
            assert [line["digest"] for line in (first, second)] == [first["digest"]] * 2
            assert echoed(old, b"still")
        time.sleep(0.3)
        assert keep.look().err.count("renewed") == 1 and len(issued(world.steward, seen)) == 2


def test_renewal_whatever_the_workload_does(world, peer, tmp_path):
    """While it sleeps, waits for input, is not listened to, and only computes: all at once."""
    cat = tmp_path / "cat.wasm"
    subprocess.run(["clang-14", "--target=wasm32-wasi", "-O1", "-g0", f"{HERE}/keep/guest.c", "-o", cat], check=True)
    port = free_port()
    packages = {
        "sleeps": world.package("sleeps", peer, config(["nap", 60000])),
        "computes": world.package("computes", peer, config(["spin", 60000])),
        "reads": world.package("reads", cat.read_bytes(), config(["cat"])),
        "writes": server_package(world, peer, port, "anonymous = true", "send", args=[10 ** 12]),
    }
    clocks = {name: Clock(tmp_path) for name in packages}
    with contextlib.ExitStack() as stack:
        keeps = {}
        for name, package in packages.items():
            phases = tmp_path / f"{name}.phases"
            keeps[name] = stack.enter_context(running(world.testhost("--phases", phases, *clocks[name].words), package))
            while not phases.exists() or "running" not in phases.read_text():
                assert keeps[name].process.poll() is None, keeps[name].look().err
                time.sleep(0.01)
        keeps["writes"].wait_for("serving")
        reader = stack.enter_context(connected(port))
        assert reader.recv(1) != b""
        time.sleep(0.5)  # by now it is full
        seen = len(world.steward.audit())
        for set_clock in clocks.values():
            set_clock.set(17 * HOUR)
        for keep in keeps.values():
            keep.wait_for("renewed the certificate", 25)
        assert len(issued(world.steward, seen)) == len(packages)
        keeps["reads"].say("it lives")
        keeps["reads"].process.stdin.close()
        assert keeps["reads"].process.wait(10) == 0 and "it lives" in keeps["reads"].look().out


def test_nobody_renews(world, peer):
    """Its certificate has expired and the Steward is down: nobody is told anything until it is back."""
    port = free_port()
    steward = another_steward(world, "comes-and-goes")
    head = f'steward = "{steward.url}"\nsteward_ca = "own.pem"\n'
    package = world.package("expires", peer, config(["serve", port], incoming(port, "anonymous = true"), head),
                            {"own.pem": world.root_of(steward)})
    try:
        # by its clock its certificates last for this many seconds
        with running(world.testhost("--clock", DAY - 12), package) as keep:
            keep.wait_for("serving")
            assert not refused(port)
            steward.stop()
            keep.wait_for("the certificate was not renewed", 20)
            while not refused(port):
                time.sleep(0.5)
            keep.wait_for("our own certificate has expired, and nobody has renewed it")
            steward.start()
            keep.wait_for("renewed the certificate", 40)
            assert not refused(port)
    finally:
        steward.stop()


# ---- peers ----

def test_a_connection_ends_with_its_peer_s_certificate(world, peer, clock):
    """Of a Steward whose certificates last an hour; those of the server's own last longer."""
    port = free_port()
    brief = another_steward(world, "brief", lambda t: t.replace("lifetime_hours = 24", "lifetime_hours = 1"))
    trust = SIMULATED + 'stewards = ["brief.pem"]\n'
    server = world.package("sender", peer, config(["send", port, 10 ** 12], trust + f'[network.incoming.{port}]\n'
                                                  'peers = "any"\n'), {"brief.pem": world.root_of(brief)})
    client = world.package("reader", peer, config(["call", f"localhost:{port}", "hello"], outgoing(
        port, '[trust]\nsimulated = true\nstewards = ["steward.pem"]\n'),
        f'steward = "{brief.url}"\nsteward_ca = "brief.pem"\n'), {"brief.pem": world.root_of(brief)})
    try:
        with running(world.testhost(*clock.words), server) as keep:
            keep.wait_for("serving")
            with running(world.testhost(), client) as reader:
                reader.wait_for('peer {"kind":"local"')
                clock.set(50 * 60)
                time.sleep(0.3)
                assert "ended a connection" not in keep.look().err
                clock.set(61 * 60)
                keep.wait_for("ended a connection.*expired", 20)
                reader.out = ""  # it has read much
            done = world.testhost().run(client)
            # to the client the handshake ends before the server has judged: it may have written, but reads nothing
            assert done.returncode != 0 and not re.search("got .", done.stdout), done.stdout
            keep.wait_for("refused a peer.*expired")
    finally:
        brief.stop()


def test_revocation_lists(world, peer, clock):
    """Fetched each hour; when the last is older than 25 hours nobody is known by it."""
    port = free_port()
    steward = another_steward(world, "long", lambda t: t.replace("lifetime_hours = 24", "lifetime_hours = 72"))
    head = f'steward = "{steward.url}"\nsteward_ca = "own.pem"\n'
    own = {"own.pem": world.root_of(steward)}
    server = world.package("lists", peer, config(["serve", port], incoming(port, 'peers = "any"'), head), own)
    client = world.package("tries", peer, config(["try", f"localhost:{port}", 10 ** 6], outgoing(port), head), own)

    def lists(keep):
        return keep.look().err.count("a new revocation list")
    try:
        with running(world.testhost("--log-level", "debug", *clock.words), server) as keep:
            keep.wait_for("a new revocation list")
            keep.wait_for("serving")
            for hour in (1, 2):
                clock.set(f"both:{hour * 3601 - 60}")
                assert refused(port) and lists(keep) == hour
                clock.set(f"both:{hour * 3601}")
                assert refused(port)
                wait_for(lambda hour=hour: lists(keep) == hour + 1)
            with running(world.testhost(), client):
                keep.wait_for("came")
                steward.stop()
                clock.set(f"both:{28 * HOUR}")
                keep.wait_for("refused a peer.*there is no new revocation list", 20)
                assert "no revocation list" in keep.err
                steward.start()  # whose lists are of another day, by this clock
                keep.wait_for("the revocation list is too old", 40)
    finally:
        steward.stop()
