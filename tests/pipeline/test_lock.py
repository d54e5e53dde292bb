"""Two runs and one output folder: on a disk, and in a bucket of moto's server (see test_s3.py)."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from pipeline import __main__, lock, storage
from tests.films import make_film, moving, scene
from tests.pipeline import test_s3

server = test_s3.server

HOLD = """
import sys
from pipeline import lock
with lock.holding(sys.argv[1]):
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
    process = subprocess.Popen([sys.executable, "-c", HOLD, out], text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == "holding\n"
        yield process
    finally:
        process.communicate()


def test_a_second_run_is_told_who_is_writing(out):
    with another_run(out) as other:
        with pytest.raises(lock.Busy) as told, lock.holding(out):
            pass
        assert f"process {other.pid}, since 20" in str(told.value)
        assert out in str(told.value)
    with lock.holding(out):  # it has ended
        pass


def test_a_run_that_fails_lets_go(out):
    with pytest.raises(KeyError), lock.holding(out):
        raise KeyError
    with lock.holding(out):
        pass


def test_a_killed_run_on_a_disk_does_not_hold_the_next_one_up(tmp_path):
    out = str(tmp_path)
    with another_run(out) as other:
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        with lock.holding(out), pytest.raises(lock.Busy), lock.holding(out):
            pass


def test_a_killed_run_in_a_bucket_is_waited_for_and_then_taken_over(server, monkeypatch):
    out = "s3://datasets/killed"
    with another_run(out) as other:
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
    with pytest.raises(lock.Busy, match=r"if it was killed, for 1?[0-9]?[0-9] s more"), \
            lock.holding(out):
        pass
    monkeypatch.setattr(lock, "STALE", 0.0)
    with lock.holding(out):
        (there,) = storage.find_in(out, "**")
        assert there[0] == f"{out}/work/running.json"
        assert json.loads(storage.read_bytes(there[0]))["pid"] == os.getpid()
    assert storage.find_in(out, "**") == []


def test_a_run_in_a_bucket_says_again_and_again_that_it_goes_on(server, monkeypatch):
    out, path = "s3://datasets/beating", "s3://datasets/beating/work/running.json"
    monkeypatch.setattr(lock, "BEAT", 0.01)
    with lock.holding(out):
        first = storage.read_bytes(path)
        now = next(found for _ in range(500) if (found := storage.read_bytes(path)) != first)
        assert json.loads(now)["since"] == json.loads(first)["since"]
    assert storage.find_in(out, "**") == []


def test_a_run_that_slept_too_long_leaves_the_folder_to_the_one_that_took_it_over(server,
                                                                                  monkeypatch):
    out = "s3://datasets/slept"
    with lock.holding(out):
        monkeypatch.setattr(lock, "STALE", 0.0)
        with lock.holding(out):
            after = storage.read_bytes(f"{out}/work/running.json")
            monkeypatch.undo()
            sleeper = lock._Beat(f"{out}/work/running.json", "", {"e_tag": "old"})
            sleeper.thread.start()
            sleeper.end()
            assert storage.read_bytes(f"{out}/work/running.json") == after


@pytest.mark.parametrize("out", ["/proc/out", "{file}/out", "s3://nobody/out"])
def test_a_folder_that_cannot_be_written_is_named(out, server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    out = out.format(file=tmp_path / "file")
    with pytest.raises(OSError, match=out), lock.holding(out):
        pass


def test_the_command_says_so_and_ends_with_2(tmp_path, capsys):
    make_film(tmp_path / "a.mp4", moving(scene(1), 30))
    out = str(tmp_path / "out")
    with lock.holding(out):
        code = __main__.main(["dataset", "--videos", str(tmp_path / "a.mp4"), "--out", out])
    assert code == 2
    assert f"process {os.getpid()}" in capsys.readouterr().err
