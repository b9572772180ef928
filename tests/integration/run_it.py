"""`millrace run` without Kafka: signals, exit codes, resuming, refusing."""
import json
import signal
import subprocess
import urllib.request

from harness import MILLRACE, wait_until

NUMBERS = """version: 1
name: numbers
settings:
  checkpoint: {interval: 200ms}
sources:
  numbers: {type: datagen, rows_per_second: 2000, schema: {n: "BIGINT SEQUENCE(1, 100000)"}}
sinks:
  out: {type: print}
"""


def words_job(directory, rows=1000, bad_record="fail", extra=""):
    path = directory / "words.jsonl"
    if not path.exists():
        path.write_text("".join(json.dumps({"word": f"w{i % 7}", "at": i * 10}) + "\n" for i in range(rows)) + extra)
    return f"""version: 1
name: words
sources:
  words:
    type: file
    path: {path}
    format: {{type: json, bad_record: {bad_record}}}
    schema: {{word: STRING, at: TIMESTAMP(3)}}
    event_time: {{column: at}}
steps:
  - id: counts
    key_by: [word]
    window: {{type: tumbling, size: 1s}}
    aggregate: {{n: COUNT(*)}}
sinks:
  out: {{type: print}}
"""


def expected_words(rows=1000):
    counts = {}
    for i in range(rows):
        key = (f"w{i % 7}", i * 10 // 1000 * 1000)
        counts[key] = counts.get(key, 0) + 1
    return counts


def counted(rows):
    return {(row["word"], row["window_start"]): row["n"] for row in rows}


def test_bounded_job_prints_rows_only_and_ends(env):
    job = env.job(words_job(env.directory)).run()
    assert len(job.rows()) == len(expected_words())
    assert counted(job.rows()) == expected_words()
    assert sum(line.startswith("listening rest=http://127.0.0.1:") for line in job.stderr.splitlines()) == 1


def test_any_parallelism_counts_the_same(env):
    job = env.job(words_job(env.directory)).run("--set", "settings.parallelism=3")
    assert counted(job.rows()) == expected_words()


def test_ctrl_c_ends_with_a_checkpoint_and_the_next_run_goes_on(env):
    job = env.job(NUMBERS).start()
    wait_until(lambda: len(job.out.read_text().splitlines()) > 200, "rows")
    assert job.stop() == 130
    first = [row["n"] for row in job.rows()]
    job.start("--set", "settings.parallelism=2")
    wait_until(lambda: len(job.out.read_text().splitlines()) > 200, "rows of the second run")
    job.process.send_signal(signal.SIGTERM)
    assert job.wait() == 143
    both = first + [row["n"] for row in job.rows()]
    assert sorted(both) == list(range(1, len(both) + 1)), "every number once over both runs"


def test_kill_loses_nothing(env):
    job = env.job(NUMBERS).start()
    wait_until(lambda: job.completed_checkpoints() > 0 and len(job.out.read_text().splitlines()) > 500, "a checkpoint")
    job.kill()
    seen = {json.loads(line)["n"] for line in job.out.read_text().splitlines() if line.endswith("}")}
    job.start()
    wait_until(lambda: len(job.out.read_text().splitlines()) > 500, "rows of the second run")
    job.stop()
    second = {row["n"] for row in job.rows()}
    assert min(second) > 1, "started from the beginning"
    assert seen | second == set(range(1, max(second) + 1)), "a number is missing"


def test_fresh_and_restore(env):
    job = env.job(NUMBERS).start()
    wait_until(lambda: job.completed_checkpoints() > 0, "a checkpoint")
    job.stop()
    last = max(row["n"] for row in job.rows())
    checkpoint = max((job.directory / "checkpoints" / "numbers").glob("chk-*"), key=lambda p: int(p.name[4:]))
    job.start("--fresh")
    wait_until(lambda: job.out.read_text(), "rows")
    job.stop()
    assert min(row["n"] for row in job.rows()) == 1
    # The old directory was moved aside, its checkpoint with it.
    moved = [path for path in (job.directory / "checkpoints").rglob(checkpoint.name)]
    assert moved, "the old checkpoint is gone"


def test_a_finished_job_starts_afresh(env):
    job = env.job(words_job(env.directory)).run()
    job.run()
    assert counted(job.rows()) == expected_words()


def test_limit_ends_after_n_rows(env):
    job = env.job(NUMBERS).run("--limit", "5")
    assert [row["n"] for row in job.rows()] == [1, 2, 3, 4, 5]


def test_a_closed_pipe_ends_the_job(env):
    job = env.job(NUMBERS)
    command = [MILLRACE, "run", str(job.file), "--listen", "127.0.0.1:0",
               "--set", f"settings.checkpoint.dir={job.directory / 'checkpoints'}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert json.loads(process.stdout.readline()) == {"n": 1}
        process.stdout.close()
        try:
            assert process.wait(timeout=30) == 141
        finally:
            process.kill()


def test_one_directory_one_process(env):
    job = env.job(NUMBERS).start()
    wait_until(lambda: "listening" in job.stderr, "the first process")
    first = job.process
    job.start()
    assert job.wait() == 4
    assert "E0404" in job.stderr and str(first.pid) in job.stderr, job.stderr
    first.kill()
    first.wait()


def test_a_flipped_bit_is_named_and_refused(env):
    job = env.job(NUMBERS).start()
    wait_until(lambda: job.completed_checkpoints() > 0, "a checkpoint")
    job.stop()
    files = sorted((job.directory / "checkpoints").glob("*/chk-*/*.state"), key=lambda p: p.stat().st_mtime)
    damaged = bytearray(files[-1].read_bytes())
    damaged[len(damaged) // 2] ^= 1
    files[-1].write_bytes(damaged)
    job.start()
    assert job.wait() == 4, job.stderr
    assert "E0402" in job.stderr and files[-1].name in job.stderr, job.stderr


def test_bad_record_fails_with_its_place_or_is_skipped(env):
    text = words_job(env.directory, extra="{broken\n")
    job = env.job(text).run(expect=1)
    assert "E0501" in job.stderr and "words.jsonl:1001" in job.stderr, job.stderr
    env.job(words_job(env.directory, bad_record="skip")).run()


def test_wrong_files_and_wrong_usage_are_2(env):
    job = env.job(NUMBERS.replace("print", "printt")).run(expect=2)
    assert "print" in job.stderr
    env.job(NUMBERS).run("--no-such-option", expect=2)


def test_metrics_and_health_of_a_running_job(env):
    job = env.job(NUMBERS).start("--set", "settings.parallelism=2")
    wait_until(lambda: job.completed_checkpoints() > 0, "a checkpoint")
    wait_until(lambda: job.metric("millrace_step_records_out_total", step="numbers") > 100, "rows counted")
    assert job.metric("millrace_job_state", state="RUNNING") == 1
    assert job.metric("millrace_checkpoints_total", result="completed") >= 1
    assert job.metric("millrace_job_uptime_seconds") > 0
    seen = wait_until(lambda: job.metric("millrace_step_latency_seconds_count", step="out"), "the age of written rows")
    assert seen <= job.metric("millrace_step_latency_seconds_bucket", step="out", le="+Inf")
    address = next(line.split("rest=")[1] for line in job.stderr.splitlines() if line.startswith("listening rest="))
    with urllib.request.urlopen(address + "/healthz", timeout=5) as answer:
        assert json.load(answer) == {"status": "ok"}
    with urllib.request.urlopen(address + "/api/v1/jobs", timeout=5) as answer:
        (shown,) = json.load(answer)["jobs"]
    assert shown["name"] == "numbers" and shown["state"] == "RUNNING" and len(shown["id"]) == 32
    job.stop()
