"""Checkpoints, savepoints and files on a real S3 server, also when it is slow, overloaded or out of reach: the job goes
on, or ends with the reason, and what it wrote is right."""
import json
import random
import re
import subprocess
import time

from audit_it import command
from cluster import Cluster
from cluster_it import Logs, cluster, job as numbers_job
from exactly_once_it import DIRECTORY, check_output, committed, exactly_once
from harness import wait_until
from kafka_it import events
from main_job_it import close_windows, purchases, start_job
from s3 import KEYS


def s3_job(env, text, endpoint=None, **more):
    """A job of a bucket of its own, and the directory in which the server keeps it."""
    bucket = f"bucket-{len(env.jobs)}-{abs(hash(env.name)) % 10**9}"
    objects = env.s3.bucket(bucket)
    job = env.job(text.replace("BUCKET", bucket), MILLRACE_S3_ENDPOINT=endpoint or env.s3.endpoint, **{**KEYS, **more})
    job.checkpoint_dir = f"s3://{bucket}/checkpoints"
    return job, objects


def checkpoints(objects):
    """Completed ones, oldest first; an empty _metadata only keeps a dead owner from completing it."""
    found = [path.parent for path in objects.glob("checkpoints/*/chk-*/_metadata") if path.stat().st_size > 0]
    return sorted(found, key=lambda path: int(path.name[4:]))


def file_rows(directory):
    rows = []
    for path in sorted(directory.glob("part-*"), key=lambda path: int(path.stem.split("-")[3])):
        rows += [json.loads(line)["n"] for line in path.read_text().splitlines()]
    return rows


def nothing_local(job):
    left = {path.name for path in job.directory.iterdir()} - {"job.yaml", "rejected"}
    assert all(name.startswith(("stdout.", "stderr.")) for name in left), f"on the local disk: {left}"


def test_the_main_job_goes_on_from_s3_after_kills(env):
    topic, alerts = env.topic("user_events", 2), env.topic("alerts")
    plain, arguments = start_job(env, topic, alerts)
    job, objects = s3_job(env, plain.file.read_text(), **{k: v for k, v in plain.environment.items() if "KAFKA" in k})
    for count in (4, 3, 4):
        env.kafka.produce(topic, purchases("u1", count, 0))
        job.start(*arguments)
        wait_until(lambda: job.metric("millrace_checkpoints_total", result="completed") >= 2, "checkpoints on S3")
        job.kill()
    assert checkpoints(objects)
    close_windows(env, topic)
    job.start(*arguments)
    wait_until(lambda: env.kafka.count(alerts) >= 1, "an alert")
    job.stop()
    value = json.loads(env.kafka.consume(alerts)[0]["value"])
    assert (value["purchases"], value["spent"]) == (11, "55.00")
    nothing_local(job)


def test_kafka_output_is_exactly_once_with_segments_on_s3(env):
    source, sink = env.topic("in", 3), env.topic("out", 2)
    job, _ = s3_job(env, exactly_once(env, source, sink))
    total, piece = 6000, 1000
    for first in range(0, total, piece):
        env.kafka.produce(source, [{"value": json.dumps(e), "partition": int(e["user"][1:]) % 3}
                                   for e in events(first, first + piece)])
        job.start()
        wait_until(lambda: committed(env, sink) > first, "some rows are committed")
        job.kill()
    job.start()
    wait_until(lambda: committed(env, sink) >= total, f"{total} committed rows")
    job.stop()
    check_output(env, sink, total)


def test_files_on_s3_appear_once_whatever_crashes(env):
    job, objects = s3_job(env, DIRECTORY.format(path="s3://BUCKET/out"))
    points = ["recover.claimed", "segment.sealed", "complete.before", "complete.after", "notified", "commit.produced:2",
              "commit.flushed:2", "commit.sent:2", "commit.done"]
    for point in [*points, ""]:
        job.environment["MILLRACE_CRASH_AT"] = point
        job.start()
        assert job.wait() == (-9 if point else 0)
    assert file_rows(objects / "out") == list(range(3000))
    assert list(objects.glob("checkpoints/files/segments/out/0/*")), "segments lie on S3"
    nothing_local(job)


