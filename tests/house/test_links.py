"""Links between pages lead somewhere, and every page can be found from docs/README.md."""
import pathlib
import re
import subprocess
import xml.etree.ElementTree as ET

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\(([^)\s]+)\)")


def pages():
    """The Markdown of the repository."""
    out = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", "*.md"], cwd=ROOT,
                         capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in out.split() if (ROOT / name).exists()]


def prose(text):
    """A page without its code."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^    .*$", "", text, flags=re.MULTILINE)
    return re.sub(r"`[^`\n]*`(?!\])", "", text)


def anchors(path):
    """What the headings of a page are called in links."""
    found = set()
    for title in re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", path.read_text(),
                                                 flags=re.MULTILINE | re.DOTALL), re.MULTILINE):
        found.add(re.sub(r"[^\w -]", "", title.strip().lower()).replace(" ", "-"))
    return found


def faults(path, text):
    """The links of a page at `path` that lead nowhere."""
    found = []
    for link in LINK.findall(prose(text)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if name.startswith("/") or not target.exists():
            found.append(link)
        elif anchor and anchor not in anchors(target):
            found.append(link)
    return found


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    assert faults(path, path.read_text()) == []


def test_every_page_is_in_the_index():
    index = ROOT / "docs/README.md"
    linked = {(index.parent / link.partition("#")[0]).resolve() for link in LINK.findall(index.read_text())}
    there = {path for path in (ROOT / "docs").rglob("*") if path.suffix in (".md", ".json")} - {index}
    assert sorted(str(path) for path in there if path not in linked and path.parent not in linked) == []


def test_pictures_say_in_words_what_they_show():
    for path in (ROOT / "docs").rglob("*.svg"):
        picture = ET.parse(path).getroot()
        said = [picture.find(f"{{http://www.w3.org/2000/svg}}{name}") for name in ("title", "desc")]
        assert all(part is not None and part.text for part in said), path


@pytest.mark.parametrize("text, found", [
    ("[a](README.md)", []), ("[a](docs/nothing.md)", ["docs/nothing.md"]), ("[a](docs/README.md#documentation)", []),
    ("[a](docs/README.md#no-such)", ["docs/README.md#no-such"]), ("[a](https://nowhere.example/)", []),
    ("[a](/etc)", ["/etc"]), ("```\n[a](b)\n```", []), ("![a](docs/no.svg)", ["docs/no.svg"]),
    ("[`a`](nothing)", ["nothing"]), ("`x[0](a)`", []),
])
def test_the_check_finds(text, found):
    assert faults(ROOT / "README.md", text) == found
