"""What every real server of the tests needs: a port to listen on, an end with the test run, and its jars where it is a
Java program."""
import ctypes
import fcntl
import random
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path


def free_port() -> int:
    """Below the range of ports that outgoing connections get: nobody takes it while its server is down."""
    while True:
        port = random.randint(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def die_with_parent(death=signal.SIGKILL):
    """For preexec_fn: the server of a killed test run must not stay behind (Linux: PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, death)


def maven_jars(pom: Path, cache: Path, what: str) -> Path:
    """The directory of the pom's jars; fetched on first use, once for all processes of the user. OSError: no jars."""
    text = pom.read_bytes()
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp, directory = cache / "jars.pom", cache / "jars"
        if stamp.exists() and stamp.read_bytes() == text:
            return directory
        print(f"{cache.name}: fetching {what} into {directory}", file=sys.stderr)
        shutil.rmtree(directory, ignore_errors=True)
        run = subprocess.run(
            ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={directory}"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if run.returncode != 0:
            raise OSError(f"mvn could not fetch {what}:\n{run.stdout[-3000:]}")
        stamp.write_bytes(text)
    return directory
