#!/usr/bin/python3
"""Compiles workloads/ to packages: build/workloads/NAME/ with main.wasm and Keep.toml, and nothing else.

From the command line: tools/workloads.py [NAME…]. From tests: build(NAME), which gives the folder. What is
there and was made of the same sources by the same commands is left as it is. The same sources give the
same bytes wherever the checkout lies, so that a package's digest can be computed again by others.
"""
import fcntl
import hashlib
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCES = ROOT / "workloads"
OUT = ROOT / "build/workloads"

CLANG = ["clang-14", "-std=gnu17", "--target=wasm32-wasi", "-Oz", "-Wall", "-Wextra", "-Wconversion",
         "-Wshadow", "-Werror", "-Wl,--strip-all", "-Wl,-z,stack-size=131072", "{source}", "-o", "{out}"]
# Debian's, which is the one that knows of Debian's library for wasm32
RUSTC = ["/usr/bin/rustc", "--edition=2021", "--target=wasm32-wasi", "-Copt-level=z", "-Clto=fat",
         "-Cpanic=abort", "-Ccodegen-units=1", "-Cstrip=symbols", "-Dwarnings", "{source}", "-o", "{out}"]
# name: how, and of what; the Keep.toml is the one beside it
WORKLOADS = {
    "chat-server": (CLANG, "chat-server/main.c"),
    "chat-server-rust": (RUSTC, "chat-server/main.rs"),
    "chat-client": (CLANG, "chat-client/main.c"),
    "chat-client-rust": (RUSTC, "chat-client/main.rs"),
}


class BuildError(Exception):
    """A compiler refused; what it said."""


def inputs_digest(command, folder):
    """Of all that a package is made of: the command, its folder, the library."""
    digest = hashlib.sha256(repr(command).encode())
    for path in sorted([*folder.iterdir(), *(SOURCES / "lib").iterdir()]):
        if path.is_file():
            content = path.read_bytes()
            digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def build(name):
    """The folder of the package, made when there is need. BuildError."""
    command, source = WORKLOADS[name]
    source = SOURCES / source
    package, stamp = OUT / name, OUT / f".{name}"
    OUT.mkdir(parents=True, exist_ok=True)
    with open(OUT / ".lock", "w", encoding="ascii") as lock:  # two may want it at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        digest = inputs_digest(command, source.parent)
        if package.is_dir() and stamp.exists() and stamp.read_text() == digest:
            return package
        shutil.rmtree(package, ignore_errors=True)
        package.mkdir()
        # relative to where it runs, so that no path of this machine gets into the module
        words = [word.format(source=source.relative_to(SOURCES), out=package / "main.wasm") for word in command]
        done = subprocess.run(words, cwd=SOURCES, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              check=False)
        if done.returncode != 0:
            raise BuildError(f"{' '.join(words)}\n{done.stdout}{done.stderr}")
        (package / "main.wasm").chmod(0o644)
        shutil.copyfile(source.parent / "Keep.toml", package / "Keep.toml")
        stamp.write_text(digest)
    return package


def main():
    names = sys.argv[1:] or WORKLOADS
    for name in names:
        if name not in WORKLOADS:
            sys.exit(f"no such workload: {name} ({', '.join(WORKLOADS)})")
    for name in names:
        try:
            package = build(name)
        except BuildError as e:
            sys.exit(str(e))
        print(f"  {package.relative_to(ROOT)}  {(package / 'main.wasm').stat().st_size} bytes")


if __name__ == "__main__":
    main()
