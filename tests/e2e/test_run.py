"""The script ./run: its verbs, and what it says when something is missing."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import pytest

NOBODY = 65534


def run(folder, *words, **options):
    return subprocess.run(["./run", *words], cwd=folder, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, check=False, **options)


def test_help_lists_every_verb(root):
    listed = run(root, "help").stdout
    script = (root / "run").read_text()
    verbs = re.findall(r"^([a-z]+)\)", script[script.index("case $verb in"):], re.MULTILINE)
    assert {"setup", "build", "test", "demo", "bench", "fuzz", "fmt", "lint", "clean"} <= set(verbs)
    assert [v for v in verbs if not re.search(rf"^  {v}\b", listed, re.MULTILINE)] == []


def test_no_verb_and_unknown_verb(root):
    assert run(root).stdout == run(root, "help").stdout
    unknown = run(root, "tset")
    assert unknown.returncode == 2 and "no such verb: tset" in unknown.stderr


def test_unknown_build(root):
    wrong = run(root, "build", "fastest")
    assert wrong.returncode == 2 and "no such kind of build: fastest" in wrong.stderr


def test_packages_have_group_and_reason(root):
    lines = [line for line in (root / "packages.txt").read_text().splitlines()
             if not line.startswith("#")]
    assert lines
    for line in lines:
        assert re.fullmatch(r"[a-z0-9.+-]+ +(build|demo|test|bench|fuzz|lint|aarch64|package) +# \S.*", line), line
    names = [line.split()[0] for line in lines]
    assert len(names) == len(set(names))


def test_tcb_counts_every_room(root, build):
    """The lines and bytes of ./run tcb, for the build at hand."""
    shown = subprocess.run([sys.executable, root / "tools/tcb.py", build], capture_output=True,
                           text=True, check=True).stdout
    counted = dict(re.findall(r"^  (\w+) +(\d+)", shown, re.MULTILINE))
    assert {"base", "os", "wasm", "wasm_tool"} <= set(counted)
    assert all(int(lines) > 0 for lines in counted.values())


def test_a_build_has_the_time_of_its_commit(root, tmp_path):
    """Which the keep image holds: after another commit meson is asked anew, and not otherwise."""
    shutil.copy(root / "run", tmp_path)
    (tmp_path / "packages.txt").write_text("")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, does in [("meson", 'mkdir -p "build/release"; echo "$*" >>asked'), ("ninja", "true")]:
        (tools / name).write_text(f"#!/bin/sh\n{does}\n")
        (tools / name).chmod(0o755)
    env = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "GIT_CONFIG_COUNT": "2",
           "GIT_CONFIG_KEY_0": "user.name", "GIT_CONFIG_VALUE_0": "nobody", "GIT_CONFIG_KEY_1": "user.email",
           "GIT_CONFIG_VALUE_1": "nobody@broch.example"}
    env.pop("SOURCE_DATE_EPOCH", None)

    def commit(day):
        at = {**env, "GIT_AUTHOR_DATE": day, "GIT_COMMITTER_DATE": day}
        subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", day], cwd=tmp_path, env=at, check=True)

    def asked():
        done = run(tmp_path, "build", env=env)
        assert done.returncode == 0, done.stderr
        lines = (tmp_path / "asked").read_text().splitlines()
        return len(lines), "--reconfigure" in lines[-1]
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, env=env, check=True)
    commit("2026-01-01T00:00:00Z")
    assert [asked(), asked()] == [(1, False), (1, False)]
    commit("2026-01-02T00:00:00Z")
    assert [asked(), asked()] == [(2, True), (2, True)]
    env["SOURCE_DATE_EPOCH"] = "1"
    assert asked() == (3, True)


@pytest.fixture
def bare(root):
    """A folder that anybody may read, with only the script and a list that names a package which
    does not exist."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        os.chmod(folder, 0o755)
        shutil.copy(root / "run", folder / "run")
        (folder / "packages.txt").write_text("# a comment with build\n"
                                             "dpkg                build  # always there\n"
                                             "broch-no-such-thing build  # never there\n"
                                             "broch-for-lint      lint   # not needed to build\n")
        yield folder


def test_missing_package_names_the_command(bare):
    """Without root and sudo: the exact command, and exit status 2."""
    options = {}
    if os.getuid() == 0:
        options = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    shown = run(bare, "build", **options)
    assert shown.returncode == 2
    assert "apt-get install broch-no-such-thing\n" in shown.stderr
    assert "dpkg" not in shown.stderr.split("apt-get install")[1]
    assert "broch-for-lint" not in shown.stderr
