"""A Steward under test, and keeps on simulated platforms that ask it for certificates."""
import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import re
import signal
import ssl
import subprocess
import time

MEASUREMENT, MRENCLAVE = "5a" * 48, "a5" * 32
PKCS10 = {"Content-Type": "application/pkcs10"}


class Platforms:
    """The simulated platforms of one machine, and the keeps on them."""

    def __init__(self, build, folder):
        self.build, self.folder = build, folder
        self.env = {**os.environ, "BROCH_SIM_DIR": str(folder)}
        self.broch("sim", "init")

    def broch(self, *words, check=True, **options):
        return subprocess.run([self.build / "src/cli/broch", *words], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=120, check=check, env=self.env, **options)

    def tool(self, *words):
        return subprocess.run([self.build / "tests/e2e/steward/attest_request", *words], check=True, timeout=60,
                              capture_output=True, text=True).stdout.strip()

    def key(self, path, *words):
        """A key on P-256, or P-384 for Enarx's keeps on SNP; its file."""
        self.tool("key", path, *words)
        return path

    def request(self, key, *words, technology="snp", measurement=None):
        """A certificate request in DER; words as attest_request's."""
        out = key.with_suffix(".csr")
        measurement = measurement or (MEASUREMENT if technology == "snp" else MRENCLAVE)
        self.tool("make", self.folder, key, out, technology, f"measurement={measurement}", *words)
        return out.read_bytes()


class Steward:
    """A Steward in a folder, made and served as its operator would."""

    def __init__(self, platforms, folder, *words, change=lambda text: text):
        self.platforms, self.folder, self.process = platforms, folder, None
        platforms.broch("steward", "init", folder, "--trust-domain", "example.org", "--host", "localhost:0", *words)
        self.config = folder / "steward.toml"
        self.configure(lambda text: change(text.replace("requests_per_second", "# requests_per_second").replace("measurements = []", f'measurements = ["{MEASUREMENT}", "{"00" * 48}"]')
                                           .replace("mrenclaves = []", f'mrenclaves = ["{MRENCLAVE}"]')))

    def configure(self, change):
        self.config.write_text(change(self.config.read_text()))

    def broch(self, *words, check=True):
        """A command of the operator's about this Steward."""
        return self.platforms.broch("steward", *words, "--config", self.config, check=check)

    def start(self, prefix=()):
        with open(self.folder / "stderr", "ab") as log:
            self.process = subprocess.Popen([*prefix, self.platforms.build / "src/cli/broch-steward", "--config",
                                             self.config], stdout=subprocess.PIPE, stderr=log, text=True,
                                            start_new_session=True)
        line = self.process.stdout.readline()
        assert "listening on" in line, self.log()
        self.port = int(line.rpartition(":")[2])
        self.url = f"https://localhost:{self.port}"
        return self

    def log(self):
        return (self.folder / "stderr").read_text()

    def pids(self):
        """The parent, then its children: signing process, that of the simulation, the server."""
        pid = self.process.pid
        return [pid, *map(int, pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]

    def stop(self):
        """Its exit status."""
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(30)
        self.process = None
        return status

    def kill(self):
        """All its processes at once, as a loss of power would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        self.process = None

    def connect(self):
        context = ssl.create_default_context(cafile=self.folder / "root.pem")
        return http.client.HTTPSConnection("localhost", self.port, context=context, timeout=30)

    def ask(self, method, path, body=None, headers=None):
        """Status, headers and body of one answer."""
        with contextlib.closing(self.connect()) as connection:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()

    def nonce(self, key):
        status, _, body = self.ask("GET", "/v1/nonce?spki=" + self.platforms.tool("hash", key))
        assert status == 200, body
        return json.loads(body)["nonce"]

    def attest(self, key, *words, headers=None, **options):
        """A keep's whole flow: status, headers, body."""
        csr = self.platforms.request(key, "nonce=" + self.nonce(key), *words, **options)
        return self.ask("POST", "/v1/attest", csr, {**PKCS10, **(headers or {})})

    def refusal(self, key, *words, **options):
        """The status and code of a refusal."""
        status, headers, body = self.attest(key, *words, **options)
        assert headers["Content-Type"] == "application/json", body
        return status, json.loads(body)["error"]["code"]

    def audit(self, name="simulation-audit.log"):
        """The lines of an audit log."""
        return [json.loads(line) for line in (self.folder / name).read_text().splitlines()]


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def serial_of(chain):
    """The serial number of the first certificate of a chain in PEM, as 32 hexadecimal digits."""
    out = subprocess.run(["openssl", "x509", "-noout", "-serial"], input=chain, capture_output=True, check=True)
    return out.stdout.decode().strip().partition("=")[2].lower().rjust(32, "0")


def split(chain):
    """The certificates of a chain in PEM."""
    return re.findall(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", chain, re.DOTALL)


def wait_for(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