LARGE = """version: 1
name: large
settings: {checkpoint: {interval: 500ms}}
sources:
  numbers:
    type: datagen
    rows: 900000
    rows_per_second: 100000
    schema: {n: "BIGINT SEQUENCE(0, 899999)", at: "TIMESTAMP(3) AS TO_TIMESTAMP_LTZ(n, 3)"}
    event_time: {column: at}
steps:
  - {id: per_number, key_by: [n], aggregate: {times: COUNT(*)}, window: {type: tumbling, size: 1h}}
sinks: {out: {type: file, path: "s3://BUCKET/out/", delivery: exactly_once, format: {type: json}}}
"""


def test_large_state_and_output_go_up_in_parts_and_come_back(env):
    proxy = env.faulty_s3()
    job, objects = s3_job(env, LARGE, proxy.endpoint)
    job.start()

    def large_checkpoint():
        """A state file went up in parts, and a checkpoint was completed behind it."""
        seen = [(method, path.partition("?")) for method, path, _ in list(proxy.seen)]
        whole = [n for n, (method, (name, _, query)) in enumerate(seen)
                 if method == "POST" and name.endswith(".state") and query.startswith("uploadId=")]
        return whole and any(method == "PUT" and name.endswith("_metadata") for method, (name, _, _) in seen[whole[0]:])

    wait_until(large_checkpoint, "a checkpoint of more than 16 MiB")
    job.kill()
    job.run()
    assert '"restored_checkpoint":"0"' not in job.stderr, job.stderr[-1000:]
    rows = [json.loads(line) for path in (objects / "out").glob("part-*") for line in path.read_text().splitlines()]
    assert len(rows) == 900000 and all(row["times"] == 1 for row in rows)
    assert len({row["n"] for row in rows}) == 900000
    assert any("uploadId=" in path and method == "POST" for method, path, _ in proxy.seen), "no upload in parts"


def test_an_s3_that_fails_now_and_then_changes_no_result(env):
    proxy = env.faulty_s3()
    dice = random.Random(20)
    proxy.fault = lambda method, path: dice.choice(["503", "reset", "lost", "slow"]) if dice.random() < 0.15 else None
    job, objects = s3_job(env, DIRECTORY.format(path="s3://BUCKET/out"), proxy.endpoint)
    for point in ("complete.after:3", "commit.flushed:3", ""):
        job.environment["MILLRACE_CRASH_AT"] = point
        job.start()
        assert job.wait(120) == (-9 if point else 0), job.stderr[-2000:]
    assert file_rows(objects / "out") == list(range(3000))
    assert {fault for _, _, fault in proxy.seen} >= {"503", "reset", "lost"}


def test_a_job_outlives_an_s3_that_is_gone_for_a_while(env):
    proxy = env.faulty_s3()
    text = DIRECTORY.format(path="s3://BUCKET/out").replace("rows: 3000, rows_per_second: 1000", "rows_per_second: 200")
    job, objects = s3_job(env, text.replace("SEQUENCE(0, 2999)", "SEQUENCE(0, 99999999)"), proxy.endpoint)
    job.start()
    wait_until(lambda: file_rows(objects / "out"), "files on S3")
    proxy.fault = lambda method, path: "503"
    refused = len(proxy.seen)
    wait_until(lambda: len(proxy.seen) >= refused + 8, "S3 is asked again and again")
    assert job.process.poll() is None
    produced = job.metric("millrace_step_records_out_total", step="numbers")
    wait_until(lambda: job.metric("millrace_step_records_out_total", step="numbers") > produced + 50, "rows flow on")
    proxy.fault = lambda method, path: None
    published = len(file_rows(objects / "out"))
    wait_until(lambda: len(file_rows(objects / "out")) > published, "files on S3 again")
    job.stop()
    rows = file_rows(objects / "out")
    assert rows == list(range(len(rows)))


