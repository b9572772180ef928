"""State that is read and state that outlives changes of its job: exact rows of every state, before and behind it."""
import json
import os
import subprocess

from cluster import Cluster
from harness import MILLRACE, wait_until

JOB = """
version: 1
name: shop
settings: {{checkpoint: {{interval: 1h}}}}
sources:
  orders:
    type: file
    path: ./in.jsonl
    follow: {follow}
    format: {{type: json}}
    schema: {{user: STRING, id: BIGINT, amount: {amount}, at: TIMESTAMP(3){more}}}
    event_time: {{column: at}}
steps:
  - id: last
    input: orders
    dedup: {{key: [id], keep: last}}
  - id: totals
    input: orders
    key_by: [user]
    aggregate: {{{totals}}}
  - id: hourly
    input: orders
    key_by: [user]
    window: {{type: tumbling, size: 1h}}
    aggregate: {{{hourly}}}
  - id: counter
    input: orders
    key_by: [user]
    process:
      state: {{{states}}}
      on_event:
        - {{set: {{{seen}: "COALESCE({seen}, 0) + 1"}}}}
        - {{emit: {{user: user, n: {seen}}}}}
sinks:
  to_last: {{input: last, type: file, path: ./last.jsonl}}
  to_totals: {{input: totals, type: file, path: ./totals.jsonl}}
  to_hourly: {{input: hourly, type: file, path: ./hourly.jsonl}}
  to_counter: {{input: counter, type: file, path: ./counter.jsonl}}
"""


def job(follow=True, amount="INT", more="", totals="n: COUNT(*), spent: SUM(amount)",
        hourly="n: COUNT(*), top: MAX(amount)", states="seen: BIGINT, other: BIGINT", seen="seen"):
    return JOB.format(follow=str(follow).lower(), amount=amount, more=more, totals=totals, hourly=hourly,
                      states=states, seen=seen)


FIRST = [("ann", 1, 5, 1000), ("bob", 2, 7, 2000), ("ann", 1, 9, 3000)]
SECOND = [("ann", 3, 1, 4000), ("bob", 2, 4, 5000)]


def feed(started, rows, more=None):
    with open(started.directory / "in.jsonl", "a", encoding="utf-8") as out:
        for user, number, amount, at in rows:
            out.write(json.dumps({"user": user, "id": number, "amount": amount, "at": at, **(more or {})}) + "\n")


def wait_taken(started, count):
    wait_until(lambda: started.metric("millrace_step_records_in_total", step="counter") == count, "rows are taken")


def saved(env):
    """A job that was stopped behind the first rows, and its newest checkpoint."""
    started = env.job(job())
    feed(started, FIRST)
    started.start()
    wait_taken(started, len(FIRST))
    started.stop()
    return started, newest(started)


def newest(started):
    return max((started.directory / "checkpoints" / "shop").glob("chk-*"), key=lambda path: int(path.name[4:]))


def millrace(started, *words, expect=0):
    done = subprocess.run([MILLRACE, *map(str, words)], cwd=started.directory, capture_output=True, text=True,
                          timeout=60, env={**os.environ, "NO_COLOR": "1"})
    assert done.returncode == expect, f"{words}: {done.returncode}, not {expect}\n{done.stdout}\n{done.stderr}"
    return done


def rows(started, name):
    return [json.loads(line) for line in (started.directory / name).read_text().splitlines()]


def read(started, *words, **options):
    return [json.loads(line) for line in millrace(started, "state", *words, **options).stdout.splitlines()]


