"""`broch run`: modules and packages from the command line, in the sandbox."""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

CLANG = ["clang-14", "--target=wasm32-wasi", "-O1", "-g0"]
TCP = '[stdout]\nkind = "host"\n[stderr]\nkind = "host"\n[network.outgoing.default]\nprot = "tcp"\n'


@pytest.fixture(scope="module")
def guest(root, build):
    out = build / "run_guest.wasm"
    subprocess.run([*CLANG, root / "tests/e2e/keep/guest.c", "-o", out], check=True)
    return out


@pytest.fixture(params=["x86-64", "aarch64"])
def broch(request, build, aarch64):
    """Runs broch with words; in an emulator there is no sandbox to be had."""
    def run(*words, **options):
        if request.param == "aarch64":
            command = [*aarch64("src/cli/broch")]
            if words[0] == "run":
                words = ["run", "--insecure-no-sandbox", "--emulator", shutil.which(command[0]), *words[1:]]
        else:
            command = [build / "src/cli/broch"]
        options = {"stdin": subprocess.DEVNULL, "timeout": 60, **options}
        return subprocess.run([*command, *words], capture_output=True, text=True, check=False, **options)
    run.sandboxed = request.param == "x86-64"
    return run


def test_exit_code_and_output(broch, guest):
    done = broch("run", guest)
    assert (done.returncode, done.stdout) == (7, "hello\n")
    assert done.stderr == "" or not broch.sandboxed
    assert broch("run", guest, "--", "exit", "42").returncode == 42


def test_without_a_sandbox_it_says_so(broch, guest):
    said = broch("run", guest).stderr
    assert ("without a sandbox" in said) == (not broch.sandboxed)


def test_the_sandbox_cannot_be_left_out(build, guest, aarch64):
    done = subprocess.run([build / "src/cli/broch", "run", "--insecure-no-sandbox", guest],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "--insecure-no-sandbox" in done.stderr
    done = subprocess.run([*aarch64("src/cli/broch"), "run", guest], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "there is no sandbox for this machine" in done.stderr


def test_environment(broch, guest):
    assert broch("run", "--env", "A=1", "--env", "B=2", guest, "--", "env").stdout == "1 2\n"
    assert broch("run", guest, "--", "env", env={**os.environ, "A": "host"}).stdout == "- -\n"


def test_trap(broch, guest):
    done = broch("run", guest, "--", "trap")
    assert done.returncode == 134
    assert "the workload trapped trap=unreachable" in done.stderr
    assert re.search(r"in function=\d+ name=(fall_into_the_trap|main) offset=\d+", done.stderr)


def test_log_as_json(broch, guest):
    done = broch("run", guest, "--", "trap", env={**os.environ, "BROCH_LOG": "json"})
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert any("the workload trapped" in line["msg"] and line["level"] == "error" for line in lines)


def test_fuel_memory_timeout(broch, guest):
    done = broch("run", "--fuel", "100000", guest, "--", "loop")
    assert done.returncode == 134 and "out of fuel" in done.stderr
    assert broch("run", "--max-memory", "8MiB", guest, "--", "memory", "16").stdout == "none\n"
    assert broch("run", "--max-memory", "32MiB", guest, "--", "memory", "16").stdout == "got it\n"
    start = time.monotonic()
    done = broch("run", "--timeout", "1", guest, "--", "loop")
    assert done.returncode == 124 and "--timeout" in done.stderr
    assert 1 <= time.monotonic() - start < 30


@pytest.mark.parametrize("words, code, said", [
    (["run"], 2, "MODULE"),
    (["run", "--fuel", "x", "m"], 2, "--fuel: takes a number"),
    (["run", "--fuel", "-1", "m"], 2, "--fuel: takes a number"),
    (["run", "--max-memory", "1", "m"], 2, "--max-memory"),
    (["run", "--max-memory", "lots", "m"], 2, "--max-memory"),
    (["run", "--timeout", "0", "m"], 2, "--timeout"),
    (["run", "--env", "novalue", "m"], 2, "NAME=VALUE"),
    (["run", "--env", "=v", "m"], 2, "NAME=VALUE"),
    (["run", "--backend", "sgxx", "m"], 2, "sgxx"),
    (["run", "--bakcend", "nil", "m"], 2, "--backend"),
    (["run", "/nonexistent.wasm"], 1, "/nonexistent.wasm: "),
    (["run", "--wasmcfgfile", "/nonexistent.toml", "/bin/sh"], 1, "/nonexistent.toml"),
    (["run", "/dev/null"], 1, "no regular file"),
    (["run", "/bin/sh"], 1, "bad module"),
])
def test_mistakes(broch, words, code, said):
    done = broch(*words)
    assert done.returncode == code and said in done.stderr, done
    assert done.stdout == ""


def test_a_bad_configuration_is_named_as_it_was_given(broch, guest, tmp_path):
    config = tmp_path / "my.toml"
    config.write_text('args = []\nstewart = "https://a.example"\n')
    done = broch("run", "--wasmcfgfile", config, guest)
    assert done.returncode == 1 and f"{config}:2:1: " in done.stderr and "steward" in done.stderr


def test_the_form_goes_by_the_name(broch, guest, tmp_path):
    """A TLS entry without peers: an error in Keep.toml, Enarx's meaning in Enarx.toml."""
    for name, code in [("Keep.toml", 1), ("Enarx.toml", 7)]:
        (tmp_path / name).write_text('[stdout]\nkind = "host"\n[network.incoming.1]\nprot = "tls"\n')
        assert broch("run", "--wasmcfgfile", tmp_path / name, guest).returncode == code


def test_a_directory_is_a_package(broch, guest, tmp_path):
    shutil.copy(guest, tmp_path / "main.wasm")
    (tmp_path / "Keep.toml").write_text('args = ["cat", "/data/text"]\n')
    (tmp_path / "data").mkdir()
    (tmp_path / "data/text").write_text("content\n")
    done = broch("run", tmp_path)
    assert (done.returncode, done.stdout) == (0, "content\n")
    done = broch("run", "--wasmcfgfile", tmp_path / "Keep.toml", tmp_path)
    assert done.returncode == 2 and "its own configuration" in done.stderr
    (tmp_path / "data/link").symlink_to("text")
    done = broch("run", tmp_path)
    assert done.returncode == 1 and "data/link" in done.stderr
    (tmp_path / "data/link").unlink()
    (tmp_path / "main.wasm").unlink()
    assert "no main.wasm" in broch("run", tmp_path).stderr
    (tmp_path / "Keep.toml").write_text("nonsense\n")
    assert f"{tmp_path}/Keep.toml:1:" in broch("run", tmp_path).stderr


def test_unknown_import(broch, tmp_path):
    source, module = tmp_path / "m.c", tmp_path / "m.wasm"
    source.write_text('__attribute__((import_module("env"), import_name("teleport"))) void f(void);\n'
                      "int main(void) { f(); return 0; }\n")
    subprocess.run([*CLANG, source, "-o", module], check=True)
    done = broch("run", module)
    assert done.returncode == 1 and done.stdout == ""
    assert "imports what Broch does not have module=env name=teleport" in done.stderr


def test_names_are_resolved(broch, guest, tmp_path):
    config = tmp_path / "Keep.toml"
    config.write_text(TCP)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = broch("run", "--wasmcfgfile", config, guest, "--", "connect", f"/net/con/localhost:{port}")
        assert (done.returncode, done.stdout) == (0, "connected\n")
    done = broch("run", "--wasmcfgfile", config, guest, "--", "connect", "/net/con/nonexistent.invalid:1")
    assert (done.returncode, done.stdout) == (1, "No such file or directory\n")


def test_a_terminal_is_a_terminal(build, guest, tmp_path):
    source, module = tmp_path / "m.c", tmp_path / "m.wasm"
    source.write_text("#include <stdio.h>\n#include <unistd.h>\nint main(void)\n"
                      '{ printf("%d%d%d\\n", isatty(0), isatty(1), isatty(2)); return 0; }\n')
    subprocess.run([*CLANG, source, "-o", module], check=True)
    command = [str(build / "src/cli/broch"), "run", str(module)]
    assert subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          check=True).stdout == "000\n"
    ours, theirs = os.openpty()
    child = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL)
    os.close(theirs)
    assert os.read(ours, 100).startswith(b"110")
    assert child.wait(30) == 0
    os.close(ours)


