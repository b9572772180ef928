"""A job under back pressure on a small cluster: a source without a limit, a keyed exchange, a step that lets few rows
pass, and an exactly-once sink. What an aligned checkpoint of it takes, and an unaligned one."""

NAME = "pressed"
JOB = """version: 1
name: pressed
settings:
  parallelism: 2
  batch_rows: {batch_rows}
  checkpoint: {{interval: 1h, timeout: 10m}}
  restart: {{strategy: fixed, attempts: 1000, delay: 10ms}}
sources:
  rows:
    type: datagen
    rows: {rows}
    schema:
      id: BIGINT SEQUENCE(1, 1000000000)
      at: TIMESTAMP(3) AS TO_TIMESTAMP_LTZ(id, 3)
    event_time: {{column: at}}
steps:
  - {{id: once, dedup: {{key: [id], keep: first, within: 1h}}}}
  - {{id: slow, throttle: {rows_per_second}}}
sinks:
  out: {{type: file, path: {out}/, format: {{type: json}}, delivery: exactly_once}}
"""


def checkpoint(cluster) -> dict:
    """Takes one now and answers its description."""
    done = cluster.operation(NAME, "checkpoint", 300)
    assert "failure" not in done, done
    recent = cluster.get(f"/api/v1/jobs/{NAME}/checkpoints")["recent"]
    return next(one for one in recent if one["path"] == done["path"])


def seconds(one: dict) -> float:
    return (one["ended_at"] - one["triggered_at"]) / 1000


def change(cluster, **settings) -> dict:
    query = "&".join(f"{field}={value}" for field, value in settings.items())
    status, answer = cluster.call("PATCH", f"/api/v1/jobs/{NAME}/checkpoint?{query}", "")
    assert status == 200, (status, answer)
    return answer["settings"]
