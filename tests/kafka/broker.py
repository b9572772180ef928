#!/usr/bin/env python3
"""A real Apache Kafka broker for tests: one KRaft node on a free loopback port with a directory of its own.

As a library: `with Broker() as broker: ... broker.address`. As a command: `broker.py up|down|status`.
The jars come once from Maven into $MILLRACE_CACHE (default ~/.cache/millrace). A broker that cannot be had is an error,
never a skip.
"""
import fcntl
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "servers"))
from servers import die_with_parent, free_port, maven_jars  # noqa: E402

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CACHE = Path(os.environ.get("MILLRACE_CACHE", Path.home() / ".cache" / "millrace")) / "kafka"
CLUSTER_ID = "bWlsbHJhY2UtdGVzdHMtMQ"
READY_S = 60  # a loaded machine with two cores; two to four seconds are usual

LOG4J = """<Configuration status="ERROR">
<Appenders><Console name="out"><PatternLayout pattern="%d %p %c %m%n"/></Console></Appenders>
<Loggers><Root level="WARN"><AppenderRef ref="out"/></Root></Loggers></Configuration>
"""


class BrokerError(Exception):
    pass


def jars() -> Path:
    try:
        return maven_jars(HERE / "pom.xml", CACHE, "the broker's jars")
    except OSError as error:
        raise BrokerError(str(error)) from None


def java(heap_mb: int) -> list:
    log4j = CACHE / "log4j2.xml"
    directory = jars()
    if not log4j.exists() or log4j.read_text() != LOG4J:
        log4j.write_text(LOG4J)
    return ["java", f"-Xmx{heap_mb}m", f"-Xms{min(heap_mb, 128)}m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
            "-Xshare:auto", f"-Dlog4j2.configurationFile={log4j}", "-cp", f"{directory}/*"]


def answers(port: int) -> bool:
    """Whether the broker answers an ApiVersions request, which it does once it serves clients."""
    request = struct.pack(">hhih", 18, 0, 1, -1)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            connection.settimeout(2)
            return len(connection.recv(4)) == 4
    except OSError:
        return False


def secure_listener(directory: Path) -> dict:
    """Settings of a SASL_SSL listener with a self-signed certificate (ca.pem) and the user alice / alice-secret."""
    key, certificate = directory / "key.pem", directory / "ca.pem"
    if not certificate.exists():
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                        "-keyout", str(key), "-out", str(certificate)],
                       check=True, capture_output=True)
    (directory / "keystore.pem").write_text(key.read_text() + certificate.read_text())
    return {"sasl.enabled.mechanisms": "PLAIN", "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(directory / "keystore.pem"),
            "listener.name.secure.plain.sasl.jaas.config":
                'org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="alice-secret";'}


class Broker:
    """One broker process. Stop and start keep port and data, so a test can take the broker away and give it back."""

    def __init__(self, directory=None, port=None, secure=False, keep=False, settings=None):
        self.own_directory = directory is None
        self.directory = Path(directory or tempfile.mkdtemp(prefix="millrace-kafka-"))
        self.port = port or free_port()
        self.controller_port = free_port()
        self.secure_port = free_port() if secure else None
        self.keep = keep  # outlives this process
        self.settings = settings or {}
        self.process = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def secure_address(self) -> str:
        return f"localhost:{self.secure_port}"

    @property
    def ca(self) -> str:
        return str(self.directory / "ca.pem")

    def _configuration(self) -> Path:
        listeners = [f"PLAINTEXT://127.0.0.1:{self.port}", f"CONTROLLER://127.0.0.1:{self.controller_port}"]
        advertised = listeners[:1]
        values = {
            "process.roles": "broker,controller", "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL",
            "inter.broker.listener.name": "PLAINTEXT", "log.dirs": str(self.directory / "data"),
            "num.network.threads": "2", "num.io.threads": "2", "background.threads": "2",
            "num.recovery.threads.per.data.dir": "1", "log.cleaner.threads": "1",
            "offsets.topic.replication.factor": "1", "offsets.topic.num.partitions": "1",
            "transaction.state.log.replication.factor": "1", "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "2", "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1", "group.initial.rebalance.delay.ms": "0",
            # A broker that comes back is refused until the session of its former life has ended.
            "broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500",
            "auto.create.topics.enable": "false", "controlled.shutdown.enable": "false"}
        if self.secure_port:
            listeners.append(f"SECURE://localhost:{self.secure_port}")
            advertised.append(listeners[-1])
            values |= secure_listener(self.directory)
        values |= {"listeners": ",".join(listeners), "advertised.listeners": ",".join(advertised)} | self.settings
        path = self.directory / "server.properties"
        path.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
        return path

    def _format(self, configuration: Path):
        """Formatting costs a start of the JVM, so a formatted directory is kept and copied."""
        data = self.directory / "data"
        if (data / "meta.properties").exists():
            return
        command = java(128)
        template = CACHE / "formatted"
        if not (template / "meta.properties").exists():
            command += ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(configuration)]
            run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            if run.returncode != 0:
                raise BrokerError(f"formatting {data} failed:\n{run.stdout[-3000:]}")
            half = CACHE / f"formatted.{os.getpid()}"
            shutil.copytree(data, half)
            try:
                half.rename(template)
            except OSError:  # another process was faster
                shutil.rmtree(half)
            return
        shutil.copytree(template, data)

    def start(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        configuration = self._configuration()
        self._format(configuration)
        with open(self.directory / "broker.log", "ab") as log:
            self.process = subprocess.Popen(
                java(512) + ["kafka.Kafka", str(configuration)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=self.keep, preexec_fn=None if self.keep else die_with_parent)
        deadline = time.monotonic() + READY_S
        while not answers(self.port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                text = (self.directory / "broker.log").read_text(errors="replace")[-3000:]
                raise BrokerError(f"the broker on {self.address} did not start:\n{text}")
            time.sleep(0.05)
        return self

    def kill(self):
        """kill -9. Kafka recovers its log at the next start, as after a power cut."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                pass
            self.kill()

    def close(self):
        self.kill()
        if self.own_directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()


RUNNING = ROOT / ".kafka"


def running():
    """(pid, address) of the broker that `up` started, if it still runs."""
    try:
        state = json.loads((RUNNING / "running.json").read_text())
        command = Path(f"/proc/{state['pid']}/cmdline").read_bytes()
        return state if b"kafka.Kafka" in command else None
    except (OSError, ValueError):
        return None


def main(arguments) -> int:
    command = arguments[0] if arguments else "status"
    state = running()
    if command == "up":
        if not state:
            taken = socket.socket().connect_ex(("127.0.0.1", 9092)) == 0
            broker = Broker(RUNNING, port=free_port() if taken else 9092, keep=True).start()
            state = {"pid": broker.process.pid, "address": broker.address}
            (RUNNING / "running.json").write_text(json.dumps(state))
        print(state["address"])
    elif command == "down":
        if state:
            os.kill(state["pid"], signal.SIGTERM)
            deadline = time.monotonic() + 20
            while running() and time.monotonic() < deadline:
                time.sleep(0.05)
            if running():
                os.kill(state["pid"], signal.SIGKILL)
        if "--keep" not in arguments:
            shutil.rmtree(RUNNING, ignore_errors=True)
        print("down", file=sys.stderr)
    elif command == "status":
        print(state["address"] if state else "down")
        return 0 if state else 1
    else:
        print("usage: broker.py up | down [--keep] | status", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BrokerError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
