"""The complete example of the job file's page, as configs/examples has it, against a real broker."""
import json

from harness import ROOT, wait_until


def purchases(user, count, minute, amount="5.00"):
    start = minute * 60_000
    return [{"user_id": user, "event_type": "purchase", "amount": amount, "event_time": start + i * 1000}
            for i in range(count)]


def close_windows(env, events):
    """Every partition has to pass the end of the first windows."""
    record = {"value": json.dumps(purchases("later", 1, 5)[0])}
    env.kafka.produce(events, [record | {"partition": partition} for partition in (0, 1)])


def start_job(env, events, alerts):
    text = (ROOT / "configs" / "examples" / "fraud_alerts.yaml").read_text()
    text = text.replace("fraud_alerts", alerts)
    job = env.job(text, KAFKA_BROKERS=env.kafka.address)
    arguments = ["--param", f"topic={events}", "--set", "settings.checkpoint.interval=300ms"]
    return job, arguments


def test_alerts_reach_kafka_and_bad_records_the_file(env):
    events, alerts = env.topic("user_events", 2), env.topic("alerts")
    job, arguments = start_job(env, events, alerts)
    view = {"user_id": "u3", "event_type": "view", "amount": None, "event_time": 5}
    env.kafka.produce(events, purchases("u1", 11, 0) + purchases("u2", 10, 0) + [{"value": "{broken"}, view])
    close_windows(env, events)
    job.start(*arguments)
    wait_until(lambda: env.kafka.count(alerts) >= 1, "an alert")
    job.stop()
    record, = env.kafka.consume(alerts)
    assert record["key"] == "u1"
    assert json.loads(record["value"]) == {"user_id": "u1", "window_start": 0, "window_end": 60_000, "purchases": 11,
                                           "spent": "55.00"}
    files = (job.directory / "rejected").iterdir()
    letters = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert [letter["raw_text"] for letter in letters] == ["{broken"]


def test_windows_survive_a_kill(env):
    events, alerts = env.topic("user_events", 2), env.topic("alerts")
    job, arguments = start_job(env, events, alerts)
    env.kafka.produce(events, purchases("u1", 6, 0))
    job.start(*arguments)
    wait_until(lambda: job.metric("millrace_step_records_in_total", step="purchases") >= 6, "the first half is counted")
    done = job.metric("millrace_checkpoints_total", result="completed")
    later = done + 2  # one may have been under way
    wait_until(lambda: job.metric("millrace_checkpoints_total", result="completed") >= later, "a checkpoint behind it")
    job.kill()
    env.kafka.produce(events, purchases("u1", 5, 0))
    close_windows(env, events)
    job.start(*arguments)
    wait_until(lambda: env.kafka.count(alerts) >= 1, "an alert")
    job.stop()
    value = json.loads(env.kafka.consume(alerts)[0]["value"])
    assert (value["purchases"], value["spent"]) == (11, "55.00")
