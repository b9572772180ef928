"""A real Prometheus finds the processes of a cluster by itself, scrapes them, and has data for every panel and rule."""
import json
import re
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path

from cluster import free_port
from cluster_it import cluster, job, wait_checkpoint
from harness import wait_until

DOCKER = Path(__file__).resolve().parent.parent.parent / "docker"


class Prometheus:
    def __init__(self, env, rest_port):
        self.port = free_port()
        text = (DOCKER / "prometheus" / "prometheus.yml").read_text()
        text = text.replace("jobmanager:8081", f"127.0.0.1:{rest_port}").replace("5s", "1s")
        (env.directory / "prometheus.yml").write_text(text)
        (env.directory / "millrace.rules.yml").write_text((DOCKER / "prometheus" / "millrace.rules.yml").read_text())
        self.log = open(env.directory / "prometheus.log", "w")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={env.directory / 'prometheus.yml'}",
             f"--storage.tsdb.path={env.directory / 'tsdb'}", f"--web.listen-address=127.0.0.1:{self.port}"],
            stdout=self.log, stderr=self.log)
        env.own_servers.append(self)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.log.close()

    def get(self, path, **query):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}?" + urllib.parse.urlencode(query),
                                        timeout=10) as answer:
                return json.loads(answer.read())["data"]
        except OSError:
            return None

    def result(self, expression):
        data = self.get("query", query=expression)
        return data["result"] if data else []


def test_rules_and_configuration_pass_promtool(env):
    for command in (["check", "rules", "millrace.rules.yml"], ["check", "config", "prometheus.yml"]):
        done = subprocess.run(["promtool", *command], cwd=DOCKER / "prometheus", capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_panel_of_the_dashboard_has_data_from_a_live_scrape(env):
    made = cluster(env)
    made.submit(job("numbers", parallelism=4))
    made.wait_state("numbers", "RUNNING")
    wait_checkpoint(made)
    prometheus = Prometheus(env, made.rest_port)
    wait_until(lambda: len(prometheus.result('up{job="millrace"} == 1')) == 3, "three processes are scraped", 60)
    dashboard = json.loads((DOCKER / "grafana" / "dashboards" / "millrace.json").read_text())
    # What only some jobs have: Kafka's lag.
    absent = {"Source lag"}
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            # A rate needs two scrapes; a step without late rows has its series all the same.
            expression = target["expr"].replace("$job", ".*")
            if panel["title"] in absent:
                assert prometheus.get("query", query=expression) is not None, expression
            else:
                wait_until(lambda e=expression: prometheus.result(e), f"data for {panel['title']}: {expression}", 60)
    states = {rule["name"]: rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]}
    assert all(rule["health"] in ("ok", "unknown") for rule in states.values()), states
    assert not [name for name, rule in states.items() if rule["state"] == "firing" and name != "MillraceNoFreeSlots"]


def test_flinks_names_are_on_the_pages_of_both_roles(env):
    made = cluster(env)
    made.submit(job("numbers", parallelism=2))
    made.wait_state("numbers", "RUNNING")
    wait_checkpoint(made)
    pages = [f"http://127.0.0.1:{made.rest_port}"] + [f"http://{one['rest_address']}" for one in made.registered()]
    text = ""
    for page in pages:
        with urllib.request.urlopen(page + "/metrics", timeout=10) as answer:
            own = [line.split(" ")[0] for line in answer.read().decode().splitlines() if not line.startswith("#")]
        assert len(own) == len(set(own)), f"{page}: {[name for name in own if own.count(name) > 1]} more than once"
        with urllib.request.urlopen(page + "/metrics?names=flink", timeout=10) as answer:
            text += answer.read().decode()
    names = set(re.findall(r"^# TYPE (\S+) gauge$", text, re.M))
    assert len(names) >= 40, sorted(names)
    assert {"flink_jobmanager_job_numberOfCompletedCheckpoints", "flink_jobmanager_taskSlotsTotal",
            "flink_taskmanager_job_task_busyTimeMsPerSecond",
            "flink_taskmanager_job_task_operator_currentInputWatermark"} <= names, sorted(names)
    assert not re.findall(r"^# TYPE \S+ counter", text, re.M)
