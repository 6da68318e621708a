#!/usr/bin/python3
"""Runs benchmarks: bench.py BUILD [NAME] [OPTION…]

A benchmark is a program BUILD/bench/NAME_bench, or a script bench/NAME/bench_NAME.py, which takes the build's folder
first. Without a name all are run, and a table of everything is printed at the end; --quick runs them with less work,
--json prints the table as JSON. Charts of what was measured go to the folder bench beside BUILD, after a full run its
table as results.json, too. Ends with 1 if something could not be measured; a target that was missed is marked.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "bench"))

import chart  # noqa: E402
import parts  # noqa: E402 (its folder is no package)

PHASES = {"testhost": "testhost (a process)", "snp": "snp, simulated", "sgx": "sgx, simulated"}


def commands(build):
    found = {p.name.removesuffix("_bench"): [p] for p in (build / "bench").glob("*_bench")}
    for script in (ROOT / "bench").glob("*/bench_*.py"):
        found[script.parent.name] = [sys.executable, script, build]
    return found


def run(name, words, quiet=False):
    """A benchmark's rows and data. quiet: what it prints is no part of our output."""
    with tempfile.NamedTemporaryFile("r", encoding="utf-8") as file:
        done = subprocess.run(words, env={**os.environ, "BROCH_BENCH_RESULTS": file.name},
                              stdout=sys.stderr if quiet else None, check=False)
        records = [json.loads(text) for text in file]
    rows = [{"bench": name, **r} for r in records if "data" not in r]
    if done.returncode != 0 and not any(r.get("failed") for r in rows):
        rows.append({"bench": name, "what": name, "absent": f"it ended with {done.returncode}", "failed": True,
                     "ok": None})
    return rows, {r["data"]: r["of"] for r in records if "data" in r}


def table(rows):
    head = ("bench", "what", "value", "limit or peer", "ratio", "ok")
    lines = [head, *((row["bench"], *map(str.strip, parts.cells(row))) for row in rows)]
    widths = [max(len(cells[i]) for cells in lines) for i in range(len(head))]
    for cells in lines:
        yield "  ".join(c.rjust(w) if i in (2, 4) else c.ljust(w)
                        for i, (c, w) in enumerate(zip(cells, widths))).rstrip()


# Charts: each from the data that a benchmark keeps; {} where there is none.

def kernels_chart(data):
    modes = list(next(iter(data["ratios"].values())))
    rows = [(name, [(ratios[mode], f"{ratios[mode]:.2f}") for mode in modes]) for name, ratios in data["ratios"].items()]
    most = data["geomean_max"]
    return chart.bars("Kernels: time, native being 1", "times native (clang -O2); shorter is better", modes, rows,
                      limit=(most, f"target of the geometric mean: {most:g}"))


def phases_chart(data):
    rows = [(PHASES[name], of["phases"], f"{sum(ms for _, ms in of['phases']):.0f} ms") for name, of in data.items()]
    limits = {name: of["ms_max"] for name, of in data.items() if of["ms_max"] is not None}
    least = min(limits.values(), default=None)
    names = ", ".join(name for name, most in limits.items() if most == least)
    return chart.stacks("Deploy of a hello world, attested: what took how long", "ms; shorter is better", rows,
                        limit=(least, f"target of {names}: {least:g} ms") if limits else None)


def steward_chart(data):
    rate, bound, least = data["rate"], data["bound"], data["of_bound_min"]
    rows = [("Steward", [(rate, f"{rate:.0f}")]), ("its signatures alone", [(bound, f"{bound:.0f}")])]
    return chart.bars("Certificates a second on one core", "a second; longer is better", [], rows,
                      limit=(least * bound, f"target: {least:g} of that"))


def drawbridge_chart(data):
    least = min(v["min"] for v in data.values())
    rows = [(what, [(v["ratio"], f"{v['drawbridge']:.0f}"), (1, f"{v['nginx']:.0f}")]) for what, v in data.items()]
    return chart.bars("Reads from a registry", "nginx being 1; longer is better", ["Drawbridge", "nginx"], rows,
                      limit=(least, f"target: {least:g}"))


def charts(data):
    """The charts that there are data for, by name."""
    phases = {name: data[f"phases, {name}"] for name in PHASES if f"phases, {name}" in data}
    made = {"kernels": (kernels_chart, data.get("kernels")), "deploy": (phases_chart, phases),
            "steward": (steward_chart, data.get("steward")), "drawbridge": (drawbridge_chart, data.get("drawbridge"))}
    return {name: make(of) for name, (make, of) in made.items() if of}


def draw(data, folder):
    folder.mkdir(exist_ok=True)
    for name, svg in charts(data).items():
        (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
        print(f"== {folder / f'{name}.svg'}", file=sys.stderr)


def run_all(build, found, options):
    rows, data = [], {}
    for name in sorted(found):
        print(f"== {name}", file=sys.stderr, flush=True)
        is_script = len(found[name]) > 1
        more_rows, more_data = run(name, [*found[name], *(["--quick"] if is_script and "--quick" in options else [])],
                                   "--json" in options)
        rows += more_rows
        data |= more_data
    whole = json.dumps({"rows": rows, "data": data}, indent=1)
    print(whole if "--json" in options else "\n".join(["", *table(rows)]))
    folder = build.resolve().parent / "bench"
    draw(data, folder)
    (folder / "results.json").write_text(whole + "\n", encoding="utf-8")
    return rows


def main():
    build, words = pathlib.Path(sys.argv[1]), sys.argv[2:]
    found = commands(build)
    if words and words[0] in found:
        rows, data = run(words[0], [*found[words[0]], *words[1:]])
        draw(data, build.resolve().parent / "bench")
    elif set(words) <= {"--quick", "--json"}:
        rows = run_all(build, found, words)
    else:
        sys.exit(f"no such benchmark: {words[0]}; there are: {' '.join(sorted(found))}")
    sys.exit(1 if any(row.get("failed") for row in rows) else 0)


if __name__ == "__main__":
    main()
