"""A job manager and task managers as processes of their own: deployment over several of them, loss and return of each,
savepoints, rescaling, upgrades, and clear answers where something is missing."""
import json
import os
import re
import signal
import subprocess
import urllib.request
from pathlib import Path

from cluster import Cluster
from harness import MILLRACE, SLOW, wait_until

JOB = """
version: 1
name: {name}
settings:
  parallelism: {parallelism}
  checkpoint: {{interval: 200ms}}
  restart: {{strategy: fixed, attempts: 100, delay: 50ms}}
sources:
  numbers:
    type: datagen
    rows_per_second: 4000
    {rows}
    schema:
      id: BIGINT SEQUENCE(1, 100000000)
      k: BIGINT AS id % 97
      at: TIMESTAMP(3) AS TO_TIMESTAMP_LTZ(id, 3)
    event_time: {{column: at}}
steps:
  - id: per_key
    key_by: [k]
    aggregate: {{n: COUNT(*), newest: MAX(id)}}
    window: {{type: tumbling, size: 1s}}
sinks:
  out: {{type: file, path: ./{name}/, format: {{type: json}}, delivery: exactly_once}}
"""


def job(name="numbers", parallelism=4, rows=""):
    return JOB.format(name=name, parallelism=parallelism, rows=f"rows: {rows}" if rows else "")


def cluster(env, **options):
    made = Cluster(env.directory / "cluster", **options)
    env.own_servers.append(made)
    env.jobs.append(Logs(made))
    return made.start()


class Logs:
    """Shows a cluster's logs when a test fails."""
    runs = 1

    def __init__(self, of):
        self.of = of
        self.file = of.directory / "cluster"

    @property
    def stderr(self):
        return self.of.report()

    def kill(self):
        self.of.close()


def windows(made, name="numbers"):
    """n by (k, window) of all published files; a window must come once."""
    counts = {}
    for path in sorted((made.directory / name).glob("*.jsonl")):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            key = (row["k"], row["window_start"])
            assert key not in counts, f"window {key} twice"
            counts[key] = row["n"]
    return counts


def wait_checkpoint(made, name="numbers"):
    """A checkpoint that was triggered from now on."""
    made.operation(name, "checkpoint")


def test_a_job_runs_over_two_task_managers_and_ends_with_the_right_rows(env):
    made = cluster(env)
    answer = made.submit(job(rows=20000))
    assert len(answer["job_id"]) == 32
    made.wait_state("numbers", "FINISHED", 60)
    assert sum(windows(made).values()) == 20000
    assert all(one["slots_free"] == 2 for one in made.registered())


def test_every_process_may_die_and_no_window_is_lost_or_repeated(env):
    made = cluster(env)
    made.submit(job(rows=24000))
    for victims in ([made.task_managers[0]], [made.job_manager], [made.task_managers[1]], made.processes):
        wait_checkpoint(made)
        attempt = made.job("numbers")["attempt"]
        for victim in victims:
            victim.kill()
        for victim in victims:
            victim.start()
        made.wait_registered(2)
        wait_until(lambda: made.job("numbers")["attempt"] > attempt, "a new attempt")
        made.wait_state("numbers", "RUNNING")
        lost_job_manager = made.job_manager in victims
        causes = {cause: count for cause, count in restarts(made).items() if count}
        wanted = {"job_manager_lost"} if lost_job_manager else {"task_manager_lost", "connection_lost"}
        assert causes and set(causes) & wanted, causes
    made.wait_state("numbers", "FINISHED", 90)
    assert sum(windows(made).values()) == 24000


def restarts(made) -> dict:
    """How often jobs were started again, by cause, since the job manager began."""
    with urllib.request.urlopen(f"http://127.0.0.1:{made.rest_port}/metrics", timeout=10) as answer:
        page = answer.read().decode()
    return {cause: float(count) for cause, count in
            re.findall(r'^millrace_job_restarts_total{[^}]*cause="(\w+)"[^}]*} (\S+)$', page, re.M)}


def test_events_come_as_they_happen_to_those_who_wait(env):
    made = cluster(env)
    made.submit(job(rows=8000))
    request = urllib.request.Request(f"http://127.0.0.1:{made.rest_port}/api/v1/jobs/numbers/events",
                                     headers={"Accept": "text/event-stream"})
    with urllib.request.urlopen(request, timeout=60) as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        lines = stream.read().decode().splitlines()  # it ends with the job
    events = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
    kinds = [line[7:] for line in lines if line.startswith("event: ")]
    assert kinds == [event["kind"] for event in events]
    states = [event["text"] for event in events if event["kind"] == "state"]
    assert states[0] == "CREATED" and states[-1] == "FINISHED" and len(states) == len(set(states)), states
    assert sum(event["text"].endswith("completed") for event in events) >= 3, events


