"""The exec layer alone, under a host that can ask and answer anything; also as built with sanitizers."""
import os
import socket
import struct
import subprocess

import pytest

import keep_host as host

CLANG = ["clang-14", "--target=wasm32-wasi", "-O1", "-g0", "-Wall", "-Wextra", "-Werror"]
TCP = '[stdout]\nkind = "host"\n[network.outgoing.default]\nprot = "tcp"\n'


@pytest.fixture(scope="module", params=["release", "sanitize"])
def keep(request, root):
    """The words that start a keep."""
    program = root / "build" / request.param / "src/keep/broch-keep"
    assert program.exists(), f"./run build {request.param} has not been run"
    return [str(program)]


@pytest.fixture(scope="module")
def guest(root, build):
    out = build / "keep_guest.wasm"
    subprocess.run([*CLANG, root / "tests/e2e/keep/guest.c", "-o", out], check=True)
    return out.read_bytes()


def wat(text, build):
    """A module from assembly of LLVM."""
    source, out = build / "keep_test.s", build / "keep_test.o"
    source.write_text(text)
    subprocess.run(["llvm-mc-14", "-triple=wasm32", "-filetype=obj", source, "-o", out], check=True)
    linked = build / "keep_test.wasm"
    subprocess.run(["wasm-ld-14", "--no-entry", "--export-dynamic", "--allow-undefined", out, "-o", linked],
                   check=True)
    return linked.read_bytes()


def test_hello(keep, guest):
    done = host.run(keep, host.request(guest))
    assert (done.code, done.out, done.err, done.log) == (7, "hello\n", "", [])


@pytest.mark.parametrize("config, env, out", [
    ("", [], "- -\n"),
    ('[env]\nA = "1"\nB = "2"\n', [], "1 2\n"),
    ('[env]\nA = "1"\nB = "2"\n', ["B=3"], "1 3\n"),
    ("", ["A=x=y", "B="], "x=y \n"),
])
def test_environment(keep, guest, config, env, out):
    assert host.run(keep, host.request(guest, config, ["env"], env)).out == out


def test_arguments_of_the_configuration(keep, guest):
    config = 'args = ["exit", "9"]\n'
    assert host.run(keep, host.request(guest, config)).code == 9
    assert host.run(keep, host.request(guest, config, ["exit", "11"])).code == 11


@pytest.mark.parametrize("args, code, said", [
    (["exit", "0"], 0, None),
    (["exit", "255"], 255, None),
    (["exit", "256"], 255, "above 255"),
    (["exit", str(2**32 - 1)], 255, "above 255"),
    (["raise", "6"], 134, "raised a signal signal=6"),
    (["raise", "15"], 143, "raised a signal signal=15"),
    (["raise", "16"], 0, None),
    (["raise", "31"], 1, None),
    (["trap"], 134, "the workload trapped trap=unreachable"),
    (["deep", "100"], 0, None),
    (["memory", "100"], 0, None),
    (["memory", "1500"], 0, None),
    (["memory", "4095"], 1, None),
])
def test_ends(keep, guest, args, code, said):
    done = host.run(keep, host.request(guest, args=args))
    assert done.code == code, done
    assert done.err == ""
    assert done.log == [] if said is None else done.said(said), done.log


def test_a_trap_shows_where(keep, guest):
    log = host.run(keep, host.request(guest, args=["trap"])).log
    assert [level for level, _ in log] == [0] * len(log)
    assert "name=fall_into_the_trap" in log[1][1] or "name=main" in log[1][1], log
    assert any("name=_start" in line for _, line in log)


def test_fuel(keep, guest):
    fuel = host.section(host.FUEL, struct.pack("<Q", 100000))
    done = host.run(keep, host.request(guest, args=["loop"], extra=fuel))
    assert done.code == 134 and done.said("fuel"), done
    done = host.run(keep, host.request(guest, "[limits]\nfuel = 100000\n", args=["loop"]))
    assert done.code == 134 and done.said("fuel"), done
    assert host.run(keep, host.request(guest, extra=fuel)).code == 7


