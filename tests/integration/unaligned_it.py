"""Checkpoints of a job under back pressure: aligned ones wait for the rows in the channels, unaligned ones take them
along; and settings that change while the job runs."""
import json
import os
import subprocess
from pathlib import Path

import pressed_job
from cluster import Cluster
from harness import MILLRACE, wait_until

ROWS = 40_000


def written(directory: Path) -> list:
    return [json.loads(line)["id"] for path in directory.glob("*.jsonl") for line in path.read_text().splitlines()]


def under_pressure(cluster) -> bool:
    """The exchange is full: rows have left the source, and no more do."""
    before = cluster.rows_out("rows", pressed_job.NAME)
    return before > 0 and before > 4 * cluster.rows_out("slow", pressed_job.NAME)


def test_an_unaligned_checkpoint_does_not_wait_for_the_rows_before_it_and_nothing_is_lost(env):
    cluster = Cluster(env.directory / "c")
    try:
        cluster.start()
        out = env.directory / "out"
        cluster.submit(pressed_job.JOB.format(rows=ROWS, batch_rows=20, rows_per_second=2000, out=out))
        wait_until(lambda: under_pressure(cluster), "the channels are full")
        aligned = pressed_job.checkpoint(cluster)
        assert not aligned["unaligned"]
        settings = pressed_job.change(cluster, unaligned_after="100ms")
        assert settings["unaligned_after"] == "100ms"
        unaligned = pressed_job.checkpoint(cluster)
        assert unaligned["unaligned"]
        assert pressed_job.seconds(unaligned) < pressed_job.seconds(aligned)
        print(f"under back pressure: aligned {pressed_job.seconds(aligned)} s, unaligned "
              f"{pressed_job.seconds(unaligned)} s")
        attempt = cluster.job(pressed_job.NAME)["attempt"]
        cluster.task_managers[0].kill()
        cluster.task_managers[0].start()
        wait_until(lambda: cluster.job(pressed_job.NAME)["attempt"] > attempt, "a new attempt")
        restored = wait_until(lambda: cluster.job(pressed_job.NAME)["restored_checkpoint"], "it is restored")
        assert restored == unaligned["id"]
        # Rows in flight are restored, so the next one holds them again.
        wait_until(lambda: cluster.job(pressed_job.NAME)["state"] == "RUNNING", "it runs")
        assert pressed_job.checkpoint(cluster)["unaligned"]
        cluster.wait_state(pressed_job.NAME, "FINISHED", 120)
        assert sorted(written(out)) == list(range(1, ROWS + 1))
    finally:
        cluster.close()


def test_checkpoint_settings_change_on_the_running_job_and_survive_the_job_manager(env):
    cluster = Cluster(env.directory / "c", task_managers=1)
    environment = os.environ | {"MILLRACE_ADDRESS": f"127.0.0.1:{cluster.rest_port}"}

    def millrace(*words, expect=0):
        done = subprocess.run([MILLRACE, *words], capture_output=True, text=True, timeout=60, env=environment)
        assert done.returncode == expect, f"exit code {done.returncode}, not {expect}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    try:
        cluster.start()
        cluster.submit(pressed_job.JOB.format(rows=10**9, batch_rows=20, rows_per_second=2000,
                                              out=env.directory / "out"))
        changed = millrace("checkpoints", pressed_job.NAME, "--set", "interval=300ms", "--set", "unaligned_after=0s")
        assert "300ms" in changed and "unaligned_after" in changed
        assert "interval" in millrace("checkpoints", pressed_job.NAME, "--set", "interval=soon", expect=2)
        assert "dir" in millrace("checkpoints", pressed_job.NAME, "--set", "dir=/tmp", expect=2)
        wait_until(lambda: cluster.job(pressed_job.NAME)["checkpoints"]["completed"] >= 2, "checkpoints come")
        cluster.job_manager.kill()
        cluster.job_manager.start()
        cluster.wait_registered(1)
        wait_until(lambda: cluster.job(pressed_job.NAME)["checkpoints"]["completed"] >= 1, "checkpoints come again")
        assert cluster.job(pressed_job.NAME)["checkpoints"]["settings"]["interval"] == "300ms"
        assert "interval 300ms" in millrace("status", pressed_job.NAME)
        assert "unaligned" in millrace("checkpoints", pressed_job.NAME)
    finally:
        cluster.close()
