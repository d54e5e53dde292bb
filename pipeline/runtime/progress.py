"""Shows the progress of a run on standard error.

Workers may be other processes: each appends notes, a JSON line per step, to its own file in a
folder that the driver reads. The driver draws a bar per stage with counts and the time left or, if
standard error is not a terminal, prints a line for each tenth of a stage. On a cluster no notes are
written; the runner's own page shows the same counters.
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

from pipeline.runtime import interrupts
from pipeline.runtime.interrupts import FOLDER

Tick: TypeAlias = Callable[[float], None]


def ticker(stage: str, begun: float = -1.0) -> Tick:
    """Returns a callback that takes the share of a film that a stage has done, at the end 1.

    `begun` is the share that other workers have reported already. If it is -1, a first note says
    that the stage has begun.
    """
    folder = os.environ.get(FOLDER)
    noted = begun

    def tick(share: float) -> None:
        nonlocal noted
        if folder and (share - noted >= 0.01 or share == 1):
            with open(os.path.join(folder, f"{os.getpid()}.notes"), "a", encoding="utf-8") as file:
                file.write(json.dumps([stage, share - max(noted, 0.0)]) + "\n")
            noted = share

    tick(0.0)
    return tick


def say(text: str) -> None:
    """Sends a sentence to the driver, which prints it."""
    if folder := os.environ.get(FOLDER):
        with open(os.path.join(folder, f"{os.getpid()}.notes"), "a", encoding="utf-8") as file:
            file.write(json.dumps(["", [time.time(), text]]) + "\n")


def _notes(folder: str) -> Iterator[tuple[dict[str, float], list[str]]]:
    """Yields the films done so far by each stage that has begun, and the sentences sent since the
    last time. Reads only the notes that are new, as there are many."""
    done: dict[str, float] = {}
    read: dict[str, int] = {}  # bytes of each file
    while True:
        sentences: list[tuple[float, str]] = []
        for name in sorted(os.listdir(folder)):
            if not name.endswith(".notes"):
                continue
            with open(os.path.join(folder, name), "rb") as file:
                file.seek(read.get(name, 0))
                for line in file:
                    if not line.endswith(b"\n"):  # it is being written
                        break
                    read[name] = read.get(name, 0) + len(line)
                    stage, content = json.loads(line)
                    if stage:
                        done[stage] = done.get(stage, 0.0) + content
                    else:
                        sent, text = content
                        sentences.append((sent, text))
        yield done, [text for _, text in sorted(sentences)]


@contextlib.contextmanager
def display(stages: dict[str, int]) -> Iterator[None]:
    """Shows progress on standard error during the block; `stages` maps each stage to its number
    of films."""
    with tempfile.TemporaryDirectory(prefix="storystream-") as folder:
        os.environ[FOLDER] = folder
        stop = threading.Event()
        show = _show_bars if sys.stderr.isatty() else _print_lines
        thread = threading.Thread(target=show, args=(folder, stages, stop), daemon=True)
        thread.start()
        try:
            with interrupts.signals_handled(folder):
                yield
        finally:
            stop.set()
            thread.join()
            del os.environ[FOLDER]


def _show_bars(folder: str, stages: dict[str, int], stop: threading.Event) -> None:
    columns = (
        TextColumn("{task.description:>10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        tasks: dict[str, TaskID] = {
            stage: progress.add_task(stage, total=total, start=False)
            for stage, total in stages.items()
        }
        notes = _notes(folder)
        while True:
            ended = stop.wait(0.5)
            films_done, sentences = next(notes)
            for text in sentences:
                progress.console.print(text, markup=False, highlight=False)
            for stage, done in films_done.items():
                if not progress.tasks[tasks[stage]].started:
                    progress.start_task(tasks[stage])
                progress.update(tasks[stage], completed=round(done, 1))
            if ended:
                return


def _print_lines(folder: str, stages: dict[str, int], stop: threading.Event) -> None:
    started, shown, notes = time.monotonic(), dict.fromkeys(stages, 0.0), _notes(folder)
    while True:
        ended = stop.wait(2.0)
        films_done, sentences = next(notes)
        for text in sentences:
            print(f"[{time.monotonic() - started:5.0f} s] {text}", file=sys.stderr, flush=True)
        for stage, done in films_done.items():
            if done - shown[stage] >= max(1, stages[stage] / 10) or (
                done >= stages[stage] > shown[stage]
            ):
                shown[stage] = done
                print(
                    f"[{time.monotonic() - started:5.0f} s] {stage}: {int(done + 0.001)} of "
                    f"{stages[stage]}",
                    file=sys.stderr,
                    flush=True,
                )
        if ended:
            return
