"""`millrace doctor` on running jobs: what it says of a silent window, and that it is right."""
import json
import subprocess

from harness import MILLRACE, wait_until

WINDOWED = """version: 1
name: silent
settings: {{parallelism: 2, checkpoint: {{interval: 1s}}}}
sources:
  clicks:
    type: kafka
    brokers: {brokers}
    topics: [{topic}]
    start_from: earliest
    format: json
    schema: {{user: STRING, at: TIMESTAMP(3) FROM epoch_millis}}
    event_time: {{column: at{idle}}}
steps:
  - id: people
    filter: user <> 'robot'
  - id: per_user
    key_by: [user]
    window: {{type: tumbling, size: 10s}}
    aggregate: {{clicks: COUNT(*)}}
sinks:
  out: {{type: print}}
"""


def findings(job, *step):
    address = [line.split("rest=http://")[1] for line in job.stderr.splitlines() if "listening rest=" in line]
    if not address:
        return []
    name = job.file.read_text().split("name: ")[1].split()[0]
    done = subprocess.run([MILLRACE, "doctor", name, *step, "--address", address[0].strip(), "--output", "json"],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)["findings"]


def seen(job, kind, step):
    """The finding of a kind about a step, or None."""
    return next((one for one in findings(job) if one["kind"] == kind and one["step"] == step), None)


def clicks(env, topic, partition, users, times):
    env.kafka.produce(topic, [{"value": json.dumps({"user": user, "at": at}), "partition": partition}
                              for at in times for user in users])


def test_a_silent_partition_holds_a_window_that_has_fired_before(env):
    topic = env.topic("clicks", 2)
    for partition in (0, 1):
        clicks(env, topic, partition, ["ann"], range(0, 15_000, 1000))
    job = env.job(WINDOWED.format(brokers=env.kafka.address, topic=topic, idle=""))
    job.start()
    wait_until(lambda: len(job.rows()) == 1, "the first window")
    clicks(env, topic, 0, ["ann", "bob"], range(15_000, 60_000, 1000))
    wait_until(lambda: seen(job, "held_watermark", "clicks"), "the partition is named")
    held = seen(job, "held_watermark", "clicks")
    assert f"the partition `{topic}/1` holds the watermark at 14" in held["text"] or "/1`" in held["text"], held
    assert "idle_timeout" in held["help"], held
    wait_until(lambda: seen(job, "held_watermark", "per_user"), "the window that waits is named")
    assert len(job.rows()) == 1
    clicks(env, topic, 1, ["ann"], [60_000])
    wait_until(lambda: len(job.rows()) > 5, "the windows fire")
    assert seen(job, "held_watermark", "per_user") is None, findings(job)
    job.stop()


def test_idle_partitions_are_told_and_hold_nothing_back(env):
    topic = env.topic("clicks", 2)
    clicks(env, topic, 0, ["ann"], range(0, 15_000, 1000))
    job = env.job(WINDOWED.format(brokers=env.kafka.address, topic=topic, idle=", idle_timeout: 500ms"))
    job.start()
    wait_until(lambda: len(job.rows()) == 1, "the first window")
    wait_until(lambda: seen(job, "idle", "clicks"), "all partitions are idle")
    job.stop()


def test_a_filter_that_drops_everything_is_named(env):
    topic = env.topic("clicks", 2)
    for partition in (0, 1):
        clicks(env, topic, partition, ["robot"], range(0, 60_000, 1000))
    job = env.job(WINDOWED.format(brokers=env.kafka.address, topic=topic, idle=""))
    job.start()
    wait_until(lambda: seen(job, "drops_all", "people"), "the filter is named")
    assert "120 rows" in seen(job, "drops_all", "people")["text"]
    assert [one["kind"] for one in findings(job, "per_user")] == ["drops_all"], findings(job, "per_user")
    job.stop()


def test_a_back_pressured_source_names_the_slow_step(env):
    job = env.job("""version: 1
name: slow
settings: {parallelism: 2}
sources:
  numbers: {type: datagen, rows_per_second: 100000, schema: {n: "BIGINT SEQUENCE(1, 100000000)"}}
steps:
  - id: digest
    parallelism: 1
    map: {n: n, hash: "SHA256(REPEAT(CAST(n AS STRING), 5000))"}
sinks:
  out: {type: blackhole}
""")
    job.start()
    wait_until(lambda: seen(job, "backpressure", "numbers"), "the source is back-pressured", 60)
    assert "probably `numbers`" not in seen(job, "backpressure", "numbers")["text"], findings(job)
    # The slow step has to have worked for a second before its share of time says something.
    wait_until(lambda: "probably `digest`" in str(seen(job, "backpressure", "numbers")), "the slow step is named")
    job.stop()


def test_a_job_that_does_not_run_is_named(env):
    job = env.job("version: 1\nname: here\nsources: {rows: {type: datagen, schema: {n: BIGINT}}}\n"
                  "sinks: {out: {type: blackhole}}\n")
    job.start()
    wait_until(lambda: findings(job) is not None and "listening rest=" in job.stderr, "the address")
    address = job.stderr.split("rest=http://")[1].split()[0]
    done = subprocess.run([MILLRACE, "doctor", "elsewhere", "--address", address], capture_output=True, text=True,
                          timeout=30)
    assert done.returncode == 1 and f"no job `elsewhere` runs at {address}" in done.stderr, done.stderr
    job.stop()
