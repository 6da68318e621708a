"""A Drawbridge under test, and a client that sends what it is told to."""
import base64
import hashlib
import http.client
import json
import os
import ssl
import subprocess
import time

ENTRY = "application/vnd.drawbridge.entry.v1+json"
DIRECTORY = "application/vnd.drawbridge.directory.v1+json"
ALL = ("224", "256", "384", "512")


def compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


def base64_digest(size, content):
    return base64.b64encode(hashlib.new("sha" + size, content).digest()).decode()


def content_digest(content, sizes=ALL):
    return ",".join(f"sha-{size}=:{base64_digest(size, content)}:" for size in sizes)


def entry(content, media, sizes=ALL):
    return {"digest": {"sha-" + size: base64_digest(size, content) for size in sizes}, "length": len(content),
            "type": media}


def base64url(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def openssl(*words, **options):
    return subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=60, **options).stdout


class Issuer:
    """An issuer of tokens; openssl signs them (RS256)."""

    url, audience = "https://issuer.example/", "https://registry.example/"

    def __init__(self, folder):
        self.key = folder / "issuer.pem"
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.key)
        text = openssl("rsa", "-in", self.key, "-noout", "-modulus").decode()
        modulus = bytes.fromhex(text.strip().partition("=")[2])
        self.jwks = {"keys": [{"kty": "RSA", "kid": "one", "use": "sig", "alg": "RS256", "n": base64url(modulus),
                               "e": "AQAB"}]}
        (folder / "jwks.json").write_text(json.dumps(self.jwks))

    def sign(self, header, claims):
        head = base64url(compact(header)) + "." + base64url(compact(claims))
        return head + "." + base64url(openssl("dgst", "-sha256", "-sign", self.key, input=head.encode()))

    def token(self, header=None, **claims):
        now = int(time.time())
        scope = " ".join("manage:drawbridge_" + name for name in ("users", "repositories", "tags"))
        given = {"iss": self.url, "aud": self.audience, "sub": "auth|alice", "iat": now, "exp": now + 600,
                 "scope": scope, **claims}
        return self.sign(header or {"alg": "RS256", "kid": "one"},
                         {name: value for name, value in given.items() if value is not None})


class Drawbridge:
    """A registry in a folder, served as its operator would."""

    def __init__(self, build, folder):
        self.build, self.folder, self.process = build, folder, None
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                "-keyout", folder / "key.pem", "-out", folder / "server.pem")
        self.ca = folder / "server.pem"
        self.issuer = Issuer(folder)
        self.config = folder / "drawbridge.toml"
        self.config.write_text(f"""
[server]
listen = "127.0.0.1:0"
certificate = "server.pem"
key = "key.pem"
[store]
folder = "store"
[tokens]
issuer = "{Issuer.url}"
audience = "{Issuer.audience}"
keys = "jwks.json"
""")
        self.context = ssl.create_default_context(cafile=str(self.ca))

    def attach(self, ca, port):
        """Speaks to one that others started."""
        self.ca, self.port, self.url = ca, port, f"https://localhost:{port}"
        self.context = ssl.create_default_context(cafile=str(ca))

    def broch(self, *words, check=True):
        return subprocess.run([self.build / "src/cli/broch", "drawbridge", *words, "--config", self.config],
                              capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120, check=check)

    def start(self):
        with open(self.folder / "stderr", "ab") as log:
            self.process = subprocess.Popen([self.build / "src/cli/broch-drawbridge", "--config", self.config],
                                            stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.process.stdout.readline()
        assert "listening on" in line, self.log()
        self.port = int(line.rpartition(":")[2])
        self.url = f"https://localhost:{self.port}"
        return self

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            assert self.process.wait(30) == 0, self.log()
            self.process.stdout.close()
            self.process = None

    def kill(self):
        self.process.kill()
        self.process.wait(30)
        self.process.stdout.close()
        self.process = None

    def log(self):
        return (self.folder / "stderr").read_text()

    def request(self, method, path, token=None, body=None, identity=None, **headers):
        """Status, headers, body; underscores in names of headers are hyphens. identity: the files of the client's
        certificates and of its key."""
        context = self.context
        if identity is not None:
            context = ssl.create_default_context(cafile=str(self.ca))
            context.load_cert_chain(*identity)
        connection = http.client.HTTPSConnection("localhost", self.port, context=context, timeout=60)
        given = {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
        if token is not None:
            given["Authorization"] = "Bearer " + token
        connection.request(method, path if path.startswith("/") else "/api/v0.1.0/" + path, body, given)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.headers, content

    def put(self, path, token, content, media="application/json", digest=True, **headers):
        """PUT's status and the error's code."""
        if digest is True:
            digest = content_digest(content)
        status, _, body = self.request("PUT", path, token, content, Content_Type=media,
                                       Content_Digest=digest or None, **headers)
        return status, json.loads(body)["error"]["code"] if body else ""

    def fsck(self):
        done = self.broch("fsck", "--json", check=False)
        return done.returncode, json.loads(done.stdout)

    def register(self, token, user="alice", subject="auth|alice", repos=("app",), public=True):
        assert self.put(user, token, compact({"subject": subject})) == (201, "")
        for repo in repos:
            assert self.put(f"{user}/{repo}", token, compact({"public": public})) == (201, "")

    def publish(self, token, slug, files):
        """As Enarx's client does: the tag, the root, the files. Returns tag and directory."""
        directory = compact({name: entry(content, media) for name, (content, media) in sorted(files.items())})
        tag = compact(entry(directory, DIRECTORY))
        assert self.put(slug, token, tag, ENTRY) == (201, "")
        assert self.put(slug + "/tree", token, directory, DIRECTORY) == (201, "")
        for name, (content, media) in files.items():
            assert self.put(f"{slug}/tree/{name}", token, content, media) == (201, "")
        return tag, directory
