"""Two stories of a film and decisions about them, for tests."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

from pipeline.review import apply
from schemas.decisions import Decision, parse
from schemas.layout import image_keyframe
from schemas.published import parse_keyframe_id
from schemas.rows import Keyframe, Story
from tests.pipeline.rows import keyframe, story

FILM = "film"


def a_film() -> tuple[list[Story], list[Keyframe]]:
    """A story of 30 pictures and one of 5, and their keyframes, a second apart."""
    first = story(FILM, 0, descriptions=[f"d {at}" for at in range(30)])
    second = story(FILM, 1, length=5)
    keyframes = [
        keyframe(
            FILM,
            parse_keyframe_id(image_keyframe(image))[1],
            sha256=hashlib.sha256(image.encode()).hexdigest(),
        )
        for part in (first, second)
        for image in part.images
    ]
    stories = [dataclasses.replace(row, split="", characters=[]) for row in (first, second)]
    return stories, keyframes


def decision(number: int, what: str, story: Story, by: str = "Ann", **fields: Any) -> Decision:
    """A decision about a story as it is, with the digest of what it is about."""
    stories, keyframes = a_film()
    of_image = {row.image: row for row in keyframes}
    at = fields.pop("at", None)
    values = {
        "id": f"{number:016x}",
        "by": by,
        "at": "2026-11-29T12:00:00Z",
        "what": what,
        "film": FILM,
        "story": story.id,
    }
    if at is not None:
        image = story.images[at]
        row = of_image[image]
        values["keyframe"] = row.id
        values["digest"] = (
            apply.sentence_digest(row, story.captions[at])
            if what == "edit"
            else apply.picture_digest(row)
        )
    else:
        values["digest"] = apply.story_digest(story, of_image)
    if what == "move":
        values["digest"] = apply.boundary_digest(stories[0], stories[1], of_image)
    if what in ("reject", "drop"):
        values["reason"] = "words"
    return parse(values | fields)


def undo(number: int, of: int, by: str = "Ann") -> Decision:
    return parse(
        {
            "id": f"{number:016x}",
            "by": by,
            "at": "2026-11-29T12:00:00Z",
            "what": "undo",
            "of": f"{of:016x}",
        }
    )
