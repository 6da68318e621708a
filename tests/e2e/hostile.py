"""Peers of keeps that are no keeps: genuine certificates, forged ones, and TLS spoken by hand.

Everything here is told exactly what it gets: the alert, or the end, and the data in between.
"""
import base64
import contextlib
import dataclasses
import errno
import hashlib
import os
import pathlib
import re
import select
import selectors
import socket
import ssl
import struct
import subprocess
import time

SECRET = b"a secret"
NOBODY = object()  # who has no certificate
PATIENCE = 20  # seconds for what is to happen at once; machines are slow when they are busy


# ---- DER ----

def der(tag, *parts):
    content = b"".join(parts)
    count = len(content)
    size = [count] if count < 128 else [0x81, count] if count < 256 else [0x82, *count.to_bytes(2, "big")]
    return bytes([tag, *size]) + content


def elements(content):
    """The elements of a content: tag, content, and all of each."""
    while content:
        size, at = content[1], 2
        if size & 0x80:
            size, at = int.from_bytes(content[2:2 + (size & 0x7f)], "big"), 2 + (size & 0x7f)
        yield content[0], content[at:at + size], content[:at + size]
        content = content[at + size:]


def openssl(*words, data=b""):
    return subprocess.run(["openssl", *map(str, words)], input=data, capture_output=True, check=True, timeout=60).stdout


def pem_of(label, content):
    text = base64.encodebytes(content).replace(b"\n", b"")
    lines = b"\n".join(text[at:at + 64] for at in range(0, len(text), 64))
    return b"-----BEGIN %s-----\n%s\n-----END %s-----\n" % (label, lines, label)


# ---- certificates ----

# extensions by their identifiers in DER
SUBJECT_KEY, KEY_USAGE, NAMES, CONSTRAINTS, CRL, ISSUER_KEY, USAGE = (b"\x55\x1d" + bytes([number]) for number in
                                                                    (14, 15, 17, 19, 31, 35, 37))
ECDSA_SHA256 = der(0x30, der(0x06, bytes.fromhex("2a8648ce3d040302")))
ONLY_SERVERS = der(0x30, der(0x06, bytes.fromhex("2b06010505070301")))
ONLY_CLIENTS = der(0x30, der(0x06, bytes.fromhex("2b06010505070302")))
LOCALHOST = der(0x30, der(0x82, b"localhost"))
ELSEWHERE = der(0x30, der(0x82, b"elsewhere"))


def uri(text):
    return der(0x30, der(0x86, text.encode()))


class Certificate:
    """What of a certificate is needed to make another like it."""

    def __init__(self, whole):
        self.whole = whole
        (_, content, _), = elements(whole)
        (_, content, _), *_ = elements(content)
        _, (_, serial, _), _, _, _, (_, _, self.subject), (_, _, self.spki), (_, extensions, _) = elements(content)
        self.serial = int.from_bytes(serial, "big")
        (_, extensions, _), = elements(extensions)
        self.extensions = {}  # by identifier: whether it is critical, content
        for _, extension, _ in elements(extensions):
            (_, name, _), *rest = elements(extension)
            self.extensions[name] = (len(rest) == 2, rest[-1][1])

    @property
    def identity(self):
        """Of a keep: its identifier."""
        return next(name for name in self.extensions if name[:1] == b"\x69")


@dataclasses.dataclass
class Identity:
    """Files of a chain, the leaf first, and of its key."""
    chain: pathlib.Path
    key: pathlib.Path

    @property
    def certificates(self):
        return [Certificate(base64.b64decode(text)) for text in
                re.findall(b"-----BEGIN CERTIFICATE-----(.*?)-----END", self.chain.read_bytes(), re.DOTALL)]


def utc_time(seconds):
    return der(0x17, time.strftime("%y%m%d%H%M%SZ", time.gmtime(time.time() + seconds)).encode())


def key_hash(spki):
    """As key identifiers have it (RFC 5280 §4.2.1.2): of the bits."""
    (_, content, _), = elements(spki)
    _, (_, bits, _) = elements(content)
    return hashlib.sha1(bits[1:]).digest()


