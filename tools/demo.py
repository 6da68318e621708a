#!/usr/bin/python3
"""The demonstration: a secure chat between two TEEs, on loopback, in a temporary folder. ./run demo starts it."""
import argparse
import base64
import hashlib
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import ssl
import subprocess
import sys
import time
import urllib.request

import demo_stage
import workloads
from demo_stage import Failure, Stage

API = "api/v0.1.0"
KINDS = {"snp": "AMD SEV-SNP", "sgx": "Intel SGX"}
# What each step proves.
PROVES = {
    "platforms": "An AMD and an Intel processor are simulated, under root keys that were made just now.",
    "registry": "A Drawbridge serves packages. Who writes needs a token: alice has one.",
    "steward": "A Steward believes the keep images that were just built, and no others.",
    "publish": "Two WebAssembly programs and their rules become packages, each a tag and a tree of digests.",
    "digests": "What publish printed, what the registry's tag says and what its tree hashes to is one digest.",
    "server": "The server runs in {tee}: it fetched its package itself, and the Steward certified slug and digest.",
    "client": "The client runs in {tee}, and both ends of its connection know who the other is.",
    "chat": "Lines go both ways between keeps, by TLS 1.3 that no program here had to write.",
    "stranger": "Anybody is shown who the server is. Who shows nothing is turned away.",
    "version": "A genuine client of a tag that the server's rules do not list is turned away, too.",
    "no TEE": "Where there is no TEE there is no evidence: the Steward refuses, and nothing runs.",
    "image": "One bit of a keep image is another: so is its measurement, and no Steward lists that.",
    "end": "Everything is stopped, and no process or file is left.",
}
TREE_FILES = ["Keep.toml", "main.wasm", "steward.pem"]
# A text of the exec layer's that nobody gets to see here: one bit of it is another in the changed image.
TEXT_IN_IMAGE = b"the module imports something with another type"
SAID_LATER = 15  # seconds a keep's log may be late by

KEEP_TOML = """# Of the demonstration.
steward = "{steward}"
steward_ca = "steward.pem"
args = ["{argument}"]

[stdin]
kind = "host"
[stdout]
kind = "host"
[stderr]
kind = "host"

[trust]
simulated = true # else simulated keeps are nobody

[network.{network}]
peers = [{{ workload = "{peer}", tags = ["0.1.0"] }}]
"""


def as_base64(digest):
    """A digest as keeps print it."""
    return base64.b64encode(bytes.fromhex(digest)).decode().rstrip("=")


def fields_of(line):
    """What a line of a keep's log has: KEY=VALUE, where a value with spaces is in quotation marks."""
    return {key: quoted or bare for key, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|(\S+))', line)}