def test_a_job_that_failed_comes_back_when_s3_does(env):
    proxy = env.faulty_s3()
    strict = "interval: 100ms, tolerable_failures: 0}, restart: {strategy: fixed, attempts: 1000, delay: 100ms}"
    text = DIRECTORY.format(path="s3://BUCKET/out").replace("interval: 100ms}", strict)
    job, objects = s3_job(env, text, proxy.endpoint, MILLRACE_S3_TIMEOUT="300ms")
    job.start()
    wait_until(lambda: file_rows(objects / "out"), "files on S3")
    proxy.fault = lambda method, path: "503"
    wait_until(lambda: job.metric("millrace_job_restarts_total", cause="storage") >= 2, "the job is started in vain")
    assert job.metric("millrace_job_restarts_total", cause="checkpoint_failure") == 1
    proxy.fault = lambda method, path: None
    assert job.wait() == 0, job.stderr[-2000:]
    assert file_rows(objects / "out") == list(range(3000))


def test_a_stop_writes_a_savepoint_to_s3_from_which_another_cluster_goes_on(env):
    bucket = f"savepoints-{time.time_ns()}"
    objects = env.s3.bucket(bucket)
    settings = {**KEYS, "MILLRACE_S3_ENDPOINT": env.s3.endpoint}
    made = cluster(env, checkpoint_dir=f"s3://{bucket}/checkpoints", **settings)
    text = numbers_job(rows=16000).replace("./numbers/", f"s3://{bucket}/numbers/")
    made.submit(text)
    wait_until(lambda: list((objects / "numbers").glob("*.jsonl")), "some windows are published")
    done = made.operation("numbers", "stop", directory=f"s3://{bucket}/kept/")
    assert done["path"].startswith(f"s3://{bucket}/kept/savepoint-"), done
    assert (objects / done["path"].split("/", 3)[3] / "_metadata").exists()
    made.wait_state("numbers", "SUSPENDED")
    assert 0 < windows_of(objects / "numbers") < 16000
    other = Cluster(env.directory / "other", checkpoint_dir=f"s3://{bucket}/elsewhere", **settings)
    env.own_servers.append(other)
    env.jobs.append(Logs(other))
    other.start()
    other.submit(text, restore=done["path"])
    other.wait_state("numbers", "FINISHED", 60)
    assert windows_of(objects / "numbers") == 16000


def windows_of(directory) -> int:
    """All rows of the windows in the files, each of which must come once."""
    counts = {}
    for path in directory.glob("*.jsonl"):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            assert counts.setdefault((row["k"], row["window_start"]), row["n"]) is row["n"], row
            counts[row["k"], row["window_start"]] = row["n"]
    return sum(counts.values())


def test_a_missing_or_damaged_object_is_named(env):
    text = DIRECTORY.format(path="s3://BUCKET/out")
    job, objects = s3_job(env, text)
    job.environment["MILLRACE_CRASH_AT"] = "complete.after:4"
    job.start()
    assert job.wait() == -9
    job.environment["MILLRACE_CRASH_AT"] = ""
    state, = list(checkpoints(objects)[-1].glob("*.state"))[:1]
    content = state.read_bytes()
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 4
    state.write_bytes(bytes(damaged))
    job.run(expect=4)
    assert "E0402" in job.stderr and state.name in job.stderr, job.stderr[-1500:]
    state.unlink()
    job.run(expect=4)
    assert "E0402" in job.stderr and state.name in job.stderr and "missing" in job.stderr, job.stderr[-1500:]


