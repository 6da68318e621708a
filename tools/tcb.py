#!/usr/bin/python3
"""Prints the lines and bytes inside each trust boundary: tcb.py BUILD"""
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/house"))
import rooms  # noqa: E402  (the table of docs/architecture.md has one reader)


def lines_of(folder):
    """Lines of code and comments, without tests and fuzz targets."""
    files = [p for p in folder.glob("*.[ch]")
             if not p.stem.endswith(("_test", "_fuzz"))]
    return sum(len(p.read_text().splitlines()) for p in files)


def bytes_of(archive):
    """Bytes of code and constants, of data, as `size` counts them; a room of programs has none."""
    if not archive.exists():
        return 0, 0
    out = subprocess.run(["size", "-t", archive], capture_output=True, text=True, check=True).stdout
    text, data, bss = out.splitlines()[-1].split()[:3]
    return int(text), int(data) + int(bss)


def main():
    build = pathlib.Path(sys.argv[1])
    table = rooms.read_table((ROOT / "docs/architecture.md").read_text())
    for title, trusted in (("trusted: inside the measured image", True),
                           ("not trusted by a keep", False)):
        chosen = [r for r in table.values() if r.trusted == trusted]
        if not chosen:
            continue
        print(f"{title:<40} {'lines':>8} {'code':>10} {'data':>10}")
        sums = [0, 0, 0]
        for room in chosen:
            archive = build / "src" / room.name / f"lib{room.name.replace('/', '_')}.a"
            figures = [lines_of(ROOT / "src" / room.name), *bytes_of(archive)]
            sums = [a + b for a, b in zip(sums, figures)]
            print(f"  {room.name:<38} {figures[0]:>8} {figures[1]:>10} {figures[2]:>10}")
        print(f"  {'all':<38} {sums[0]:>8} {sums[1]:>10} {sums[2]:>10}")


main()
