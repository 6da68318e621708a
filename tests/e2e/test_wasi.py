"""WASI preview 1, function by function: guests that call the raw imports, each with what must work and what must be
refused; in the sandbox, on aarch64 in an emulator, and under the sanitizers."""
import collections
import os
import re
import shutil
import socket
import subprocess

import pytest

import keep_host
import programs

CLANG = ["clang-14", "--target=wasm32-wasi", "-O1", "-g0", "-Wall", "-Wextra", "-Werror"]
LINE = re.compile(r"ok (\w+) ([+-]) (.*)")
MACHINES = ["x86-64", "kvm", "snp", "sgx", "aarch64", "sanitizers"]

# function -> [how many cases it passed, how many refusals], by whoever ran
seen = collections.defaultdict(lambda: [0, 0])


@pytest.fixture(scope="module")
def guest(root, build):
    folder = build / "wasi"
    folder.mkdir(exist_ok=True)

    def compile_guest(name):
        out = folder / f"{name}.wasm"
        subprocess.run([*CLANG, root / f"tests/e2e/wasi/{name}.c", "-o", out], check=True)
        return out
    return compile_guest


@pytest.fixture(params=MACHINES)
def run(request, root, build, aarch64, tmp_path):
    """Runs a guest; gives its exit code, output and log."""
    def by_broch(command, module, args, env, config, stdin):
        words = []
        if config is not None:
            (tmp_path / "Keep.toml").write_text(config)
            words += ["--wasmcfgfile", tmp_path / "Keep.toml"]
        for variable in env:
            words += ["--env", variable]
        done = subprocess.run([*command, *words, module, "--", *args], capture_output=True, text=True,
                              input=stdin, timeout=120, check=False)
        return done.returncode, done.stdout, done.stderr

    def directly(module, args, env, config, stdin):
        boot = keep_host.request(module.read_bytes(), config, args, env)
        done = keep_host.run([str(root / "build/sanitize/src/keep/broch-keep")], boot, stdin=stdin.encode(),
                             timeout=240)
        return done.code, done.out, done.err + "\n".join(line for _, line in done.log)

    def start(module, *args, env=(), config=None, stdin=""):
        if request.param == "sanitizers":
            return directly(module, args, env, config, stdin)
        command = [build / "src/cli/broch", "run"]
        if request.param in ("kvm", "snp", "sgx"):
            command += request.getfixturevalue(request.param)
        if request.param == "aarch64":
            emulator, program = aarch64("src/cli/broch")
            command = [emulator, program, "run", "--insecure-no-sandbox", "--emulator", shutil.which(emulator)]
        return by_broch(command, module, args, env, config, stdin)
    return start


def functions_of_preview_1():
    """From the C library's header, so that the list is not ours. It leaves proc_raise out, which C programs have
    no need of."""
    done = subprocess.run([*CLANG, "-E", "-P", "-x", "c", "-"], input="#include <wasi/api.h>\n", capture_output=True,
                          text=True, check=True)
    return sorted({*re.findall(r"(?:__wasi_errno_t|_Noreturn void) __wasi_(\w+)\s*\(", done.stdout), "proc_raise"})


def judge(code, out, log, record_property):
    lines = [line for line in out.splitlines() if line]
    bad = [line for line in lines if not LINE.fullmatch(line)]
    assert bad == [] and code == 0, f"{bad}\n{log}"
    for line in lines:
        function, sign, _ = LINE.fullmatch(line).groups()
        seen[function][sign == "-"] += 1
    record_property("detail", f"{len(lines)} cases")


@pytest.mark.parametrize("name, args, env", [
    ("process", ["one", ""], ["A=1", "B=x=y"]),
    ("files", [], []),
    ("paths", [], []),
    ("readdir", [], []),
    ("poll", [], []),
    ("rights", [], []),
])
def test_functions(run, guest, record_property, name, args, env):
    judge(*run(guest(name), *args, env=env), record_property)


def test_sockets(run, guest, record_property):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port, taken_port = programs.free_port(), taken.getsockname()[1]
        config = (f'[stdout]\nkind = "host"\n[network.incoming.{port}]\nprot = "tcp"\n'
                  f'[network.incoming.{taken_port}]\nprot = "tcp"\n[network.outgoing.default]\nprot = "tcp"\n')
        judge(*run(guest("sock"), str(port), str(taken_port), config=config), record_property)


@pytest.mark.parametrize("how, number, code, said", [
    ("exit", 0, 0, ""), ("exit", 1, 1, ""), ("exit", 255, 255, ""),
    ("exit", 256, 255, "above 255"), ("exit", 2**32 - 1, 255, "above 255"),
    ("raise", 1, 129, "signal=1"), ("raise", 6, 134, "signal=6"), ("raise", 9, 137, "signal=9"),
    ("raise", 30, 158, "signal=30"),
])
def test_ends(run, guest, how, number, code, said):
    got, out, log = run(guest("end"), how, str(number))
    assert (got, out) == (code, "before\n") and said in log
    seen["proc_exit" if how == "exit" else "proc_raise"][number > 255] += 1


def test_a_function_of_another_type_is_refused(run, tmp_path):
    """The refusal of sched_yield, which takes nothing that could be wrong."""
    source, module = tmp_path / "m.c", tmp_path / "m.wasm"
    source.write_text('__attribute__((import_module("wasi_snapshot_preview1"), import_name("sched_yield")))\n'
                      "int yield(int wrong);\nint main(void) { return yield(1); }\n")
    subprocess.run([*CLANG, source, "-o", module], check=True)
    code, _, log = run(module)
    assert code == 1 and "another type module=wasi_snapshot_preview1 name=sched_yield" in log
    seen["sched_yield"][1] += 1


def test_every_function_has_both_kinds_of_case(root, build, record_property):
    """The table: what works and what is refused, for each function. It is left in the build, too."""
    names = functions_of_preview_1()
    ours = re.findall(r"^WASI\((\w+),", (root / "src/wasi/wasi.def").read_text(), re.MULTILINE)
    assert len(names) == 46 and names == sorted(ours)
    if not seen:
        pytest.fail("this test needs those before it: run all of test_wasi.py")
    rows = [(name, *seen[name]) for name in names]
    lines = [f"{name:28} {works:4} work {refused:4} are refused" for name, works, refused in rows]
    (build / "wasi-table.txt").write_text("\n".join(lines) + "\n")
    for line in lines:
        record_property("detail", line)
    assert [row for row in rows if 0 in row] == []


def test_soak_of_files(build, guest, record_property):
    """Files, links, directories, again and again: memory and descriptors stay as they were after the first."""
    count = 100_000 if os.environ.get("BROCH_FULL") else 5_000
    command = [build / "src/cli/broch", "run", guest("soak"), "--", str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "1000 0\n"
        keep = programs.keep_of(child.pid)

        def taken():
            return programs.resident_kib(keep), programs.descriptor_count(keep)
        before = taken()
        while (line := child.stdout.readline()) != f"{count} 0\n":
            assert re.fullmatch(r"\d+ 0\n", line)
        after = taken()
        child.stdin.close()
        assert child.wait(60) == 0
    record_property("detail", f"{count} times, {after[0]} KiB resident, {after[1]} descriptors")
    assert after[1] == before[1]
    assert after[0] <= before[0] + 256
