"""Two runs and one output folder: on a disk, and in a bucket of moto's server (see test_s3.py)."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from pipeline import __main__
from pipeline.runtime import buckets, interrupts, lock, progress, storage
from pipeline.testing.films import make_film, moving, scene
from tests.pipeline.runtime import test_s3

server = test_s3.server

HOLD = """
import sys
from pipeline.runtime import lock
with lock.locked(sys.argv[1]):
    print("holding", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(params=["disk", "bucket"])
def out(request, tmp_path):
    if request.param == "disk":
        return str(tmp_path / "out")
    request.getfixturevalue("server")
    return f"s3://datasets/{tmp_path.name}"


@contextmanager
def another_run(out):
    """Another process that holds the folder, until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, out], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout.readline() == "holding\n"
        yield process
    finally:
        process.communicate()


def test_a_second_run_is_told_who_is_writing(out):
    with another_run(out) as other:
        with pytest.raises(lock.Busy) as error, lock.locked(out):
            pass
        assert f"process {other.pid}, since 20" in str(error.value)
        assert out in str(error.value)
    with lock.locked(out):  # it has ended
        pass


def test_a_run_that_fails_lets_go(out):
    with pytest.raises(KeyError), lock.locked(out):
        raise KeyError
    with lock.locked(out):
        pass


def test_a_killed_run_on_a_disk_does_not_hold_the_next_one_up(tmp_path):
    out = str(tmp_path)
    with another_run(out) as other:
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        with lock.locked(out), pytest.raises(lock.Busy), lock.locked(out):
            pass


def test_a_killed_run_in_a_bucket_is_waited_for_and_then_taken_over(server, monkeypatch):
    out = "s3://datasets/killed"
    with another_run(out) as other:
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
    with (
        pytest.raises(lock.Busy, match=r"if it was killed, for 1?[0-9]?[0-9] s more"),
        lock.locked(out),
    ):
        pass
    monkeypatch.setattr(lock, "STALE", 0.0)
    with lock.locked(out):
        (there,) = storage.find_in(out, "**")
        assert there[0] == f"{out}/work/running.json"
        assert json.loads(storage.read_bytes(there[0]))["pid"] == os.getpid()
    assert storage.find_in(out, "**") == []


def test_a_run_in_a_bucket_says_again_and_again_that_it_goes_on(server, monkeypatch):
    out, path = "s3://datasets/beating", "s3://datasets/beating/work/running.json"
    monkeypatch.setattr(lock, "HEARTBEAT", 0.01)
    with lock.locked(out):
        first = storage.read_bytes(path)
        now = next(found for _ in range(500) if (found := storage.read_bytes(path)) != first)
        assert json.loads(now)["since"] == json.loads(first)["since"]
    assert storage.find_in(out, "**") == []


@pytest.mark.parametrize("other_has_ended", [False, True])
def test_a_run_that_slept_too_long_ends_when_it_finds_another_in_its_place(
    server, monkeypatch, capsys, other_has_ended
):
    out, path = "s3://datasets/slept", "s3://datasets/slept/work/running.json"
    taker = b'{"host": "taker", "pid": 7, "since": "2026", "run": "other"}'
    monkeypatch.setattr(lock, "HEARTBEAT", 0.2)
    with lock.locked(out), progress.display({"captions": 1}), interrupts.calls_in_flight():
        with pytest.raises(KeyboardInterrupt):
            if other_has_ended:
                storage.remove([path])
            else:
                storage.write_bytes(path, taker)
            time.sleep(10)  # the calls in flight are not waited for
        assert interrupts.must_end()  # nor the workers
    if not other_has_ended:
        assert storage.read_bytes(path) == taker
        assert "(host taker, process 7, since 2026) has taken over" in capsys.readouterr().err
        storage.remove([path])
    assert storage.find_in(out, "**") == []


@pytest.mark.parametrize("answer", [buckets.WriteConflict("412"), OSError("connection reset")])
def test_a_beat_whose_answer_is_lost_counts(server, monkeypatch, answer):
    """The store has written it; the client tries again, and is told that it came too late."""
    out, path = "s3://datasets/deaf", "s3://datasets/deaf/work/running.json"
    write_if, beats = buckets.write_if, []

    def losing_one(*arguments):
        version = write_if(*arguments)
        beats.append(json.loads(arguments[1])["beat"])
        if len(beats) == 2:
            raise answer
        return version

    monkeypatch.setattr(buckets, "write_if", losing_one)
    monkeypatch.setattr(lock, "HEARTBEAT", 0.01)
    with lock.locked(out):
        assert any(json.loads(storage.read_bytes(path))["beat"] > 4 for _ in range(500))
    assert storage.find_in(out, "**") == []


def test_a_run_whose_first_answer_is_lost_is_not_told_that_it_is_another(server, monkeypatch):
    out, write_if = "s3://datasets/first", buckets.write_if

    def retried(*arguments):
        write_if(*arguments)
        return write_if(*arguments)  # "create", of what it has created

    monkeypatch.setattr(buckets, "write_if", retried)
    with lock.locked(out):
        monkeypatch.undo()
        with pytest.raises(lock.Busy), lock.locked(out):
            pass
    assert storage.find_in(out, "**") == []


def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with (
        pytest.raises(
            OSError,
            match=rf"{tmp_path} is on .* without locks \(No locks available\): "
            "name another folder, or mount it with locks",
        ),
        lock.locked(str(tmp_path)),
    ):
        pass


@pytest.mark.parametrize("out", ["/proc/out", "{file}/out", "s3://nobody/out"])
def test_a_folder_that_cannot_be_written_is_named(out, server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    out = out.format(file=tmp_path / "file")
    with pytest.raises(OSError, match=out), lock.locked(out):
        pass


def test_the_command_says_so_and_ends_with_2(tmp_path, capsys):
    make_film(tmp_path / "a.mp4", moving(scene(1), 30))
    out = str(tmp_path / "out")
    with lock.locked(out):
        code = __main__.main(["dataset", "--videos", str(tmp_path / "a.mp4"), "--out", out])
    assert code == 2
    assert f"process {os.getpid()}" in capsys.readouterr().err


def test_a_link_in_the_place_of_the_lock_is_not_written_through(tmp_path):
    """A folder may be anybody's: the lock empties its file before it writes to it."""
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "out/work").mkdir(parents=True)
    (tmp_path / "out/work/lock").symlink_to(tmp_path / "mine.txt")
    with pytest.raises(OSError, match="cannot write to"), lock.locked(str(tmp_path / "out")):
        pass
    assert (tmp_path / "mine.txt").read_text() == "mine"
