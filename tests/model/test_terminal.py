"""Lines and bars that go on while a step takes long."""

import io
import sys
from types import SimpleNamespace

import pytest

from model import terminal, train


def waits(times: int):
    """A wait that takes no time, and that the block outlasts so many times."""
    left = iter([False] * times)
    asked = []

    def wait(pause):
        asked.append(pause)
        return next(left, True)

    return wait, asked


def test_a_line_every_15_seconds_says_how_far_the_work_is(capsys):
    wait, asked = waits(3)
    seconds = iter([100, 115, 130, 145])
    pictures = iter([0, 0, 1])
    with terminal.telling(
        lambda: f"picture {next(pictures)} of 9", lambda: float(next(seconds)), wait
    ):
        pass
    assert asked == [15.0] * 4
    assert capsys.readouterr().err.splitlines() == [
        "[   15 s] picture 0 of 9",
        "[   30 s] picture 0 of 9",
        "[   45 s] picture 1 of 9",
    ]


def test_a_short_block_prints_nothing(capsys):
    with terminal.telling(lambda: "still here"):
        pass
    assert capsys.readouterr().err == ""


def test_training_describes_its_step_the_time_left_and_what_else_it_does():
    progress = train._Progress(step=30)
    assert train._describe("1-story", progress, 120, 30, 5.0) == "1-story: step 30 of 120, 25%"
    progress.step, progress.losses = 60, {"loss": 1.23456}
    assert train._describe("1-story", progress, 120, 30, 50.0) == (
        "1-story: step 60 of 120, 50%, 1:40 left, loss 1.235"
    )
    progress.doing = "checking on held-out data"
    assert train._describe("1-story", progress, 120, 30, 50.0).endswith(
        "loss 1.235; checking on held-out data"
    )


@pytest.mark.parametrize(
    ("seconds", "share", "shown"), [(10, 0.1, "1:30"), (10, 1.0, "0:00"), (3600, 0.5, "1:00:00")]
)
def test_time_left(seconds, share, shown):
    assert terminal.left(seconds, share) == shown


def test_what_an_encoding_lacks_is_escaped(monkeypatch):
    screen = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(terminal, "sys", SimpleNamespace(stdout=screen, stderr=sys.stderr))
    terminal.print_anywhere()
    print("Amélie", file=screen, flush=True)
    assert screen.buffer.getvalue() == b"Am\\xe9lie\n"
