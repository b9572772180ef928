"""`delivery: exactly_once` against a real broker and real directories: whatever dies, the committed output holds every
row once, in order per key."""
import json
import random
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import check
from harness import wait_until
from kafka import TOOL, Kafka
from kafka_it import events, pass_through, seqs

EXACTLY = ", delivery: exactly_once"
# Every named place on the way of an epoch, in the order of passage (a claim passes some of them first).
CRASH_POINTS = ["recover.claimed", "recover.published", "snapshot.begin", "segment.synced", "segment.sealed",
                "complete.before", "complete.after", "notified", "commit.begin", "commit.inited", "commit.produced:2",
                "commit.flushed:2", "commit.sent:2", "commit.done", "commit.acknowledged"]


def exactly_once(env, source, sink, **more):
    return pass_through(env.kafka, source, sink, sink_more=EXACTLY + more.pop("sink_more", ""), **more)


def check_output(env, sink, total):
    """Each row once, and per key in order, as a read_committed reader sees it."""
    records = env.kafka.consume(sink)
    values = [json.loads(record["value"]) for record in records]
    found = sorted(value["seq"] for value in values)
    repeated = sorted({seq for seq in found if found.count(seq) > 1}) if len(found) != len(set(found)) else []
    assert not repeated, f"{len(repeated)} rows repeated, such as {repeated[:5]}"
    missing = sorted(set(range(total)) - set(found))
    assert not missing, f"{len(missing)} rows missing, such as {missing[:5]}"
    last = {}
    for value in values:
        assert value["seq"] > last.get(value["user"], -1), f"out of order: {value}"
        last[value["user"]] = value["seq"]


def committed(env, sink) -> int:
    return len(env.kafka.consume(sink))


def dies(job, seconds=30):
    assert job.wait(seconds) == -9, "the process should have died at its crash point"


def test_a_bounded_job_has_all_its_output_committed_when_it_ends(env):
    source, sink = env.topic("in", 3), env.topic("out", 2)
    env.kafka.produce(source, [{"value": json.dumps(e), "key": e["user"]} for e in events(0, 500)])
    env.job(exactly_once(env, source, sink, more="bounded: latest")).run()
    check_output(env, sink, 500)


def test_every_crash_point_in_one_life(env):
    source, sink = env.topic("in"), env.topic("out")
    job = env.job(exactly_once(env, source, sink))
    for step, point in enumerate(CRASH_POINTS):
        env.kafka.produce(source, events(step * 50, step * 50 + 50))
        job.environment["MILLRACE_CRASH_AT"] = point
        job.start()
        dies(job)
    del job.environment["MILLRACE_CRASH_AT"]
    job.start()
    total = 50 * len(CRASH_POINTS)
    wait_until(lambda: committed(env, sink) >= total, f"{total} committed rows")
    job.stop()
    check_output(env, sink, total)


