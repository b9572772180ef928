#!/usr/bin/env python3
"""Runs one bench and prints JSON lines: `./dev bench NAME [--events N]`.

memory          JSON in memory through the real pipeline: filter, then tumbling count and sum (parallelism 1)
windows         the same with sliding windows (10 s / 2 s), sessions, an interval join and top 10; then windows of
                60 s every 100 ms next to tumbling ones at 1 M events per second of event time (--fine-events)
exchange        rows (key, ts, value) through a hash exchange, in one process and over loopback TCP, both sides counted
state           read-modify-write of a counter per key: 1 M, 10 M and 100 M keys, in memory and on RocksDB
state-large     checkpoints of --size (10GB) of 100-byte rows on RocksDB, 1 % of them updated in each of --intervals;
                then kill -9 and the time to the first restored row; --memory (1024 MB) is the process's number
kafka-filter    a topic of 4 partitions and 10,000 keys into blackhole, next to a bare consumer of the same topic
kafka-tumbling  the same with a 10 s tumbling count and sum per key
kafka-sliding   the same with 10 s windows every 2 s
kafka-session   the same with sessions of 10 s, 100,000 keys
start           process start to the first row of a bounded file of 1,000 rows, with the number of fsyncs
kafka-to-kafka  half of the rows, with another key, from topic to topic; at_least_once next to exactly_once
commit          milliseconds per lane and epoch of an exactly-once Kafka sink, by phase, 1 and 8 lanes
recovery        seconds from kill -9 of a task manager to the next row of the source, 10 MB and 1 GB of state
unaligned       seconds of a checkpoint under back pressure, aligned and unaligned
latency         Kafka to Kafka at 5,000 events a second, next to a consumer of the source topic
"""
import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("MILLRACE_BUILD", os.path.join(ROOT, "build", "release"))
MILLRACE = os.path.join(BUILD, "millrace")
TOOLS = os.path.join(BUILD, "bench")

SOURCE = """version: 1
name: bench
settings: {{parallelism: 1, checkpoint: {{interval: 10s, dir: {directory}}}}}
sources:
  bids:
    type: kafka
    brokers: {brokers}
    topics: [{topic}]
    group_id: bench
    start_from: earliest
    bounded: latest
    format: json
    schema:
      auction: BIGINT
      bidder: BIGINT
      price: BIGINT
      channel: STRING
      ts: TIMESTAMP(3) FROM epoch_millis
"""
JOBS = {
    "kafka-filter": SOURCE + "steps: [{{id: few, filter: price < 100000}}]\nsinks: {{out: {{type: blackhole}}}}\n",
    "kafka-tumbling": SOURCE + """    event_time: {{column: ts, out_of_orderness: 2s, idle_timeout: 30s}}
steps:
  - id: per_auction
    key_by: [auction]
    window: {{type: tumbling, size: 10s}}
    aggregate: {{bids: COUNT(*), spent: SUM(price)}}
sinks: {{out: {{type: blackhole}}}}
""",
}
TUMBLING = "type: tumbling, size: 10s"
JOBS["kafka-sliding"] = JOBS["kafka-tumbling"].replace(TUMBLING, "type: sliding, size: 10s, slide: 2s")
JOBS["kafka-session"] = JOBS["kafka-tumbling"].replace(TUMBLING, "type: session, gap: 10s")
KEYS = {"kafka-session": 100_000}
LARGE_KEYS = 10_000_000
LARGE_MEMORY = 180  # MB; three fifths of it are a tenth of 10 M rows of about 100 bytes


COPY = """steps: [{{id: half, filter: price < 5000000}}]
sinks:
  out: {{type: kafka, brokers: {brokers}, topic: {sink}, key: [bidder], format: {{type: json}}, delivery: {delivery}}}
"""


