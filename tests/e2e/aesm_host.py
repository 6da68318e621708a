"""A daemon that speaks as Intel's AESM does, in software, and misbehaves when told to. Its protobuf is written by
hand, after the wire format of protobuf's documentation, so that it and our client share no code."""
import os
import socket
import struct
import threading
import time

# the numbers of requests and of their answers
INIT_QUOTE, QUOTE_SIZE, QUOTE, SELECT_KEY = 15, 16, 17, 19
TIMEOUTS = {INIT_QUOTE: 9, QUOTE_SIZE: 9, QUOTE: 9, SELECT_KEY: 2}
QE_MRSIGNER = bytes.fromhex("8c4f5775d796503e96137f77c68a829a0056ac8ded70140b081b094490c57bff")
KEY_ID = (struct.pack("<HHH48sI96xI", 0, 0, 32, QE_MRSIGNER, 1, 2)).ljust(256, b"\0")
KEY_NAME = bytes(range(32))
TARGET = bytes(range(256)) * 2
BODY, BODY_SIZE, REPORT_SIZE = 48, 384, 432


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7f | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    """A number, or bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def fields(message):
    """{number: value}; a number that comes twice, or a type that AESM has not, is an error."""
    found, at = {}, 0

    def take():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value
    while at < len(message):
        key = take()
        assert key & 7 in (0, 2) and key >> 3 not in found
        value = take()
        if key & 7 == 2:
            assert at + value <= len(message)
            value, at = message[at:at + value], at + value
        found[key >> 3] = value
    return found


def answer(number, code, *rest):
    """A response of that kind; code None: without one."""
    parts = [] if code is None else [field(1, code)]
    return field(number, b"".join([*parts, *rest]))


class Aesm:
    """`lie(number, answer)` may change what is said: it gets the kind of a request and the whole honest answer, and
    gives bytes in its place, or None after which nothing is said; or a generator of pieces, each sent when it comes."""

    def __init__(self, path, quote, lie=None):
        self.path, self.material, self.lie = path, quote, lie or (lambda number, honest: honest)
        self.asked, self.faults = [], []
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(path))
        self.server.listen(8)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        self.thread.join(10)
        os.unlink(self.path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        assert not self.faults

    def quote(self, body):
        """The quote that it has, about another body. Who signed what nobody judges here."""
        return self.material[:BODY] + body + self.material[BODY + BODY_SIZE:]

    def serve(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=[connection], daemon=True).start()

    def talk(self, connection):
        with connection:
            try:
                size, = struct.unpack("<I", connection.recv(4, socket.MSG_WAITALL))
                request = connection.recv(size, socket.MSG_WAITALL)
                assert len(request) == size
                (number, body), = fields(request).items()
                self.asked.append((number, fields(body)))
                honest = self.reply(number, self.asked[-1][1])
                self.say(connection, self.lie(number, struct.pack("<I", len(honest)) + honest))
            except (ConnectionError, BrokenPipeError):
                pass
            except Exception as fault:  # pylint: disable=broad-except
                self.faults.append(fault)

    @staticmethod
    def say(connection, said):
        if said is None:
            connection.recv(1)  # until the client has had enough
        elif isinstance(said, bytes):
            connection.sendall(said)
        else:
            for piece in said:
                connection.sendall(piece)

    def reply(self, number, asked):
        """As Intel's does, and no more lenient."""
        assert asked.pop(TIMEOUTS[number]) <= 30_000_000
        if number == SELECT_KEY:
            keys = asked[1]
            assert keys[:8] == struct.pack("<HHI", 0, 0, len(keys) // 256) and len(keys) % 256 == 8
            offered = [keys[at:at + 256] for at in range(8, len(keys), 256)]
            if KEY_ID not in offered:
                return answer(number, 38)
            return answer(number, 0, field(2, KEY_ID))
        assert asked[2 if number == QUOTE else 1] == KEY_ID
        if number == INIT_QUOTE:
            if not asked[3]:
                assert 4 not in asked
                return answer(number, 0, field(3, len(KEY_NAME)))
            assert asked[4] == len(KEY_NAME)
            return answer(number, 0, field(2, TARGET), field(3, len(KEY_NAME)), field(4, KEY_NAME))
        if number == QUOTE_SIZE:
            return answer(number, 0, field(2, len(self.material)))
        assert len(asked[1]) == REPORT_SIZE
        if asked[4] < len(self.material):
            return answer(number, 3)
        return answer(number, 0, field(2, self.quote(asked[1][:BODY_SIZE]).ljust(asked[4], b"\0")))


def drip(message, seconds):
    """One byte at a time."""
    for byte in message:
        yield bytes([byte])
        time.sleep(seconds)
