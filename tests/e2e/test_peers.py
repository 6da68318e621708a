"""Hostile peers, one test each, in both directions: who calls a keep that serves, and who is called by a keep.

What they get is an alert, or the end; the keep says why in one line of its log; the workload sees nothing; and
friends come in as before.
"""
import concurrent.futures
import contextlib
import json
import random
import re
import ssl
import subprocess
import time

import pytest

import hostile
import programs
import world
from hostile import SECRET, call, visit
from steward_host import wait_for
from town import HEAD, OUTGOING, Asker, Room, Town

# who comes: the entry, the alert, the reason
UNKNOWN, BAD, UNWANTED = "unknown_ca", "bad_certificate", "handshake_failure"
STRANGER = "the peer's certificate does not come from a trusted Steward"
NO_PROFILE = "the peer's certificate is not as a Steward makes them"
HOSTILE = {
    "self-signed": ("any", BAD, "the peer's certificate is no keep's"),
    "self-signed keep": ("any", UNKNOWN, STRANGER),
    "platform": ("any", UNWANTED, "the peer's certificate is for reading from registries only"),
    "anchor's keep": ("any", UNKNOWN, STRANGER),
    "other Steward's": ("any", UNKNOWN, STRANGER),
    "other Steward's with our root": ("any", UNKNOWN, STRANGER),
    "keep's child": ("any", UNKNOWN, STRANGER),
    "expired": ("any", "certificate_expired", "the peer's certificate, or its Steward's, has expired"),
    "not yet valid": ("any", "certificate_expired", "the peer's certificate, or its Steward's, is not valid yet"),
    "revoked": ("any", "certificate_revoked", "the peer's certificate has been revoked"),
    "for servers only": ("any", BAD, NO_PROFILE),
    "for clients only": ("any", BAD, NO_PROFILE),
    "another name": ("any", BAD, NO_PROFILE),
    "no list": ("any", BAD, NO_PROFILE),
    "RSA": ("any", BAD, NO_PROFILE),
    "too long a chain": ("any", UNKNOWN, STRANGER),
    "far too long a chain": ("any", "illegal_parameter", "excessive message size"),
    "another key": ("any", "decrypt_error", "bad signature"),
    "wrong workload": ("listed", UNWANTED, "its workload is not one of those allowed"),
    "wrong tag": ("listed", UNWANTED, "its tag is not one of those allowed"),
    "local": ("listed", UNWANTED, "its workload is not one of those allowed"),
    "wrong digest": ("pinned", UNWANTED, "its digest is not one of those allowed"),
    "wrong technology": ("sgx", UNWANTED, "its technology is not one of those allowed"),
    "wrong Steward": ("partner", UNWANTED, "its Steward is not one of those allowed"),
}


@pytest.fixture(scope="module")
def town(build, root, tmp_path_factory):
    town = Town(build, root, tmp_path_factory.mktemp("town"))
    with town.stack:
        yield town


@pytest.fixture(scope="module")
def room(town):
    return Room(town, town.start("chat-server:0.1.0"), town.ports)


@pytest.fixture(scope="module")
def asker(town):
    return Asker(town, town.start("app:0.1.0"))


@pytest.fixture(scope="module")
def sanitized(root):
    program = root / "build/sanitize/src/keep/broch-keep"
    assert program.exists(), "./run build sanitize has not been run"
    return program


@pytest.fixture(scope="module")
def sanitized_room(town, sanitized):
    """In the end it ends by itself."""
    room = Room(town, town.start_bare("chat-server:0.2.0", sanitized), town.more_ports)
    yield room
    with contextlib.closing(call(room.ports["open"])) as party:
        assert party.shake()
        party.say(b"that is all")
        room.keep.ends_well()


@pytest.fixture(scope="module")
def sanitized_asker(town, sanitized):
    asker = Asker(town, town.start_bare("app:0.1.0", sanitized))
    yield asker
    asker.keep.process.stdin.close()
    asker.keep.ends_well()


# ---- who they are ----

