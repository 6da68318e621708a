"""workloads/lib: the C header and the Rust file say the same of any text, and of the peers of a running workload.

What they should say is workloads/lib/broch_peer_test.c's; here each text goes to both, compiled natively.
"""
import json
import random
import re
import subprocess

import pytest

import programs

PROBES = {
    "c": ["gcc", "-std=gnu17", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
          "-Wall", "-Wextra", "-Werror", "{source}", "-o", "{out}"],
    "rust": ["/usr/bin/rustc", "--edition=2021", "-O", "-Coverflow-checks=on", "{source}", "-o", "{out}"],
}
SOURCES = {"c": "peer_probe.c", "rust": "peer_probe.rs"}
DIGEST = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0"
MORE = {"technology": "snp", "simulated": False, "measurement": "0123456789abcdef" * 6}
ANONYMOUS = {"kind": "anonymous"}
LOCAL = {"kind": "local", "digest": DIGEST, **MORE}
KEEP = {"kind": "keep", "workload": "registry.example/alice/chat:0.1.0", "digest": DIGEST, **MORE}
MUTANTS = 20_000


def compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


GOOD = [
    *(("fd", compact(peer)) for peer in (ANONYMOUS, LOCAL, KEEP, {**KEEP, "simulated": True})),
    *(("lis", compact({"addr": "[::1]:50000", "peer": peer})) for peer in (ANONYMOUS, LOCAL, KEEP)),
    *(("con", compact({"host": host, "port": 50000, "peer": KEEP}))
      for host in ({"Domain": "chat.example"}, {"Ipv4": "192.0.2.1"}, {"Ipv6": "::1"})),
    ("fd", compact({"later": [{"a": [1.5e-3, None, "\u00fc\\\"", True]}, []], **KEEP, "more": {}})),
]
# what mutants are made with: what means something in JSON or here
PIECES = [b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\u0061", b"\\u00e4", b"\0", b" ", b"\n", b"0", b"-1",
          b"1e9", b"true", b"null", b'"kind":"keep",', b'"x":1,', b'"simulated":true,', b'"digest":""', b"\xff", b"a" * 20,
          b"[" * 9, b'{"a":' * 9, b"/", b"=", b"localhost", b'"addr":"a",', b'"port":1,']


def subsets():
    """Identities of each kind with each choice of the other keys."""
    others = [key for key in KEEP if key != "kind"]
    for kind in ("anonymous", "local", "keep"):
        for bits in range(2**len(others)):
            yield "fd", compact({"kind": kind, **{key: KEEP[key] for i, key in enumerate(others) if bits >> i & 1}})


def mutants():
    rng = random.Random(1)
    yield from subsets()
    for kind, text in GOOD:
        yield from ((kind, text[:size]) for size in range(len(text)))
        yield from ((kind, text[:at] + bytes([text[at] ^ bits]) + text[at + 1:])
                    for at in range(len(text)) for bits in (0x01, 0x20, 0x80, 0xff))
    for _ in range(MUTANTS):
        kind, text = rng.choice(GOOD)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(text) + 1)
            end = min(len(text), at + rng.choice([0, 0, 1, 1, 5, 30]))
            piece = rng.choice(PIECES) if rng.random() < 0.7 else text[(a := rng.randrange(len(text) + 1)):a + 20]
            text = text[:at] + piece + text[end:]
        yield rng.choice([kind, kind, kind, "fd", "lis", "con"]), text


@pytest.fixture(scope="module")
def probes(build):
    """The probes, compiled natively."""
    folder = build / "programs"
    folder.mkdir(exist_ok=True)
    out = {}
    for language, command in PROBES.items():
        out[language] = folder / f"peer_probe_{language}"
        words = [word.format(source=programs.HERE / SOURCES[language], out=out[language]) for word in command]
        done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return out


def ask(probe, texts):
    said = b"".join(f"{kind} {len(text)}\n".encode() + text for kind, text in texts)
    done = subprocess.run([probe], input=said, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    lines = done.stdout.decode().splitlines()
    assert len(lines) == len(texts)
    return lines


def test_both_say_the_same(probes, record_property):
    texts = [*GOOD, *mutants()]
    assert sum(line.isalpha() for line in ask(probes["c"], list(subsets()))) == 3 * 32 - 3
    c, rust = (ask(probe, texts) for probe in probes.values())
    for text, by_c, by_rust in zip(texts, c, rust):
        assert by_c == by_rust, text
    verdicts = [line if line.isalpha() else "ok" for line in c]
    assert verdicts[:len(GOOD)] == ["ok"] * len(GOOD)
    counts = {verdict: verdicts.count(verdict) for verdict in sorted(set(verdicts))}
    assert set(counts) == {"ok", "long", "cut", "syntax", "deep", "duplicate", "missing", "surplus", "value"}
    record_property("detail", ", ".join(f"{count} {verdict}" for verdict, count in counts.items()))


def test_what_is_taken_is_json_with_these_values(probes):
    """By Python's own reader."""
    texts = list(mutants())
    taken = 0
    for (kind, text), line in zip(texts, ask(probes["c"], texts)):
        if line.isalpha():
            continue
        value = json.loads(text.decode("utf-8", "replace"))
        peer = value if kind == "fd" else value["peer"]
        said = re.fullmatch(r"(\[.*?\] (?:\d+ )?)?(\w+) ([01]) \[(.*)\] \[(.*)\] \[(.*)\] \[(.*)\] \[(.*)\] \[(.*)\] [01]",
                            line).groups()
        assert said[1:5] == (peer["kind"], str(int(peer.get("simulated", False))), peer.get("workload", ""),
                             peer.get("digest", ""))
        assert said[6:8] == (peer.get("technology", ""), peer.get("measurement", ""))
        taken += 1
    assert taken > 1000


@pytest.mark.parametrize("language", SOURCES)
def test_peers_of_a_running_workload(root, build, tmp_path, language):
    port = programs.free_port()
    module = programs.compile_program(SOURCES[language], root, build, out_name=f"peer_probe_{language}.wasm",
                                      includes=(root / "workloads/lib").iterdir())
    broch = programs.Broch([build / "src/cli/broch", "run"], tmp_path)
    done = broch.run(module, port, config=programs.incoming(port)
                     + f'[network.outgoing."localhost:{port}"]\nprot = "tcp"\n')
    assert done.returncode == 0, done.stderr
    anonymous = "anonymous 0 [] [] [] [] [] [] 0"
    lines = done.stdout.splitlines()
    assert lines[:3] == ["file", "none", "none"]  # a listener is no connection; nobody has come
    assert lines[3] == anonymous
    assert re.fullmatch(rf"\[\[::1\]:\d+\] {re.escape(anonymous)}", lines[4])
    assert lines[5] == f"[localhost] {port} {anonymous}"
    assert lines[6:9] == [anonymous, "none", "none"]  # each is told once
    assert lines[9:] == ["file", "none", "none"] * 2
