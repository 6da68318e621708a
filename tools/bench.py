#!/usr/bin/python3
"""Runs the benchmark programs of a build: bench.py BUILD [NAME…]"""
import pathlib
import subprocess
import sys


def main():
    folder, names = pathlib.Path(sys.argv[1]) / "bench", sys.argv[2:]
    programs = {p.name.removesuffix("_bench"): p for p in sorted(folder.glob("*_bench"))}
    unknown = [n for n in names if n not in programs]
    if unknown:
        sys.exit(f"no such benchmark: {' '.join(unknown)}; there are: {' '.join(programs)}")
    missed = []
    for name in names or programs:
        print(f"== {name}", flush=True)
        if subprocess.run([programs[name]], check=False).returncode != 0:
            missed.append(name)
    if missed:
        sys.exit(f"a target was missed: {' '.join(missed)}")


main()
