#!/usr/bin/env python3
"""Exactly-once output, proven: the example job `fraud-alerts` under live load while everything around it dies.

prove.py [--seconds 300] [--rate 30000] [--seed 1] [--short] [--s3] [--unaligned] [--spill]

The job of configs/examples/fraud_alerts.yaml runs as it is, with checkpoints every second and three more sinks added:
the purchases into a second topic, into files and into a PostgreSQL table, the alerts into a table. While events come
live, its process is killed at random moments and inside commits, frozen while another one takes over, left down for
longer than the transaction timeout, started at parallelism 1, 3 and 2; the broker is killed and comes back. Readers
beside it see only prefixes. At the end every output must hold the rows that the feeder calculated by itself, and the
rows of an undisturbed run. With --s3 checkpoints, segments and files lie on a real S3 server, behind a proxy that loses
three of a hundred requests or answers; with --unaligned all barriers overtake rows at once; with --spill state has next
to no memory and lies on disk. Needs a build with test hooks (MILLRACE, default build/dev). Prints what was injected.
"""
import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(ROOT / "tests" / "integration")]
import check  # noqa: E402
import harness  # noqa: E402
import kafka  # noqa: E402
import s3  # noqa: E402

COMMIT_POINTS = ["commit.begin", "commit.inited", "commit.produced", "commit.flushed", "commit.sent", "commit.done"]
SPILL_BUDGET = "20000"  # bytes
SPILLED_STARTS = "starts with state in files of the spill store"
TIMEOUT_S = 30  # transaction.timeout.ms of the sessions of a lane
# What is added to the example; its own lines stay as they are.
MORE_SINKS = """  bought:
    {{input: purchases, type: kafka, brokers: "{brokers}", topic: bought{suffix}, key: [user_id],
     format: {{type: json}}, delivery: exactly_once}}
  bought_files: {{input: purchases, type: file, path: ./bought/, format: {{type: json}}, delivery: exactly_once}}
  bought_table:
    {{input: purchases, type: postgres, dsn: "${{PG_DSN}}", table: bought{suffix}, mode: append,
     delivery: exactly_once}}
  alerts_table:
    {{input: per_user, type: postgres, dsn: "${{PG_DSN}}", table: alerts{suffix}, mode: append, delivery: exactly_once}}
"""
TABLES = """CREATE TABLE bought{suffix} (n bigserial, user_id text, event_type text, amount numeric(10,2),
  event_time timestamp(3));
CREATE TABLE alerts{suffix} (n bigserial, user_id text, window_start timestamp(3), window_end timestamp(3),
  purchases bigint, spent numeric(38,2))"""


def job_text(brokers, suffix):
    text = (ROOT / "configs" / "examples" / "fraud_alerts.yaml").read_text()
    more = MORE_SINKS.format(brokers=brokers, suffix=suffix)
    head, tests = text.split("\ntests:")
    return head + "\n" + more + "\ntests:" + tests


def cents(amount) -> int:
    return int(Decimal(str(amount)) * 100)