class Demo:
    """The demonstration's steps, in their order. Each relies on what those before it have left."""

    def __init__(self, stage, build):
        self.stage, self.build = stage, build
        self.broch = build / "src/cli/broch"
        self.sim, self.steward, self.registry = (stage.folder / name for name in ("sim", "steward", "registry"))
        self.token = stage.folder / "alice.token"
        stage.env["BROCH_SIM_DIR"] = str(self.sim)
        self.digests, self.slugs, self.kinds, self.measurements = {}, {}, {}, {}
        self.cpu, self.why_sgx = "", ""

    def step(self, name, **words):
        return self.stage.step(name, PROVES[name].format(**words))

    # ---- commands ----

    def run(self, name, *words, **options):
        """A command of broch's."""
        return self.stage.run(name, self.broch, *words, **options)

    def of_registry(self, name, *words):
        """One of alice's about the registry; what it says in JSON."""
        done = self.run(name, *words, "--json", "--token-file", self.token, "--ca-bundle", self.registry / "root.pem")
        return json.loads(done.out)

    def deploy_words(self, backend, slug, *words):
        simulated = ["--simulate", "--sim-dir", self.sim] if backend in KINDS else []
        return ["deploy", "--backend", backend, *simulated, "--registry-ca", self.registry / "root.pem", *words, slug]

    def deploy(self, name, backend, slug, stdin=subprocess.DEVNULL):
        """A keep with a package of the registry."""
        return self.stage.start(name, self.broch, *self.deploy_words(backend, slug), stdin=stdin)

    def get(self, path):
        """What the registry answers to anybody, fetched without any program of ours."""
        url = f"{self.registry_url}/{API}/alice/{path}"
        if shutil.which("curl"):
            self.stage.run("curl", "curl", "--silent", "--show-error", "--fail", "--cacert", self.registry / "root.pem",
                           "--output", self.stage.folder / "answer", url)
            return (self.stage.folder / "answer").read_bytes()
        context = ssl.create_default_context(cafile=self.registry / "root.pem")
        try:
            with urllib.request.urlopen(url, context=context, timeout=demo_stage.PATIENCE) as answer:
                return answer.read()
        except OSError as e:
            raise Failure(f"{url}: {e}") from e

    # ---- the steps ----

    def platforms(self):
        with self.step("platforms") as facts:
            info = json.loads(self.run("platform info", "platform", "info", "--json").out)
            self.cpu = info["cpu"]
            backends = {backend["name"]: backend for backend in info["backends"]}
            if not backends["snp"]["simulated"]:
                self.why_sgx = "; ".join(f"{probe['name']}: {probe['found']}" for probe in backends["kvm"]["probes"]
                                         if not probe["ok"])
            self.kinds = {"server": "sgx" if self.why_sgx else "snp", "client": "sgx"}
            self.run("sim init", "sim", "init", "--dir", self.sim, seconds=120)
            facts.show("this machine's CPU", self.cpu, cpu=self.cpu)
            of_server = KINDS[self.kinds["server"]]
            if self.why_sgx:
                facts.show("the server's TEE", f"{of_server}, simulated, since a simulated snp needs KVM ({self.why_sgx})")
            else:
                facts.show("the server's TEE", f"{of_server}, simulated, in a virtual machine")
            facts.show("the client's TEE", f"{KINDS['sgx']}, simulated", technologies=dict(self.kinds),
                       why_no_snp=self.why_sgx or None)

    def start_registry(self):
        with self.step("registry") as facts:
            port = self.stage.port()
            self.host = f"localhost:{port}"
            self.registry_url = f"https://{self.host}"
            self.run("drawbridge init", "drawbridge", "init", self.registry, "--host", self.host)
            config = self.registry / "drawbridge.toml"
            server = self.stage.start("Drawbridge", self.build / "src/cli/broch-drawbridge", "--config", config)
            self.stage.pillar(server).wait_for("listening on")
            token = self.run("token create", "drawbridge", "token", "create", "--config", config, "--user", "alice",
                             "--scope", "all")
            self.token.touch(mode=0o600)
            self.token.write_text(token.out)
            token.out_path.unlink()
            user = f"{self.host}/alice"
            self.of_registry("user register", "user", "register", user)
            for name in ("chat-server", "chat-client"):
                self.slugs[name] = f"{user}/{name}:0.1.0"
                self.of_registry("repo register", "repo", "register", f"{user}/{name}")
            facts.show("registry", self.registry_url, registry=self.registry_url)

    def start_steward(self):
        with self.step("steward") as facts:
            port = self.stage.port()
            self.steward_url = f"https://localhost:{port}"
            reference = self.stage.folder / "keep-image.toml"
            done = self.run("image measure", "image", "measure", "--json", "--reference", reference)
            for m in json.loads(done.out)["measurements"]:
                self.measurements.setdefault(m["technology"], m["measurement"])
            self.run("steward init", "steward", "init", self.steward, "--trust-domain", "demo.example", "--host",
                     f"localhost:{port}", "--simulation", "--reference", reference, "--registry",
                     f"{self.host}={self.registry / 'root.pem'}")
            config = self.steward / "steward.toml"
            explained = self.run("policy explain", "steward", "policy", "explain", "--config", config).out
            for kind, measurement in self.measurements.items():
                if measurement not in explained:
                    raise Failure(f"the policy does not list the image's measurement on {kind}", explained)
            server = self.stage.start("Steward", self.build / "src/cli/broch-steward", "--config", config)
            self.stage.pillar(server).wait_for("listening on")
            facts.show("Steward", self.steward_url, steward=self.steward_url)
            for kind, measurement in self.measurements.items():
                facts.show(kind, measurement)
            facts["measurements"] = dict(self.measurements)

    def package(self, name, argument, network, peer):
        """The folder of a package: a workload of this repository, with a configuration for this place."""
        folder = self.stage.folder / "packages" / name
        folder.mkdir(parents=True)
        try:
            shutil.copyfile(workloads.build(name) / "main.wasm", folder / "main.wasm")
        except workloads.BuildError as e:
            raise Failure(f"{name} cannot be compiled", str(e)) from e
        (folder / "Keep.toml").write_text(KEEP_TOML.format(steward=self.steward_url, argument=argument, network=network,
                                                          peer=f"{self.host}/alice/{peer}"))
        roots = [(self.steward / file).read_text() for file in ("root.pem", "simulation-root.pem")]
        (folder / "steward.pem").write_text("".join(roots))
        return folder

    def publish(self):
        with self.step("publish") as facts:
            self.chat_port = self.stage.port()
            address = f"localhost:{self.chat_port}"
            folders = {
                "chat-server": self.package("chat-server", self.chat_port, f"incoming.{self.chat_port}", "chat-client"),
                "chat-client": self.package("chat-client", address, f'outgoing."{address}"', "chat-server")}
            tags, trees = {}, {}
            for name, folder in folders.items():
                slug = self.slugs[name]
                done = self.of_registry("package publish", "package", "publish", slug, folder)
                self.digests[name] = done["digest"].removeprefix("sha-256:")
                tag, tree = (json.loads(self.get(f"{name}/_tag/0.1.0{rest}")) for rest in ("", "/tree"))
                if list(tree) != TREE_FILES:
                    raise Failure(f"{slug} has other files than were published: {', '.join(tree)}")
                tags[slug], trees[slug] = tag, tree
                facts.show("tag", f"{slug} → tree {self.digests[name]}")
                for path, entry in tree.items():
                    digest = base64.b64decode(entry["digest"]["sha-256"]).hex()
                    facts.show("", f"{path:<12} {entry['length']:>6} bytes  {digest}")
            facts.update(slugs={"server": self.slugs["chat-server"], "client": self.slugs["chat-client"]}, tags=tags,
                         trees=trees)

    def compare_digests(self):
        with self.step("digests") as facts:
            compared = {}
            for role, name in (("server", "chat-server"), ("client", "chat-client")):
                info = self.of_registry("package info", "package", "info", self.slugs[name])
                tree = self.get(f"{name}/_tag/0.1.0/tree")
                three = {"publish": self.digests[name],
                         "package info": base64.b64decode(info["digest"]["sha-256"]).hex(),
                         "sha256 of its tree": hashlib.sha256(tree).hexdigest()}
                for label, digest in three.items():
                    facts.show(label, digest)
                if len(set(three.values())) != 1:
                    raise Failure(f"the digests of {self.slugs[name]} differ: {three}")
                compared[role] = three
            facts.update(compared=compared, digests={role: three["publish"] for role, three in compared.items()})

    def start_server(self):
        kind = self.kinds["server"]
        with self.step("server", tee=KINDS[kind]) as facts:
            self.server = self.stage.pillar(self.deploy("server", kind, self.slugs["chat-server"]))
            self.server.wait_for("listening address=.* protocol=tls")
            done = self.run("inspect", "inspect", "--json", "--steward-ca", self.steward / "simulation-root.pem",
                            "--registry-ca", self.registry / "root.pem", f"localhost:{self.chat_port}")
            shown = json.loads(done.out)
            identity = shown["identity"]
            expected = {"kind": "keep", "slug": self.slugs["chat-server"], "technology": kind, "simulated": True,
                        "measurement": self.measurements[kind]}
            for key, value in expected.items():
                if identity[key] != value:
                    raise Failure(f"the server's certificate says {key} {identity[key]}, not {value}", done.out)
            if identity["digest"]["hex"] != self.digests["chat-server"] or shown["registry"]["digest"] != "same":
                raise Failure("the server's certificate has another digest than the registry", done.out)
            facts.show("certified", f"{identity['slug']} {identity['digest']['hex']}", identity=identity)
            facts.show("technology", f"{kind}, SIMULATED; measurement {identity['measurement']}")
            facts.show("name", identity["name"])
            facts.show("start", self.phases(self.server), address=f"localhost:{self.chat_port}")

    @staticmethod
    def phases(keep):
        """How long each phase of a start took."""
        found = re.findall(r"^broch: (booted|fetched|attested|compiled|running) +([\d.]+) ms", keep.err, re.MULTILINE)
        return ", ".join(f"{phase} {float(ms):.0f} ms" for phase, ms in found)

    def start_client(self, name, kind):
        """A client that has met the server. Its input is ours until the end, or, when all is kept, anybody's."""
        stdin = subprocess.PIPE
        if self.stage.keep:
            fifo = self.stage.folder / f"{name}.in"
            os.mkfifo(fifo, 0o600)
            stdin = os.open(fifo, os.O_RDWR)
        client = self.deploy(name, kind, self.slugs["chat-client"], stdin=stdin)
        if self.stage.keep:
            client.popen.stdin = os.fdopen(stdin, "wb", buffering=0)
        client.wait_for("^Connected to ")
        return client

    def start_clients(self):
        kind = self.kinds["client"]
        with self.step("client", tee=KINDS[kind]) as facts:
            client = self.start_client("client", kind)
            self.clients = [client]
            seen = client.wait_for(r"^Connected to `\S+` running `(\S+)` with digest `(\S+)` \((\w+), SIMULATED")
            line = self.server.wait_for(r"^#1 (\S+) joined the chat with digest (\S+) \((\w+), SIMULATED")
            for role, name, match in (("server", "chat-server", seen), ("client", "chat-client", line)):
                expected = (self.slugs[name], as_base64(self.digests[name]), self.kinds[role])
                if match.groups() != expected:
                    raise Failure(f"the {role} is seen as {match.groups()}, not as {expected}")
                hexadecimal = base64.b64decode(match[2] + "=").hex()
                other = "client" if role == "server" else "server"
                facts.show(f"the {other} sees", f"{match[1]} {hexadecimal} ({match[3]})")
                facts[f"seen_by_{other}"] = {"slug": match[1], "digest": hexadecimal, "technology": match[3]}
            facts.show("in the registry", "the same slugs and the same digests")
            facts.show("start", self.phases(client))

    def chat(self):
        second = self.kinds["server"]
        with self.step("chat") as facts:
            other = self.start_client("second client", second)
            self.clients.append(other)
            lines = []
            for number, (speaker, listener, said) in enumerate([
                    (self.clients[0], other, "Is it really you?"), (other, self.clients[0], "See my certificate.")], 1):
                line = f"#{number} {self.slugs['chat-client']}: {said}"
                speaker.say(said + "\n")
                for client in (listener, speaker):
                    client.wait_for("^" + re.escape(line) + "$")
                facts.show(f"{self.kinds['client'] if number == 1 else second} says", line)
                lines.append(line)
            if any(line in self.server.out for line in lines):
                raise Failure("the host can read the lines in the server's output", self.server.out)
            facts["lines"] = lines

    def refused(self, text):
        """Waits until the server's log has a line about somebody who was turned away; its fields."""
        found = self.server.wait_for(f"^.*(refused a peer|no TLS connection) .*{text}.*$", SAID_LATER)
        return fields_of(found[0])

    def stranger(self):
        with self.step("stranger") as facts:
            done = self.stage.run("openssl", "openssl", "s_client", "-connect", f"localhost:{self.chat_port}", "-tls1_3",
                                  "-CAfile", self.steward / "simulation-root.pem", "-showcerts", "-ign_eof", status=1)
            said = done.said()
            if "Verify return code: 0 (ok)" not in said:
                raise Failure("openssl does not believe the chain", said)
            names = re.findall(r"^depth=(\d) CN = (.*)$", done.err, re.MULTILINE)
            chain = [name.replace('"', "") for _, name in sorted(names)]
            if len(chain) != 3 or not all("SIMULATED, NOT A TEE" in name for name in chain[1:]):
                raise Failure("the chain is not leaf, simulation CA, root", said)
            if "alert certificate required" not in said:
                raise Failure("the server did not turn openssl away", said)
            reason = self.refused("the client presented no valid certificate")["reason"]
            facts.show("openssl sees", " ← ".join(chain), chain=chain)
            facts.show("openssl is told", "alert certificate required", alert="certificate required")
            facts.show("the server's log", reason, reason=reason)

    def other_version(self):
        with self.step("version") as facts:
            slug = self.slugs["chat-client"].replace(":0.1.0", ":0.2.0")
            self.of_registry("package publish", "package", "publish", slug, self.stage.folder / "packages/chat-client")
            client = self.deploy("client 0.2.0", self.kinds["client"], slug)
            if client.wait() == 0:
                raise Failure(f"{slug} was let in", client.said())
            client.wait_for("attested")
            reason = self.refused(re.escape(f"workload={slug}"))["reason"]
            if f"{slug} joined" in self.server.out:
                raise Failure(f"{slug} was let in", self.server.out)
            facts.show("attested", slug, slug=slug)
            facts.show("the server's log", reason, reason=reason)

    def no_tee(self):
        with self.step("no TEE") as facts:
            reasons = {}
            for backend in ("nil", "kvm"):
                if backend == "kvm" and self.why_sgx:
                    facts.show(backend, f"not tried: {self.why_sgx}")
                    reasons[backend] = None
                    continue
                keep = self.run(f"on {backend}", *self.deploy_words(backend, self.slugs["chat-client"]), status=125)
                reasons[backend] = self.steward_refused(keep, "evidence-missing")
                facts.show(backend, reasons[backend])
            facts["reasons"] = reasons

    @staticmethod
    def steward_refused(keep, code):
        """Why the Steward did not certify a keep, which then did not run."""
        found = re.search(r"^.*the Steward refused .*$", keep.err, re.MULTILINE)
        said = fields_of(found[0]) if found else {}
        if said.get("code") != code or keep.out != "":
            raise Failure(f"the {keep.name} was not refused as {code}", keep.said())
        return ": ".join(filter(None, [said["reason"], said.get("detail")]))

    def changed_image(self):
        with self.step("image") as facts:
            image, changed = self.stage.folder / "keep.img", self.stage.folder / "changed.img"
            self.run("image build", "image", "build", "--out", image)
            data = bytearray(image.read_bytes())
            at = data.find(TEXT_IN_IMAGE)
            if at < 0:
                raise Failure(f"the image does not have the text '{TEXT_IN_IMAGE.decode()}'")
            data[at] ^= 0x20
            changed.write_bytes(data)
            facts.show("byte", f"{at} of {len(data)}: {TEXT_IN_IMAGE[:10].decode()}… is now {data[at:at + 10].decode()}…",
                       byte=at)
            reasons, measurements = {}, {}
            for kind in sorted(set(self.kinds.values())):
                keep = self.run(f"changed {kind}", *self.deploy_words(kind, self.slugs["chat-client"], "--image", changed),
                                status=125)
                reasons[kind] = self.steward_refused(keep, "evidence-refused")
                facts.show(f"{kind} refused", reasons[kind])
            done = self.run("measure", "image", "measure", "--json", changed)
            for m in json.loads(done.out)["measurements"]:
                measurements.setdefault(m["technology"], m["measurement"])
            facts.update(reasons=reasons, measurements=measurements)

    def end(self):
        with self.step("end") as facts:
            if not self.stage.keep:
                for client in self.clients:  # as people do, who have no more to say
                    client.popen.stdin.close()
                    if client.wait() != 0:
                        raise Failure(f"the {client.name} ended with status {client.popen.returncode}", client.said())
            left = self.stage.close()
            if left:
                raise Failure(f"these processes do not end: {' '.join(map(str, left))}")
            facts.update(folder=str(self.stage.folder), processes=len(self.stage.processes))

    def play(self):
        self.platforms()
        self.start_registry()
        self.start_steward()
        self.publish()
        self.compare_digests()
        self.start_server()
        self.start_clients()
        self.chat()
        self.stranger()
        self.other_version()
        self.no_tee()
        self.changed_image()

    # ---- by hand ----

    def commands(self):
        """What can be done by hand with what was kept: what for, and the command."""
        broch, registry, folder = self.broch, self.registry / "root.pem", self.stage.folder
        tree = f"{self.registry_url}/{API}/alice/chat-server/_tag/0.1.0/tree"
        curl = ["curl", "--silent", "--cacert", registry, tree]
        found = {
            "join the chat, in a keep of your own (Ctrl-D leaves)":
                [broch, *self.deploy_words("sgx", self.slugs["chat-client"])],
            "what the client that is there hears": ["tail", "-n", "20", self.stage.log / "client.out"],
            # the Steward's own root is that of the server which has the revocation list
            "who is that server?": [broch, "inspect", "--steward-ca", self.steward / "simulation-root.pem", "--steward-ca",
                                    self.steward / "root.pem", "--registry-ca", registry, f"localhost:{self.chat_port}"],
            "the server's package": [broch, "tree", "info", "--ca-bundle", registry, self.slugs["chat-server"]],
            "come without a certificate": ["openssl", "s_client", "-tls1_3", "-ign_eof", "-CAfile",
                                           self.steward / "simulation-root.pem", "-connect", f"localhost:{self.chat_port}"],
            "whom the server turned away": ["grep", "warn", self.stage.log / "server.err"],
            "what the Steward believes": [broch, "steward", "policy", "explain", "--config", self.steward / "steward.toml"],
            "what the Steward decided": [broch, "steward", "audit", "verify", self.steward / "simulation-audit.log"],
        }
        found = {what: shlex.join(map(str, words)) for what, words in found.items()}
        speak = f"echo hello > {shlex.quote(str(folder / 'client.in'))}"
        found["say something as the client that is there"] = speak
        if shutil.which("curl"):
            found["the digest, by other people's programs"] = f"{shlex.join(map(str, curl))} | sha256sum"
        return found

    def print_commands(self, commands, stop):
        line = self.stage.line
        line(f"\nIt goes on, in {self.stage.folder}. In any terminal:\n")
        for what, command in commands.items():
            line(f"  {self.stage.paint('# ' + what, 2)}\n  {command}\n")
        line(f"  {self.stage.paint('# stop all of it, and remove the folder', 2)}\n  {stop}")