def test_a_job_waits_for_slots_and_says_so(env):
    made = cluster(env, task_managers=1)
    made.submit(job())
    assert made.job("numbers")["waiting_for"] == "needs 4 slots, 2 of 2 are free"
    made.task_managers.append(made.task_manager(1, 2).start())
    made.wait_state("numbers", "RUNNING")
    assert made.job("numbers")["waiting_for"] == ""


def test_rescaling_keeps_every_key(env):
    made = cluster(env, task_managers=2, slots=3)
    made.submit(job(parallelism=2, rows=30000))
    for parallelism in (3, 5, 1):
        made.wait_state("numbers", "RUNNING")
        done = made.operation("numbers", "rescale", parallelism=parallelism)
        assert "failure" not in done, done
    made.wait_state("numbers", "FINISHED", 90)
    assert sum(windows(made).values()) == 30000


def test_a_stop_writes_a_savepoint_from_which_another_cluster_goes_on(env):
    made = cluster(env)
    made.submit(job(rows=16000))
    wait_until(lambda: windows(made), "some windows are published")
    done = made.operation("numbers", "stop", directory=str(env.directory / "kept"))
    assert os.path.exists(done["path"] + "/_metadata"), done
    made.wait_state("numbers", "SUSPENDED")
    before = windows(made)
    assert 0 < sum(before.values()) < 16000
    other = Cluster(env.directory / "other")
    env.own_servers.append(other)
    other.start()
    # The other cluster has another directory for its checkpoints, and the same for the files.
    text = job(rows=16000).replace("./numbers/", str(made.directory / "numbers") + "/")
    other.submit(text, restore=done["path"])
    other.wait_state("numbers", "FINISHED", 60)
    assert sum(windows(made).values()) == 16000


def test_draining_fires_every_window_and_finishes(env):
    made = cluster(env)
    made.submit(job(parallelism=1))  # one sequence without gaps
    wait_checkpoint(made)
    made.operation("numbers", "stop", drain="true")
    made.wait_state("numbers", "FINISHED")
    counts = windows(made)
    total = sum(counts.values())
    newest = max(row["newest"] for path in (made.directory / "numbers").glob("*.jsonl")
                 for row in map(json.loads, path.read_text().splitlines()))
    assert total == newest, f"{total} rows in windows, the newest is {newest}"


def test_an_upgrade_that_fails_goes_back_to_the_old_file(env):
    made = cluster(env)
    made.submit(job())
    wait_checkpoint(made)
    worse = job().replace("id: per_key", "id: renamed")
    status, answer = made.call("POST", "/api/v1/jobs/numbers/upgrade", worse)
    assert status == 202, answer
    path = f"/api/v1/jobs/numbers/operations/{answer['trigger_id']}"
    done = wait_until(lambda: made.get(path)["done"] and made.get(path), "the upgrade is decided")
    assert "`per_key`" in done["failure"]["message"], done
    made.wait_state("numbers", "RUNNING")
    better = job().replace("size: 1s", "size: 1s, offset: 0s")
    status, answer = made.call("POST", "/api/v1/jobs/numbers/upgrade", better)
    path = f"/api/v1/jobs/numbers/operations/{answer['trigger_id']}"
    done = wait_until(lambda: made.get(path)["done"] and made.get(path), "the upgrade is decided")
    assert "failure" not in done, done


def test_a_frozen_task_manager_is_given_up_and_comes_back_without_harm(env):
    made = cluster(env, task_managers=3)
    made.submit(job(rows=40000))
    wait_checkpoint(made)
    attempt = made.job("numbers")["attempt"]
    frozen = wait_until(lambda: next((t for t in made.task_managers if busy(made, t)), None), "one that works")
    frozen.process.send_signal(signal.SIGSTOP)
    wait_until(lambda: made.job("numbers")["attempt"] > attempt, "the job runs on the others")
    made.wait_state("numbers", "RUNNING")
    frozen.process.send_signal(signal.SIGCONT)
    made.wait_registered(3)
    made.wait_state("numbers", "FINISHED", 90)
    assert sum(windows(made).values()) == 40000


def busy(made, task_manager) -> bool:
    """Whether the job has slots on it: its log names the port that the job manager lists."""
    for one in made.registered():
        if one["jobs"] and f"rest=http://{one['rest_address']} " in task_manager.log:
            return True
    return False


def test_one_job_that_fails_for_ever_leaves_the_other_alone(env):
    made = cluster(env, task_managers=2, slots=4)
    made.submit(job())
    failing = job("failing", 2).replace("id % 97", "id / (id - id)")
    made.submit(failing)
    wait_until(lambda: made.job("failing")["state"] == "FAILED" or made.job("failing")["restarts"] > 3, "it fails")
    wait_checkpoint(made)
    assert made.job("numbers")["attempt"] == 1 and made.job("numbers")["restarts"] == 0


