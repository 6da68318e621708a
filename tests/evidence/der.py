"""A writer of DER, as plain functions that return bytes; and as much of a reader as keys in PEM need."""
import base64
import datetime
import textwrap


def tlv(tag, *contents):
    body = b"".join(contents)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + body


def sequence(*items):
    return tlv(0x30, *items)


def set_of(*items):
    return tlv(0x31, *items)


def integer(value):
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def enumerated(value):
    return tlv(0x0a, bytes([value]))


def boolean(value):
    return tlv(0x01, b"\xff" if value else b"\0")


def null():
    return tlv(0x05)


def octets(value):
    return tlv(0x04, value)


def bits(value, unused=0):
    return tlv(0x03, bytes([unused]), value)


def utf8(value):
    return tlv(0x0c, value.encode())


def printable(value):
    return tlv(0x13, value.encode())


def ia5(value):
    return tlv(0x16, value.encode())


def explicit(number, *items):
    return tlv(0xa0 + number, *items)


def implicit(number, value):
    return tlv(0x80 + number, value)


def oid(text):
    first, second, *rest = map(int, text.split("."))
    out = b""
    for arc in [40 * first + second, *rest]:
        septets = [arc & 0x7f]
        while arc := arc >> 7:
            septets.insert(0, 0x80 | arc & 0x7f)
        out += bytes(septets)
    return tlv(0x06, out)


def time(text):
    """Of 2026-06-01T00:00:00Z: UTCTime to 2049, GeneralizedTime after it, as RFC 5280 has it."""
    moment = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")
    if 1950 <= moment.year <= 2049:
        return tlv(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())
    return tlv(0x18, moment.strftime("%Y%m%d%H%M%SZ").encode())


def pem(label, der):
    text = "\n".join(textwrap.wrap(base64.b64encode(der).decode(), 64))
    return f"-----BEGIN {label}-----\n{text}\n-----END {label}-----\n".encode()


# ---- reading ----

def elements(der):
    """(tag, content, whole) of each element that stands in der."""
    at = 0
    while at < len(der):
        size, head = der[at + 1], 2
        if size & 0x80:
            head += size & 0x7f
            size = int.from_bytes(der[at + 2:at + head], "big")
        end = at + head + size
        yield der[at], der[at + head:end], der[at:end]
        at = end


def unpem(text):
    return base64.b64decode("".join(line for line in text.splitlines() if not line.startswith("-----")))