def test_the_rows_of_every_state_are_shown_by_column(env):
    started, checkpoint = saved(env)
    listed = json.loads(millrace(started, "state", "list", checkpoint, "--output", "json").stdout)
    found = {(one["step"], one["state"]): one for one in listed["states"]}
    assert found["hourly", "window"]["rows"] == 2 and found["hourly", "window"]["keys"] == 2, found
    assert found["last", "dedup"]["keys"] == 2 and found["orders", "splits"]["kind"] == "split", found
    assert "tumbling window" in millrace(started, "state", "list", started.directory / "checkpoints" / "shop").stdout
    where = ["--step", "hourly", "--name", "window"]
    hourly = sorted(read(started, "scan", checkpoint, *where), key=lambda row: row["user"])
    assert hourly == [{"window_start": 0, "user": "ann", "window_end": 3600000, "n": 2, "top": 9},
                      {"window_start": 0, "user": "bob", "window_end": 3600000, "n": 1, "top": 7}], hourly
    assert read(started, "get", checkpoint, *where, "--key", "user=bob") == hourly[1:]
    assert read(started, "get", checkpoint, *where, "--key", "ann") == hourly[:1]
    wrong = millrace(started, "state", "get", checkpoint, *where, "--key", "id=1", expect=2).stderr
    assert "no key column `id`" in wrong, wrong
    assert read(started, "get", checkpoint, *where, "--key", "eve", expect=1) == []
    last = read(started, "get", checkpoint, "--step", "last", "--name", "dedup", "--key", "id=1")
    assert last == [{"id": 1, "closed": False, "time": 3000,
                     "row": {"user": "ann", "id": 1, "amount": 9, "at": 3000}}], last
    counter = read(started, "get", checkpoint, "--step", "counter", "--name", "process", "--key", "ann")
    assert counter == [{"user": "ann", "seen": 2, "other": None, "event_timers": [], "processing_timers": []}], counter
    everything = read(started, "scan", checkpoint)
    assert {line["step"] for line in everything} >= {"orders", "last", "totals", "hourly", "counter"}, everything
    assert len(read(started, "scan", checkpoint, "--limit", "3")) == 3
    wrong = millrace(started, "state", "scan", checkpoint, "--step", "hourly", "--name", "windows", expect=1).stderr
    assert "hourly/window" in wrong, wrong


def test_two_checkpoints_are_compared_row_by_row(env):
    started, before = saved(env)
    feed(started, SECOND)
    kept = started.directory / "kept"
    subprocess.run(["cp", "-r", before, kept], check=True)
    started.start()
    wait_taken(started, len(SECOND))
    started.stop()
    done = millrace(started, "state", "diff", kept, newest(started), "--step", "last", "--name", "dedup")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    changes = {(line["change"], (line.get("after") or line["before"])["id"]): line for line in lines}
    assert set(changes) == {("added", 3), ("changed", 2)}, lines
    changed = changes["changed", 2]
    assert changed["before"]["row"]["amount"] == 7 and changed["after"]["row"]["amount"] == 4, changed
    assert "last/dedup: 1 added, 0 removed, 1 changed" in done.stderr, done.stderr


CHANGED = {"amount": "BIGINT", "more": ", note: STRING", "totals": "spent: SUM(amount), least: MIN(amount)",
           "hourly": "rows: COUNT(*), n: COUNT(*), top: MAX(amount)",
           "states": "count: BIGINT", "seen": "count"}


def changed_job():
    text = job(follow=False, **CHANGED)
    return text.replace("  - id: counter", "  - id: counting\n    was: {step: counter, names: {count: seen}}")


