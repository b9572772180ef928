"""The commands that call a running server: output, exit codes, and what the server refuses."""
import json
import os
import re
import subprocess
import urllib.error
import urllib.request

from cluster import Cluster
from cluster_it import cluster, job
from harness import MILLRACE, wait_until

JOB = """version: 1
name: counted
settings: {checkpoint: {interval: 200ms}}
sources:
  numbers: {type: datagen, rows_per_second: 500, schema: {n: "BIGINT RANDOM(1, 9)"}}
steps:
  - {id: even, filter: n % 2 = 0}
sinks:
  out: {type: blackhole}
"""


def running(env, text=JOB, *words):
    one = env.job(text)
    one.start("--listen", "127.0.0.1:0", *words)
    wait_until(lambda: "listening rest=" in one.stderr, "the address")
    return one, re.search(r"listening rest=(\S+)", one.stderr).group(1)


def call(address, *words, expect=0, **environment):
    done = subprocess.run([MILLRACE, *words], capture_output=True, text=True, timeout=60,
                          env=os.environ | {"MILLRACE_ADDRESS": address} | environment)
    assert done.returncode == expect, f"{words}: exit code {done.returncode}, not {expect}\n{done.stdout}{done.stderr}"
    return done


def http(address, path, method="GET", headers=None, body=None):
    request = urllib.request.Request(address + path, method=method, headers=headers or {}, data=body)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_jobs_are_listed_and_shown_as_table_json_and_yaml(env):
    one, address = running(env)
    wait_until(lambda: json.loads(call(address, "status", "counted", "--output", "json").stdout)
               ["checkpoints"]["completed"] > 0, "a checkpoint")
    listed = call(address, "list").stdout.splitlines()
    assert listed[0].split()[:3] == ["ID", "NAME", "STATE"] and listed[1].split()[1:3] == ["counted", "RUNNING"], listed
    job_id = listed[1].split()[0]
    assert job_id in re.search(r"^id: (.*)$", call(address, "status", job_id, "--output", "yaml").stdout, re.M).group(1)
    status = call(address, "status", "counted").stdout
    assert "last checkpoint" in status and re.search(r"^even +filter", status, re.M), status
    assert "counted  RUNNING" in call(address, "top").stdout
    one.stop()


def test_refusals_have_their_exit_codes(env):
    one, address = running(env)
    path = env.directory / "other.yaml"
    path.write_text(JOB.replace("name: counted", "name: another"))
    assert "E0406" in call(address, "submit", str(path), expect=4).stderr
    path.write_text(JOB.replace("n % 2", "m % 2"))
    wrong = call(address, "submit", str(path), expect=2).stderr
    assert "E0203" in wrong and f"--> {path}:7:24" in wrong and "^" in wrong, wrong
    assert "did you mean --wait" in call(address, "submit", "--wiat", str(path), expect=2).stderr
    assert "no job `nope`" in call(address, "status", "nope", expect=1).stderr
    assert "`parallelism` needs a number" in call(address, "rescale", "counted", "0", expect=2).stderr
    call("http://127.0.0.1:1", "list", expect=3)
    one.stop()


def test_a_job_is_cancelled_over_rest(env):
    one, address = running(env)
    call(address, "cancel", "counted")
    assert one.wait() == 0, one.stderr


def test_pages_of_other_sites_reach_nothing(env):
    one, address = running(env)
    status, body = http(address, "/api/v1/jobs", headers={"Host": "rebound.example:8081"})
    assert status == 421 and "rest.hosts" in json.loads(body)["help"], body
    status, body = http(address, "/api/v1/jobs/counted/cancel", "POST", {"Origin": "http://other.example"}, b"")
    assert status == 403 and json.loads(body)["errors"], body
    status, body = http(address, "/nothing/here")
    assert status == 404 and json.loads(body)["errors"] == ["nothing at /nothing/here"], body
    status, body = http(address, "/api/v1/validate", "POST", body=b"x" * (6 << 20))
    assert status == 413 and json.loads(body)["errors"], body
    one.stop()


def test_every_shell_gets_a_completion_that_its_shell_reads(env):
    script = call("", "completion", "bash").stdout
    asked = script + 'COMP_WORDS=(millrace submit --w); COMP_CWORD=2; _millrace; echo "${COMPREPLY[@]}"\n'
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.split() == ["--wait"], done
    assert "complete -c millrace" in call("", "completion", "fish").stdout
    call("", "completion", "tcsh", expect=2)


