"""ECDSA and RSA signatures in plain Python, for the negative suite alone: they come out the same every
time (RFC 6979; a salt that follows from the message), know nothing of OpenSSL, and can be made wrong on
purpose. Slow, and open to every side channel: no key here protects anything."""
import hashlib
import hmac
import pathlib

import der

KEYS = pathlib.Path(__file__).parent / "keys"


# ---- ECDSA ----

class Curve:
    """y² = x³ - 3x + b over the integers modulo p; generator (x, y) of order n."""

    def __init__(self, oid, digest, p, b, x, y, n):
        self.oid, self.digest, self.p, self.b, self.n = oid, digest, p, b, n
        self.size = (p.bit_length() + 7) // 8
        self.generator = (x, y, 1)

    def double(self, point):
        x, y, z = point
        if not y:
            return (1, 1, 0)
        zz, yy = z * z % self.p, y * y % self.p
        beta = x * yy
        alpha = 3 * (x - zz) * (x + zz)
        x3 = (alpha * alpha - 8 * beta) % self.p
        return x3, (alpha * (4 * beta - x3) - 8 * yy * yy) % self.p, 2 * y * z % self.p

    def add(self, one, other):
        (x1, y1, z1), (x2, y2, z2) = one, other
        if not z1 or not z2:
            return other if not z1 else one
        u1, u2 = x1 * z2 * z2 % self.p, x2 * z1 * z1 % self.p
        s1, s2 = y1 * z2 ** 3 % self.p, y2 * z1 ** 3 % self.p
        if u1 == u2:
            return self.double(one) if s1 == s2 else (1, 1, 0)
        h, r = u2 - u1, s2 - s1
        hh = h * h % self.p
        hhh, v = h * hh % self.p, u1 * hh % self.p
        x3 = (r * r - hhh - 2 * v) % self.p
        return x3, (r * (v - x3) - s1 * hhh) % self.p, z1 * z2 * h % self.p

    def multiply(self, factor):
        """A multiple of the generator, as (x, y)."""
        out, power = (1, 1, 0), self.generator
        while factor:
            if factor & 1:
                out = self.add(out, power)
            factor >>= 1
            power = self.double(power)
        x, y, z = out
        inverse = pow(z, -1, self.p)
        return x * inverse ** 2 % self.p, y * inverse ** 3 % self.p


P256 = Curve("1.2.840.10045.3.1.7", hashlib.sha256, 2**256 - 2**224 + 2**192 + 2**96 - 1,
             0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b,
             0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296,
             0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5,
             0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551)
P384 = Curve("1.3.132.0.34", hashlib.sha384, 2**384 - 2**128 - 2**96 + 2**32 - 1,
             0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef,
             0xaa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7,
             0x3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f,
             0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973)


class EcKey:
    """A key that follows from a name: whoever knows this file knows it."""

    def __init__(self, curve, name):
        self.curve = curve
        seed = hashlib.sha512(b"broch negative evidence, test key: " + name.encode()).digest()
        self.secret = int.from_bytes(seed, "big") % (curve.n - 1) + 1
        self.x, self.y = curve.multiply(self.secret)

    def point(self):
        return self.x.to_bytes(self.curve.size, "big") + self.y.to_bytes(self.curve.size, "big")

    def public(self):
        """SubjectPublicKeyInfo."""
        return der.sequence(der.sequence(der.oid("1.2.840.10045.2.1"), der.oid(self.curve.oid)),
                            der.bits(b"\4" + self.point()))

    def _nonce(self, digest):
        """RFC 6979 §3.2, for digests as long as the order."""
        hash_, size = self.curve.digest, self.curve.size
        seed = self.secret.to_bytes(size, "big") + (int.from_bytes(digest, "big") % self.curve.n).to_bytes(size, "big")
        v, k = b"\1" * size, b"\0" * size
        for tag in (b"\0", b"\1"):
            k = hmac.new(k, v + tag + seed, hash_).digest()
            v = hmac.new(k, v, hash_).digest()
        while True:
            v = hmac.new(k, v, hash_).digest()
            if 0 < (nonce := int.from_bytes(v, "big")) < self.curve.n:
                return nonce
            k = hmac.new(k, v + b"\0", hash_).digest()
            v = hmac.new(k, v, hash_).digest()

    def sign(self, message):
        """The numbers r and s, with the digest of the curve's length."""
        digest = self.curve.digest(message).digest()
        nonce = self._nonce(digest)
        r = self.curve.multiply(nonce)[0] % self.curve.n
        s = pow(nonce, -1, self.curve.n) * (int.from_bytes(digest, "big") + r * self.secret) % self.curve.n
        return r, s

    def sign_raw(self, message):
        return b"".join(number.to_bytes(self.curve.size, "big") for number in self.sign(message))


# ---- RSA ----

class RsaKey:
    """One of keys/, which openssl made: primes take long in Python."""

    def __init__(self, name):
        _, whole, _ = next(der.elements(der.unpem((KEYS / f"test-only-{name}.pem").read_text())))
        _, key, _ = next(der.elements(list(der.elements(whole))[2][1]))
        numbers = [int.from_bytes(content, "big") for _, content, _ in der.elements(key)]
        _, self.n, self.e, _, self.p, self.q, self.dp, self.dq, self.inverse = numbers
        self.size = (self.n.bit_length() + 7) // 8

    def public(self):
        return der.sequence(der.sequence(der.oid("1.2.840.113549.1.1.1"), der.null()),
                            der.bits(der.sequence(der.integer(self.n), der.integer(self.e))))

    def power(self, message):
        one, other = pow(message % self.p, self.dp, self.p), pow(message % self.q, self.dq, self.q)
        return (other + (one - other) * self.inverse % self.p * self.q).to_bytes(self.size, "big")

    def sign_pss(self, message, digest="sha384", salt_size=48):
        """RFC 8017 §8.1; the mask by MGF1 with the same digest."""
        hashed = hashlib.new(digest, message).digest()
        salt = hashlib.shake_256(b"salt" + message).digest(salt_size)
        h = hashlib.new(digest, b"\0" * 8 + hashed + salt).digest()
        size = self.size - len(h) - 1
        mask = b"".join(hashlib.new(digest, h + i.to_bytes(4, "big")).digest() for i in range(size // len(h) + 1))
        block = bytes(a ^ b for a, b in zip(b"\0" * (size - salt_size - 1) + b"\1" + salt, mask))
        return self.power(int.from_bytes(bytes([block[0] & 0x7f]) + block[1:] + h + b"\xbc", "big"))

    def sign_pkcs1(self, message, digest="sha384"):
        """RFC 8017 §8.2."""
        oid = {"sha256": "2.16.840.1.101.3.4.2.1", "sha384": "2.16.840.1.101.3.4.2.2"}[digest]
        info = der.sequence(der.sequence(der.oid(oid), der.null()), der.octets(hashlib.new(digest, message).digest()))
        return self.power(int.from_bytes(b"\0\1" + b"\xff" * (self.size - len(info) - 3) + b"\0" + info, "big"))
