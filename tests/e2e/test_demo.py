"""The demonstration, ./run demo: what it claims is asked of others here: openssl, curl, sha256sum, the audit log, the
system's processes. And that nothing is left of it, however it ends."""
import base64
import contextlib
import hashlib
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import tomllib

import pytest

import hostile
from steward_host import wait_for
from test_sgx import KEEP, SHIM, Enclave

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMES = ["platforms", "registry", "steward", "publish", "digests", "server", "client", "chat", "stranger", "version",
         "no TEE", "image"]
NO_KVM = "/nonexistent"


def have_kvm():
    return os.access(os.environ.get("BROCH_KVM_DEVICE") or "/dev/kvm", os.R_OK | os.W_OK)


class Place:
    """Where demonstrations are: a folder for temporary ones, with a space in its name, and a device for machines."""

    def __init__(self, build, folder, device=None):
        self.build, self.folder = build, folder / "a place"
        self.folder.mkdir()
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("BROCH_")}
        self.env["TMPDIR"] = str(self.folder)
        device = device or os.environ.get("BROCH_KVM_DEVICE")
        if device:
            self.env["BROCH_KVM_DEVICE"] = device

    def start(self, *words):
        return subprocess.Popen([sys.executable, "-B", ROOT / "tools/demo.py", "--build", self.build, *words],
                                env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, cwd="/", start_new_session=True)

    def processes(self):
        """Command lines that have something of this place in them, by process; zombies have none."""
        found = {}
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                words = path.read_bytes().rstrip(b"\0").split(b"\0")
                if any(os.fsencode(self.folder) in word for word in words):
                    found[int(path.parent.name)] = [os.fsdecode(word) for word in words]
        return found

    def nothing_is_left(self):
        assert self.processes() == {} and list(self.folder.iterdir()) == []


def shell(command, said=""):
    """As pasted into a terminal of a person who has not set anything, and says this to it."""
    return subprocess.run(["env", "-i", "PATH=" + os.environ["PATH"], "HOME=/nonexistent", "bash", "-c", command],
                          input=said, capture_output=True, text=True, timeout=60, check=False, cwd="/")


# ---- what was kept, and what others say of it ----

class Kept:
    """A demonstration that was kept, and what it said in JSON."""

    def __init__(self, place):
        self.place = place
        process = place.start("--keep", "--json")
        out, self.err = process.communicate(timeout=110)
        assert process.returncode == 0, self.err
        self.said = json.loads(out)
        self.facts, self.folder = self.said["facts"], pathlib.Path(self.said["folder"])
        self.steps = {step["name"]: step for step in self.said["steps"]}

    def curl(self, path):
        url = f"{self.facts['registry']}/api/v0.1.0/alice/{path}"
        return ["curl", "-s", "-f", "--cacert", self.folder / "registry/root.pem", url]

    def fetch(self, path):
        return subprocess.run(self.curl(path), capture_output=True, check=True, timeout=30).stdout

    def log_of(self, name):
        return (self.folder / "log" / name).read_text()

    def audit(self):
        """The lines of the log of decisions about simulated keeps, each of which has the hash of the one before."""
        lines = (self.folder / "steward/simulation-audit.log").read_bytes().splitlines()
        for before, line in zip(lines, lines[1:]):
            assert json.loads(line)["prev"] == hashlib.sha256(before).hexdigest()
        return list(map(json.loads, lines))

    def stop(self):
        done = shell(self.said["commands"]["stop"])
        assert done.returncode == 0 and "stopped, and removed" in done.stdout, done
        self.place.nothing_is_left()


@pytest.fixture(scope="module", params=["with KVM", "without"])
def kept(request, build, tmp_path_factory):
    if request.param == "with KVM" and not have_kvm():
        pytest.skip("no virtual machines here")
    found = Kept(Place(build, tmp_path_factory.mktemp("kept"), None if request.param == "with KVM" else NO_KVM))
    found.has_kvm = request.param == "with KVM"
    yield found
    found.stop()


def test_every_step_succeeded(kept):
    assert kept.said["ok"] and kept.said["failed"] is None and list(kept.steps) == NAMES
    assert all(step["ok"] and step["proves"].endswith(".") for step in kept.said["steps"])
    assert sum(step["seconds"] for step in kept.said["steps"]) <= kept.said["seconds"] + 0.1
    assert re.findall(r"^  ok  (.*?) +[\d.]+ s  ", kept.err, re.MULTILINE) == NAMES
    assert "\033" not in kept.err and "\r" not in kept.err


