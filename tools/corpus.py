"""Where a fuzz target's seeds are."""
import pathlib


def folders(root, name):
    """The folders of seeds for target `name`: its own and those of seeds.txt that exist."""
    found = [root / name] if (root / name).is_dir() else []
    listed = root / "seeds.txt"
    for line in listed.read_text().splitlines() if listed.exists() else []:
        words = line.split("#")[0].split()
        if len(words) == 2 and words[0] == name:
            folder = (root / "../.." / words[1]).resolve()
            if folder.is_dir():
                found.append(folder)
    return [pathlib.Path(f) for f in found]
