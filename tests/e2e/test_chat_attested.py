"""The chat of workloads/ as it is meant: two keeps, each fetched from a registry and certified by a Steward, that
know each other; and those who are turned away."""
import base64
import contextlib
import re
import subprocess

import pytest

import workload_builds
import world

HEAD = """steward = "{{steward}}"
steward_ca = "steward.pem"
args = ["{argument}"]
[stdin]
kind = "host"
[stdout]
kind = "host"
[stderr]
kind = "host"
[trust]
simulated = true
"""
SERVER = HEAD + """[network.incoming.{port}]
peers = [
    {{{{ workload = "{{host}}/alice/chat-client", tags = ["0.1.0", "0.1.1"] }}}},
    {{{{ workload = "{{host}}/alice/chat-client-rust", tags = ["0.1.0", "0.1.1"] }}}},
]
"""
CLIENT = HEAD + """[network.outgoing."localhost:{port}"]
peers = [{{{{ workload = "{{host}}/alice/chat-server" }}}}, {{{{ workload = "{{host}}/alice/chat-server-rust" }}}}]
"""
SERVERS, CLIENTS = ["chat-server", "chat-server-rust"], ["chat-client", "chat-client-rust"]


class Chat:
    """A server of each language, with the clients that know its port."""

    def __init__(self, here):
        self.here, self.ports, self.digests = here, {}, {}
        for number, name in enumerate(SERVERS):
            port = self.ports[name] = world.free_port()
            self.publish(name, name, "0.1.0", SERVER.format(argument=port, port=port))
            for client in CLIENTS:
                config = CLIENT.format(argument=f"localhost:{port}", port=port)
                self.publish(client, client, "0.1.0" if number == 0 else "0.1.1", config)
        old = CLIENT.format(argument=f"localhost:{self.ports[SERVERS[0]]}", port=self.ports[SERVERS[0]])
        self.publish("chat-client", "chat-client", "0.0.9", old)

    def publish(self, name, repo, tag, config):
        folder = self.here.package(f"{repo}-{tag}", workload_builds.module(name).read_bytes(), config)
        self.digests[repo, tag] = bytes.fromhex(self.here.publish(f"alice/{repo}/_tag/{tag}", folder))

    def start(self, repo, tag, technology):
        host = self.here.testhost("--technology", technology)
        return world.running(host, *self.here.deploy_words(f"alice/{repo}:{tag}"))


@pytest.fixture(scope="module")
def chat(build, tmp_path_factory):
    here = world.World(build, tmp_path_factory.mktemp("chat"))
    yield Chat(here)
    here.stop()


@pytest.fixture(scope="module")
def servers(chat):
    """A chat server of each language in a keep."""
    with contextlib.ExitStack() as stack:
        keeps = {name: stack.enter_context(chat.start(name, "0.1.0", "snp")) for name in SERVERS}
        for name, keep in keeps.items():
            keep.wait_for("listening address=.* protocol=tls")
            keep.name, keep.port = name, chat.ports[name]
        yield keeps


@pytest.fixture
def server(servers):
    return servers["chat-server"]


def shown(digest):
    return base64.b64encode(digest).decode().rstrip("=")


@pytest.mark.parametrize("name, client, tag", [
    ("chat-server", "chat-client", "0.1.0"), ("chat-server", "chat-client-rust", "0.1.0"),
    ("chat-server-rust", "chat-client", "0.1.1"), ("chat-server-rust", "chat-client-rust", "0.1.1")])
def test_two_keeps_chat(chat, servers, name, client, tag):
    """Each shows who the other is: the slug and the digest that the registry has. Lines go both ways at once."""
    with chat.start(client, tag, "sgx") as keep:
        slug = f"{chat.here.host}/alice/{name}:0.1.0"
        keep.wait_for(re.escape(f"running `{slug}` with digest `{shown(chat.digests[name, '0.1.0'])}`"))
        servers[name].wait_for(re.escape(f"{chat.here.host}/alice/{client}:{tag} joined the chat with digest "
                                         f"{shown(chat.digests[client, tag])}"))
        keep.say("a line\n")
        keep.wait_for("/alice/.*: a line\n")
        keep.process.stdin.close()
        assert keep.process.wait(30) == 0, keep.look().err


def test_three_in_a_room(chat, server):
    with chat.start("chat-client", "0.1.0", "sgx") as one:
        one.wait_for("chat-client:0.1.0 joined")
        with chat.start("chat-client-rust", "0.1.0", "snp") as other:
            one.wait_for("chat-client-rust:0.1.0 joined")
            other.say("to all\n")
            for keep in (one, other):
                keep.wait_for("chat-client-rust:0.1.0: to all")


def test_a_stranger_with_openssl_is_turned_away(server):
    """It sees who the server is, and gets no further: it has no certificate."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"localhost:{server.port}", "-tls1_3", "-ign_eof"],
                          input=b"let me in\n", capture_output=True, timeout=30, check=False)
    assert b"SIMULATED, NOT A TEE" in done.stdout
    assert b"alert certificate required" in done.stderr
    server.wait_for("the client presented no valid certificate")
    assert "let me in" not in server.look().out


def test_an_old_version_is_turned_away(chat, server):
    with chat.start("chat-client", "0.0.9", "sgx") as keep:
        server.wait_for(f"its tag is not one of those allowed.* workload={chat.here.host}/alice/chat-client:0.0.9")
        keep.process.stdin.close()
        assert keep.process.wait(60) == 1
        assert "0.0.9 joined" not in server.look().out


@pytest.mark.parametrize("backend", ["nil", "kvm"])
def test_no_tee_no_identity(request, chat, build, backend):
    """Where there is no TEE the Steward refuses, and the workload does not run."""
    words = request.getfixturevalue("kvm") if backend == "kvm" else ["--backend", backend]
    words = ["deploy", *words, "--registry-ca", chat.here.registry.ca, f"{chat.here.host}/alice/chat-server:0.1.0"]
    done = subprocess.run([build / "src/cli/broch", *words], capture_output=True, text=True, timeout=60, check=False,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 125
    assert "the Steward refused" in done.stderr and "code=evidence-missing" in done.stderr, done.stderr
    assert "listening" not in done.stderr


def test_sizes():
    assert workload_builds.module("chat-client").stat().st_size <= 64 << 10
