#!/usr/bin/env python3
"""Compares `millrace eval --json` with the answers of Flink 2.2.

usage: expressions.py [BINARY EXPRESSIONS_JSONL] [--floor N] [--verbose]

Without BINARY: the one that MILLRACE names, and the public file; the last line is then `N passed, N failed`.
Prints `equal N refused N different N` and every difference. Exit code 1 when an answer is different or fewer than the
floor are equal. An entry with `flink` beside `error` is a deliberate difference: an error is the right answer there.
Entries with `suspect` are defects of Flink and do not count.
"""
import argparse
import json
import math
import os
import subprocess
import sys

SCHEMA = ("i INT, z INT, n INT, mi INT, l BIGINT, d DOUBLE, nd DOUBLE, zd DOUBLE, dc DECIMAL(10,2), big DECIMAL(38,0), "
          "s STRING, e STRING, num STRING, bad STRING, bo BOOLEAN, ts TIMESTAMP(3), dt DATE")
ROW = ('{"i":7,"z":0,"n":null,"mi":-2147483648,"l":9223372036854775807,"d":2.5,"nd":-2.5,"zd":0.0,"dc":"12345.67",'
       '"big":"99999999999999999999999999999999999999","s":"hello","e":"","num":"123","bad":"abc","bo":true,"ts":-1500,'
       '"dt":"2020-02-29"}')

FLOOR = 643


def answers(binary, expressions):
    done = subprocess.run([binary, "eval", "--json", "--schema", SCHEMA, "--row", ROW],
                          input="".join(e + "\n" for e in expressions), capture_output=True, text=True, timeout=120)
    lines = done.stdout.split("\n")[:-1]
    if len(lines) != len(expressions):
        sys.exit(f"{len(lines)} answers to {len(expressions)} expressions\n{done.stderr}")
    return [json.loads(line) for line in lines]


def same_value(a, b, kind):
    if isinstance(a, bool) or isinstance(b, bool) or a is None or b is None:
        return a is b
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        if "DOUBLE" in kind or "FLOAT" in kind:
            return math.isclose(a, b, rel_tol=1e-12)
        return a == b and type(a) is type(b)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same_value(x, y, kind) for x, y in zip(a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same_value(a[k], b[k], kind) for k in a)
    return type(a) is type(b) and a == b


def verdict(entry, answer):
    """equal, refused or different."""
    if "error" in entry:
        return "equal" if "error" in answer else "different"
    if "error" in answer:
        return "refused"
    same = answer["type"] == entry["type"] and same_value(answer["value"], entry["value"], entry["type"])
    return "equal" if same else "different"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument("binary", nargs="?")
    parser.add_argument("expressions", nargs="?", default=os.path.join(here, "data", "expressions.jsonl"))
    parser.add_argument("--floor", type=int, default=FLOOR)
    parser.add_argument("--verbose", action="store_true", help="list the refused ones too")
    options = parser.parse_args()
    ci = options.binary is None
    if ci:
        options.binary = os.environ.get("MILLRACE", os.path.join(here, "..", "..", "build", "dev", "millrace"))
    with open(options.expressions, encoding="utf-8") as file:
        entries = [json.loads(line) for line in file if line.strip()]
    entries = [e for e in entries if not e.get("suspect")]
    counts = {"equal": 0, "refused": 0, "different": 0}
    for entry, answer in zip(entries, answers(options.binary, [e["expr"] for e in entries])):
        outcome = verdict(entry, answer)
        counts[outcome] += 1
        if outcome == "different" or (options.verbose and outcome == "refused"):
            expected = entry.get("error") or (entry["type"], entry["value"])
            print(f"{outcome}: {entry['expr']}\n    expected {expected}\n    answered {answer}")
    print(" ".join(f"{name} {count}" for name, count in counts.items()))
    short = max(0, options.floor - counts["equal"])
    if short:
        print(f"{options.floor} must be equal")
    if ci:
        print(f"{counts['equal']} passed, {counts['different'] + short} failed")
    return 1 if counts["different"] or short else 0


if __name__ == "__main__":
    sys.exit(main())
