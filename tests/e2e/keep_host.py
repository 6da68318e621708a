"""A host for broch-keep in Python: boot requests, and answers to keep calls over the boot socket.

Unlike the loader it can write any request and give any answer, and needs no sandbox: so the exec layer of
the build with sanitizers, which no sandbox would let run, can be tried, too.
"""
import contextlib
import dataclasses
import os
import socket
import struct
import subprocess
import sys
import threading

LOG_LEVEL, STDIO, ARG, ENV, FUEL, MEMORY, FILE, PACKAGE, STEWARD, STEWARD_CA, REGISTRY_CA = range(1, 12)
MAGIC = b"BROCHBT1"
ATTEST, RESOLVE, LOG, PHASE = range(0xEA00, 0xEA04)
ENOENT, ENOSYS = 2, 38

# Becomes the keep: descriptors 3 and 4 in their places, nothing else.
BECOME = """
import os, sys
boot_socket, boot_file, *command = sys.argv[1:]
os.dup2(int(boot_socket), 20)
os.dup2(int(boot_file), 21)
os.dup2(20, 3)
os.dup2(21, 4)
os.closerange(5, 64)
os.execv(command[0], command)
"""


def section(kind, body):
    return struct.pack("<II", kind, len(body)) + body


def file_section(path, content):
    path = path.encode()
    return section(FILE, struct.pack("<H", len(path)) + path + content)


def request(module=b"", config=None, args=(), env=(), files=(), extra=b""):
    """A boot request; config is the text of Keep.toml."""
    parts = [MAGIC, section(LOG_LEVEL, b"\2"), section(STDIO, b"\0\0\0")]
    parts += [section(ARG, a.encode()) for a in args] + [section(ENV, e.encode()) for e in env]
    if config is not None:
        files = [("Keep.toml", config.encode()), *files]
    return b"".join(parts) + extra + b"".join(file_section(*f) for f in [("main.wasm", module), *files])


def address(text):
    """What resolve answers for one address."""
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    packed = socket.inet_pton(family, text)
    return bytes([6 if ":" in text else 4]) + packed.ljust(16, b"\0")


def package_request(slug, registry_ca):
    """A boot request for a package of a registry, whose authority is given in PEM."""
    return b"".join([MAGIC, section(LOG_LEVEL, b"\2"), section(STDIO, b"\0\0\0"), section(PACKAGE, slug.encode()),
                     section(REGISTRY_CA, registry_ca)])


def serve(sock, log, resolve, attest):
    """Answers keep calls until the keep is gone."""
    stream = sock.makefile("rwb")

    def read(size):
        try:
            return stream.read(size)
        except ConnectionResetError:  # it left before it had read all that we said
            return b""

    while len(head := read(16)) == 16:
        number, size, value, _ = struct.unpack("<IIII", head)
        body = read(size)
        if number == LOG:
            log.append((value, body.decode(errors="replace")))
            answer = struct.pack("<qII", 0, 0, 0)
        elif number == PHASE:
            answer = struct.pack("<qII", 0, 0, 0)
        else:
            answer = attest(body) if number == ATTEST else resolve(body)
        try:
            stream.write(answer)
            stream.flush()
        except OSError:
            return


def resolved(*addresses):
    """The answer to resolve."""
    body = b"".join(address(a) for a in addresses)
    return struct.pack("<qII", len(body), len(body), 0) + body


def unknown_host(_name):
    return struct.pack("<qII", -ENOENT, 0, 0)


def no_platform(_data):
    return struct.pack("<qII", -ENOSYS, 0, 0)


def evidence_of(tool, sim, scratch, technology="snp", measurement="5a" * 48):
    """Answers attest with evidence of a simulated platform, which attest_request makes; sim: the folder of its
    roots, scratch: a file."""
    def attest(data):
        subprocess.run([tool, "evidence", sim, scratch, technology, f"measurement={measurement}", f"data={data.hex()}"],
                       check=True, timeout=60)
        evidence = scratch.read_bytes()
        return struct.pack("<qII", len(evidence), len(evidence), 0) + evidence
    return attest


@dataclasses.dataclass
class Done:
    code: int
    out: str
    err: str
    log: list

    def said(self, text):
        return any(text in line for _, line in self.log)


@contextlib.contextmanager
def start(keep, boot, resolve=unknown_host, attest=no_platform):
    """A keep (a command's words) with a boot request: its process, which is gone at the end of the block, and its
    log as it comes."""
    ours, theirs = socket.socketpair()
    log = []
    boot_file = os.memfd_create("boot")
    os.write(boot_file, boot)
    os.lseek(boot_file, 0, os.SEEK_SET)
    server = threading.Thread(target=serve, args=(ours, log, resolve, attest), daemon=True)
    server.start()
    child = subprocess.Popen([sys.executable, "-c", BECOME, str(theirs.fileno()), str(boot_file), *keep],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             pass_fds=[theirs.fileno(), boot_file])
    theirs.close()
    os.close(boot_file)
    try:
        with child:
            try:
                yield child, log
            finally:
                child.kill()
    finally:
        server.join(10)
        ours.close()


def run(keep, boot, resolve=unknown_host, attest=no_platform, stdin=b"", timeout=60):
    """Runs a keep to its end."""
    with start(keep, boot, resolve, attest) as (child, log):
        out, err = child.communicate(stdin, timeout)
    return Done(child.returncode, out.decode(errors="replace"), err.decode(errors="replace"), log)
