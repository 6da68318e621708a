"""The charts of ./run bench: well-formed, with every number that was put in, and always the same."""
import json
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from conftest import ROOT

sys.path.append(str(ROOT / "tools"))

import bench  # noqa: E402 (the folder is no package)
import chart  # noqa: E402
import parts  # noqa: E402 (bench.py finds it)

SVG = "{http://www.w3.org/2000/svg}"

DATA = {
    "kernels": {"ratios": {"sha256": {"guard": 7.25, "explicit": 7.31}, "a <b> & c": {"guard": 10.5, "explicit": 0.97}},
                "geomean_max": 9.125},
    "phases, testhost": {"phases": [["booted", 3.2], ["attested", 20.5], ["running", 1.1]], "ms_max": None},
    "phases, sgx": {"phases": [["booted", 61.4], ["attested", 33.0], ["running", 2.7]], "ms_max": 257},
    "steward": {"rate": 912.0, "bound": 1101.0, "of_bound_min": 0.8},
    "drawbridge": {"a tag, /s": {"drawbridge": 14025.0, "nginx": 19751.0, "ratio": 0.71, "min": 0.7}},
}
NUMBERS = {"kernels": ["7.25", "7.31", "10.50", "0.97", "9.125"],
           "deploy": ["booted 3.2", "attested 20.5", "running 1.1", "25 ms", "booted 61.4", "attested 33.0", "97 ms",
                      "target of sgx: 257 ms"],
           "steward": ["912", "1101", "0.8"],
           "drawbridge": ["14025", "19751", "0.7"]}


def texts(svg):
    return [node.text for node in ET.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("name", NUMBERS)
def test_a_chart_has_its_numbers(name):
    said = texts(bench.charts(DATA)[name])
    for number in NUMBERS[name]:
        assert any(number in text for text in said), (number, said)


def test_what_was_measured_is_drawn():
    assert set(bench.charts(DATA)) == set(NUMBERS)
    assert set(bench.charts({"steward": DATA["steward"]})) == {"steward"}
    assert bench.charts({}) == {}


def test_the_same_input_gives_the_same_bytes():
    again = json.loads(json.dumps(DATA))
    assert bench.charts(DATA) == bench.charts(again)


def test_bars_are_as_long_as_their_values():
    svg = chart.bars("t", "s", ["a", "b"], [("x", [(1, "one"), (4, "four")]), ("y", [None, (2, "two")])],
                     limit=(3, "most"))
    root = ET.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    widths = [float(node.get("width")) for node in root.iter(f"{SVG}rect") if node.get("height") == str(chart.BAR - 2)]
    assert widths == pytest.approx([widths[0], 4 * widths[0], 2 * widths[0]], abs=0.2)
    limit = next(node for node in root.iter(f"{SVG}line") if node.get("class") == "limit")
    assert float(limit.get("x1")) == pytest.approx(chart.LABEL_WIDTH + 3 * widths[0], abs=0.2)
    assert {"one", "four", "two", "most", "x", "y"} <= set(texts(svg))


def test_pieces_of_a_stack_touch():
    svg = chart.stacks("t", "ms", [("x", [("a", 5.0), ("b", 2.5)], "7.5 ms")])
    pieces = [(float(node.get("x")), float(node.get("width"))) for node in ET.fromstring(svg).iter(f"{SVG}rect")
              if node.get("height") == str(chart.BAR + 6)]
    (first, width), (second, half) = pieces
    assert first + width == pytest.approx(second, abs=0.2) and half == pytest.approx(width / 2, abs=0.2)


def test_nothing_leaves_the_picture():
    for most in (0.003, 0.7, 1, 9.99, 25, 1101, 98765):
        marks = chart.ticks(most)
        assert marks[0] == 0 and most <= marks[-1] < most * 1.5 and 3 <= len(marks) <= 11, (most, marks)


def test_every_colour_has_a_dark_twin():
    light, dark = chart.STYLE.split("@media")
    for kind in ["back", "title", "small", "grid", "limit", "limit-text", *(f"c{n}" for n in range(chart.COLOURS))]:
        assert f".{kind} {{" in light and (kind == "title" or f".{kind} {{" in dark), kind


# ---- the table ----

def test_rows_tell_limit_and_peer(capsys):
    report = parts.Report(quiet=False)
    report.target("call", 15, "us", at_most=30)
    report.target("rate", 15, "MB/s", at_least=30)
    report.target("size", 5, "MiB")
    report.peer("echo", 0.6, "nil", 600, 1000, "/s", at_least=0.5)
    report.peer("compute", 1.2, "nil", at_most=1.03)
    report.absent("kvm", "no device")
    rows = [parts.cells(row) for row in report.rows]
    assert rows == [("call", "15.0 us", "<= 30", "0.500", "ok"), ("rate", "15.0 MB/s", ">= 30", "0.500", "MISSED"),
                    ("size", "5.00 MiB", "-", "-", "-"), ("echo", "600 /s", "nil 1000, >= 0.5", "0.600", "ok"),
                    ("compute", "-", "nil, <= 1.03", "1.200", "MISSED"),
                    ("kvm", "-", "not measured: no device", "-", "-")]
    assert capsys.readouterr().out.count("MISSED") == 2
    lines = list(bench.table([{"bench": "sgx", **row} for row in report.rows]))
    assert lines[0].split() == ["bench", "what", "value", "limit", "or", "peer", "ratio", "ok"]
    assert len(lines) == 7 and len({line.index("ratio") for line in lines[:1]}) == 1


def test_a_miss_is_no_failure_to_run(tmp_path):
    script = ("import sys; sys.path.append({folder!r}); import parts; report = parts.Report(False);"
              "report.target('call', 31, 'us', at_most=30); report.keep('steward', {{'rate': 1, 'bound': 2}});"
              "sys.exit(parts.finish(type('O', (), {{'json': False}}), report))").format(folder=str(ROOT / "bench"))
    rows, data = bench.run("x", [sys.executable, "-c", script], quiet=True)
    assert [(row["bench"], row["ok"]) for row in rows] == [("x", False)] and not any(r.get("failed") for r in rows)
    assert data == {"steward": {"rate": 1, "bound": 2}}
    rows, _ = bench.run("y", [sys.executable, "-c", "import sys; sys.exit(3)"], quiet=True)
    assert [(row["absent"], row["failed"]) for row in rows] == [("it ended with 3", True)]


def test_an_unknown_benchmark_is_named(tmp_path):
    done = subprocess.run([sys.executable, ROOT / "tools/bench.py", tmp_path, "nosuch"], capture_output=True, text=True,
                          check=False)
    assert done.returncode != 0 and "no such benchmark: nosuch; there are: " in done.stderr and "sgx" in done.stderr