def run_measured(command, **options):
    """Runs a command; wall and CPU seconds and peak memory of it alone."""
    start = time.monotonic()
    process = subprocess.Popen(command, **options)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - start
    return process.returncode, {"wall_s": round(wall, 3), "cpu_s": round(usage.ru_utime + usage.ru_stime, 3),
                                "peak_rss_mb": round(usage.ru_maxrss / 1024, 1)}


def with_broker():
    """The address of a running broker: $KAFKA_BROKERS, or one started for this bench."""
    if os.environ.get("KAFKA_BROKERS"):
        return os.environ["KAFKA_BROKERS"], None
    sys.path.insert(0, os.path.join(ROOT, "tests", "kafka"))
    import broker  # pylint: disable=import-outside-toplevel
    running = broker.Broker()
    running.start()
    return running.address, running


def bench_kafka(name, events, backend, large_state, memory):
    """`large_state`: one window of all events over 10 M keys, with memory for about a tenth of its state."""
    brokers, running = with_broker()
    directory = tempfile.mkdtemp(prefix="millrace-bench-")
    try:
        topic = f"bids-{os.getpid()}"
        keys = LARGE_KEYS if large_state else KEYS.get(name, 10_000)
        subprocess.run([os.path.join(TOOLS, "bench_fill"), brokers, topic, str(events), "4", str(keys)], check=True)
        subprocess.run([os.path.join(TOOLS, "bench_consume"), brokers, topic, "4"], check=True)
        path = os.path.join(directory, "job.yaml")
        with open(path, "w", encoding="utf-8") as file:
            text = JOBS[name].format(directory=directory, brokers=brokers, topic=topic)
            file.write(text.replace(TUMBLING, "type: tumbling, size: 1000d") if large_state else text)
        command = [MILLRACE, "run", path, "--listen", "127.0.0.1:0", "--set", f"settings.state.backend={backend}"]
        if large_state and memory is None:
            memory = LARGE_MEMORY
        code, figures = run_measured(command + (["--memory", f"{memory}MB"] if memory else []),
                                     stderr=open(os.path.join(directory, "log"), "w", encoding="utf-8"))
        if code != 0:
            sys.stderr.write(open(os.path.join(directory, "log"), encoding="utf-8").read())
            return code
        print(json.dumps({"bench": name, "backend": backend, "keys": keys, "events": events, **figures,
                          "events_per_cpu_s": round(events / figures["cpu_s"])}))
        return 0
    finally:
        if running:
            running.stop()
        shutil.rmtree(directory, ignore_errors=True)


def bench_copy(events):
    """CPU per event of the two deliveries in one run, in turn."""
    brokers, running = with_broker()
    directory = tempfile.mkdtemp(prefix="millrace-bench-")
    try:
        topic = f"bids-{os.getpid()}"
        subprocess.run([os.path.join(TOOLS, "bench_fill"), brokers, topic, str(events)], check=True)
        sys.path.insert(0, os.path.join(ROOT, "tests", "kafka"))
        import kafka  # pylint: disable=import-outside-toplevel
        for turn in range(2):
            for delivery in ("at_least_once", "exactly_once"):
                sink = kafka.Kafka(brokers).create(f"{topic}-{delivery}-{turn}", 4)
                path = os.path.join(directory, "job.yaml")
                text = (SOURCE + COPY).format(directory=directory, brokers=brokers, topic=topic, sink=sink,
                                              delivery=delivery)
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text.replace("interval: 10s", "interval: 1s"))
                code, figures = run_measured([MILLRACE, "run", path, "--listen", "127.0.0.1:0", "--fresh"],
                                             stderr=open(os.path.join(directory, "log"), "w", encoding="utf-8"))
                if code != 0:
                    sys.stderr.write(open(os.path.join(directory, "log"), encoding="utf-8").read())
                    return code
                read = subprocess.run([os.path.join(TOOLS, "bench_consume"), brokers, sink, "4"], check=True,
                                      capture_output=True, text=True)
                print(json.dumps({"bench": "kafka-to-kafka", "delivery": delivery, "events": events,
                                  "rows_written": json.loads(read.stdout)["events"], **figures,
                                  "events_per_cpu_s": round(events / figures["cpu_s"])}), flush=True)
        return 0
    finally:
        if running:
            running.stop()
        shutil.rmtree(directory, ignore_errors=True)


