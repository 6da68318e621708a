#!/usr/bin/python3
"""Replays a fuzz target's seeds: replay.py TARGET CORPUS NAME [EMULATOR]

The seeds are the files of CORPUS/NAME and of the folders that CORPUS/seeds.txt lists for NAME.
"""
import pathlib
import subprocess
import sys

import corpus


def main():
    target, root, name = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]), sys.argv[3]
    emulator = sys.argv[4:]
    files = [f for folder in corpus.folders(root, name)
             for f in sorted(folder.rglob("*")) if f.is_file()]
    if not files:
        sys.exit(f"{root / name}: no seeds; put some there")
    for at in range(0, len(files), 500):
        run = subprocess.run([*emulator, target, *files[at:at + 500]], check=False)
        if run.returncode != 0:
            sys.exit(f"{name}: replay failed with {run.returncode}")


main()
