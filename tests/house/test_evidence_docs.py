"""docs/evidence*.md say what the code does: its checks, its roots, its policy, its tests."""
import hashlib
import json
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
EVIDENCE = ROOT / "src/evidence"
DOC = (ROOT / "docs/evidence.md").read_text()
POLICY = (ROOT / "docs/evidence-policy.md").read_text()
FAILURES = (ROOT / "docs/evidence-failures.md").read_text()
VECTORS = ROOT.parent / "shared/vectors"


def rows(text, columns):
    """The rows of a text's tables that have so many cells."""
    found = []
    for line in re.findall(r"^\|(.*)\|$", text, re.MULTILINE):
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == columns and not set(cells[0]) <= set("-"):
            found.append(cells)
    return found


def openssl(words, data):
    return subprocess.run(["openssl", *words], input=data, capture_output=True, check=True).stdout


def test_the_table_of_checks_is_that_of_the_code():
    checks = re.findall(r'^\w+_CHECK\(\w+, "([^"]*)", "([^"]*)", "([^"]*)"\)',
                        (EVIDENCE / "checks.def").read_text(), re.MULTILINE)
    documented = [tuple(row) for row in rows(DOC, 3) if re.fullmatch(r"`(snp|quote|sgx|tdx)\.[\w-]+`", row[0])]
    assert len(checks) > 60
    assert [(name.strip("`"), question, clause) for name, question, clause in documented] == checks


def test_the_readme_counts_them():
    checks = re.findall(r"^\w+_CHECK\(", (EVIDENCE / "checks.def").read_text(), re.MULTILINE)
    assert re.search(r"(\d+) named checks", (ROOT / "README.md").read_text())[1] == str(len(checks))


def test_the_fingerprints_are_those_of_the_roots():
    roots = {}
    for path in (EVIDENCE / "roots").glob("*.der"):
        der = path.read_bytes()
        name = openssl(["x509", "-inform", "DER", "-noout", "-subject", "-nameopt", "multiline"], der).decode()
        public = openssl(["x509", "-inform", "DER", "-noout", "-pubkey"], der)
        key = openssl(["pkey", "-pubin", "-outform", "DER"], public)
        roots[re.search(r"commonName\s*= (.*)", name).group(1)] = (hashlib.sha256(der).hexdigest(),
                                                                   hashlib.sha256(key).hexdigest())
    documented = {row[0]: (row[1].strip("`"), row[2].strip("`")) for row in rows(DOC, 3)
                  if re.fullmatch(r"`[0-9a-f]{64}`", row[1])}
    assert len(roots) == 10 and documented == roots


# ---- policies ----

def policy_tables():
    """The documented keys with their defaults, by table; "" is the root."""
    tables = {}
    for part in re.split(r"^## ", POLICY, flags=re.MULTILINE)[1:]:
        table = re.match(r"`\[(\w+)\]`", part)
        keys = {row[0].strip("`"): row[2] for row in rows(part, 4) if re.match(r"`\w", row[0])}
        if keys:
            tables[table.group(1) if table else ""] = keys
    return tables


def test_every_key_of_a_policy_is_documented():
    code = (EVIDENCE / "policy.c").read_text()
    for name in ("snp", "intel", "sgx", "tdx"):
        body = re.search(rf"\nstatic bool read_{name}\(.*?keys\[\] = \{{(.*?)\n    \}};", code, re.DOTALL).group(1)
        ours, _, enarx = body.partition("/* Enarx's names */")
        assert set(policy_tables()[name]) == set(re.findall(r'\{"(\w+)",', ours)), name
        documented = {row[1].strip("`") for row in rows(POLICY, 4) if row[0] == f"`[{name}]`"}
        assert documented == set(re.findall(r'\{"(\w+)",', enarx)), name
    root = re.search(r"\nbool evidence_policy_read\(.*?keys\[\] = \{(.*?)\n    \};", code, re.DOTALL).group(1)
    assert set(policy_tables()[""]) | {"snp", "intel", "sgx", "tdx"} == set(re.findall(r'\{"(\w+)",', root))