def test_memory_limit(keep, guest):
    done = host.run(keep, host.request(guest, '[limits]\nmemory = "16MiB"\n', ["memory", "32"]))
    assert (done.code, done.out) == (1, "none\n")
    limit = host.section(host.MEMORY, struct.pack("<Q", 48 << 20))
    done = host.run(keep, host.request(guest, '[limits]\nmemory = "16MiB"\n', ["memory", "32"], extra=limit))
    assert (done.code, done.out) == (0, "got it\n")
    done = host.run(keep, host.request(guest, '[limits]\nmemory = "64KiB"\n'))
    assert done.code == 1 and done.log, done


def test_stdin(keep, guest):
    data = os.urandom(300000).hex().encode()
    done = host.run(keep, host.request(guest, args=["cat"]), stdin=data)
    assert done.code == 0 and done.out.encode() == data


def test_package_files(keep, guest):
    files = [("data/a/text", b"deep"), ("top", b"shallow")]
    for path, content in files:
        done = host.run(keep, host.request(guest, args=["cat", "/" + path], files=files))
        assert (done.code, done.out) == (0, content.decode())


def test_null_stdout(keep, guest):
    done = host.run(keep, host.request(guest, '[stdin]\nkind = "host"\n'))
    assert (done.code, done.out) == (7, "")


@pytest.mark.parametrize("text, module, name", [
    (".import_module strange, env\n.import_name strange, odd_thing\n", "env", "odd_thing"),
    (".import_module strange, wasi_snapshot_preview1\n.import_name strange, fd_dance\n",
     "wasi_snapshot_preview1", "fd_dance"),
    (".import_module strange, wasi_unstable\n.import_name strange, fd_close\n", "wasi_unstable", "fd_close"),
])
def test_unknown_imports(keep, build, text, module, name):
    code = f""".functype strange () -> ()
{text}.globl _start
.type _start,@function
_start:
  .functype _start () -> ()
  call strange
  end_function
"""
    done = host.run(keep, host.request(wat(code, build)))
    assert done.code == 1
    assert done.log == [(0, f"the module imports what Broch does not have module={module} name={name}")]


def test_import_of_another_type(keep, build):
    code = """.functype strange (i32) -> ()
.import_module strange, wasi_snapshot_preview1
.import_name strange, fd_close
.globl _start
.type _start,@function
_start:
  .functype _start () -> ()
  i32.const 1
  call strange
  end_function
"""
    done = host.run(keep, host.request(wat(code, build)))
    assert done.code == 1
    assert done.said("another type module=wasi_snapshot_preview1 name=fd_close")


def test_no_start(keep, build):
    code = ".globl other\n.type other,@function\nother:\n  .functype other () -> ()\n  end_function\n"
    done = host.run(keep, host.request(wat(code, build)))
    assert done.code == 1 and done.said("_start")


@pytest.mark.parametrize("boot, said", [
    (b"", "no boot request of this version"),
    (b"BROCHBT2", "no boot request of this version"),
    (host.MAGIC, "no main.wasm"),
    (host.MAGIC + b"\1", "ends early"),
    (host.MAGIC + struct.pack("<II", 1, 1), "ends early"),
    (host.MAGIC + struct.pack("<II", 0, 0), "unknown section kind 0"),
    (host.MAGIC + struct.pack("<II", 99, 0), "unknown section kind 99"),
    (host.MAGIC + struct.pack("<II", 7, 2**32 - 1), "too large"),
    (host.MAGIC + host.section(host.LOG_LEVEL, b"\4"), "bad section"),
    (host.MAGIC + host.section(host.STDIO, b"\0\0"), "bad section"),
    (host.MAGIC + host.section(host.STDIO, b"\0\0\7"), "bad section"),
    (host.MAGIC + host.section(host.FUEL, b"\0" * 7), "bad section"),
    (host.MAGIC + host.section(host.ARG, b"a\0b"), "a NUL"),
    (host.MAGIC + host.section(host.FILE, b"\xff\xff"), "bad path"),
    (host.MAGIC + host.section(host.FILE, b"\5\0ab"), "bad path"),
    (host.request(b"\0asm\1\0\0\0"), "_start"),
    (host.request(b"not wasm"), "bad module main.wasm"),
    (host.request(b"", files=[("tmp/x", b"")]), "bad package"),
    (host.request(b"", files=[("../x", b"")]), "bad package"),
    (host.request(b"", files=[("main.wasm", b"")]), "bad package"),
    (host.request(b"", files=[("a", b""), ("a/b", b"")]), "bad package"),
    (host.request(b"", "stewart = 1\n"), "at=Keep.toml:1:1"),
    (host.request(b"", "", files=[("Enarx.toml", b"")]), "both Keep.toml and Enarx.toml"),
])
def test_bad_requests(keep, boot, said):
    done = host.run(keep, boot)
    assert done.code == 1 and done.out == "" and done.err == "", done
    assert done.said(said), done.log


