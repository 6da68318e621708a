"""broch from the command line: help, mistakes, exit codes, docs/command-line.md, and the commands
that need nothing but files. The frame's own rules: src/cli/cli_test.c."""
import json
import os
import stat
import subprocess

import pytest


@pytest.fixture
def broch(build):
    """Runs broch with the words; options go to subprocess.run."""
    def run(*words, **options):
        return subprocess.run([build / "src/cli/broch", *words], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=60, check=False, **options)
    return run


@pytest.fixture
def corpus(root):
    return root / "tests/corpus/config"


def commands(broch):
    """The names that the overview lists."""
    listed = broch("help").stdout.split("\n\n")[1]
    return [line[2:28].strip() for line in listed.splitlines()]


def test_documentation_is_what_broch_prints(broch, root):
    printed = broch("help", "--markdown")
    assert printed.returncode == 0
    assert (root / "docs/command-line.md").read_text() == printed.stdout, \
        "write it anew: broch help --markdown > docs/command-line.md"


def test_every_command_has_help(broch):
    names = commands(broch)
    assert {"config init", "config check", "help"} <= set(names)
    for name in names:
        words = name.split()
        shown = broch(*words, "--help")
        assert shown.returncode == 0 and shown.stdout.startswith(f"broch {name}: "), name
        assert f"usage: broch {name}" in shown.stdout
        assert broch("help", *words).stdout == shown.stdout
        assert shown.stderr == ""
        explained = shown.stdout.partition("\n  --")[0].splitlines()[3:]  # behind summary and usage, up to the options
        assert all(len(line) <= 110 for line in explained), f"{name}: {max(explained, key=len)}"


@pytest.mark.parametrize("words, said", [
    ([], "usage: broch COMMAND"),
    (["config"], "usage: broch config COMMAND"),
    (["confg"], "confg: unknown command; did you mean 'config'?"),
    (["config", "chekc", "x"], "config chekc: unknown command; did you mean 'config check'?"),
    (["config", "init", "--froce"], "--froce: unknown option of 'config init'; did you mean --force?"),
    (["config", "check"], "config check: FILE is missing"),
    (["config", "check", "a", "b"], "b: one argument too many for 'config check'"),
    (["config", "check", "--json=1", "a"], "unknown option"),
])
def test_mistakes_are_usage_errors(broch, words, said):
    wrong = broch(*words)
    assert wrong.returncode == 2 and said in wrong.stderr
    assert wrong.stdout == ""


