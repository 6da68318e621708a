#!/usr/bin/python3
"""Writes the authorities that Mozilla's browsers believe as C: mozilla_roots.py FOLDER OUT.

FOLDER has a certificate in PEM in each file of it, as Debian's ca-certificates. The order is that of their
digests, so that the same certificates give the same bytes everywhere."""
import hashlib
import pathlib
import ssl
import sys


def main(folder, out):
    files = sorted(pathlib.Path(folder).glob("*.crt"))
    if not files:
        sys.exit(f"mozilla_roots.py: no certificates in {folder}; the package ca-certificates has them")
    roots = sorted((ssl.PEM_cert_to_DER_cert(path.read_text()) for path in files),
                   key=lambda der: hashlib.sha256(der).digest())
    data = b"".join(roots)
    lines = [",".join(map(str, data[at:at + 32])) + "," for at in range(0, len(data), 32)]
    pathlib.Path(out).write_text("#include \"tls/internal.h\"\n\nconst uint8_t tls_mozilla_roots[] = {\n"
                                 + "\n".join(lines) + "\n};\n"
                                 f"const size_t tls_mozilla_roots_size = {len(data)};\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