class Proof:
    partitions = 4

    def __init__(self, options, directory: Path, broker, database):
        self.options, self.broker, self.database, self.directory = options, broker, database, directory
        self.random = random.Random(options.seed)
        self.kafka = kafka.Kafka(broker.address)
        self.injected = Counter()
        self.parallelism = [1, 3, 2]
        self.files = directory / "job" / "bought"
        self.storage, self.proxy = (self.start_s3() if options.s3 else (None, None))
        self.topics()
        self.job = self.make_job("job", "")
        self.bought = check.Sequences("topic bought, read along")
        self.reader = check.Follower(str(kafka.TOOL), broker.address, "bought",
                                     lambda row: self.bought.row(row["user_id"], cents(row["amount"])))
        self.table_looks = 0

    def topics(self):
        self.kafka.create("user_events", self.partitions)
        for suffix in ("", "_plain"):
            self.kafka.create("fraud_alerts" + suffix, 3)
            self.kafka.create("bought" + suffix, 3)
            self.database.execute(TABLES.format(suffix=suffix))

    def start_s3(self):
        server = s3.S3Server().start()
        proxy = s3.FaultyProxy(server.port)
        dice = random.Random(self.options.seed)
        proxy.fault = lambda method, path: dice.choice(["503", "reset", "lost"]) if dice.random() < 0.03 else None
        self.files = server.bucket("proof") / "job" / "bought"
        return server, proxy

    def make_job(self, folder, suffix):
        (self.directory / folder).mkdir(exist_ok=True)
        job = harness.Job(self.directory / folder, self.job_text(folder, suffix), self.environment())
        if self.proxy:
            job.checkpoint_dir = f"s3://proof/{folder}/checkpoints"
        return job

    def job_text(self, folder, suffix):
        text = job_text(self.broker.address, suffix)
        return text.replace("path: ./bought/", f"path: s3://proof/{folder}/bought/") if self.proxy else text

    def environment(self):
        more = {**s3.KEYS, "MILLRACE_S3_ENDPOINT": self.proxy.endpoint} if self.proxy else {}
        if self.options.spill:
            more["MILLRACE_STATE_BUDGET"] = SPILL_BUDGET
        return {"KAFKA_BROKERS": self.broker.address, "PG_DSN": self.database.dsn, **more}

    def start(self, *arguments, crash_at=None):
        self.parallelism.append(self.parallelism.pop(0))
        self.job.environment["MILLRACE_CRASH_AT"] = crash_at or ""
        if unaligned_checkpoint(self.directory / "job" / "checkpoints" / "fraud-alerts"):
            self.injected["starts from an unaligned checkpoint"] += 1
        if list((self.directory / "job" / "checkpoints").glob("*/shared/*.sst")):
            self.injected[SPILLED_STARTS] += 1
        unaligned = ["--set", "settings.checkpoint.unaligned_after=0s"] if self.options.unaligned else []
        self.job.start("--set", "settings.checkpoint.interval=1s", *unaligned, "--set",
                       f"settings.parallelism={self.parallelism[0]}", *arguments)
        self.injected["starts, at parallelism 1, 3 and 2 in turn"] += 1

    def still_runs(self, process=None):
        code = (process or self.job.process).poll()
        assert code is None, f"the job ended by itself with {code}:\n{self.job.stderr[-3000:]}"

    def run_for(self, low, high):
        time.sleep(self.random.uniform(low, high))
        self.still_runs()

    def kill(self):
        self.start()
        self.run_for(0.5, 4)
        self.job.kill()
        self.injected["kill -9 at a random moment"] += 1

    def kill_in_commit(self):
        point = self.random.choice(COMMIT_POINTS)
        # Five lanes or more claim and commit: the first passages belong to the claim.
        self.start(crash_at=f"{point}:{self.random.randint(6, 20)}")
        assert self.job.wait(60) == -9, f"the process should have died at {point}: {self.job.stderr[-3000:]}"
        self.injected["kill -9 inside a commit"] += 1
        self.injected[f"kill -9 inside a commit: at {point}"] += 1

    def freeze(self):
        self.start()
        self.run_for(0.5, 3)
        frozen = self.job.process
        frozen.send_signal(signal.SIGSTOP)
        self.start("--take-over")
        self.run_for(1.5, 3)
        frozen.send_signal(signal.SIGCONT)
        code = frozen.wait(60)
        assert code not in (0, 130), f"the old owner ended with {code}"
        self.run_for(0.2, 1)
        self.job.kill()
        self.injected["SIGSTOP, taken over by another process, SIGCONT"] += 1

    def stay_down(self):
        self.start(crash_at="commit.flushed:8")
        assert self.job.wait(60) == -9
        time.sleep(TIMEOUT_S + 3)
        self.injected[f"down for longer than transaction.timeout.ms ({TIMEOUT_S} s), from inside a commit"] += 1

    def kill_broker(self):
        self.start()
        self.run_for(1, 3)
        self.broker.kill()
        time.sleep(self.random.uniform(0.5, 2))
        self.broker.start()
        self.run_for(2, 4)
        self.job.kill()
        self.injected["kill -9 of the broker, and its return"] += 1

    def plan(self):
        counts = self.options
        actions = [self.kill] * counts.kills + [self.kill_in_commit] * counts.commits + [self.freeze] * counts.freezes
        actions += [self.stay_down] * counts.downtimes + [self.kill_broker] * counts.brokers
        self.random.shuffle(actions)
        return actions

    def look_at_the_table(self):
        """A moment's view of another reader: of each user's purchases a prefix."""
        wrong = self.database.rows("SELECT user_id, count(*) c, max(amount) * 100 m FROM bought GROUP BY 1 "
                                   "HAVING count(*) <> max(amount) * 100 LIMIT 3")
        assert not wrong, f"table bought, read along: {wrong}"
        self.table_looks += 1

    def disturb(self, feeder):
        for number, action in enumerate(self.plan()):
            action()
            if number % 3 == 0:
                self.look_at_the_table()
            assert self.reader.offence is None, self.reader.offence
            assert feeder.poll() is None, "the feeder failed"
        self.start()
        while time.monotonic() < self.started + self.options.seconds:
            time.sleep(0.5)
            self.still_runs()
        self.job.kill()

    def finish(self, expected):
        self.start()
        value = self.database.value

        def settled():
            self.still_runs()
            return (min(self.bought.rows, value("SELECT count(*) FROM bought")) >= expected["rows"]
                    and value("SELECT count(*) FROM alerts") >= len(expected["alerts"]))

        harness.wait_until(settled, "all purchases and alerts in the outputs", 300)
        time.sleep(3)  # whatever is written too often has the time to show
        self.job.stop()

    def run(self):
        plain = self.directory / "expected.jsonl"
        feed = [str(kafka.BUILD / "tests" / "millrace_feed"), self.broker.address, "user_events",
                str(self.options.rate), str(self.options.seed), str(plain)]
        self.started = time.monotonic()
        with subprocess.Popen(feed, stdout=subprocess.PIPE, text=True) as feeder:
            try:
                self.disturb(feeder)
                self.fed = time.monotonic() - self.started
                feeder.send_signal(signal.SIGTERM)
                events = int(feeder.stdout.read())
            finally:
                feeder.kill()
        expected = read_expected(plain)
        self.finish(expected)
        self.reader.close()
        assert not self.options.spill or self.injected[SPILLED_STARTS] > 0, "nothing was ever spilled"
        self.compare(expected)
        self.compare_undisturbed(len(expected["alerts"]))
        self.report(events, expected)

    def close(self):
        self.reader.process.kill()
        self.job.kill()
        for server in filter(None, (self.proxy, self.storage)):
            server.close()

    def alerts_of(self, topic):
        rows = [json.loads(record["value"]) for record in self.kafka.consume(topic)]
        check.rising(f"topic {topic}", ((row["user_id"], row["window_start"]) for row in rows))
        return rows

    def compare(self, expected):
        alerts = [(row["user_id"], row["window_start"], row["purchases"], cents(row["spent"]))
                  for row in self.alerts_of("fraud_alerts")]
        check.same_rows("topic fraud_alerts", alerts, expected["alerts"])
        for where, rows in (("topic bought", self.bought_topic()), ("files", self.bought_files()),
                            ("table bought", self.bought_table())):
            sequences = check.Sequences(where)
            for user, number in rows:
                sequences.row(user, number)
            assert sequences.last == expected["users"], f"{where}: not every purchase is there"
        table = self.database.rows("SELECT user_id, (extract(epoch FROM window_start) * 1000)::bigint w, purchases p, "
                                   "spent::text s FROM alerts ORDER BY n")
        check.rising("table alerts", ((row["user_id"], row["w"]) for row in table))
        check.same_rows("table alerts", ((row["user_id"], row["w"], row["p"], cents(row["s"])) for row in table),
                        expected["alerts"])

    def bought_topic(self):
        rows = [json.loads(record["value"]) for record in self.kafka.consume("bought")]
        return [(row["user_id"], cents(row["amount"])) for row in rows]

    def bought_table(self):
        text = self.database.execute("SELECT user_id, (amount * 100)::bigint FROM bought ORDER BY n")
        return [(line.split("|")[0], int(line.split("|")[1])) for line in text.splitlines()]

    def bought_files(self):
        rows = []
        for path in sorted(self.files.glob("*.jsonl"), key=epoch_of):
            for line in path.read_text().splitlines():
                row = json.loads(line)
                rows.append((row["user_id"], cents(row["amount"])))
        return rows

    def compare_undisturbed(self, expected: int):
        plain = self.make_job("plain", "_plain")
        plain.run("--set", "sources.user_events.bounded=latest", "--set", "sinks.alerts.topic=fraud_alerts_plain",
                  "--set", "settings.checkpoint.interval=1s", "--set", "name=fraud-alerts-plain", seconds=300)
        # A commit is acknowledged before its markers have reached all partitions.
        harness.wait_until(lambda: len(self.kafka.consume("fraud_alerts_plain")) >= expected, "the undisturbed alerts")
        disturbed, undisturbed = ([json.dumps(row, sort_keys=True) for row in self.alerts_of(topic)]
                                  for topic in ("fraud_alerts", "fraud_alerts_plain"))
        check.same_rows("fraud_alerts against the undisturbed run", disturbed, undisturbed)
        columns = "user_id, window_start, window_end, purchases, spent"
        difference = f"(SELECT {columns} FROM {{}} EXCEPT ALL SELECT {columns} FROM {{}})"
        for pair in (("alerts", "alerts_plain"), ("alerts_plain", "alerts")):
            assert self.database.value(f"SELECT count(*) FROM {difference.format(*pair)} d") == 0, pair

    def report(self, events, expected):
        if self.proxy:
            for fault in ("503", "reset", "lost"):
                self.injected[f"requests to S3 that met `{fault}`"] = sum(one[2] == fault for one in self.proxy.seen)
            self.injected["requests to S3"] = len(self.proxy.seen)
        for what, count in sorted(self.injected.items()):
            print(f"{count:6}  {what}")
        print(json.dumps({"seed": self.options.seed, "seconds_fed": round(self.fed), "events": events,
                          "purchases": expected["rows"], "alerts": len(expected["alerts"]),
                          "rows_read_along": self.bought.rows, "table_looks": self.table_looks}))