@pytest.mark.parametrize("of", ["room", "sanitized_room"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_client(town, request, name, of):
    door, alert, reason = HOSTILE[name]
    request.getfixturevalue(of).refuses(door, town.who[name], alert, reason)


@pytest.mark.parametrize("of", ["asker", "sanitized_asker"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_server(town, request, name, of):
    door, alert, reason = HOSTILE[name]
    request.getfixturevalue(of).refuses(door, town.who[name], alert, reason)


def test_keeps_under_sanitizers_talk_to_each_other(town, sanitized_room, sanitized):
    keep = town.start_bare("chat-client:0.1.1", sanitized)
    keep.wait_for("swapped")
    keep.ends_well()


def test_a_client_without_a_certificate(room):
    room.refuses("any", None, "certificate_required", "the client presented no valid certificate")


# ---- entries ----

@pytest.mark.parametrize("door", ["listed", "pinned", "sgx", "partner"])
def test_who_is_wanted_comes_in(room, asker, door):
    """And is told apart: the workload sees who it is."""
    room.greet(door)
    assert json.loads(room.came(door)[-1])["technology"] == ("sgx" if door == "sgx" else "snp")
    asker.befriends(door)


ORDINARY = {  # servers with certificates of an authority, at entries for ordinary servers
    "anchor's other server": ("anchor", BAD, "the server's certificate is for another name"),
    "anchor's expired server": ("anchor", "certificate_expired", "the server's certificate has expired"),
    "anchor's client": ("anchor", BAD, "the server's certificate cannot be believed"),
    "stray server": ("anchor", UNKNOWN, "no authority that is believed vouches for the server"),
    "friend": ("anchor", UNKNOWN, "no authority that is believed vouches for the server"),
    "self-signed": ("anchor", UNKNOWN, "no authority that is believed vouches for the server"),
    "another key": ("anchor", UNKNOWN, "no authority that is believed vouches for the server"),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_an_ordinary_server_that_is_not_believed(town, asker, name):
    door, alert, reason = ORDINARY[name]
    asker.refuses(door, town.who[name], alert, reason)


def test_an_anchors_server_with_a_keeps_extension_is_an_ordinary_server(asker):
    assert 'peer {"kind":"anonymous"}\n' in asker.befriends("anchor")


@pytest.mark.parametrize("name", ["anchor's server", "anchor's keep"])
def test_an_anchors_keep_is_none_where_peers_are_wanted(town, room, asker, name):
    reasons = {"anchor's server": (BAD, NO_PROFILE), "anchor's keep": (UNKNOWN, STRANGER)}[name]
    for door in ("any", "listed"):
        room.refuses(door, town.who[name], *reasons)
        asker.refuses(door, town.who[name], *reasons)


def test_the_web_does_not_vouch_for_authorities_of_this_place(town, asker):
    server = town.servers["web"]
    for name in ("stray server", "friend", "self-signed"):
        seen, answer = asker.ask(server, town.who[name])
        assert (seen.alert, seen.heard) == (UNKNOWN, b"") and answer.startswith("refused ")
        assert asker.reasons() == ["no authority that is believed vouches for the server"]
    # [trust] anchors are believed at every entry for ordinary servers
    seen, answer = asker.ask(server, town.who["anchor's server"])
    assert seen.heard == SECRET and 'peer {"kind":"anonymous"}\n' in answer


def test_everybody_may_come_where_anonymous_peers_may(town, room):
    """But for those who have a keep's certificate that says that they may not, and platforms."""
    anonymous = ["self-signed", "self-signed keep", "anchor's keep", "other Steward's", "expired", "revoked", "RSA"]
    for door in ("open", "mixed"):
        for who in [None, *anonymous]:
            room.greet(door, town.who[who] if who else hostile.NOBODY)
            assert json.loads(room.came(door)[-1]) == {"kind": "anonymous"}
        room.greet(door)
        assert json.loads(room.came(door)[-1])["kind"] == "keep"
        room.refuses(door, town.who["another key"], "decrypt_error", "bad signature")
        room.refuses(door, town.who["platform"], *HOSTILE["platform"][1:])
    room.refuses("mixed", town.who["wrong tag"], *HOSTILE["wrong tag"][1:])
    room.greet("mixed")


def test_simulated_keeps_where_they_are_not_allowed(town):
    """In both directions, of a package that does not say `simulated = true`."""
    port, server = world.free_port(), town.servers["any"]
    folder = town.package("strict-room", ["serve", port], [f'[network.incoming.{port}]\npeers = "any"'],
                          simulated="false")
    reason = "the peer runs on a simulated platform"
    with town.run(folder) as keep:
        strict = Room(town, keep, {"any": port})
        seen = visit(port, town.who["friend"])
        assert (seen.alert, seen.heard) == (UNWANTED, b"") and strict.reasons(seen.address) == [reason]
        assert strict.came("any") == []
    folder = town.package("strict-asker", ["ask"], [f'[network.outgoing."localhost:{server.port}"]\npeers = "any"'],
                          simulated="false")
    with town.run(folder) as keep:
        strict = Asker(town, keep)
        seen, answer = strict.ask(server, town.who["friend"])
        assert (seen.alert, seen.heard) == (UNWANTED, b"") and strict.reasons() == [reason]
        assert answer.startswith("refused ")


# ---- TLS ----

def speaks(oldest, newest):
    """Makes a side speak these versions of TLS, of old ones with what is weak in them."""
    def change(context):
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version, context.maximum_version = oldest, newest
    return change


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1", "TLSv1_2"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_versions(town, room, asker, version):
    """There is no renegotiation either: TLS 1.3 has none, and nothing else is spoken."""
    change = speaks(ssl.TLSVersion.TLSv1, ssl.TLSVersion[version])
    room.refuses("any", town.who["friend"], "protocol_version", "unsupported protocol", change=change)
    # the server finds out first, and says so
    asker.refuses("any", town.who["friend"], None, "tlsv1 alert protocol version", change=change)


def test_a_server_that_answers_with_an_old_version(town, asker):
    hello = bytes.fromhex("160303002c0200002803030102030405060708091011121314151617181920212223242526272829303132"
                          "00c02b000000")
    asker.begin(town.servers["any"])
    heard = town.servers["any"].meet_raw(hello)
    assert heard[-2:] == bytes([2, 70])  # protocol_version
    assert asker.answer().startswith("refused ") and asker.reasons() == ["unsupported protocol"]
    asker.befriends("any")


def test_tickets_are_neither_given_nor_taken(town, room, tmp_path):
    with contextlib.closing(call(room.ports["any"], town.who["friend"])) as first:
        assert first.shake()
        first.say(SECRET)
        assert first.hear(len(SECRET)) == SECRET and not first.tls.session.has_ticket
    friend = town.who["friend"]
    words = ["-connect", f"localhost:{room.ports['any']}", "-cert", friend.chain, "-cert_chain", friend.chain,
             "-key", friend.key]
    # once more with a session of somebody else's, who gave tickets and took what was sent early
    other = hostile.openssl_server(tmp_path, town.who["self-signed"])
    with other as port:
        hostile.openssl_client("-connect", f"localhost:{port}", "-sess_out", tmp_path / "session")
    assert (tmp_path / "session").exists()
    (tmp_path / "early").write_bytes(b"too early")
    count = len(room.came("any"))
    said = hostile.openssl_client(*words, "-sess_in", tmp_path / "session", "-sess_out", tmp_path / "ours")
    assert "Reused" not in said and "New, TLSv1.3" in said and not (tmp_path / "ours").exists()
    assert len(room.came("any")) == count + 1
    said = hostile.openssl_client(*words, "-sess_in", tmp_path / "session", "-early_data", tmp_path / "early")
    assert "Early data was accepted" not in said and "too early" not in said
    room.greet("any")


def test_keys_are_changed_when_a_peer_wants_it(town, room):
    friend = town.who["friend"]
    said = hostile.openssl_client("-connect", f"localhost:{room.ports['any']}", "-cert", friend.chain, "-cert_chain",
                                  friend.chain, "-key", friend.key, data=b"k\nK\nstill here\n", until="still here")
    assert "KEYUPDATE" in said and "Secure Renegotiation IS NOT supported" in said


def only(*words):
    """What s_client is to offer, and whether that is enough."""
    return pytest.param(words, id=" ".join(words[1::2]))


@pytest.mark.parametrize("words", [only("-groups", "P-256"), only("-groups", "P-384:P-256"),
                                   only("-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"),
                                   only("-ciphersuites", "TLS_AES_128_GCM_SHA256", "-groups", "X25519")])
def test_what_a_client_may_offer(town, room, words):
    """Also when its first guess is wrong, and the keep has to ask again."""
    friend = town.who["friend"]
    said = hostile.openssl_client("-connect", f"localhost:{room.ports['any']}", "-cert", friend.chain, "-cert_chain",
                                  friend.chain, "-key", friend.key, *words, data=b"good\n", until="\ngood")
    assert "New, TLSv1.3" in said and "alert" not in said


@pytest.mark.parametrize("words, reason", [
    (("-groups", "P-384"), "no suitable key share"), (("-groups", "P-521:X448"), "no suitable key share"),
    (("-ciphersuites", "TLS_AES_128_CCM_SHA256"), "no shared cipher"),
    (("-sigalgs", "RSA-PSS+SHA256"), "no suitable signature algorithm")])
def test_what_a_client_may_not_offer(town, room, words, reason):
    friend, before = town.who["friend"], len(room.keep.look().err)
    said = hostile.openssl_client("-connect", f"localhost:{room.ports['any']}", "-cert", friend.chain, "-cert_chain",
                                  friend.chain, "-key", friend.key, *words, until="alert handshake failure")
    assert "New, TLSv1.3" not in said
    assert re.findall(r'no TLS connection .*reason="(.*?)"', room.keep.look().err[before:]) == [reason]
    room.greet("any")


def gnutls(port, who, *words):
    """GnuTLS's client, which says something and ends; what it printed."""
    done = subprocess.run(["gnutls-cli", "--insecure", "-p", str(port), "--x509certfile", who.chain, "--x509keyfile",
                           who.key, *words, "localhost"], input=SECRET + b"\n", capture_output=True, timeout=60,
                          check=False)
    return done.returncode, (done.stdout + done.stderr).decode()


def test_another_library(town, room):
    """GnuTLS comes in, and is refused, as OpenSSL is."""
    code, said = gnutls(room.ports["any"], town.who["friend"])
    assert code == 0 and f"\n{SECRET.decode()}\n" in said and "TLS1.3" in said
    code, said = gnutls(room.ports["any"], town.who["wrong Steward"], "--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.2")
    assert code != 0 and "Received alert [70]: Error in protocol version" in said
    code, said = gnutls(room.ports["listed"], town.who["wrong tag"])
    assert code != 0 and "Received alert [40]: Handshake failed" in said


# ---- what is no TLS, or less than TLS ----

NO_TLS = {"nothing": b"", "garbage": bytes(range(7, 256)) * 40, "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
          "a record too long": b"\x16\x03\x01\xff\xff" + bytes(65535), "an alert": b"\x15\x03\x01\x00\x02\x02\x28",
          "data": b"\x17\x03\x03\x00\x10" + bytes(16), "TLS of the other side": bytes.fromhex("16030300040e000000"),
          "empty records": b"\x16\x03\x03\x00\x00" * 100, "SSL 2": b"\x80\x2e\x01\x00\x02" + bytes(60)}


@pytest.mark.parametrize("of", ["", "sanitized_"])
@pytest.mark.parametrize("what", NO_TLS)
def test_what_is_no_tls(town, request, what, of):
    room, asker = (request.getfixturevalue(of + name) for name in ("room", "asker"))
    room.begin()
    count = len(room.came("any"))
    heard, address = hostile.raw(room.ports["any"], NO_TLS[what])
    assert len(heard) <= 7 and heard[:1] in (b"", b"\x15")  # an alert or nothing
    assert len(room.reasons(address)) == 1 and len(room.came("any")) == count
    room.greet("any")
    asker.begin(town.servers["any"])
    heard = town.servers["any"].meet_raw(NO_TLS[what], ends=True)
    assert SECRET not in heard and asker.answer().startswith("refused ") and len(asker.reasons()) == 1
    asker.befriends("any")


@pytest.mark.parametrize("of", ["room", "sanitized_room"])
def test_flights_that_are_cut_anywhere(town, request, of):
    """The first flight of a client at each of its bytes, the second at many, by an end and by a reset."""
    room = request.getfixturevalue(of)
    port, count = room.ports["any"], len(room.came("any"))
    with contextlib.closing(call(port, town.who["friend"])) as party:
        hello = party.first_flight()
    before = len(room.keep.look().err)
    for at in range(len(hello)):
        hostile.raw(port, hello[:at], is_reset=at % 2 == 1)
    cuts = 0
    with contextlib.closing(call(port, town.who["friend"])) as party:
        assert party.shake()
        size = len(party.out.read())
    for at in range(0, size, max(1, size // 100)):
        with contextlib.closing(call(port, town.who["friend"])) as party:
            assert party.shake()
            party.sock.sendall(party.out.read()[:at])
            cuts += 1
    wait_for(lambda: room.keep.look().err[before:].count("no TLS connection") == len(hello) + cuts + 1)
    assert len(room.came("any")) == count
    room.greet("any")


@pytest.mark.parametrize("of", ["asker", "sanitized_asker"])
def test_a_servers_flight_that_is_cut(town, request, of):
    asker, server = request.getfixturevalue(of), town.servers["any"]
    def cut(at):
        asker.begin(server)
        heard, size = server.meet_and_cut(town.who["friend"], at)
        answer = asker.answer()
        assert SECRET not in heard and answer.startswith("refused ") and len(asker.reasons()) == 1, answer
        return size
    size = cut(0)
    for at in range(1, size - 1, size // 40):
        cut(at)
    asker.befriends("any")


def test_flights_that_come_byte_by_byte(town, room):
    with contextlib.closing(call(room.ports["any"], town.who["friend"])) as party:
        party.dribbles = True
        assert party.shake()
        party.say(SECRET)
        assert party.hear(len(SECRET)) == SECRET


# ---- crowds ----

def test_a_slow_loris(town, room):
    """Two hundred at once who send a byte a second, and come again when they are thrown out: friends come in within
    two seconds all the same, and those who were thrown out have a line each."""
    with contextlib.closing(call(room.ports["any"], town.who["friend"])) as party:
        hello = party.first_flight()
    with contextlib.closing(hostile.Crowd(room.ports["any"], 200, hello)) as crowd:
        crowd.turn(1)
        taken = []
        for _ in range(8):
            taken.append(room.greet("any"))
            crowd.turn(0.5)
        assert max(taken) < 2, taken
    assert 'reason="others wait, and its handshake takes long"' in room.keep.look().err
    room.greet("any")


def test_ten_thousand_strangers(build, town, room, record_property):
    """Who have no certificate, or one that nobody vouches for: memory stays flat, and the room open."""
    pid = programs.keep_of(room.keep.process.pid)
    stranger = town.who["self-signed keep"]
    def crowd(count, *words):
        done = subprocess.run([build / "tests/e2e/peers/crowd", str(room.ports["any"]), str(count), "32", *words],
                              capture_output=True, text=True, timeout=100, check=False)
        assert done.stdout == f"{count} refused, 0 cut off, 0 told something\n", done.stdout + done.stderr
    crowd(500)
    crowd(500, stranger.chain, stranger.key)
    count, before, began = len(room.came("any")), programs.resident_kib(pid), time.monotonic()
    crowd(9000)
    crowd(1000, stranger.chain, stranger.key)
    seconds = time.monotonic() - began
    after = programs.resident_kib(pid)
    assert after - before < 2048 and programs.descriptor_count(pid) < 64
    assert len(room.came("any")) == count
    assert room.greet("any") < 2
    record_property("detail", f"10,000 handshakes in vain: {10000 / seconds:.0f} a second, memory grew by "
                              f"{after - before} KiB")


# ---- what workloads see ----

def test_a_connection_that_is_cut_has_no_end(town, room):
    """Who is cut off, by whomever, has not said that this was all."""
    broke = room.keep.look().out.count("broke Connection reset by peer")
    for reset in (False, True):
        with contextlib.closing(call(room.ports["any"], town.who["friend"])) as party:
            assert party.shake()
            party.say(SECRET)
            assert party.hear(len(SECRET)) == SECRET
            if reset:
                hostile.reset(party.sock)
    wait_for(lambda: room.keep.look().out.count("broke Connection reset by peer") == broke + 2)


def dialled(town, door):
    """A keep that calls a server without blocking."""
    address = f"localhost:{town.servers[door].port}"
    folder = town.package("dial", ["dial", address], [f'[network.outgoing."{address}"]\n{OUTGOING[door]}'],
                          module=town.manners)
    return town.run(folder)


AGAIN = "Resource temporarily unavailable"
BEGUN = ("open: 0", f"read: {AGAIN}", f"write: {AGAIN}", "shutdown: Socket not connected", "poll: 0",
         "peer: No such file or directory", "waiting")


def test_who_calls_need_not_wait(town):
    with dialled(town, "any") as keep:
        keep.wait_for("waiting")
        keep.say("now\n")
        seen = town.servers["any"].meet(town.who["friend"])
        assert (seen.heard, seen.alert) == (SECRET, None)
        said(keep, *BEGUN, "poll: 1", "peer: 0", f"read: {AGAIN}", "write: 8", "shutdown: 0", "poll: 1",
             f"read: {SECRET.decode().upper()}", "close: 0")


def test_who_calls_a_hostile_server_is_told_when_it_asks(town):
    with dialled(town, "any") as keep:
        keep.wait_for("waiting")
        keep.say("now\n")
        seen = town.servers["any"].meet(town.who["self-signed keep"])
        assert (seen.heard, seen.alert) == (b"", UNKNOWN)
        refused = "Permission denied"
        said(keep, *BEGUN, "poll: 1", "peer: No such file or directory", f"read: {refused}", f"write: {refused}",
             "shutdown: Socket not connected", "poll: 1", f"read: {refused}", "close: 0")

@contextlib.contextmanager
def mannered(town, manner, *words, **options):
    """A keep that tries one thing, and the port where it waits for a caller."""
    port = world.free_port()
    folder = town.package(f"manner-{manner}", [manner, port], [f'[network.incoming.{port}]\npeers = "any"'],
                          module=town.manners, **options)
    with town.run(folder, *words) as keep:
        keep.wait_for("listening")
        yield keep, port


def said(keep, *lines):
    """Waits until the workload has said all this, and nothing else since it began to listen."""
    keep.wait_for(re.escape(lines[-1] + "\n") + "$")
    text = keep.out.rpartition("listening\n")[2]
    assert tuple(text.splitlines()) == lines, keep.err
    return True


def test_halves_end_one_by_one(town):
    """Who has ended its half can do so again, cannot write, and hears all that still comes."""
    with mannered(town, "halves") as (keep, port), contextlib.closing(call(port, town.who["friend"])) as party:
        assert party.shake()
        party.flush()
        assert party.hear() == b""  # close_notify, and not the end of the connection
        party.say(bytes(100000))
        keep.wait_for("waiting")
        keep.say("go on\n")
        party.say(bytes(100000))
        party.end()
        assert said(keep, "shutdown: 0", "waiting", "shutdown again: 0", "write: Broken pipe", "read: 200000",
                    "read again: 0", "close: 0")
        assert "broke" not in keep.err


def test_a_client_ends_its_half_first(town, room):
    with contextlib.closing(call(room.ports["any"], town.who["friend"])) as party:
        assert party.shake()
        data = bytes(range(256)) * 400
        party.say(data)
        party.end()
        assert party.hear() == data and party.alert is None


def test_peeks(town):
    with mannered(town, "peek") as (keep, port), contextlib.closing(call(port, town.who["friend"])) as party:
        assert party.shake()
        party.say(b"0123456789")
        keep.wait_for("waiting")
        party.end()
        keep.say("go on\n")
        again = "Resource temporarily unavailable"
        assert said(keep, "nothing: 0", "peek: 01234", "peek: 01234", "read: 012", "peek: 3456789", "read: 3456789",
                    f"peek: {again}", f"read: {again}", "waiting", "peek: 0", "read: 0")


def test_callers_are_there_when_their_handshake_is_done(town):
    with mannered(town, "early") as (keep, port):
        keep.wait_for("waiting")
        with contextlib.closing(call(port, town.who["friend"])) as party:
            keep.say("somebody has come\n")
            keep.wait_for("waiting[^|]*waiting")
            keep.say("and says something\n")
            assert party.shake()
            party.flush()
            again = "accept: Resource temporarily unavailable"
            assert said(keep, again, "waiting", "poll: 0", again, "waiting", "poll: 1", "accept: 0", again)


def test_a_writer_is_not_held_up(town):
    with mannered(town, "flood") as (keep, port), contextlib.closing(call(port, town.who["friend"])) as party:
        assert party.shake()
        party.flush()
        keep.wait_for("waiting")
        keep.say("now it is read\n")
        got = party.hear()
        assert said(keep, "stopped: in between Resource temporarily unavailable", "poll: 0", "waiting",
                    f"written: {8 << 20}")
        # its arithmetic has 32 bits
        block = bytes((at * 2654435761 & 0xffffffff) >> 13 & 0xff for at in range(65536))
        assert got == block * 128


def test_a_broken_connection_stays_broken(town):
    with mannered(town, "again") as (keep, port), contextlib.closing(call(port, town.who["friend"])) as party:
        assert party.shake()
        party.flush()
        keep.wait_for("waiting")
        party.sock.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))  # a record that nobody has encrypted
        keep.say("go on\n")
        assert party.hear() == b"" and party.alert == "bad_record_mac"
        keep.wait_for("close: 0")
        assert keep.out.count("read: ") == keep.out.count("write: ") == 3
        assert not re.search(r"(read|write): \d", keep.out)
        assert keep.look().err.count("a TLS connection broke") == 1


def test_files_of_peers_where_there_are_none(town):
    folder = town.package("names", ["names"], [], module=town.manners)
    with town.run(folder) as keep:
        keep.wait_for(r"/net/peer/con read: (?!0)")
        lines = keep.out.splitlines()
        assert lines[:2] == ["/net/peer/con read: ", "/net/peer/lis read: "]
        assert [line.partition(": ")[2] for line in lines[2:9]] == ["No such file or directory"] * 7
        assert not any(re.search(r"read: [{0-9]", line) for line in lines)


def test_peers_are_listed_in_their_order(town):
    """Each once; what nobody asked for is not lost, and the end is an end of file."""
    port = world.free_port()
    folder = town.package("queue", ["queue", port], [f"[network.incoming.{port}]\nanonymous = true"])
    with town.run(folder) as keep:
        keep.wait_for("serving")
        addresses = []
        for who in (town.who["friend"], None):
            with contextlib.closing(call(port, who)) as party:
                assert party.shake()
                party.flush()
                addresses.append(party.address)
                time.sleep(0.2)  # so that they are accepted one after the other
        keep.wait_for("next \n")
        first, second = [json.loads(text) for text in re.findall(r"^next (\{.*)$", keep.out, re.MULTILINE)]
        assert first["addr"] == addresses[0] and first["peer"]["kind"] == "keep"
        assert second == {"addr": addresses[1], "peer": {"kind": "anonymous"}}


def test_much_goes_both_ways_at_once(town, room):
    """Sixteen mebibytes each way, between keeps and with OpenSSL, each byte compared."""
    deploy = town.world.deploy_words("alice/chat-client:0.1.0")
    done = town.world.testhost().run(*deploy)
    assert (done.returncode, done.stdout) == (0, f"swapped {16 << 20}\n"), done.stderr
    data = random.Random(1).randbytes(16 << 20)
    with contextlib.closing(call(room.ports["any"], town.who["friend"])) as party:
        assert party.shake()
        assert party.swap(data) == data


# ---- Enarx.toml, local packages, packages without a Steward ----

def test_enarxs_configuration_lets_the_program_decide(town):
    """Any peer reaches it, and it sees who each is."""
    port = world.free_port()
    folder = town.package("enarx", ["serve", port], [])
    (folder / "Keep.toml").rename(folder / "Enarx.toml")
    with town.run(folder) as keep:
        room = Room(town, keep, {"any": port})
        kinds = {"friend": "keep", "local": "local", "wrong workload": "keep", "expired": "anonymous",
                 "revoked": "anonymous", "self-signed": "anonymous", "other Steward's": "anonymous"}
        room.greet("any", hostile.NOBODY)
        for who, kind in kinds.items():
            room.greet("any", town.who[who])
            assert json.loads(room.came("any")[-1])["kind"] == kind, who
        room.refuses("any", town.who["another key"], "decrypt_error", "bad signature")
        room.refuses("any", town.who["platform"], *HOSTILE["platform"][1:])


def test_a_package_without_a_steward_is_nobody(town, room):
    """It talks TLS all the same, to those who let anybody in."""
    def folder(door):
        address = f"localhost:{room.ports[door]}"
        head = HEAD.replace('steward = "{steward}"\nsteward_ca = "steward.pem"\n', "")
        head = head.replace("stewards = [", 'stewards = ["steward.pem", ')
        return town.package("nobody", ["call", address, "hello"], [f'[network.outgoing."{address}"]\npeers = "any"'],
                            head=head)
    done = town.world.testhost().run(folder("open"))
    assert done.returncode == 0 and "got hello\n" in done.stdout, done.stderr
    assert json.loads(room.came("open")[-1]) == {"kind": "anonymous"}
    assert '"kind":"keep","workload":"%s/alice/chat-server:0.1.0"' % town.world.host in done.stdout
    done = town.world.testhost().run(folder("any"))
    assert done.returncode == 1 and "got hello" not in done.stdout
    assert HOSTILE["self-signed"][2] in room.keep.look().err.splitlines()[-1]


def test_a_package_of_a_folder_is_local(town, room):
    address = f"localhost:{room.ports['any']}"
    folder = town.package("local", ["call", address, "hello"],
                          [f'[network.outgoing."{address}"]\npeers = [{{ workload = "HOST/alice/chat-server" }}]'])
    done = town.world.testhost().run(folder)
    assert done.returncode == 0 and "got hello\n" in done.stdout, done.stderr
    peer = json.loads(room.came("any")[-1])
    assert peer["kind"] == "local" and "workload" not in peer


# ---- time, and revocation while a keep runs ----

def test_a_connection_ends_with_its_peers_certificate(town, room):
    """When the time comes, whatever the peer does; also when the program has closed it already."""
    room.begin()
    soon = town.smith.forge(town.who["friend"], hostile.ca_of(town.world.steward), end=3)
    with contextlib.closing(call(room.ports["any"], soon)) as party, mannered(town, "linger") as (keep, port):
        assert party.shake()
        party.say(SECRET)
        assert party.hear(len(SECRET)) == SECRET
        with contextlib.closing(call(port, soon)) as other:
            assert other.shake()
            other.flush()
            keep.wait_for("close: 0")
            assert party.hear() == b"" and party.alert is None
            assert room.reasons(party.address) == [HOSTILE["expired"][2]]
            keep.say("end\n")
            began = time.monotonic()
            assert keep.process.wait(hostile.PATIENCE) == 0 and time.monotonic() - began < 5
    room.greet("any")
    room.refuses("any", soon, *HOSTILE["expired"][1:])


class Clock:
    """Sets the clocks of a keep, also while it runs; `words` make a testhost listen to it."""

    def __init__(self, path):
        self.path, self.words = path, ("--clock", f"@{path}")
        self.set(0)

    def set(self, seconds):
        self.path.write_text(f"both:{seconds}\n")


@contextlib.contextmanager
def timed_room(town, clock, steward=None):
    port = world.free_port()
    folder = town.package("timed", ["serve", port], [f'[network.incoming.{port}]\npeers = "any"'], steward=steward)
    with town.run(folder, *clock.words) as keep:
        yield Room(town, keep, {"any": port})


@pytest.fixture
def clock(tmp_path):
    return Clock(tmp_path / "clock")


def test_who_is_revoked_has_to_go(town, clock):
    """With the next list, an hour later."""
    guest = town.claim("chat-client:0.1.0")
    with timed_room(town, clock) as room, contextlib.closing(call(room.ports["any"], guest)) as party:
        assert party.shake()
        party.say(SECRET)
        assert party.hear(len(SECRET)) == SECRET
        town.revoke(guest)
        room.greet("any")
        party.say(SECRET)
        assert party.hear(len(SECRET)) == SECRET  # the keep does not know yet
        clock.set(3700)
        room.greet("any")
        assert party.hear() == b""
        assert room.reasons(party.address) == [HOSTILE["revoked"][2]]
        room.refuses("any", guest, *HOSTILE["revoked"][1:])


def test_a_new_certificate_is_shown_when_it_is_there(town, clock):
    """After two thirds of the old one's life; nobody has to go because of it."""
    with timed_room(town, clock) as room, contextlib.closing(call(room.ports["any"], town.who["friend"])) as party:
        assert party.shake()
        party.say(SECRET)
        assert party.hear(len(SECRET)) == SECRET
        old = party.tls.getpeercert(True)
        clock.set(17 * 3600)
        room.greet("any")
        room.keep.wait_for("renewed the certificate")
        party.say(SECRET)
        assert party.hear(len(SECRET)) == SECRET
        with contextlib.closing(call(room.ports["any"], town.who["friend"])) as other:
            assert other.shake() and other.tls.getpeercert(True) != old
            other.say(SECRET)
            assert other.hear(len(SECRET)) == SECRET


def test_a_clock_that_is_set_back_makes_nothing_valid(town):
    """What the Steward has signed says that it is later."""
    port = world.free_port()
    folder = town.package("late", ["serve", port], [f'[network.incoming.{port}]\npeers = "any"'])
    with town.run(folder, "--clock", -2 * 86400) as keep:
        room = Room(town, keep, {"any": port})
        room.greet("any")
        for name in ("expired", "revoked", "not yet valid"):
            room.refuses("any", town.who[name], *HOSTILE[name][1:])


NO_LIST = "there is no new revocation list of the peer's Steward"


def test_nobody_is_believed_without_a_list(town, clock):
    """Of a Steward that does not answer: who comes waits for ten seconds, and is refused then; so is who is called."""
    silent = town.who["silent's friend"]
    servers = [town.servers["any"], town.servers["listed"]]
    with timed_room(town, clock) as room, contextlib.ExitStack() as stack:
        askers = []
        for server in servers:
            folder = town.package(f"asker-{server.port}", ["ask"],
                                  [f'[network.outgoing."localhost:{server.port}"]\npeers = "any"'])
            askers.append(Asker(town, stack.enter_context(town.run(folder))))
            askers[-1].begin(server)
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor())
        met = [pool.submit(servers[0].meet, silent), pool.submit(servers[1].meet_raw, b"")]
        began = time.monotonic()
        with contextlib.closing(call(room.ports["any"], silent)) as party:
            assert party.shake()
            party.say(SECRET)
            room.greet("any")
            slow = stack.enter_context(contextlib.closing(call(room.ports["any"])))
            room.greet("any")
            clock.set(11)
            room.greet("any")
            assert (party.hear(), party.alert) == (b"", None) and room.reasons(party.address) == [NO_LIST]
            assert room.reasons(slow.address) == ["its handshake took too long"]
            assert time.monotonic() - began < 9  # the clock of the keep was not waited for
        assert len(room.came("any")) == 3 and "no revocation list" in room.keep.err
        for asker, reason in zip(askers, [NO_LIST, "its handshake took too long"]):
            assert asker.answer().startswith("refused ") and asker.reasons() == [reason]
            assert 8 < time.monotonic() - began < 2 * hostile.PATIENCE
        seen, heard = met[0].result(), met[1].result()
        assert (seen.heard, seen.alert) == (b"", None) and SECRET not in heard
        assert time.monotonic() - began < 15


def test_old_lists_and_ones_own_end(town, clock):
    """A list is believed for 25 hours. A keep whose own certificate has ended believes nobody."""
    steward = town.world.make_steward("mortal", 48)
    guest = town.claim("chat-client:0.1.0", steward)
    with (timed_room(town, clock, steward) as room,
          mannered(town, "early", *clock.words, steward=steward) as (keep, port)):
        room.greet("any", guest)
        steward.stop()
        clock.set(24 * 3600)
        room.greet("any", guest)
        clock.set(26 * 3600)
        with contextlib.closing(call(room.ports["any"], guest)) as party:
            assert party.shake()
            party.say(SECRET)
            time.sleep(0.5)
            clock.set(26 * 3600 + 11)
            hostile.raw(room.ports["any"], b"")
            assert (party.hear(), party.alert) == (b"", None) and room.reasons(party.address) == [NO_LIST]
        clock.set(49 * 3600)
        for _ in range(3):
            seen = visit(room.ports["any"], guest)
            assert (seen.heard, seen.alert) == (b"", None)
            assert room.reasons(seen.address) == ["our own certificate has expired, and nobody has renewed it"]
        assert len(room.came("any")) == 2 and room.keep.process.poll() is None
        # nor is a listener at fault when its keep believes nobody
        keep.wait_for("waiting")
        with contextlib.closing(call(port, guest)) as party:
            keep.say("somebody has come\n")
            keep.wait_for("waiting[^|]*waiting")
            assert party.shake() is None and (party.hear(), party.alert) == (b"", None)
        again = "accept: Resource temporarily unavailable"
        assert said(keep, again, "waiting", "poll: 0", again, "waiting")
