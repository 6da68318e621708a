"""Keeps among friends and enemies: a world with keeps that serve and keeps that call, and whom they meet there."""
import contextlib
import re
import select
import subprocess
import threading
import time

import hostile
import keep_host
import steward_host
import world
from hostile import SECRET, visit

HEAD = """steward = "{steward}"
steward_ca = "steward.pem"
args = {args}
[stdin]
kind = "host"
[stdout]
kind = "host"
[stderr]
kind = "host"
[trust]
simulated = {simulated}
stewards = ["partner.pem", "silent.pem"]
anchors = ["anchor.pem"]
"""

# what an entry of the configuration says; HOST is the registry's
RULES = {
    "any": 'peers = "any"',
    "listed": 'peers = [{ workload = "HOST/alice/chat-client", tags = ["0.1.0", "0.1.1"] }]',
    "pinned": 'peers = [{ digest = "sha-256:DIGEST" }]',
    "sgx": 'peers = [{ workload = "HOST/alice/chat-client", technology = ["sgx"] }]',
    "partner": 'peers = [{ steward = "partner.pem" }]',
}
INCOMING = RULES | {
    "open": "anonymous = true",
    "mixed": 'anonymous = true\npeers = [{ workload = "HOST/alice/chat-client", tags = ["0.1.0"] }]',
}
OUTGOING = RULES | {"anchor": 'server = "anchor.pem"', "web": 'server = "web"'}

# whose certificate is right in one place and wrong in another; who is a friend where
SAME_AS = {"wrong digest": "wrong tag", "wrong technology": "friend", "wrong Steward": "friend"}
FRIENDS = {"sgx": "friend on sgx", "partner": "partner's friend", "anchor": "anchor's server"}


def compile_guest(root, name, out):
    subprocess.run(["clang-14", "--target=wasm32-wasi", "-O2", "-g0", "-Wall", "-Wextra", "-Werror",
                    root / "tests/e2e/peers" / name, "-o", out], check=True)
    return out.read_bytes()


class Keep(world.Keep):
    """One whose output is read all the time: a keep waits when nobody takes its log."""

    def __init__(self, process):
        super().__init__(process)
        self.lock = threading.Lock()
        threading.Thread(target=self.listen, daemon=True).start()

    def look(self):
        with self.lock:
            return self.take()

    def take(self):
        return super().look()

    def listen(self):
        with contextlib.suppress(ValueError):  # it is closed in the end
            while self.process.poll() is None:
                select.select([self.process.stdout, self.process.stderr], [], [], 1)
                self.look()
                time.sleep(0.02)


class BareKeep(Keep):
    """One without a sandbox, so that it can be built with sanitizers; its log comes another way."""

    def __init__(self, process, log):
        self.log, self.taken = log, 0
        super().__init__(process)

    def take(self):
        super().take()
        lines = self.log[self.taken:]
        self.taken += len(lines)
        self.err += "".join(text.rstrip("\n") + "\n" for _, text in lines)
        return self

    def ends_well(self):
        """Its sanitizers have nothing to say at its end either: what was allocated was freed."""
        assert self.process.wait(hostile.PATIENCE) == 0, self.look().err
        assert "Sanitizer" not in self.look().err and "runtime error" not in self.err


@contextlib.contextmanager
def running(host, *words):
    with host.start(*words) as process:
        keep = Keep(process)
        yield keep
        process.kill()
        process.wait()


