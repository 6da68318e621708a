#!/usr/bin/python3
"""The names of Linux's system calls as lines of C: call_names.py OUTPUT COMPILER…"""
import re
import subprocess
import sys


def main():
    out, compiler = sys.argv[1], sys.argv[2:]
    macros = subprocess.run([*compiler, "-E", "-dM", "-include", "asm/unistd.h", "-x", "c", "/dev/null"],
                            capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^#define __NR_(\w+) (\d+)$", macros, re.MULTILINE)
    assert len(found) > 200, "asm/unistd.h does not look as expected"
    with open(out, "w", encoding="utf-8") as file:
        file.writelines(f'{{{number}, "{name}"}},\n' for name, number in found)


main()
