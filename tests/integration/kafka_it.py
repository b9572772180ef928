"""The Kafka source and sink against a real broker, through the real binary."""
import json
import random
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from harness import MILLRACE, wait_until
from kafka import Kafka

PASS_THROUGH = """version: 1
name: {name}
settings: {{checkpoint: {{interval: 200ms}}{settings}}}
sources:
  events:
    type: kafka
    brokers: {brokers}
    topics: [{source}]
    start_from: earliest
    format: {{type: json, bad_record: {bad_record}}}
    schema: {{seq: BIGINT NOT NULL, user: STRING, part: INT METADATA partition, off: BIGINT METADATA offset}}{more}
steps: [{{id: all, filter: seq >= 0}}]
sinks:
  out: {{type: kafka, brokers: {brokers}, topic: {sink}, key: [user], format: {{type: json}}{sink_more}}}
"""


def pass_through(kafka: Kafka, source, sink, name="pass", more="", sink_more="", bad_record="fail", settings="") -> str:
    more = "".join(f"\n    {line}" for line in more.splitlines())
    return PASS_THROUGH.format(name=name, brokers=kafka.address, source=source, sink=sink, more=more,
                               sink_more=sink_more, bad_record=bad_record, settings=settings)


def events(first, last, users=7):
    return [{"seq": i, "user": f"u{i % users}"} for i in range(first, last)]


def seqs(kafka, topic):
    return sorted(value["seq"] for value in kafka.values(topic))


def test_bounded_ends_and_keeps_the_order_of_each_key(env):
    source, sink = env.topic("in", 3), env.topic("out", 2)
    env.kafka.produce(source, [{"value": json.dumps(e), "key": e["user"]} for e in events(0, 300)])
    env.job(pass_through(env.kafka, source, sink, more="bounded: latest")).run()
    records = env.kafka.consume(sink)
    assert sorted(json.loads(r["value"])["seq"] for r in records) == list(range(300))
    last = {}
    for record in records:
        value = json.loads(record["value"])
        assert record["key"] == value["user"]
        assert value["seq"] > last.get(value["user"], -1), "the order within a key is kept"
        last[value["user"]] = value["seq"]


def test_a_topic_written_in_transactions_ends_behind_its_markers(env):
    source, sink = env.topic("in"), env.topic("out")
    records = [{"do": "begin"}, *[{"value": json.dumps(e)} for e in events(0, 5)], {"do": "commit"},
               {"do": "begin"}, *[{"value": json.dumps(e)} for e in events(100, 105)], {"do": "abort"},
               {"do": "begin"}, *[{"value": json.dumps(e)} for e in events(5, 8)], {"do": "commit"}]
    env.kafka.produce(source, records, transactional_id=env.name)
    job = env.job(pass_through(env.kafka, source, sink, more="bounded: latest")).run()
    assert seqs(env.kafka, sink) == list(range(8)), "aborted records are not read"
    assert job.wait() == 0


def test_a_stopped_job_resumes_where_it_was(env):
    source, sink = env.topic("in", 2), env.topic("out")
    job = env.job(pass_through(env.kafka, source, sink))
    env.kafka.produce(source, events(0, 50))
    job.start()
    wait_until(lambda: env.kafka.count(sink) == 50, "50 records in the sink")
    job.stop()
    env.kafka.produce(source, events(50, 80))
    job.start()
    wait_until(lambda: env.kafka.count(sink) >= 80, "80 records in the sink")
    job.stop()
    assert seqs(env.kafka, sink) == list(range(80)), "nothing twice after a clean stop"


def test_a_job_resumes_at_another_parallelism(env):
    source, sink = env.topic("in", 4), env.topic("out")
    job = env.job(pass_through(env.kafka, source, sink))
    env.kafka.produce(source, events(0, 100))
    job.start()
    wait_until(lambda: env.kafka.count(sink) == 100, "100 records in the sink")
    job.stop()
    env.kafka.produce(source, events(100, 200))
    job.start("--set", "settings.parallelism=3")
    wait_until(lambda: env.kafka.count(sink) >= 200, "200 records in the sink")
    job.stop()
    assert seqs(env.kafka, sink) == list(range(200))


