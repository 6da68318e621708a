#!/usr/bin/python3
"""Runs benchmarks: bench.py BUILD [NAME [OPTION…]]

A benchmark is a program BUILD/bench/NAME_bench, or a script bench/NAME/bench_NAME.py, which takes the
build's folder first. Without a name all are run.
"""
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def main():
    build, words = pathlib.Path(sys.argv[1]), sys.argv[2:]
    commands = {p.name.removesuffix("_bench"): [p] for p in (build / "bench").glob("*_bench")}
    for script in (ROOT / "bench").glob("*/bench_*.py"):
        commands[script.parent.name] = [sys.executable, script, build]
    if words and words[0] not in commands:
        sys.exit(f"no such benchmark: {words[0]}; there are: {' '.join(sorted(commands))}")
    missed = []
    for name in words[:1] or sorted(commands):
        print(f"== {name}", flush=True)
        if subprocess.run([*commands[name], *words[1:]], check=False).returncode != 0:
            missed.append(name)
    if missed:
        sys.exit(f"a target was missed: {' '.join(missed)}")


main()