def bench_commit():
    brokers, running = with_broker()
    try:
        sys.path.insert(0, os.path.join(ROOT, "tests", "kafka"))
        import kafka  # pylint: disable=import-outside-toplevel
        topic = kafka.Kafka(brokers).create(f"commits-{os.getpid()}", 4)
        tool = os.path.join(TOOLS, "bench_commit")
        subprocess.run([tool, brokers, topic, "1", "50", "1"], stdout=subprocess.DEVNULL, check=True)  # a warm broker
        for lanes, epochs, rows in ((1, 50, 1), (1, 50, 1000), (1, 10, 100_000), (8, 50, 1000)):
            code = subprocess.run([tool, brokers, topic, str(lanes), str(epochs),
                                   str(rows)], check=False).returncode
            if code != 0:
                return code
        return 0
    finally:
        if running:
            running.stop()


def bench_memory(names, events):
    """The figures of each by name; None when one failed."""
    figures = {}
    for which in names:
        done = subprocess.run([os.path.join(TOOLS, "bench_memory"), which, str(events)], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, check=False)
        sys.stdout.write(done.stdout)
        sys.stdout.flush()
        if done.returncode != 0:
            return None
        figures[which] = json.loads(done.stdout)
    return figures


def bench_windows(events, fine_events):
    if bench_memory(("tumbling", "sliding", "session", "interval-join", "top"), events) is None:
        return 1
    figures = bench_memory(("tumbling-fine", "sliding-fine"), fine_events)
    if figures is None:
        return 1
    ratio = figures["sliding-fine"]["cpu_s"] / figures["tumbling-fine"]["cpu_s"]
    print(json.dumps({"bench": "sliding-fine next to tumbling-fine", "cpu_ratio": round(ratio, 2)}))
    return 0


def bench_state():
    """Keys, rows and budget in MB of each case; 100 M keys on RocksDB only."""
    cases = [(keys, 20_000_000, distribution, backend, 512) for keys in (1_000_000, 10_000_000)
             for distribution in ("uniform", "zipf") for backend in ("memory", "rocksdb")]
    cases.append((100_000_000, 20_000_000, "uniform", "rocksdb", 512))
    for case in cases:
        directory = tempfile.mkdtemp(prefix="millrace-bench-")
        try:
            code = subprocess.run([os.path.join(TOOLS, "bench_state"), *map(str, case),
                                   os.path.join(directory, "store")], check=False).returncode
        finally:
            shutil.rmtree(directory, ignore_errors=True)
        if code != 0:
            return code
    return 0