def test_kill_9_in_the_middle_loses_nothing(env):
    source, sink = env.topic("in", 4), env.topic("out", 2)
    killed = threading.Event()

    def feed() -> int:  # while the job is killed, so that every run finds something left to read
        total, piece = 0, 1_000
        while not killed.wait(0.05):
            env.kafka.lines(source, [json.dumps(e) for e in events(total, total + piece)])
            total += piece
        return total

    job = env.job(pass_through(env.kafka, source, sink, settings=", parallelism: 2"))
    moments = random.Random(3)
    with ThreadPoolExecutor(1) as feeder:
        fed = feeder.submit(feed)
        try:
            for _ in range(4):
                enough = env.kafka.count(sink) + moments.randrange(1, 2000)
                job.start()
                wait_until(lambda: env.kafka.count(sink) > enough, "some progress")
                job.kill()
        finally:
            killed.set()
    total = fed.result()
    job.start()
    wait_until(lambda: env.kafka.count(sink) >= total, f"{total} records in the sink", 60)
    wait_until(lambda: set(seqs(env.kafka, sink)) == set(range(total)), "every record at least once", 60)
    job.stop()


def test_a_broker_that_goes_away_and_comes_back(env):
    broker = env.own_broker()
    kafka = Kafka(broker.address)
    source, sink = kafka.create("in", 2), kafka.create("out")
    kafka.produce(source, events(0, 20))
    job = env.job(pass_through(kafka, source, sink)).start()
    wait_until(lambda: kafka.count(sink) == 20, "20 records in the sink")
    broker.kill()
    unreachable = {"reason": "kafka_unreachable"}
    wait_until(lambda: job.metric("millrace_step_errors_total", **unreachable) > 0, "the outage is counted")
    assert job.process.poll() is None, "the job goes on trying"
    assert "kafka" in job.stderr
    broker.start()
    kafka.produce(source, events(20, 40))
    wait_until(lambda: set(seqs(kafka, sink)) == set(range(40)), "the records after the outage", 60)
    job.stop()


def test_a_job_starts_while_the_broker_is_down(env):
    broker = env.own_broker()
    kafka = Kafka(broker.address)
    source, sink = kafka.create("in"), kafka.create("out")
    kafka.produce(source, events(0, 10))
    broker.kill()
    job = env.job(pass_through(kafka, source, sink)).start()
    wait_until(lambda: "E0303" in job.stderr, "a line that says that nobody answers")
    broker.start()
    wait_until(lambda: kafka.count(sink) == 10, "10 records in the sink", 60)
    job.stop()


def test_a_missing_topic_is_named(env):
    sink = env.topic("out")
    job = env.job(pass_through(env.kafka, "no-such-topic", sink)).run(expect=1)
    assert "E0306" in job.stderr and "no-such-topic" in job.stderr


def test_a_missing_topic_of_a_sink_is_named(env):
    source = env.topic("in")
    env.kafka.produce(source, events(0, 3))
    job = env.job(pass_through(env.kafka, source, "no-such-target", more="bounded: latest")).run(expect=1)
    assert "E0306" in job.stderr and "no-such-target" in job.stderr


def test_validate_connect_asks_the_brokers(env):
    source = env.topic("in")
    job = env.job(pass_through(env.kafka, source, "no-such-target"))

    def validate():
        command = [MILLRACE, "validate", "--connect", job.file]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    answer = validate()
    assert answer.returncode == 1 and "E0306" in answer.stderr and "no-such-target" in answer.stderr, answer.stderr
    assert ".in" not in answer.stderr.split("no-such-target")[0].split("E0306")[1], "the source's topic exists"
    job.file.write_text(pass_through(env.kafka, source, env.topic("out")))
    assert validate().returncode == 0
    job.file.write_text(job.file.read_text().replace(env.kafka.address, "127.0.0.1:1"))
    answer = validate()
    assert answer.returncode == 3 and "127.0.0.1:1" in answer.stderr, answer.stderr


