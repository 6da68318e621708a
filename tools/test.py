#!/usr/bin/python3
"""Runs the tests and sums them up in one line: N passed, N failed, N skipped.

test.py [--unit BUILD]… [--system BUILD] [--full] [WORD…]

--unit     runs the cmocka programs and the corpus replays of that build
--system   runs pytest over tests/ with that build's programs
WORD       only tests whose names contain one of the words
"""
import argparse
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET

SLOWEST = 10


@dataclasses.dataclass
class Case:
    """One test: its group (a program or a file), name, verdict, seconds, and what it said."""
    group: str
    name: str
    verdict: str
    seconds: float
    said: str = ""
    details: tuple = ()


def read_junit(path, group_of):
    """The cases of a JUnit XML file, as cmocka and pytest write it."""
    for case in ET.parse(path).getroot().iter("testcase"):
        said, verdict = "", "passed"
        for kind, word in (("failure", "failed"), ("error", "failed"), ("skipped", "skipped")):
            found = case.find(kind)
            if found is not None:
                verdict = word
                said = (found.text or found.get("message") or "").strip()
        details = tuple(p.get("value") for p in case.iter("property") if p.get("name") == "detail")
        yield Case(group_of(case), case.get("name"), verdict, float(case.get("time") or 0), said,
                   details)


def run_program(test, folder, build):
    """Runs one test program of the build; returns its cases."""
    name = test["name"]
    prefix = f"{folder}/{name.replace(' ', '-')}"
    env = dict(os.environ, **test["env"], CMOCKA_MESSAGE_OUTPUT="XML",
               CMOCKA_XML_FILE=f"{prefix}-%g.xml")
    started = time.monotonic()
    try:
        run = subprocess.run(test["cmd"], env=env, cwd=test["workdir"] or build, capture_output=True,
                             stdin=subprocess.DEVNULL, timeout=test["timeout"], check=False)
        code, said = run.returncode, (run.stdout + run.stderr).decode(errors="replace")
    except subprocess.TimeoutExpired as late:
        code, said = "no end", f"stopped after {late.timeout} s"
    seconds = time.monotonic() - started
    cases = []
    for path in sorted(pathlib.Path(folder).glob(f"{prefix.rsplit('/', 1)[1]}-*.xml")):
        try:
            cases += read_junit(path, lambda case: name)
        except ET.ParseError:  # the program died while it wrote, or wrote bytes that are not XML
            said += path.read_text(errors="replace")
    if code != 0 and not any(c.verdict == "failed" for c in cases):
        cases.append(Case(name, "(the program itself)", "failed", seconds,
                          f"exit status {code}\n{said[-4000:]}"))
    elif not cases and "unit" in test["suite"][0]:
        cases.append(Case(name, "(the program itself)", "failed", seconds, "ran no test"))
    elif not cases:
        cases.append(Case(name, name, "passed", seconds))
    return cases


def run_unit(build, words):
    listed = subprocess.run(["meson", "introspect", "--tests", build], capture_output=True,
                            check=True)
    tests = [t for t in json.loads(listed.stdout) if wanted(t["name"], words)]
    cases = []
    with tempfile.TemporaryDirectory() as folder, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(lambda test: run_program(test, folder, build), tests):
            print_group(found)
            cases += found
    return cases


def run_system(build, words, full):
    with tempfile.TemporaryDirectory() as folder:
        report = f"{folder}/pytest.xml"
        env = dict(os.environ, BROCH_BUILD=str(pathlib.Path(build).resolve()),
                   PYTHONDONTWRITEBYTECODE="1", **({"BROCH_FULL": "1"} if full else {}))
        command = [sys.executable, "-m", "pytest", "-q", "--no-header", "--tb=short", "-p",
                   "no:cacheprovider", f"--junitxml={report}", "-o", "junit_family=xunit1",
                   "-o", "console_output_style=none", "tests"]
        if words:
            command += ["-k", " or ".join(words)]
        run = subprocess.run(command, env=env, capture_output=True, text=True,
                             stdin=subprocess.DEVNULL, check=False)
        if run.returncode == 5 and words:  # pytest's "no tests": none has such a name
            return []
        if run.returncode not in (0, 1) or not os.path.exists(report):
            print(run.stdout + run.stderr)
            return [Case("pytest", "(pytest itself)", "failed", 0,
                         f"exit status {run.returncode}")]
        cases = list(read_junit(report, lambda case: case.get("file") or case.get("classname")))
    for group in dict.fromkeys(c.group for c in cases):
        print_group([c for c in cases if c.group == group])
    return cases


def wanted(name, words):
    return not words or any(word in name for word in words)


def count(cases, verdict):
    return sum(c.verdict == verdict for c in cases)


def print_group(cases):
    """One line for a program or file, then what it wants shown, then its failures."""
    if not cases:
        return
    parts = [f"{count(cases, v)} {v}" for v in ("passed", "failed", "skipped") if count(cases, v)]
    print(f"  {cases[0].group:<42} {', '.join(parts)}")
    for case in cases:
        for detail in case.details:
            print(f"    {detail}")
        if case.verdict == "failed":
            print(f"    FAILED {case.name}\n" + "".join(
                f"      {line}\n" for line in case.said.splitlines()), end="")
        elif case.verdict == "skipped":
            print(f"    skipped {case.name}: {case.said}")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--unit", metavar="BUILD", action="append", default=[])
    parser.add_argument("--system", metavar="BUILD")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("words", nargs="*", metavar="WORD")
    args = parser.parse_args()
    cases = []
    for build in args.unit:
        print(f"== unit tests and corpus replays, {build}", flush=True)
        cases += run_unit(build, args.words)
    if args.system:
        print(f"== conformance and end to end, {args.system}")
        cases += run_system(args.system, args.words, args.full)
    print(f"== the {SLOWEST} slowest")
    for case in sorted(cases, key=lambda c: -c.seconds)[:SLOWEST]:
        print(f"  {case.seconds:7.2f} s  {case.group}: {case.name}")
    failed = [c for c in cases if c.verdict == "failed"]
    for case in failed:
        print(f"FAILED {case.group}: {case.name}")
    print(f"{count(cases, 'passed')} passed, {len(failed)} failed, "
          f"{count(cases, 'skipped')} skipped")
    if not cases:
        print("no test has such a name")
    sys.exit(1 if failed or not cases else 0)


main()
