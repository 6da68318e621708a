"""What is made from the table of commands beside docs/command-line.md: man pages, and completion by bash."""
import os
import re
import subprocess

import pytest


@pytest.fixture(scope="module")
def broch(build):
    def run(*words):
        return subprocess.run([build / "src/cli/broch", *words], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=60, check=False)
    return run


@pytest.fixture(scope="module")
def commands(broch):
    """The names that the overview lists."""
    listed = broch("help").stdout.split("\n\n")[1]
    return [line[2:28].strip() for line in listed.splitlines()]


def options(broch, name):
    """The options of a command's help, with their values ("" of a switch)."""
    shown = broch(*name.split(), "--help").stdout
    return dict(re.findall(r"^  (--[\w-]+) ?(\S*)", shown, re.MULTILINE))


# ---- man pages ----

@pytest.fixture(scope="module")
def pages(broch, tmp_path_factory):
    folder = tmp_path_factory.mktemp("man") / "man1"
    written = broch("help", "--man", folder)
    assert (written.returncode, written.stdout, written.stderr) == (0, "", "")
    return folder


@pytest.fixture(scope="module")
def shown(pages):
    """The text of a page, as man shows it."""
    def show(page):
        env = {**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "2000", "MAN_KEEP_FORMATTING": "", "TERM": "dumb"}
        done = subprocess.run(["man", "--warnings", "-l", pages / page], capture_output=True, text=True, env=env,
                              timeout=60, check=True)
        return re.sub(".\b", "", done.stdout)
    return show


@pytest.fixture
def written(root, tmp_path):
    """Where the pages are that are written by hand, beside one that a link among them names."""
    folder = tmp_path / "man1"
    folder.mkdir()
    for path in (root / "packaging").glob("*.1"):
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def test_pages_by_hand(build, written, pages):
    """Whatever the help of broch-wasm says, its page says; broch-registry is broch's."""
    env = {**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "2000", "MAN_KEEP_STDERR": "1"}
    (written / "broch.1").write_bytes((pages / "broch.1").read_bytes())
    done = subprocess.run(["man", "--warnings", "-l", written / "broch-wasm.1"], capture_output=True, text=True, env=env,
                          timeout=60, check=True)
    help_text = subprocess.run([build / "src/wasm_tool/broch-wasm", "--help"], capture_output=True, text=True,
                               check=True).stdout
    text = re.sub(".\b", "", done.stdout)
    missing = set(help_text.replace("[OPTION…]", "").split()) - set(text.split()) - {"usage:", "Exit", "status:"}
    assert missing == set() and done.stderr == ""
    done = subprocess.run(["man", "-l", "man1/broch-registry.1"], capture_output=True, text=True, env=env, timeout=60,
                          cwd=written.parent, check=True)
    assert "broch - run WebAssembly" in re.sub(".\b", "", done.stdout) and done.stderr == ""


def test_every_first_word_has_a_page(pages, commands):
    wanted = {"broch.1"} | {f"broch-{name.split()[0]}.1" for name in commands}
    assert {path.name for path in pages.iterdir()} == wanted
    assert {"broch-steward.1", "broch-drawbridge.1", "broch-deploy.1"} <= wanted


def test_installed_pages_are_those_that_broch_writes(pages, build, broch):
    made = build / "packaging/man1"
    for path in pages.iterdir():
        assert (made / path.name).read_bytes() == path.read_bytes()
    assert (build / "packaging/broch").read_text() == broch("help", "--bash-completion").stdout


def test_nothing_to_warn_of(pages):
    faults = []
    for path in sorted(pages.iterdir()):
        for command in (["man", "--warnings", "-l", path], ["groff", "-man", "-ww", "-Tutf8", path]):
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False,
                                  env={**os.environ, "LC_ALL": "C.UTF-8", "MAN_KEEP_STDERR": "1"})
            if done.returncode != 0 or done.stderr != "":
                faults.append((path.name, done.returncode, done.stderr))
    assert faults == []


def test_pages_say_what_the_help_says(broch, commands, shown):
    overview = shown("broch.1")
    for name in commands:
        text = shown(f"broch-{name.split()[0]}.1")
        help_text = broch(*name.split(), "--help").stdout
        synopsis = re.search("^usage: (.*)$", help_text, re.MULTILINE)[1]
        summary = help_text.partition("\n")[0].partition(": ")[2]
        assert synopsis in text and f"broch {name}" in overview, name
        assert summary in text and summary in overview, name
        for option, value in options(broch, name).items():
            assert option == "--help" or f"{option} {value}".strip() in text, (name, option)
        # every word of the details, though not its lines
        details = help_text.split("\n\n", 2)[2] if "\n\n" in help_text else ""
        assert set(details.split("\n  --")[0].split()) <= set(text.split()), name
    for code, meaning in re.findall(r"^  (\d+) +(.*)$", broch("help").stdout, re.MULTILINE):
        assert re.search(rf"^ +{code} +{re.escape(meaning)}$", overview, re.MULTILINE), code


def test_pages_have_a_summary_of_their_own(shown, commands):
    """What apropos finds."""
    for word in {name.split()[0] for name in commands}:
        title, summary = re.search(r"^NAME\n +(\S+) - (.*)$", shown(f"broch-{word}.1"), re.MULTILINE).groups()
        assert title == f"broch-{word}" and summary not in ("", "commands of broch"), word


