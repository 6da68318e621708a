"""The opcodes of src/wasm/ops.def against those of another assembler. The scripts of the suite cannot
find a wrong one: the engine and the reader of scripts share the list."""
import re
import subprocess

# LLVM 14 has some names from before the specification was final.
OTHER_NAMES = {
    "v128.load8x8_s": "i16x8.load8x8_s", "v128.load8x8_u": "i16x8.load8x8_u",
    "v128.load16x4_s": "i32x4.load16x4_s", "v128.load16x4_u": "i32x4.load16x4_u",
    "v128.load32x2_s": "i64x2.load32x2_s", "v128.load32x2_u": "i64x2.load32x2_u",
    "f32x4.demote_f64x2_zero": "f32x4.demote_zero_f64x2",
    "i32x4.trunc_sat_f64x2_s_zero": "i32x4.trunc_sat_zero_f64x2_s",
    "i32x4.trunc_sat_f64x2_u_zero": "i32x4.trunc_sat_zero_f64x2_u",
}
# What stands behind a name; lines of other kinds have nothing there.
OPERANDS = {"LOAD": "0", "STORE": "0", "SIMD_LOAD": "0", "SIMD_STORE": "0", "SIMD_LOAD_LANE": "0, 0",
            "SIMD_STORE_LANE": "0, 0", "SIMD_EXTRACT": "0", "SIMD_REPLACE": "0"}
MISC = {"unreachable": "", "nop": "", "return": "", "drop": "", "local_get": "0", "local_set": "0",
        "local_tee": "0", "i32_const": "0", "i64_const": "0", "f32_const": "0.0",
        "f64_const": "0.0", "memory_size": "0", "memory_grow": "0", "memory_init": "0, 0",
        "data_drop": "0", "memory_copy": "0, 0", "memory_fill": "0",
        "i8x16_shuffle": ", ".join("0" * 16)}


def instructions(root):
    """Name, operands and opcode of all that need no symbol."""
    text = (root / "src/wasm/ops.def").read_text()
    for kind, code, name in re.findall(r"^([A-Z_]+)\((0x[0-9a-f]+), (\w+)", text, re.MULTILINE):
        if kind != "MISC":
            yield name.replace("_", ".", 1), OPERANDS.get(kind, ""), int(code, 16)
        elif name in MISC:
            yield name.replace("_", ".", 1), MISC[name], int(code, 16)


def opcode(encoding):
    """As in ops.def, of the instruction with these bytes."""
    if encoding[0] not in (0xfc, 0xfd):
        return encoding[0]
    code = encoding[1] & 0x7f
    if encoding[1] >= 0x80:
        code |= encoding[2] << 7
    return code + (0x100 if encoding[0] == 0xfc else 0x200)


def test_opcodes(root, record_property):
    listed = list(instructions(root))
    assert len(listed) > 400
    lines = ["f:", "\t.functype f () -> ()", "\t.local i32"]
    lines += [f"\t{OTHER_NAMES.get(name, name)} {operands}" for name, operands, _ in listed]
    shown = subprocess.run(
        ["llvm-mc-14", "-triple=wasm32", "-mattr=+simd128,+bulk-memory,+nontrapping-fptoint,+sign-ext",
         "-no-type-check", "-show-encoding"], input="\n".join(lines) + "\n\tend_function\n",
        capture_output=True, text=True, check=True).stdout
    encodings = re.findall(r"# encoding: \[(.*?)\]", shown)
    assert len(encodings) == len(listed) + 1
    for (name, _, code), encoding in zip(listed, encodings):
        assert opcode([int(byte, 16) for byte in encoding.split(",")]) == code, name
    record_property("detail", f"{len(listed)} instructions have the opcodes of LLVM's assembler")