def parse(argv):
    parser = argparse.ArgumentParser(prog="./run demo", description=__doc__, add_help=True)
    parser.add_argument("--build", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="one JSON object at the end, for scripts")
    parser.add_argument("--keep", action="store_true", help="leave it running, and say what can be done with it")
    parser.add_argument("--stop", nargs="*", metavar="FOLDER", help="stop what --keep left, all or those in FOLDERs")
    return parser.parse_args(argv)


def summary(stage, demo, seconds, failed):
    """What --json prints."""
    facts = {}
    for step in stage.steps:
        for name in ("cpu", "technologies", "why_no_snp", "registry", "steward", "measurements", "slugs", "digests",
                     "address"):
            if name in step["facts"]:
                facts.setdefault(name, step["facts"][name])
    return {"ok": failed is None, "seconds": round(seconds, 3), "failed": failed, "folder": None, "commands": {},
            "facts": facts, "steps": stage.steps}


def perform(stage, demo):
    """Plays it; None, or which step failed and why. Afterwards everything is stopped, or all is kept."""
    try:
        stage.line("A secure chat between two TEEs. Both are SIMULATED: nothing here is hidden from this machine.\n")
        demo.play()
        if stage.keep:
            with stage.without_interruption():
                stage.write_state(kept=True)
        else:
            demo.end()
        return None
    except Failure as e:
        why, said = str(e), e.said
    except KeyboardInterrupt:
        why, said = "interrupted", ""
    except subprocess.SubprocessError as e:
        why, said = str(e), ""
    except OSError as e:
        why, said = str(e), ""
    name = stage.steps[-1]["name"] if stage.steps else "start"
    stage.line(f"  {stage.paint('FAILED', 31)}  {name}: {why}")
    for line in said.splitlines()[-12:]:
        stage.line(f"      {line}")
    return {"step": name, "why": why, "said": said[-4000:]}


