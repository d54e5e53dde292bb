"""What a run would do, before it does it: films, calls, tokens and minutes.

What an earlier run has left is looked up, part by part, exactly as the run itself would; for the
rest the numbers come from the films' lengths and the rates below.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from typing import Any

from pipeline import parts, stages, storage
from pipeline.config import STAGES, DatasetConfig
from pipeline.stages import Film
from pipeline.videos import VideoError, probe
from schemas.rows import CHUNK_LENGTH, STORY_LENGTH, Keyframe, Video

# What run.json said of a run over Big Buck Bunny (1280x720, 24 frames a second) and its trailer, at
# the default settings, on the machine that the project was built on.
KEYFRAMES_A_MINUTE = 15.0  # of film
SECONDS = {
    "keyframes": 1.7,  # a minute of film
    "text": 0.1,  # a keyframe, as the others
    "selection": 0.001,
    "captions": 0.12,
    "stories": 0.23,
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
    films = _known([Film(video, storage.join(out, "work")) for video in videos], config)
    for film in films:
        try:
            minutes = probe(film.video).duration / 60
        except (VideoError, OSError):
            continue  # the run makes a reject of it, at no cost
        last = next((stage for stage in ("selection", "text", "keyframes")
                     if stage in film.parts), None)
        keyframes = len(film.rows(last, Keyframe)) if last else round(minutes * KEYFRAMES_A_MINUTE)
        for stage in STAGES:
            if stage in film.parts:
                work[stage].reused += 1
            else:
                _add(work[stage], stage, keyframes, minutes)
    return work


def _known(films: list[Film], config: DatasetConfig) -> list[Film]:
    """The films with those parts that an earlier run has left and this one would take."""
    depends: dict[str, Callable[[Film], Any]] = {
        "keyframes": lambda film: stages.keyframes_depend(film, config),
        "text": lambda film: stages.text_depends(film, config),
        "selection": lambda film: stages.selection_depends(
            film, [other for other in films if other.video.series == film.video.series], config),
        "captions": lambda film: stages.captions_depend(film, config),
        "stories": lambda film: stages.stories_depend(film, config),
    }
    for stage in STAGES:
        films = [_with_part(film, stage, depends[stage]) for film in films]
    return films


def _with_part(film: Film, stage: str, depends: Callable[[Film], Any]) -> Film:
    try:
        part = stages.part_name(stage, film, depends(film))
    except (KeyError, OSError):  # a stage before it is not done, or the film cannot be read
        return film
    if not parts.whole(parts.path(film.work, part)):
        return film
    return dataclasses.replace(film, parts={**film.parts, stage: part})


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
