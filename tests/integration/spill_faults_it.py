"""Disks and storage that fail under state beyond memory: the error says what and where, the job goes on by itself where
it can, and what it wrote is right in the end."""
import os
import shutil

from harness import wait_until
from s3_it import s3_job
from spill_it import BUDGET, JOB, KEYS, ROWS, check, large_job, shared_files


def with_files(job, env):
    """Runs until a checkpoint holds files of the spill store, and another one was completed behind it."""
    job.start()
    wait_until(lambda: shared_files(job) and job.completed_checkpoints() > 1, "a checkpoint with files")


def newest(job):
    return max((path.parent for path in (job.directory / "checkpoints" / "large").glob("chk-*/_metadata")),
               key=lambda path: int(path.name[4:]))


def flip_a_bit(path):
    """In place: other names of the file see it too. In its middle, where rows are."""
    with open(path, "r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)[0]
        file.seek(path.stat().st_size // 2)
        file.write(bytes([byte ^ 16]))


def working_copy(env):
    """The SST files below state/, by inode."""
    found = {}
    for path in env.directory.glob("**/db/*.sst"):
        try:
            found[path.stat().st_ino] = path
        except FileNotFoundError:
            pass  # compacted away
    return found


def damage_working_copy(job, env, seen):
    """A bit of every file of the working copy that a checkpoint holds, of each once (`seen`, by name). Yields the path
    in shared/ and a copy from before."""
    local = working_copy(env)
    for path in shared_files(job):
        try:
            inode = path.stat().st_ino
            if path.name in seen or inode not in local:
                continue
            copy = path.with_name("copy")
            shutil.copy(path, copy)
            flip_a_bit(local[inode])
            seen[path.name] = copy
            yield path, copy
        except FileNotFoundError:
            pass


# ---- a full disk ----

def test_a_disk_that_is_full_while_rows_leave_memory(env):
    full = env.directory / "disk-is-full"
    job = large_job(env, "auto", **BUDGET, MILLRACE_FULL_WHILE=str(full))
    with_files(job, env)
    full.touch()
    wait_until(lambda: "job restarts" in job.stderr, "the job fails and is started again")
    assert "E0504" in job.stderr and "No space left on device" in job.stderr, job.stderr[-2000:]
    full.unlink()
    assert job.wait(120) == 0, job.stderr[-2000:]
    check(env)


def test_a_state_disk_that_is_full_while_a_checkpoint_is_written(env):
    full = env.directory / "disk-is-full"
    job = large_job(env, "rocksdb", MILLRACE_STATE_FULL_WHILE=str(full))  # rows leave memory for checkpoints only
    with_files(job, env)
    full.touch()
    wait_until(lambda: "checkpoint failed" in job.stderr, "a checkpoint fails")
    full.unlink()
    assert job.wait(120) == 0, job.stderr[-2000:]
    check(env)


# ---- damage to a checkpoint ----

def test_a_missing_file_of_a_checkpoint_is_named(env):
    job = large_job(env, "rocksdb")
    with_files(job, env)
    job.kill()
    aside = env.directory / "aside"
    shutil.copytree(newest(job).parent / "shared", aside)
    for path in shared_files(job):
        path.unlink()
    job.run(expect=4)
    assert "E0402" in job.stderr and "/shared/" in job.stderr and "missing" in job.stderr, job.stderr[-1500:]
    for path in aside.glob("*.sst"):
        shutil.copy(path, newest(job).parent / "shared" / path.name)
    job.run(seconds=120)
    check(env)


def test_a_flipped_bit_in_a_checkpoint_is_named_by_every_kind_of_restore(env):
    job = large_job(env, "rocksdb")
    with_files(job, env)
    job.kill()
    for path in shared_files(job):
        flip_a_bit(path)
    for settings in ("settings.parallelism=1", "settings.parallelism=2", "settings.state.backend=memory"):
        job.run("--set", settings, expect=4)
        assert "E0402" in job.stderr and "/large/shared/" in job.stderr, job.stderr[-1500:]
    for path in shared_files(job):
        flip_a_bit(path)
    job.run(seconds=120)
    check(env)


def test_metadata_that_is_cut_off_says_what_to_do(env):
    job = large_job(env, "rocksdb")
    with_files(job, env)
    job.kill()
    metadata = newest(job) / "_metadata"
    content = metadata.read_bytes()
    metadata.write_bytes(content[:len(content) // 2])
    job.run(expect=4)
    assert "E0402" in job.stderr and str(metadata) in job.stderr and "--restore" in job.stderr, job.stderr[-1500:]
    metadata.write_bytes(content)
    job.run(seconds=120)
    check(env)


# ---- damage to the working copy ----

def test_a_damaged_working_copy_is_made_anew_from_the_checkpoint(env):
    """Storage and working copy lie on different disks, as it were: their links are parted before the damage."""
    job = large_job(env, "auto", **BUDGET)
    with_files(job, env)
    seen = {}

    def noticed():
        for path, copy in damage_working_copy(job, env, seen):
            os.replace(copy, path)
        return "job restarts" in job.stderr

    wait_until(noticed, "the damage is noticed")
    assert "E0402" in job.stderr and "is damaged" in job.stderr, job.stderr[-2000:]
    assert job.wait(120) == 0, job.stderr[-2000:]
    check(env)


def test_damage_to_both_ends_the_job_and_names_the_file(env):
    """Working copy and checkpoint are one file on one disk."""
    job = large_job(env, "auto", **BUDGET)
    with_files(job, env)
    seen = {}

    def ended():
        for _ in damage_working_copy(job, env, seen):
            pass
        return job.process.poll() is not None

    wait_until(ended, "the job ends")
    assert job.wait() == 4, job.stderr[-2000:]
    assert "E0402" in job.stderr and "/large/shared/" in job.stderr, job.stderr[-2000:]


# ---- S3 ----

def test_a_file_of_the_spill_store_that_is_gone_from_s3(env):
    text = JOB.format(backend="rocksdb", rows=ROWS, keys=KEYS, window="tumbling, size: 20s", out=env.directory)
    job, objects = s3_job(env, text, XDG_STATE_HOME=str(env.directory))
    job.start()

    def objects_of_the_store():
        return list(objects.glob("checkpoints/large/shared/*.sst"))

    wait_until(lambda: objects_of_the_store() and len(list(objects.glob("checkpoints/large/chk-*/_metadata"))) > 1,
               "a checkpoint with files")
    job.kill()
    kept = objects_of_the_store()
    for path in kept:
        flip_a_bit(path)
    job.run(expect=4)
    assert "E0402" in job.stderr and "/large/shared/" in job.stderr, job.stderr[-1500:]
    aside = objects.parent / "aside"
    aside.mkdir()
    for path in kept:
        flip_a_bit(path)
        path.rename(aside / path.name)  # with the attributes that the server keeps there
    job.run(expect=4)
    assert "E0402" in job.stderr and "s3://" in job.stderr and "missing" in job.stderr, job.stderr[-1500:]
    for path in kept:
        (aside / path.name).rename(path)
    job.run(seconds=120)
    check(env)
