"""Topics and records of a broker, through millrace_kafka_tool. Each Topics object gives its topics names of its own."""
import json
import os
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("MILLRACE_BUILD", ROOT / "build" / "dev"))
TOOL = BUILD / "tests" / "millrace_kafka_tool"


def tool(*arguments, stdin="", timeout=120) -> str:
    command = [str(TOOL), *map(str, arguments)]
    run = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
    if run.returncode != 0:
        raise AssertionError(f"millrace_kafka_tool {' '.join(map(str, arguments))}: {run.stderr[-2000:]}")
    return run.stdout


class Kafka:
    """A broker's address with the operations that tests need."""

    def __init__(self, address: str):
        self.address = address

    def create(self, topic: str, partitions=1, **config) -> str:
        settings = [f"{name.replace('_', '.')}={value}" for name, value in config.items()]
        tool("create", self.address, topic, partitions, *settings)
        return topic

    def delete(self, topic: str):
        tool("delete", self.address, topic)

    def add_partitions(self, topic: str, count: int):
        tool("partitions", self.address, topic, count)

    def produce(self, topic: str, records, transactional_id=None):
        """Records are dicts as millrace_kafka_tool reads them; a dict without its words is sent as a JSON value."""
        words = {"value", "value_hex", "key", "partition", "timestamp", "headers", "do"}
        lines = [json.dumps(r if set(r) <= words else {"value": json.dumps(r)}) for r in records]
        settings = [f"transactional.id={transactional_id}"] if transactional_id else []
        tool("produce", self.address, topic, *settings, stdin="\n".join(lines) + "\n")

    def lines(self, topic: str, values, partition=None):
        where = [] if partition is None else [partition]
        tool("lines", self.address, topic, *where, stdin="".join(value + "\n" for value in values))

    def consume(self, topic: str, *options) -> list:
        """Committed records until the end of the topic."""
        return [json.loads(line) for line in tool("consume", self.address, topic, *options).splitlines()]

    def values(self, topic: str, *options) -> list:
        """The JSON values of a topic, sorted, so that partitions do not matter."""
        records = self.consume(topic, *options)
        found = [json.loads(record["value"]) for record in records if record.get("value") is not None]
        return sorted(found, key=lambda value: json.dumps(value, sort_keys=True))

    def count(self, topic: str) -> int:
        for _ in range(50):
            try:
                return sum(high - low for low, high in json.loads(tool("ends", self.address, topic)).values())
            except AssertionError as failure:
                if "leader" not in str(failure).lower():
                    raise
                time.sleep(0.1)  # a topic made a moment ago has no leader yet
        raise AssertionError(f"the topic {topic} has had no leader for seconds")

    def committed(self, group: str, topic: str) -> dict:
        return json.loads(tool("committed", self.address, group, topic))
