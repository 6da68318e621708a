"""The WebAssembly test suite on the engine, and that its runner fails when it should."""
import collections
import concurrent.futures
import json
import os
import re
import subprocess

import pytest

from conftest import SHARED

SUITE = SHARED / "wasm-testsuite"
SCRIPTS = sorted(str(path.relative_to(SUITE)) for path in SUITE.rglob("*.wast"))
BOUNDS = ["explicit", "guard"]


@pytest.fixture
def wast(build):
    def run(*words, cwd=SUITE):
        return subprocess.run([build / "tests/conformance/wast/wast", *words], cwd=cwd,
                              capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              timeout=300, check=False)
    return run


@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("script", SCRIPTS)
def test_script(script, bounds, wast, record_property):
    done = wast("--bounds", bounds, script)
    record_property("detail", f"{bounds}: {done.stdout.partition(chr(10))[0]}")
    if done.returncode != 0:
        pytest.fail(done.stderr, pytrace=False)


@pytest.mark.parametrize("bounds", BOUNDS)
def test_nothing_is_left_out(bounds, wast, record_property):
    """Every assertion in the scripts was counted, and few of them as anything but passed."""
    total = json.loads(wast("--bounds", bounds, "--json", ".").stdout)
    assert sorted(entry["file"] for entry in total["files"]) == SCRIPTS
    absent = sum(total["not_supported"].values())
    superseded = sum(total["superseded"].values())
    written = sum(len(re.findall(r"^[ ]*\(assert_", (SUITE / script).read_text(), re.MULTILINE))
                  for script in SCRIPTS)
    assert total["passed"] + total["failed"] + absent + superseded == written
    assert total["passed"] > 49_000 and superseded < 30
    features = collections.Counter(total["not_supported"])
    assert set(features) <= {"threads", "exception handling", "relaxed SIMD", "memory64",
                             "garbage collection"}
    for entry in total["files"]:
        if entry["file"].startswith(("core/", "proposals/multi", "proposals/tail", "proposals/ext")):
            assert sum(entry["not_supported"].values()) <= 3, entry
    record_property("detail", f"{bounds}: {total['passed']} passed, {absent} not supported, "
                              f"{superseded} superseded, of {written}")


@pytest.mark.parametrize("bounds", BOUNDS)
def test_the_suite_on_aarch64(bounds, wast, aarch64, record_property):
    """A process for each script: the emulator keeps what it knew of reservations that are gone. With
    guard pages only those that have a memory: to the others the mode means nothing."""
    def run(script):
        words = ["--bounds", bounds, "--json", script]
        there = subprocess.run([*aarch64("tests/conformance/wast/wast"), *words], cwd=SUITE,
                               capture_output=True, text=True, stdin=subprocess.DEVNULL,
                               timeout=300, check=False)
        return script, there, wast(*words)

    scripts = [name for name in SCRIPTS
               if bounds == "explicit" or b"memory" in (SUITE / name).read_bytes()]
    passed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for script, there, here in pool.map(run, scripts):
            assert there.returncode == 0, there.stderr
            assert there.stdout == here.stdout, script
            passed += json.loads(there.stdout)["passed"]
    record_property("detail", f"aarch64, {bounds}: {passed} passed in {len(scripts)} scripts")


# ---- the runner itself ----

ONE = '(module (func (export "f") (result i32) (i32.const 1)))\n'
TRAP = '(module (func (export "f") unreachable))\n'
NAN = '(module (func (export "f") (result f32) (f32.const nan:0x600000)))\n'
ZERO = '(module (func (export "f") (result f64) (f64.const -0)))\n'
LANES = '(module (func (export "f") (result v128) (v128.const i32x4 1 2 3 4)))\n'
REF = '(module (func (export "f") (param externref) (result externref) (local.get 0)))\n'


