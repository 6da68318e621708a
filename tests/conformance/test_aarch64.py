"""The engine on aarch64, in an emulator: the same results as on this machine.

Every function that a module of the fuzzers' seeds exports is called here with explicit bounds checks,
there in both bounds modes. tests/e2e/test_languages.py runs its modules there too, and the seeds are
replayed there as unit tests. Any other program of the build runs there through the fixture `aarch64`.
"""
import re
import subprocess

import pytest

TOOL = "src/wasm_tool/broch-wasm"
FUEL = 300_000  # whoever does not end traps, at the same place
NUMBERS = {"i32": ["0", "1", "-3", "1000"], "i64": ["7", "-1", "4294967296", "100"],
           "f32": ["0.1", "-1e30"], "f64": ["-0.1", "1e300"]}

# (module (memory 1) (func (export "load") (param i32) (result i32) local.get 0 i32.load))
LOAD = bytes.fromhex("0061736d 01000000 0106 01 60 017f 017f 0302 01 00 0503 01 00 01"
                     "0708 01 04 6c6f6164 00 00 0a09 01 07 00 2000 280200 0b")


def said(*command):
    """Exit status and text. Which NaN an operation makes, and so its sign, is the machine's."""
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=120, check=False)
    return done.returncode, done.stdout.replace("-nan", "nan"), done.stderr


def calls(tool, module):
    """What to call: --invoke's name and its arguments, four times each function."""
    listing = said(tool, "dump", module)[1]
    if re.search("^import", listing, re.MULTILINE):
        return []
    functions = re.findall(r'^export "(.*)" func \d+ \((.*)\) -> ', listing, re.MULTILINE)
    return [(name, [NUMBERS[t][(at + i) % len(NUMBERS[t])] for i, t in enumerate(types.split())])
            for name, types in functions for at in range(4)
            if all(t in NUMBERS for t in types.split())]


@pytest.fixture(params=["explicit", "guard"])
def run_there(aarch64, request):
    return lambda *words: said(*aarch64(TOOL), "run", "--bounds", request.param, *words)


def test_runs_there(aarch64):
    status, out, err = said(*aarch64(TOOL), "--help")
    assert status == 0 and out.startswith("usage: broch-wasm") and err == ""


def test_exports_agree(root, build, run_there, record_property):
    count = trapped = 0
    for module in sorted((root / "tests/corpus/wasm").glob("*.wasm")):
        for name, args in calls(build / TOOL, module):
            words = ["--fuel", str(FUEL), "--invoke", name, module, *args]
            here = said(build / TOOL, "run", *words)
            assert run_there(*words) == here, (module.name, name, args)
            count += 1
            trapped += here[0] != 0
    assert count - trapped > 10
    record_property("detail", f"{count} calls agree, {trapped} of them traps")


@pytest.mark.parametrize("address", [0, 65532, 65533, 65536, 2**31, 2**32 - 1])
def test_bounds(build, run_there, tmp_path, address):
    """With guard pages the access faults, there as here."""
    module = tmp_path / "load.wasm"
    module.write_bytes(LOAD)
    words = ["--invoke", "load", module, str(address)]
    status, _, err = run_there(*words)
    assert status == (0 if address + 4 <= 65536 else 1)
    if status == 1:
        assert err.startswith("broch-wasm: trap: out of bounds memory access\n")
    for bounds in "explicit", "guard":
        assert said(build / TOOL, "run", "--bounds", bounds, *words)[2] == err
