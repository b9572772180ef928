"""`millrace audit`, `millrace sink show|skip`, and what --fresh refuses: commands on the directory of a job that does
not run."""
import json
import re
import subprocess
from pathlib import Path

import harness
from exactly_once_it import DIRECTORY, events, exactly_once
from harness import wait_until
from postgres_exactly_once_it import bank_with_a_refused_row


def command(job, *arguments, expect=0) -> str:
    done = subprocess.run([harness.MILLRACE, *arguments], capture_output=True, text=True, env=job.environment,
                          timeout=120, check=False)
    assert done.returncode == expect, f"exit code {done.returncode}, not {expect}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def directory_of(job, name) -> str:
    return str(job.directory / "checkpoints" / name)


def test_a_topic_that_lost_or_repeats_rows_is_noticed(env):
    source, sink = env.topic("in"), env.topic("out")
    env.kafka.produce(source, events(0, 200))
    text = exactly_once(env, source, sink, name="topic", more="bounded: latest", sink_more=", headers: {epoch: true}")
    job = env.job(text)
    job.run()
    answer = command(job, "audit", directory_of(job, "topic"))
    assert "as it should be" in answer and "200 rows of" in answer, answer
    record = env.kafka.consume(sink)[7]
    env.kafka.produce(sink, [{"value": record["value"], "headers": dict(record["headers"])}
                             | ({"key": record["key"]} if record.get("key") is not None else {})])
    answer = command(job, "audit", directory_of(job, "topic"), expect=1)
    assert "0 of" in answer and "1 repeated" in answer, answer


def test_a_file_that_was_changed_is_noticed(env):
    output = env.directory / "output"
    job = env.job(DIRECTORY.format(path=output))
    job.run()
    assert "as it should be" in command(job, "audit", directory_of(job, "files"))
    newest = max(output.glob("part-*"), key=lambda path: int(path.stem.split("-")[3]))
    newest.write_text(newest.read_text() + '{"n":1}\n')
    assert newest.name in command(job, "audit", directory_of(job, "files"), expect=1)


def test_fresh_over_output_that_waits_is_refused(env):
    job = env.job(DIRECTORY.format(path=env.directory / "output"), MILLRACE_CRASH_AT="complete.after:3")
    job.start()
    assert job.wait() == -9
    del job.environment["MILLRACE_CRASH_AT"]
    assert " 0 rows pending" not in command(job, "audit", directory_of(job, "files"))
    job.run("--fresh", expect=4)
    assert "--allow-dropped-state" in job.stderr, job.stderr
    job.run("--fresh", "--allow-dropped-state")


def test_refused_rows_are_shown_and_skipped(env):
    bank, repeated = bank_with_a_refused_row(env)
    epoch = re.search(r"sink `ledger`, lane 0, epoch (\d+)", bank.job.stderr).group(1)
    directory = directory_of(bank.job, "ledger")
    command(bank.job, "audit", directory)
    assert f"epoch {epoch}" in command(bank.job, "sink", "show", directory, "ledger")
    shown = command(bank.job, "sink", "show", directory, "ledger", "--lane", "0", "--epoch", epoch).splitlines()
    assert len(shown) == 2 and json.loads(repeated)["debtor"] in "".join(shown), shown
    answer = command(bank.job, "sink", "skip", directory, "ledger", "--lane", "0", "--epoch", epoch, "--rows", "0-1")
    kept = re.search(r"moved to (\S+);", answer).group(1)
    assert len(Path(kept).read_text().splitlines()) == 2
    bank.job.start()
    bank.transfer(1)
    wait_until(lambda: bank.written() == 12, "the row behind the skipped ones")
    bank.job.stop()
    command(bank.job, "audit", directory)


def test_rows_that_wait_for_a_topic_are_shown_and_skipped(env):
    source, sink = env.topic("in"), env.topic("out")
    env.kafka.produce(source, events(0, 20))
    job = env.job(exactly_once(env, source, sink, name="topic"), MILLRACE_CRASH_AT="commit.begin")
    job.start()
    assert job.wait() == -9
    del job.environment["MILLRACE_CRASH_AT"]
    directory = directory_of(job, "topic")
    assert " 0 rows pending" not in command(job, "audit", directory)
    epoch = re.search(r"epoch (\d+)", command(job, "sink", "show", directory, "out")).group(1)
    shown = command(job, "sink", "show", directory, "out", "--lane", "0", "--epoch", epoch).splitlines()
    waiting = len(shown)
    assert waiting > 2 and '"seq":0' in shown[0].replace(" ", ""), shown[:3]
    command(job, "sink", "skip", directory, "out", "--lane", "0", "--epoch", epoch, "--rows", "0-1")
    job.start()
    wait_until(lambda: len(env.kafka.consume(sink)) == 18, "the rows that were not taken out")
    job.stop()
    assert sorted(row["seq"] for row in env.kafka.values(sink)) == list(range(2, 20))
    command(job, "audit", directory)
