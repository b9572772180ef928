"""How long a checkpoint takes under back pressure, aligned and unaligned.

One job manager, two task managers, a job at parallelism 2 whose keyed exchange is full because a step behind it lets
few rows pass.
"""
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "integration"))
import pressed_job  # noqa: E402
from cluster import Cluster  # noqa: E402
from harness import wait_until  # noqa: E402


def bench() -> int:
    with tempfile.TemporaryDirectory(prefix="millrace-unaligned-") as directory:
        cluster = Cluster(Path(directory))
        try:
            cluster.start()
            cluster.submit(pressed_job.JOB.format(rows=10**9, batch_rows=100, rows_per_second=3000,
                                                  out=Path(directory) / "out"))
            wait_until(lambda: cluster.rows_out("rows", pressed_job.NAME) > 60_000, "the channels are full", 60)
            aligned = pressed_job.checkpoint(cluster)
            pressed_job.change(cluster, unaligned_after="100ms")
            unaligned = [pressed_job.checkpoint(cluster) for _ in range(5)]
        finally:
            cluster.close()
    print(json.dumps({"bench": "unaligned", "aligned_s": pressed_job.seconds(aligned),
                      "unaligned_s": [pressed_job.seconds(one) for one in unaligned],
                      "aligned_mb": round(aligned["bytes"] / 1e6, 2),
                      "unaligned_mb": round(unaligned[-1]["bytes"] / 1e6, 2)}))
    return 0
