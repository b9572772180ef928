"""Example jobs that need servers, run unchanged against real ones."""
import json
import re
import time

from harness import ROOT, wait_until


def example(env, name, topic, suffix=None, partitions=2, **environment):
    """The job of configs/examples, on a topic of the test's own, and the tables that its head tells to create."""
    text = (ROOT / "configs" / "examples" / name).read_text()
    head = "".join(line[1:] for line in text.split("version: 1")[0].splitlines(keepends=True))
    env.postgres.execute("".join(re.findall(r"CREATE TABLE.*?;", head, re.S)))
    own = env.topic(suffix or topic, partitions)
    job = env.job(text.replace(f"topics: [{topic}]", f"topics: [{own}]"), PG_DSN=env.postgres.dsn,
                  KAFKA_BROKERS=env.kafka.address, **environment)
    return job, own


def test_money_transfer_keeps_the_total_under_kills(env):
    job, topic = example(env, "money_transfer.yaml", "transfers")
    total = 20_000
    lines = [json.dumps({"transfer_id": i, "from_account": f"a{i % 7}", "to_account": f"b{i % 11}", "amount": "1.25"})
             for i in range(total)]
    for piece in range(5):
        env.kafka.lines(topic, lines[piece * 4000:(piece + 1) * 4000])
        job.start()
        time.sleep(0.6 + 0.3 * piece)
        job.kill()
    job.start()
    value = env.postgres.value
    wait_until(lambda: value("SELECT count(*) FROM ledger") == 2 * total, "all entries", 60)
    wait_until(lambda: value("SELECT sum(entries) FROM balances") == 2 * total, "all balances", 60)
    job.stop()
    assert value("SELECT sum(amount) FROM ledger") == 0 and value("SELECT sum(balance) FROM balances") == 0
    assert value("SELECT balance FROM balances WHERE account = 'a0'") == -1.25 * len(range(0, total, 7))


def test_a_materialised_view_is_the_same_in_postgres_and_redis(env):
    job, topic = example(env, "materialised_view.yaml", "orders", REDIS_ADDRESS=env.redis.address)
    orders = [{"customer_id": c, "item": f"i{i}", "status": "placed", "price": "2.50"}
              for i in range(40) for c in range(1, 6)]
    orders += [{"customer_id": 5, "item": "last", "status": "cancelled", "price": "2.50"}] * 40
    env.kafka.produce(topic, [{"value": json.dumps(o), "partition": o["customer_id"] % 2} for o in orders])
    job.start()
    done = [{"customer_id": c, "orders": 40, "spent": 100.0, "last_item": "i39"} for c in range(1, 5)]
    wait_until(lambda: env.postgres.rows("SELECT * FROM customer_totals ORDER BY 1") == done, "the table")
    wait_until(lambda: env.redis.hash("customer:4") == {"customer_id": "4", "orders": "40", "spent": "100.00",
                                                        "last_item": "i39"}, "the hash")
    wait_until(lambda: env.redis.command("EXISTS", "customer:5") == 0, "a customer without orders has left")
    job.stop()


def test_fraud_alerts_go_into_postgres(env):
    job, topic = example(env, "fraud_alerts_postgres.yaml", '"${params.topic}"', "events")
    rows = [{"user_id": "u1", "event_type": "purchase", "amount": "5", "event_time": 1000 + i} for i in range(11)]
    rows += [{"user_id": "u2", "event_type": "purchase", "amount": "5", "event_time": 120_000}]
    for partition in (0, 1):
        rows += [{"user_id": "end", "event_type": "click", "event_time": 300_000 + partition}]
    env.kafka.produce(topic, [{"value": json.dumps(row), "partition": i % 2} for i, row in enumerate(rows)])
    job.start()
    wait_until(lambda: env.postgres.rows("SELECT user_id, purchases, spent FROM fraud_alerts") ==
               [{"user_id": "u1", "purchases": 11, "spent": 55.0}], "the alert")
    job.stop()
