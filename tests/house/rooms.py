"""The rooms' rules, read from docs/architecture.md, and what breaks them."""
import dataclasses
import re
import subprocess

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]', re.MULTILINE)

# What an archive of a pure room may need from outside the project: memory, strings, text, and the
# compiler's own. No file, no clock, no environment, no process.
PURE_SYMBOLS = re.compile(
    r"^(mem(cpy|move|set|cmp|chr|rchr|mem)|(str|strn)(len|cmp|chr|casecmp)|strrchr|strnlen|strtod|qsort|bsearch"
    r"|inet_(pton|ntop)|fnmatch"  # text and bytes of addresses, patterns of names; no look-up
    r"|(EVP|BN|ECDSA|OSSL|ERR|OPENSSL|CRYPTO|EC|RSA)_\w+|(i2d|d2i)_\w+"  # OpenSSL's arithmetic
    # its X.509, but for what reads clocks and files
    r"|(ASN1|X509|X509v3|X509V3|OBJ|AUTHORITY_KEYID|GENERAL_NAMES?|BASIC_CONSTRAINTS|DIST_POINT(_NAME)?|CRL_DIST_POINTS)"
    r"_(?!cmp_current|cmp_time|load|gmtime|time_adj|\w*_fp)\w+"
    r"|PEM_(read|write)_bio\w*|BIO_(free|new|new_mem_buf|ctrl|s_mem|s_secmem|write|read|puts)"
    r"|json_(array|object|string|integer)_\w+|json_loadb|json_delete|json_dumpb"  # jansson in memory
    r"|malloc|calloc|realloc|free|abort|snprintf|vsnprintf"
    r"|__(memcpy|memmove|memset|snprintf|vsnprintf)_chk"
    r"|__[a-z]+[sdt]i[234]"  # arithmetic that the compiler has no instruction for
    r"|__assert_fail|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_)$")


@dataclasses.dataclass
class Room:
    """A row of the table."""
    name: str
    uses: set
    pure: bool
    trusted: bool
    headers: list


def read_table(text):
    """The rooms of architecture.md's table, by name."""
    rooms = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 6:
            name, _, uses, pure, trusted, headers = cells
            room = Room(name.strip("`"), set(re.findall(r"`([^`]+)`", uses)), pure == "pure",
                        trusted == "trusted", re.findall(r"`([^`]+)`", headers))
            rooms[room.name] = room
    return rooms


def room_of(path, rooms):
    """The room whose folder holds `path` (relative to src/), the innermost one; or None."""
    parts = path.split("/")[:-1]
    while parts:
        if "/".join(parts) in rooms:
            return rooms["/".join(parts)]
        parts.pop()
    return None


def is_public(header, room):
    """Whether other rooms may include `header` (relative to the room's folder)."""
    return any(re.fullmatch(re.escape(h).replace(r"\*", "[^/]*"), header) for h in room.headers)


def include_faults(sources, rooms):
    """The includes of `sources` (path relative to src/ -> text) that break the table."""
    faults = []
    for path, text in sorted(sources.items()):
        room = room_of(path, rooms)
        if room is None:
            faults.append(f"src/{path}: its folder is not in the table of docs/architecture.md")
            continue
        is_test = re.search(r"_(test\.[ch]|fuzz\.c)$", path)
        for kind, header in INCLUDE.findall(text):
            if kind == "<" or (is_test and header == "support.h"):
                continue
            target = room_of(header, rooms)
            if is_test and target is not None and target.name == "os":
                continue  # a test is a program: it has a clock, files and memory
            if target is None:
                faults.append(f'src/{path}: "{header}" is no room\'s header; write "room/header.h"')
            elif target is not room and target.name not in room.uses:
                faults.append(f"src/{path}: {room.name} may not use {target.name} ({header})")
            elif target is not room and not is_public(header[len(target.name) + 1:], target):
                faults.append(f"src/{path}: {header} is private to {target.name}")
    return faults


def cycles(rooms):
    """Rooms that can reach themselves by their own table."""
    def reach(name, seen):
        for other in rooms[name].uses:
            if other not in seen and other in rooms:
                seen.add(other)
                reach(other, seen)
        return seen
    return [name for name in rooms if name in reach(name, set())]


def read_symbols(archive, option):
    """The names that nm lists of the archive under the option."""
    out = subprocess.run(["nm", option, "-P", archive], capture_output=True, text=True,
                         check=True).stdout
    return {line.split()[0] for line in out.splitlines() if len(line.split()) > 1}


def defined_symbols(archive):
    """What the archive defines."""
    return read_symbols(archive, "--defined-only")


def foreign_symbols(archive):
    """What the archive needs and does not define itself."""
    return read_symbols(archive, "--undefined-only") - defined_symbols(archive)