def test_version(broch):
    shown = broch("--version")
    assert shown.returncode == 0 and shown.stdout.split()[0] == "broch"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_output_that_cannot_be_written(build):
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([build / "src/cli/broch", "help"], stdout=full,
                              stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1 and "standard output: cannot write" in done.stderr


def test_config_init_writes_what_check_accepts(broch, tmp_path):
    done = broch("config", "init", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "wrote Keep.toml\n", "")
    written = (tmp_path / "Keep.toml").read_text()
    assert written.startswith("# ") and stat.S_IMODE((tmp_path / "Keep.toml").stat().st_mode) & 0o111 == 0
    checked = broch("config", "check", "Keep.toml", cwd=tmp_path)
    assert checked.returncode == 0 and "may listen on no port" in checked.stdout.splitlines()
    assert "warning" not in checked.stdout


def test_config_init_does_not_overwrite(broch, tmp_path):
    mine = tmp_path / "Keep.toml"
    mine.write_text("args = []\n" + "#" * 10000)
    refused = broch("config", "init", cwd=tmp_path)
    assert refused.returncode == 1 and mine.read_text().startswith("args = []\n")
    assert refused.stderr == "broch: Keep.toml: exists already; --force overwrites it\n"
    assert broch("config", "init", "--force", cwd=tmp_path).returncode == 0
    assert "args = []" not in mine.read_text() and mine.read_text().endswith('server = "web"\n')


def test_config_init_without_leave(broch, tmp_path):
    (tmp_path / "Keep.toml").symlink_to("/nowhere/Keep.toml")
    refused = broch("config", "init", "--force", cwd=tmp_path)
    assert refused.returncode == 1
    assert refused.stderr == "broch: Keep.toml: cannot create: No such file or directory\n"


@pytest.mark.parametrize("name, form, lines", [
    ("keep.toml", "Keep.toml", [
        "may listen on port 50000: TLS, admits keeps of registry.example/alice/chat-client tags "
        "0.1.0, 0.1.1; or keeps with digest "
        "sha-256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0= on SEV-SNP or TDX certified under "
        "partner-root.pem",
        "warning: simulated = true: peers may be simulations, which protect nothing"]),
    ("chat-server-files.toml", "Enarx.toml", [
        'descriptor 3, "ingest", listens on [::]:50000: plain TCP',
        "warning: listens on [::]:50000: plain TCP: the host and the network can read and change "
        "what passes"]),
    ("chat-client-files.toml", "Enarx.toml", [
        'descriptor 3, "server", connects to 127.0.0.1:50000: plain TCP']),
    ("chat-server.toml", "Enarx.toml", [
        "standard output: the host's",
        "warning: may listen on any port: TLS without a check of the peer: the program itself must "
        "read /net/peer"]),
    ("enarx-network.toml", "Enarx.toml", ["may connect to [::1]:80: plain TCP"]),
    ("files.toml", "Keep.toml", [
        'descriptor 4, "ingest", listens on 0.0.0.0:50000: TLS, admits everybody',
        'variable "KEY" is "value"']),
])
def test_config_check_explains(broch, corpus, tmp_path, name, form, lines):
    file = tmp_path / form
    file.write_bytes((corpus / name).read_bytes())
    checked = broch("config", "check", file)
    assert checked.returncode == 0 and checked.stderr == ""
    assert [line for line in lines if line not in checked.stdout.splitlines()] == []
    told = json.loads(broch("config", "check", "--json", file).stdout)
    assert told["valid"] is True and told["file"] == str(file)
    assert told["form"] == form.split(".")[0].lower()
    shown = checked.stdout.splitlines()
    assert told["facts"] == [line for line in shown if not line.startswith("warning: ")]
    assert told["warnings"] == [line[9:] for line in shown if line.startswith("warning: ")]


def test_config_check_goes_by_the_name(broch, tmp_path):
    text = "[network.incoming.80]\nprot = \"tls\"\n"
    (tmp_path / "Keep.toml").write_text(text)
    (tmp_path / "Enarx.toml").write_text(text)
    assert broch("config", "check", "Enarx.toml", cwd=tmp_path).returncode == 0
    refused = broch("config", "check", "Keep.toml", cwd=tmp_path)
    assert refused.returncode == 1 and refused.stdout == ""
    assert refused.stderr.startswith("Keep.toml:1:19: who may connect? add 'peers'")


def test_config_check_names_the_place(broch, tmp_path):
    (tmp_path / "Keep.toml").write_text("args = []\n\n[limits]\n  memry = \"1GiB\"\n")
    refused = broch("config", "check", "Keep.toml", cwd=tmp_path)
    said = "unknown key 'memry' in [limits]; did you mean 'memory'?"
    assert (refused.returncode, refused.stderr) == (1, f"Keep.toml:4:3: {said}\n")
    refused = broch("config", "check", "--json", "Keep.toml", cwd=tmp_path)
    assert refused.returncode == 1 and refused.stderr == ""
    assert json.loads(refused.stdout) == {"valid": False, "file": "Keep.toml", "line": 4,
                                          "column": 3, "message": said}


def test_files_that_cannot_be_read(broch, tmp_path):
    missing = broch("config", "check", "nowhere.toml", cwd=tmp_path)
    assert missing.returncode == 1
    assert missing.stderr == "broch: nowhere.toml: cannot open: No such file or directory\n"
    folder = broch("config", "check", tmp_path)
    assert folder.returncode == 1 and "Is a directory" in folder.stderr
    (tmp_path / "large.toml").write_bytes(b"\n" * 1_000_001)
    large = broch("config", "check", "large.toml", cwd=tmp_path)
    assert large.returncode == 1 and "larger than may be, in bytes 1000000" in large.stderr


def test_text_of_others_does_not_command_the_terminal(broch, tmp_path):
    name = "Keep\x1b[31m.toml"
    (tmp_path / name).write_text('args = ["\\u001b[31m\\u009b", "\u202e"]\n"q\\u001b[0m" = 1\n')
    shown = broch("config", "check", name, cwd=tmp_path)
    assert shown.returncode == 1
    assert shown.stderr.startswith("Keep\\x1b[31m.toml:2:1: unknown key 'q.[0m'")
    (tmp_path / name).write_text('args = ["\\u001b[31m\\u009b", "\u202e"]\n')
    shown = broch("config", "check", name, cwd=tmp_path)
    assert 'argument 1: "\\u001b[31m\\u009b"' in shown.stdout
    assert 'argument 2: "\\u202e"' in shown.stdout