def bench_state_large(size, memory_mb, intervals):
    directory = tempfile.mkdtemp(prefix="millrace-bench-")
    tool = os.path.join(TOOLS, "bench_state_checkpoint")
    keys = str(size // 100)
    try:
        built = subprocess.run([tool, "build", directory, keys, str(memory_mb), str(intervals)], check=False).returncode
        if built != -signal.SIGKILL:
            return built or 1
        return subprocess.run([tool, "restore", directory, keys, str(memory_mb)], check=False).returncode
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def bench_exchange(events):
    for way in ("local", "tcp"):
        for key in ("bigint", "string"):
            code = subprocess.run([os.path.join(TOOLS, "bench_exchange"), way, key, str(events * 10)],
                                  check=False).returncode
            if code != 0:
                return code
    return 0


def bench_start():
    """Median of 11 runs; the clock starts before the process does and stops at the first byte on stdout."""
    directory = tempfile.mkdtemp(prefix="millrace-bench-")
    try:
        with open(os.path.join(directory, "in.jsonl"), "w", encoding="utf-8") as file:
            for i in range(1000):
                file.write(json.dumps({"n": i, "text": f"row {i}"}) + "\n")
        path = os.path.join(directory, "job.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"version: 1\nname: start\nsettings: {{checkpoint: {{dir: {directory}/state}}}}\n"
                       f"sources: {{rows: {{type: file, path: {directory}/in.jsonl, format: json, "
                       "schema: {n: BIGINT, text: STRING}}}\nsteps: [{filter: n >= 0}]\nsinks: {out: {type: print}}\n")
        first_ms, whole_ms = [], []
        for _ in range(11):
            start = time.monotonic()
            process = subprocess.Popen([MILLRACE, "run", path, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE)
            process.stdout.read(1)
            first_ms.append((time.monotonic() - start) * 1000)
            rows = process.stdout.read().count(b"\n")
            log = process.stderr.read().decode()
            process.wait()
            whole_ms.append((time.monotonic() - start) * 1000)
            if process.returncode != 0 or rows != 1000:
                sys.stderr.write(log)
                return 1
        first_ms.sort()
        whole_ms.sort()
        print(json.dumps({"bench": "start", "rows": 1000, "first_row_ms": round(first_ms[5], 1),
                          "finished_ms": round(whole_ms[5], 1), "fsyncs": fsync_calls(path)}))
        return 0
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def fsync_calls(path):
    """Counted by strace when it is installed; null otherwise."""
    if not shutil.which("strace"):
        return None
    result = subprocess.run(["strace", "-f", "-c", "-e", "trace=fsync,fdatasync", MILLRACE, "run", path, "--listen",
                             "127.0.0.1:0"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    calls = [line.split() for line in result.stderr.splitlines() if line.rstrip().endswith(("fsync", "fdatasync"))]
    return sum(int(fields[3]) for fields in calls)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("--events", type=int, default=4_000_000)
    parser.add_argument("--fine-events", type=int, default=60_000_000, help="of the windows of 60 s every 100 ms")
    parser.add_argument("--backend", choices=("auto", "memory", "rocksdb"), default="auto", help="of kafka-*")
    parser.add_argument("--large-state", action="store_true",
                        help="of kafka-tumbling: one window over 10 M keys, memory for a tenth of its state")
    parser.add_argument("--size", default="10GB", help="of the state of state-large")
    parser.add_argument("--memory", type=int, help="MB of the process, of state-large and kafka-*")
    parser.add_argument("--intervals", type=int, default=12, help="of state-large")
    arguments = parser.parse_args()
    if arguments.name in JOBS:
        return bench_kafka(arguments.name, arguments.events, arguments.backend, arguments.large_state,
                           arguments.memory)
    if arguments.name == "memory":
        return 1 if bench_memory(("filter", "tumbling"), arguments.events) is None else 0
    if arguments.name == "exchange":
        return bench_exchange(arguments.events)
    if arguments.name == "state":
        return bench_state()
    if arguments.name == "state-large":
        size = int(arguments.size.removesuffix("GB")) * 10**9
        return bench_state_large(size, arguments.memory or 1024, arguments.intervals)
    if arguments.name == "windows":
        return bench_windows(arguments.events, arguments.fine_events)
    if arguments.name == "kafka-to-kafka":
        return bench_copy(arguments.events)
    if arguments.name == "commit":
        return bench_commit()
    if arguments.name == "start":
        return bench_start()
    if arguments.name == "recovery":
        import recovery  # pylint: disable=import-outside-toplevel
        return recovery.bench()
    if arguments.name == "unaligned":
        import unaligned  # pylint: disable=import-outside-toplevel
        return unaligned.bench()
    if arguments.name == "latency":
        import latency  # pylint: disable=import-outside-toplevel
        return latency.bench(with_broker, MILLRACE, TOOLS)
    parser.error(f"unknown bench {arguments.name}")
    return 2


if __name__ == "__main__":
    sys.exit(main())
