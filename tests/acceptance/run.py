#!/usr/bin/env python3
"""Runs the stored acceptance cases (tests/acceptance/data) in several ways; the last line is `N passed, N failed`.

All cases once; all with next to no memory for state, so that it lies on disk; then a few at parallelism 3; then a few
that are killed again and again and resume from checkpoints, those of RocksDB's files among them.
MILLRACE names the binary. MILLRACE_ACCEPTANCE names another folder with `inputs` and `cases`.
"""

import gzip
import os
import re
import shutil
import subprocess
import sys
import tempfile

STATE_BYTES = "10000"
HERE = os.path.dirname(os.path.abspath(__file__))
TUMBLING = ["ds_tumbling_10s", "ds_tumbling_10s_edge", "ds_tumbling_10s_negoffset_edge", "ds_tumbling_10s_offset3s",
            "ds_tumbling_10s_offset3s_edge", "ds_tumbling_1d_offset_m8h", "ds_tumbling_1d_offset_m8h_edge"]
OTHERS = ["ds_sliding_60s_10s_lateness30s", "ds_session_10s_lateness60s", "ds_count_10_3",
          "ds_global_count_or_time_small", "ds_tumbling_10s_continuous2s", "sw_distinct_filter", "su_agg_of_agg",
          "su_topn_retract", "su_dedup_last", "su_over_range", "pf_timer_chain_delete", "mr_v_shape", "sj_join_agg"]


def unpack(folder, into):
    """Inputs as plain files, because the job reads them; the runner reads packed cases itself."""
    os.makedirs(into)
    for name in sorted(os.listdir(folder)):
        source = os.path.join(folder, name)
        if not name.endswith(".gz"):
            shutil.copy(source, into)
            continue
        with gzip.open(source) as packed, open(os.path.join(into, name[:-3]), "wb") as plain:
            shutil.copyfileobj(packed, plain)


def unlisted(cases):
    """What is wrong with the lists: every case has a job, or stands in the README as not covered."""
    def names(path):
        with open(os.path.join(HERE, path), encoding="utf-8") as file:
            return file.read()

    listed = set(names("cases.txt").split())
    jobs = {name[:-5] for name in os.listdir(os.path.join(HERE, "jobs")) if name.endswith(".yaml")}
    excused = set()
    for line in re.findall(r"^- .*", names("README.md").partition("## Not covered")[2], re.M):
        excused |= set(re.findall(r"`(\w+)`", line))
    problems = ["%s has no job and is not excused" % name for name in sorted(listed - jobs - excused)]
    problems += ["%s has a job and is excused all the same" % name for name in sorted(jobs & excused)]
    problems += ["%s is not in cases.txt" % name for name in sorted((jobs | excused) - listed)]
    problems += ["%s is stored but not in cases.txt" % name for name in sorted(set(os.listdir(cases)) - listed)]
    return problems


def main():
    data = os.environ.get("MILLRACE_ACCEPTANCE", os.path.join(HERE, "data"))
    cases = os.path.join(data, "cases")
    jobs = {name[:-5] for name in os.listdir(os.path.join(HERE, "jobs")) if name.endswith(".yaml")}
    stored = sorted(jobs & set(os.listdir(cases)))
    # Every run that leaves memory costs an fsync: in memory that is for nothing.
    disk = tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
    spilled = ["--state-budget", STATE_BYTES, "--state-dir", disk.name]
    on_rocksdb = [*spilled, "--argument=--set", "--argument=settings.state.backend=rocksdb"]
    ways = [("as they are", stored, []),
            ("with their state on disk", stored, spilled),
            ("at parallelism 3", TUMBLING + OTHERS, ["--parallelism", "3"]),
            ("killed and resumed", TUMBLING + OTHERS, ["--kill", "1", "--kills", "3"]),
            ("killed and resumed at parallelism 3", TUMBLING, ["--kill", "2", "--kills", "3", "--parallelism", "3"]),
            ("killed and resumed on RocksDB", TUMBLING + OTHERS, ["--kill", "3", "--kills", "3", *on_rocksdb])]
    problems = unlisted(cases)
    print("\n".join(["-- the lists of cases"] + problems), flush=True)
    passed, failed = (0, 1) if problems else (1, 0)
    with disk, tempfile.TemporaryDirectory(prefix="millrace-acceptance-") as folder:
        inputs = os.path.join(folder, "inputs")
        unpack(os.path.join(data, "inputs"), inputs)
        for title, names, arguments in ways:
            print("-- " + title, flush=True)
            names = [name for name in names if name in stored]
            done = subprocess.run([os.path.join(HERE, "run"), inputs, os.path.join(folder, "out"), cases, *names,
                                   *arguments], stdout=subprocess.PIPE, text=True, check=False)
            print(done.stdout, end="", flush=True)
            counts = re.search(r"^(\d+) passed, (\d+) failed$", done.stdout, re.M)
            passed += int(counts.group(1)) if counts else 0
            failed += int(counts.group(2)) if counts else len(names)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
