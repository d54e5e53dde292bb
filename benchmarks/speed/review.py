"""Measures the pages to curate by on a dataset of very many stories, of simulated rows.

A server is started as `storystream review` starts it and asked as a browser asks it: from its start
to the first list, then another list, a search, a story and its thumbnails. Memory is that of the
server's process. Nothing but the tables and one picture is simulated.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.results.tables import Cell, Column, Figure, Table
from benchmarks.speed.table_size import film_rows
from pipeline.dataset.tables import writing_table
from schemas import layout
from schemas.rows import STORY_LENGTH, Keyframe, Scene, Scores, Story, Video

STORIES = 10_000
_OF_FILM = 10  # stories
_TEXT = "Pip and Momo looked for the red ball behind the old tree by the lake and laughed"
_STEPS = {
    "dataset": "/api/dataset",
    "first list": "/api/stories",
    "list 100": "/api/stories?page=100",
    "lowest grounding": "/api/stories?score=grounding",
    "a word": "/api/stories?words=kangaroo",
    "a place": "/api/stories?place=Show+0%3A+place_001",
    "a story": "/api/story?id={story}",
    "a thumbnail": "/media/thumbnail?path={image}",
    "it again": "/media/thumbnail?path={image}",
}


def run(stories: int = STORIES, folder: str = "") -> Table:
    """Makes a dataset of so many stories, opens its pages and measures; it lies in `folder` while
    that lasts."""
    with tempfile.TemporaryDirectory(prefix="storystream-bench-", dir=folder or None) as place:
        story, image = write_dataset(Path(place), stories)
        figures = _measured(place, story, image)
    seconds = [Column(name, "lower", "s", 2) for name in figures if not name.startswith("memory")]
    return Table(
        "review",
        "The pages to curate by",
        "stories",
        (*seconds, Column("memory", "lower", "MB", 0), Column("memory, after", "lower", "MB", 0)),
        {f"{stories:,}": figures},
        "Seconds until an answer is read. *Listening*: from the start of the process on, with its "
        "imports and the index; *first list*: from then on, with what else the page asks for; "
        "*CPU until then*: of all that. Memory is that of the server with its index, and after the "
        "requests.",
        {"machine": f"{os.cpu_count()} cores"},
        contest=False,
    )


def write_dataset(out: Path, stories: int) -> tuple[str, str]:
    """Writes the tables of a dataset with so many stories and one picture; returns the id of a
    story, and the path of its picture."""
    films = -(-stories // _OF_FILM)
    with contextlib.ExitStack() as stack:
        tables = {
            name: stack.enter_context(
                writing_table(stack.enter_context(open(out / layout.table_path(name), "wb")), kind)
            )
            for name, kind in layout.TABLES.items()
        }
        for film in range(films):
            keyframes = _renamed(film_rows(film, _OF_FILM * STORY_LENGTH))
            video, series = keyframes[0].video, keyframes[0].series
            tables[layout.VIDEOS].write([Video(video, f"{video}.mp4", series, video, fps=25.0)])
            tables[layout.KEYFRAMES].write(keyframes)
            made = [
                _story(video, series, number, keyframes)
                for number in range(min(_OF_FILM, stories - film * _OF_FILM))
            ]
            tables[layout.STORIES].write(made)
            tables[layout.SCENES].write(
                [
                    Scene(
                        f"{video}_scene_{number}",
                        video,
                        series,
                        number,
                        f"place_{number % 7:03d}",
                        [row.id for row in keyframes[start : start + 5]],
                        keyframes[start].id,
                        0.0,
                        1.0,
                        [],
                    )
                    for number, start in enumerate(range(0, len(keyframes), 5))
                ]
            )
            if film == films // 2:
                chosen = made[0]
    manifest = {
        "name": "simulated",
        "version": "0",
        "config": {"output": {"split_likeness": 0.95}},
        "counts": {},
        "splits": {},
        "videos": [],
        "files": [],
    }
    (out / layout.MANIFEST).write_text(json.dumps(manifest))
    image = out / chosen.images[0]
    image.parent.mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 255, (1080, 1920, 3), np.uint8)
    image.write_bytes(cv2.imencode(".jpg", cv2.blur(noise, (9, 9)))[1].tobytes())
    return chosen.id, chosen.images[0]


def _renamed(keyframes: list[Keyframe]) -> list[Keyframe]:
    """Returns the keyframes with names that follow their times, which are 4 seconds apart."""
    rows = []
    for number, row in enumerate(keyframes):
        minutes, seconds = divmod(4 * number, 60)
        id_ = f"{row.video}_keyframe_0-{minutes}-{seconds}-0"
        image = layout.image_path(row.video, id_)
        rows.append(dataclasses.replace(row, id=id_, image=image, time=4.0 * number))
    return rows


def _story(video: str, series: str, number: int, keyframes: list[Keyframe]) -> Story:
    start = number * STORY_LENGTH
    images = [row.image for row in keyframes[start : start + STORY_LENGTH]]
    texts = [f"{_TEXT[at % 9 :]} {number} {at}." for at in range(STORY_LENGTH)]
    return Story(
        id=f"{video}_story_{number:03d}",
        video=video,
        series=series,
        split="train",
        complete=True,
        images=images,
        captions=texts,
        orders=list(range(STORY_LENGTH)),
        descriptions=[f"A picture of {text}" for text in texts],
        caption_model="simulated",
        writers=["simulated"] * STORY_LENGTH,
        repaired=[False] * STORY_LENGTH,
        scores=Scores(0.1, 4.0, 0.99, 0, 1.0, 0.0, 0.5 + number / 100, None),
        characters=[["Pip", "Momo"][: at % 3] for at in range(STORY_LENGTH)],
    )


def _measured(out: str, story: str, image: str) -> dict[str, Cell]:
    command = [sys.executable, "-m", "pipeline", "review", out, "--port", "0"]
    began = time.monotonic()
    figures: dict[str, Cell] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            opened = re.match(r"open (http://\S+)/", line := server.stdout.readline())
            if opened is None:
                raise RuntimeError(f"the server did not start: {line!r}")
            figures["listening"] = Figure(time.monotonic() - began)
            listening = time.monotonic()
            values = {
                "story": urllib.parse.quote(story),
                "image": urllib.parse.quote(image, safe=""),
            }
            for name, path in _STEPS.items():
                before = listening if name == "first list" else time.monotonic()
                _read(opened[1] + path.format(**values))
                figures[name] = Figure(time.monotonic() - before)
                if name == "first list":
                    figures["CPU until then"] = Figure(_cpu(server.pid))
                    figures["memory"] = Figure(_memory(server.pid))
            figures["memory, after"] = Figure(_memory(server.pid))
        finally:
            server.terminate()
    return figures


def _read(url: str) -> Any:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=60) as answer:
        return answer.read()


def _cpu(pid: int) -> float:
    """Returns the CPU time of a process, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> float:
    """Returns the memory of a process, in MB."""
    fields = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    return int(fields["VmRSS"].split()[0]) * 1024 / 1e6