def main():
    for stream in (sys.stdout, sys.stderr):
        if stream is None:
            sys.exit("demo: its output is closed")
        stream.reconfigure(errors="replace")  # where nothing but ASCII can be shown, too
    args = parse(sys.argv[1:])
    if args.stop is not None:
        sys.exit(demo_stage.stop_kept(args.stop))
    out = sys.stderr if args.json else sys.stdout
    try:
        stage = Stage(out, args.keep)
    except OSError as e:
        sys.exit(f"demo: no temporary folder: {e}")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stage.interrupt)
    demo, failed, is_kept = Demo(stage, args.build.resolve()), None, False
    try:
        began = time.monotonic()
        failed = perform(stage, demo)
        is_kept = args.keep and failed is None
        seconds = time.monotonic() - began
    finally:
        stage.guarded += 1  # from here on nothing is interrupted
        if not is_kept:
            stage.close()
    report = summary(stage, demo, seconds, failed)
    if is_kept:
        stop = shlex.join([str(demo_stage.RUN), "demo", "--stop", str(stage.folder)])
        commands = demo.commands()
        report.update(folder=str(stage.folder), commands={**commands, "stop": stop})
        demo.print_commands(commands, stop)
    elif failed is None:
        stage.line(f"\nAll of it held, in {seconds:.0f} s. --keep leaves it running, to play with.")
    if args.json:
        print(json.dumps(report, indent=1, ensure_ascii=False))
    sys.exit(0 if failed is None else 130 if failed["why"] == "interrupted" else 1)


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:  # whoever read has gone; all is stopped
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as e:  # nothing can be written, as on a full disk; all is stopped
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(f"demo: {e}")
