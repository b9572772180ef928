"""A real PostgreSQL server for tests: Debian's, on a free loopback port, with a directory of its own.

`with Postgres() as server: server.query("SELECT 1")`. A server that cannot be had is an error, never a skip. Databases
are cheap: every test gets one of its own (`server.database(name)`).
"""
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "servers"))
from servers import die_with_parent, free_port  # noqa: E402

READY_S = 60
SETTINGS = """listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = on
max_connections = 100
shared_buffers = 32MB
log_min_messages = warning
logging_collector = off
"""


class PostgresError(Exception):
    pass


def binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise PostgresError("no PostgreSQL server under /usr/lib/postgresql: run ./dev setup")
    return found[-1].parent


def demotion():
    """PostgreSQL refuses to run as root; Debian's package brings a user for it."""
    if os.getuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


class Database:
    """One database of a server."""

    def __init__(self, server, name: str):
        self.server, self.name = server, name
        self.dsn = f"postgresql://millrace:secret@127.0.0.1:{server.port}/{name}"

    def execute(self, sql: str) -> str:
        """Runs statements and answers psql's unaligned output."""
        command = [str(self.server.bin / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", self.dsn]
        run = subprocess.run(command, input=sql, capture_output=True, text=True, timeout=60, check=False)
        if run.returncode != 0:
            raise PostgresError(f"{sql[:200]}: {run.stderr}")
        return run.stdout

    def rows(self, query: str) -> list:
        """The rows of a query as dicts."""
        text = self.execute(f"SELECT coalesce(json_agg(q), '[]') FROM ({query}) q")
        return json.loads(text)

    def value(self, query: str):
        rows = self.rows(query)
        return next(iter(rows[0].values())) if rows else None


class Postgres:
    def __init__(self):
        self.bin = binaries()
        self.directory = Path(tempfile.mkdtemp(prefix="millrace-postgres-"))
        self.data = self.directory / "data"
        self.log = self.directory / "postgres.log"
        self.port = free_port()
        self.process = None
        if os.getuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.directory, user.pw_uid, user.pw_gid)

    def start(self):
        if not self.data.exists():
            self._create()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([str(self.bin / "postgres"), "-D", str(self.data), "-p", str(self.port)],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory,
                                            preexec_fn=lambda: die_with_parent(signal.SIGQUIT), **demotion())
        self._wait_ready()
        return self

    def stop(self, mode=signal.SIGINT):
        """SIGINT: ends sessions and shuts down in order; SIGQUIT: as a crash."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(mode)
            self.process.wait(timeout=60)

    def admin(self) -> Database:
        return Database(self, "postgres")

    def database(self, name: str) -> Database:
        self.admin().execute(f'CREATE DATABASE "{name}"')
        return Database(self, name)

    def close(self):
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    def _create(self):
        password = self.directory / "password"
        password.write_text("secret\n")
        password.chmod(0o644)
        command = [str(self.bin / "initdb"), "-D", str(self.data), "-U", "millrace", "--pwfile", str(password),
                   "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"]
        run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.directory, **demotion())
        if run.returncode != 0:
            raise PostgresError(f"initdb failed:\n{run.stdout}{run.stderr}")
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.write(SETTINGS)

    def _wait_ready(self):
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                Database(self, "postgres").execute("SELECT 1")
                return
            except PostgresError:
                time.sleep(0.05)
        raise PostgresError(f"PostgreSQL did not start:\n{self.log.read_text(errors='replace')[-3000:]}")