class Smith:
    """Makes certificates in a folder: genuine ones, and forged ones."""

    def __init__(self, folder, platforms):
        self.folder, self.platforms, self.count = folder, platforms, 0

    def genuine(self, steward, *words, **options):
        """A keep's, as its Steward certifies it; words as attest_request's."""
        key = self.platforms.key(self.new_path())
        status, _, chain = steward.attest(key, *words, **options)
        assert status == 200, chain
        return self.write(chain, key)

    def new_path(self):
        self.count += 1
        return self.folder / f"{self.count}.key"

    def write(self, chain, key):
        path = key.with_suffix(".pem")
        path.write_bytes(chain)
        return Identity(path, key)

    def new_key(self, *words):
        path = self.new_path()
        openssl("genpkey", *(words or ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]), "-out", path)
        return path

    def sign(self, subject, spki, signer, begin, end, extensions):
        """A certificate; signer: subject and key's file."""
        body = der(0x30, der(0xa0, b"\x02\x01\x02"), der(0x02, b"\x55" + time.time_ns().to_bytes(12, "big")),
                   ECDSA_SHA256, signer[0], der(0x30, utc_time(begin), utc_time(end)), subject, spki,
                   der(0xa3, der(0x30, *(der(0x30, der(0x06, name), b"\x01\x01\xff" if critical else b"",
                                             der(0x04, content))
                                         for name, (critical, content) in extensions.items()))))
        signature = openssl("dgst", "-sha256", "-sign", signer[1], data=body)
        return der(0x30, body, ECDSA_SHA256, der(0x03, b"\0" + signature))

    def forge(self, like, issuer=None, begin=-300, end=3600, key=None, without=(), **changes):
        """A certificate with the extensions of a genuine one, but those of `changes` and `without`: names, usage.
        issuer: an Identity that signs it; itself if None. Dates are seconds from now."""
        template, key = like.certificates[0], key or self.new_key()
        spki = openssl("pkey", "-in", key, "-pubout", "-outform", "DER")
        signer, chain, of_issuer = (template.subject, key), [], spki
        if issuer is not None:
            chain = issuer.certificates
            signer, of_issuer = (chain[0].subject, issuer.key), chain[0].spki
        extensions = {name: value for name, value in template.extensions.items() if name not in without}
        extensions[SUBJECT_KEY] = (False, der(0x04, key_hash(spki)))
        extensions[ISSUER_KEY] = (False, der(0x30, der(0x80, key_hash(of_issuer))))
        for name, value in changes.items():
            extensions[{"names": NAMES, "usage": USAGE}[name]] = (False, value)
        made = self.sign(template.subject, spki, signer, begin, end, extensions)
        return self.write(b"".join(pem_of(b"CERTIFICATE", c) for c in [made, *(c.whole for c in chain)]), key)

    def authority(self, subject):
        """An authority that is no Steward."""
        key = self.new_key()
        spki = openssl("pkey", "-in", key, "-pubout", "-outform", "DER")
        name = der(0x30, der(0x31, der(0x30, der(0x06, b"\x55\x04\x03"), der(0x0c, subject.encode()))))
        extensions = {CONSTRAINTS: (True, der(0x30, b"\x01\x01\xff")), KEY_USAGE: (True, b"\x03\x02\x01\x06"),
                      SUBJECT_KEY: (False, der(0x04, key_hash(spki)))}
        return self.write(pem_of(b"CERTIFICATE", self.sign(name, spki, (name, key), -86400, 86400, extensions)), key)

    def with_chain(self, like, *certificates):
        """The same key with another chain."""
        key = self.new_path()
        key.write_bytes(like.key.read_bytes())
        return self.write(b"".join(pem_of(b"CERTIFICATE", c.whole) for c in certificates), key)

    def with_another_key(self, like):
        """A genuine chain, and a file that says it is its key: its public half is, its private half is another's, so
        that OpenSSL loads it and signs with the other."""
        path = self.new_key()
        wrong = openssl("ec", "-in", path, "-outform", "DER")
        other = openssl("pkey", "-in", path, "-pubout", "-outform", "DER")[-65:]
        assert wrong.count(other) == 1
        path.write_bytes(pem_of(b"EC PRIVATE KEY", wrong.replace(other, like.certificates[0].spki[-65:])))
        return self.write(like.chain.read_bytes(), path)


def ca_of(steward):
    """The CA of a Steward that signs what is simulated: what its operator has, and nobody else."""
    return Identity(steward.folder / "simulation-ca.pem", steward.folder / "simulation-ca-key.pem")


# ---- TLS by hand ----

def alert_of(error):
    """The name of an alert that the other side sent, as RFC 8446 has it; None when the error is another."""
    words = (error.reason or "").lower().split("_alert_")
    return words[1] if len(words) == 2 and words[0].startswith(("tls", "ssl")) else None


