"""A cluster of real processes for tests: each of them may be killed, frozen and started again."""
import json
import os
import re
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from harness import MILLRACE, SLOW, wait_until
from servers import free_port


class Process:
    """One server; start() may be called again after its end."""

    def __init__(self, cluster, name: str, arguments):
        self.cluster, self.name, self.arguments = cluster, name, arguments
        self.err = cluster.directory / f"{name}.log"
        self.process = None

    def start(self):
        with open(self.err, "ab") as err:
            self.process = subprocess.Popen([MILLRACE, *self.arguments], stdin=subprocess.DEVNULL, stdout=err,
                                            stderr=err, cwd=self.cluster.directory, env=self.cluster.environment)
        return self

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()

    def stop(self, seconds=30) -> int:
        self.process.terminate()
        return self.process.wait(timeout=seconds * SLOW)

    @property
    def log(self) -> str:
        return self.err.read_text(errors="replace") if self.err.exists() else ""


class Cluster:
    def __init__(self, directory: Path, task_managers=2, slots=2, checkpoint_dir=None, **environment):
        self.directory = directory
        self.directory.mkdir(parents=True, exist_ok=True)
        self.environment = {**os.environ, "NO_COLOR": "1", **environment}
        self.rest_port, self.rpc_port = free_port(), free_port()
        self.job_manager = Process(self, "jobmanager", [
            "jobmanager", "--set", f"data_dir={directory / 'jm'}", "--set", f"rest.port={self.rest_port}",
            "--set", f"rpc.port={self.rpc_port}",
            "--set", f"checkpoint.dir={checkpoint_dir or directory / 'checkpoints'}"])
        self.task_managers = [self.task_manager(n, slots) for n in range(task_managers)]

    def task_manager(self, number: int, slots: int) -> Process:
        return Process(self, f"taskmanager{number}", [
            "taskmanager", "--set", f"jobmanager=127.0.0.1:{self.rpc_port}", "--set",
            f"data_dir={self.directory / f'tm{number}'}", "--set", f"slots={slots}"])

    @property
    def processes(self):
        return [self.job_manager, *self.task_managers]

    def start(self):
        for process in self.processes:
            process.start()
        self.wait_registered(len(self.task_managers))
        return self

    def wait_registered(self, count: int):
        wait_until(lambda: self.answers() and len(self.registered()) == count, f"{count} task managers registered")

    def answers(self) -> bool:
        try:
            return self.call("GET", "/healthz")[0] == 200
        except OSError:
            return False

    def registered(self):
        try:
            return self.get("/api/v1/taskmanagers")["taskmanagers"]
        except OSError:
            return []

    def call(self, method: str, target: str, body=None):
        """Status and answer, whatever the status."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.rest_port}{target}", method=method,
                                         data=body.encode() if body is not None else None)
        try:
            with urllib.request.urlopen(request, timeout=10 * SLOW) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def get(self, target: str):
        status, answer = self.call("GET", target)
        assert status == 200, (target, status, answer)
        return answer

    def submit(self, text: str, expect=(200, 201, 202), **query):
        status, answer = self.call("POST", "/api/v1/jobs?" + urllib.parse.urlencode(query), text)
        assert status in expect, (status, answer)
        return answer

    def job(self, job: str):
        return self.get(f"/api/v1/jobs/{job}")

    def wait_state(self, job: str, state: str, seconds=30):
        return wait_until(lambda: self.job(job)["state"] == state and self.job(job), f"job {job} is {state}", seconds)

    def operation(self, job: str, verb: str, seconds=60, **query):
        """Asks, polls, and answers the operation when it is done."""
        status, answer = self.call("POST", f"/api/v1/jobs/{job}/{verb}?" + urllib.parse.urlencode(query), "")
        assert status == 202, (status, answer)
        path = f"/api/v1/jobs/{job}/operations/{answer['trigger_id']}"
        return wait_until(lambda: self.get(path)["done"] and self.get(path), f"{verb} of {job}", seconds)

    def rows_out(self, step: str, job_name: str) -> float:
        """Rows that left the step in the attempt that runs now, over all task managers that answer."""
        total = 0.0
        for one in self.registered():
            try:
                with urllib.request.urlopen(f"http://{one['rest_address']}/metrics", timeout=2 * SLOW) as answer:
                    page = answer.read().decode()
            except OSError:
                continue
            for line in page.splitlines():
                if (line.startswith("millrace_step_records_out_total{") and f'step="{step}"' in line
                        and f'job_name="{job_name}"' in line):
                    total += float(re.split(r"}\s+", line)[1].split()[0])
        return total

    def close(self):
        for process in self.processes:
            process.kill()

    def report(self) -> str:
        return "\n".join(f"--- {process.name}:\n{process.log[-2500:]}" for process in self.processes)
