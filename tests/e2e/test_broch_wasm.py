"""broch-wasm from the command line: what it prints, and what it says of bad input."""
import re
import subprocess
import sys

import pytest


@pytest.fixture
def broch_wasm(build):
    def run(*words):
        return subprocess.run([build / "src/wasm_tool/broch-wasm", *words], capture_output=True,
                              text=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
    return run


@pytest.fixture
def corpus(root):
    return root / "tests/corpus/wasm"


def test_help_and_no_command(broch_wasm):
    shown = broch_wasm("--help")
    assert shown.returncode == 0 and shown.stdout.startswith("usage: broch-wasm")
    for words in ([], ["frobnicate"]):
        refused = broch_wasm(*words)
        assert refused.returncode == 2 and refused.stderr == shown.stdout


@pytest.mark.parametrize("bounds", ["explicit", "guard"])
def test_run_prints_results(broch_wasm, corpus, bounds):
    done = broch_wasm("run", "--bounds", bounds, "--invoke", "run", corpus / "fib.wasm", "10")
    assert done.returncode == 0 and re.fullmatch(r"-?\d+\n", done.stdout)


def test_validate_and_dump(broch_wasm, corpus):
    sample = corpus / "sample.wasm"
    assert broch_wasm("validate", sample).stdout == f"{sample}: valid\n"
    listing = broch_wasm("dump", sample).stdout
    assert 'import "host" "twice" func 0 (i32) -> (i32)' in listing
    assert 'export "memory" memory 0 min 1 max 4' in listing
    assert "br_i32_" not in listing
    assert "br_i32_" in broch_wasm("dump", "--ir", sample).stdout


def test_malformed_module_has_offset_and_reason(broch_wasm, corpus, tmp_path):
    whole = (corpus / "sample.wasm").read_bytes()
    bad = tmp_path / "bad.wasm"
    for size in range(0, len(whole), 7):
        bad.write_bytes(whole[:size])
        refused = broch_wasm("validate", bad)
        if size != 8:  # a header alone is a module
            assert refused.returncode == 1, size
            assert re.fullmatch(rf"broch-wasm: {bad}: .*offset \d+\n", refused.stderr), size


@pytest.mark.parametrize("words, status, said", [
    (["validate"], 2, "a module's file is missing"),
    (["validate", "/nowhere/x.wasm"], 1, "cannot open: No such file or directory"),
    (["run", "{fib}", "1"], 2, "--invoke NAME is missing"),
    (["run", "--invoke", "nothing", "{fib}"], 1, "the module exports no such function"),
    (["run", "--invoke", "run", "{fib}"], 2, "takes 1 arguments, not 0"),
    (["run", "--invoke", "run", "{fib}", "ten"], 2, "ten: not a value of type i32"),
    (["run", "--invoke", "run", "{fib}", "4294967296"], 2, "not a value of type i32"),
    (["run", "--bounds", "none", "--invoke", "run", "{fib}", "1"], 2, "unknown option"),
    (["run", "--invoke", "fib", "{sample}", "1"], 1, 'imports "twice" from "host"'),
    (["run", "--fuel", "100", "--invoke", "run", "{fib}", "30"], 1, "trap: out of fuel"),
])
def test_mistakes(broch_wasm, corpus, words, status, said):
    files = {"fib": corpus / "fib.wasm", "sample": corpus / "sample.wasm"}
    refused = broch_wasm(*[w.format(**files) for w in words])
    assert refused.returncode == status and said in refused.stderr
    assert refused.stdout == ""


def test_trap_has_a_back_trace(broch_wasm, corpus):
    lines = broch_wasm("run", "--fuel", "100", "--invoke", "run", corpus / "fib.wasm",
                       "30").stderr.splitlines()
    assert re.fullmatch(r"  in function \d+( \(.*\))?, offset \d+", lines[1])
    assert re.fullmatch(r"  called by function \d+( \(.*\))?, offset \d+", lines[2])


def named(name):
    """A module with a function that traps, exported under that name."""
    export = bytes([1, len(name)]) + name + b"\0\0"
    return b"".join([b"\0asm\1\0\0\0", bytes([1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 7, len(export)]), export,
                     bytes([10, 5, 1, 3, 0, 0, 0x0b])])


@pytest.mark.parametrize("name, shown", [
    (b"a\x1b[31m\x7f", "a.[31m."),
    (b"a\xc2\x9b31m\xc2\xa0", "a.31m\xa0"),
    (b"x" * 120, "x" * 120),
])
def test_names_do_not_reach_the_terminal_as_they_are(broch_wasm, tmp_path, name, shown):
    module = tmp_path / "named.wasm"
    module.write_bytes(named(name))
    assert f'export "{shown}" func 0' in broch_wasm("dump", module).stdout
    trap = broch_wasm("run", "--invoke", name, module).stderr
    assert trap.startswith("broch-wasm: trap: unreachable\n")
    assert f"in function 0 ({shown}), offset" in trap


def test_kernels_agree_with_their_native_builds(root, build, record_property):
    """Real compiler output, in both bounds modes: the same checksums as the native programs."""
    done = subprocess.run([sys.executable, root / "bench/wasm/bench_wasm.py", build, "--check"],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    agreed = len(re.findall(r"^\w+ +agrees$", done.stdout, re.MULTILINE))
    assert agreed > 20
    record_property("detail", f"{agreed} kernels agree with their native builds")
