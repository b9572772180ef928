"""`delivery: exactly_once` into PostgreSQL: whatever dies, every row is there once, and the total of a bank stays."""
import json
import random
import signal
import time

import check
from exactly_once_it import CRASH_POINTS
from harness import state_of, wait_until

LEDGER = """version: 1
name: ledger
settings: {{checkpoint: {{interval: 200ms}}{settings}}}
sources:
  transfers:
    type: file
    path: {path}
    follow: true
    rate_limit: {rate}
    format: {{type: json}}
    schema: {{id: BIGINT NOT NULL, debtor: STRING, creditor: STRING, amount: "DECIMAL(18,2)"}}
steps:
  - {{id: debits, input: transfers, map: {{id: id, account: debtor, amount: "CAST(-amount AS DECIMAL(18,2))"}}}}
  - {{id: credits, input: transfers, map: {{id: id, account: creditor, amount: amount}}}}
  - {{id: entries, union: [debits, credits]}}
  - {{id: balances, key_by: [account], aggregate: {{balance: SUM(amount), entries: COUNT(*)}}}}
sinks:
  ledger: {{input: entries, type: postgres, dsn: "${{PG_DSN}}", table: ledger, delivery: exactly_once{more}}}
  totals: {{input: balances, type: postgres, dsn: "${{PG_DSN}}", table: balances, key: [account],
           delivery: exactly_once}}
"""
# No key on purpose: a row that is written twice must be seen.
TABLES = """CREATE TABLE ledger (n bigserial, id bigint, account text, amount numeric(18,2));
CREATE TABLE balances (account text PRIMARY KEY, balance numeric(18,2), entries bigint)"""


class Bank:
    def __init__(self, env, database, rate=0, settings="", more="", tables=TABLES):
        self.path = env.directory / "transfers.jsonl"
        self.path.touch()
        self.database = database
        self.count = 0
        self.random = random.Random(4)
        database.execute(tables)
        text = LEDGER.format(path=self.path, rate=rate or 1_000_000, settings=settings, more=more)
        self.job = env.job(text, PG_DSN=database.dsn)

    def transfer(self, count):
        with open(self.path, "a", encoding="utf-8") as file:
            for self.count in range(self.count + 1, self.count + 1 + count):
                debtor, creditor = self.random.sample(range(20), 2)
                file.write(json.dumps({"id": self.count, "debtor": f"a{debtor}", "creditor": f"a{creditor}",
                                       "amount": f"{self.random.randrange(1, 100)}.50"}) + "\n")

    def written(self) -> int:
        return self.database.value("SELECT count(*) FROM ledger")

    def settled(self) -> bool:
        entries = self.database.value("SELECT coalesce(sum(entries), 0) FROM balances")
        return self.written() >= 2 * self.count and entries >= 2 * self.count

    def check(self):
        value = self.database.value
        assert self.written() == 2 * self.count, f"{self.written()} rows of {self.count} transfers"
        entries = self.database.rows("SELECT id, account, (amount * 100)::bigint cents FROM ledger")
        check.bank("ledger", ((row["id"], row["account"], row["cents"]) for row in entries), self.count)
        assert value("SELECT sum(amount) FROM ledger") == 0 and value("SELECT sum(balance) FROM balances") == 0
        wrong = self.database.rows("SELECT * FROM (SELECT account, sum(amount) s, count(*) c FROM ledger GROUP BY 1) l "
                                   "FULL JOIN balances b USING (account) WHERE (b.balance, b.entries) <> (l.s, l.c)")
        assert not wrong, f"balances differ from the ledger: {wrong}"


def bank_with_a_refused_row(env):
    """A bank whose job has failed: the ledger refuses, at the commit, a transfer that came twice. And that transfer."""
    bank = Bank(env, env.postgres, tables=TABLES.replace("amount numeric(18,2))", "amount numeric(18,2), UNIQUE (id, "
                "account) DEFERRABLE INITIALLY DEFERRED)", 1))
    bank.transfer(5)
    bank.job.start()
    wait_until(bank.settled, "the first rows")
    lines = bank.path.read_text().splitlines()
    with open(bank.path, "a", encoding="utf-8") as file:
        file.write(lines[2] + "\n")
    assert bank.job.wait(30) not in (0, 130)
    return bank, lines[2]


def test_every_crash_point_in_one_life(env):
    bank = Bank(env, env.postgres)
    # Two sinks: their claims are the first two passages, rows of one and of the other the next ones.
    points = [point for point in CRASH_POINTS if not point.endswith(":2")]
    points += [f"commit.{place}:{passage}" for place in ("produced", "flushed", "sent") for passage in (3, 4)]
    for point in points:
        bank.transfer(50)
        bank.job.environment["MILLRACE_CRASH_AT"] = point
        bank.job.start()
        assert bank.job.wait(30) == -9, f"the process should have died at {point}"
    del bank.job.environment["MILLRACE_CRASH_AT"]
    bank.job.start()
    wait_until(bank.settled, "all rows")
    bank.job.stop()
    bank.check()


