"""The rejects, and what is left out without one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator

from pipeline.dataset.verify.known import Known
from pipeline.dataset.verify.pictures import reject_picture_problems
from pipeline.dataset.verify.problems import RUN, Problem
from pipeline.dataset.verify.tables import rows
from schemas.rows import STORY_LENGTH


def check_rejects(known: Known) -> Generator[Problem, None, int]:
    """The rejects and their small pictures; returns how many rejects there are."""
    count = 0
    for count, reject in enumerate(rows(known, "rejects"), 1):
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
        known.rejects.add(reject.key)
        if reject.image and reject.image not in known.reject_images:
            known.reject_images.add(reject.image)
            if not known.is_keyframe(reject.image):  # those were looked at already
                yield from reject_picture_problems(known.out, reject.image)
    return count


def check_left_out(known: Known) -> Iterator[Problem]:
    """Keyframes that are in no caption or no story, and nothing says why."""
    captioned: Counter[str] = Counter()
    for name, picture in known.pictures.items():  # in the order of the film
        if name not in known.described:
            if name not in known.rejects:
                yield Problem("unexplained", name, "has no caption, and no reject says why", RUN)
            continue
        # Stories are cut off those with a caption, 30 at a time: so this one belongs to it.
        story = f"{picture.video}_story_{captioned[picture.video] // STORY_LENGTH:03d}"
        captioned[picture.video] += 1
        if name not in known.story_of and not {name, story} & known.rejects:
            yield Problem(
                "unexplained",
                name,
                f"is not in {story} nor in another story, and no reject says why",
                RUN,
            )
