"""Every vector of toml-test for TOML 1.0.0: valid files give exactly their JSON, invalid ones a
reason with its place."""
import json
import math
import re
import subprocess

import pytest

from conftest import SHARED

SUITE = SHARED / "toml-test/tests"
LISTED = [SUITE / line for line in (SUITE / "files-toml-1.0.0").read_text().split()
          if line.endswith(".toml")]
VALID = [p for p in LISTED if p.relative_to(SUITE).parts[0] == "valid"]
INVALID = [p for p in LISTED if p.relative_to(SUITE).parts[0] == "invalid"]


def name(path):
    return str(path.relative_to(SUITE))


def decode(build, text):
    return subprocess.run([build / "tests/conformance/toml2json"], input=text, capture_output=True,
                          check=False)


def plain(value):
    """Values in a form that compares: floats by value, times by their digits, the rest as it is."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if set(value) == {"type", "value"} and isinstance(value["value"], str):
        kind, text = value["type"], value["value"]
        if kind == "float":
            number = float(text)
            return kind, "nan" if math.isnan(number) else number
        if kind == "integer":
            return kind, int(text)
        if kind != "string":
            text = text.upper().replace(" ", "T")
            text = re.sub(r"(\.\d*?)0+(?=$|[Z+-])", r"\1", text)
            text = re.sub(r"\.(?=$|[Z+-])", "", text)
        return kind, text
    return {key: plain(item) for key, item in value.items()}


def test_the_suite_is_whole(record_property):
    assert len(VALID) > 200 and len(INVALID) > 450
    record_property("detail", f"toml-test for TOML 1.0.0: {len(VALID)} valid and {len(INVALID)} "
                              "invalid vectors")


@pytest.mark.parametrize("path", VALID, ids=name)
def test_valid(path, build):
    run = decode(build, path.read_bytes())
    assert run.returncode == 0, run.stderr
    assert plain(json.loads(run.stdout)) == plain(json.loads(path.with_suffix(".json").read_text()))


@pytest.mark.parametrize("path", INVALID, ids=name)
def test_invalid(path, build):
    run = decode(build, path.read_bytes())
    assert run.returncode == 1
    assert re.fullmatch(rb"[1-9]\d*:[1-9]\d*: [^\n]+\n", run.stderr), run.stderr
