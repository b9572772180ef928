#!/usr/bin/env python3
"""Runs the example jobs of configs/examples and the examples of the documentation.

usage: run.py [--update]

MILLRACE names the binary under test. Every example is validated without warnings, planned, and passes its own tests,
also disturbed; those that need no server are run with data. Job files in the documentation are validated, and the
reference tables of docs/job-file.md must be what `millrace schema --reference` prints (--update writes them anew).
The last line is `N passed, N failed`.
"""
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BINARY = os.environ.get("MILLRACE", str(ROOT / "build" / "release" / "millrace"))
EXAMPLES = sorted((ROOT / "configs" / "examples").glob("*.yaml"))
PAGE = ROOT / "docs" / "job-file.md"
MARK = "<!-- from here on: `millrace schema --reference`; tests/examples/run.py --update writes it anew -->\n"
CHAOS_SEEDS = (1, 2, 3)


def millrace(*args, directory=None):
    state = {"XDG_STATE_HOME": str(directory)} if directory else {}
    done = subprocess.run([BINARY, *map(str, args)], capture_output=True, text=True, timeout=120, cwd=directory or ROOT,
                          env=os.environ | state)
    assert done.returncode == 0, f"millrace {args[0]} ended with {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def rows_of(text):
    return [json.loads(line) for line in text.splitlines()]


def run_job(name, directory, *args):
    return millrace("run", ROOT / "configs" / "examples" / name, "--listen", "127.0.0.1:0", *args, directory=directory)


def check_example(path):
    millrace("validate", path, "--deny-warnings")
    plan = json.loads(millrace("plan", path, "--format", "json"))
    assert plan["nodes"], "the plan has no nodes"
    millrace("test", path)
    for seed in CHAOS_SEEDS:
        millrace("test", path, "--chaos", seed)


def check_hello(directory):
    rows = rows_of(run_job("hello.yaml", directory, "--limit", 5))
    assert [row["n"] for row in rows] == [2, 4, 6, 8, 10], rows


def check_keyed_counts(directory):
    options = {"rows": 4000, "rows_per_second": 100000}
    sets = [word for name, value in options.items() for word in ("--set", f"sources.clicks.{name}={value}")]
    rows = rows_of(run_job("keyed_counts.yaml", directory, *sets))
    assert sum(row["clicks"] for row in rows) == 4000, rows
    assert len({row["user"] for row in rows}) > 10, rows


def check_word_count(directory):
    (directory / "in").mkdir()
    (directory / "in" / "a.jsonl").write_text('{"at": 1, "text": "to be or"}\n{"at": 2, "text": "not TO be"}\n')
    (directory / "in" / "b.jsonl").write_text('{"at": 3, "text": "be"}\nbroken\n')
    run_job("word_count_files.yaml", directory, "--param", f"input={directory}/in/*.jsonl", "--param",
            f"output={directory}/out/")
    rows = [row for file in (directory / "out").iterdir() for row in rows_of(file.read_text())]
    assert {row["word"]: row["occurrences"] for row in rows} == {"to": 2, "be": 3, "or": 1, "not": 1}, rows


def check_events_having(directory):
    events = [{"kind": "order", "amount": 10 + i, "at": f"2026-01-01T10:00:{i:02}Z"} for i in range(5)]
    events += [{"kind": "refund", "amount": 1, "at": "2026-01-01T10:00:06Z"}]
    events += [{"kind": "order", "amount": 1, "at": "2026-01-01T10:05:00Z"}]
    (directory / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    run_job("events_having.yaml", directory, "--param", f"input={directory}/events.jsonl", "--param", "least=5")
    row, = rows_of((directory / "busy.jsonl").read_text())
    assert (row["kind"], row["events"], row["total"]) == ("order", 5, "60.00"), row


def check_schema():
    schema = json.loads(millrace("schema"))
    assert schema["properties"]["version"] == {"const": 1, "description": "Version of the job file's form."}


def check_documentation(path, directory):
    """Every job file that a page shows is valid."""
    for number, block in enumerate(re.findall(r"^```yaml\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE)):
        if "version: 1" not in block:
            continue
        job = directory / f"{number}.yaml"
        job.write_text(block)
        millrace("validate", job)


def check_reference(update):
    written, mark, tables = PAGE.read_text().partition(MARK)
    assert mark, f"{PAGE.name} lacks the line {MARK}"
    wanted = "\n" + millrace("schema", "--reference").rstrip("\n") + "\n"
    if update:
        PAGE.write_text(written + mark + wanted)
    else:
        assert tables == wanted, "docs/job-file.md is not up to date: run tests/examples/run.py --update"


def cases(update):
    for path in EXAMPLES:
        yield path.stem, lambda directory, path=path: check_example(path)
    yield "hello runs", check_hello
    yield "keyed_counts runs", check_keyed_counts
    yield "word_count_files runs", check_word_count
    yield "events_having runs", check_events_having
    yield "the JSON Schema", lambda directory: check_schema()
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        yield f"job files of {page.name}", lambda directory, page=page: check_documentation(page, directory)
    yield "the reference of the job file", lambda directory: check_reference(update)


def main():
    passed = failed = 0
    for name, check in cases("--update" in sys.argv[1:]):
        with tempfile.TemporaryDirectory() as directory:
            try:
                check(Path(directory))
                passed += 1
            except (AssertionError, ValueError, OSError, subprocess.TimeoutExpired) as error:
                failed += 1
                print(f"FAILED {name}\n{error}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