@pytest.fixture
def judge(build, tmp_path):
    """The JSON of `broch evidence verify` about files under a policy."""
    def run(policy, *files):
        path = tmp_path / "policy.toml"
        path.write_text(policy)
        done = subprocess.run([build / "src/cli/broch", "evidence", "verify", *(VECTORS / f for f in files),
                               "--policy", path, "--at", "2026-01-01T00:00:00Z", "--json"],
                              capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
        assert done.returncode in (0, 1), done.stderr
        return json.loads(done.stdout)
    return run


SETS = [("snp/genoa-v5/report.bin", "snp/genoa-v5/vcek_chain.pem"),
        ("snp/milan-v2/report.bin", "snp/milan-v2/vcek.der"),
        ("sgx/processor-phala/quote.bin", "sgx/processor-phala/collateral.json"),
        ("tdx/v5-google/quote.bin", "tdx/v5-google/tcb_info.json")]


@pytest.mark.parametrize("files", SETS, ids=lambda files: files[0])
def test_the_defaults_are_those_documented(files, judge):
    text = ""
    for table, keys in policy_tables().items():
        text += f"[{table}]\n" if table else ""
        text += "".join(f"{key} = {value.strip('`')}\n" for key, value in keys.items() if key != "tcb_min")
    text += "[snp.tcb_min.milan]\nsnp = 24\n[snp.tcb_min.genoa]\nsnp = 23\n"
    assert judge(text, *files) == judge("", *files)
    assert judge(text.replace("any_workload = false", "any_workload = true"), *files) != judge("", *files)


def test_the_example_is_a_policy(judge):
    example = re.search(r"```toml\n(.*?)```", POLICY, re.DOTALL).group(1)
    assert judge(example, *SETS[0])["refusal"] is not None


# ---- failures of others ----

def has_test(path, name):
    """Whether a test file has a test: a function, a parametrized case of one, or a cmocka test."""
    text = (ROOT / path).read_text()
    function, _, case = name.partition("[")
    if path.endswith(".c"):
        return bool(re.search(rf"\b(cmocka_unit_test\w*|TEST)\(\s*{name}\b", text))
    if not re.search(rf"^def {function}\(", text, re.MULTILINE):
        return False
    return not case or (path.endswith("test_evidence_vectors.py") and case.rstrip("]") in case_names())


def case_names():
    """The names of the cases that test_evidence_vectors.py has in its table."""
    done = subprocess.run(["python3", "-c", "import evidence_cases; print(*evidence_cases.CASES)"],
                          cwd=ROOT / "tests/e2e", capture_output=True, text=True, check=True)
    return done.stdout.split()


def failures():
    """The rows of the table: number, mistake, where, and the last cell."""
    return [row for row in rows(FAILURES, 4) if row[0].isdigit()]


def test_all_failures_are_answered():
    assert [int(row[0]) for row in failures()] == list(range(1, 31))
    assert [row[0] for row in failures() if not all(row)] == []


TESTS = re.findall(r"`((?:src|tests)/[\w/.]+)::([^`]+)`", FAILURES)


def test_every_answer_names_a_test_or_says_why_not():
    for row in failures():
        assert "::" in row[3] or row[3].startswith("Cannot be mended"), row[0]


@pytest.mark.parametrize("path, name", TESTS, ids=[name for _, name in TESTS])
def test_the_tests_that_are_named_exist(path, name):
    assert has_test(path, name)


def test_the_search_for_tests_finds_what_is_missing():
    path = "tests/e2e/test_evidence_vectors.py"
    assert has_test(path, "test_unreadable") and has_test(path, "test_under_the_default_policy[snp-milan-v2]")
    assert not has_test(path, "test_under_the_default_policy[snp-milan-v9]") and not has_test(path, "test_nothing")
    assert not has_test("src/evidence/snp_report_test.c", "nothing")