def context(is_server, identity=None, roots=None):
    """Believes everybody; what it shows and asks for is said."""
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if is_server else ssl.PROTOCOL_TLS_CLIENT)
    found.check_hostname = False
    found.verify_mode = ssl.CERT_NONE
    if roots is not None:
        found.load_verify_locations(cadata=roots)
        found.verify_mode = ssl.CERT_OPTIONAL
    if identity is not None:
        found.load_cert_chain(identity.chain, identity.key)
    return found


class Party:
    """One side of a TLS connection, whose bytes go through our hands."""

    def __init__(self, sock, of, **options):
        self.sock, self.into, self.out = sock, ssl.MemoryBIO(), ssl.MemoryBIO()
        sock.settimeout(PATIENCE)
        self.tls = of.wrap_bio(self.into, self.out, **options)
        self.alert = None
        self.dribbles = False  # sends byte by byte

    @property
    def address(self):
        return "{}:{}".format(*self.sock.getsockname()[:2])

    def close(self):
        self.sock.close()

    def flush(self):
        """Sends what waits. Who has been cut off notices when it reads."""
        data = self.out.read()
        with contextlib.suppress(OSError):
            for at in range(len(data) if self.dribbles else 0):
                self.sock.sendall(data[at:at + 1])
            if not self.dribbles:
                self.sock.sendall(data)

    def fill(self):
        """Waits for bytes, or the end."""
        try:
            got = self.sock.recv(1 << 16)
        except ConnectionResetError:
            got = b""
        if got:
            self.into.write(got)
        else:
            self.into.write_eof()

    def step(self, function, *words):
        """Does something, sending and receiving as needed. None: it is over, self.alert may say why."""
        while True:
            try:
                return function(*words)
            except ssl.SSLWantReadError:
                self.flush()
                self.fill()
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError):
                return None
            except ssl.SSLError as error:
                self.alert = alert_of(error)
                self.flush()  # what this side has to say about it
                return None

    def first_flight(self):
        """What a client says first; it is not sent."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        return self.out.read()

    def shake(self):
        """The handshake, as far as this side can tell; what it sends last still waits in self.out."""
        def shake():
            self.tls.do_handshake()
            return True
        return self.step(shake)

    def say(self, data):
        """Sends data, together with what waits."""
        done = 0
        while done < len(data):
            done += self.tls.write(data[done:done + 16384])
        self.flush()

    def hear(self, size=None):
        """Data: so much, or until the end."""
        got, left = [], size
        while left != 0:
            more = self.step(self.tls.read, 1 << 16 if left is None else left)
            if not more:
                break
            got.append(more)
            left = None if left is None else left - len(more)
        return b"".join(got)

    def swap(self, data):
        """Sends data, and reads what comes, both at once: as much as was sent, or until the end."""
        sent, waiting = 0, b""
        self.sock.setblocking(False)
        parts = []
        size = 0
        end = time.monotonic() + 3 * PATIENCE
        while size < len(data):
            assert time.monotonic() < end
            if not waiting and sent < len(data):
                sent += self.tls.write(data[sent:sent + 65536])
            waiting += self.out.read()
            readable, writable, _ = select.select([self.sock], [self.sock] if waiting else [], [], PATIENCE)
            if writable:
                waiting = waiting[self.sock.send(waiting):]
            if readable:
                self.fill()
            with contextlib.suppress(ssl.SSLWantReadError):
                while got := self.tls.read(1 << 16):
                    parts.append(got)
                    size += len(got)
        return b"".join(parts)

    def end(self):
        """close_notify."""
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLError):
            self.tls.unwrap()
        self.flush()


@dataclasses.dataclass
class Visit:
    """How it went: whether this side thought that it was in, what it heard, and the alert that ended it."""
    address: str
    heard: bytes
    alert: str


def call(port, identity=None, change=None, **options):
    """Connects; the handshake is the caller's to do."""
    of = context(False, identity)
    if change is not None:
        change(of)
    sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    return Party(sock, of, server_hostname="localhost", **options)


def visit(port, identity=None, change=None, is_friend=False):
    """Calls a keep, and sends data together with the end of the handshake, as if it were welcome. A friend waits for
    the echo, then ends."""
    party = call(port, identity, change)
    with contextlib.closing(party.sock):
        if party.shake():
            party.say(SECRET)
        heard = party.hear(len(SECRET) if is_friend else None)
        if is_friend:
            party.end()
            heard += party.hear()
        return Visit(party.address, heard, party.alert)


