"""Every command of the documentation is run, as a reader would type it, and prints what the page says it prints.

docs_page.py says how a page is read. A page runs in a network of its own, where nothing else has its ports."""
import os
import pathlib
import tempfile

import pytest

import docs_page
from docs_page import Block, Fault, Reader
from steward_host import wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SECONDS = 120  # for one block
DEVICE = os.environ.get("BROCH_KVM_DEVICE") or "/dev/kvm"
HAS_DEVICE = os.access(DEVICE, os.R_OK | os.W_OK)


def name_of(page):
    return str(page.relative_to(ROOT))


RUN = [page for page in PAGES if docs_page.commands(page)]


def simulates(page):
    return any("--simulate" in block.text for block in docs_page.commands(page))


@pytest.fixture(name="place")
def fixture_place():
    """A folder that every user can reach: pages start servers that become somebody else."""
    with tempfile.TemporaryDirectory(prefix="broch-docs-") as folder:
        path = pathlib.Path(folder)
        path.chmod(0o755)
        yield path


@pytest.fixture(name="follow")
def fixture_follow(request, build, root, place):
    """Does what a page says; the number of blocks that were run."""
    def follow(page, device):
        sim_dir = request.getfixturevalue("sim_dir") if docs_page.needs_roots(page) else None
        return run_page(build, root, page, place, device, sim_dir)
    return follow


def run_page(build, root, page, place, device, sim_dir):
    count, has_kvm = 0, os.access(device, os.R_OK | os.W_OK)
    with Reader(build, place, device=device) as reader:
        docs_page.give_packages(page, root / "build/npm", reader.folder)
        if sim_dir is not None:
            docs_page.give_roots(sim_dir, reader.folder)
        for part in docs_page.chain(page):
            for block in docs_page.commands(part, has_kvm):
                reader.run(block, SECONDS)
                count += 1
    return count


@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_a_page_does_what_it_says(follow, page, record_property):
    count = follow(page, DEVICE)
    record_property("detail", f"{name_of(page)}: {count} blocks")


@pytest.mark.skipif(not HAS_DEVICE, reason="there are none here anyway")
@pytest.mark.parametrize("page", [page for page in RUN if simulates(page)], ids=name_of)
def test_it_does_without_virtual_machines(follow, page):
    """Then another TEE is simulated."""
    follow(page, "/nonexistent")


def test_there_are_pages():
    names = {name_of(page) for page in RUN}
    howto = {name_of(page) for page in PAGES if page.parent.name == "howto"}
    assert len(howto) >= 4 and howto | {"docs/tutorial.md", "docs/packages.md"} <= names


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_is_not_run_says_why(page, record_property):
    kinds = {block.info for block in docs_page.blocks(page) if block.info.startswith("sh")}
    assert kinds <= {"sh", "sh kvm", "sh norun"}
    left_out = [block for block in docs_page.blocks(page) if block.info == "sh norun"]
    for block in left_out:
        assert docs_page.REASON.match(block.text), f"{page}:{block.line}: its first line does not say why it is not run"
    assert len(left_out) <= max(1, len(docs_page.commands(page))), "more is left out than run"
    if left_out:
        record_property("detail", f"{name_of(page)}: {len(left_out)} blocks are not run")


# The check itself.

@pytest.mark.parametrize("shown, said, is_same", [
    ("a\n", "a\n", True), ("a\n", "b\n", False), ("a\n", "a\nb\n", False), ("", "", True), ("a\n", "", False),
    ("a … c\n", "a b c\n", True), ("a … c\n", "a b\nc\n", False), ("…\n", "", True), ("…\n", "a\nb\n", True),
    ("a\n…\nd\n", "a\nd\n", True), ("a\n…\nd\n", "a\nb\nc\nd\n", True), ("a\n…\nd\n", "a\nb\nc\n", False),
    ("a.c\n", "abc\n", False), ("a\n", "a", True), ("a \n", "a\n", True), ("a\n", "a  \n", True),
])
def test_the_wildcard(shown, said, is_same):
    assert docs_page.agrees(shown, said) == is_same


PAGE = """# A page
```sh
echo one
```
Words.
```text
one
```
```toml
a = 1
```
```sh norun
# not run by the tests, which cannot
exit 1
```
```text
nothing
```
```sh kvm
cd /
```
```text
nothing
```
"""


def test_reading(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    assert [(b.info, b.line) for b in docs_page.blocks(page)] == [
        ("sh", 3), ("text", 7), ("toml", 10), ("sh norun", 13), ("text", 17), ("sh kvm", 20), ("text", 23)]
    said = [(b.text, b.output) for b in docs_page.commands(page)]
    assert said == [("echo one\n", "one\n"), ("cd /\n", "nothing\n")]
    assert [b.text for b in docs_page.commands(page, has_kvm=False)] == ["echo one\n"]
    other = tmp_path / "other.md"
    other.write_text("<!-- continues page.md -->\n")
    assert docs_page.chain(other) == [page, other]


@pytest.fixture(params=["isolated", "not isolated"])
def reader(request, build, tmp_path):
    """Also where no namespaces may be made."""
    isolate = request.param == "isolated"
    if isolate and not docs_page.can_isolate():
        pytest.skip("no namespaces can be made here")
    with Reader(build, tmp_path, isolate) as shell:
        yield shell


def block(text, output=None):
    return Block(pathlib.Path("page.md"), "sh", 10, text, output)


def test_one_shell(reader):
    reader.run(block("mkdir a\ncd a\nexport X=1\n"), 10)
    assert reader.run(block("pwd\necho $X\n"), 10) == f"{reader.folder}/a\n1\n"


def test_a_command_that_fails(reader):
    with pytest.raises(Fault, match=r"page.md:11: this ends with status 1\n    false\n--- output\na\n"):
        reader.run(block("echo a\nfalse\necho b\n"), 10)


def test_a_command_that_may_fail(reader):
    assert reader.run(block("false || echo $?\nif false; then :; fi\n! true || :\n"), 10) == "1\n"


def test_another_output(reader):
    with pytest.raises(Fault, match=r"page.md:10: this prints something else"):
        reader.run(block("echo b\n", "a\n"), 10)


def test_one_that_does_not_end(reader):
    with pytest.raises(Fault, match=r"page.md:10: this has not ended"):
        reader.run(block("sleep 60\n"), 1)


@pytest.mark.parametrize("isolate", [True, False])
def test_what_was_started_ends(build, tmp_path, isolate):
    """Also when a command fails."""
    mark = f"61.{tmp_path.stat().st_ino}"
    with Reader(build, tmp_path, isolate and docs_page.can_isolate()) as shell, pytest.raises(Fault):
        shell.run(block(f"sleep {mark} &\nfalse\n"), 10)
    wait_for(lambda: not any(mark.encode() in read(path) for path in pathlib.Path("/proc").glob("[0-9]*/cmdline")))


def read(path):
    try:
        return path.read_bytes()
    except OSError:  # it has ended meanwhile
        return b""


def test_a_network_of_its_own(build, tmp_path):
    """Two pages can have the same ports at once."""
    if not docs_page.can_isolate():
        pytest.skip("no namespaces can be made here")
    with Reader(build, tmp_path, True) as shell:
        assert shell.run(block("tail -n +3 /proc/net/dev | cut -d : -f 1 | tr -d ' '\n"), 10) == "lo\n"