def test_two_kinds(kept):
    """snp and sgx where there are virtual machines; else it is said why not."""
    server = "snp" if kept.has_kvm else "sgx"
    assert kept.facts["technologies"] == {"server": server, "client": "sgx"}
    assert ("No such file" in (kept.facts["why_no_snp"] or "")) == (not kept.has_kvm)
    assert ("AMD SEV-SNP, simulated" in kept.err) == kept.has_kvm and "Intel SGX, simulated" in kept.err
    assert kept.facts["cpu"] in kept.err


def test_the_registry_has_these_digests(kept):
    """curl | sha256sum; every file, too; and nothing is private about it."""
    for role in ("server", "client"):
        name = f"chat-{role}"
        tag, tree = (f"{name}/_tag/0.1.0{rest}" for rest in ("", "/tree"))
        summed = shell(shlex.join(map(str, kept.curl(tree))) + " | sha256sum").stdout.split()[0]
        shown = base64.b64decode(json.loads(kept.fetch(tag))["digest"]["sha-256"]).hex()
        assert {summed, shown, *kept.steps["digests"]["facts"]["compared"][role].values()} == {kept.facts["digests"][role]}
        entries = json.loads(kept.fetch(tree))
        assert list(entries) == ["Keep.toml", "main.wasm", "steward.pem"]
        for path, entry in entries.items():
            content = kept.fetch(f"{tree}/{path}")
            assert entry["digest"]["sha-256"] == base64.b64encode(hashlib.sha256(content).digest()).decode()
            assert hashlib.sha256(content).hexdigest() in kept.err
        assert content == b"".join((kept.folder / "steward" / file).read_bytes()
                                   for file in ("root.pem", "simulation-root.pem"))
        assert f"{kept.facts['slugs'][role]} → tree {summed}" in kept.err


def test_the_programs_are_those_of_this_repository(kept):
    for name in ("chat-server", "chat-client"):
        assert kept.fetch(f"{name}/_tag/0.1.0/tree/main.wasm") == (ROOT / f"build/workloads/{name}/main.wasm").read_bytes()


def test_the_rules_of_the_packages(kept):
    """Each admits the other's slug with this tag, and nobody else."""
    for name, other, way in (("chat-server", "chat-client", "incoming"), ("chat-client", "chat-server", "outgoing")):
        config = tomllib.loads(kept.fetch(f"{name}/_tag/0.1.0/tree/Keep.toml").decode())
        (entry,) = config["network"][way].values()
        host = kept.facts["registry"].removeprefix("https://")
        assert list(config["network"]) == [way] and entry == {"peers": [{"workload": f"{host}/alice/{other}",
                                                                         "tags": ["0.1.0"]}]}
        assert config["steward"] == kept.facts["steward"] and config["trust"] == {"simulated": True}


def test_the_policy_lists_exactly_the_image(kept, build):
    """MRENCLAVE is computed apart; what SNP measures is in tests of its own."""
    config = tomllib.loads((kept.folder / "steward/steward.toml").read_text())
    assert (config["snp"], config["sgx"]) == ({"measurements": []}, {"mrenclaves": []})
    (reference,) = config["references"]
    listed = tomllib.loads(pathlib.Path(reference).read_text())
    assert listed["sgx"]["mrenclaves"] == [Enclave().measure(build / SHIM, build / KEEP)]
    assert kept.facts["measurements"]["snp"] in listed["snp"]["measurements"] and len(listed["snp"]["measurements"]) == 2
    assert kept.facts["measurements"]["sgx"] == listed["sgx"]["mrenclaves"][0]


def shown_chain(kept, *words):
    """What the server shows openssl: all that is said, and the chain."""
    done = subprocess.run(["openssl", "s_client", "-connect", kept.facts["address"], "-tls1_3", "-showcerts", "-ign_eof",
                           *words], capture_output=True, text=True, timeout=30, check=False, input="let me in\n")
    chain = re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", done.stdout, re.DOTALL)
    return done, list(dict.fromkeys(chain))