def keeps_of(pid):
    """The processes below one."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True,
                           check=False).stdout.split()
    return [int(p) for p in found]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_a_keep_does_not_outlive_its_loader(build, guest, number):
    # what runs the tests in the background may have told them to ignore SIGINT, which a child inherits
    child = subprocess.Popen([build / "src/cli/broch", "run", guest, "--", "loop"],
                             preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    deadline = time.monotonic() + 20
    while not (keeps := keeps_of(child.pid)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert keeps
    child.send_signal(number)
    assert child.wait(20) == -number
    while any(pathlib.Path(f"/proc/{p}").exists() for p in keeps) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(pathlib.Path(f"/proc/{p}").exists() for p in keeps)


def test_a_killed_keep_is_reported(build, guest):
    child = subprocess.Popen([build / "src/cli/broch", "run", guest, "--", "loop"], stderr=subprocess.PIPE,
                             text=True)
    deadline = time.monotonic() + 20
    while not (keeps := keeps_of(child.pid)) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(keeps[0], signal.SIGKILL)
    _, said = child.communicate(timeout=20)
    assert child.returncode == 137 and "killed by signal 9" in said


def test_an_installation_that_is_not_whole(build, guest, tmp_path):
    shutil.copy(build / "src/cli/broch", tmp_path)
    done = subprocess.run([tmp_path / "broch", "run", guest], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "broch-keep: is neither beside this program" in done.stderr
    shutil.copy(build / "src/keep/broch-keep", tmp_path)
    assert subprocess.run([tmp_path / "broch", "run", guest], check=False).returncode == 7


def test_closed_standard_descriptors(build, guest):
    """Nothing else comes to have their numbers."""
    script = f"exec {build}/src/cli/broch run {guest} <&- >&- 2>&-"
    assert subprocess.run(["sh", "-c", script], check=False, stdout=subprocess.PIPE).returncode == 7