class Server:
    """Whom keeps call: one connection at a time."""

    def __init__(self):
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=8)
        self.sock.settimeout(PATIENCE)
        self.port = self.sock.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def meet(self, identity, roots=None, change=None):
        """Takes the next call, and hears what is said; what it hears comes back in capitals."""
        of = context(True, identity, roots)
        if change is not None:
            change(of)
        sock, _ = self.sock.accept()
        party = Party(sock, of, server_side=True)
        with contextlib.closing(sock):
            heard = b""
            if party.shake():
                party.flush()
                heard = party.hear()
                if heard:
                    party.say(heard.upper())
                    party.end()
            return Visit("127.0.0.1:%d" % self.port, heard, party.alert)

    def meet_raw(self, data, ends=False):
        """Takes the next call and sends bytes, which are no TLS, and its end if so; what comes until the end."""
        sock, _ = self.sock.accept()
        with contextlib.closing(sock):
            sock.settimeout(PATIENCE)
            heard = b""
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                heard += sock.recv(1 << 16)
                sock.sendall(data)
                if ends:
                    end_half(sock)
                while more := sock.recv(1 << 16):
                    heard += more
            return heard

    def meet_and_cut(self, identity, at):
        """Takes the next call, answers with so many bytes of the first flight and ends; what came, and how large the
        flight was."""
        sock, _ = self.sock.accept()
        party = Party(sock, context(True, identity), server_side=True)
        with contextlib.closing(sock):
            heard = sock.recv(1 << 16)
            party.into.write(heard)
            flight = party.first_flight()
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                sock.sendall(flight[:at])
                end_half(sock)
                while more := sock.recv(1 << 16):
                    heard += more
            return heard, len(flight)


# ---- OpenSSL's own programs ----

@contextlib.contextmanager
def openssl_server(folder, identity):
    """s_server, which gives tickets and takes what is sent early; its port."""
    with Server() as free:
        port = free.port
    words = ["-accept", port, "-cert", identity.chain, "-key", identity.key, "-early_data", "-max_early_data", 16384]
    with subprocess.Popen(["openssl", "s_server", *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, cwd=folder) as process:
        try:
            end = time.monotonic() + PATIENCE
            while True:
                with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
                    break
                assert time.monotonic() < end
                time.sleep(0.02)
            yield port
        finally:
            process.kill()


def openssl_client(*words, data=b"", until=None):
    """s_client, which says something and then leaves, or leaves when it has heard something; what it printed."""
    with subprocess.Popen(["openssl", "s_client", *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as process:
        try:
            for line in data.splitlines(keepends=True):
                time.sleep(0.1)  # a command is one only when it comes alone
                process.stdin.write(line)
                process.stdin.flush()
            said = b""
            os.set_blocking(process.stdout.fileno(), False)
            end = time.monotonic() + (PATIENCE if until is not None else 0.5)
            while (until is None or until.encode() not in said) and time.monotonic() < end:
                said += process.stdout.read() or b""
                time.sleep(0.02)
            process.stdin.close()
            os.set_blocking(process.stdout.fileno(), True)
            return (said + process.stdout.read()).decode(errors="replace")
        finally:
            process.kill()


# ---- bytes ----

def end_half(sock):
    """Ends our half, unless the other side has reset all of it."""
    try:
        sock.shutdown(socket.SHUT_WR)
    except OSError as error:
        if error.errno != errno.ENOTCONN:
            raise


def reset(sock):
    """Its end will be a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def raw(port, data, is_reset=False):
    """Sends bytes and ends, or resets the connection: what came back, and our address."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
        address = "{}:{}".format(*sock.getsockname())
        heard = b""
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            sock.sendall(data)
            if is_reset:
                reset(sock)
                return heard, address
            end_half(sock)
            while more := sock.recv(1 << 16):
                heard += more
        return heard, address


class Crowd:
    """So many connections that send a byte each second, and come again when they are thrown out."""

    def __init__(self, port, count, data):
        self.port, self.data, self.turns = port, data, 0
        self.selector = selectors.DefaultSelector()
        for _ in range(count):
            self.enter()

    def enter(self):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", self.port))
        self.selector.register(sock, selectors.EVENT_READ, [0])

    def leave(self, key):
        self.selector.unregister(key.fileobj)
        key.fileobj.close()

    def turn(self, seconds):
        """A second: one byte of everybody. Who was thrown out comes again."""
        self.turns += 1
        for key in list(self.selector.get_map().values()):
            with contextlib.suppress(OSError):
                key.fileobj.send(self.data[key.data[0] % len(self.data):][:1])
                key.data[0] += 1
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for key, _ in self.selector.select(left):
                self.leave(key)
                self.enter()

    def close(self):
        for key in list(self.selector.get_map().values()):
            self.leave(key)
        self.selector.close()