def test_metadata_columns_and_event_time_stamps(env):
    source, sink = env.topic("in"), env.topic("out")
    env.kafka.produce(source, [{"value": json.dumps({"seq": 1, "at": 5000}), "key": "k", "timestamp": 1234,
                                "headers": {"trace": "abc"}}])
    job = env.job(f"""version: 1
name: metadata
sources:
  events:
    type: kafka
    brokers: {env.kafka.address}
    topics: [{source}]
    bounded: latest
    format: json
    schema:
      seq: BIGINT
      at: TIMESTAMP(3) FROM epoch_millis
      topic: STRING METADATA topic
      off: BIGINT METADATA offset
      stamp: TIMESTAMP(3) METADATA timestamp
      k: BYTES METADATA key
      h: MAP<STRING, BYTES> METADATA headers
    event_time: {{column: at}}
sinks:
  screen: {{type: print}}
  out: {{type: kafka, brokers: {env.kafka.address}, topic: {sink}, format: json, timestamp: event_time}}
""").run()
    assert job.rows() == [{"seq": 1, "at": 5000, "topic": source, "off": 0, "stamp": 1234, "k": "aw==",
                           "h": {"trace": "YWJj"}}]
    assert [(r["timestamp"], r["key"]) for r in env.kafka.consume(sink)] == [(5000, None)]


def test_a_lost_position_is_named(env):
    source, sink = env.topic("in"), env.topic("out")
    env.kafka.produce(source, events(0, 10))
    job = env.job(pass_through(env.kafka, source, sink)).start()
    wait_until(lambda: env.kafka.count(sink) == 10, "10 records in the sink")
    job.stop()
    env.kafka.delete(source)
    time.sleep(0.5)  # the broker deletes in the background and refuses the name meanwhile
    wait_until(lambda: recreate(env.kafka, source), "the topic made anew")
    job.run(expect=1)
    assert "E0307" in job.stderr and "position 10" in job.stderr and f"{source}/0" in job.stderr


def recreate(kafka, topic):
    try:
        return kafka.create(topic)
    except AssertionError:
        return None


def test_bad_records_are_dead_letters_and_nothing_else_is_lost(env):
    source, sink = env.topic("in"), env.topic("out")
    good = [{"value": json.dumps(e)} for e in events(0, 4)]
    bad = [{"value": "{not json"}, {"value": '{"user": "no seq"}'}, {"value": '{"seq": "x"}'}, {"value": ""},
           {"value": '{"seq": 99999999999999999999}'}, {"value_hex": "7b22736571223a312c2275736572223a22ff227d"}]
    tombstone = [{"value": None, "key": "k"}]
    mixed = [record for pair in zip(good, bad) for record in pair] + bad[4:] + tombstone
    env.kafka.produce(source, mixed + [{"value": json.dumps({"seq": 4})}])
    text = pass_through(env.kafka, source, sink, more="bounded: latest", bad_record="dead_letter")
    text += "  rejected: {input: events.dead_letter, type: file, path: ./rejected.jsonl, format: {type: json}}\n"
    job = env.job(text).run()
    assert seqs(env.kafka, sink) == [0, 1, 2, 3, 4]
    letters = [json.loads(line) for line in (job.directory / "rejected.jsonl").read_text().splitlines()]
    assert sorted(letter["offset"] for letter in letters) == [1, 3, 5, 7, 8, 9], letters
    assert all(letter["code"] == "E0501" and letter["topic"] == source and letter["error"] for letter in letters)


def test_a_bad_record_fails_the_job_and_is_named(env):
    source, sink = env.topic("in"), env.topic("out")
    env.kafka.produce(source, [{"value": "{not json"}])
    text = pass_through(env.kafka, source, sink, more="bounded: latest", settings=", restart: {strategy: none}")
    job = env.job(text).run(expect=1)
    assert "E0501" in job.stderr and source in job.stderr


def test_ten_megabyte_records_pass(env):
    source, sink = env.topic("in", max_message_bytes=20_000_000), env.topic("out", max_message_bytes=20_000_000)
    long = "x" * 9_900_000  # comes out as key and as value
    env.kafka.produce(source, [{"seq": 0, "user": long, "ignored": "y" * 100_000}, {"seq": 1, "user": "u"}])
    text = pass_through(env.kafka, source, sink, more="bounded: latest",
                        sink_more=", properties: {message.max.bytes: 20000000}")
    env.job(text).run()
    assert [len(record["key"]) for record in env.kafka.consume(sink)] == [9_900_000, 1]


