"""Certificates and revocation lists, right and wrong ones."""
import hashlib

import der
from signing import EcKey

SHA256, SHA384 = "2.16.840.1.101.3.4.2.1", "2.16.840.1.101.3.4.2.2"


# ---- algorithms: identifier and signature ----

class Pss:
    def __init__(self, digest="sha384", salt_size=48):
        self.digest, self.salt_size = digest, salt_size
        hash_ = der.sequence(der.oid(SHA384 if digest == "sha384" else SHA256), der.null())
        self.identifier = der.sequence(der.oid("1.2.840.113549.1.1.10"), der.sequence(
            der.explicit(0, hash_), der.explicit(1, der.sequence(der.oid("1.2.840.113549.1.1.8"), hash_)),
            der.explicit(2, der.integer(salt_size))))

    def sign(self, key, message):
        return key.sign_pss(message, self.digest, self.salt_size)


class Pkcs1:
    def __init__(self, digest="sha384"):
        self.digest = digest
        self.identifier = der.sequence(der.oid("1.2.840.113549.1.1.12" if digest == "sha384"
                                               else "1.2.840.113549.1.1.11"), der.null())

    def sign(self, key, message):
        return key.sign_pkcs1(message, self.digest)


class Ecdsa:
    """With the digest of the key's curve: SHA-256 of P-256, SHA-384 of P-384."""
    def __init__(self, digest="sha256"):
        self.identifier = der.sequence(der.oid("1.2.840.10045.4.3.2" if digest == "sha256" else "1.2.840.10045.4.3.3"))

    def sign(self, key, message):
        return der.sequence(*map(der.integer, key.sign(message)))


def algorithm_of(key):
    if isinstance(key, EcKey):
        return Ecdsa("sha256" if key.curve.size == 32 else "sha384")
    return Pss()


# ---- parts ----

def name(*attributes):
    """Of (arc of id-at, value)."""
    return der.sequence(*(der.set_of(der.sequence(der.oid(f"2.5.4.{arc}"),
                                                  (der.printable if arc == 6 else der.utf8)(value)))
                          for arc, value in attributes))


def extension(oid, value, critical=False):
    return der.sequence(der.oid(oid), *([der.boolean(True)] if critical else []), der.octets(value))


def key_id(key):
    return hashlib.sha1(list(der.elements(list(der.elements(key.public()))[0][1]))[1][1][1:]).digest()


def basic_constraints(is_ca, length=None):
    return extension("2.5.29.19", der.sequence(*([der.boolean(True)] if is_ca else []),
                                               *([der.integer(length)] if length is not None else [])), True)


KEY_CERT_SIGN, CRL_SIGN, DIGITAL_SIGNATURE, NON_REPUDIATION, KEY_AGREEMENT = 0x04, 0x02, 0x80, 0x40, 0x08


def key_usage(usage):
    unused = (usage & -usage).bit_length() - 1
    return extension("2.5.29.15", der.bits(bytes([usage]), unused), True)


def subject_key(key):
    return extension("2.5.29.14", der.octets(key_id(key)))


def authority_key(key):
    return extension("2.5.29.35", der.sequence(der.implicit(0, key_id(key))))


# ---- what is signed ----

def signed(body, key, algorithm=None, outer=None):
    """outer: the identifier beside the signature, when it is to differ from the one that is signed."""
    algorithm = algorithm or algorithm_of(key)
    return der.sequence(body, (outer or algorithm).identifier, der.bits(algorithm.sign(key, body)))


def certificate(*, subject, issuer, public, signer, dates, serial, extensions, algorithm=None, outer=None,
                version=2):
    """DER. public: SubjectPublicKeyInfo; dates: two texts; version: 2 is version 3."""
    algorithm = algorithm or algorithm_of(signer)
    body = der.sequence(*([der.explicit(0, der.integer(version))] if version else []), der.integer(serial),
                        algorithm.identifier, issuer, der.sequence(*map(der.time, dates)), subject, public,
                        *([der.explicit(3, der.sequence(*extensions))] if version else []))
    return signed(body, signer, algorithm, outer)


def crl(*, issuer, signer, dates, revoked=(), extensions=(), algorithm=None, version=1):
    """DER. dates: thisUpdate and nextUpdate, which may be None; revoked: serial numbers, or of each and an
    extension."""
    algorithm = algorithm or algorithm_of(signer)
    pairs = [entry if isinstance(entry, tuple) else (entry, None) for entry in revoked]
    entries = [der.sequence(der.integer(serial), der.time("2026-01-02T00:00:00Z"),
                            *([der.sequence(more)] if more else [])) for serial, more in pairs]
    body = der.sequence(*([der.integer(version)] if version else []), algorithm.identifier, issuer,
                        *(der.time(text) for text in dates if text),
                        *([der.sequence(*entries)] if entries else []),
                        *([der.explicit(0, der.sequence(*extensions))] if extensions else []))
    return signed(body, signer, algorithm)
