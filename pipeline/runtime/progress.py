"""Shows the progress of a run, or of another long loop, on standard error.

Workers may be other processes: each appends notes, a JSON line per step, to its own file in a
folder that the driver reads. The driver draws a bar per stage with counts, the time left and what
the stage does now. Where standard error is no terminal (a pipe, a log, a notebook) or a dumb one,
it prints a line every 15 seconds instead. On a cluster no notes are written; the runner's own page
shows the same counters.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

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
from rich.table import Column

from pipeline.runtime import interrupts
from pipeline.runtime.interrupts import FOLDER
from pipeline.runtime.untrusted_text import escaped

Tick: TypeAlias = Callable[[float], None]

PAUSE = 15.0  # seconds between lines
_FIRST = 5.0  # seconds before the first line
_COLUMNS = 79  # of a line


def ticker(stage: str, begun: float = -1.0) -> Tick:
    """Returns a callback that takes the share of a film that a stage has done, at the end 1.

    `begun` is the share that other workers have reported already. If it is -1, a first note says
    that the stage has begun.
    """
    noted = begun

    def tick(share: float) -> None:
        nonlocal noted
        if share - noted >= 0.01 or share == 1:
            _note(stage, share - max(noted, 0.0))
            noted = share

    tick(0.0)
    return tick


def advance(stage: str) -> None:
    """Reports that one more film, file or other item of a loop is done."""
    _note(stage, 1.0)


def doing(stage: str, text: str) -> None:
    """Reports what a stage does now, such as "loading the model"; the stage "" is the current."""
    _note(stage, time.time(), escaped(text))


def say(text: str) -> None:
    """Sends a sentence to the driver, which prints it."""
    _note("", [time.time(), escaped(text)])


def _note(*content: Any) -> None:
    folder = os.environ.get(FOLDER)
    # No film fails, and no run stops, because the disk of temporary files is full.
    with contextlib.suppress(OSError):
        if folder:
            with open(os.path.join(folder, f"{os.getpid()}.notes"), "a", encoding="utf-8") as file:
                file.write(json.dumps(content) + "\n")


@dataclasses.dataclass
class Notes:
    """What the notes of all workers say."""

    done: dict[str, float] = dataclasses.field(default_factory=dict)  # films, by stage that began
    sentences: list[str] = dataclasses.field(default_factory=list)  # sent since the last time
    stage: str = ""  # that said last what it does
    doing: str = ""  # what it said


def _notes(folder: str) -> Iterator[Notes]:
    """Yields what the notes say so far. Reads only the notes that are new, as there are many."""
    notes = Notes()
    newest = 0.0
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
                    match _parsed(line):
                        case [stage, float(sent), text]:
                            if sent >= newest:
                                newest = sent
                                notes.stage, notes.doing = stage or notes.stage, text
                        case ["", [sent, text]]:
                            sentences.append((sent, text))
                        case [stage, share]:
                            notes.done[stage] = notes.done.get(stage, 0.0) + share
        notes.sentences = [text for _, text in sorted(sentences)]
        yield notes


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:  # half a note, from when the disk was full, and the one after it
        return None


@contextlib.contextmanager
def display(stages: Mapping[str, int], waiting: str = "starting") -> Iterator[None]:
    """Shows progress on standard error during the block.

    `stages` maps each stage to its number of films, `waiting` is what is done until the first
    stage begins. A display inside another shows nothing of its own.
    """
    if os.environ.get(FOLDER):
        yield
        return
    with tempfile.TemporaryDirectory(prefix="storystream-") as folder:
        os.environ[FOLDER] = folder
        stop = threading.Event()
        console = Console(stderr=True)
        bars = sys.stderr.isatty() and not console.is_dumb_terminal
        thread = threading.Thread(
            target=_show_bars if bars else _print_lines,
            args=(folder, stages, stop, waiting),
            daemon=True,
        )
        thread.start()
        try:
            with interrupts.signals_handled(folder):
                yield
        finally:
            stop.set()
            thread.join()
            del os.environ[FOLDER]


def bars(console: Console) -> Progress:
    """Returns bars that fit into 80 columns, drawn in ASCII where the encoding is no Unicode."""
    return Progress(
        TextColumn("{task.description:>10}"),
        BarColumn(bar_width=12),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn(
            "{task.fields[doing]}",
            markup=False,
            table_column=Column(no_wrap=True, overflow="crop", ratio=1),
        ),
        console=console,
        expand=True,
        redirect_stdout=sys.stdout.isatty(),  # what is printed into a pipe stays there
    )


def _show_bars(folder: str, stages: Mapping[str, int], stop: threading.Event, waiting: str) -> None:
    with bars(Console(stderr=True)) as progress:
        tasks: dict[str, TaskID] = {
            stage: progress.add_task(stage, total=total, start=False, doing="")
            for stage, total in stages.items()
        }
        first = next(iter(tasks.values()), None)
        if first is not None:
            progress.update(first, doing=waiting)
        ended = False
        for notes in _notes(folder):
            update_bars(progress, tasks, notes)
            if ended:
                return
            ended = stop.wait(0.5)


def update_bars(progress: Progress, tasks: dict[str, TaskID], notes: Notes) -> None:
    """Prints the sentences and moves the bars; a stage that nobody counted gets a bar as well."""
    for text in notes.sentences:
        progress.console.print(text, markup=False, highlight=False)
    for stage in [*notes.done, *filter(None, [notes.stage])]:
        if stage not in tasks:
            tasks[stage] = progress.add_task(stage, total=None, doing="")
        if not progress.tasks[tasks[stage]].started:
            progress.start_task(tasks[stage])
        progress.update(tasks[stage], completed=round(notes.done.get(stage, 0.0), 1), doing="")
    if notes.stage:
        progress.update(tasks[notes.stage], doing=notes.doing)


def _print_lines(
    folder: str, stages: Mapping[str, int], stop: threading.Event, waiting: str
) -> None:
    lines, ended = Lines(stages, waiting), False
    for notes in _notes(folder):
        for line in lines.due(notes, ended):
            print(line, file=sys.stderr, flush=True)
        if ended:
            return
        ended = stop.wait(1.0)


class Lines:
    """Composes the lines that stand for bars where there is no terminal."""

    def __init__(
        self,
        stages: Mapping[str, int],
        waiting: str = "starting",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stages, self._waiting, self._clock = stages, waiting, clock
        self._started = clock()
        self._next = self._started + _FIRST
        self._begun: dict[str, float] = {}  # when each stage was first seen
        self._told: set[str] = set()  # stages that are done and told to be

    def due(self, notes: Notes, ended: bool = False) -> list[str]:
        """Returns the lines to print now: sentences at once, the state every `PAUSE` seconds."""
        now = self._clock()
        for stage in [*notes.done, *filter(None, [notes.stage])]:
            self._begun.setdefault(stage, now)
        said = list(notes.sentences)
        if ended or now >= self._next:
            self._next = now + PAUSE
            said += self._finished(notes)
            if not ended:
                said.append(self._state(notes, now))
        stamp = f"[{now - self._started:5.0f} s] "
        return [
            stamp + line
            for text in said
            for line in textwrap.wrap(text, _COLUMNS - len(stamp)) or [""]
        ]

    def _finished(self, notes: Notes) -> list[str]:
        by_total: dict[int, list[str]] = {}
        for stage, total in self._stages.items():
            if stage not in self._told and total and notes.done.get(stage, 0.0) > total - 1e-3:
                by_total.setdefault(total, []).append(stage)
                self._told.add(stage)
        return [f"{', '.join(names)}: {total} of {total}" for total, names in by_total.items()]

    def _state(self, notes: Notes, now: float) -> str:
        stage = notes.stage or next(reversed(notes.done), "")
        if not stage:
            return notes.doing or self._waiting
        done, total = notes.done.get(stage, 0.0), self._stages.get(stage, 0)
        facts = []
        if total:
            facts.append(f"{math.floor(done + 1e-3)} of {total}, {done / total:.0%}")
            if 0 < done < total:
                facts.append(f"{left(now - self._begun[stage], done / total)} left")
        elif done:
            facts.append(f"{done:.0f}")
        line = f"{stage}: {', '.join(facts)}"
        return "; ".join(filter(None, [line.removesuffix(": "), notes.doing]))


def left(seconds: float, share: float) -> str:
    """Returns the time left after `seconds` for a share of the work, as "0:45" or "1:02:03"."""
    rest = round(seconds * (1 - share) / share)
    return (
        f"{rest // 3600}:{rest // 60 % 60:02d}:{rest % 60:02d}"
        if rest >= 3600
        else (f"{rest // 60}:{rest % 60:02d}")
    )
