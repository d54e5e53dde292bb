"""The stories: each in itself, and against the keyframes, captions and rejects."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Generator, Iterator

from pipeline.dataset.publish import DROPPED
from pipeline.dataset.verify.known import SIDES, Known, image_id, text_digest
from pipeline.dataset.verify.problems import RUN, Problem
from pipeline.dataset.verify.records import expect
from pipeline.dataset.verify.tables import rows
from schemas.rows import STORY_LENGTH, Story
from schemas.storystream import chunk_records, parse_keyframe_id


def check_stories(known: Known) -> Generator[Problem, None, dict[str, Counter[str]]]:
    """The stories; returns how many stories and chunks there are of each film."""
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for table in ("stories", DROPPED):
        for story in rows(known, table):
            for what in _story_faults(story, known):
                yield Problem("story", story.id, what, RUN)
            known.stories.add(story.id)
            known.story_of.update(dict.fromkeys(map(image_id, story.images), story.id))
            if table == DROPPED:
                if story.id not in known.rejects:
                    yield Problem("story", story.id, "was dropped, and no reject says why", RUN)
                continue
            if story.id in known.rejects:
                yield Problem("story", story.id, "is kept, and a reject says it is not", RUN)
            if story.split not in SIDES or story.split != known.side.get(story.video):
                yield Problem(
                    "split",
                    story.id,
                    f"is in {story.split!r}, its film "
                    f"{story.video} in {known.side.get(story.video)!r}",
                    RUN,
                )
            counted[story.video]["stories"] += 1
            counted[story.video]["chunks"] += len(chunk_records(story))
            if story.split in SIDES:
                expect(story, known)
    return counted


def _story_faults(story: Story, known: Known) -> Iterator[str]:
    """What is wrong with one story."""
    length = len(story.images)
    if story.id in known.stories:
        yield "is there twice"
        return
    if story.video not in known.side:
        yield f"dataset.json knows no film {story.video}"
    lengths = {
        name: len(getattr(story, name))
        for name in ("images", "captions", "orders", "descriptions", "writers", "repaired")
    }
    if not length or len(set(lengths.values())) > 1:
        yield "has " + ", ".join(f"{count} {name}" for name, count in lengths.items())
    if story.orders != list(range(len(story.orders))):
        yield f"its orders are {story.orders}"
    if story.complete != (length == STORY_LENGTH) or length > STORY_LENGTH:
        yield f"has {length} pictures and says complete={story.complete}"
    for at, text in enumerate(story.captions):
        if not text.strip():
            yield f"its caption {at} is blank"
    yield from _image_faults(story, known)


def _image_faults(story: Story, known: Known) -> Iterator[str]:
    times = []
    for at, image in enumerate(story.images):
        name = image_id(image)
        if not known.is_keyframe(image):
            yield f"its picture {image} is no keyframe's"
            continue
        if known.pictures[name].video != story.video:
            yield f"its picture {image} is of another film"
        if name in known.story_of:
            yield f"its picture {image} is also in {known.story_of[name]}"
        if at < len(story.descriptions) and known.described.get(name) != text_digest(
            story.descriptions[at]
        ):
            yield f"its description {at} is not the caption of {name}"
        try:
            times.append(parse_keyframe_id(name)[1])
        except ValueError:  # said of the keyframe
            continue
    if any(after <= before for before, after in itertools.pairwise(times)):
        yield "its pictures are not in the order of the film"
