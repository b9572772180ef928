"""The real command line of Apache Flink lists, savepoints, stops and cancels jobs of a Millrace cluster."""
import re
import sys
from pathlib import Path

from cluster_it import cluster, job, wait_checkpoint

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "flink"))
from flink_cli import flink  # noqa: E402


def test_flinks_own_command_line_works_against_a_cluster(env):
    made = cluster(env)
    address = f"127.0.0.1:{made.rest_port}"
    first = made.submit(job("first", parallelism=2))["job_id"]
    second = made.submit(job("second", parallelism=2))["job_id"]
    for name in ("first", "second"):
        made.wait_state(name, "RUNNING")
        wait_checkpoint(made, name)

    listed = flink(address, "list")
    assert re.search(rf"{first} : first \(RUNNING\)", listed), listed
    assert re.search(rf"{second} : second \(RUNNING\)", listed), listed

    target = made.directory / "saved"
    saved = flink(address, "savepoint", first, str(target))
    path = Path(re.search(r"Path: (\S+)", saved).group(1).removeprefix("file:"))
    assert path.is_relative_to(target) and (path / "_metadata").exists(), saved
    assert made.job("first")["state"] == "RUNNING"

    stopped = flink(address, "stop", "--savepointPath", str(target), first)
    path = Path(re.search(r"Path: (\S+)", stopped).group(1).removeprefix("file:"))
    assert (path / "_metadata").exists(), stopped
    made.wait_state("first", "SUSPENDED")

    assert second in flink(address, "cancel", second)
    made.wait_state("second", "CANCELED")
    assert "RUNNING" not in flink(address, "list", "-a")
