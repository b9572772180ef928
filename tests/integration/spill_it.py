"""State that does not fit into its memory: moved to disk, checkpointed as files, restored at other parallelisms."""
import json

from harness import wait_until

ROWS = 60_000
KEYS = 5_000
# 300 kB of memory for some 2 MB of state.
BUDGET = {"MILLRACE_STATE_BUDGET": "300000"}

JOB = """version: 1
name: large
settings:
  checkpoint: {{interval: 300ms}}
  state: {{backend: {backend}}}
sources:
  numbers:
    type: datagen
    rows_per_second: 12000
    schema:
      n: BIGINT SEQUENCE(1, {rows})
      k: BIGINT AS MOD(n * 7919, {keys})
      at: TIMESTAMP(3) AS TO_TIMESTAMP_LTZ(n, 3)
    event_time: {{column: at}}
steps:
  - id: windows
    input: numbers
    key_by: [k]
    window: {{type: {window}}}
    aggregate: {{rows: COUNT(*), total: SUM(n), last: MAX(CAST(n AS STRING))}}
  - id: totals
    input: numbers
    key_by: [k]
    aggregate: {{rows: COUNT(*), total: SUM(n)}}
sinks:
  windowed: {{type: file, path: {out}/windows/, format: {{type: json}}, delivery: exactly_once, input: windows}}
  totalled: {{type: file, path: {out}/totals/, format: {{type: json}}, delivery: exactly_once, input: totals}}
"""


def shared_files(job, name="large"):
    return list((job.directory / "checkpoints" / name / "shared").glob("*.sst"))


def run_with_kills(job, name):
    """To the end, with a kill -9 at parallelism 1, 2 and 1, each behind a new checkpoint of files."""
    for parallelism in (1, 2, 1):
        before = job.completed_checkpoints()
        job.start("--set", f"settings.parallelism={parallelism}")
        wait_until(lambda: shared_files(job, name) and job.completed_checkpoints() != before, "a checkpoint with files")
        job.kill()
    job.run("--set", "settings.parallelism=1", seconds=180)


# One step of each other kind that keeps state.
KINDS = """version: 1
name: kinds
settings:
  checkpoint: {{interval: 300ms}}
  state: {{backend: {backend}}}
sources:
  numbers:
    type: datagen
    rows_per_second: 6000
    schema:
      n: BIGINT SEQUENCE(1, {rows})
      k: BIGINT AS MOD(n * 7919, {keys})
      v: BIGINT AS MOD(n * 31, 1000)
      at: TIMESTAMP(3) AS TO_TIMESTAMP_LTZ(n, 3)
    event_time: {{column: at}}
steps:
  - {{id: even, input: numbers, filter: "MOD(n, 2) = 0"}}
  - {{id: odd, input: numbers, filter: "MOD(n, 2) = 1"}}
  - id: sessions
    input: numbers
    key_by: [k]
    window: {{type: session, gap: 7s}}
    aggregate: {{rows: COUNT(*), total: SUM(v)}}
  - {{id: counted, input: numbers, key_by: [k], window: {{type: count, size: 3}}, aggregate: {{total: SUM(v)}}}}
  - {{id: firsts, input: numbers, dedup: {{key: [k], keep: first, within: 4s}}}}
  - id: tops
    input: numbers
    key_by: [k]
    top: {{n: 1, order_by: [v DESC], window: {{type: tumbling, size: 9s}}}}
  - {{id: sorted, input: numbers, key_by: [k], sort: {{then: [v]}}}}
  - {{id: overs, input: numbers, key_by: [k], over: {{rows: 2, columns: {{total: SUM(v)}}}}}}
  - id: paired
    join: {{left: even, right: odd, equal: [k], kind: window, window: {{type: tumbling, size: 8s}},
           select: {{k: even.k, a: even.n, b: odd.n}}}}
  - id: met
    join: {{left: even, right: odd, equal: [k], kind: regular, select: {{k: even.k, a: even.n, b: odd.n}}}}
sinks:
{sinks}
"""
KIND_STEPS = ("sessions", "counted", "firsts", "tops", "sorted", "overs", "paired", "met")


def kinds_job(env, name, backend, **environment):
    sinks = "".join(f"  to_{step}: {{type: file, path: {env.directory}/{name}/{step}/, format: {{type: json}}, "
                    f"delivery: exactly_once, input: {step}}}\n" for step in KIND_STEPS)
    text = KINDS.format(backend=backend, rows=20_000, keys=3_999, sinks=sinks).replace("kinds", name)
    return env.job(text, XDG_STATE_HOME=str(env.directory), **environment)


def test_every_kind_of_state_survives_kills_on_disk(env):
    kinds_job(env, "calm", "memory").run("--set", "sources.numbers.rows_per_second=1000000", seconds=120)
    job = kinds_job(env, "spilled", "auto", **BUDGET)
    run_with_kills(job, "spilled")
    for step in KIND_STEPS:
        calm, spilled = (sorted(json.dumps(row, sort_keys=True) for row in written(env, f"{name}/{step}"))
                         for name in ("calm", "spilled"))
        assert calm and calm == spilled, f"{step}: {len(calm)} rows, on disk {len(spilled)}"


def large_job(env, backend, window="tumbling, size: 20s", **environment):
    text = JOB.format(backend=backend, rows=ROWS, keys=KEYS, window=window, out=env.directory)
    return env.job(text, XDG_STATE_HOME=str(env.directory), **environment)


def written(env, name):
    return [json.loads(line) for path in sorted((env.directory / name).glob("[!._]*"))
            for line in path.read_text().splitlines()]


def expected_windows():
    rows = {}
    for n in range(1, ROWS + 1):
        count, total, last = rows.get((n * 7919 % KEYS, n // 20_000), (0, 0, ""))
        rows[(n * 7919 % KEYS, n // 20_000)] = (count + 1, total + n, max(last, str(n)))
    return sorted(rows.values())


def expected_totals():
    totals = {}
    for n in range(1, ROWS + 1):
        count, total = totals.get(n * 7919 % KEYS, (0, 0))
        totals[n * 7919 % KEYS] = (count + 1, total + n)
    return totals


def check(env):
    windows = written(env, "windows")
    assert sorted((row["rows"], row["total"], row["last"]) for row in windows) == expected_windows()
    last = {}
    for row in written(env, "totals"):
        if row.get("op", "+I") in ("+I", "+U"):
            last[row["k"]] = max(last.get(row["k"], (0, 0)), (row["rows"], row["total"]))
    assert last == expected_totals()


def test_state_beyond_its_budget_survives_kills_and_rescaling(env):
    job = large_job(env, "auto", **BUDGET)
    run_with_kills(job, "large")
    check(env)


def test_a_checkpoint_of_files_restores_into_memory(env):
    job = large_job(env, "rocksdb")
    job.start()
    wait_until(lambda: shared_files(job) and job.completed_checkpoints() > 1, "a checkpoint with files")
    job.kill()
    job.run("--set", "settings.state.backend=memory", seconds=120)
    check(env)


def test_a_damaged_file_of_a_checkpoint_is_named(env):
    job = large_job(env, "rocksdb")
    job.start()
    wait_until(lambda: shared_files(job) and job.completed_checkpoints() > 1, "a checkpoint with files")
    job.kill()
    for path in shared_files(job):
        path.write_bytes(path.read_bytes()[:100])
    job.start()
    assert job.wait() == 4, job.stderr
    assert "E0402" in job.stderr and ".sst" in job.stderr, job.stderr