def epoch_of(path: Path):
    """part-<job>-<lane>-<epoch>[-<part>]: the order in which files were published."""
    _, _, lane, epoch, *part = path.stem.split("-")
    return int(epoch), int(lane), [int(number) for number in part]


def unaligned_checkpoint(directory: Path) -> bool:
    """Whether the newest checkpoint of a job may hold rows in flight: a flag in its _metadata (state/job_record.cc)."""
    found = sorted(directory.glob("chk-*/_metadata"), key=lambda path: int(path.parent.name[4:]))
    if not found:
        return False
    data = found[-1].read_bytes()
    name = 8 + 4 + 8 + 16  # magic, version, checkpoint id, job id; then the name with its length, attempt, time
    return data[name + 1 + data[name] + 8 + 8] & 2 != 0


def read_expected(path: Path):
    users, alerts = {}, []
    for line in path.read_text().splitlines():
        row = json.loads(line)
        if "window_start" in row:
            alerts.append((row["user_id"], row["window_start"], row["purchases"], row["cents"]))
        else:
            users[row["user_id"]] = row["purchases"]
    return {"users": users, "alerts": alerts, "rows": sum(users.values())}


def prove(kind, options) -> int:
    """Runs one proof on servers of its own; answers the exit code."""
    directory = Path(tempfile.mkdtemp(prefix="millrace-proof-"))
    server = harness.Postgres().start()
    proof = None
    with harness.Broker(directory / "broker") as broker:
        try:
            proof = kind(options, directory, broker, server.database("proof"))
            proof.run()
            print("1 passed, 0 failed")
            return 0
        except AssertionError as failure:
            print(f"FAILED with seed {options.seed}: {failure}\n1 failed; see {directory}")
            options.keep = True
            return 1
        finally:
            if proof:
                proof.close()
            server.close()
            if not options.keep:
                subprocess.run(["rm", "-rf", str(directory)], check=False)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=300, help="how long events come, at least")
    parser.add_argument("--rate", type=int, default=30_000, help="events a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--commits", type=int, default=12)
    parser.add_argument("--freezes", type=int, default=10)
    parser.add_argument("--downtimes", type=int, default=1)
    parser.add_argument("--brokers", type=int, default=2, help="kills of the broker")
    parser.add_argument("--short", action="store_true", help="about a minute: a few of each, without the downtime")
    parser.add_argument("--s3", action="store_true", help="checkpoints and files on S3")
    parser.add_argument("--unaligned", action="store_true", help="barriers overtake rows in every checkpoint")
    parser.add_argument("--spill", action="store_true", help="state has 20 kB of memory, the rest lies on disk")
    parser.add_argument("--keep", action="store_true", help="keep the directory")
    options = parser.parse_args()
    if options.short:
        vars(options).update(seconds=10, rate=10_000, kills=4, commits=3, freezes=1, downtimes=0, brokers=1)
    return prove(Proof, options)


if __name__ == "__main__":
    sys.exit(main())
