"""Look-up joins against real PostgreSQL and Redis servers, through the real binary."""
import json

from harness import wait_until

JOB = """version: 1
name: {name}
settings: {{checkpoint: {{interval: 200ms}}, restart: {{strategy: none}}}}
sources:
  rows:
    type: {source}
    schema: {{k: BIGINT, n: BIGINT}}
steps:
  - id: enriched
    join:
      kind: lookup
      type: left
      left: rows
      right: {{name: t, {table}}}
      equal: {{k: id}}
      select: {{n: n, k: k, {select}}}
      {more}
sinks:
  out: {{type: file, path: {out}}}
"""


def make_job(env, rows, table, select, more="", name="lookup", follow=False, **environment):
    path = env.directory / f"{name}.in.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = env.directory / f"{name}.out.jsonl"
    source = f"file\n    path: {path}\n    format: json" + "\n    follow: true" * follow
    job = env.job(JOB.format(name=name, source=source, table=table, select=select, more=more, out=out), **environment)
    return job, lambda: [json.loads(line) for line in out.read_text().splitlines()]


def postgres_table(env, schema):
    return {"table": f"type: postgres, secrets: {{dsn: lookup_dsn}}, table: users, schema: {{{schema}}}",
            "MILLRACE_SECRET_LOOKUP_DSN": env.postgres.dsn}


def test_rows_find_their_user_in_postgres_in_order(env):
    env.postgres.execute("CREATE TABLE users (id int PRIMARY KEY, name text, vip boolean, born date, at timestamp, "
                         "balance numeric(10,2), photo bytea)")
    env.postgres.execute("INSERT INTO users SELECT i, 'user \"' || i || '\"', i % 2 = 0, '2000-01-01'::date + i, "
                         "'2021-01-02 03:04:05.678', i * 1.25, '\\x0001ff' FROM generate_series(1, 1000) i")
    env.postgres.execute("UPDATE users SET name = NULL, vip = NULL, photo = NULL WHERE id = 7")
    rows = [{"k": i * 37 % 1100, "n": i} for i in range(20_000)] + [{"k": None, "n": -1}, {"k": 2**40, "n": -2}]
    table = postgres_table(env, "id: INT, name: STRING, vip: BOOLEAN, born: DATE, at: TIMESTAMP(3), "
                                "balance: 'DECIMAL(10,2)', photo: BYTES")
    job, result = make_job(env, rows, select="name: t.name, vip: t.vip, born: t.born, at: t.at, balance: t.balance, "
                                             "photo: t.photo", **table)
    job.run()
    got = result()
    assert [row["n"] for row in got] == [row["n"] for row in rows], "the order is that of the input"
    by_key = {row["k"]: row for row in got}
    assert by_key[2]["name"] == 'user "2"' and by_key[2]["vip"] is True and by_key[3]["vip"] is False, by_key[2]
    assert by_key[2]["born"] == "2000-01-03" and by_key[2]["at"] == 1609556645678, by_key[2]
    assert by_key[2]["balance"] == "2.50" and by_key[2]["photo"] == "AAH/", by_key[2]
    assert by_key[7]["name"] is None and by_key[7]["balance"] == "8.75", by_key[7]
    for k in (0, 1050, 2**40, None):
        assert by_key[k]["name"] is None and by_key[k]["balance"] is None, by_key[k]


def test_a_missing_table_ends_the_job_and_says_so(env):
    job, _ = make_job(env, [{"k": 1, "n": 1}], select="name: t.name", **postgres_table(env, "id: INT, name: STRING"))
    job.start()
    assert job.wait() not in (0, 130)
    assert "there is no table users" in job.stderr, job.stderr


def test_rows_that_wait_for_an_absent_server_survive_a_kill(env):
    """The server is away: rows wait, checkpoints go on, a kill loses none of them."""
    env.postgres.execute("CREATE TABLE users (id int PRIMARY KEY, name text)")
    env.postgres.execute("INSERT INTO users SELECT i, 'u' || i FROM generate_series(1, 10) i")
    table = postgres_table(env, "id: INT, name: STRING")
    away = dict(table, MILLRACE_SECRET_LOOKUP_DSN="postgresql://nobody@127.0.0.1:1/nowhere")
    rows = [{"k": i % 12, "n": i} for i in range(100)]
    options = {"select": "name: t.name", "more": "retry: {attempts: 1000000, delay: 100ms}"}
    job, result = make_job(env, rows, follow=True, **options, **away)
    job.start()
    wait_until(lambda: job.stderr.count("a look-up failed") > 3, "several tries")
    completed = lambda: job.metric("millrace_checkpoints_total", result="completed")
    before = completed()
    wait_until(lambda: completed() > before + 1, "checkpoints while rows wait")
    job.kill()
    job, result = make_job(env, rows, **options, **table)
    job.run()
    got = result()
    assert [row["n"] for row in got] == list(range(100)), got
    assert all(row["name"] == (f"u{row['k']}" if 1 <= row["k"] <= 10 else None) for row in got), got


def test_rows_find_hashes_and_json_texts_in_redis(env):
    for i in range(1, 50):
        env.redis.command("HSET", f"{env.name}h:{i}", "name", f"n{i}", "score", str(i * 2))
        env.redis.command("SET", f"{env.name}j:{i}", json.dumps({"id": i, "name": f"n{i}", "score": i * 2}))
    rows = [{"k": i % 60, "n": i} for i in range(3000)]
    for kind, value in (("h", "hash"), ("j", "json")):
        job, result = make_job(env, rows, f'type: redis, address: "{env.redis.address}", prefix: "{env.name}{kind}:", '
                               f"value: {value}, schema: {{id: BIGINT, name: STRING, score: INT}}",
                               "name: t.name, score: t.score", name=f"redis-{value}", more="ordered: false")
        job.run()
        got = sorted(result(), key=lambda row: row["n"])
        assert len(got) == 3000
        for row in got:
            known = 1 <= row["k"] < 50
            assert row["name"] == (f"n{row['k']}" if known else None), row
            assert row["score"] == (row["k"] * 2 if known else None), row
