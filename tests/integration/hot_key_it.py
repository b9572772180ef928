"""A hot key: the rows of each subtask behind the exchange, counted by the job's own metrics."""
import json
import subprocess

from harness import MILLRACE, wait_until

ROWS = 200_000
JOB = """version: 1
name: hot
settings: {{parallelism: 2, checkpoint: {{interval: 100ms}}}}
sources:
  events:
    type: file
    path: {path}
    format: json
    follow: true
    schema: {{user: INT NOT NULL, n: BIGINT, at: TIMESTAMP(3) FROM epoch_millis}}
    event_time: {{column: at, out_of_orderness: 1s}}
steps:
  - id: per_user
    key_by: [user]
    window: {{type: tumbling, size: 10s{window}}}
    aggregate: {{events: COUNT(*), total: SUM(n), greatest: MAX(n)}}
sinks:
  out: {{type: file, path: {out}}}
{more}"""


def events():
    """Nine of ten rows belong to user 0; the last row closes all windows."""
    for i in range(ROWS):
        yield {"user": 0 if i % 10 else 1 + i // 10 % 500, "n": i % 97, "at": i}
    yield {"user": 0, "n": 0, "at": ROWS * 10}


def expected():
    windows = {}
    for row in events():
        found = windows.setdefault((row["user"], row["at"] // 10_000), [])
        found.append(row["n"])
    return {key: (len(ns), sum(ns), max(ns)) for key, ns in windows.items() if key[1] * 10_000 < ROWS}


def make_job(env, window="", more=""):
    path, out = env.directory / "events.jsonl", env.directory / "out.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in events()))
    job = env.job(JOB.format(path=path, out=out, window=window, more=more))

    def results():
        lines = out.read_text().splitlines(keepends=True) if out.exists() else []
        rows = [json.loads(line) for line in lines if line.endswith("\n")]  # the last one may be half written
        return {(row["user"], row["window_start"] // 10_000): (row["events"], row["total"], row["greatest"])
                for row in rows}
    return job, results


def test_no_subtask_gets_more_than_its_share(env):
    job, results = make_job(env)
    job.start()
    wanted = expected()
    wait_until(lambda: len(results()) == len(wanted), "all windows", 60)
    shares = [job.metric("millrace_step_records_in_total", step="per_user", subtask=str(i)) for i in range(2)]
    job.stop()
    assert results() == wanted
    assert all(share > 0 for share in shares), shares
    assert max(shares) <= 0.6 * sum(shares), f"rows per subtask: {shares}"
    assert sum(shares) < 0.2 * ROWS, f"rows per subtask: {shares}"


def test_rows_that_must_arrive_alone_are_sent_alone(env):
    """Where somebody reads the late rows, or a late row fires again, nothing is summed up in front."""
    late = "  late: {input: per_user.late, type: blackhole}\n"
    for window, more, summed in (("", "", True), (", allowed_lateness: 1s", "", False), ("", late, False)):
        job, _ = make_job(env, window, more)
        plan = subprocess.run([MILLRACE, "plan", str(job.file)], capture_output=True, text=True, check=True).stdout
        assert ("per_user.partial" in plan) == summed, plan