def test_a_changed_job_goes_on_with_the_state_that_fits(env):
    started, checkpoint = saved(env)
    (started.directory / "new.yaml").write_text(changed_job().replace("input: counter", "input: counting"))
    plan = millrace(started, "plan", "new.yaml", "--against", checkpoint)
    assert "migrated    counting/process" in plan.stdout and "held as counter" in plan.stdout, plan.stdout
    assert "`least: MIN(amount)` is new and starts empty" in plan.stdout, plan.stdout
    assert "`n: COUNT(*)` is dropped" in plan.stdout, plan.stdout
    assert "`amount` grows from INT to BIGINT" in plan.stdout and "`note` is new" in plan.stdout, plan.stdout
    assert "`count` was `seen`" in plan.stdout and "`other` is dropped" in plan.stdout, plan.stdout
    as_json = json.loads(millrace(started, "plan", "new.yaml", "--against", checkpoint, "--format", "json").stdout)
    fates = {(one["step"], one["state"]): one["fate"] for one in as_json["against"]["states"]}
    assert fates["hourly", "window"] == "migrated" and fates["orders", "splits"] == "restored", fates
    feed(started, SECOND, {"note": "x"})
    before = {name: len(rows(started, name)) for name in ("last.jsonl", "totals.jsonl", "counter.jsonl")}
    started.file.write_text((started.directory / "new.yaml").read_text())
    started.run()
    assert sorted(rows(started, "hourly.jsonl"), key=str) == [
        {"user": user, "window_start": 0, "window_end": 3600000, "rows": n, "n": n, "top": top}
        for user, n, top in (("ann", 3, 9), ("bob", 2, 7))]

    def added(name):
        return sorted(rows(started, name)[before[name]:], key=str)

    assert added("totals.jsonl") == [
        {"op": "+U", "user": "ann", "spent": 15, "least": 1}, {"op": "+U", "user": "bob", "spent": 11, "least": 4},
        {"op": "-U", "user": "ann", "spent": 14, "least": None}, {"op": "-U", "user": "bob", "spent": 7, "least": None}]
    assert added("last.jsonl") == [
        {"op": "+I", "user": "ann", "id": 3, "amount": 1, "at": 4000, "note": "x"},
        {"op": "+U", "user": "bob", "id": 2, "amount": 4, "at": 5000, "note": "x"},
        {"op": "-U", "user": "bob", "id": 2, "amount": 7, "at": 2000, "note": None}]
    assert added("counter.jsonl") == [{"user": "ann", "n": 3}, {"user": "bob", "n": 2}]


def refused(started, text, why, expect=4):
    """Plan and start say the same, and the state stays for the file that fits."""
    (started.directory / "new.yaml").write_text(text)
    plan = millrace(started, "plan", "new.yaml", "--against", started.directory / "checkpoints" / "shop", expect=expect)
    assert why in plan.stdout, plan.stdout
    old = started.file.read_text()
    started.file.write_text(text)
    started.run(expect=expect)
    assert why in started.stderr, started.stderr
    started.file.write_text(old)


def test_what_does_not_fit_is_refused_with_the_reason_before_anything_starts(env):
    started, _ = saved(env)
    refused(started, job().replace("size: 1h}", "size: 2h}"), "`size` was 1h, is 2h")
    refused(started, job().replace("id: hourly", "id: h").replace("input: hourly", "input: h"), "hourly")
    refused(started, job(hourly="n: COUNT(*), top: MAX(id)"), "`top` was MAX(amount), is MAX(id)")
    refused(started, job(amount="STRING", totals="n: COUNT(*)", hourly="n: COUNT(*)"),
            "the column `amount` was INT, is STRING")
    refused(started, job().replace("dedup: {key: [id], keep: last}", "dedup: {key: [user], keep: last}"),
            "the key was (id BIGINT), is (user STRING)")
    refused(started, job().replace("    window: {type: tumbling, size: 1h}\n", ""),
            "`hourly` was a tumbling window, and is a running aggregate now")
    refused(started, job().replace("settings: {", "settings: {max_parallelism: 64, "), "max_parallelism")
    feed(started, SECOND)
    started.file.write_text(job(follow=False))
    started.run()
    assert {"ann": 9, "bob": 7} == {row["user"]: row["top"] for row in rows(started, "hourly.jsonl")}


CLUSTER_JOB = """
version: 1
name: numbers
settings: {{checkpoint: {{interval: 200ms}}}}
sources:
  numbers:
    type: datagen
    rows_per_second: 1000
    schema:
      id: BIGINT SEQUENCE(1, 100000000)
      k: BIGINT AS id % 7
steps:
  - {{id: per_key, key_by: [k], aggregate: {{{aggregates}}}}}
sinks:
  out: {{type: blackhole}}
"""


