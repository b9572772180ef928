"""`./dev bench latency`: Kafka to Kafka, filter and project, at 5,000 events a second with checkpoints on. The latency is
what a consumer of the result sees, counted from the scheduled send time, next to a consumer of the source topic."""
import json
import os
import shutil
import subprocess
import tempfile
import time

JOB = """version: 1
name: latency
settings: {{parallelism: 1, checkpoint: {{interval: 1s, dir: {directory}}}}}
sources:
  events:
    type: kafka
    brokers: {brokers}
    topics: [{source}]
    group_id: latency
    start_from: earliest
    format: json
    schema: {{at: BIGINT, n: BIGINT, kind: STRING}}
steps:
  - filter: kind = 'a'
  - map: {{at: at, n: n}}
sinks:
  out: {{type: kafka, brokers: {brokers}, topic: {target}, format: json, delivery: at_least_once}}
"""
RATE = 5000
SECONDS = 20


def make_topic(tools, brokers, topic):
    subprocess.run([os.path.join(tools, "bench_fill"), brokers, topic, "0", "1"], check=True, stdout=subprocess.DEVNULL)


def measure(tools, brokers, topic, events):
    process = subprocess.Popen([os.path.join(tools, "bench_latency"), "measure", brokers, topic, str(events)],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while "ready" not in process.stderr.readline():
        pass
    return process


def bench(with_broker, millrace, tools):
    brokers, running = with_broker()
    directory = tempfile.mkdtemp(prefix="millrace-bench-")
    try:
        source, target = f"latency-in-{os.getpid()}", f"latency-out-{os.getpid()}"
        make_topic(tools, brokers, source)
        make_topic(tools, brokers, target)
        path = os.path.join(directory, "job.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(JOB.format(directory=directory, brokers=brokers, source=source, target=target))
        job = subprocess.Popen([millrace, "run", path, "--listen", "127.0.0.1:0"],
                               stderr=open(os.path.join(directory, "log"), "w", encoding="utf-8"))
        at_source = measure(tools, brokers, source, RATE * SECONDS * 9 // 10)
        at_target = measure(tools, brokers, target, RATE * SECONDS * 9 // 20)
        time.sleep(2)
        subprocess.run([os.path.join(tools, "bench_latency"), "produce", brokers, source, str(RATE), str(SECONDS)],
                       check=True)
        for name, process in (("source", at_source), ("result", at_target)):
            print(json.dumps({"bench": "latency", "consumer_of": name, **json.loads(process.communicate()[0])}))
        job.terminate()
        return job.wait(timeout=40)
    finally:
        if running:
            running.stop()
        shutil.rmtree(directory, ignore_errors=True)
