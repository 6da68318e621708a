"""The reference pages say what the source has, all of it and nothing else: keys of configurations, routes, codes of
errors, exit statuses. (Commands: tests/e2e/test_command_line.py; policies: test_evidence_docs.py.)"""
import pathlib
import re
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORD = re.compile(r"`([a-z][a-z0-9_]*)`")


def source(path):
    return (ROOT / "src" / path).read_text()


def sources(folder):
    """The C sources of a room, but for its tests."""
    return "\n".join(path.read_text() for path in sorted((ROOT / "src" / folder).glob("*.c"))
                     if not path.stem.endswith(("_test", "_fuzz")))


def page(name):
    return (ROOT / "docs" / name).read_text()


def rows(text):
    """The cells of each row of a page's tables; where `|` is meant, a page writes `\\|`."""
    found = []
    for line in re.findall(r"^\|(.*)\|$", text, re.MULTILINE):
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)]
        if not set(cells[0]) <= set("-"):
            found.append(cells)
    return found


def section(text, title):
    """A page's part under a heading of the second rank."""
    found = re.search(rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


# ---- configurations of the servers ----

def tables_of(text):
    """What TOML_READ_TABLE makes: by the reader's name, its keys."""
    found = {}
    for name, body in re.findall(r"TOML_READ_TABLE\((\w+),(.*?)\)\n(?=\S|\n)", text, re.DOTALL):
        found[name] = re.findall(r'\{"(\w+)",', body)
    return found


def fields_of(text, start):
    """The fields of an array of `struct toml_field`: key and reader."""
    body = text[text.index(start):]
    return re.findall(r'\{"(\w+)",\s*(\w+),', body[:body.index("};")])


def keys_of(text, root, more):
    """Every key as TABLE.KEY, or KEY at the top. more: the keys of tables that are read by hand, by reader."""
    tables, found = {**tables_of(text), **more}, set()
    for key, reader in fields_of(text, root):
        found |= {f"{key}.{below}" for below in tables[reader]} if reader in tables else {key}
    return found


def array_in(text, function):
    """The keys of the array in one function."""
    return [key for key, _ in fields_of(text[text.index(function):], "static const struct toml_field fields[]")]


def documented_keys(text):
    """Of a table whose first cells are `[table] key`, `other` and `key`."""
    found = set()
    for cells in rows(text):
        if not cells[0].startswith("`"):
            continue
        table = ""
        for quoted in re.findall(r"`([^`]+)`", cells[0]):
            match = re.fullmatch(r'(?:\[(\w+)\] )?("HOST"|\w+)', quoted)
            if not match:  # [[workloads.allow]]
                found.add(quoted.strip("[]"))
                continue
            table = match[1] or table
            found.add(f"{table}.{match[2]}" if table else match[2])
    return found


def test_every_key_of_a_steward_is_documented():
    text = source("steward/config.c")
    more = {"read_workloads": array_in(text, "static bool read_workloads("), "read_registries": ['"HOST"']}
    keys = keys_of(text, "\nstatic const struct toml_field fields[]", more)
    part = section(page("steward.md"), "The configuration")
    assert len(keys) > 30 and documented_keys(part) == keys
    shown = {cells[0]: set(WORD.findall(cells[1])) for cells in rows(part)}
    assert shown['`[[workloads.allow]]`'] == set(array_in(text, "static bool read_rules("))
    assert shown['`[registries] "HOST"`'] == set(array_in(text, "static bool read_registry("))
    evidence = re.search(r"evidence_keys\[\] = \{(.*?)NULL\}", text, re.DOTALL)[1]
    for key in re.findall(r'"(\w+)"', evidence):
        assert re.search(rf"`\[?{key}\]?`", part), key


def flat(value, prefix=""):
    """The keys of what tomllib has read."""
    found = set()
    for key, below in value.items():
        below = below[0] if isinstance(below, list) and isinstance(below[0], dict) else below
        found |= flat(below, f"{prefix}{key}.") if isinstance(below, dict) else {prefix + key}
    return found


def test_every_key_of_a_drawbridge_is_documented():
    text = source("drawbridge/config.c")
    more = {"read_stewards": array_in(text, "static bool read_stewards(")}
    keys = keys_of(text[text.index("\nbool drawbridge_config_parse("):], "static const struct toml_field fields[]",
                   {**tables_of(text), **more})
    example = re.search(r"```toml\n(.*?)```", section(page("drawbridge.md"), "Configuration"), re.DOTALL)[1]
    assert len(keys) > 15 and flat(tomllib.loads(example)) == keys


# ---- Keep.toml ----

def names_in(path, function):
    text = source(path)
    body = re.search(r"names\[\] = \{(.*?)\};", text[text.index(function):], re.DOTALL)[1]
    return set(re.findall(r'"(\w+)"', body))


def words_of(part, column=0):
    return {word for cells in rows(part) for word in WORD.findall(cells[column])}


def test_every_key_of_a_workload_is_documented():
    text = page("configuration.md")
    top, _, rest = text.partition("\n## Network entries\n")
    entries, _, rest = rest.partition("\n| key in `peers` |")
    peers, _, files = rest.partition("\n## Descriptors: `[[files]]`\n")
    files, _, _ = files.partition("\n## ")

    config = source("package/config.c")
    names = set(re.findall(r'"(\w+)"', re.search(r"top_keys\[KEY_COUNT\] = \{(.*?)\};", config, re.DOTALL)[1]))
    below = {"limits": names_in("package/config.c", "static bool read_limits("),
             "trust": names_in("package/config.c", "static bool read_trust("),
             "network": names_in("package/config_network.c", "bool config_read_network(")}
    documented = {}
    for cells in rows(top):
        for quoted in re.findall(r"`([^`]+)`", cells[0]):
            table, dot, key = quoted.strip("[]").partition(".")
            documented.setdefault(table, set()).update([key.partition(".")[0]] if dot else [])
        if re.match(r"`\[\w+\]` `", cells[0]):
            table, key = re.findall(r"`\[?(\w+)\]?`", cells[0])
            documented[table].add(key)
            if key not in names:
                del documented[key]
    assert set(documented) == names
    for table, keys in below.items():
        assert documented[table] == keys, table
    entry = names_in("package/config_network.c", "static bool read_rule(")
    assert words_of(entries) == entry
    assert words_of(peers) == names_in("package/config_rule.c", "static bool read_peer(")
    assert words_of(files, 1) | {"kind"} == names_in("package/config_files.c", "static bool read_kind(")


# ---- routes ----

def test_every_route_of_a_steward_is_documented():
    routes = set(re.findall(r'method = "(\w+)",\s*\.path = "([^"]+)"', source("steward/service.c")))
    text, documented = page("steward-api.md"), set()
    for method, path, more in re.findall(r"`(GET|POST) (/[\w./-]*)(?:\?[^`]*)?`((?:, `/[\w.]+`)*)", text):
        documented.add((method, path))
        for last in re.findall(r"`(/[\w.]+)`", more):
            documented.add((method, path.rpartition("/")[0] + last))
    assert len(routes) > 10 and documented == routes


# A path of each endpoint, as the page has it.
PATHS = {"HEALTH": "/health", "USERS": "/_users", "REPOS": "/_repositories", "USER": "/USER", "REPO": "/USER/REPO",
         "TAGS": "/USER/REPO/_tag", "TAG": "/USER/REPO/_tag/TAG", "NODE": "/USER/REPO/_tag/TAG/tree[/PATH]",
         "MISSING": "/USER/REPO/_tag/TAG/_missing", "YANK": "/USER/REPO/_tag/TAG/_yank",
         "STEWARDS": "/USER/REPO/_steward", "STEWARD": "/USER/REPO/_steward/NAME"}


def test_every_route_of_a_drawbridge_is_documented():
    enum = re.search(r"enum endpoint \{(.*?)\};", source("drawbridge/route.h"), re.DOTALL)[1]
    assert set(re.findall(r"ENDPOINT_(\w+)", enum)) == set(PATHS)
    reads = re.findall(r"\[ENDPOINT_(\w+)\] = read_", source("drawbridge/service.c"))
    writes = re.findall(r'\{ENDPOINT_(\w+), "(\w+)",', source("drawbridge/write.c"))
    routes = {("any", "/health"), *(("GET", PATHS[name]) for name in reads),
              *((method, PATHS[name]) for name, method in writes)}
    documented = set()
    for cells in rows(page("drawbridge-api.md")):
        for path in re.findall(r"`(/[^`]+)`", cells[1]):
            documented |= {(method, path) for method in cells[0].split(", ") if method != "HEAD"}
    assert len(routes) > 15 and documented == routes


# ---- codes of errors ----

OF_SERVERS = re.findall(r'(?:answer_fail|refuse)\(e, (\d+), "([\w-]+)"', sources("http"))


def test_every_code_of_a_steward_is_documented():
    codes = set(re.findall(r'REFUSAL\(\w+, (\d+), "([\w-]+)"', source("steward/refusals.def")))
    codes |= set(re.findall(r'http_response_fail\(request, response, (\d+),\s*"([\w-]+)"', sources("steward")))
    codes |= set(OF_SERVERS)
    codes.discard(("400", "media-type"))  # at /, as the page says of 415
    documented = {(cells[1], cells[0].strip("`")) for cells in rows(page("steward-api.md"))
                  if re.fullmatch(r"\d{3}", cells[1])}
    assert len(codes) > 25 and documented == codes


def test_every_code_of_a_drawbridge_is_documented():
    text = sources("drawbridge")
    codes = set(re.findall(r'\b(?:deny(?:_named)?\(x|http_response_fail\(request, response), (\d{3}), "([\w-]+)"', text))
    codes |= set(re.findall(r'fault\.status == (\d+)\s*\? "([\w-]+)"', text)) | set(OF_SERVERS)
    documented, paragraph = set(), re.search(r"^Codes: .*?\n\n|^Codes: .*", page("drawbridge-api.md"),
                                             re.MULTILINE | re.DOTALL)[0]
    for names, status in re.findall(r"((?:`[\w-]+`(?:,\s+|\s+))+)\((\d{3})\)", paragraph):
        documented |= {(status, name) for name in re.findall(r"`([\w-]+)`", names)}
    assert len(codes) > 15 and documented == codes


# ---- exit statuses ----

def test_every_exit_status_is_documented():
    enum = re.search(r"enum cli_exit \{(.*?)\};", source("cli/cli.h"), re.DOTALL)[1]
    statuses = set(re.findall(r"= (\d+)", enum))
    table = page("command-line.md").partition("| exit status | meaning |")[2].partition("\n\n")[0]
    assert {cells[0] for cells in rows(table)} == statuses and len(statuses) == 6
    of_keeps = set(re.findall(r"KEEP_(?:NO_IDENTITY|TRAPPED) = (\d+)", source("keep/keep.h")))
    assert of_keeps and of_keeps < statuses
    assert "128 + " in source("cli/keep_job.c") and "128 + " in source("keep/workload.c")
    passed_on = page("command-line.md").partition("A workload's own exit status")[2].partition("\n## ")[0]
    assert "128" in passed_on and "signal" in passed_on


# ---- the environment ----

def test_every_variable_is_documented():
    text = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.c")
                     if not path.stem.endswith(("_test", "_fuzz")))
    variables = set(re.findall(r'"(BROCH_[A-Z_]+)"', text)) | set(re.findall(r'getenv\("(\w+)"\)', text)) - {"HOME"}
    documented = {name for cells in rows(page("environment.md")) for name in re.findall(r"`(\w+)`", cells[0])}
    assert len(variables) > 10 and documented == variables
    table = page("environment.md").partition("## Without an option")[0]
    commands = page("command-line.md")
    for name, meaning in re.findall(r"^\| `(\w+)` \| (.*) \|$", table, re.MULTILINE):
        for option in re.findall(r"`(--[\w-]+)`", meaning):
            assert re.search(rf"^\| `{option}[ `].*\| `{name}` \|$", commands, re.MULTILINE), (option, name)
        options = set(re.findall(rf"^\| `(--[\w-]+)[ `].*\| `{name}` \|$", commands, re.MULTILINE))
        assert options == set(re.findall(r"`(--[\w-]+)`", meaning)), name