def test_a_running_job_shows_its_state_and_keeps_running_when_an_upgrade_does_not_fit(env):
    made = Cluster(env.directory / "cluster", task_managers=1)
    env.own_servers.append(made)
    made.start()
    text = CLUSTER_JOB.format(aggregates="n: COUNT(*), most: MAX(id)")
    made.submit(text)
    wait_until(lambda: made.job("numbers")["checkpoints"]["last"]["bytes"] > 0, "a checkpoint with rows")
    listed = made.get("/api/v1/jobs/numbers/state")
    assert {"per_key", "numbers"} <= {one["step"] for one in listed["states"]}, listed
    answer = made.get("/api/v1/jobs/numbers/state/per_key/aggregate?key=3")
    assert len(answer["rows"]) == 1 and answer["rows"][0]["k"] == 3 and answer["rows"][0]["n"] > 0, answer
    assert len(made.get("/api/v1/jobs/numbers/state/per_key/aggregate?limit=2")["rows"]) == 2
    status, body = made.call("GET", "/api/v1/jobs/numbers/state/per_key/nothing")
    assert status == 404 and "per_key/aggregate" in json.dumps(body), (status, body)
    attempt = made.job("numbers")["attempt"]
    status, answer = made.call("POST", "/api/v1/jobs/numbers/upgrade", text.replace("MAX(id)", "MAX(k)"))
    assert status == 202, answer
    path = f"/api/v1/jobs/numbers/operations/{answer['trigger_id']}"
    done = wait_until(lambda: made.get(path)["done"] and made.get(path), "the upgrade is decided")
    assert "`most` was MAX(id), is MAX(k)" in done["failure"]["message"], done
    assert made.job("numbers")["attempt"] == attempt and made.job("numbers")["state"] == "RUNNING"
    status, answer = made.call("POST", "/api/v1/jobs/numbers/upgrade", text.replace("most:", "least: MIN(id), most:"))
    path = f"/api/v1/jobs/numbers/operations/{answer['trigger_id']}"
    done = wait_until(lambda: made.get(path)["done"] and made.get(path), "the upgrade is decided")
    assert "failure" not in done, done


def limited(on_limit):
    text = CLUSTER_JOB.format(aggregates="n: COUNT(*)").replace("key_by: [k]", "key_by: [id]")
    return text.replace("settings: {", f"settings: {{state: {{limit: 20KiB, on_limit: {on_limit}}}, ")


def test_a_state_beyond_its_limit_fails_the_job_and_its_checkpoint_stays(env):
    started = env.job(limited("fail"))
    started.run(expect=4)
    assert "E0406" in started.stderr and "limit of 20.5 kB exceeded" in started.stderr, started.stderr
    kept = json.loads(millrace(started, "state", "list", "checkpoints/numbers", "--output", "json").stdout)
    assert any(one["step"] == "per_key" and one["rows"] > 100 for one in kept["states"]), kept


def test_a_state_beyond_its_limit_holds_the_sources_until_there_is_room(env):
    made = Cluster(env.directory / "cluster", task_managers=1)
    env.own_servers.append(made)
    made.start()
    made.submit(limited("backpressure"))
    wait_until(lambda: made.job("numbers").get("state_size", {}).get("sources_held"), "the sources pause")
    findings = made.get("/api/v1/jobs/numbers/doctor")["findings"]
    assert any(one["kind"] == "state_limit" and "pause" in one["text"] for one in findings), findings
    rows_then = wait_until(lambda: quiet(made), "no more rows come")
    roomy = limited("backpressure").replace("20KiB", "20MiB")
    status, answer = made.call("POST", "/api/v1/jobs/numbers/upgrade", roomy)
    assert status == 202, answer
    wait_until(lambda: not made.job("numbers")["state_size"]["sources_held"], "the sources go on")
    wait_until(lambda: kept_rows(made) > rows_then, "rows come again")


def kept_rows(made):
    states = made.get("/api/v1/jobs/numbers/state")["states"]
    return next(one["rows"] for one in states if one["step"] == "per_key" and one["state"] == "aggregate")


def quiet(made):
    """The rows of the state when two further checkpoints have not changed their number."""
    before, rows_before = made.job("numbers")["checkpoints"]["completed"], kept_rows(made)
    wait_until(lambda: made.job("numbers")["checkpoints"]["completed"] >= before + 2, "two more checkpoints")
    return rows_before if kept_rows(made) == rows_before else 0
