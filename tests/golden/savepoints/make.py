#!/usr/bin/env python3
"""Makes the golden savepoint of a version: python3 make.py VERSION, with MILLRACE naming the binary of that version."""
import json
import random
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "integration"))
from harness import Job, wait_until  # noqa: E402

FIRST, ALL = 60, 100
RATES = 12


def inputs(folder: Path):
    """orders.jsonl: 100 rows, a second apart; rates.jsonl: 12 rows, all of them before the savepoint."""
    rng = random.Random(20261127)
    orders = [{"id": i, "user": rng.choice("abc"), "amount": f"{rng.randrange(10, 9000) / 100:.2f}",
               "n": rng.randrange(1, 8), "score": rng.randrange(0, 400) / 8,
               "day": f"2026-01-{rng.randrange(1, 29):02}",
               "tags": [rng.choice("xyz") for _ in range(rng.randrange(0, 3))], "at": 1000 * i} for i in range(ALL)]
    rates = [{"user": rng.choice("abc"), "rate": rng.randrange(0, 400) / 8, "at": 5000 * i} for i in range(RATES)]
    for name, rows in (("orders", orders), ("rates", rates)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def lines(path: Path) -> list:
    """Of a file, or of all files of a directory."""
    files = sorted(path.glob("part-*")) if path.is_dir() else [path]
    return [line for file in files for line in file.read_text().splitlines()]


def added(before: Path, after: Path) -> dict:
    """What each sink has behind the rows that stood there, in no order: the sinks of one job run side by side."""
    out = {}
    for sink in sorted(after.iterdir()):
        if sink.name.startswith((".", "_")) or sink.suffix not in ("", ".jsonl"):
            continue
        old = lines(before / sink.name) if (before / sink.name).exists() else []
        new = lines(sink)
        for line in old:
            new.remove(line)
        out[sink.name] = sorted(new)
    return out


def resume(folder: Path, golden: Path) -> dict:
    """Goes on from a golden savepoint in an empty folder, to the end of the input."""
    inputs(folder)
    shutil.copytree(golden / "out", folder / "out")
    job = Job(folder, (golden / "job.yaml").read_text())
    job.run("--restore", str(golden / "savepoint"))
    return added(golden / "out", folder / "out")


def make(golden: Path):
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        inputs(folder)
        orders = (folder / "orders.jsonl").read_text().splitlines(keepends=True)
        (folder / "orders.jsonl").write_text("".join(orders[:FIRST]))
        (folder / "out").mkdir()
        job = Job(folder, (golden / "job.yaml").read_text(), {"FOLLOW": "true"}).start()

        def taken():
            return job.metric("millrace_step_records_in_total", step="process") == FIRST and \
                job.metric("millrace_step_records_in_total", step="regular") == FIRST + RATES
        wait_until(taken, "all rows of the first part are in the state")
        job.stop()
        newest = max((folder / "checkpoints" / "golden").glob("chk-*"), key=lambda path: int(path.name[4:]))
        for name, source in (("savepoint", newest), ("out", folder / "out")):
            shutil.rmtree(golden / name, ignore_errors=True)
            shutil.copytree(source, golden / name)
    with tempfile.TemporaryDirectory() as scratch:
        expected = resume(Path(scratch), golden)
        compare_with_undisturbed(golden, expected)
        (golden / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


# What depends on how the rows of the two inputs and of batches interleave.
INTERLEAVED = ("regular.jsonl", "ruled.jsonl", "running.jsonl", "taken_back.jsonl")


def compare_with_undisturbed(golden: Path, expected: dict):
    """A savepoint that lost something would be golden for ever."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        inputs(folder)
        (folder / "out").mkdir()
        Job(folder, (golden / "job.yaml").read_text()).run()
        for sink, rows in expected.items():
            old = golden / "out" / sink
            before = lines(old) if old.exists() and sink != "end_state.jsonl" else []
            if sink not in INTERLEAVED:
                assert sorted(before + rows) == sorted(lines(folder / "out" / sink)), f"{sink} differs"


if __name__ == "__main__":
    make(HERE / sys.argv[1])
