"""The postgres sink against a real PostgreSQL server, through the real binary."""
import json
import random
import signal

from harness import wait_until

ROWS = """version: 1
name: {name}
settings: {{checkpoint: {{interval: 200ms}}, restart: {{strategy: none}}}}
sources:
  rows:
    type: file
    path: {path}
    format: {{type: json}}
    schema: {{{schema}}}
    {source_more}
steps: [{steps}]
sinks:
  out: {{type: postgres, dsn: "${{PG_DSN}}", table: {table}{more}}}
{rest}"""


def make_job(env, rows, schema, table, more="", dsn=None, name="pg", rest="", source_more="", steps=None):
    path = env.directory / f"{name}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = ROWS.format(name=name, path=path, schema=schema, table=table, more=more and ", " + more, rest=rest,
                       source_more=source_more, steps=steps or '{id: all, filter: "TRUE"}')
    return env.job(text, PG_DSN=dsn or env.postgres.dsn)


def test_rows_of_all_types_are_appended(env):
    env.postgres.execute("CREATE TABLE t (b boolean, i smallint, n bigint, d numeric(10,2), f float8, s varchar(10), "
                         "y bytea, day date, at time, ts timestamp, tz timestamptz, l jsonb, extra int DEFAULT 7)")
    rows = [{"b": True, "i": -3, "n": 2**62, "d": "12.34", "f": 0.1, "s": "a\t\"\\\nü", "y": "AAH/",
             "day": "2020-02-29", "at": "12:34:56.789", "ts": "2021-01-02 03:04:05.678", "tz": 1609556645678,
             "l": [1, 2]}, {}]
    schema = ("b: BOOLEAN, i: INT, n: BIGINT, d: 'DECIMAL(10,2)', f: DOUBLE, s: STRING, y: BYTES, day: DATE, at: TIME, "
              "ts: TIMESTAMP(3), tz: TIMESTAMP(3), l: ARRAY<INT>")
    make_job(env, rows, schema, "t").run()
    full, empty = env.postgres.rows("SELECT * FROM t ORDER BY n")
    assert full == {"b": True, "i": -3, "n": 2**62, "d": 12.34, "f": 0.1, "s": "a\t\"\\\nü", "y": "\\x0001ff",
                    "day": "2020-02-29", "at": "12:34:56.789", "ts": "2021-01-02T03:04:05.678",
                    "tz": "2021-01-02T03:04:05.678+00:00", "l": [1, 2], "extra": 7}, full
    assert all(value is None for key, value in empty.items() if key != "extra"), empty


def test_an_updating_stream_keeps_one_row_a_key(env):
    env.postgres.execute('CREATE SCHEMA app; CREATE TABLE app."Counts" (k text PRIMARY KEY, n bigint, s numeric)')
    rows = [{"k": f"k{i % 7}", "v": i} for i in range(5000)]
    make_job(env, rows, "k: STRING, v: BIGINT", "app.Counts", "key: [k]",
             steps="{id: per, key_by: [k], aggregate: {n: COUNT(*), s: SUM(v)}}").run()
    got = env.postgres.rows('SELECT * FROM app."Counts" ORDER BY k')
    assert got == [{"k": f"k{k}", "n": len(range(k, 5000, 7)), "s": sum(range(k, 5000, 7))} for k in range(7)], got


def test_what_does_not_fit_the_table_is_said_at_the_start(env):
    env.postgres.execute("CREATE TABLE t (id int PRIMARY KEY, name text NOT NULL)")
    for schema, more, table, words in [
            ("id: INT", "", "absent", "there is no table absent"),
            ("id: INT, nam: STRING", "", "t", "a column with a similar name exists: `name`"),
            ("id: INT", "", "t", "`name` of the table t is NOT NULL and the sink does not write it"),
            ("id: STRING, name: STRING", "", "t", "`id` is STRING and the table t has integer"),
            ("id: INT, name: STRING", "key: [name]", "t", "no primary key or unique index on (name)")]:
        job = make_job(env, [{"id": 1, "name": "a"}], schema, table, more)
        job.start()
        assert job.wait() not in (0, 130)
        assert words in job.stderr, job.stderr