def test_a_stranger_sees_the_chain_and_is_turned_away(kept, tmp_path):
    before = kept.log_of("server.err").count("the client presented no valid certificate")
    done, (leaf, ca) = shown_chain(kept)
    assert done.returncode == 1 and "alert certificate required" in done.stderr
    wait_for(lambda: kept.log_of("server.err").count("the client presented no valid certificate") > before)
    assert "let me in" not in kept.log_of("server.out") + kept.log_of("client.out")
    (tmp_path / "leaf.pem").write_text(leaf)
    (tmp_path / "ca.pem").write_text(ca)
    root = kept.folder / "steward/simulation-root.pem"
    verify = ["openssl", "verify", "-x509_strict", "-untrusted", tmp_path / "ca.pem", "-CAfile"]
    assert subprocess.run([*verify, root, tmp_path / "leaf.pem"], capture_output=True, check=False).returncode == 0
    assert subprocess.run([*verify, kept.folder / "steward/root.pem", tmp_path / "leaf.pem"], capture_output=True,
                          check=False).returncode != 0, "the root of what is no simulation vouches for one"
    names = [hostile.openssl("x509", "-in", path, "-noout", "-subject", "-nameopt", "multiline,-align").decode()
             for path in (tmp_path / "leaf.pem", tmp_path / "ca.pem", root)]
    common = [re.search("commonName = (.*)", name)[1] for name in names]
    assert common == kept.steps["stranger"]["facts"]["chain"] and common[0] == "keep"
    assert all("SIMULATED, NOT A TEE" in name for name in common[1:])


def identity_of(pem):
    """KeepIdentity of docs/identity.md, read here: slug, digest, technology, measurement, simulated."""
    certificate = hostile.Certificate(base64.b64decode("".join(pem.splitlines()[1:-1])))
    value = certificate.extensions[certificate.identity][1]
    (_, content, _), = hostile.elements(value)
    (_, version, _), (_, claims, _), (_, technology, _), (_, measurement, _), *rest = hostile.elements(content)
    slug, digest = (content for tag, content, _ in hostile.elements(claims) if tag in (0x80, 0x81))
    (simulated,) = [content for tag, content, _ in rest if tag == 0x01]
    return {"version": version, "slug": slug.decode(), "digest": digest.hex(), "technology": technology[0],
            "measurement": measurement.hex(), "simulated": simulated != b"\0"}


def test_the_certificate_says_what_the_registry_has(kept):
    _, (leaf, _) = shown_chain(kept)
    kind = kept.facts["technologies"]["server"]
    assert identity_of(leaf) == {"version": b"\1", "slug": kept.facts["slugs"]["server"],
                                 "digest": hashlib.sha256(kept.fetch("chat-server/_tag/0.1.0/tree")).hexdigest(),
                                 "technology": {"snp": 1, "sgx": 2}[kind],
                                 "measurement": kept.facts["measurements"][kind], "simulated": True}
    host = kept.facts["registry"].removeprefix("https://").replace(":", "..")
    named = hostile.openssl("x509", "-noout", "-ext", "subjectAltName", data=leaf.encode()).decode()
    assert f"URI:spiffe://demo.example/simulated/keep/{host}/alice/chat-server/0.1.0\n" in named


def test_each_sees_the_other_as_the_registry_has_it(kept):
    facts = kept.steps["client"]["facts"]
    for other, role in (("client", "server"), ("server", "client")):
        assert facts[f"seen_by_{other}"] == {"slug": kept.facts["slugs"][role], "digest": kept.facts["digests"][role],
                                             "technology": kept.facts["technologies"][role]}
    for log, line in (("client.out", f"running `{kept.facts['slugs']['server']}` with digest `%s`"),
                      ("server.out", f"#1 {kept.facts['slugs']['client']} joined the chat with digest %s ")):
        role = "server" if log == "client.out" else "client"
        digest = base64.b64encode(bytes.fromhex(kept.facts["digests"][role])).decode().rstrip("=")
        assert line % digest in kept.log_of(log)


def test_lines_go_both_ways(kept):
    lines = kept.steps["chat"]["facts"]["lines"]
    assert [line.partition(" ")[0] for line in lines] == ["#1", "#2"]
    for log in ("client.out", "second client.out"):
        assert all(kept.log_of(log).splitlines().count(line) == 1 for line in lines)
    assert not any(line.rpartition(": ")[2] in kept.log_of("server.out") for line in lines)


