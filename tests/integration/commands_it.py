"""The commands that take a job file and run nothing: validate, plan, explain, schema; their output and exit codes."""
import json
import os
import subprocess

from harness import MILLRACE, wait_until

JOB = """version: 1
name: commands
sources:
  numbers:
    {type: datagen, rows: 100, schema: {n: "BIGINT RANDOM(1, 100)", at: TIMESTAMP(3) NOW}, event_time: {column: at}}
steps:
  - id: even
    filter: n % 2 = 0
  - id: counts
    key_by: [n]
    window: {type: tumbling, size: 1s}
    aggregate: {rows: COUNT(*)}
sinks:
  out: {type: print}
"""
TEST = "tests: [{name: t, given: {numbers: [{n: 1}]}, expect: {even: []}}]\n"


def command(env, *words, text=None, expect=0, **environment):
    path = env.directory / "job.yaml"
    if text is not None:
        path.write_text(text)
    done = subprocess.run([MILLRACE, *words], capture_output=True, text=True, cwd=env.directory, timeout=60,
                          env=os.environ | environment)
    assert done.returncode == expect, f"exit code {done.returncode}, not {expect}\n{done.stdout}{done.stderr}"
    return done


def test_a_wrong_file_shows_every_mistake(env):
    wrong = JOB.replace("n % 2", "m % 2").replace("type: print", "type: prnt")
    done = command(env, "validate", "job.yaml", text=wrong, expect=2)
    assert done.stdout == ""
    assert done.stderr == """error[E0203]: unknown column `m`
 --> job.yaml:8:13
  |
8 |     filter: m % 2 = 0
  |             ^ no such column in the output of `numbers`
  = help: a column with a similar name exists: `n`

error[E0301]: unknown sink connector `prnt`
  --> job.yaml:14:15
   |
14 |   out: {type: prnt}
   |               ^^^^
   = help: one with a similar name exists: `print`

job.yaml: 2 errors
"""
    report = json.loads(command(env, "validate", "job.yaml", "--format", "json", expect=2).stdout)
    assert [(d["code"], d["line"], d["column"]) for d in report["diagnostics"]] == [("E0203", 8, 13), ("E0301", 14, 15)]
    sarif = json.loads(command(env, "validate", "--format=sarif", "job.yaml", expect=2).stdout)
    assert len(sarif["runs"][0]["results"]) == 2
    github = command(env, "validate", "job.yaml", "--format", "github", expect=2).stdout
    assert github.splitlines()[0].startswith("::error file=job.yaml,line=8,col=13,endColumn=14,title=E0203::")


def test_warnings_count_only_when_asked(env):
    done = command(env, "validate", "job.yaml", text=JOB)
    assert done.stdout == "job.yaml is valid (1 warning)\n"
    assert done.stderr.startswith("warning[W0602]")
    command(env, "validate", "job.yaml", "--deny-warnings", expect=2)
    command(env, "validate", "job.yaml", "--deny-warnings", text=JOB + TEST)


def test_wrong_usage_is_said(env):
    assert "did you mean --format?" in command(env, "validate", "job.yaml", "--fromat", "x", text=JOB, expect=2).stderr
    assert "usage:" in command(env, "validate", expect=2).stderr
    assert "--set needs name=value" in command(env, "plan", "job.yaml", "--set", "x", expect=2).stderr
    assert "nothere.yaml" in command(env, "validate", "nothere.yaml", expect=2).stderr
    assert "there is no format `xml`" in command(env, "plan", "job.yaml", "--format", "xml", expect=2).stderr


def test_a_plan_shows_chains_and_delays(env):
    text = command(env, "plan", "job.yaml", "--set", "settings.parallelism=2", text=JOB).stdout
    assert "chain 1, 2 subtasks" in text
    assert "hash(n) to counts (chain 2)" in text
    assert "expected delay: up to 1s200ms (window 1s + watermark every 200ms)" in text
    plan = json.loads(command(env, "plan", "job.yaml", "--format", "json").stdout)
    assert plan["chains"] == [{"nodes": ["numbers", "even", "counts", "out"], "parallelism": 1}]
    assert command(env, "plan", "job.yaml", "--format", "dot").stdout.startswith('digraph "commands" {')


def test_a_plan_against_a_checkpoint_says_what_happens_to_state(env):
    job = env.job(JOB.replace("rows: 100,", "rows_per_second: 1000,"))
    job.start()
    wait_until(lambda: job.metric("millrace_step_records_in_total", step="counts") >= 10, "rows are counted")
    job.stop()
    checkpoint = max((job.directory / "checkpoints" / "commands").glob("chk-*"), key=lambda path: int(path.name[4:]))
    text = command(env, "plan", "job.yaml", "--against", str(checkpoint), text=JOB).stdout
    assert "restored    counts/window: " in text and "restored    numbers/splits: 1 rows" in text, text
    renamed = JOB.replace("id: counts", "id: sums")
    against = ["plan", "job.yaml", "--against", str(checkpoint)]
    assert "dropped     counts/window" in command(env, *against, text=renamed, expect=4).stdout
    known = renamed.replace("id: sums", "id: sums\n    was: counts")
    assert "held as counts" in command(env, *against, text=known).stdout
    assert "E0403" in command(env, "plan", "job.yaml", "--against", "nowhere", expect=4).stderr


def test_codes_are_explained_offline(env):
    done = command(env, "explain", "e0203")
    assert done.stdout.startswith("E0203: unknown column\n")
    assert "W0601" in command(env, "explain").stdout
    assert "there is no code `E9999`" in command(env, "explain", "E9999", expect=2).stderr


def test_secrets_are_never_shown(env):
    kafka = "{type: kafka, brokers: b, topic: t, security: sasl_tls, sasl_mechanism: PLAIN, sasl_username: u, SECRET}"
    secret = JOB.replace("{type: print}", kafka)
    given = secret.replace("SECRET", "secrets: {sasl_password: broker}")
    for words in (["plan", "job.yaml"], ["plan", "job.yaml", "--format", "json"], ["validate", "job.yaml"]):
        done = command(env, *words, text=given, MILLRACE_SECRET_BROKER="geheim")
        assert "geheim" not in done.stdout + done.stderr
    assert "the secret `broker` does not exist" in command(env, "validate", "job.yaml", expect=2).stderr
    bare = command(env, "validate", "job.yaml", text=secret.replace("SECRET", "sasl_password: pw"), expect=2).stderr
    assert "is a secret and cannot stand in the file" in bare


def test_every_command_explains_itself(env):
    listed = command(env, "--help").stdout.splitlines()[2:]
    names = [line.split()[0] for line in listed]
    assert {"run", "validate", "plan", "test", "audit", "doctor"} <= set(names)
    for name in names:
        text = command(env, name, "--help").stdout
        assert f"usage: millrace {name}" in text, text
