"""The negative suite (tests/evidence): each mutant is refused, and by the check that must refuse it; each
of its controls is accepted. One test for each file of cases, so that a report names what failed and no more."""
import concurrent.futures
import json
import pathlib
import re
import subprocess

import pytest

from conftest import ROOT, SHARED

SUITE = ROOT / "tests/evidence"
GROUPS = sorted(SUITE.glob("*.json"))
WORKERS = 2
MUTANTS_MIN = 300


def source(path):
    """The bytes that a path of the suite means."""
    return (SHARED / path if path.startswith("vectors/") else SUITE / path).read_bytes()


def contents(reference):
    """A file: a path, or one with edits, whose places are those of the file as it was."""
    if isinstance(reference, str):
        return source(reference)
    data = source(reference["file"])
    for at, count, put, *times in reversed(reference["edits"]):
        assert at + count <= len(data)
        data = data[:at] + bytes.fromhex(put) * (times[0] if times else 1) + data[at + count:]
    return data


def write_files(files, folder):
    """Writes what is given, and returns the words of the command line for it."""
    endorsements = folder / "endorsements"
    endorsements.mkdir(parents=True)
    words = [folder / "evidence", "--collateral", endorsements]
    for name, reference in files.items():
        if reference is None:
            continue
        path = endorsements / name
        if name == "evidence":
            path = folder / name
        elif name == "root.der":
            path = folder / name
            words += ["--simulated-root", path]
        path.write_bytes(contents(reference))
    return words


def fault(case, code, verdict, order):
    """What is wrong with an answer, or None."""
    if case["refusal"] == "unreadable":
        return None if code == case["exit"] and "error" in verdict else f"exit {code}, {verdict}"
    if "error" in verdict:
        return f"exit {code}, {verdict['error']}"
    refused = [check for check in verdict["checks"] if check["result"] in ("fail", "not made")]
    said = f"exit {code}, refused by " + (", ".join(
        f"{check['name']} ({check['result']}: {check['found']})" for check in refused[:4]) or "nothing")
    if code != case["exit"] or verdict["refusal"] != case["refusal"] or verdict["genuine"] != (case["refusal"] is None):
        return said
    if [check["name"] for check in verdict["checks"]] != [name for name in order if name in
                                                        {check["name"] for check in verdict["checks"]}]:
        return "the checks are not in their order"
    if case["refusal"] is None and verdict["simulated"] != case["simulated"]:
        return f"exit {code}, simulated {verdict['simulated']}"
    failed = [check["name"] for check in refused if check["result"] == "fail"]
    return None if case["refusal"] is None or failed[:1] == [case["refusal"]] else said


@pytest.fixture(scope="module")
def order():
    """The names of all checks, in the order in which refusals are reported."""
    return re.findall(r'^\w+_CHECK\(\w+, "([\w.-]+)"', (ROOT / "src/evidence/checks.def").read_text(), re.MULTILINE)


def run_case(case, base, broch, folder, order):
    words = write_files(base["files"] | case.get("files", {}), folder)
    (folder / "policy.toml").write_text(case.get("policy", base["policy"]))
    words += ["--policy", folder / "policy.toml", "--at", case.get("at", base["at"])]
    report_data = case.get("report_data", base.get("report_data"))
    if report_data:
        words += ["--report-data", report_data]
    done = subprocess.run([broch, "evidence", "verify", "--json", *words], capture_output=True, timeout=60,
                          check=False)
    try:
        return fault(case, done.returncode, json.loads(done.stdout), order)
    except (json.JSONDecodeError, UnicodeDecodeError):
        return f"exit {done.returncode}, no JSON: {done.stderr[-300:]!r}"


@pytest.mark.parametrize("path", GROUPS, ids=[path.stem for path in GROUPS])
def test_group(path, build, order, tmp_path):
    group = json.loads(path.read_text())
    bases = {base["name"]: base for base in group["bases"]}
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        faults = pool.map(lambda item: run_case(item[1], bases[item[1]["base"]], build / "src/cli/broch",
                                                tmp_path / str(item[0]), order), enumerate(group["cases"]))
        wrong = [f"{case['name']}: expected {case['refusal'] or 'acceptance'}, got {why}"
                 for case, why in zip(group["cases"], faults) if why]
    assert not wrong, f"{len(wrong)} of {len(group['cases'])}:\n" + "\n".join(wrong)


def test_suite_is_whole(order):
    """Enough mutants; every check refuses some; every base is accepted, and every blob is somebody's."""
    groups = [json.loads(path.read_text()) for path in GROUPS]
    cases = [case for group in groups for case in group["cases"]]
    assert len([case for case in cases if case["refusal"]]) >= MUTANTS_MIN
    refusals = {case["refusal"] for case in cases if case["refusal"]}
    assert refusals - {"unreadable"} == set(order)
    for group in groups:
        accepted = {case["base"] for case in group["cases"] if case["refusal"] is None and not case.get("files")}
        assert {base["name"] for base in group["bases"]} == accepted
    text = "".join(path.read_text() for path in GROUPS)
    used = set(re.findall(r"blobs/[0-9a-f]{16}", text))
    assert used == {f"blobs/{path.name}" for path in (SUITE / "blobs").iterdir()}
    assert all(pathlib.PurePath(path).name.startswith("test-only-") for path in (SUITE / "keys").iterdir())
