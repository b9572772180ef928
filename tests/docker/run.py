#!/usr/bin/env python3
"""Builds the image, starts the compose cluster, and checks the fraud job's output while a task manager dies.

Needs root, Debian 12 and its packages docker.io, docker-compose and debootstrap. MILLRACE names the binary that goes
into the image, MILLRACE_BUILD the directory of the test programs. Ends with a line `N passed, N failed`.
"""
import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE.parent / "kafka"), str(HERE.parent / "exactly_once")]
import broker  # noqa: E402
import check  # noqa: E402

MILLRACE = Path(os.environ["MILLRACE"]).resolve()
PROGRAMS = Path(os.environ["MILLRACE_BUILD"]).resolve() / "tests"
DOCKER = "/usr/bin/docker"
BASE = "debian:bookworm-slim"
KAFKA = "apache/kafka:4.2.0"
IMAGE_BYTES_MAX = 120_000_000
UNNEEDED = ["usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/zoneinfo",
            "var/cache/apt", "var/lib/apt/lists", "usr/share/lintian"]
os.environ["DOCKER_BUILDKIT"] = "0"
SERVICES = ["kafka", "jobmanager", "taskmanager-1", "taskmanager-2"]


def run(*command, capture=True, **options):
    done = subprocess.run([str(word) for word in command], capture_output=capture, text=True, check=False, **options)
    assert done.returncode == 0, f"{command}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def wait_for(what, condition, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if found := condition():
                return found
        except (AssertionError, OSError, KeyError, ValueError):
            pass
        time.sleep(0.3)
    raise AssertionError(f"not within {seconds} s: {what}")


class Daemon:
    """A dockerd of this test's own, in directories of its own."""

    def __init__(self, directory: Path):
        socket = directory / "docker.sock"
        os.environ["DOCKER_HOST"] = f"unix://{socket}"
        self.log = open(directory / "dockerd.log", "w")
        self.process = subprocess.Popen(
            ["/usr/sbin/dockerd", "--data-root", directory / "root", "--exec-root", directory / "exec", "--host",
             f"unix://{socket}", "--pidfile", directory / "pid"], stdout=self.log, stderr=self.log)
        atexit.register(self.stop)
        wait_for("dockerd answers", lambda: run(DOCKER, "version"), 30)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def base_image():
    """debootstrap once a machine; the tar is kept beside the other caches."""
    cache = broker.CACHE.parent / "docker"
    cache.mkdir(parents=True, exist_ok=True)
    tar = cache / "bookworm-slim.tar"
    if not tar.exists():
        root = cache / "root"
        shutil.rmtree(root, ignore_errors=True)
        run("debootstrap", "--variant=minbase", "bookworm", root, "http://deb.debian.org/debian")
        for path in UNNEEDED:
            shutil.rmtree(root / path, ignore_errors=True)
        run("tar", "--exclude=./proc/*", "--exclude=./sys/*", "--exclude=./dev/*", "-C", root, "-cf",
            cache / "new.tar", ".")
        (cache / "new.tar").rename(tar)
        shutil.rmtree(root, ignore_errors=True)
    run(DOCKER, "import", tar, BASE)


def kafka_image():
    java = Path(shutil.which("java")).resolve().parent.parent
    with tempfile.TemporaryDirectory(prefix="millrace-kafka-image-") as scratch:
        context = Path(scratch)
        shutil.copytree(broker.jars(), context / "jars")
        shutil.copytree(java, context / "java", symlinks=True)
        shutil.copytree("/etc/java-17-openjdk", context / "java-etc", symlinks=True)
        (context / "lib").mkdir()
        for program in [java / "bin" / "java", *(java / "lib").glob("*.so")]:
            listing = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False).stdout
            for line in listing.splitlines():
                library = line.split("=>")[-1].split("(")[0].strip()
                name = Path(library).name
                of_base = name.startswith(("libc.", "libm.", "ld-linux"))
                if library.startswith("/") and not of_base and str(java) not in library:
                    shutil.copy(library, context / "lib" / name)
        shutil.copy(HERE / "kafka" / "start.sh", context)
        shutil.copy(HERE / "kafka" / "Dockerfile", context)
        run(DOCKER, "build", "-q", "-t", KAFKA, context)


