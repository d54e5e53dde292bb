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
    left: Counter[str] = Counter()  # film -> keyframes that may still be of an unwritten story
    for keyframe, picture in index.pictures.items():  # in the order of the film
        if picture.video in index.failed:
            continue
        if keyframe not in index.captions:
            if keyframe not in index.rejects:
                yield Problem(
                    "unexplained", keyframe, "has no caption, and no reject says why", RUN
                )
            continue
        if keyframe in index.story_of:
            left[picture.video] = 0
            continue
        if keyframe in index.unwritten:
            left[picture.video] = STORY_LENGTH
        if not left[picture.video] and keyframe not in index.rejects:
            yield Problem("unexplained", keyframe, "is in no story, and no reject says why", RUN)
        left[picture.video] = max(0, left[picture.video] - 1)