@pytest.mark.parametrize("script, line, said", [
    (ONE + '(assert_return (invoke "f") (i32.const 2))', 2, "(i32.const 2), got (i32 0x1)"),
    (ONE + '(assert_return (invoke "f") (i64.const 1))', 2, "got (i32 0x1)"),
    (ONE + '(assert_return (invoke "f"))', 2, "got (i32 0x1)"),
    (ONE + '(assert_return (invoke "f") (i32.const 1) (i32.const 1))', 2, "got (i32 0x1)"),
    (ONE + '(assert_return (invoke "f") (either (i32.const 2) (i32.const 3)))', 2, "got (i32 0x1)"),
    (ONE + '(assert_return (invoke "f" (i32.const 1)) (i32.const 1))', 2, "too many arguments"),
    (ONE + '(assert_return (invoke "g") (i32.const 1))', 2, "no such export"),
    (ONE + '(assert_return (get "f") (i32.const 1))', 2, "no such export"),
    (ONE + '(assert_return (invoke $M "f") (i32.const 1))', 2, "no such module"),
    (ONE + '(assert_trap (invoke "f") "unreachable")', 2, "got (i32 0x1)"),
    (ONE + '(invoke "g")', 2, "no such export"),
    (ONE + '(register "M" $M)', 2, "no such module"),
    (ONE + '(assert_nothing (invoke "f"))', 2, "no such action"),
    (TRAP + '(assert_trap (invoke "f") "integer overflow")', 2, 'got trap: unreachable'),
    (TRAP + '(assert_return (invoke "f"))', 2, "got trap: unreachable"),
    (TRAP + '(assert_exhaustion (invoke "f") "call stack exhausted")', 2, "got trap: unreachable"),
    (TRAP + '(invoke "f")', 2, "expected success, got trap"),
    (NAN + '(assert_return (invoke "f") (f32.const nan:canonical))', 2, "got (f32 0x7fe00000)"),
    (NAN + '(assert_return (invoke "f") (f32.const 1))', 2, "got (f32 0x7fe00000)"),
    (ZERO + '(assert_return (invoke "f") (f64.const 0))', 2, "got (f64 0x8000000000000000)"),
    (LANES + '(assert_return (invoke "f") (v128.const i32x4 1 2 3 5))', 2, "got (v128 01"),
    (REF + '(assert_return (invoke "f" (ref.extern 1)) (ref.extern 2))', 2, "got (externref 1)"),
    (REF + '(assert_return (invoke "f" (ref.extern 0)) (ref.null extern))', 2, "got (externref 0)"),
    ('(assert_invalid (module) "type mismatch")', 1, "got no error"),
    ('(assert_invalid (module (func (drop))) "type mismatch")\n(module (func (drop)))', 2,
     "got invalid module: type mismatch"),
    ('(assert_invalid (module (func (drp))) "type mismatch")', 1, "got malformed module"),
    ('(assert_malformed (module quote "(func)") "unexpected token")', 1, "got no error"),
    ('(assert_malformed (module quote "(func drop)") "unexpected token")', 1, "got invalid module"),
    ('(assert_malformed (module binary "\\00asm\\01\\00\\00\\00") "unexpected end")', 1,
     "got no error"),
    ('(assert_unlinkable (module) "unknown import")', 1, "got no error"),
    ('(assert_unlinkable (module (import "spectest" "print" (func (param i32)))) "unknown import")',
     1, "got unlinkable module: incompatible import type"),
    ('(module (import "spectest" "nothing" (func)))', 1, "got unlinkable module: unknown import"),
    ('(module (func $a) (func $a))', 1, "duplicate func"),
    ('(func) (func (drop))', 1, "got invalid module"),
    ('\n(what)', 2, "no such action"),
])
def test_failures_are_found(script, line, said, wast, tmp_path):
    (tmp_path / "x.wast").write_text(script)
    done = wast("x.wast", cwd=tmp_path)
    assert done.returncode == 1
    assert re.fullmatch(rf"x\.wast:{line}: expected .*\n", done.stderr) and said in done.stderr
    assert ", 1 failed\ntotal: " in done.stdout


@pytest.mark.parametrize("script, counts", [
    (ONE + '(assert_return (invoke "f") (i32.const 0x0_1))', "1 passed"),
    (NAN + '(assert_return (invoke "f") (f32.const nan:arithmetic))', "1 passed"),
    ('(assert_malformed (module quote "(func") "unexpected token")', "1 passed"),
    ('(@note (anything "at" all)) (module (@custom "x"))' + ONE, "0 passed"),
    ('(module (memory i64 1) (func (export "f")))(assert_return (invoke "f"))',
     "0 passed, 1 not supported: memory64, 1 other commands not supported: memory64"),
    ('(module $M (memory 1 1 shared))(register "M" $M)(assert_unlinkable '
     '(module (import "M" "m" (func))) "unknown import")',
     "0 passed, 1 not supported: threads, 2 other commands not supported: threads"),
    ('(assert_invalid (module (memory 0) (memory 0)) "multiple memories")',
     "0 passed, 1 superseded: multi-memory"),
])
def test_counts(script, counts, wast, tmp_path):
    (tmp_path / "x.wast").write_text(script)
    done = wast("x.wast", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout == f"x.wast: {counts}\ntotal: {counts}\n"


@pytest.mark.parametrize("words, said", [
    ([], "usage: wast"),
    (["--frobnicate", "x.wast"], "--frobnicate: unknown option"),
    (["--bounds", "none", "x.wast"], "--bounds: unknown option, or a wrong value"),
    (["absent.wast"], "absent.wast: No such file"),
    (["empty"], "empty: no script"),
    (["open.wast"], "open.wast: line 2: unbalanced parentheses"),
    (["string.wast"], "string.wast: line 1: unclosed string"),
    (["comment.wast"], "comment.wast: line 1: unclosed comment"),
    (["bytes.wast"], "bytes.wast: line 1: malformed UTF-8 encoding"),
    (["deep.wast"], "deep.wast: line 1: nested too deeply"),
])
def test_what_cannot_be_run(words, said, wast, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "open.wast").write_text("(module\n")
    (tmp_path / "string.wast").write_text('(module "')
    (tmp_path / "comment.wast").write_text("(; (; ;)")
    (tmp_path / "bytes.wast").write_bytes(b"(module) ;; \xff")
    (tmp_path / "deep.wast").write_text("(" * 100_000)
    done = wast(*words, cwd=tmp_path)
    assert done.returncode == 2 and said in done.stderr


def test_help_and_json(wast, tmp_path):
    assert wast("--help").returncode == 0
    (tmp_path / "a\"b").mkdir()
    (tmp_path / "a\"b/x.wast").write_text(ONE + '(assert_return (invoke "f") (i32.const 1))')
    shown = json.loads(wast("--json", ".", cwd=tmp_path).stdout)
    assert shown["passed"] == 1 and shown["files"][0]["file"] == 'a"b/x.wast'
