"""Evidence and endorsements from real machines: every fact that the manifest of the vectors prints is
reproduced by `broch evidence show`, and every piece of evidence gets the verdict that it must get: under
the default policy, under one that tolerates exactly what it needs, under that one less each tolerance, and
a second before and after its endorsements are valid together. evidence_cases.py is the table."""
import datetime
import json
import re
import subprocess

import pytest

from conftest import SHARED
from evidence_cases import CASES, CERTIFICATES, UNREADABLE
from evidence_manifest import Manifest

VECTORS = SHARED / "vectors"
MANIFEST = Manifest((VECTORS / "MANIFEST.md").read_text())


@pytest.fixture(scope="session")
def order(root):
    """The names of all checks, in the order in which refusals are reported."""
    return re.findall(r'^\w+_CHECK\(\w+, "([\w.-]+)"', (root / "src/evidence/checks.def").read_text(), re.MULTILINE)


@pytest.fixture(scope="session")
def broch(build):
    """Runs `broch evidence` with the words; returns the exit code and the JSON it printed."""
    def run(*words):
        done = subprocess.run([build / "src/cli/broch", "evidence", *words, "--json"], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=60, check=False)
        return done.returncode, json.loads(done.stdout)
    return run


@pytest.fixture(scope="session")
def show(broch):
    """The items of a vector, each file read once: show(path below shared/vectors)."""
    seen = {}

    def items(path):
        if path not in seen:
            code, shown = broch("show", VECTORS / path)
            assert code == 0 and shown["items"], shown
            seen[path] = shown["items"]
        return seen[path]
    return items


@pytest.fixture
def verify(broch, tmp_path):
    """The exit code and verdict of a case under a policy, now and then."""
    def run(case, policy=None, at=None):
        words = [VECTORS / path for path in case.files] + ["--at", at or case.at]
        if policy is not None:
            path = tmp_path / "policy.toml"
            path.write_text(toml({"any_workload": True, **policy}))
            words += ["--policy", path]
        code, verdict = broch("verify", *words)
        assert code in (0, 1), verdict
        assert (code == 0) == verdict["genuine"] == (verdict["refusal"] is None)
        return verdict
    return run


# ---- policies ----

