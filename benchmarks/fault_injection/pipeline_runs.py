"""Runs the pipeline on a few drawn films with a scripted model server, in its own processes."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil

from pipeline.testing.behaviours import Behaviour, answering
from pipeline.testing.films import make_film, moving, scene, still
from pipeline.testing.model_server import Server, serving
from pipeline.testing.replies import Reply, completion

IN_ONE_PROCESS = "--direct_running_mode=in_memory"
TIMEOUT = 200.0  # seconds after which a run counts as hanging
GRACE = 15.0  # seconds that what a run has started may outlive it


class RunEnd(NamedTuple):
    """How a run ended."""

    code: int  # minus the signal that ended it
    said: str  # on standard error
    seconds: float
    left: int  # processes it had started that had to be killed


class Experiment(NamedTuple):
    """The films and model server of the runs, and the result of an undisturbed run."""

    films: Path
    server: Server
    home: Path  # folders to run into go here
    whole: Path  # the undisturbed dataset
    changes: int  # that the undisturbed run made to files and folders
    seconds: float  # that it took


@contextlib.contextmanager
def prepare_experiment(home: Path) -> Iterator[Experiment]:
    """Prepares an experiment in a folder of its own, until the block ends."""
    films = home / "films"
    _draw_films(films)
    with serving(_answering_with_ada()) as server:
        found = Experiment(films, server, home, home / "undisturbed", 0, 0.0)
        count = home / "changes"
        ended = wait_for_end(start_run(found, found.whole, IN_ONE_PROCESS, dying=str(count)))
        if ended.code:
            raise RuntimeError(f"the undisturbed run ended with {ended.code}:\n{ended.said}")
        yield found._replace(changes=int(count.read_text()), seconds=ended.seconds)


def _draw_films(folder: Path) -> None:
    folder.mkdir()
    both = moving(scene(1), 16) + moving(scene(2), 16)
    black = still(np.zeros_like(scene(1)), 16)
    for episode in (1, 2):
        make_film(
            folder / f"S01E0{episode}.mp4",
            both
            + black
            + [
                frame for number in range(10) for frame in moving(scene(episode * 100 + number), 16)
            ],
        )
        (folder / f"S01E0{episode}.srt").write_text(
            f"1\n00:00:02,000 --> 00:00:04,000\nAda: Hello, number {episode}!\n"
        )
    (folder / "S01E03.mp4").write_bytes(b"no film" * 100)


def _answering_with_ada() -> Behaviour:
    """Answers well, and knows a character, so that the dataset has a file of characters.

    No caption shows her: a text that does not name whom its caption shows would be asked for again.
    """
    normal = answering()
    cast = json.dumps(
        {
            "characters": [
                {
                    "name": "Ada",
                    "look": "a captain in a blue hat",
                    "role": "a friend",
                    "called": ["a captain"],
                }
            ]
        }
    )

    async def behaviour(question: dict[str, Any], server: Server) -> Reply:
        """Answers a question."""
        if question["response_format"]["json_schema"]["name"] == "characters":
            return completion(question, {"role": "assistant", "content": cast})
        return await normal(question, server)

    return behaviour


def start_run(
    experiment: Experiment, out: Path, *more: str, dying: str = "", before: Sequence[str] = ()
) -> subprocess.Popen[str]:
    """Starts a run into `out`; `dying` is the first argument of `kill_at_change`, `before` a
    command that the run is started with."""
    program = (
        ["benchmarks.fault_injection.kill_at_change", dying, str(out)] if dying else ["pipeline"]
    )
    command = [
        *before,
        sys.executable,
        "-m",
        *program,
        "dataset",
        "--videos",
        str(experiment.films),
        "--out",
        str(out),
        "--captioner",
        f"openai:eyes@{experiment.server.url}",
        "--writer",
        f"openai:pen@{experiment.server.url}",
        *more,
    ]
    return subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "OPENAI_API_KEY": "any word"},
    )


def wait_for_end(
    process: subprocess.Popen[str], began: list[psutil.Process] | None = None
) -> RunEnd:
    """Waits for the end of a run, and of the processes `began`; kills one that hangs, and says
    so."""
    started = time.monotonic()
    try:
        _, said = process.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        began = [*(began or []), *child_processes(process)]
        process.kill()
        said = f"{process.communicate()[1]}\nit hung: killed after {TIMEOUT:.0f} s"
    _, left = psutil.wait_procs(began or [], timeout=GRACE)
    for survivor in left:
        survivor.kill()
    return RunEnd(process.returncode, said, time.monotonic() - started, len(left))


def child_processes(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Returns the processes that a run has started, and those that these have."""
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
