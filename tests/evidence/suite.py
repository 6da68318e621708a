"""What a group of cases is made of, and how it is written down. README.md describes the form."""
import hashlib
import json
import pathlib
import re

HERE = pathlib.Path(__file__).parent


# ---- policies ----

def merged(*tables):
    """Tables put together, the later key over the earlier."""
    out = {}
    for table in tables:
        for key, value in table.items():
            out[key] = merged(out.get(key, {}), value) if isinstance(value, dict) else value
    return out


def toml_value(value):
    if isinstance(value, list):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {toml_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        return value
    return json.dumps(value)


def toml(table, path=()):
    """A nested dictionary as TOML."""
    lines = [f"{key} = {toml_value(value)}" for key, value in table.items() if not isinstance(value, dict)]
    head = [f"[{'.'.join(path)}]"] if path and lines else []
    tables = [toml(value, (*path, key)) for key, value in table.items() if isinstance(value, dict)]
    return "\n".join(head + lines + tables)


# ---- edits ----

REPEATED_MIN = 200


def put(at, count, data):
    """One edit; what only repeats its first bytes is said once, and how often."""
    for size in range(1, 9):
        if len(data) >= REPEATED_MIN and len(data) % size == 0 and data == data[:size] * (len(data) // size):
            return [at, count, data[:size].hex(), len(data) // size]
    return [at, count, data.hex()]


def differences(base, other):
    """[at, count of bytes that go, hexadecimal of those that come]: by places of the base, in order."""
    if len(base) != len(other):
        head = next((i for i, (a, b) in enumerate(zip(base, other)) if a != b), min(len(base), len(other)))
        room = min(len(base), len(other)) - head
        tail = next((i for i in range(room) if base[-1 - i] != other[-1 - i]), room)
        return [put(head, len(base) - head - tail, other[head:len(other) - tail])]
    edits, last = [], -9
    for at, (a, b) in enumerate(zip(base, other)):
        if a == b:
            continue
        if at - last > 8:
            edits.append([at, 0, ""])
        edits[-1][1] = at + 1 - edits[-1][0]
        last = at
    return [[at, count, other[at:at + count].hex()] for at, count, _ in edits]


# ---- groups ----

class Blobs:
    """Files that are kept, each once."""

    def __init__(self):
        self.used = {}

    def keep(self, data):
        path = f"blobs/{hashlib.sha256(data).hexdigest()[:16]}"
        self.used[path] = data
        return path

    def write(self):
        folder = HERE / "blobs"
        folder.mkdir(exist_ok=True)
        for path in folder.iterdir():
            if f"blobs/{path.name}" not in self.used:
                path.unlink()
        for path, data in self.used.items():
            (HERE / path).write_bytes(data)


class Group:
    """Bases, which are accepted, and cases, each a base with changes and the check that refuses it.

    files: name to bytes, or to (path below shared/vectors, bytes). The one called "evidence" is judged,
    "root.der" is a simulated root, the rest are endorsements."""

    def __init__(self, name, blobs):
        self.name, self.blobs, self.bases, self.cases, self.data = name, blobs, [], [], {}

    def base(self, name, files, *, policy, at, report_data=None, refusal=None, why=None):
        data = {key: value[1] if isinstance(value, tuple) else value for key, value in files.items()}
        refs = {key: f"vectors/{value[0]}" if isinstance(value, tuple) else self.blobs.keep(value)
                for key, value in files.items()}
        self.data[name] = (refs, data, policy)
        self.bases.append({"name": name, "files": refs, "policy": toml(policy), "at": at,
                           **({"report_data": report_data} if report_data else {})})
        self.case(name, name, refusal, why=why, simulated="root.der" in files)

    def case(self, name, base, refusal, files=None, *, exit_=None, policy=None, at=None, report_data=None, why=None,
             simulated=None):
        """files: those that differ, None for one that is not given; policy: over the base's; simulated: whether a
        verdict that accepts says so, which is as with the base when it is not said."""
        refs, data, base_policy = self.data[base]
        changes = {}
        for key, value in (files or {}).items():
            if value == data.get(key, b"-"):
                continue
            changes[key] = self.reference(refs.get(key), data.get(key), value)
        case = {"name": name, "base": base, "files": changes,
                "exit": exit_ if exit_ is not None else exit_of(refusal), "refusal": refusal}
        if policy is not None:
            case["policy"] = toml(merged(base_policy, policy))
        case.update({key: value for key, value in (("at", at), ("report_data", report_data), ("why", why)) if value})
        if refusal is None:
            case["simulated"] = simulated if simulated is not None else "root.der" in refs
        if not changes:
            del case["files"]
        assert name not in {c["name"] for c in self.cases}, name
        self.cases.append(case)

    def reference(self, ref, base, value):
        if value is None:
            return None
        if isinstance(value, tuple):
            return f"vectors/{value[0]}"
        if base is not None:
            edits = differences(base, value)
            if len(json.dumps(edits)) < len(value) // 2 + 64:
                return {"file": ref, "edits": edits}
        return self.blobs.keep(value)

    def write(self):
        lines = [f'{{"group": {json.dumps(self.name)},', '"bases": [',
                 ",\n".join(map(json.dumps, self.bases)), '],', '"cases": [',
                 ",\n".join(map(json.dumps, self.cases)), "]}\n"]
        (HERE / f"{self.name}.json").write_text("\n".join(lines))


def exit_of(refusal):
    if refusal is None:
        return 0
    return 2 if refusal in ("snp.format", "quote.format", "unreadable") else 1
