"""A small world for keeps: simulated platforms, a Steward that believes them, a registry, and keeps that were
attested by tests/testhost."""
import contextlib
import hashlib
import os
import pathlib
import random
import re
import shutil
import socket
import time

import drawbridge_host
import steward_host
import testhost

ADMIT_REGISTRY = """
[registries]
"localhost:{port}" = {{ ca = "{ca}" }}
"""


REPOSITORIES = ("chat-server", "chat-server-rust", "chat-client", "chat-client-rust", "app")


def free_port():
    """A port that nobody listens on now, and that no connection gets from the system until somebody does."""
    first, _ = map(int, pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    while True:
        with socket.socket(socket.AF_INET6) as sock, contextlib.suppress(OSError):
            sock.bind(("::", random.randrange(min(first, 32768) // 2, min(first, 32768))))
            return sock.getsockname()[1]


class World:
    """Everything but the keeps. `folder` is a pathlib.Path that is there."""

    def __init__(self, build, folder, lifetime_hours=24):
        self.build, self.folder = build, folder
        (folder / "sim").mkdir()
        (folder / "registry").mkdir()
        self.platforms = steward_host.Platforms(build, folder / "sim")
        self.registry = drawbridge_host.Drawbridge(build, folder / "registry").start()
        self.token = self.registry.issuer.token()
        self.registry.register(self.token, repos=REPOSITORIES)
        self.steward = self.make_steward("steward", lifetime_hours)
        self.roots = self.root_of(self.steward)

    def make_steward(self, name, lifetime_hours=24, *words):
        """A Steward that believes the simulated platforms and reads the registry."""
        port = free_port()

        def change(text):
            text = text.replace("localhost:0", f"localhost:{port}").replace("127.0.0.1:0", f"127.0.0.1:{port}")
            text = text.replace("lifetime_hours = 24", f"lifetime_hours = {lifetime_hours}")
            return text.replace("[registries]", ADMIT_REGISTRY.format(port=self.registry.port,
                                                                      ca=self.registry.ca).strip())
        steward = steward_host.Steward(self.platforms, self.folder / name, "--simulation", *words, change=change)
        return steward.start()

    @staticmethod
    def root_of(steward):
        """Both roots of a Steward, as a package names them: simulated platforms are under the second."""
        return ((steward.folder / "root.pem").read_text() + (steward.folder / "simulation-root.pem").read_text())

    def stop(self):
        self.steward.stop()
        self.registry.stop()

    def package(self, name, module, config, files=()):
        """A folder with a package: main.wasm, Keep.toml, the Steward's roots, and what is given."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "main.wasm").write_bytes(module)
        (folder / "Keep.toml").write_text(config.format(steward=self.steward.url, host=self.host))
        (folder / "steward.pem").write_text(self.roots)
        for path, content in dict(files).items():
            (folder / path).write_text(content)
        return folder

    @property
    def host(self):
        return f"localhost:{self.registry.port}"

    def publish(self, slug, folder):
        """Puts a package into the registry; its digest in hexadecimal."""
        def media(path):
            return {".wasm": "application/wasm", ".toml": "application/toml"}.get(path.suffix,
                                                                                "application/octet-stream")
        files = {path.name: (path.read_bytes(), media(path)) for path in sorted(folder.iterdir())}
        _, directory = self.registry.publish(self.token, slug, files)
        return hashlib.sha256(directory).hexdigest()

    def testhost(self, *words):
        return testhost.Testhost(self.build, "--sim", self.folder / "sim", *words)

    def deploy_words(self, slug):
        """What makes testhost deploy a package of the registry."""
        return ["--registry-ca", self.registry.ca, "--package", f"{self.host}/{slug}"]


class Keep:
    """A keep that runs, with its output as it comes."""

    def __init__(self, process):
        self.process, self.out, self.err = process, "", ""
        for stream in (process.stdout, process.stderr):
            os.set_blocking(stream.fileno(), False)

    def look(self):
        """Reads what there is."""
        self.out += (self.process.stdout.read() or b"").decode(errors="replace")
        self.err += (self.process.stderr.read() or b"").decode(errors="replace")
        return self

    def wait_for(self, pattern, seconds=30):
        """Waits until either stream has it; the match."""
        end = time.monotonic() + seconds
        while True:
            self.look()
            found = re.search(pattern, self.out) or re.search(pattern, self.err)
            if found:
                return found
            assert self.process.poll() is None, f"it ended: {self.out}\n{self.err}"
            assert time.monotonic() < end, f"{pattern} did not come: {self.out}\n{self.err}"
            time.sleep(0.01)

    def say(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()


@contextlib.contextmanager
def running(host, *words):
    """A keep under a testhost, until the end of the block."""
    with host.start(*words) as process:
        yield Keep(process)
