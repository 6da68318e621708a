#!/usr/bin/python3
"""Makes the negative suite again: tests/evidence/*.json and blobs/. Give it the folder of the vectors:

    tests/evidence/generate.py ../shared/vectors

The result is the same every time; `git diff` shows what changed."""
import pathlib
import sys
from functools import partial

import quotes
import real
import snp
from suite import HERE, Blobs, Group


def main(vectors):
    blobs = Blobs()
    groups = (snp.GROUPS | quotes.GROUPS).items()
    for name, fill in [*groups, *((name, partial(fill, vectors=real.Vectors(vectors)))
                                  for name, fill in real.GROUPS.items())]:
        group = Group(name, blobs)
        fill(group)
        group.write()
    blobs.write()
    size = sum(path.stat().st_size for path in HERE.rglob("*") if path.is_file())
    print(f"{len(blobs.used)} blobs, {size} bytes in all")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]))
