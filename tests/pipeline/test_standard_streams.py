"""Closed streams, full disks and narrow encodings behind them."""

import os
import subprocess
import sys

import pytest

from pipeline.testing.films import make_film, shots

full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")


def run(command: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        f"{sys.executable} -m pipeline {command}",
        shell=True,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


@full
def test_a_full_disk_behind_standard_output_is_said():
    ended = run("settings > /dev/full")
    assert ended.returncode == 2
    assert ended.stderr == ("error: standard output cannot be written: No space left on device\n")


def test_a_closed_standard_output_is_no_fault():
    ended = run("settings >&-")
    assert (ended.returncode, ended.stderr) == (0, "")


@full
def test_a_full_disk_behind_standard_error_does_not_end_a_run(tmp_path):
    make_film(tmp_path / "film.mp4", shots(3, 12))
    ended = run(
        f"dataset --videos {tmp_path}/film.mp4 --out {tmp_path}/out --until keyframes 2>/dev/full"
    )
    assert ended.returncode == 0
    assert "1 film, 3 keyframes" in ended.stdout


def test_what_an_encoding_lacks_is_escaped(tmp_path):
    ended = run(f"report {tmp_path}/café", PYTHONIOENCODING="ascii")
    assert ended.returncode == 2 and "caf\\xe9 is no finished dataset" in ended.stderr