def test_kill_9_at_random_moments(env):
    source, sink = env.topic("in", 4), env.topic("out", 2)
    total, piece = 40_000, 1_000

    def feed():
        for first in range(0, total, piece):
            lines = [e for e in events(first, first + piece)]
            for partition in range(4):  # one key stays in one partition, so that there is an order to keep
                chosen = [json.dumps(e) for e in lines if int(e["user"][1:]) % 4 == partition]
                env.kafka.lines(source, chosen, partition)
            time.sleep(0.1)

    seen = check.Sequences(sink)  # at every moment a reader has seen a prefix of each user's rows
    reader = check.Follower(str(TOOL), env.kafka.address, sink, lambda row: seen.row(row["user"], row["seq"] // 7 + 1))
    job = env.job(exactly_once(env, source, sink, settings=", parallelism: 2"))
    moments = random.Random(11)
    with ThreadPoolExecutor(1) as feeder:
        fed = feeder.submit(feed)
        for run in range(10):
            job.start("--set", f"settings.parallelism={1 + run % 3}")  # 1 -> 2 -> 3 -> 1 in between
            time.sleep(moments.uniform(0.5, 2.0))
            job.kill()
        fed.result()
    job.start()
    wait_until(lambda: min(seen.rows, committed(env, sink)) >= total or reader.offence, f"{total} committed rows", 90)
    job.stop()
    reader.close()
    check_output(env, sink, total)


def test_a_frozen_owner_wakes_up_behind_its_successor(env):
    source, sink = env.topic("in"), env.topic("out")
    first = env.job(exactly_once(env, source, sink))
    env.kafka.produce(source, events(0, 100))
    first.start()
    wait_until(lambda: committed(env, sink) == 100, "100 committed rows")
    env.kafka.produce(source, events(100, 150))
    first.process.send_signal(signal.SIGSTOP)
    frozen = first.process
    second = first.start("--take-over")
    wait_until(lambda: committed(env, sink) == 150, "150 committed rows")
    env.kafka.produce(source, events(150, 200))
    frozen.send_signal(signal.SIGCONT)
    assert frozen.wait(30) != 0, "the old owner ends"
    wait_until(lambda: committed(env, sink) == 200, "200 committed rows")
    second.stop()
    check_output(env, sink, 200)


def test_a_second_process_on_one_directory_is_refused(env):
    source, sink = env.topic("in"), env.topic("out")
    job = env.job(exactly_once(env, source, sink)).start()
    env.kafka.produce(source, events(0, 10))
    wait_until(lambda: committed(env, sink) == 10, "10 committed rows")
    owner = job.process
    job.start()
    assert job.wait() == 4
    assert str(owner.pid) in job.stderr
    owner.terminate()
    owner.wait(30)


def test_a_job_outlasts_a_full_disk_and_nothing_is_lost(env):
    source, sink = env.topic("in"), env.topic("out")
    full = env.directory / "disk-is-full"
    job = env.job(exactly_once(env, source, sink), MILLRACE_FULL_WHILE=str(full)).start()
    env.kafka.produce(source, events(0, 100))
    wait_until(lambda: committed(env, sink) == 100, "100 committed rows")
    full.touch()
    env.kafka.produce(source, events(100, 200))
    wait_until(lambda: "job restarts" in job.stderr, "the job fails and is started again")
    assert "No space left on device" in job.stderr, job.stderr
    assert "/checkpoints/" in job.stderr, "the path is named"
    full.unlink()
    wait_until(lambda: committed(env, sink) == 200, "the job goes on by itself")
    full.touch()
    job.kill()
    job.start()  # a first start has nothing to wait for
    assert job.wait(30) not in (0, 130)
    assert "No space left on device" in job.stderr, job.stderr
    full.unlink()
    job.start()
    env.kafka.produce(source, events(200, 300))
    wait_until(lambda: committed(env, sink) == 300, "300 committed rows")
    job.stop()
    check_output(env, sink, 300)


def test_a_deleted_progress_topic_is_refused(env):
    source, sink = env.topic("in"), env.topic("out")
    job = env.job(exactly_once(env, source, sink, name="lost"))
    env.kafka.produce(source, events(0, 10))
    job.start()
    wait_until(lambda: committed(env, sink) == 10, "10 committed rows")
    job.stop()
    record = json.loads(next((job.directory / "checkpoints" / "lost").glob("job-*.json")).read_text())
    env.kafka.delete(f"millrace-progress-{record['job_id']}-out")
    job.run(expect=4)
    assert "--accept-lost-progress" in job.stderr
    env.kafka.produce(source, events(10, 20))
    job.start("--accept-lost-progress")
    wait_until(lambda: committed(env, sink) == 20, "20 committed rows")
    job.stop()
    check_output(env, sink, 20)


def test_a_fresh_job_under_an_old_name_publishes_everything(env):
    source, sink = env.topic("in"), env.topic("out")
    env.kafka.produce(source, events(0, 30))
    job = env.job(exactly_once(env, source, sink, more="bounded: latest"))
    job.run()
    job.run("--fresh")
    assert seqs(env.kafka, sink) == sorted(list(range(30)) * 2), "the predecessor's markers are not ours"


def test_a_snapshot_older_than_the_marker_is_refused(env):
    source, sink = env.topic("in"), env.topic("out")
    job = env.job(exactly_once(env, source, sink, name="old"))
    env.kafka.produce(source, events(0, 10))
    job.start()
    wait_until(lambda: committed(env, sink) == 10, "10 committed rows")
    wait_until(lambda: job.completed_checkpoints() >= 3, "three checkpoints")
    root = job.directory / "checkpoints" / "old"
    oldest = min(root.glob("chk-*/_metadata"), key=lambda path: int(path.parent.name[4:])).parent
    kept = job.directory / oldest.name
    shutil.copytree(oldest, kept)
    env.kafka.produce(source, events(10, 20))
    wait_until(lambda: committed(env, sink) == 20, "20 committed rows")
    job.stop()
    job.run("--restore", str(kept), expect=4)
    assert "--republish" in job.stderr


def test_a_snapshot_older_than_a_lane_that_it_does_not_know_is_refused(env):
    source, sink = env.topic("in", 2), env.topic("out")
    text = exactly_once(env, source, sink, name="lanes")
    job = env.job(text)
    job.start("--set", "settings.parallelism=1")
    wait_until(lambda: job.completed_checkpoints() >= 2, "two checkpoints")
    root = job.directory / "checkpoints" / "lanes"
    oldest = min(root.glob("chk-*/_metadata"), key=lambda path: int(path.parent.name[4:])).parent
    kept = job.directory / oldest.name
    shutil.copytree(oldest, kept)
    job.stop()
    job.start("--set", "settings.parallelism=2")
    # Subtask 1 reads this partition (its owner depends on the name of the topic), so lane 0 publishes nothing.
    env.kafka.produce(source, [{"value": json.dumps(e), "partition": 0} for e in events(0, 200)])
    wait_until(lambda: committed(env, sink) == 200, "200 committed rows")
    job.stop()
    job.run("--restore", str(kept), "--set", "settings.parallelism=1", expect=4)
    assert "--republish" in job.stderr and "lane 1" in job.stderr, job.stderr
    check_output(env, sink, 200)


def test_rows_of_an_epoch_carry_their_place(env):
    source, sink = env.topic("in"), env.topic("out")
    env.kafka.produce(source, events(0, 20))
    more = ", headers: {epoch: true}"
    env.job(exactly_once(env, source, sink, more="bounded: latest", sink_more=more)).run()
    assert check.whole_epochs(sink, (dict(record["headers"]) for record in env.kafka.consume(sink)))


DIRECTORY = """version: 1
name: files
settings: {{checkpoint: {{interval: 100ms}}}}
sources:
  numbers: {{type: datagen, rows: 3000, rows_per_second: 1000, schema: {{n: "BIGINT SEQUENCE(0, 2999)"}}}}
steps: [{{id: all, filter: n >= 0}}]
sinks: {{out: {{type: file, path: "{path}/", delivery: exactly_once, format: {{type: json}}}}}}
"""


def test_files_of_a_directory_appear_once_whatever_crashes(env):
    output = env.directory / "output"
    rows = []
    collected = env.directory / "collected"
    collected.mkdir()
    job = env.job(DIRECTORY.format(path=output))
    points = ["recover.claimed", "segment.synced", "segment.sealed", "complete.before", "complete.after", "notified",
              "commit.inited", "commit.produced:2", "commit.flushed:2", "commit.sent:2", "commit.done"]
    for point in [*points, ""]:
        job.environment["MILLRACE_CRASH_AT"] = point
        job.start()
        assert job.wait() == (-9 if point else 0)
        for file in sorted(output.glob("part-*")):  # consumers may move files away
            shutil.move(file, collected / file.name)
    for file in sorted(collected.iterdir(), key=lambda path: int(path.stem.split("-")[3])):
        rows += [json.loads(line)["n"] for line in file.read_text().splitlines()]
    assert rows == list(range(3000))


def test_a_restore_into_another_directory_publishes_what_waits_and_loses_nothing(env):
    output = env.directory / "output"
    job = env.job(DIRECTORY.format(path=output), MILLRACE_CRASH_AT="complete.after:5")
    job.start()
    assert job.wait() == -9
    del job.environment["MILLRACE_CRASH_AT"]
    completed = (job.directory / "checkpoints" / "files").glob("chk-*/_metadata")
    newest = max(completed, key=lambda path: int(path.parent.name[4:]))
    job.run("--restore", str(newest.parent), "--set", f"settings.checkpoint.dir={env.directory / 'elsewhere'}")
    rows = []
    for file in sorted(output.glob("part-*"), key=lambda path: int(path.stem.split("-")[3])):
        rows += [json.loads(line)["n"] for line in file.read_text().splitlines()]
    assert rows == list(range(3000)), f"{len(rows)} rows, {len(set(rows))} of them different"


def test_a_repetition_that_was_accepted_loses_nothing_and_is_accepted_once(env):
    source, sink = env.topic("in"), env.topic("out")
    job = env.job(exactly_once(env, source, sink, name="again"))
    env.kafka.produce(source, events(0, 10))
    job.start()
    wait_until(lambda: committed(env, sink) == 10, "10 committed rows")
    root = job.directory / "checkpoints" / "again"
    kept = job.directory / "kept"
    newest = max(root.glob("chk-*/_metadata"), key=lambda path: int(path.parent.name[4:])).parent
    shutil.copytree(newest, kept)
    env.kafka.produce(source, events(10, 20))
    wait_until(lambda: committed(env, sink) == 20, "20 committed rows")
    job.stop()
    shutil.rmtree(root)  # nothing but the copy is left
    job.run("--restore", str(kept), expect=4)
    job.environment["MILLRACE_CRASH_AT"] = "recover.published"
    job.start("--restore", str(kept), "--republish")
    dies(job)
    del job.environment["MILLRACE_CRASH_AT"]
    job.start()
    env.kafka.produce(source, events(20, 30))
    wait_until(lambda: seqs(env.kafka, sink)[-1] == 29, "the last row")
    job.stop()
    rows = seqs(env.kafka, sink)
    assert sorted(set(rows)) == list(range(30)) and len(rows) in range(30, 41), rows


def test_a_broker_restart_in_the_middle(env):
    broker = env.own_broker()
    kafka = Kafka(broker.address)
    source, sink = kafka.create("in", 2), kafka.create("out", 2)
    job = env.job(pass_through(kafka, source, sink, sink_more=EXACTLY)).start()
    kafka.produce(source, events(0, 500))
    wait_until(lambda: len(kafka.consume(sink)) > 0, "the first committed rows")
    kafka.produce(source, events(500, 1000))
    broker.kill()
    broker.start()
    kafka = Kafka(broker.address)
    kafka.produce(source, events(1000, 1500))
    wait_until(lambda: len(kafka.consume(sink)) >= 1500, "1500 committed rows", 90)
    job.stop()
    found = [json.loads(record["value"])["seq"] for record in kafka.consume(sink)]
    assert sorted(found) == list(range(1500))


def test_a_row_that_the_topic_never_takes_is_refused_before_it_enters_a_segment(env):
    source, sink = env.topic("in"), env.topic("out", max_message_bytes=2000)
    env.kafka.produce(source, [{"seq": 0, "user": "u"}, {"seq": 1, "user": "x" * 3000}, {"seq": 2, "user": "u"}])
    job = env.job(exactly_once(env, source, sink, name="large", more="bounded: latest"))
    job.run(expect=1)
    assert "max.message.bytes" in job.stderr
    text = exactly_once(env, source, sink, name="letters", more="bounded: latest", sink_more=", on_error: dead_letter")
    job = env.job(text + "  letters: {type: print, input: out.dead_letter}\n").run()
    assert seqs(env.kafka, sink) == [0, 2]
    letter, = job.rows()
    assert letter["step"] == "out"


def test_a_fork_beside_the_original_publishes_its_own_rows(env):
    source, sink, other = env.topic("in"), env.topic("out"), env.topic("fork")
    job = env.job(exactly_once(env, source, sink, name="original"))
    env.kafka.produce(source, events(0, 10))
    job.start()
    wait_until(lambda: committed(env, sink) == 10, "10 committed rows")
    job.stop()
    newest = max((job.directory / "checkpoints" / "original").glob("chk-*/_metadata"),
                 key=lambda path: int(path.parent.name[4:])).parent
    fork = env.job(exactly_once(env, source, other, name="forked"))
    env.kafka.produce(source, events(10, 20))
    fork.start("--fork", str(newest))
    job.start()
    wait_until(lambda: committed(env, sink) == 20, "20 rows of the original")
    wait_until(lambda: committed(env, other) == 10, "10 rows of the fork")
    fork.stop()
    job.stop()
    assert seqs(env.kafka, sink) == list(range(20))
    assert seqs(env.kafka, other) == list(range(10, 20))


def test_the_checker_notices_a_marker_that_is_ignored(env):
    source, sink = env.topic("in"), env.topic("out")
    env.kafka.produce(source, events(0, 50))
    job = env.job(exactly_once(env, source, sink), MILLRACE_CRASH_AT="commit.sent:2")
    job.start()
    dies(job)
    job.environment = {**job.environment, "MILLRACE_CRASH_AT": "", "MILLRACE_BUG": "skip_marker"}
    job.start()
    wait_until(lambda: committed(env, sink) > 50, "repeated rows")
    job.stop()
    try:
        check_output(env, sink, 50)
    except AssertionError as error:
        assert "repeated" in str(error)
        return
    raise AssertionError("the checker saw nothing")