def test_a_job_of_a_cluster_is_driven_by_commands(env):
    made = cluster(env)
    address = f"http://127.0.0.1:{made.rest_port}"
    path = env.directory / "numbers.yaml"
    path.write_text(job("numbers", parallelism=2))
    job_id = call(address, "submit", str(path)).stdout.strip()
    assert re.fullmatch("[0-9a-f]{32}", job_id), job_id
    made.wait_state("numbers", "RUNNING")
    assert call(address, "submit", str(path)).stdout.strip() == job_id  # the same file again
    other = env.directory / "other.yaml"
    other.write_text(job("numbers", parallelism=3))
    assert "upgrade" in call(address, "submit", str(other), expect=1).stderr
    saved = call(address, "savepoint", "numbers").stdout.strip()
    assert os.path.exists(os.path.join(saved, "_metadata")), saved
    assert "COMPLETED" in call(address, "checkpoints", "numbers").stdout
    call(address, "rescale", "numbers", "3")
    wait_until(lambda: json.loads(call(address, "status", "numbers", "--output", "json").stdout)["state"] == "RUNNING",
               "the job runs again")
    assert re.search(r"^per_key +window +3 ", call(address, "status", "numbers").stdout, re.M)
    path.write_text(job("numbers", parallelism=2).replace("newest: MAX(id)", "newest: MIN(id)"))
    assert "E0401" in call(address, "upgrade", "numbers", str(path), expect=4).stderr  # state of another meaning
    path.write_text(job("numbers", parallelism=2).replace("interval: 200ms", "interval: 300ms"))
    call(address, "upgrade", "numbers", str(path))
    assert "300ms" in http(address, "/api/v1/jobs/numbers/spec")[1]
    assert "RUNNING" in call(address, "logs", "numbers").stdout
    stopped = call(address, "stop", "numbers").stdout.strip()
    assert os.path.exists(os.path.join(stopped, "_metadata")), stopped
    assert "E0406" in call(address, "cancel", "numbers", expect=4).stderr


def test_submit_waits_for_the_end_and_tells_the_progress(env):
    made = cluster(env)
    address = f"http://127.0.0.1:{made.rest_port}"
    path = env.directory / "short.yaml"
    path.write_text(job("short", parallelism=2, rows=2000))
    done = call(address, "submit", "--wait", str(path))
    assert "short  FINISHED" in done.stderr, done.stderr
    path.write_text(job("broken", parallelism=2, rows=2000).replace("id % 97", "id / (id - 500)"))
    failed = call(address, "submit", "--wait", str(path), expect=1)
    assert "E0502" in failed.stderr, failed.stderr
    shown = json.loads(call(address, "submit", "--dry-run", "--output", "json", str(path)).stdout)
    assert shown["name"] == "broken" and "job_id" not in shown, shown


def test_a_token_is_asked_for_where_there_are_tokens(env):
    tokens = env.directory / "tokens"
    tokens.write_text("# for tests\n0123456789abcdef0123456789abcdef\n")
    made = Cluster(env.directory / "guarded", task_managers=1, MILLRACE_REST_TOKEN_FILE=str(tokens))
    env.own_servers.append(made)
    made.job_manager.start()
    address = f"http://127.0.0.1:{made.rest_port}"
    wait_until(lambda: "listening rest=" in made.job_manager.log, "the job manager")
    refused = call(address, "list", expect=1)
    assert "MILLRACE_TOKEN" in refused.stderr, refused.stderr
    assert "NAME" in call(address, "list", MILLRACE_TOKEN="0123456789abcdef0123456789abcdef").stdout
    assert http(address, "/healthz")[0] == 200 and http(address, "/metrics")[0] == 401
    stranger, = made.task_managers
    stranger.start()
    wait_until(lambda: "it brings no token" in stranger.log, "a task manager without a token is refused")
    stranger.kill()
    made.environment["MILLRACE_TOKEN_FILE"] = str(tokens)
    stranger.start()
    wait_until(lambda: "registered at the job manager" in stranger.log, "one that brings it is taken in")


def test_servers_refuse_addresses_that_others_reach(env):
    for role in ("jobmanager", "taskmanager", "cluster"):
        refused = call("", role, "--set", "bind=0.0.0.0", expect=2)
        assert "--insecure" in refused.stderr, refused.stderr
        shown = call("", role, "--describe").stdout
        assert "# bind: 127.0.0.1" in shown
