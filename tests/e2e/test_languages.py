"""Modules of the compilers that people use, run in both bounds modes, here and on aarch64.

The same functions are written in C, C++, Rust and AssemblyScript, each as its own people would, with
the language's allocator, strings and containers; what they must return is computed here once more.
"""
import collections
import math
import re
import struct
import subprocess

import pytest

# rustc by its path: only Debian's knows of the libraries that Debian has for wasm32. Without a start
# function the linker makes each export run the constructors first.
CLANG = ["-O2", "--target=wasm32-wasi", "-Wall", "-Wextra", "-Werror", "-nostartfiles", "-Wl,--no-entry"]
COMPILERS = {
    "c": ["clang-14", "-std=gnu17", *CLANG, "{sources}/words.c", "-o", "{out}"],
    "c++": ["clang++-14", "-std=c++17", "-fno-exceptions", *CLANG, "-Wl,--wrap=__stdio_exit",
            "{sources}/words.cc", "-o", "{out}"],
    "rust": ["/usr/bin/rustc", "--target=wasm32-unknown-unknown", "--crate-type=cdylib",
             "--edition=2021", "-O", "{sources}/words.rs", "-o", "{out}"],
    # the collector is wanted; `abort` would be an import, without it a failure is `unreachable`
    "assemblyscript": ["node", "{npm}/node_modules/assemblyscript/bin/asc.js", "-O2",
                       "--runtime", "incremental", "--use", "abort=",
                       "{sources}/assemblyscript/words.ts", "-o", "{out}"],
}


# The functions again

class Generator:
    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state * 1664525 + 1013904223) % 2**32
        return self.state >> 16

    def word(self):
        return "".join("abcd"[self.next() % 4] for _ in range(1 + self.next() % 7))

    def words(self, count):
        return [self.word() for _ in range(count)]


def f32(x):
    """Rounded to 32 bits: twice, by way of 64, which for + * / is the same as once."""
    return struct.unpack("f", struct.pack("f", x))[0]


def i64(x):
    return (x + 2**63) % 2**64 - 2**63


def mix(a, b, c, d):
    return a + float(b) * 2 + f32(c) * 3 + d * 4


def ackermann(m, n):
    return {0: n + 1, 1: n + 2, 2: 2 * n + 3, 3: 2 ** (n + 3) - 3}[m]


def power(base, exponent, modulus):
    return i64(pow(base, exponent, modulus))


def divide(a, b):
    quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return quotient * 1000 + a - quotient * b


def sort_words(seed, count):
    value = 0xcbf29ce484222325
    for byte in " ".join(sorted(Generator(seed).words(count))).encode() + b" ":
        value = (value ^ byte) * 0x100000001b3 % 2**64
    return i64(value)


def count_words(seed, count):
    return sum(times**2 for times in collections.Counter(Generator(seed).words(count)).values())


def area(i):
    a, b, c = i + 1, i + 1.5, i + 1.75
    half = (a + b + c) / 2
    return [3.25 * a * a, a * b, math.sqrt(half * (half - a) * (half - b) * (half - c))][i % 3]


def areas(count):
    total = 0.0  # sum() would, in newer Pythons, round better than the modules do
    for i in range(count):
        total += area(i)
    return total


def smooth(seed, count):
    generator, y = Generator(seed), 0.0
    for _ in range(count):
        y = f32(f32(y * f32(0.7)) + f32(generator.next() / 3))
    return y


def square_of(index):
    return index**2


CALLS = [
    (mix, (-7, -2**53, 0.1, -1.25)), (mix, (2**31 - 1, 2**62, -3e38, 1e300)),
    (ackermann, (2, 9)), (ackermann, (3, 5)),
    (power, (3, 1000003, 2**61 - 1)), (power, (2**63 - 25, 2**63 - 1, 2**62 - 57)),
    (divide, (7000000000, -33)), (divide, (-2**63, 10**16)),
    (sort_words, (1, 1)), (sort_words, (2, 3000)),
    (count_words, (3, 5000)), (count_words, (2**32 - 1, 0)),
    (areas, (1000,)), (areas, (0,)),
    (smooth, (5, 10000)),
    (square_of, (9,)),
]


def same(printed, expected, function):
    """Whether the line is the value; what is printed of 32 bits has nine digits."""
    value = type(expected)(printed)
    return (f32(value) if function is smooth else value) == expected


@pytest.fixture(scope="module", params=COMPILERS)
def module(request, root, build):
    """The module of a language, and the language."""
    folder = build / "languages"
    folder.mkdir(exist_ok=True)
    out = folder / f"{request.param}.wasm"
    places = {"sources": root / "tests/e2e/languages", "npm": root / "build/npm", "out": out}
    command = [word.format(**places) for word in COMPILERS[request.param]]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out, request.param


@pytest.fixture(params=["explicit", "guard", "explicit, aarch64", "guard, aarch64"])
def call(request, build, aarch64, module):
    bounds, _, there = request.param.partition(", ")
    tool = "src/wasm_tool/broch-wasm"

    def run(function, args):
        return subprocess.run([*(aarch64(tool) if there else [build / tool]), "run", "--bounds", bounds,
                               "--invoke", function, module[0], *map(str, args)],
                              capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60,
                              check=False)
    return run


def test_results(call):
    for function, args in CALLS:
        done = call(function.__name__, args)
        assert done.returncode == 0, done.stderr
        assert same(done.stdout, function(*args), function), f"{function.__name__}{args}"


@pytest.mark.parametrize("function, args, said", [
    ("square_of", (10,), "unreachable"),  # however the language ends a program
    ("ackermann", (3, 2**30), "call stack exhausted"),
])
def test_traps(call, function, args, said):
    done = call(function, args)
    assert done.returncode == 1 and done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0] == f"broch-wasm: trap: {said}"
    assert len(lines) > 1 and re.fullmatch(r"  in function \d+( \(.*\))?, offset \d+", lines[1])
    assert any(f"({function}" in line or "more calls" in line for line in lines)


def test_division_by_zero(call, module):
    """Rust looks before it divides, and panics; the others leave it to the machine."""
    said = call("divide", (1, 0)).stderr.splitlines()[0]
    machine = "broch-wasm: trap: integer divide by zero"
    assert said == ("broch-wasm: trap: unreachable" if module[1] == "rust" else machine)