class Town:
    """A world with friends and enemies, a keep that serves (the room), and one that calls (the asker)."""

    def __init__(self, build, root, folder):
        self.build = build
        self.stack = contextlib.ExitStack()
        self.world = w = world.World(build, folder)
        self.stack.callback(w.stop)
        self.smith = hostile.Smith(folder, w.platforms)
        self.module = compile_guest(root, "peer.c", folder / "peer.wasm")
        self.manners = compile_guest(root, "manners.c", folder / "manners.wasm")
        self.stewards = {name: w.make_steward(name) for name in ("other", "partner", "silent")}
        for steward in self.stewards.values():
            self.stack.callback(steward.stop)
        self.anchor = self.smith.authority("an authority")
        self.stray = self.smith.authority("another authority")
        # of the room, and of another that is just as it
        self.ports, self.more_ports = ({name: world.free_port() for name in INCOMING} for _ in range(2))
        self.servers = {name: self.stack.enter_context(hostile.Server()) for name in OUTGOING}
        self.digests, self.who = {}, {}
        self.publish()
        self.meet_everybody()

    # ---- packages ----

    def package(self, name, args, entries, module=None, simulated="true", head=HEAD, steward=None):
        """A folder with a package whose configuration has these entries."""
        words = "[" + ", ".join(f'"{word}"' for word in args) + "]"
        text = head.format(steward="STEWARD", args=words, simulated=simulated) + "\n".join(entries) + "\n"
        text = text.replace("HOST", self.world.host).replace("DIGEST", self.digests.get("chat-client:0.1.0", ""))
        text = text.replace("{", "{{").replace("}", "}}").replace("STEWARD", (steward or self.world.steward).url)
        files = {f"{name}.pem": self.world.root_of(steward) for name, steward in self.stewards.items()}
        files |= {"anchor.pem": self.anchor.chain.read_text()}
        folder = self.world.package(name, module or self.module, text, files)
        if steward is not None:
            (folder / "steward.pem").write_text(self.world.root_of(steward))
        return folder

    def publish(self):
        def put(repository, tag, args, entries):
            folder = self.package(f"{repository}-{tag}", args, entries)
            self.digests[f"{repository}:{tag}"] = self.world.publish(f"alice/{repository}/_tag/{tag}", folder)

        def incoming(ports):
            return [f"[network.incoming.{port}]\n{INCOMING[name]}" for name, port in ports.items()]

        def outgoing(name):
            return f'[network.outgoing."localhost:{self.servers[name].port}"]\n{OUTGOING[name]}'

        def swaps(ports, size):
            room = f"localhost:{ports['listed']}"
            rule = 'peers = [{ workload = "HOST/alice/chat-server" }]'
            return ["swap", room, str(size)], [f'[network.outgoing."{room}"]\n{rule}']

        put("chat-client", "0.1.0", *swaps(self.ports, 16 << 20))
        put("chat-client", "0.1.1", *swaps(self.more_ports, 1 << 20))
        put("chat-client", "0.2.0", ["ask"], [])
        for tag, ports in (("0.1.0", self.ports), ("0.2.0", self.more_ports)):
            put("chat-server", tag, ["serve", ",".join(map(str, ports.values()))], incoming(ports))
        put("app", "0.1.0", ["ask"], map(outgoing, OUTGOING))

    def claim(self, slug, steward=None, **options):
        """A genuine certificate for a package of the registry."""
        words = [f"slug={self.world.host}/alice/{slug}", f"digest={self.digests[slug]}"]
        return self.smith.genuine(steward or self.world.steward, *words, **options)

    def meet_everybody(self):
        """The friends, and the others."""
        smith, steward, who, client = self.smith, self.world.steward, self.who, "chat-client:0.1.0"
        ca, local = hostile.ca_of(steward), hostile.LOCALHOST
        friend = who["friend"] = self.claim(client)
        who["friend on sgx"] = self.claim(client, technology="sgx")
        who["partner's friend"] = self.claim(client, self.stewards["partner"])
        who["silent's friend"] = self.claim(client, self.stewards["silent"])
        self.stewards["silent"].stop()
        who["self-signed"] = smith.forge(friend, names=local, without=[friend.certificates[0].identity])
        who["self-signed keep"] = smith.forge(friend)
        who["platform"] = smith.genuine(steward)
        who["anchor's keep"] = smith.forge(friend, self.anchor)
        who["anchor's server"] = smith.forge(friend, self.anchor, names=local)
        who["anchor's other server"] = smith.forge(friend, self.anchor, names=hostile.ELSEWHERE)
        who["anchor's expired server"] = smith.forge(friend, self.anchor, names=local, end=-60)
        who["anchor's client"] = smith.forge(friend, self.anchor, names=local, usage=hostile.ONLY_CLIENTS)
        who["stray server"] = smith.forge(friend, self.stray, names=local)
        who["other Steward's"] = other = self.claim(client, self.stewards["other"])
        who["other Steward's with our root"] = smith.with_chain(other, *other.certificates[:2],
                                                                *friend.certificates[1:])
        who["keep's child"] = smith.forge(friend, friend)
        who["expired"] = smith.forge(friend, ca, end=-60)
        who["not yet valid"] = smith.forge(friend, ca, begin=1800)
        who["revoked"] = self.claim(client)
        self.revoke(who["revoked"])
        who["for servers only"] = smith.forge(friend, ca, usage=hostile.ONLY_SERVERS)
        who["for clients only"] = smith.forge(friend, ca, usage=hostile.ONLY_CLIENTS)
        who["another name"] = smith.forge(friend, ca, names=hostile.uri(
            f"spiffe://example.org/simulated/keep/local/sha-256/{self.digests[client]}"))
        who["no list"] = smith.forge(friend, ca, without=[hostile.CRL])
        who["RSA"] = smith.forge(friend, ca, key=smith.new_key("-algorithm", "RSA"))
        leaf, *rest = friend.certificates
        who["too long a chain"] = smith.with_chain(friend, leaf, *rest[:1] * 8, *rest)
        who["far too long a chain"] = smith.with_chain(friend, leaf, *rest[:1] * 150, *rest)
        who["another key"] = smith.with_another_key(friend)
        who["wrong workload"] = self.claim("app:0.1.0")
        who["wrong tag"] = self.claim("chat-client:0.2.0")
        who["local"] = smith.genuine(steward, f"digest={self.digests[client]}")
        for name, same in SAME_AS.items():
            who[name] = who[same]

    def revoke(self, identity):
        serial = identity.certificates[0].serial
        self.world.steward.broch("revoke", "--serial", f"{serial:032x}", "--reason", "a test")

    # ---- keeps ----

    def start(self, slug):
        """A keep with a package of the registry, until the end of the town."""
        return self.stack.enter_context(running(self.world.testhost(), *self.world.deploy_words(f"alice/{slug}")))

    def run(self, folder, *words):
        """A keep with a package of a folder, for a block."""
        return running(self.world.testhost(*words), folder)

    def start_bare(self, slug, program):
        """As start, with a keep of another build."""
        attest = keep_host.evidence_of(self.build / "tests/e2e/steward/attest_request", self.world.folder / "sim",
                                       self.world.folder / f"evidence-{slug.partition(':')[0]}")
        boot = keep_host.package_request(f"{self.world.host}/alice/{slug}", self.world.registry.ca.read_bytes())
        return BareKeep(*self.stack.enter_context(keep_host.start([str(program)], boot, attest=attest)))

    def friend_of(self, door):
        return self.who[FRIENDS.get(door, "friend")]