def test_wrong_things_have_clear_answers_and_leave_nothing(env):
    made = cluster(env)
    status, answer = made.call("POST", "/api/v1/jobs", "version: 1\nname: x\nsteps: 7\n")
    assert status == 400 and answer["diagnostics"], answer
    first = made.submit(job())
    again = made.submit(job())
    assert again["job_id"] == first["job_id"] and again["existed"]
    status, answer = made.call("POST", "/api/v1/jobs", job(parallelism=3))
    assert status == 409 and "upgrade" in json.dumps(answer), (status, answer)
    status, answer = made.call("POST", "/api/v1/jobs/nothing/cancel", "")
    assert status == 404, answer
    status, answer = made.call("POST", "/api/v1/jobs/numbers/cancel", "")
    assert status == 202, answer
    made.wait_state("numbers", "CANCELED")
    wait_until(lambda: all(one["slots_free"] == 2 for one in made.registered()), "its slots are free")
    assert len(made.get("/api/v1/jobs")["jobs"]) == 1


def test_jobs_that_ended_leave_no_growth(env):
    made = cluster(env)

    def run(first, count):
        for number in range(first, first + count):
            made.submit(job(f"short{number}", rows=40))
            made.wait_state(f"short{number}", "FINISHED")
        wait_until(lambda: all(one["slots_free"] == 2 for one in made.registered()), "the slots are free")

    def sizes():
        of = []
        for process in made.processes:
            folder = Path(f"/proc/{process.process.pid}")
            resident = int(re.search(r"VmRSS:\s+(\d+)", (folder / "status").read_text())[1])
            of.append((len(list((folder / "task").iterdir())), len(list((folder / "fd").iterdir())), resident))
        return of

    run(0, 30)
    before = sizes()
    run(30, 30)
    for (threads, files, kilobytes), (threads_before, files_before, kilobytes_before) in zip(sizes(), before):
        assert threads <= threads_before and files <= files_before + 2, (before, sizes())
        assert kilobytes < kilobytes_before + 4096 * SLOW, (before, sizes())


def test_a_missing_topic_fails_the_job_with_its_name(env):
    made = cluster(env)
    made.submit(f"""
version: 1
name: no_topic
sources:
  events: {{type: kafka, brokers: "{env.kafka.address}", topics: [nothing-here], schema: {{a: BIGINT}},
            format: {{type: json}}}}
steps: []
sinks:
  out: {{input: events, type: blackhole}}
""")
    ended = made.wait_state("no_topic", "FAILED")
    assert ended["failure"]["code"] == "E0306" and "nothing-here" in ended["failure"]["message"], ended["failure"]
    assert all(one["slots_free"] == 2 for one in made.registered())


def test_a_job_cancelled_while_it_is_deployed_leaves_nothing(env):
    made = cluster(env)
    for number in range(10):
        made.submit(job(f"brief{number}"))
        status, answer = made.call("POST", f"/api/v1/jobs/brief{number}/cancel", "")
        assert status == 202, answer
        made.wait_state(f"brief{number}", "CANCELED")
        wait_until(lambda: all(one["slots_free"] == 2 for one in made.registered()), "its slots are free")
    made.submit(job(rows=2000))
    made.wait_state("numbers", "FINISHED")


def test_rows_of_a_step_are_shown_while_the_job_runs(env):
    made = cluster(env)
    made.submit(job())
    made.wait_state("numbers", "RUNNING")
    command = [MILLRACE, "tap", "numbers", "numbers", "--limit", "5", "--address", f"127.0.0.1:{made.rest_port}"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60 * SLOW, check=True).stdout
    rows = [json.loads(line) for line in shown.splitlines()]
    assert len(rows) == 5 and all(row["k"] == row["id"] % 97 for row in rows), shown
    command[3] = "nothing"
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60 * SLOW, check=False)
    assert refused.returncode == 1 and "no step `nothing`" in refused.stderr, refused
    assert made.job("numbers")["attempt"] == 1


def test_a_second_job_manager_on_the_same_data_is_refused(env):
    made = cluster(env, task_managers=0)
    second = Cluster(env.directory / "second", task_managers=0)
    env.own_servers.append(second)
    arguments = second.job_manager.arguments
    second.job_manager.arguments = [a.replace(str(second.directory / "jm"), str(made.directory / "jm"))
                                    for a in arguments]
    second.job_manager.start()
    assert second.job_manager.process.wait(30) == 4
    assert "E0404" in second.job_manager.log
