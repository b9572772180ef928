#!/usr/bin/env python3
"""Exactly-once output of a cluster, proven: a job manager and two task managers under live load while each is killed.

prove_cluster.py [--seconds 600] [--rate 20000] [--seed 1] [--short] [--unaligned] [--s3]

The job and the checks of prove.py, submitted to three processes with four slots at parallelism 4 over 8 partitions.
While events come live a random process is killed every 3 to 10 s and started again at once: a task manager, the job
manager, or all of them; now and then a task manager is frozen for 20 s. At the end every output must hold the rows
that the feeder calculated by itself. With --unaligned all barriers overtake rows at once. Prints how long it took from
the kill of a task manager to the first row that left the source again.
"""
import argparse
import json
import random
import signal
import statistics
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import prove  # noqa: E402
from prove import harness  # noqa: E402
from cluster import Cluster  # noqa: E402

NAME = "fraud-alerts"
FROZEN_S = 20


class ClusterProof(prove.Proof):
    partitions = 8

    def __init__(self, options, directory, broker, database):
        super().__init__(options, directory, broker, database)
        self.cluster = Cluster(directory / "job", checkpoint_dir="s3://proof/job/checkpoints" if options.s3 else None,
                               **self.environment())
        self.recoveries = []

    def submit(self):
        more = {"set.settings.checkpoint.unaligned_after": "0s"} if self.options.unaligned else {}
        self.cluster.submit(self.job_text("job", ""), **more,
                            **{"set.settings.checkpoint.interval": "1s", "set.settings.parallelism": 4})
        self.cluster.wait_state(NAME, "RUNNING", 60)

    def kill_task_manager(self):
        attempt = self.cluster.job(NAME)["attempt"]
        victim = self.random.choice(self.cluster.task_managers)
        victim.kill()
        killed = time.monotonic()
        victim.start()
        harness.wait_until(lambda: self.attempt() > attempt and self.cluster.rows_out("user_events", NAME) > 0,
                           "rows leave the source again", 60)
        self.recoveries.append(time.monotonic() - killed)
        self.injected["kill -9 of a task manager"] += 1

    def attempt(self):
        try:
            return self.cluster.job(NAME)["attempt"]
        except OSError:
            return 0

    def kill_job_manager(self):
        self.cluster.job_manager.kill()
        self.cluster.job_manager.start()
        self.injected["kill -9 of the job manager"] += 1
        self.cluster.wait_registered(2)

    def kill_all(self):
        for process in self.cluster.processes:
            process.kill()
        for process in self.cluster.processes:
            process.start()
        self.injected["kill -9 of all at once"] += 1
        self.cluster.wait_registered(2)

    def freeze(self):
        attempt = self.cluster.job(NAME)["attempt"]
        victim = self.random.choice(self.cluster.task_managers)
        victim.process.send_signal(signal.SIGSTOP)
        time.sleep(FROZEN_S)
        victim.process.send_signal(signal.SIGCONT)
        self.cluster.wait_registered(2)
        harness.wait_until(lambda: self.attempt() > attempt, "a new attempt", 60)
        self.injected[f"SIGSTOP of a task manager for {FROZEN_S} s, SIGCONT"] += 1

    def disturb(self, feeder):
        self.cluster.start()
        self.submit()
        number = 0
        while time.monotonic() < self.started + self.options.seconds:
            time.sleep(self.random.uniform(*self.options.pause))
            number += 1
            if number == self.options.freeze_at:
                self.freeze()
            else:
                self.random.choices([self.kill_task_manager, self.kill_job_manager, self.kill_all], [6, 2, 1])[0]()
            if number % 3 == 0:
                self.look_at_the_table()
            assert self.reader.offence is None, self.reader.offence
            assert feeder.poll() is None, "the feeder failed"

    def still_runs(self, process=None):
        return True

    def finish(self, expected):
        value = self.database.value
        harness.wait_until(lambda: min(self.bought.rows, value("SELECT count(*) FROM bought")) >= expected["rows"]
                           and value("SELECT count(*) FROM alerts") >= len(expected["alerts"]),
                           "all purchases and alerts in the outputs", 300)
        time.sleep(3)  # whatever is written too often has the time to show
        done = self.cluster.operation(NAME, "stop")
        assert "failure" not in done, done

    def report(self, events, expected):
        super().report(events, expected)
        if self.recoveries:
            ordered = sorted(self.recoveries)
            print(json.dumps({"task_manager_kills": len(ordered),
                              "recovery_median_s": round(statistics.median(ordered), 2),
                              "recovery_p95_s": round(ordered[int(len(ordered) * 0.95)], 2),
                              "recovery_max_s": round(ordered[-1], 2)}))

    def close(self):
        self.cluster.close()
        super().close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=600, help="how long events come, at least")
    parser.add_argument("--rate", type=int, default=20_000, help="events a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="about a minute, without the freeze")
    parser.add_argument("--unaligned", action="store_true", help="barriers overtake rows in every checkpoint")
    parser.add_argument("--s3", action="store_true", help="checkpoints and files on S3, as prove.py --s3")
    parser.add_argument("--keep", action="store_true", help="keep the directory")
    parser.set_defaults(spill=False)  # prove.py --spill does that
    options = parser.parse_args()
    options.pause, options.freeze_at = (3, 10), 4
    if options.short:
        options.seconds, options.rate, options.pause, options.freeze_at = 20, 8_000, (1, 2), 0
    return prove.prove(ClusterProof, options)


if __name__ == "__main__":
    sys.exit(main())