def test_rows_too_large_for_the_topic_follow_on_error(env):
    source, sink = env.topic("in", max_message_bytes=20_000_000), env.topic("out")
    env.kafka.produce(source, [{"seq": 0, "user": "x" * 2_000_000}, {"seq": 1, "user": "u"}])
    text = pass_through(env.kafka, source, sink, more="bounded: latest", sink_more=", on_error: dead_letter")
    text += "  refused: {input: out.dead_letter, type: file, path: ./refused.jsonl, format: {type: json}}\n"
    job = env.job(text).run()
    assert seqs(env.kafka, sink) == [1]
    letter, = [json.loads(line) for line in (job.directory / "refused.jsonl").read_text().splitlines()]
    assert (letter["step"], letter["code"]) == ("out", "E0507")


def test_group_offsets_follow_checkpoints(env):
    source, sink = env.topic("in"), env.topic("out")
    env.kafka.produce(source, events(0, 25))
    job = env.job(pass_through(env.kafka, source, sink, more=f"group_id: {env.name}")).start()
    wait_until(lambda: env.kafka.committed(env.name, source) == {"0": 25}, "the group's offset at 25")
    job.stop()


def test_new_partitions_are_found(env):
    source, sink = env.topic("in.a"), env.topic("out")
    env.kafka.produce(source, events(0, 5))
    text = pass_through(env.kafka, source, sink, more="discover_every: 500ms")
    job = env.job(text).start()
    wait_until(lambda: env.kafka.count(sink) == 5, "5 records in the sink")
    env.kafka.add_partitions(source, 3)
    env.kafka.produce(source, [{"value": json.dumps(e), "partition": 2} for e in events(5, 9)])
    wait_until(lambda: env.kafka.count(sink) == 9, "the records of the new partition")
    job.stop()


UPSERT = """version: 1
name: upsert
sources:
  rows: {{type: kafka, brokers: {brokers}, topics: [{source}], bounded: latest, schema: {{k: STRING}}}}
steps:
  - {{id: per_key, key_by: [k], aggregate: {{n: COUNT(*)}}, having: n < 3}}
sinks:
  out: {{type: kafka, brokers: {brokers}, topic: {sink}, key: [k], format: {{type: json}}{more}}}
"""


def test_rows_that_leave_an_updating_stream_are_tombstones(env):
    for more in ("", ", delivery: exactly_once"):
        source, sink = env.topic("in" + more[-4:], 1), env.topic("out" + more[-4:], 1)
        env.kafka.produce(source, [{"k": k} for k in ("a", "b", "a", "a")])
        job = env.job(UPSERT.format(brokers=env.kafka.address, source=source, sink=sink, more=more))
        job.run("--set", "settings.batch_rows=1")
        records = env.kafka.consume(sink)
        assert [(r["key"], r.get("value") and json.loads(r["value"])) for r in records] == [
            ("a", {"k": "a", "n": 1}), ("b", {"k": "b", "n": 1}), ("a", {"k": "a", "n": 2}), ("a", None)], records


def test_tls_and_sasl(env):
    broker = env.own_broker(secure=True)
    kafka = Kafka(broker.address)
    source, sink = kafka.create("in"), kafka.create("out")
    kafka.produce(source, events(0, 5))
    security = ["sasl_mechanism: PLAIN", "sasl_username: alice", f"tls_ca: {broker.ca}",
                "secrets: {sasl_password: kafka_password}"]
    text = pass_through(kafka, source, sink, more="\n".join(["bounded: latest", *security]),
                        sink_more=", " + ", ".join(security)).replace(broker.address, broker.secure_address)
    env.job(text, MILLRACE_SECRET_KAFKA_PASSWORD="alice-secret").run()
    assert seqs(kafka, sink) == list(range(5))
    wrong = env.job(text, MILLRACE_SECRET_KAFKA_PASSWORD="wrong-secret").run("--fresh", expect=1)
    assert "E0304" in wrong.stderr and "wrong-secret" not in wrong.stderr


def test_dangerous_properties_are_refused(env):
    source, sink = env.topic("in"), env.topic("out")
    text = pass_through(env.kafka, source, sink, more="properties: {plugin.library.paths: /tmp/x.so}")
    job = env.job(text).run(expect=2)
    assert "E0302" in job.stderr and "plugin.library.paths" in job.stderr
