"""What tests of deployed keeps share: guests, packages, registries that say anything, `broch deploy`."""
import hashlib
import http.server
import json
import os
import pathlib
import signal
import subprocess
import threading

from drawbridge_host import DIRECTORY, compact, entry, openssl
from programs import STDIO
from steward_host import Steward, wait_for
from world import free_port

HERE = pathlib.Path(__file__).resolve().parent
STEWARD = 'steward = "{steward}"\nsteward_ca = "steward.pem"\n'
SIMULATED = "[trust]\nsimulated = true\n"
API = "/api/v0.1.0/"


def compile_guest(folder, name):
    """The module of peers/NAME.c."""
    out = folder / f"{name}.wasm"
    subprocess.run(["clang-14", "--target=wasm32-wasi", "-O1", "-g0", HERE / f"peers/{name}.c", "-o", out],
                   check=True)
    return out.read_bytes()


def config(args=(), tail="", head=STEWARD):
    """A Keep.toml for World.package."""
    return head + f"args = {json.dumps(list(map(str, args)))}\n" + STDIO + tail


def media(name):
    return {".wasm": "application/wasm", ".toml": "application/toml"}.get(pathlib.PurePath(name).suffix,
                                                                        "application/octet-stream")


def digest_of(content):
    return hashlib.sha256(content).hexdigest()


class Tree:
    """What a registry has of a package: files are bytes, folders are dicts. `nodes` is by path: "" is the root."""

    def __init__(self, files):
        self.nodes = {}
        self.tag = compact(self.add("", files))
        self.digest = digest_of(self.nodes[""])

    def add(self, path, content):
        kind = media(path)
        if isinstance(content, dict):
            below = {name: self.add(f"{path}/{name}".lstrip("/"), content[name]) for name in sorted(content)}
            content, kind = compact(below), DIRECTORY
        self.nodes[path] = content
        return entry(content, kind, sizes=("256",))

    def answer(self, path):
        """Of a registry: the content at the end of .../_tag/TAG; None."""
        _, _, rest = path.partition("/_tag/")
        _, _, rest = rest.partition("/")
        return self.tag if rest == "" else self.nodes.get(rest.removeprefix("tree").lstrip("/"))


class PlainRegistry:
    """A registry over http: answer(path) is a content, or None. As ThreadingHTTPServer, which closes itself."""

    def __init__(self):
        self.answer, self.asked = lambda path: None, []
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                registry.asked.append(self.path)
                content = registry.answer(self.path)
                self.send_response(200 if content is not None else 404)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # who was told enough hangs up
        self.host = f"localhost:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Deploy:
    """`broch deploy`, as a person on this machine types it, on `nil` unless the words say otherwise."""

    def __init__(self, build, *words):
        self.command = [build / "src/cli/broch", "deploy", *words]
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("BROCH_")}
        self.env["BROCH_BACKEND"] = "nil"

    def run(self, *words, timeout=60, env=()):
        return subprocess.run([*map(str, self.command), *map(str, words)], stdin=subprocess.DEVNULL, text=True,
                              capture_output=True, timeout=timeout, check=False, env={**self.env, **dict(env)})

    def out(self, *words, **options):
        """What a workload that ends well prints."""
        done = self.run(*words, **options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def error(self, code, *words, **options):
        """What is said when it ends with this code and the workload has not run."""
        done = self.run(*words, **options)
        assert (done.returncode, done.stdout) == (code, ""), done
        return done.stderr



def change_and_reload(server, change):
    """A Steward or registry with another configuration from now on."""
    server.config.write_text(change(server.config.read_text()))
    before = server.log().count("read again")
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: server.log().count("read again") > before)


def another_steward(world, name, change=lambda text: text):
    """One of the same machine's platforms, which trusts nothing else of the World's but its registry."""
    port = free_port()

    def with_port(text):
        text = text.replace("localhost:0", f"localhost:{port}").replace("127.0.0.1:0", f"127.0.0.1:{port}")
        return change(text.replace("[registries]", f'[registries]\n"{world.host}" = {{ ca = "{world.registry.ca}" }}'))
    return Steward(world.platforms, world.folder / name, "--simulation", change=with_port).start()


class Private:
    """Private repositories, each of which trusts somebody. other_hosts: more names of the registry."""

    def __init__(self, world, folder, package, other_hosts=()):
        self.world = world
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", "/CN=steward", "-keyout", folder / "client-key.pem", "-out", folder / "client.pem")
        client = folder / "client.pem"
        # a Steward that reads tags, to prove slugs; no platform is believed by this
        change_and_reload(world.registry, lambda t: t + f'[[stewards]]\nname = "reader"\nca = "{client}"\n'
                                                        f'client = "{client}"\n')
        known = f'{{ ca = "{world.registry.ca}", certificate = "{client}", key = "{folder / "client-key.pem"}" }}'
        more = "".join(f'"{host}" = {known}\n' for host in other_hosts)
        change_and_reload(world.steward, lambda t: t.replace(f'{{ ca = "{world.registry.ca}" }}', known).replace(
            "[registries]\n", "[registries]\n" + more))
        self.other = another_steward(world, "foreign")
        for name, trusted in {"ours": {"simulated": True}, "real": {}, "sgx": {"simulated": True,
                                                                             "technology": ["sgx"]}, "none": None,
                              "foreign": {"simulated": True}}.items():
            self.repository(name, trusted, package)

    def repository(self, name, trusted, package):
        registry, token = self.world.registry, self.world.token
        assert registry.put(f"alice/{name}", token, b'{"public":false}') == (201, "")
        self.world.publish(f"alice/{name}/_tag/0.1.0", package)
        if trusted is not None:
            steward = self.other if name == "foreign" else self.world.steward
            ca = (steward.folder / "simulation-root.pem").read_text()
            assert registry.request("PUT", f"alice/{name}/_steward/x", token, compact({"ca": ca, **trusted}),
                                    Content_Type="application/json")[0] == 204

    def run(self, name, *options, steward=None, named=True):
        """A keep; what it attested."""
        log = self.world.folder / f"attests-{os.urandom(4).hex()}"
        steward = steward or self.world.steward
        roots = self.world.folder / "boot-roots.pem"
        roots.write_text(self.world.root_of(steward))
        words = ["--steward", steward.url, "--steward-ca", roots] if named else []
        done = self.world.testhost("--attest-log", log, *options).run(
            *words, *self.world.deploy_words(f"alice/{name}:0.1.0"))
        return done, log.read_text().split("\n")[:-1] if log.exists() else []
