"""Finds stories that contradict themselves, the keyframes, captions and rejects, or the split."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Generator, Iterator

from pipeline.dataset.reader import read_rows
from pipeline.dataset.verify.expected_records import expect_records
from pipeline.dataset.verify.index import Index, text_digest
from pipeline.dataset.verify.problems import RUN, Problem
from schemas.layout import DROPPED_STORIES, SPLITS, STORIES, image_keyframe
from schemas.published import chunk_records, parse_keyframe_id
from schemas.rows import STORY_LENGTH, Story


def check_stories(index: Index) -> Generator[Problem, None, dict[str, Counter[str]]]:
    """Checks the stories, dropped ones too; returns for each film its "stories" and "chunks".

    Needs keyframes, captions and rejects.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for table in (STORIES, DROPPED_STORIES):
        for story in read_rows(index.out, table, Story):
            for fault in _story_faults(story, index):
                yield Problem("story", story.id, fault, RUN)
            index.stories.add(story.id)
            index.story_of.update(dict.fromkeys(map(image_keyframe, story.images), story.id))
            if table == DROPPED_STORIES:
                if story.id not in index.rejects:
                    yield Problem("story", story.id, "was dropped, and no reject says why", RUN)
                continue
            if story.id in index.rejects:
                yield Problem(
                    "story", story.id, "is in the dataset, and a reject says it is not", RUN
                )
            film_split = index.splits.get(story.video)
            if story.split not in SPLITS or story.split != film_split:
                yield Problem(
                    "split",
                    story.id,
                    f"is in {story.split!r}, its film {story.video} in {film_split!r}",
                    RUN,
                )
            counts[story.video]["stories"] += 1
            counts[story.video]["chunks"] += len(chunk_records(story))
            if story.split in SPLITS:
                expect_records(story, index)
    return counts


def _story_faults(story: Story, index: Index) -> Iterator[str]:
    """Describes what is wrong with a story."""
    length = len(story.images)
    if story.id in index.stories:
        yield "is there twice"
        return
    if story.video not in index.splits:
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
    for position, text in enumerate(story.captions):
        if not text.strip():
            yield f"its caption {position} is blank"
    yield from _image_faults(story, index)


def _image_faults(story: Story, index: Index) -> Iterator[str]:
    times = []
    for position, image in enumerate(story.images):
        keyframe = image_keyframe(image)
        if not index.is_keyframe_image(image):
            yield f"its picture {image} is not that of a keyframe"
            continue
        if index.pictures[keyframe].video != story.video:
            yield f"its picture {image} is of another film"
        if keyframe in index.story_of:
            yield f"its picture {image} is also in {index.story_of[keyframe]}"
        if position < len(story.descriptions) and index.captions.get(keyframe) != text_digest(
            story.descriptions[position]
        ):
            yield f"its description {position} is not the caption of {keyframe}"
        try:
            times.append(parse_keyframe_id(keyframe)[1])
        except ValueError:  # reported with the keyframe
            continue
    if any(after <= before for before, after in itertools.pairwise(times)):
        yield "its pictures are not in the order of the film"
