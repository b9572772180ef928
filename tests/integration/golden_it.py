"""Savepoints of every released version are restored by this build, and the job goes on with exact rows."""
import json
import sys

from harness import ROOT

GOLDEN = ROOT / "tests" / "golden" / "savepoints"
sys.path.insert(0, str(GOLDEN))
import make  # noqa: E402


def test_savepoints_of_every_released_version_are_restored_with_exact_rows(env):
    versions = sorted(path for path in GOLDEN.iterdir() if (path / "job.yaml").exists())
    assert versions, "there are golden savepoints"
    for golden in versions:
        folder = env.directory / golden.name
        folder.mkdir()
        found = make.resume(folder, golden)
        expected = json.loads((golden / "expected.json").read_text())
        assert set(found) == set(expected), (golden.name, set(found) ^ set(expected))
        for sink, rows in expected.items():
            assert rows and found[sink] == rows, f"{golden.name}: {sink}\nexpected {rows}\nfound    {found[sink]}"
