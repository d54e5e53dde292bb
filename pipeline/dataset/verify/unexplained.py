"""Finds keyframes that are in no caption or no story although no reject says why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from pipeline.dataset.verify.index import Index
from pipeline.dataset.verify.problems import RUN, Problem
from schemas.rows import STORY_LENGTH


def check_unexplained(index: Index) -> Iterator[Problem]:
    """Checks that every keyframe is in a caption and a story, or has a reject, or that
    its film has one. Needs all tables."""
    captioned: Counter[str] = Counter()
    for keyframe, picture in index.pictures.items():  # in the order of the film
        if picture.video in index.failed:
            continue
        if keyframe not in index.captions:
            if keyframe not in index.rejects:
                yield Problem(
                    "unexplained", keyframe, "has no caption, and no reject says why", RUN
                )
            continue
        # A film's stories are its captioned keyframes, 30 at a time: so it belongs to this one.
        story = f"{picture.video}_story_{captioned[picture.video] // STORY_LENGTH:03d}"
        captioned[picture.video] += 1
        if keyframe not in index.story_of and not {keyframe, story} & index.rejects:
            yield Problem(
                "unexplained",
                keyframe,
                f"is not in {story} nor in another story, and no reject says why",
                RUN,
            )