def test_kill_9_at_random_moments_and_other_parallelisms(env):
    bank = Bank(env, env.postgres, rate=4000)
    bank.transfer(30_000)
    moments = random.Random(8)
    for run in range(10):
        bank.job.start("--set", f"settings.parallelism={1 + run % 3}")
        time.sleep(moments.uniform(0.5, 1.5))
        bank.job.kill()
        assert bank.database.value("SELECT coalesce(sum(balance), 0) FROM balances") is not None
    bank.job.start("--set", "sources.transfers.rate_limit=1000000")
    wait_until(bank.settled, "all rows", 60)
    bank.job.stop()
    bank.check()


def test_the_server_crashes_in_the_middle_of_commits(env):
    server = env.own_postgres().start()
    bank = Bank(env, server.database("bank"), rate=10_000)
    bank.job.start()
    for _ in range(3):
        bank.transfer(3000)
        before = bank.written()
        wait_until(lambda: bank.written() > before, "some progress")
        server.stop(signal.SIGQUIT)
        server.start()
    wait_until(bank.settled, "all rows", 60)
    bank.job.stop()
    bank.check()


def test_the_server_is_down_when_the_job_starts_again(env):
    server = env.own_postgres().start()
    bank = Bank(env, server.database("bank"))
    bank.transfer(100)
    bank.job.environment["MILLRACE_CRASH_AT"] = "commit.flushed:3"
    bank.job.start()
    assert bank.job.wait(30) == -9
    del bank.job.environment["MILLRACE_CRASH_AT"]
    server.stop(signal.SIGQUIT)
    bank.transfer(100)
    bank.job.start()
    wait_until(lambda: "job restarts" in bank.job.stderr, "the job misses the server and tries again")
    server.start()
    wait_until(bank.settled, "all rows", 60)
    bank.job.stop()
    bank.check()


def test_another_database_under_the_job_is_refused(env):
    bank = Bank(env, env.postgres)
    bank.transfer(10)
    bank.job.start()
    wait_until(bank.settled, "all rows")
    bank.job.stop()
    other = env.own_postgres().start().database("other")
    other.execute(TABLES)
    bank.job.environment["PG_DSN"] = other.dsn
    bank.job.run(expect=4)
    assert "--accept-lost-progress" in bank.job.stderr
    assert other.value("SELECT count(*) FROM ledger") == 0


def test_a_frozen_owner_loses_the_lock_of_its_lane(env):
    bank = Bank(env, env.postgres, rate=20_000, settings=", parallelism: 1")
    bank.transfer(100_000)
    bank.job.environment["MILLRACE_FREEZE_AT"] = "commit.flushed:3"
    bank.job.start()
    frozen = bank.job.process
    wait_until(lambda: state_of(frozen.pid) == "T", "a process frozen inside a transaction")
    held = ("SELECT count(*) FROM pg_locks WHERE relation = to_regclass('millrace_progress') "
            "AND mode = 'RowShareLock'")
    assert bank.database.value(held) > 0
    del bank.job.environment["MILLRACE_FREEZE_AT"]
    bank.job.start("--take-over")
    wait_until(bank.settled, "all rows, from the new owner", 60)
    assert "ending the session that holds a lane" in bank.job.stderr
    frozen.send_signal(signal.SIGCONT)
    assert frozen.wait(30) != 0, "the old owner ends"
    bank.job.stop()
    bank.check()


def test_a_constraint_violated_at_the_commit_fails_the_job_and_names_the_row(env):
    bank, _ = bank_with_a_refused_row(env)
    for words in ["sink `ledger`, lane 0, epoch ", "row 0 of table ledger", "duplicate key"]:
        assert words in bank.job.stderr, bank.job.stderr
    assert bank.written() == 10


def test_deleted_progress_is_noticed(env):
    bank = Bank(env, env.postgres)
    bank.transfer(20)
    bank.job.start()
    wait_until(bank.settled, "the first rows")
    bank.job.stop()
    bank.database.execute("DELETE FROM millrace_progress")
    bank.transfer(20)
    bank.job.start()
    assert bank.job.wait(30) not in (0, 130)
    assert "--accept-lost-progress" in bank.job.stderr, bank.job.stderr
    assert bank.written() == 40, "nothing more was written"
    bank.job.start("--accept-lost-progress")
    wait_until(bank.settled, "the rows of both runs")
    bank.job.stop()
    bank.check()
