"""Finds rejects that lack a field or whose picture is missing or unreadable."""

from __future__ import annotations

from collections.abc import Generator

from pipeline.dataset.reader import read_rows
from pipeline.dataset.verify.index import Index
from pipeline.dataset.verify.pictures import reject_picture_problem
from pipeline.dataset.verify.problems import RUN, Problem
from pipeline.runtime.stage_outputs import FAILED
from schemas.layout import REJECTS, image_keyframe
from schemas.rows import Reject


def check_rejects(index: Index) -> Generator[Problem, None, int]:
    """Checks the rejects and their pictures; returns how many rejects there are."""
    count = 0
    for count, reject in enumerate(read_rows(index.out, REJECTS, Reject), 1):
        blank = [
            name
            for name in ("stage", "key", "reason", "detail")
            if not getattr(reject, name).strip()
        ]
        if blank:
            yield Problem(
                "reject",
                reject.key or f"row {count - 1}",
                f"does not say its {', '.join(blank)}",
                RUN,
            )
        index.rejects.add(reject.key)
        if reject.stage == "story":
            index.unwritten.add(image_keyframe(reject.image))
        if reject.reason == FAILED:
            index.failed.add(reject.video)
        if reject.image and reject.image not in index.reject_images:
            index.reject_images.add(reject.image)
            if not index.is_keyframe_image(reject.image):  # those have been checked already
                problem = reject_picture_problem(index.out, reject.image)
                if problem:
                    yield problem
    return count