class Room:
    """A keep that serves at several ports, by their entries' names."""

    def __init__(self, town, keep, ports):
        self.town, self.keep, self.ports, self.seen = town, keep, ports, 0
        keep.wait_for("serving")

    def begin(self):
        """What the log said so far is forgotten: ports of clients come again."""
        self.seen = len(self.keep.look().err)

    def came(self, door):
        """Who came to a port so far, as the workload saw it."""
        return re.findall(rf"^(?:{self.ports[door]} )?came (.*)$", self.keep.look().out, re.MULTILINE)

    def reasons(self, address):
        """Waits for what the log says of a peer: the reasons, one of each line."""
        line = rf'peer={re.escape(address)} reason="?(.*?)"?(?: workload=.*)?$'
        steward_host.wait_for(lambda: re.search(line, self.keep.look().err[self.seen:], re.MULTILINE),
                              hostile.PATIENCE)
        return re.findall(line, self.keep.err[self.seen:], re.MULTILINE)

    def greet(self, door, who=None):
        """A friend comes, says something and hears it; how long that took."""
        before, count = time.monotonic(), len(self.came(door))
        who = who or self.town.friend_of(door)
        seen = visit(self.ports[door], None if who is hostile.NOBODY else who, is_friend=True)
        assert (seen.heard, seen.alert) == (SECRET, None), self.keep.look().err
        assert len(self.came(door)) == count + 1
        return time.monotonic() - before

    def refuses(self, door, who, alert, reason, **options):
        """Somebody comes in vain."""
        self.begin()
        count = len(self.came(door))
        seen = visit(self.ports[door], who, **options)
        assert (seen.alert, seen.heard) == (alert, b""), self.keep.look().err
        assert self.reasons(seen.address) == [reason]
        assert len(self.came(door)) == count
        self.greet(door)


class Asker:
    """A keep that calls whom it is told to."""

    def __init__(self, town, keep):
        self.town, self.keep, self.at, self.seen = town, keep, 0, 0
        self.answer()

    def begin(self, server):
        self.keep.look()
        self.seen = len(self.keep.err)
        self.keep.say(f"localhost:{server.port}\n")

    def answer(self):
        """What the workload says of its call."""
        end = time.monotonic() + hostile.PATIENCE
        while "next\n" not in self.keep.look().out[self.at:]:
            assert time.monotonic() < end and self.keep.process.poll() is None, self.keep.err
            time.sleep(0.01)
        text, _, _ = self.keep.out[self.at:].partition("next\n")
        self.at += len(text) + len("next\n")
        return text

    def ask(self, server, identity, **options):
        """Calls a server that has this certificate: how it went there, and here."""
        self.begin(server)
        seen = server.meet(identity, **options)
        return seen, self.answer()

    def reasons(self):
        """What the log says of the last call."""
        return re.findall(r'peer=\S+ reason="?(.*?)"?(?: workload=.*)?$', self.keep.look().err[self.seen:],
                          re.MULTILINE)

    def befriends(self, door):
        server = self.town.servers[door]
        seen, answer = self.ask(server, self.town.friend_of(door), roots=self.town.world.roots)
        assert (seen.heard, seen.alert) == (SECRET, None), self.keep.look().err
        assert f"got {SECRET.decode().upper()}\n" in answer and self.reasons() == []
        return answer

    def refuses(self, door, who, alert, reason, **options):
        seen, answer = self.ask(self.town.servers[door], who, **options)
        assert (seen.alert, seen.heard) == (alert, b""), self.keep.look().err
        assert answer.startswith("refused ") and self.reasons() == [reason], (answer, self.reasons())
        self.befriends(door)
