"""What a run is doing, shown while it does it.

Workers may be other processes, so they leave notes: each appends a line a step to a file of its own
in a folder that the driver reads. The driver draws a bar a stage with counts and the time left, or,
where there is no terminal, prints a line whenever a stage has come a good way further. On a
cluster nobody reads the notes, and the runner's own page shows the same counters.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeAlias

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Tick: TypeAlias = Callable[[float], None]

_FOLDER = "STORYSTREAM_PROGRESS"  # environment variable: where notes go; unset, there are none


def ticking(stage: str) -> Tick:
    """What a stage calls with the share of a film that it has done, the last time with 1."""
    folder = os.environ.get(_FOLDER)
    noted = -1.0  # nothing yet: the first note says that the stage has begun

    def tick(share: float) -> None:
        nonlocal noted
        if folder and (share - noted >= 0.01 or share == 1):
            with open(os.path.join(folder, f"{os.getpid()}.notes"), "a", encoding="utf-8") as file:
                file.write(json.dumps([stage, share - max(noted, 0.0)]) + "\n")
            noted = share

    tick(0.0)
    return tick


def _read(folder: str) -> dict[str, float]:
    """Films done, in all, of each stage that has begun."""
    done: dict[str, float] = {}
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            for line in file:
                if line.endswith("\n"):  # a line without is being written
                    stage, films = json.loads(line)
                    done[stage] = done.get(stage, 0.0) + films
    return done


@contextlib.contextmanager
def display(stages: dict[str, int]) -> Iterator[None]:
    """Shows progress on standard error until the block ends; `stages` gives each stage's total."""
    with tempfile.TemporaryDirectory(prefix="storystream-") as folder:
        os.environ[_FOLDER] = folder
        stop = threading.Event()
        show = _bars if sys.stderr.isatty() else _lines
        thread = threading.Thread(target=show, args=(folder, stages, stop), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            del os.environ[_FOLDER]


def _bars(folder: str, stages: dict[str, int], stop: threading.Event) -> None:
    columns = (TextColumn("{task.description:>10}"), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        tasks: dict[str, TaskID] = {
            stage: progress.add_task(stage, total=total, start=False)
            for stage, total in stages.items()}
        while True:
            ended = stop.wait(0.5)
            for stage, done in _read(folder).items():
                if not progress.tasks[tasks[stage]].started:
                    progress.start_task(tasks[stage])
                progress.update(tasks[stage], completed=round(done, 1))
            if ended:
                return


def _lines(folder: str, stages: dict[str, int], stop: threading.Event) -> None:
    started, shown = time.monotonic(), dict.fromkeys(stages, 0.0)
    while True:
        ended = stop.wait(2.0)
        for stage, done in _read(folder).items():
            if done - shown[stage] >= max(1, stages[stage] / 10) or (
                    done >= stages[stage] > shown[stage]):
                shown[stage] = done
                print(f"[{time.monotonic() - started:5.0f} s] {stage}: {int(done + 0.001)} of "
                      f"{stages[stage]}", file=sys.stderr, flush=True)
        if ended:
            return
