"""How many questions a second a model server is asked, against what it could answer.

A scripted server (`benchmarks.model_server`) in a process of its own takes a second for an answer
and works on 32 questions at once; what is more it refuses, or lets wait. It is asked for captions
by our backend, with all that goes with a call (pictures read from disk, answers kept there), and in
the manner of the published script: one call after the other with the client of OpenAI. That one
takes a second a call by construction, so that few of them are measured.
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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import openai

from pipeline.asking import asking, together
from pipeline.backends import Picture, Request, specs
from pipeline.backends.openai_server import OpenAIServer
from pipeline.config import CallsConfig
from pipeline.money import Purse
from schemas.answers import CaptionAnswer

HEADS = ("server", "tool", "calls", "wall s", "CPU s", "calls/s", "share of the server's limit",
         "refused calls", "to one by one")
_PROMPT = "Say what picture number 1 shows."


class Run(NamedTuple):
    """What came of asking a server."""

    calls: int
    wall: float  # seconds
    cpu: float  # seconds of this process
    refused: int

    @property
    def rate(self) -> float:
        """Calls a second."""
        return self.calls / self.wall


def rows(calls: int = 1300, one_by_one: int = 8, seconds: float = 1.0, at_once: int = 32
         ) -> list[list[Any]]:
    """A row a server and tool, as HEADS say, after that many calls of ours and of the others."""
    found = []
    with tempfile.TemporaryDirectory(prefix="storystream-bench-") as folder:
        pictures = _pictures(Path(folder, "pictures"), calls)
        for kind, does in (("queue", "lets wait"), ("reject", "refuses")):
            serial = _measured(_serial, pictures[:one_by_one], folder, kind, seconds, at_once)
            ours = _measured(_ours, pictures, os.path.join(folder, kind), kind, seconds, at_once)
            for tool, run in (("one by one, measured on few", serial), ("ours", ours)):
                found.append([does, tool, run.calls, f"{run.wall:.1f}", f"{run.cpu:.1f}",
                              f"{run.rate:.1f}", f"{100 * run.rate * seconds / at_once:.0f} %",
                              run.refused, f"{run.rate / serial.rate:.1f}"])
    return found


def _measured(tool: Callable[[str, Sequence[Picture], str], None], pictures: Sequence[Picture],
              work: str, kind: str, seconds: float, at_once: int) -> Run:
    with _server(kind, seconds, at_once) as url:
        started, cpu = time.monotonic(), time.process_time()
        tool(url, pictures, work)
        wall, cpu = time.monotonic() - started, time.process_time() - cpu
        with urllib.request.urlopen(url.removesuffix("/v1") + "/stats") as stats:
            asked = json.load(stats)["asked"]
    return Run(len(pictures), wall, cpu, asked - len(pictures))


@contextlib.contextmanager
def _server(kind: str, seconds: float, at_once: int) -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.model_server", "--kind", kind, "--seconds",
               str(seconds), "--at-once", str(at_once)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def _ours(url: str, pictures: Sequence[Picture], work: str) -> None:
    os.environ.setdefault("OPENAI_API_KEY", "any word")
    backend = OpenAIServer("captioner", specs.parse(f"openai:scripted@{url}"), CallsConfig())

    async def main() -> None:
        async with asking("scripted", backend, work, Purse(None, None, 0.0, 0),
                          lambda *_: None) as asker:
            await together(asker.answer(Request(picture.path, "caption", _PROMPT, {}, CaptionAnswer,
                                                (picture,))) for picture in pictures)

    asyncio.run(main())


def _serial(url: str, pictures: Sequence[Picture], work: str) -> None:
    with openai.OpenAI(base_url=url, api_key="any word") as client:
        for picture in pictures:
            data = base64.b64encode(Path(picture.path).read_bytes()).decode()
            client.chat.completions.create(
                model="scripted", messages=[{"role": "user", "content": [
                    {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}},
                    {"type": "text", "text": _PROMPT}]}])


def _pictures(folder: Path, count: int) -> list[Picture]:
    """As many small pictures, no two alike, about as heavy as keyframes of cartoons."""
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
