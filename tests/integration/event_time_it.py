"""Watermarks of several partitions and sources: drift, idleness and rows from the future, through the real binary."""
import json
import time

from harness import wait_until

SECOND = 1000

ALIGNED = """version: 1
name: aligned
settings: {{batch_rows: 10, checkpoint: {{interval: 200ms}}}}
sources:
{sources}
steps: [{{id: all, {step}}}]
sinks:
  out: {{type: kafka, brokers: {brokers}, topic: {sink}, format: {{type: json}}}}
"""

SOURCE = """  {name}:
    type: kafka
    brokers: {brokers}
    topics: [{topic}]
    start_from: earliest
    schema: {{at: TIMESTAMP(3) FROM epoch_millis, who: STRING}}
    event_time: {{column: at, max_drift: 60s{more}}}
"""


def aligned(env, topics, sink, more=", idle_timeout: 1h"):
    names = [f"s{i}" for i in range(len(topics))]
    sources = "".join(SOURCE.format(name=name, brokers=env.kafka.address, topic=topic, more=more)
                      for name, topic in zip(names, topics))
    step = "filter: at IS NOT NULL" if len(names) == 1 else f"union: [{', '.join(names)}]"
    return env.job(ALIGNED.format(sources=sources, step=step, brokers=env.kafka.address, sink=sink))


def records(who, seconds, partition=0):
    return [{"value": json.dumps({"at": s * SECOND, "who": who}), "partition": partition} for s in seconds]


def newest(kafka, sink, who):
    return max((row["at"] // SECOND for row in kafka.values(sink) if row["who"] == who), default=-1)


def held_at(env, job, sink, who, low, high):
    """The reader of `who` waits within these seconds, and goes on waiting while checkpoints complete."""
    wait_until(lambda: job.metric("millrace_source_held_splits") == 1 and newest(env.kafka, sink, who) >= low,
               f"{who} waits")
    checkpoints = job.completed_checkpoints()
    wait_until(lambda: job.completed_checkpoints() > checkpoints + 1 or
               job.metric("millrace_checkpoints_total", result="completed") > checkpoints + 1, "checkpoints complete")
    assert newest(env.kafka, sink, who) <= high, f"{who} got to {newest(env.kafka, sink, who)} s, further than {high}"


def test_max_drift_holds_a_partition_and_lets_it_go_on(env):
    topic, sink = env.topic("in", 2), env.topic("out")
    env.kafka.produce(topic, records("fast", range(0, 2000)) + records("slow", [0], partition=1))
    job = aligned(env, [topic], sink).start()
    held_at(env, job, sink, "fast", 60, 60 + 10)
    env.kafka.produce(topic, records("slow", [1000], partition=1))
    held_at(env, job, sink, "fast", 1060, 1060 + 10)
    job.stop()
    job.start()  # what was read before the stop still counts
    held_at(env, job, sink, "fast", 1060, 1060 + 20)
    env.kafka.produce(topic, records("slow", [3000], partition=1))
    wait_until(lambda: newest(env.kafka, sink, "fast") == 1999, "all rows")
    assert env.kafka.count(sink) == 2003, "none lost, none twice"


def test_max_drift_holds_a_source_for_another(env):
    fast, slow, sink = env.topic("fast"), env.topic("slow"), env.topic("out")
    env.kafka.produce(fast, records("fast", range(0, 500)))
    env.kafka.produce(slow, records("slow", [0]))
    job = aligned(env, [fast, slow], sink).start()
    held_at(env, job, sink, "fast", 60, 60 + 10)
    env.kafka.produce(slow, records("slow", [300]))
    held_at(env, job, sink, "fast", 360, 360 + 10)
    env.kafka.produce(slow, records("slow", [1000]))
    wait_until(lambda: newest(env.kafka, sink, "fast") == 499, "all rows")


def test_an_idle_partition_holds_nobody(env):
    topic, sink = env.topic("in", 2), env.topic("out")
    env.kafka.produce(topic, records("fast", range(0, 500)) + records("slow", [0], partition=1))
    aligned(env, [topic], sink, more=", idle_timeout: 500ms").start()
    wait_until(lambda: newest(env.kafka, sink, "fast") == 499, "all rows, once the other partition is idle")


AHEAD = """version: 1
name: ahead
settings: {{checkpoint: {{interval: 200ms}}}}
sources:
  events:
    type: kafka
    brokers: {brokers}
    topics: [{topic}]
    start_from: earliest
    schema: {{at: TIMESTAMP(3) FROM epoch_millis, n: BIGINT}}
    event_time: {{column: at, max_ahead: 1h, idle_timeout: 1h}}
steps:
  - {{id: counted, window: {{type: tumbling, size: 1m}}, aggregate: {{rows: COUNT(*)}}}}
sinks:
  out: {{type: print}}
  future: {{type: kafka, brokers: {brokers}, topic: {future}, input: events.ahead, format: {{type: json}}}}
"""


def test_rows_from_the_future_are_set_apart_and_never_move_the_watermark(env):
    topic, future = env.topic("in"), env.topic("future")
    now = int(time.time() * 1000) // 60_000 * 60_000
    ahead = now + 2 * 3600 * SECOND
    rows = [(now - 600_000, 1), (ahead, 2), (now - 590_000, 3)]
    env.kafka.produce(topic, [{"value": json.dumps({"at": at, "n": n})} for at, n in rows])
    job = env.job(AHEAD.format(brokers=env.kafka.address, topic=topic, future=future)).start()
    wait_until(lambda: env.kafka.count(future) == 1, "the row from the future")
    assert env.kafka.values(future) == [{"at": ahead, "n": 2}]
    assert job.rows() == [], "no window was fired by it"
    assert job.metric("millrace_source_ahead_records_total", step="events") == 1
    env.kafka.produce(topic, [{"value": json.dumps({"at": now, "n": 4})}])
    wait_until(job.rows, "the window of the first rows")
    assert job.rows() == [{"window_start": now - 600_000, "window_end": now - 540_000, "rows": 2}]