def test_what_the_steward_decided(kept):
    """The audit log: who was certified, as what; who was refused, and why."""
    kinds, facts = kept.facts["technologies"], kept.facts
    issued = [line for line in kept.audit() if line["event"] == "issued"]
    # server, client, second client, client of another tag
    slugs = facts["slugs"]
    expected = [(slugs["server"], kinds["server"]), (slugs["client"], "sgx"), (slugs["client"], kinds["server"]),
                (kept.steps["version"]["facts"]["slug"], "sgx")]
    assert [(line["slug"], line["technology"]) for line in issued[:4]] == expected
    assert all(line["measurement"] == facts["measurements"][line["technology"]] for line in issued)
    real = list(map(json.loads, (kept.folder / "steward/audit.log").read_text().splitlines()))
    assert [line for line in real if line["event"] == "issued"] == [], "the real CA has issued something"
    refused = [line["code"] for line in kept.audit() + real if line["event"] == "refused"]
    tried = 2 if kept.has_kvm else 1
    assert sorted(refused) == ["evidence-missing"] * tried + ["evidence-refused"] * tried


def test_who_is_turned_away_and_why(kept):
    version, no_tee, image = (kept.steps[name]["facts"] for name in ("version", "no TEE", "image"))
    assert version["reason"] == "its tag is not one of those allowed" and version["slug"].endswith(":0.2.0")
    assert f'reason="{version["reason"]}" workload={version["slug"]}' in kept.log_of("server.err")
    assert kept.fetch("chat-client/_tag/0.2.0/tree") == kept.fetch("chat-client/_tag/0.1.0/tree")
    assert "no evidence" in no_tee["reasons"]["nil"]
    assert (no_tee["reasons"]["kvm"] is None) == (not kept.has_kvm)
    assert ("No such file" in re.search("^ +kvm  (.*)$", kept.err, re.MULTILINE)[1]) == (not kept.has_kvm)
    for kind in set(kept.facts["technologies"].values()):
        assert f"{kind}.measurement: {image['measurements'][kind]}" in image["reasons"][kind]
        assert image["measurements"][kind] != kept.facts["measurements"][kind]


def test_the_changed_image(kept, build):
    """One bit of all; the other image is that of this build."""
    one, other = ((kept.folder / name).read_bytes() for name in ("keep.img", "changed.img"))
    assert all((build / part).read_bytes() in one for part in (KEEP, SHIM, "src/shim/kvm/broch-shim-kvm"))
    differing = [at for at in range(0, len(one), 4096) if one[at:at + 4096] != other[at:at + 4096]]
    page = differing[0]
    bits = int.from_bytes(one[page:page + 4096], "big") ^ int.from_bytes(other[page:page + 4096], "big")
    assert len(one) == len(other) and len(differing) == 1 and bits.bit_count() == 1


def test_what_runs(kept):
    """The servers, the server's keep, two clients; nothing else."""
    leaders = [words for pid, words in kept.place.processes().items() if os.getsid(pid) == pid]
    deployed = [words[-1] for words in leaders if words[1] == "deploy"]
    slugs = kept.facts["slugs"]
    assert sorted(deployed) == sorted([slugs["server"], slugs["client"], slugs["client"]])
    others = [pathlib.Path(words[0]).name for words in leaders if words[1] != "deploy"]
    assert sorted(others) == ["broch-drawbridge", "broch-steward"]


def test_the_commands_by_hand(kept):
    """All that it prints does what it says, when it is pasted."""
    commands = dict(kept.said["commands"])
    assert all(command in kept.err for command in commands.values())
    slugs, digest = kept.facts["slugs"], kept.facts["digests"]["server"]

    def paste(what, *shown, status=0, said=""):
        (name,) = [name for name in commands if what in name]
        done = shell(commands.pop(name), said)
        assert done.returncode == status, (name, done)
        for text in shown:
            assert text in done.stdout + done.stderr, (name, done)

    paste("join the chat", f"Connected to `{kept.facts['address']}` running `{slugs['server']}`", f"{slugs['client']}: by hand",
          said="by hand\n")
    wait_for(lambda: f"{slugs['client']}: by hand" in kept.log_of("client.out"))
    paste("hears", "by hand")
    paste("say something")
    wait_for(lambda: f"#1 {slugs['client']}: hello" in kept.log_of("second client.out"))
    paste("who is that server", f"a keep that runs {slugs['server']}", digest, "valid: the chain ends in",
          "not revoked", "serves the same digest")
    paste("the server's package", digest, "/main.wasm")
    paste("without a certificate", "SIMULATED, NOT A TEE", "Verify return code: 0", "alert certificate required",
          status=1)
    paste("turned away", "its tag is not one of those allowed")
    paste("Steward believes", *kept.facts["measurements"].values())
    paste("Steward decided", "none changed")
    paste("other people's programs", digest)
    assert list(commands) == ["stop"]


