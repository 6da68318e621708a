"""The opcodes of src/wasm/ops.def against those of another assembler. The scripts of the suite cannot
find a wrong one: the engine and the reader of scripts share the list."""
import re
import subprocess

import pytest

# clang 14 has some names from before the specification was final.
OTHER_NAMES = {
    "v128.load8x8_s": "i16x8.load8x8_s", "v128.load8x8_u": "i16x8.load8x8_u",
    "v128.load16x4_s": "i32x4.load16x4_s", "v128.load16x4_u": "i32x4.load16x4_u",
    "v128.load32x2_s": "i64x2.load32x2_s", "v128.load32x2_u": "i64x2.load32x2_u",
    "f32x4.demote_f64x2_zero": "f32x4.demote_zero_f64x2",
    "i32x4.trunc_sat_f64x2_s_zero": "i32x4.trunc_sat_zero_f64x2_s",
    "i32x4.trunc_sat_f64x2_u_zero": "i32x4.trunc_sat_zero_f64x2_u",
}
# What stands behind a name; lines of other kinds have nothing there.
OPERANDS = {"LOAD": "0", "STORE": "0", "SIMD_LOAD": "0", "SIMD_LOAD_LANE": "0, 0",
            "SIMD_STORE_LANE": "0, 0", "SIMD_EXTRACT": "0", "SIMD_REPLACE": "0"}
MISC = {"unreachable": "", "nop": "", "return": "", "drop": "", "local_get": "0", "local_set": "0",
        "local_tee": "0", "i32_const": "0", "i64_const": "0", "f32_const": "0.0",
        "f64_const": "0.0", "memory_size": "0", "memory_grow": "0", "memory_init": "0, 0",
        "data_drop": "0", "memory_copy": "0, 0", "memory_fill": "0",
        "i8x16_shuffle": ", ".join("0" * 16)}


def instructions(root):
    """Name, operands and opcode of all that clang 14 can assemble without relocations."""
    text = (root / "src/wasm/ops.def").read_text()
    for kind, code, name in re.findall(r"^([A-Z_]+)\((0x[0-9a-f]+), (\w+)", text, re.MULTILINE):
        if kind != "MISC":
            yield name.replace("_", ".", 1), OPERANDS.get(kind, ""), int(code, 16)
        elif name in MISC:
            yield name.replace("_", ".", 1), MISC[name], int(code, 16)


def leb128(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7f) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def bodies(module):
    """The function bodies of a module."""
    at = 8
    while at < len(module):
        section = module[at]
        size, at = leb128(module, at + 1)
        end = at + size
        if section == 10:
            _, at = leb128(module, at)
            while at < end:
                size, at = leb128(module, at)
                yield module[at:at + size]
                at += size
        at = end


@pytest.fixture(scope="module")
def assembled(root, tmp_path_factory):
    """A body for each instruction, made by clang."""
    folder = tmp_path_factory.mktemp("opcodes")
    lines = ["\t.text"]
    for i, (name, operands, _) in enumerate(instructions(root)):
        # behind `unreachable` the stack may hold anything
        lines += [f"f{i}:", f"\t.functype f{i} () -> ()", "\t.local i32", "\tunreachable",
                  f"\t{OTHER_NAMES.get(name, name)} {operands}", "\tunreachable", "\tend_function"]
    (folder / "all.s").write_text("\n".join(lines) + "\n")
    subprocess.run(["clang-14", "--target=wasm32", "-msimd128", "-mbulk-memory", "-msign-ext",
                    "-mnontrapping-fptoint", "-c", "all.s", "-o", "all.o"], cwd=folder, check=True)
    return list(bodies((folder / "all.o").read_bytes()))


def test_opcodes(root, assembled, record_property):
    listed = list(instructions(root))
    assert len(listed) == len(assembled) > 400
    for (name, _, code), body in zip(listed, assembled):
        assert body[:4] == b"\1\1\x7f\0", name  # one local, unreachable
        found = body[4]
        if found in (0xfc, 0xfd):
            found = leb128(body, 5)[0] + (0x100 if found == 0xfc else 0x200)
        assert found == code, name
    record_property("detail", f"{len(listed)} instructions have clang's opcodes")
