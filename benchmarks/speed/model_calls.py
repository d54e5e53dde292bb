"""Measures questions per second to a model server, against what it could answer.

A scripted server (`pipeline.testing.serve`) in a process of its own takes a second for an answer
and works on 32 questions at once; more than that it refuses, or queues. It is asked for captions by
our backend, with all that a call involves (pictures read from disk, answers cached there), and in
the manner of the published script: one call after the other with OpenAI's client. The latter takes
a second per call by construction, so that few of them are measured.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import openai

from benchmarks.results.tables import Cell, Column, Table
from benchmarks.timing import about, ratio, spread
from pipeline import model_specs
from pipeline.config import CallsConfig
from pipeline.inference.backends.openai_server import OpenAIServer
from pipeline.inference.budget import Budget
from pipeline.inference.client import gather, open_client
from pipeline.inference.protocol import Picture, Request
from schemas.answers import CaptionAnswer

_PROMPT = "Say what picture number 1 shows."
_SERVERS = (("queue", "lets wait"), ("reject", "refuses"))


class Run(NamedTuple):
    """The result of asking a server."""

    calls: int
    wall: float  # seconds
    cpu: float  # seconds of this process
    refused: int
    answered: list[float]  # when, in seconds

    @property
    def rate(self) -> float:
        """Calls per second."""
        return self.calls / self.wall

    @property
    def steady_rate(self) -> float:
        """Answers per second between the first tenth of them and the last: without start and end,
        where the server is not full."""
        times = sorted(self.answered)
        first, last = times[len(times) // 10], times[-1 - len(times) // 10]
        return sum(first < time <= last for time in times) / max(last - first, 1e-9)


def run(
    calls: int = 1300, one_by_one: int = 4, seconds: float = 1.0, at_once: int = 32, rounds: int = 3
) -> Table:
    """Asks servers that take so many `seconds` for an answer and work on `at_once` of them
    together.

    In each round our tool asks `calls` questions and the other `one_by_one`.
    """
    runs: dict[tuple[str, str], list[Run]] = {}
    with tempfile.TemporaryDirectory(prefix="storystream-bench-") as folder:
        pictures = _draw_pictures(Path(folder, "pictures"), calls)
        for number in range(rounds):
            for kind, does in _SERVERS:
                work = os.path.join(folder, f"{kind}-{number}")
                for tool, ask, some in (
                    ("one by one", _ask_one_by_one, pictures[:one_by_one]),
                    ("ours", _ask_concurrently, pictures),
                ):
                    runs.setdefault((does, tool), []).append(
                        _measure(ask, some, work, kind, seconds, at_once)
                    )
    return _table(runs, calls, one_by_one, seconds, at_once)


def _table(
    runs: Mapping[tuple[str, str], Sequence[Run]],
    calls: int,
    one_by_one: int,
    seconds: float,
    at_once: int,
) -> Table:
    cells: dict[str, dict[str, Cell]] = {}
    for (does, tool), found in runs.items():
        row = cells[f"{tool}, a server that {does}"] = {
            "wall": spread([result.wall for result in found]),
            "CPU": spread([result.cpu for result in found]),
            "calls/s": spread([result.rate for result in found]),
            "refused calls": spread([result.refused for result in found]),
        }
        if tool == "ours":
            serial = [result.rate for result in runs[does, "one by one"]]
            row["share of the server's limit"] = spread(
                [result.rate * seconds / at_once for result in found]
            )
            row["the same, without start and end"] = spread(
                [result.steady_rate * seconds / at_once for result in found]
            )
            row["calls/s relative to one by one"] = ratio([result.rate for result in found], serial)
    return Table(
        "model-calls",
        f"Questions to a model server that takes {seconds:g} s for an answer, {at_once} at once",
        "tool",
        (
            Column("wall", unit="s", digits=1),
            Column("CPU", unit="s", digits=1),
            Column("calls/s", digits=1),
            Column("refused calls", digits=0),
            Column("share of the server's limit", "higher", "%", 0),
            Column("the same, without start and end", "higher", "%", 0),
            Column("calls/s relative to one by one", "higher", digits=1),
        ),
        cells,
        "A scripted server answers our backend, with all that goes with a call, and the published "
        "scripts' manner, one call after the other. At its start ours finds out what a server "
        "takes, and at the end there are fewer questions than it could work on: few calls are "
        "mostly that. A server that refuses does so at a climb beyond its limit. A real server "
        "answers some questions later than others.",
        about(
            "openai",
            asked=f"{calls} questions a round by ours, {one_by_one} one by one",
            server=f"{seconds:g} s an answer, {at_once} at once",
        ),
        contest=False,
    )


def _measure(
    tool: Callable[[str, Sequence[Picture], str], list[float]],
    pictures: Sequence[Picture],
    work: str,
    kind: str,
    seconds: float,
    at_once: int,
) -> Run:
    with _server(kind, seconds, at_once) as url:
        started, cpu = time.monotonic(), time.process_time()
        answered = tool(url, pictures, work)
        wall, cpu = time.monotonic() - started, time.process_time() - cpu
        with urllib.request.urlopen(url.removesuffix("/v1") + "/stats") as stats:
            asked = json.load(stats)["asked"]
    return Run(len(pictures), wall, cpu, asked - len(pictures), answered)


@contextlib.contextmanager
def _server(kind: str, seconds: float, at_once: int) -> Iterator[str]:
    command = [
        sys.executable,
        "-m",
        "pipeline.testing.serve",
        "--kind",
        kind,
        "--seconds",
        str(seconds),
        "--at-once",
        str(at_once),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def _ask_concurrently(url: str, pictures: Sequence[Picture], work: str) -> list[float]:
    """Asks for a caption of every picture and returns when each came, in seconds."""
    os.environ.setdefault("OPENAI_API_KEY", "any word")
    backend = OpenAIServer("captioner", model_specs.parse(f"openai:scripted@{url}"), CallsConfig())

    answered = []

    async def main() -> None:
        async with open_client(
            "scripted", backend, work, Budget(None, None, 0.0, 0), lambda *_: None
        ) as client:

            async def ask(picture: Picture) -> None:
                request = Request(picture.path, "caption", _PROMPT, {}, CaptionAnswer, (picture,))
                await client.answer(request)
                answered.append(time.monotonic())

            await gather(ask(picture) for picture in pictures)

    asyncio.run(main())
    return answered


def _ask_one_by_one(url: str, pictures: Sequence[Picture], work: str) -> list[float]:
    answered = []
    with openai.OpenAI(base_url=url, api_key="any word") as client:
        for picture in pictures:
            data = base64.b64encode(Path(picture.path).read_bytes()).decode()
            client.chat.completions.create(
                model="scripted",
                messages=[
                    {
                        "role": "user",
                        "content": [
                            {
                                "type": "image_url",
                                "image_url": {"url": f"data:image/jpeg;base64,{data}"},
                            },
                            {"type": "text", "text": _PROMPT},
                        ],
                    }
                ],
            )
            answered.append(time.monotonic())
    return answered


def _draw_pictures(folder: Path, count: int) -> list[Picture]:
    """Draws small pictures, no two alike, about as large in bytes as keyframes of cartoons."""
    folder.mkdir()
    chance = np.random.default_rng(0)
    pictures = []
    for number in range(count):
        coarse = chance.integers(0, 255, (36, 64, 3), np.uint8)
        data = cv2.imencode(".jpg", cv2.resize(coarse, (640, 360)))[1].tobytes()
        path = folder / f"{number}.jpg"
        path.write_bytes(data)
        pictures.append(Picture(str(path), hashlib.sha256(data).hexdigest()))
    return pictures
