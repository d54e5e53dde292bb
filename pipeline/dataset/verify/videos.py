"""Finds films whose rows are not what the manifest says of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from pipeline.dataset.manifest import read_json
from pipeline.dataset.reader import read_rows
from pipeline.dataset.verify.index import Index
from pipeline.dataset.verify.problems import RUN, Problem
from schemas.layout import VIDEOS
from schemas.rows import Video


def check_videos(index: Index) -> Iterator[Problem]:
    """Checks the table of films, which says what the manifest says."""
    said = {film["id"]: film for film in read_json(index.out)["videos"]}
    for video in read_rows(index.out, VIDEOS, Video):
        film = said.pop(video.id, {})
        differ = [
            name for name, value in dataclasses.asdict(video).items() if film.get(name) != value
        ]
        if differ:
            yield Problem("film", video.id, f"dataset.json has another {', '.join(differ)}", RUN)
    for name in sorted(said):
        yield Problem("film", name, "is not in videos.parquet", RUN)
