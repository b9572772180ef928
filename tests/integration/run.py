#!/usr/bin/env python3
"""Runs the integration tests: every function test_* of the files *_it.py here, each with an Environment of its own.

run.py [WORD...] runs the tests whose name contains a word. The last line is `N passed, N failed`.
"""
import importlib
import os
import sys
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import harness  # noqa: E402


def collect(words):
    for file in sorted(HERE.glob("*_it.py")):
        module = importlib.import_module(file.stem)
        for name, function in list(vars(module).items()):  # a running test may add to them
            if name.startswith("test_") and callable(function):
                full = f"{file.stem[:-3]}.{name[5:]}"
                if not words or any(word in full for word in words):
                    yield full, function


def main() -> int:
    passed, failed = 0, []
    if not os.access(harness.MILLRACE, os.X_OK):
        print(f"{harness.MILLRACE} is not there: build it first")
        print("0 passed, 1 failed")
        return 1
    try:
        for name, function in collect(sys.argv[1:]):
            environment = harness.Environment(name)
            start = time.monotonic()
            try:
                function(environment)
                passed += 1
                print(f"ok      {time.monotonic() - start:6.1f} s  {name}", flush=True)
            except Exception:  # a test may fail in any way; all of them count
                failed.append(name)
                print(f"FAILED  {time.monotonic() - start:6.1f} s  {name}\n{traceback.format_exc()}", flush=True)
                print(environment.failure_report(), flush=True)
            finally:
                environment.close()
    finally:
        harness.Environment.close_servers()
    for name in failed:  # again, because logs are read from their end
        print(f"FAILED: {name}")
    print(f"{passed} passed, {len(failed)} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
