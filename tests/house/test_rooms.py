"""The direction of the house: who may include whom, and which rooms are pure."""
import pathlib

import pytest

import rooms as house

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROOMS = house.read_table((ROOT / "docs/architecture.md").read_text())


def sources():
    found = [p for p in (ROOT / "src").rglob("*") if p.suffix in (".c", ".h")]
    assert found
    return {str(p.relative_to(ROOT / "src")): p.read_text() for p in found}


def test_includes_follow_the_table():
    assert house.include_faults(sources(), ROOMS) == []


def test_table_has_no_cycle():
    assert ROOMS and house.cycles(ROOMS) == []


def test_every_room_has_its_folder():
    assert [name for name in ROOMS if not (ROOT / "src" / name).is_dir()] == []


@pytest.mark.parametrize("name", [r.name for r in ROOMS.values() if r.pure])
def test_pure_rooms_need_nothing_of_the_system(name, build):
    archive = build / "src" / name / f"lib{name.replace('/', '_')}.a"
    of_rooms = set()
    for used in ROOMS[name].uses - {"shim/kvm", "shim/sgx"}:  # programs, whose layouts are used
        of_rooms |= house.defined_symbols(build / "src" / used / f"lib{used.replace('/', '_')}.a")
    foreign = house.foreign_symbols(archive) - of_rooms
    assert sorted(s for s in foreign if not house.PURE_SYMBOLS.match(s)) == []


# The check itself: each way to break the house is found.
SMALL = {
    "base": house.Room("base", set(), True, True, ["*.h"]),
    "os": house.Room("os", {"base"}, False, True, ["os.h"]),
}


@pytest.mark.parametrize("path, text, fault", [
    ("base/x.c", '#include "os/os.h"\n', "base may not use os"),
    ("base/x.h", '  # include "os/os.h"\n', "base may not use os"),
    ("os/x.c", '#include "base/bytes.h"\n', None),
    ("os/x.c", '#include "os/private.h"\n#include <time.h>\n', None),
    ("base/x_test.c", '#include "support.h"\n#include "os/os.h"\n', None),
    ("base/x.c", '#include "support.h"\n', "no room's header"),
    ("attic/x.c", "", "not in the table"),
])
def test_the_check_finds(path, text, fault):
    faults = house.include_faults({path: text}, SMALL)
    assert (fault is None and faults == []) or (len(faults) == 1 and fault in faults[0])


def test_the_check_finds_private_headers():
    rooms = dict(SMALL, cli=house.Room("cli", {"os"}, False, False, []))
    assert "private" in house.include_faults({"cli/x.c": '#include "os/private.h"'}, rooms)[0]


def test_the_check_finds_cycles():
    rooms = dict(SMALL, base=house.Room("base", {"os"}, True, True, []))
    assert sorted(house.cycles(rooms)) == ["base", "os"]


def test_the_check_finds_impure_symbols(build):
    archive = build / "src/os/libos.a"
    impure = [s for s in house.foreign_symbols(archive) if not house.PURE_SYMBOLS.match(s)]
    assert "clock_gettime" in impure and "open64" in impure or "open" in impure
