"""What the integration tests share: jobs run by the real binary, each in a directory of its own, and one broker."""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
for folder in ("kafka", "postgres", "redis", "s3", "exactly_once"):
    sys.path.insert(0, str(ROOT / "tests" / folder))
from broker import Broker  # noqa: E402
from kafka import Kafka  # noqa: E402
from postgres import Postgres  # noqa: E402
from redis import Redis  # noqa: E402
from s3 import FaultyProxy, S3Server  # noqa: E402

MILLRACE = os.environ.get("MILLRACE", str(ROOT / "build" / "dev" / "millrace"))
SLOW = 5 if "asan" in MILLRACE or "tsan" in MILLRACE else 1  # sanitizers cost that much


def wait_until(condition, what: str, seconds=30):
    """Polls until the condition holds and answers its value; the processes of a test have no other way to tell us."""
    deadline = time.monotonic() + seconds * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds * SLOW} s: {what}")
        time.sleep(0.05)


def state_of(pid: int) -> str:
    """R, S, D, T (stopped), Z, as /proc has it."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


class Job:
    """`millrace run` of one job file. Its checkpoints lie in the directory, so that a second Job of it resumes."""

    def __init__(self, directory: Path, text: str, environment=None):
        self.directory = directory
        self.file = directory / "job.yaml"
        self.file.write_text(text)
        self.environment = {**os.environ, "NO_COLOR": "1", **(environment or {})}
        self.process = None
        self.runs = 0
        self.checkpoint_dir = str(directory / "checkpoints")

    def start(self, *arguments):
        self.runs += 1
        self.out = self.directory / f"stdout.{self.runs}"
        self.err = self.directory / f"stderr.{self.runs}"
        command = [MILLRACE, "run", str(self.file), "--listen", "127.0.0.1:0",
                   "--set", f"settings.checkpoint.dir={self.checkpoint_dir}", *arguments]
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                            cwd=self.directory, env=self.environment)
        return self

    def wait(self, seconds=60) -> int:
        try:
            return self.process.wait(timeout=seconds * SLOW)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the job did not end within {seconds * SLOW} s") from None

    def run(self, *arguments, expect=0, seconds=60):
        self.start(*arguments)
        code = self.wait(seconds)
        assert code == expect, f"exit code {code}, not {expect}"
        return self

    def stop(self) -> int:
        """Ctrl-C: a final checkpoint, then the end."""
        wait_until(lambda: "listening rest=" in self.stderr or self.process.poll() is not None, "signals are handled")
        self.process.send_signal(signal.SIGINT)
        code = self.wait()
        assert code == 130, f"exit code {code} after SIGINT, not 130"
        return code

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    @property
    def stderr(self) -> str:
        return self.err.read_text(errors="replace") if self.runs else ""

    def rows(self) -> list:
        """What print sinks wrote."""
        return [json.loads(line) for line in self.out.read_text().splitlines()]

    def metric(self, name: str, **labels) -> float:
        """Sum of the series of a metric whose labels match."""
        address = [line.split("rest=")[1] for line in self.stderr.splitlines() if line.startswith("listening rest=")]
        if not address:
            return 0.0
        try:
            with urllib.request.urlopen(address[0].strip() + "/metrics", timeout=5) as answer:
                text = answer.read().decode()
        except OSError:
            return 0.0
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
                   if line.split("{")[0].split(" ")[0] == name and all(label in line for label in wanted))

    def completed_checkpoints(self) -> int:
        return sum(1 for path in (self.directory / "checkpoints").glob("*/chk-*/_metadata"))


class Environment:
    """One test: a directory, the run's broker, topics with names of their own, and jobs that end with it."""

    broker = None  # of the whole run
    postgres_server = None
    redis_server = None
    s3_server = None

    def __init__(self, name: str):
        self.name = name
        self.scratch = tempfile.TemporaryDirectory(prefix="millrace-it-")
        self.directory = Path(self.scratch.name)
        self.jobs = []
        self.brokers = []
        self.own_servers = []
        self.database = None

    @property
    def kafka(self) -> Kafka:
        if Environment.broker is None:
            Environment.broker = Broker().start()
        return Kafka(Environment.broker.address)

    def own_broker(self, **options):
        broker = Broker(**options)
        self.brokers.append(broker)
        return broker.start()

    @property
    def postgres(self):
        """The test's own database on the run's server."""
        if Environment.postgres_server is None:
            Environment.postgres_server = Postgres().start()
        if self.database is None:
            self.database = Environment.postgres_server.database(self.name[-60:])
        return self.database

    def own_postgres(self) -> Postgres:
        """A server that the test may stop; stopped at first."""
        self.own_servers.append(Postgres())
        return self.own_servers[-1]

    @property
    def redis(self) -> Redis:
        """The run's server; a test's keys begin with its name."""
        if Environment.redis_server is None:
            Environment.redis_server = Redis().start()
        return Environment.redis_server

    def own_redis(self) -> Redis:
        self.own_servers.append(Redis())
        return self.own_servers[-1]

    @property
    def s3(self) -> S3Server:
        """The run's server; every test has a bucket of its own."""
        if Environment.s3_server is None:
            Environment.s3_server = S3Server().start()
        return Environment.s3_server

    def faulty_s3(self, certificate=None) -> FaultyProxy:
        """A proxy in front of it that answers as the test says."""
        self.own_servers.append(FaultyProxy(self.s3.port, certificate))
        return self.own_servers[-1]

    def topic(self, suffix: str, partitions=1, **config) -> str:
        return self.kafka.create(f"{self.name}.{suffix}", partitions, **config)

    def job(self, text: str, **environment) -> Job:
        directory = self.directory / f"job{len(self.jobs)}"
        directory.mkdir()
        self.jobs.append(Job(directory, text, environment))
        return self.jobs[-1]

    def failure_report(self) -> str:
        parts = []
        for job in self.jobs:
            if job.runs:
                parts.append(f"--- {job.file.parent.name}, run {job.runs}, stderr:\n{job.stderr[-3000:]}")
        for broker in self.brokers:
            log = broker.directory / "broker.log"
            if log.exists():
                parts.append(f"--- broker.log:\n{log.read_text(errors='replace')[-1500:]}")
        return "\n".join(parts)

    def close(self):
        for job in self.jobs:
            job.kill()
        for server in self.brokers + self.own_servers:
            server.close()
        self.scratch.cleanup()

    @classmethod
    def close_servers(cls):
        for server in (cls.broker, cls.postgres_server, cls.redis_server, cls.s3_server):
            if server is not None:
                server.close()