def lies():
    """Answers to resolve that are not to be believed, and what the workload sees of each."""
    good = host.address("127.0.0.1")
    return {
        "more than asked for": struct.pack("<qII", 17 * 17, 17 * 17, 0) + good * 17,
        "result and size differ": struct.pack("<qII", 34, 17, 0) + good,
        "huge result": struct.pack("<qII", 2**62, 17, 0) + good,
        "half an address": struct.pack("<qII", 9, 9, 0) + good[:9],
        "no address": struct.pack("<qII", 0, 0, 0),
        "unknown family": struct.pack("<qII", 17, 17, 0) + b"\7" + good[1:],
        "unknown errno": struct.pack("<qII", -4000, 0, 0),
        "least errno": struct.pack("<qII", -2**63, 0, 0),
    }


@pytest.mark.parametrize("lie", lies())
def test_lies_of_the_host(keep, guest, lie):
    boot = host.request(guest, TCP, ["connect", "/net/con/liar.example:1"])
    done = host.run(keep, boot, lambda name: lies()[lie])
    assert done.code == 1 and done.err == "", done
    assert done.out in ("I/O error\n", "No such file or directory\n"), done.out


def test_the_host_goes_silent(keep, guest):
    def hang_up(name):
        return b"\0\0"
    boot = host.request(guest, TCP, ["connect", "/net/con/liar.example:1"])
    with pytest.raises(subprocess.TimeoutExpired):
        host.run(keep, boot, hang_up, timeout=3)  # it may stop a keep, and no more


def test_names_are_resolved_by_the_host(keep, guest):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port, asked = server.getsockname()[1], []

        def resolve(name):
            asked.append(name)
            return host.resolved("127.9.9.9", "127.0.0.1")  # the first does not answer
        done = host.run(keep, host.request(guest, TCP, ["connect", f"/net/con/Some.Example:{port}"]), resolve)
        assert (done.code, done.out) == (0, "connected\n")
        assert asked == [b"some.example"]


@pytest.mark.parametrize("path, out", [
    ("/net/con/nonexistent.invalid:80", "No such file or directory\n"),
    ("/net/con/127.0.0.1:1", "Connection refused\n"),
    ("/net/con/bad host:80", "Invalid argument\n"),
    ("/net/con/127.0.0.1:70000", "Invalid argument\n"),
    ("/net/lis/80", "Permission denied\n"),
    ("/net/lis/x", "Invalid argument\n"),
])
def test_connections_that_fail(keep, guest, path, out):
    done = host.run(keep, host.request(guest, TCP, ["connect", path]))
    assert (done.code, done.out) == (1, out)


def test_files_that_cannot_be_opened(keep, guest):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for entry, said in [
                (f'kind = "listen"\nprot = "tcp"\nname = "in"\naddr = "127.0.0.1"\nport = {port}', "in use"),
                ('kind = "connect"\nprot = "tcp"\nhost = "127.0.0.1"\nport = 1', "refused"),
                ('kind = "connect"\nprot = "tcp"\nhost = "nonexistent.invalid"\nport = 1', "no host"),
                ('kind = "connect"\nprot = "tls"\nhost = "localhost"\nport = 1', "refused")]:
            done = host.run(keep, host.request(guest, f"[[files]]\n{entry}\n"))
            assert done.code == 1 and done.said(said), (entry, done)


def test_it_is_static(build):
    """No interpreter, no libraries: a TEE has neither."""
    program = build / "src/keep/broch-keep"
    shown = subprocess.run(["readelf", "-ldW", program], capture_output=True, text=True, check=True).stdout
    assert "INTERP" not in shown and "NEEDED" not in shown and "DYN" in shown
    stripped = build / "keep_stripped"
    subprocess.run(["strip", "-o", stripped, program], check=True)
    assert stripped.stat().st_size < 8 << 20