def test_a_folder_that_cannot_be_written(broch, tmp_path):
    (tmp_path / "file").write_text("")
    refused = broch("help", "--man", tmp_path / "file")
    assert refused.returncode == 1 and "file/broch.1: Not a directory" in refused.stderr
    refused = broch("help", "--man", tmp_path / "a/b")
    assert refused.returncode == 1 and "a/b: No such file or directory" in refused.stderr


# ---- bash ----

@pytest.fixture(scope="module")
def complete(broch, tmp_path_factory):
    """What bash offers for command lines, each the words before the cursor."""
    folder = tmp_path_factory.mktemp("bash")
    script = folder / "completion"
    script.write_text(broch("help", "--bash-completion").stdout)
    place = folder / "place"
    (place / "sub dir").mkdir(parents=True)
    for name in ("main.wasm", "root.pem", "r x.pem"):
        (place / name).write_text("")

    def run(*lines):
        said = f"source {script}\n"
        for words in lines:
            quoted = " ".join("'" + word + "'" for word in words)
            said += f"COMP_WORDS=({quoted}) COMP_CWORD={len(words) - 1}\n"
            said += "_broch; printf '%s\\n' = \"${COMPREPLY[@]}\"\n"
        done = subprocess.run(["bash", "--norc", "-u"], input=said, capture_output=True, text=True, cwd=place,
                              timeout=120, check=True)
        assert done.stderr == ""
        offers = ("\n" + done.stdout).split("\n=\n")[1:]
        assert len(offers) == len(lines)
        return [sorted(word for word in offer.split("\n") if word) for offer in offers]
    return run


def test_the_script_loads(broch, tmp_path):
    script = tmp_path / "completion"
    script.write_text(broch("help", "--bash-completion").stdout)
    done = subprocess.run(["bash", "--norc", "-c", f"source {script}; complete -p broch broch-steward broch-drawbridge"],
                          capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"complete -F _broch {name}"
                                        for name in ("broch", "broch-steward", "broch-drawbridge")]


def test_every_command_is_offered(complete, commands):
    """Word by word, from nothing."""
    places, wanted = [], []
    for name in commands:
        words = name.split()
        for at in range(len(words)):
            places.append(["broch", *words[:at], ""])
            wanted.append(words[at])
    offers = complete(*places)
    assert [place for place, word, offer in zip(places, wanted, offers) if word not in offer] == []
    assert set(offers[0]) == {name.split()[0] for name in commands}


def test_every_option_is_offered(complete, broch, commands):
    for name, offer in zip(commands, complete(*(["broch", *name.split(), "--"] for name in commands))):
        assert offer == sorted(options(broch, name)), name


def backends(broch):
    return re.search(r"one of ([\w, ]+?)[;\n]", broch("run", "--help").stdout)[1].split(", ")


def test_a_backend_is_one_of_those_that_there_are(complete, broch):
    known = backends(broch)
    refused = broch("run", "--backend", "frobnicate", "/dev/null")
    assert f"it has: {', '.join(known)}\n" in refused.stderr and "nil" in known
    for words in (["run", "--backend", ""], ["run", "--backend", "=", ""], ["run", "--backend", "="],
                  ["deploy", "registry.example", ":", "8443", "--backend", ""]):
        assert complete(["broch", *words]) == [sorted(known)], words
    assert complete(["broch", "run", "--backend", "n"]) == [["nil"]]
    assert complete(["broch", "run", "--backend", "=", "n"]) == [["nil"]]
    assert complete(["broch", "run", "--backend=n"]) == [["nil"]]  # where bash does not part words at =


FILES = ["main.wasm", "r x.pem", "root.pem", "sub dir"]


@pytest.mark.parametrize("line, offered", [
    ("st", ["steward"]),
    ("steward ", ["audit", "collateral", "init", "policy", "revocations", "revoke", "serve"]),
    ("steward po", ["policy"]),
    ("steward policy ", ["explain", "test"]),
    ("frobnicate ", []),
    ("-", ["--help", "--version"]),
    ("steward -", ["--help"]),
    ("run ", FILES),
    ("run m", ["main.wasm"]),
    ("run main.wasm -- r", ["r x.pem", "root.pem"]),
    ("run main.wasm -- --b", []),
    ("run --simulate --s", ["--sim-dir"]),
    ("run --env A=1 --en", ["--env"]),
    ("run --fuel ", []),
    ("run --fuel 1 m", ["main.wasm"]),
    ("run --sim-dir ", ["sub dir"]),
    ("run --wasmcfgfile ro", ["root.pem"]),
    ("steward init ", ["sub dir"]),
    ("evidence verify root.pem m", ["main.wasm"]),
    ("evidence verify --policy ro", ["root.pem"]),
    ("repo visibility registry.example/alice/chat ", ["private", "public"]),
    ("repo visibility registry.example : 8443/alice/chat pu", ["public"]),
    ("repo steward add --technology s", ["sgx", "snp"]),
    ("key publisher create --curve ", ["P-256", "P-384"]),
    ("config init ", ["--force", "--help"]),
    ("help ste", ["steward"]),
    ("help steward col", ["collateral"]),
])
def test_what_is_offered(complete, line, offered):
    offers = complete(["broch", *line.split(" ")])[0]
    assert sorted(set(offers)) == offered


def test_a_servers_program(complete):
    assert complete(["/usr/bin/broch-steward", ""], ["broch-steward", "--"], ["broch-steward", "--config", "ro"],
                    ["broch-steward", "steward", "rev"], ["broch-drawbridge", "drawbridge", "token", ""]) == \
        [["steward"], ["--config", "--help"], ["root.pem"], ["revocations", "revoke"], ["create", "list", "revoke"]]
