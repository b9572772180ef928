"""A real Redis server for tests: Debian's, on a free loopback port, in memory only. A server that cannot be had is an
error, never a skip."""
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "servers"))
from servers import die_with_parent, free_port  # noqa: E402

READY_S = 30


class RedisError(Exception):
    pass


class Redis:
    def __init__(self):
        self.program = shutil.which("redis-server")
        if self.program is None:
            raise RedisError("no redis-server: run ./dev setup")
        self.directory = tempfile.mkdtemp(prefix="millrace-redis-")
        self.port = free_port()
        self.process = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self):
        command = [self.program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                   "--dir", self.directory, "--loglevel", "warning"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        preexec_fn=die_with_parent)
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            try:
                if self.command("PING") == "PONG":
                    return self
            except OSError:
                time.sleep(0.02)
        raise RedisError("redis-server did not start")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def close(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def command(self, *words, database=0):
        """One command; texts, numbers, None or lists of them."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection, \
                connection.makefile("rwb") as stream:
            for parts in (("SELECT", database), words):
                encoded = [str(part).encode() for part in parts]
                stream.write(b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(e), e) for e in encoded))
            stream.flush()
            self._reply(stream)
            return self._reply(stream)

    def hash(self, key) -> dict:
        flat = self.command("HGETALL", key)
        return dict(zip(flat[::2], flat[1::2]))

    def _reply(self, stream):
        line = stream.readline()
        if not line:
            raise OSError("redis closed the connection")
        mark, text = line[:1], line[1:-2].decode()
        if mark == b"-":
            raise RedisError(text)
        if mark == b":":
            return int(text)
        if mark == b"+":
            return text
        if int(text) < 0:
            return None
        if mark == b"$":
            return stream.read(int(text) + 2)[:-2].decode()
        return [self._reply(stream) for _ in range(int(text))]
