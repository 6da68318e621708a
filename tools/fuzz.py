#!/usr/bin/python3
"""Runs the libFuzzer targets of a build.

fuzz.py BUILD [SECONDS] [NAME…]          each target for SECONDS
fuzz.py BUILD --budget SECONDS [NAME…]   all targets together in SECONDS

New inputs that reach new code are kept in BUILD/corpus/NAME and used again by the next run; an input
that fails is left in BUILD/failures, with the command that repeats it.
"""
import argparse
import concurrent.futures
import os
import pathlib
import subprocess
import sys

import corpus

DEFAULT_SECONDS = 60
ROOT = pathlib.Path(__file__).resolve().parent.parent


def fuzz(target, seconds, build):
    """Fuzzes one target; returns its name, whether it held, and a line about it."""
    name = target.name.removesuffix("_fuzz")
    kept = build / "corpus" / name
    failures = build / "failures"
    kept.mkdir(parents=True, exist_ok=True)
    failures.mkdir(exist_ok=True)
    seeds = corpus.folders(ROOT / "tests/corpus", name)
    run = subprocess.run(
        [target, f"-max_total_time={seconds}", "-timeout=20", "-rss_limit_mb=4096",
         "-print_final_stats=1", f"-artifact_prefix={failures}/{name}-", kept, *seeds],
        capture_output=True, stdin=subprocess.DEVNULL, check=False)
    said = run.stderr.decode(errors="replace")
    runs = [line.split()[-1] for line in said.splitlines() if "number_of_executed_units" in line]
    line = f"{name:<16} {seconds:>5} s {runs[0] if runs else '?':>12} runs"
    if run.returncode == 0:
        return True, line
    return False, (f"{line}  FAILED\n{said[-6000:]}\n"
                   f"repeat it: {target} {failures}/{name}-…; then put the input into "
                   f"tests/corpus/{name}/")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--budget", type=int, metavar="SECONDS")
    parser.add_argument("words", nargs="*", metavar="SECONDS|NAME")
    args = parser.parse_args()
    words, seconds = args.words, DEFAULT_SECONDS
    if words and words[0].isdigit():
        seconds, words = int(words[0]), words[1:]
    targets = sorted(args.build.glob("*_fuzz"))
    unknown = [w for w in words if f"{w}_fuzz" not in [t.name for t in targets]]
    if unknown or not targets:
        names = " ".join(t.name.removesuffix("_fuzz") for t in targets)
        sys.exit(f"no such fuzz target: {' '.join(unknown)}; there are: {names}")
    if words:
        targets = [t for t in targets if t.name.removesuffix("_fuzz") in words]
    workers = min(os.cpu_count() or 1, len(targets))
    if args.budget:
        seconds = max(1, args.budget * workers // len(targets))
    print(f"== fuzzing {len(targets)} targets, {seconds} s each, {workers} at a time", flush=True)
    held = True
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        for ok, line in pool.map(lambda t: fuzz(t, seconds, args.build), targets):
            print("  " + line, flush=True)
            held &= ok
    sys.exit(0 if held else 1)


main()