def toml_value(value):
    if isinstance(value, list):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {toml_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        return value
    return json.dumps(value)


def toml(table, path=()):
    """A nested dictionary as TOML."""
    lines = [f"{key} = {toml_value(value)}" for key, value in table.items() if not isinstance(value, dict)]
    head = [f"[{'.'.join(path)}]"] if path else []
    tables = [toml(value, (*path, key)) for key, value in table.items() if isinstance(value, dict)]
    return "\n".join(head + lines + tables)


def merged(*tables):
    """Tables put together, the later key over the earlier."""
    out = {}
    for table in tables:
        for key, value in table.items():
            out[key] = merged(out.get(key, {}), value) if isinstance(value, dict) else value
    return out


def kind_of(case):
    return case.evidence.partition("/")[0]


def needs_of(case):
    """The tolerances of a case: parts of a policy, and the checks that refuse without them."""
    kind = kind_of(case)
    # SGX and TDX have a revocation check in common, and each its own of debugging
    return [(part, check.format(kind="quote" if kind != "snp" and check.endswith(".crl") else kind))
            for part, check in case.needs]


def tolerant(case, without=None):
    return merged(*(part for i, (part, _) in enumerate(needs_of(case)) if i != without))


def set_and_label(case):
    """The lines of the manifest that a case is about, or None."""
    if not case.label:
        return None
    folder, _, label = case.label.partition(" ")
    return (folder, label) if folder in {name for name, _ in MANIFEST.verdicts} else (case.folder, case.label)


def results(verdict):
    return {check["name"]: check["result"] for check in verdict["checks"]}


def window_of(case):
    key = set_and_label(case)
    return case.window or (MANIFEST.verdicts[key].window if key else ())


def moved(time, seconds):
    """RFC 3339 time so many seconds later."""
    then = datetime.datetime.fromisoformat(time.replace("Z", "+00:00")) + datetime.timedelta(seconds=seconds)
    return then.strftime("%Y-%m-%dT%H:%M:%SZ")


# ---- facts ----

def test_every_line_of_the_manifest_is_understood():
    assert MANIFEST.unknown == []
    assert len(MANIFEST.files) > 150 and len(MANIFEST.shown) > 150 and len(MANIFEST.verdicts) > 40


def differences(facts, item):
    """The facts that an item does not have as they should be."""
    wrong = {}
    for name, value in facts.items():
        found = item["facts"].get(name)
        if value is None or not value.endswith("*"):
            is_same = found == value
        else:
            is_same = found is not None and found.startswith(value[:-1])
        if not is_same:
            wrong[name] = (value, found)
    return wrong


@pytest.mark.parametrize("fact", [f for f in MANIFEST.shown if f.path not in UNREADABLE],
                         ids=lambda f: f"{f.path} {f.kind}")
def test_facts_are_shown(fact, show):
    items = [item for item in show(fact.path) if item["kind"] == fact.kind]
    wrong = [differences(fact.facts, item) for item in items]
    assert {} in wrong, f"{fact.line}\n{min(wrong, key=len, default='no such item')}"


def test_facts_of_a_quote_with_text_behind_it(show):
    """The manifest's facts of the one quote that is refused for what follows it, on the file that is it without."""
    refused, whole = "tdx/v4-google-spr/quote.bin", "tdx/v4-oasis/quote_out_of_date.bin"
    text = (VECTORS / refused).read_bytes().removeprefix((VECTORS / whole).read_bytes())
    facts = [fact for fact in MANIFEST.shown if fact.path == refused]
    assert len(facts) >= 3 and text.startswith(b"\nextra bytes")
    for fact in facts:
        expected = {name: "0" if name == "padding" else value for name, value in fact.facts.items()}
        assert fact.facts.get("padding") in (None, str(len(text)))
        assert {} in [differences(expected, item) for item in show(whole) if item["kind"] == fact.kind], fact.line


@pytest.mark.parametrize("path", CERTIFICATES)
def test_certificates_are_shown(path, show):
    assert {item["kind"] for item in show(path)} == {"certificate"}
    assert sorted(item["facts"]["subject"] for item in show(path)) == sorted(CERTIFICATES[path])


@pytest.mark.parametrize("path", UNREADABLE)
def test_unreadable(path, broch):
    code, said = broch("show", VECTORS / path)
    assert code == 2 and said["error"], said
    code, said = broch("verify", VECTORS / path)
    assert code == 2 and (said.get("error") or said["refusal"] == "quote.format"), said


@pytest.mark.parametrize("path", [*UNREADABLE, *CERTIFICATES])
def test_endorsements_are_no_evidence(path, broch):
    code, said = broch("verify", VECTORS / path)
    assert code == 2 and not said.get("genuine"), said


@pytest.mark.parametrize("path", UNREADABLE)
def test_what_cannot_be_read_endorses_nothing(path, broch):
    code, said = broch("verify", VECTORS / "snp/genoa-v3/report.bin", "--collateral", VECTORS / path)
    assert code == 1 and said["refusal"] == "snp.vek", said


# ---- verdicts ----

@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_under_the_default_policy(case, verify, order):
    """The first of what the case needs, or of what no policy helps against, refuses."""
    refusals = [check for _, check in needs_of(case)] + ([case.refusal] if case.refusal else [])
    assert verify(case)["refusal"] == min(refusals, key=order.index, default=None)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_under_a_policy_that_tolerates_what_it_needs(case, verify):
    verdict = verify(case, tolerant(case))
    found = {c["name"]: (c["expected"], c["found"]) for c in verdict["checks"]}
    assert verdict["refusal"] == case.refusal, found.get(verdict["refusal"])
    assert verdict["technology"] == kind_of(case) and verdict["simulated"] is False
    assert [check for check in case.fails if results(verdict)[check] != "fail"] == []
    if case.status:
        assert verdict["tcbStatus"] == case.status


@pytest.mark.parametrize("case", [c for c in CASES.values() if c.refusal is None and c.needs],
                         ids=[n for n, c in CASES.items() if c.refusal is None and c.needs])
def test_needs_every_tolerance(case, verify):
    for i, (part, check) in enumerate(needs_of(case)):
        assert verify(case, tolerant(case, without=i))["refusal"] == check, part


@pytest.mark.parametrize("case", [c for c in CASES.values() if c.label], ids=[n for n, c in CASES.items() if c.label])
def test_judged_as_the_manifest_says(case, verify):
    said = MANIFEST.verdicts[set_and_label(case)]
    verdict = verify(case, tolerant(case))
    found = results(verdict)
    for judged in said.judged:
        may_be_left = judged.needs and found[judged.needs] != "pass"
        assert found[judged.check] == judged.result or (may_be_left and found[judged.check] == "not made"), judged
    # the manifest's word is the platform's where the set has no identity of the quoting enclave
    if said.status and found["quote.tcb-info"] == "pass":
        assert verdict["tcbStatus"] == said.status


@pytest.mark.parametrize("case", [c for c in CASES.values() if window_of(c)],
                         ids=[n for n, c in CASES.items() if window_of(c)])
def test_valid_for_a_time(case, verify):
    since, until = window_of(case)
    policy = tolerant(case)
    dates = {"before": case.before or "snp.chain-dates", "after": case.after or "snp.chain-dates"}
    assert since <= case.at <= until
    for edge in (since, until):
        assert verify(case, policy, edge)["refusal"] == case.refusal, edge
    for side, at in (("before", moved(since, -1)), ("after", moved(until, 1))):
        verdict = verify(case, policy, at)
        assert not verdict["genuine"] and results(verdict)[dates[side]] != "pass", (side, results(verdict))
        assert case.refusal is not None or verdict["refusal"] == dates[side], side


@pytest.mark.parametrize("case", [c for c in CASES.values() if c.advisories or (
    set_and_label(c) and MANIFEST.verdicts[set_and_label(c)].advisories)], ids=lambda c: c.name)
def test_lists_the_open_advisories(case, verify):
    """Exactly those, also where the verdict is refused for another reason."""
    expected = case.advisories or MANIFEST.verdicts[set_and_label(case)].advisories
    found = {check["name"]: check for check in verify(case, tolerant(case))["checks"]}["quote.advisories"]
    assert set(found["found"].split()) == set(expected)


def test_root_of_a_sample_named_as_simulated(broch):
    """Intel's sample data, whose enclave has no attributes, but is well attested under its own root."""
    case = CASES["sgx-qvl-sample"]
    root = VECTORS / case.folder / "trustedRootCaCert.pem"
    code, verdict = broch("verify", *(VECTORS / path for path in case.files), "--at", case.at,
                          "--simulated-root", root)
    assert code == 1 and verdict["simulated"] is True
    assert verdict["tcbStatus"] == ""  # said only of a TCB info that is accepted
    assert [name for name, result in results(verdict).items() if result in ("fail", "not made")] == [
        "quote.tcb-info", "sgx.attributes"]  # which is of version 2


# ---- nothing was forgotten ----

def test_every_verdict_of_the_manifest_has_a_case():
    assert set(MANIFEST.verdicts) - {set_and_label(case) for case in CASES.values()} == set()


def test_every_file_is_used():
    used = set(UNREADABLE) | set(CERTIFICATES) | {path for case in CASES.values() for path in case.files}
    used |= {fact.path for fact in MANIFEST.shown}
    assert sorted(set(MANIFEST.files) - used) == []
    assert [path for path in used if not (VECTORS / path).is_file()] == []
