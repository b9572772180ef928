"""The redis sink against a real Redis server, through the real binary."""
import json

from harness import wait_until

VIEW = """version: 1
name: view
settings: {{checkpoint: {{interval: 200ms}}, restart: {{strategy: none}}}}
sources:
  rows:
    type: file
    path: {path}
    format: {{type: json}}
    schema: {{k: STRING, v: BIGINT}}
    {source_more}
steps:
  - id: per_key
    key_by: [k]
    aggregate: {{n: COUNT(*), total: "SUM(CAST(v AS DECIMAL(10,2)))", biggest: MAX(v)}}
    {step_more}
sinks:
  view: {{type: redis, address: "{address}", key: [k], prefix: "{prefix}"{more}}}
"""


def make_view(env, rows, address=None, prefix="view:", more="", source_more="", step_more=""):
    path = env.directory / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return env.job(VIEW.format(path=path, address=address or env.redis.address, prefix=env.name + prefix, more=more,
                               source_more=source_more, step_more=step_more))


def test_a_view_keeps_one_hash_a_key(env):
    make_view(env, [{"k": f"k{i % 3}", "v": i} for i in range(3000)] + [{"k": "none", "v": None}]).run()
    for k in range(3):
        assert env.redis.hash(f"{env.name}view:k{k}") == {
            "k": f"k{k}", "n": "1000", "total": f"{sum(range(k, 3000, 3))}.00", "biggest": str(2997 + k)}
    assert env.redis.hash(f"{env.name}view:none") == {"k": "none", "n": "1"}, "NULL is an absent field"


def test_a_row_that_leaves_the_stream_leaves_the_view(env):
    make_view(env, [{"k": "a", "v": 1}, {"k": "b", "v": 1}, {"k": "a", "v": 2}, {"k": "a", "v": 3}],
              step_more="having: n < 3").run()
    assert env.redis.command("EXISTS", f"{env.name}view:a") == 0
    assert env.redis.command("EXISTS", f"{env.name}view:b") == 1


def test_json_values_expire(env):
    make_view(env, [{"k": "a", "v": 7}], more=", value: json, expire: 1h, database: 3").run()
    value = env.redis.command("GET", f"{env.name}view:a", database=3)
    assert value == '{"k":"a","n":1,"total":"7.00","biggest":7}', value
    assert 3_500_000 < env.redis.command("PTTL", f"{env.name}view:a", database=3) <= 3_600_000


def test_a_server_that_goes_away_and_comes_back(env):
    server = env.own_redis()
    job = make_view(env, [{"k": "a", "v": 1}], address=server.address, prefix="", source_more="follow: true").start()
    wait_until(lambda: "trouble with the server of a sink" in job.stderr, "the trouble is logged")
    assert server.address in job.stderr
    server.start()
    wait_until(lambda: server.command("HGET", f"{env.name}a", "n") == "1", "the first row")
    server.stop()
    with open(env.directory / "rows.jsonl", "a", encoding="utf-8") as file:
        file.write('{"k":"a","v":5}\n')
    server.start()
    wait_until(lambda: server.command("HGET", f"{env.name}a", "n") == "2", "the second row")
    job.stop()


def test_rows_that_the_server_refuses_are_dead_letters(env):
    env.redis.command("ACL", "SETUSER", f"{env.name}", "on", ">secret", f"~{env.name}view:a*", "+@all")
    rows = [{"k": "a1", "v": 1}, {"k": "b", "v": 2}, {"k": "a2", "v": 3}]
    user = f', user: {env.name}, password: "${{NO_SUCH_VARIABLE:-secret}}"'
    job = make_view(env, rows, more=user + ", on_error: dead_letter")
    job.file.write_text(job.file.read_text() + f"  refused: {{type: file, path: {env.directory}/refused.jsonl, "
                        "input: view.dead_letter}\n")
    job.run()
    assert env.redis.command("HGET", f"{env.name}view:a1", "n") == "1"
    assert env.redis.command("HGET", f"{env.name}view:a2", "n") == "1"
    assert env.redis.command("EXISTS", f"{env.name}view:b") == 0
    refused = [json.loads(line) for line in (env.directory / "refused.jsonl").read_text().splitlines()]
    assert [(one["step"], json.loads(one["row"])["k"]) for one in refused] == [("view", "b")], refused
    assert "NOPERM" in refused[0]["error"], refused
    job = make_view(env, rows, more=user)
    job.run(expect=1)
    assert "NOPERM" in job.stderr

