"""The keep image is the same whoever builds it: another folder, user, locale, time zone and day give the same bytes."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

IMAGES = ["src/keep/broch-keep", "src/shim/kvm/broch-shim-kvm"]
NOBODY = 65534


def build_time(build):
    """What the image has as its time, of the commit that the build was set up at."""
    return re.search(r"-DKEEP_BUILD_TIME=(\d+)", (build / "compile_commands.json").read_text())[1]


def demote():
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    os.umask(0o077)


@pytest.fixture(name="twin", scope="module")
def fixture_twin(root, build, tmp_path_factory):
    """What lies in the checkout, built by somebody else elsewhere."""
    folder = pathlib.Path("/tmp") / f"broch-twin-{os.getpid()}-a-longer-path"
    source = folder / "ä b"
    source.mkdir(parents=True)
    try:
        for name in ("meson.build", "meson_options.txt"):
            shutil.copy(root / name, source / name)
        for name in ("src", "tools", "tests", "packaging", "workloads", "bench"):
            shutil.copytree(root / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        os.chmod(folder, 0o755)
        subprocess.run(["chown", "-R", str(NOBODY), folder], check=True)
        env = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "tr_TR.UTF-8", "LC_ALL": "C",
               "TZ": "Pacific/Kiritimati", "USER": "nobody",
               "SOURCE_DATE_EPOCH": build_time(build)}
        run = {"preexec_fn": demote if os.getuid() == 0 else None, "env": env, "check": True, "capture_output": True}
        options = ["-Doptimization=2", "-Ddebug=true", "-Dtests=false", "-Dbench=false"]
        subprocess.run(["meson", "setup", *options, source / "out", source], **run)
        subprocess.run(["ninja", "-C", source / "out", *IMAGES], **run)
        yield source / "out"
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("name", IMAGES)
def test_the_same_bytes(build, twin, name):
    ours, theirs = (build / name).read_bytes(), (twin / name).read_bytes()
    assert len(ours) == len(theirs)
    assert [at for at, pair in enumerate(zip(ours, theirs)) if pair[0] != pair[1]][:10] == []


def test_nothing_of_where_it_was_made(root, build):
    for name in IMAGES:
        content = (build / name).read_bytes()
        for word in (str(root), "../src/"):
            assert word.encode() not in content, (name, word)