def test_commands_read_what_lies_on_s3(env):
    job, objects = s3_job(env, DIRECTORY.format(path="s3://BUCKET/out"), MILLRACE_CRASH_AT="complete.after:4")
    job.start()
    assert job.wait() == -9
    job.environment["MILLRACE_CRASH_AT"] = ""
    directory = job.checkpoint_dir + "/files"
    assert " 0 rows pending" not in command(job, "audit", directory)
    job.run("--fresh", expect=4)
    assert "--allow-dropped-state" in job.stderr, job.stderr
    newest = f"{directory}/{checkpoints(objects)[-1].name}"
    plan = command(job, "plan", str(job.file), "--against", newest)
    assert re.search(r"restored +numbers", plan), plan
    other = env.job(job.file.read_text(), **{k: v for k, v in job.environment.items() if k in KEYS or "S3" in k})
    other.checkpoint_dir = str(other.directory / "checkpoints")  # from S3 to the local disk
    other.run("--restore", newest)
    assert file_rows(objects / "out") == list(range(3000))
    assert "as it should be" in command(other, "audit", other.checkpoint_dir + "/files")
    published = max((objects / "out").glob("part-*"), key=lambda path: int(path.stem.split("-")[3]))
    published.write_text(published.read_text() + '{"n":1}\n')
    assert published.name in command(other, "audit", other.checkpoint_dir + "/files", expect=1)
    job.run("--fresh", "--allow-dropped-state")
    assert [path.name for path in objects.glob("checkpoints/*.old-*")] == ["files.old-1"]


def test_what_cannot_work_is_refused_with_the_reason(env):
    text = DIRECTORY.format(path="s3://BUCKET/out")
    job, _ = s3_job(env, text, AWS_SECRET_ACCESS_KEY="wrong")
    job.run(expect=1)
    assert "403 SignatureDoesNotMatch" in job.stderr and "AWS_SECRET_ACCESS_KEY" in job.stderr, job.stderr
    job, _ = s3_job(env, text, AWS_ACCESS_KEY_ID="")
    job.run(expect=1)
    assert "no keys for S3" in job.stderr, job.stderr
    job, _ = s3_job(env, text)
    job.checkpoint_dir = "s3://no-such-bucket/x"
    job.run(expect=1)
    assert "NoSuchBucket" in job.stderr and "create the bucket" in job.stderr, job.stderr
    job, _ = s3_job(env, text.replace("exactly_once", "at_least_once"))
    job.run(expect=2)
    assert "E0302" in job.stderr and "exactly_once" in job.stderr, job.stderr
    job, _ = s3_job(env, text)
    job.checkpoint_dir = "s3://Not_a_bucket!/x"
    job.run(expect=2)
    assert "E0106" in job.stderr, job.stderr


def test_s3_over_tls_needs_a_certificate_that_is_trusted(env):
    certificate, key = env.directory / "certificate.pem", env.directory / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)
    proxy = env.faulty_s3((certificate, key))
    job, objects = s3_job(env, DIRECTORY.format(path="s3://BUCKET/out"), proxy.endpoint)
    job.run(expect=1)
    assert "E0304" in job.stderr and "certificate" in job.stderr, job.stderr
    job.environment["AWS_CA_BUNDLE"] = str(certificate)
    job.run()
    assert file_rows(objects / "out") == list(range(3000))


def test_of_two_processes_one_has_the_job(env):
    job, objects = s3_job(env, DIRECTORY.format(path="s3://BUCKET/out"))
    job.start()
    wait_until(lambda: checkpoints(objects), "a checkpoint")
    other = env.job(job.file.read_text(), **{k: v for k, v in job.environment.items() if k in KEYS or "S3" in k})
    other.checkpoint_dir = job.checkpoint_dir
    other.start()
    assert job.wait() == 4, "the first one must find out that it lost the job"
    assert "E0405" in job.stderr, job.stderr[-1500:]
    assert other.wait() == 0
    assert file_rows(objects / "out") == list(range(3000))