# ---- how it ends ----

@pytest.fixture
def place(build, tmp_path):
    found = Place(build, tmp_path)
    yield found
    for pid in found.processes():  # only if something went wrong
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def until(process, begin, stream=None):
    """Reads what it says up to a line that begins so."""
    said = []
    for line in stream or process.stdout:
        said.append(line)
        if line.startswith(begin):
            return
    raise AssertionError("".join(said))


def test_two_at_the_same_time(build, place, tmp_path_factory):
    """One with, one without virtual machines and a terminal for more than ASCII; each with everything that it says to
    people. Nothing is left."""
    other = Place(build, tmp_path_factory.mktemp("other"), NO_KVM)
    other.env["PYTHONIOENCODING"] = "ascii"
    running = [place.start(), other.start()]
    for process, where in zip(running, (place, other)):
        out, err = process.communicate(timeout=110)
        assert (process.returncode, err) == (0, ""), out + err
        assert re.findall(r"^  ok  (.*?) +[\d.]+ s  ", out, re.MULTILINE) == [*NAMES, "end"]
        assert re.search(r"^All of it held, in \d+ s", out, re.MULTILINE) and "\033" not in out
        where.nothing_is_left()


def kill(place, *words):
    """Ends the process that has these words in its command line, as a fault of its own would."""
    (found,) = [pid for pid, line in place.processes().items()
                if all(any(word in part for part in line) for word in words) and os.getsid(pid) == pid]
    os.kill(found, signal.SIGKILL)


@pytest.mark.parametrize("after, words, name", [("publish", ["broch-steward"], "Steward"),
                                                ("client", ["deploy", "chat-server:0.1.0"], "server")])
def test_a_server_that_dies(place, after, words, name):
    """It is said which, by exit status too, and all the others are stopped."""
    with place.start("--json") as process:
        until(process, "  ok  " + after, process.stderr)
        kill(place, *words)
        out, err = process.communicate(timeout=60)
    said = json.loads(out)
    assert process.returncode == 1 and not said["ok"] and said["folder"] is None, (out, err)
    assert said["failed"]["step"] == said["steps"][-1]["name"] and not said["steps"][-1]["ok"]
    assert said["failed"]["why"] == f"the {name} has ended with status -9", said["failed"]
    assert f"FAILED  {said['failed']['step']}: " in err
    place.nothing_is_left()


@pytest.mark.parametrize("number, after", [(signal.SIGINT, "  ok  digests"), (signal.SIGTERM, "A secure chat")])
def test_interrupted(place, number, after):
    """Ctrl-C, while a keep starts; and in the midst of making keys."""
    with place.start("--keep") as process:
        until(process, after)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "interrupted" in out and err == "", (out, err)
    place.nothing_is_left()


def test_killed(place):
    """Nothing goes on without it, and --stop removes what it left."""
    with place.start() as process:
        until(process, "  ok  server")
        process.kill()
    wait_for(lambda: place.processes() == {})
    (folder,) = place.folder.iterdir()
    with place.start("--stop") as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err, out) == (0, "", f"{folder}: stopped, and removed\n")
    place.nothing_is_left()
    with place.start("--stop") as process:
        assert process.communicate(timeout=60)[0] == "no demonstration is running that was kept\n"


@pytest.mark.parametrize("to, said", [("/dev/full", "demo: [Errno 28] No space left on device\n"),
                                      ("&-", "demo: its output is closed\n")])
def test_an_output_that_is_none(place, to, said):
    done = subprocess.run(["sh", "-c", f'exec "$@" >{to}', "sh", sys.executable, "-B", ROOT / "tools/demo.py", "--build",
                           place.build], env=place.env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (1, said)
    place.nothing_is_left()


def test_a_program_that_is_missing(place, tmp_path):
    """Also then it says which step failed."""
    place.build = tmp_path
    with place.start() as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 1 and "FAILED  platforms: " in out and err == "", (out, err)
    place.nothing_is_left()


@pytest.mark.parametrize("words, status, said", [
    (["--stop", "/nonexistent"], 1, "no folder of a demonstration"), (["--help"], 0, "usage: ./run demo"),
])
def test_commands_for_which_nothing_is_built(words, status, said):
    done = subprocess.run([ROOT / "run", "demo", *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status and said in done.stdout + done.stderr, done


def test_unknown_options(place):
    with place.start("--fast") as process:
        assert "unrecognized arguments: --fast" in process.communicate(timeout=60)[1] and process.returncode == 2