class Compose:
    def __init__(self, directory: Path):
        self.base = ["docker-compose", "-p", "millracetest", "-f", str(ROOT / "docker" / "compose.yaml")]
        self.directory = directory
        self("up", "-d", *SERVICES)

    def __call__(self, *words):
        return run(*self.base, *words)

    def container(self, service) -> str:
        return self("ps", "-q", service).strip()

    def healthy(self, service) -> bool:
        state = json.loads(run(DOCKER, "inspect", self.container(service)))[0]["State"]
        return state["Running"] and state["Health"]["Status"] == "healthy"

    def program(self, name, *words, detached=()):
        """A test program inside the cluster's network, with the libraries of the image."""
        return run(DOCKER, "run", *detached, "--network", "millracetest_cluster", "--user", "0",
                   "-v", f"{PROGRAMS / name}:/program:ro", "-v", f"{self.directory}:/out", "--entrypoint", "/program",
                   "millrace:latest", *words)

    def kafka(self, *words):
        return self.program("millrace_kafka_tool", *words, detached=["--rm"])

    def millrace(self, *words):
        return run(str(MILLRACE), *words, env=os.environ | {"MILLRACE_ADDRESS": "http://127.0.0.1:8081"})

    def job(self):
        return json.loads(self.millrace("status", "fraud-alerts", "--output", "json"))


def image_is_small():
    run(ROOT / "docker" / "build.sh", MILLRACE, env=os.environ | {"DOCKER": DOCKER})
    size = json.loads(run(DOCKER, "inspect", "millrace:latest"))[0]["Size"]
    print(f"image millrace:latest: {size / 1e6:.1f} MB")
    assert size < IMAGE_BYTES_MAX, size
    user = run(DOCKER, "run", "--rm", "--entrypoint", "id", "millrace:latest", "-u").strip()
    assert user == "10001", user
    assert "millrace" in run(DOCKER, "run", "--rm", "millrace:latest", "version")


def cluster_survives(compose):
    for service in SERVICES:
        wait_for(f"{service} is healthy", lambda s=service: compose.healthy(s), 180)
    for topic in ("user_events", "fraud_alerts"):
        compose.kafka("create", "kafka:9092", topic, "8")
    compose.millrace("submit", str(ROOT / "configs" / "examples" / "fraud_alerts.yaml"), "--set",
                     "sources.user_events.brokers=kafka:9092", "--set", "sinks.alerts.brokers=kafka:9092", "--set",
                     "settings.checkpoint.interval=1s", "--set", "settings.parallelism=4", "--set",
                     "sinks.rejected.path=/checkpoints/rejected/")
    feed = compose.program("millrace_feed", "kafka:9092", "user_events", "20000", "7", "/out/expected.jsonl",
                           detached=["-d"]).strip()
    completed = lambda: compose.job()["checkpoints"]["completed"]  # noqa: E731
    wait_for("three checkpoints", lambda: completed() >= 3)
    run(DOCKER, "kill", compose.container("taskmanager-2"))
    wait_for("the job notices", lambda: compose.job()["restarts"] >= 1 or compose.job()["state"] != "RUNNING")
    compose("up", "-d", *SERVICES)
    before = completed()
    wait_for("checkpoints go on", lambda: compose.job()["state"] == "RUNNING" and completed() >= before + 5)
    run(DOCKER, "kill", "--signal", "TERM", feed)
    run(DOCKER, "wait", feed)
    alerts = []
    for line in (compose.directory / "expected.jsonl").read_text().splitlines():
        row = json.loads(line)
        if "window_start" in row:
            alerts.append((row["user_id"], row["window_start"], row["purchases"], row["cents"]))
    assert len(alerts) > 100, len(alerts)

    def found():
        rows = [json.loads(json.loads(line)["value"])
                for line in compose.kafka("consume", "kafka:9092", "fraud_alerts").splitlines()]
        return [(row["user_id"], row["window_start"], row["purchases"], round(float(row["spent"]) * 100))
                for row in rows]

    wait_for("all alerts are there", lambda: len(found()) >= len(alerts), 120)
    check.same_rows("topic fraud_alerts", found(), alerts)
    print(f"{len(alerts)} alerts, restarts {compose.job()['restarts']}, as calculated without Millrace")


def main() -> int:
    passed = failed = 0
    compose = None
    with tempfile.TemporaryDirectory(prefix="millrace-docker-") as scratch:
        directory = Path(scratch)
        daemon = Daemon(directory)
        try:
            base_image()
            kafka_image()
            for case in (image_is_small, cluster_survives):
                started = time.monotonic()
                try:
                    if case is cluster_survives:
                        compose = Compose(directory)
                    case(*([compose] if compose else []))
                    passed += 1
                    print(f"ok     {time.monotonic() - started:6.1f} s  {case.__name__}")
                except AssertionError as error:
                    failed += 1
                    print(f"FAILED {time.monotonic() - started:6.1f} s  {case.__name__}\n{error}")
                    if compose:
                        print(compose("logs", "--no-color", "--tail", "12"))
        finally:
            if compose:
                compose("down", "-v")
            daemon.stop()
            subprocess.run(["umount", "-R", str(directory / "root")], capture_output=True, check=False)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
