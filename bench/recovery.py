"""How long a cluster needs after kill -9 of a task manager until the first row leaves the source again.

One job manager, two task managers with two slots each, one job at parallelism 4 with state of about the wanted size in
its keys; the killed process is started again at once.
"""
import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "integration"))
from cluster import Cluster  # noqa: E402
from harness import wait_until  # noqa: E402

ROW_BYTES = 1000
JOB = """
version: 1
name: state
settings:
  parallelism: 4
  checkpoint: {{interval: 2s}}
sources:
  rows:
    type: datagen
    rows_per_second: {rate}
    schema:
      id: BIGINT SEQUENCE(1, 1000000000)
      k: BIGINT AS id % {keys}
      text: STRING AS LPAD('', {row_bytes}, 'x')
      at: TIMESTAMP(3) AS TO_TIMESTAMP_LTZ(id, 3)
    event_time: {{column: at}}
steps:
  - {{id: newest, key_by: [k], aggregate: {{n: COUNT(*), text: LAST_VALUE(text)}}}}
sinks:
  out: {{type: blackhole}}
"""


def attempt(cluster) -> int:
    try:
        return cluster.job("state")["attempt"]
    except OSError:
        return 0


def recover(cluster) -> float:
    before = attempt(cluster)
    victim = random.choice(cluster.task_managers)
    victim.kill()
    killed = time.monotonic()
    victim.start()
    wait_until(lambda: attempt(cluster) > before and cluster.rows_out("rows", "state") > 0, "rows again", 120)
    return time.monotonic() - killed


def measure(megabytes: int, kills: int):
    keys = max(1000, megabytes * 1_000_000 // ROW_BYTES)
    with tempfile.TemporaryDirectory(prefix="millrace-recovery-") as directory:
        cluster = Cluster(Path(directory))
        try:
            cluster.start()
            cluster.submit(JOB.format(rate=max(20_000, keys // 10), keys=keys, row_bytes=ROW_BYTES))
            wait_until(lambda: cluster.job("state")["checkpoints"]["last"]["bytes"] >= megabytes * 900_000,
                       "the state has its size", 300)
            seconds = []
            for _ in range(kills):
                completed = cluster.job("state")["checkpoints"]["completed"]
                wait_until(lambda c=completed: cluster.job("state")["checkpoints"]["completed"] > c,
                           "a checkpoint", 120)
                seconds.append(recover(cluster))
            size = cluster.job("state")["checkpoints"]["last"]["bytes"]
        finally:
            cluster.close()
    seconds.sort()
    print(json.dumps({"bench": "recovery", "state_mb": round(size / 1e6), "kills": kills,
                      "median_s": round(statistics.median(seconds), 2),
                      "p95_s": round(seconds[min(kills - 1, int(kills * 0.95))], 2)}), flush=True)


def bench() -> int:
    measure(10, 20)
    measure(1000, 10)
    return 0
