"""What a run would do, before it does it: films, calls, tokens and minutes.

What an earlier run has left is looked up, part by part, exactly as the run itself would; for the
rest the numbers come from the films' lengths and the rates below.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence

from pipeline import parts, stages, storage
from pipeline.config import STAGES, DatasetConfig
from pipeline.stages import Film
from pipeline.videos import VideoError, probe
from schemas.rows import CHUNK_LENGTH, STORY_LENGTH, Keyframe, Video

KEYFRAMES_A_MINUTE = 17.0  # of film: Big Buck Bunny and the sample, at the default settings
# CPU seconds on the machine the project was built on (2 cores), for 1280x720 at 24 frames a second
SECONDS = {
    "keyframes": 1.6,  # a minute of film
    "text": 0.2,  # a keyframe, as the others
    "selection": 0.001,
    "captions": 0.1,
    "stories": 0.9,
}
CAPTION_TOKENS = 450, 70  # a call: the question with its picture, the answer
STORY_TOKENS = 70, 30  # a keyframe and call


@dataclasses.dataclass
class Work:
    """What one stage has to do."""

    films: int = 0
    reused: int = 0
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0


def estimate(videos: Sequence[Video], config: DatasetConfig, out: str) -> dict[str, Work]:
    """What each stage would do. Reads the films' headers and what is in `out` already."""
    work = {stage: Work() for stage in STAGES}
    for video in videos:
        try:
            video = probe(video)
        except (VideoError, OSError):
            continue  # the run makes a reject of it, at no cost
        film = Film(video, storage.join(out, "work"))
        known = _keyframes_there(film, config)
        minutes = video.duration / 60
        count = len(known) if known is not None else round(minutes * KEYFRAMES_A_MINUTE)
        for stage in STAGES:
            if known is not None and stage == "keyframes":
                work[stage].reused += 1
            else:
                _add(work[stage], stage, count, minutes)
    return work


def _keyframes_there(film: Film, config: DatasetConfig) -> list[Keyframe] | None:
    depends = ["keyframes", stages.VERSIONS["keyframes"], stages.keyframes_depend(film, config)]
    part = parts.name("keyframes", film.video.id, depends)
    file = parts.path(film.work, part)
    return parts.only(Keyframe, parts.load(file)) if parts.whole(file) else None


def _add(work: Work, stage: str, keyframes: int, minutes: float) -> None:
    work.films += 1
    work.seconds += SECONDS[stage] * (minutes if stage == "keyframes" else keyframes)
    if stage == "captions":
        work.calls += keyframes
        work.input_tokens += keyframes * CAPTION_TOKENS[0]
        work.output_tokens += keyframes * CAPTION_TOKENS[1]
    elif stage == "stories":
        work.calls += -(-keyframes // CHUNK_LENGTH) + -(-keyframes // STORY_LENGTH)
        work.input_tokens += 2 * keyframes * STORY_TOKENS[0]
        work.output_tokens += 2 * keyframes * STORY_TOKENS[1]


def describe(work: dict[str, Work]) -> str:
    """The estimate as a table to print."""
    cores = os.cpu_count() or 1
    lines = [f"{'stage':<10} {'films':>6} {'reused':>7} {'calls':>7} {'tokens in':>11} "
             f"{'tokens out':>11} {'minutes':>8}"]
    lines += [f"{stage:<10} {one.films:>6} {one.reused:>7} {one.calls:>7} {one.input_tokens:>11,} "
              f"{one.output_tokens:>11,} {one.seconds / 60 / cores:>8.1f}"
              for stage, one in work.items()]
    total = sum(one.seconds for one in work.values()) / 60 / cores
    return "\n".join([*lines, f"about {total:.1f} minutes on {cores} cores, by the rates of the "
                      "machine the project was built on; nothing was done"])
