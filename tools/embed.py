#!/usr/bin/python3
"""Prints a text file as a C string, a line for each of its lines: embed.py FILE"""
import json
import sys

with open(sys.argv[1], encoding="ascii") as file:
    for line in file:
        print(json.dumps(line))
