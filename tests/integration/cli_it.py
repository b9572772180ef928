"""The commands that call a running server: output, exit codes, and what the server refuses."""
import json
import os
import re
import subprocess
import urllib.error
import urllib.request

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
    job = env.job(text)
    job.start("--listen", "127.0.0.1:0", *words)
    wait_until(lambda: "listening rest=" in job.stderr, "the address")
    return job, re.search(r"listening rest=(\S+)", job.stderr).group(1)


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
    job, address = running(env)
    wait_until(lambda: json.loads(call(address, "status", "counted", "--output", "json").stdout)
               ["checkpoints"]["completed"] > 0, "a checkpoint")
    listed = call(address, "list").stdout.splitlines()
    assert listed[0].split()[:3] == ["ID", "NAME", "STATE"] and listed[1].split()[1:3] == ["counted", "RUNNING"], listed
    job_id = listed[1].split()[0]
    assert job_id in re.search(r"^id: (.*)$", call(address, "status", job_id, "--output", "yaml").stdout, re.M).group(1)
    status = call(address, "status", "counted").stdout
    assert "last checkpoint" in status and re.search(r"^even +filter", status, re.M), status
    assert "counted  RUNNING" in call(address, "top").stdout
    job.stop()


def test_refusals_have_their_exit_codes(env):
    job, address = running(env)
    path = env.directory / "other.yaml"
    path.write_text(JOB.replace("name: counted", "name: another"))
    assert "E0406" in call(address, "submit", str(path), expect=4).stderr
    path.write_text(JOB.replace("n % 2", "m % 2"))
    wrong = call(address, "submit", str(path), expect=2).stderr
    assert "E0203" in wrong and "7:24" in wrong, wrong
    assert "did you mean --wait" in call(address, "submit", "--wiat", str(path), expect=2).stderr
    assert "no job `nope`" in call(address, "status", "nope", expect=1).stderr
    assert "`parallelism` needs a number" in call(address, "rescale", "counted", "0", expect=2).stderr
    call("http://127.0.0.1:1", "list", expect=3)
    job.stop()


def test_a_job_is_cancelled_over_rest(env):
    job, address = running(env)
    call(address, "cancel", "counted")
    assert job.wait() == 0, job.stderr


def test_pages_of_other_sites_reach_nothing(env):
    job, address = running(env)
    status, body = http(address, "/api/v1/jobs", headers={"Host": "rebound.example:8081"})
    assert status == 421 and "rest.hosts" in json.loads(body)["help"], body
    status, body = http(address, "/api/v1/jobs/counted/cancel", "POST", {"Origin": "http://other.example"}, b"")
    assert status == 403 and json.loads(body)["errors"], body
    status, body = http(address, "/nothing/here")
    assert status == 404 and json.loads(body)["errors"] == ["nothing at /nothing/here"], body
    status, body = http(address, "/api/v1/validate", "POST", body=b"x" * (6 << 20))
    assert status == 413 and json.loads(body)["errors"], body
    job.stop()


def test_every_shell_gets_a_completion_that_its_shell_reads(env):
    script = call("", "completion", "bash").stdout
    asked = script + 'COMP_WORDS=(millrace submit --w); COMP_CWORD=2; _millrace; echo "${COMPREPLY[@]}"\n'
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.split() == ["--wait"], done
    assert "complete -c millrace" in call("", "completion", "fish").stdout
    call("", "completion", "tcsh", expect=2)