def test_refused_rows_become_dead_letters_in_any_way_they_are_refused(env):
    env.postgres.execute("CREATE TABLE t (id int PRIMARY KEY, name varchar(3) NOT NULL, n int CHECK (n < 100))")
    rows = [{"id": i, "name": "abc", "n": i} for i in range(50)]
    rows[7]["name"] = None  # seen by us
    rows[8]["name"] = "abcd"
    rows[9]["id"] = 2**40
    rows[10]["n"] = 100  # seen by the server only
    rows.append({"id": 3, "name": "dup", "n": 1})
    out = env.directory / "dead.jsonl"
    rest = f"  dead: {{input: out.dead_letter, type: file, path: {out}, format: {{type: json}}}}\n"
    job = make_job(env, rows, "id: BIGINT, name: STRING, n: INT", "t", "on_error: dead_letter", rest=rest)
    job.run()
    dead = [json.loads(line) for line in out.read_text().splitlines()]
    assert [json.loads(letter["row"])["id"] for letter in dead] == [7, 8, 2**40, 10, 3], dead
    assert all(letter["step"] == "out" and letter["code"] == "E0507" for letter in dead)
    assert "check constraint" in dead[3]["error"] and "duplicate key" in dead[4]["error"], dead
    assert env.postgres.value("SELECT count(*) FROM t") == 46


def test_a_refused_row_fails_the_job_with_its_reason(env):
    env.postgres.execute("CREATE TABLE t (id int PRIMARY KEY, ref int, "
                         "FOREIGN KEY (ref) REFERENCES t DEFERRABLE INITIALLY DEFERRED)")
    rows = [{"id": 1, "ref": 2}, {"id": 2, "ref": 99}]
    job = make_job(env, rows, "id: INT, ref: INT", "t").start()
    assert job.wait() not in (0, 130)
    assert "foreign key" in job.stderr and "sink out" in job.stderr, job.stderr


def test_the_server_is_down_at_the_start_and_in_the_middle(env):
    server = env.own_postgres().start()
    table = server.admin()
    table.execute("CREATE TABLE t (id int PRIMARY KEY)")
    server.stop()
    dsn = f"postgresql://millrace:secret@127.0.0.1:{server.port}/postgres"
    job = make_job(env, [{"id": i} for i in range(100)], "id: INT", "t", "key: [id]", dsn=dsn,
                    source_more="follow: true")
    path = env.directory / "pg.jsonl"
    job.start()
    wait_until(lambda: "trouble with the server of a sink" in job.stderr, "the trouble is logged")
    assert f"127.0.0.1:{server.port}" in job.stderr
    server.start()
    wait_until(lambda: table.value("SELECT count(*) FROM t") == 100, "100 rows")
    server.stop(signal.SIGQUIT)
    with open(path, "a", encoding="utf-8") as file:
        file.writelines(json.dumps({"id": i}) + "\n" for i in range(100, 300))
    server.start()
    wait_until(lambda: table.value("SELECT count(*) FROM t") == 300, "300 rows", 60)
    job.stop()


def test_kill_9_loses_no_row(env):
    env.postgres.execute("CREATE TABLE t (id int PRIMARY KEY)")
    total = 30_000
    job = make_job(env, [{"id": i} for i in range(total)], "id: INT", "t", "key: [id]",
                    source_more="rate_limit: 15000")
    moments = random.Random(5)
    for _ in range(4):
        enough = env.postgres.value("SELECT count(*) FROM t") + moments.randrange(1, 3000)
        job.start()
        wait_until(lambda: env.postgres.value("SELECT count(*) FROM t") >= min(enough, total), "some progress")
        job.kill()
    job.run()
    assert env.postgres.value("SELECT count(*) FROM t") == total
