"""What benchmarks of several parts have in common: their options, and how they run and end."""
import argparse
import json
import pathlib
import subprocess
import sys


def read_options(doc, parts, runs=5, quick="less work, three runs"):
    """The options of a benchmark whose parts are the keys of `parts`; doc is its module's."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path, help="the folder of a build, as build/release")
    parser.add_argument("names", nargs="*", metavar="part", help=f"only these: {' '.join(parts)}")
    parser.add_argument("--runs", type=int, default=runs, help=f"of each (default {runs})")
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_intermixed_args()
    unknown = [n for n in options.names if n not in parts]
    if unknown:
        parser.error(f"no such part: {' '.join(unknown)}; there are: {' '.join(parts)}")
    return options


def measure(options, report, parts, failures, bench, *more):
    """Runs the parts that were asked for, each with bench, report and what more there is; one that fails, by the
    exceptions of `failures`, is told, and the others go on."""
    for name, figures in parts.items():
        if options.names and name not in options.names:
            continue
        try:
            figures(bench, report, *more)
        except (*failures, OSError, subprocess.SubprocessError) as failure:
            report.wrong(name, failure)


def finish(options, report):
    """Tells what was missed, or all as JSON; the exit status."""
    if options.json:
        json.dump(report.figures | {"missed": report.missed}, sys.stdout, indent=1)
        print()
    elif report.missed:
        print(f"\nmissed: {', '.join(report.missed)}")
    return 1 if report.missed else 0
