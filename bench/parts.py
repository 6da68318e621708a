"""What the benchmarks have in common: their options, how their parts run, and what they tell.

A row is what one measurement gave: `what`, `value` and `unit`, `limit` as "<= 30", `peer` and `peer_value`, `ratio`
(to the peer where there is one, else to the limit) and `ok`; None is what does not apply. One with `absent` was not
measured, for that reason. Rows are printed as they come and, for tools/bench.py, appended to the file that the
variable BROCH_BENCH_RESULTS names, a line of JSON each; bench.c writes the same.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys

WHAT_WIDTH, VALUE_WIDTH, AGAINST_WIDTH = 52, 15, 28


def read_options(doc, parts, runs=5, quick="less work, three runs"):
    """The options of a benchmark whose parts are the keys of `parts`; doc is its module's."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path, help="the folder of a build, as build/release")
    parser.add_argument("names", nargs="*", metavar="part", help=f"only these: {' '.join(parts)}")
    parser.add_argument("--runs", type=int, default=runs, help=f"of each (default {runs})")
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    options = parser.parse_intermixed_args()
    unknown = [n for n in options.names if n not in parts]
    if unknown:
        parser.error(f"no such part: {' '.join(unknown)}; there are: {' '.join(parts)}")
    options.build = options.build.resolve()
    return options


def number(value):
    """With three digits or more."""
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3}f}"


def verdict(row):
    return {None: "-", True: "ok", False: "MISSED"}[row["ok"]]


def cells(row):
    """What, value, limit or peer, ratio, ok: as text."""
    if row.get("absent"):
        return row["what"], "-", f"not measured: {row['absent']}", "-", "-"
    value = f"{number(row['value'])} {row['unit']}" if row["value"] is not None else "-"
    peer = " ".join(filter(None, (row["peer"], number(row["peer_value"]) if row["peer_value"] is not None else None)))
    against = ", ".join(filter(None, (peer, row["limit"]))) or "-"
    return row["what"], value, against, f"{row['ratio']:.3f}" if row["ratio"] is not None else "-", verdict(row)


class Report:
    """Prints rows and keeps them."""

    def __init__(self, quiet):
        self.quiet = quiet
        self.rows, self.data, self.failed = [], {}, []

    def say(self, line=""):
        if not self.quiet:
            print(line, flush=True)

    def add(self, row):
        self.rows.append(row)
        append(row)
        what, value, against, ratio, ok = cells(row)
        self.say(f"{what:<{WHAT_WIDTH}} {value:>{VALUE_WIDTH}}  {against:<{AGAINST_WIDTH}} {ratio:>8}  {ok}")

    def target(self, what, value, unit, at_most=None, at_least=None):
        """A value, and its limit if it has one."""
        self.row(what, value, unit, None, None, None, at_most, at_least)

    def peer(self, what, ratio, peer, ours=None, theirs=None, unit="", at_most=None, at_least=None):
        """A ratio to a peer, and the limit of that if it has one; of which values, if they say something."""
        self.row(what, ours, unit, peer, theirs, ratio, at_most, at_least)

    def row(self, what, value, unit, peer, peer_value, ratio, at_most, at_least):
        limit = at_most if at_most is not None else at_least
        judged = ratio if ratio is not None else value
        met = None if limit is None else judged <= limit if at_most is not None else judged >= limit
        if ratio is None and limit is not None:
            ratio = value / limit
        self.add({"what": what, "value": value, "unit": unit, "peer": peer, "peer_value": peer_value,
                  "limit": None if limit is None else f"{'<=' if at_most is not None else '>='} {limit:g}",
                  "ratio": ratio, "ok": met})

    def absent(self, what, why):
        self.add({"what": what, "absent": why, "ok": None})

    def keep(self, name, data):
        """Data for a chart."""
        self.data[name] = data
        append({"data": name, "of": data})

    def wrong(self, name, failure):
        """A failure to measure."""
        self.failed.append(name)
        append({"what": name, "absent": str(failure).partition("\n")[0] or "it failed", "failed": True, "ok": None})
        print(f"FAILED {name}: {failure}", file=sys.stderr, flush=True)


def append(record):
    path = os.environ.get("BROCH_BENCH_RESULTS")
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")


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
    """Tells what was missed, or all as JSON; the exit status: 1 if something could not be measured."""
    missed = [row["what"] for row in report.rows if row["ok"] is False]
    if options.json:
        json.dump({"rows": report.rows, "data": report.data, "failed": report.failed}, sys.stdout, indent=1)
        print()
    elif missed:
        print(f"\nmissed: {', '.join(missed)}")
    return 1 if report.failed else 0
