"""The published StoryStream dataset: how its images are named and what a line of its JSONL holds.

Source: the `StoryStream` folder of github.com/TencentARC/SEED-Story (its README and chunk_data.py).
A line is `{"id", "images", "captions", "orders"}`; image paths are relative to the image folder. We
add `characters`, who is seen in each picture, and `boxes`, where (x, y, width and height in pixels
for each of them), which its loader does not read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from schemas.layout import IMAGES
from schemas.rows import CHUNK_LENGTH, Story

_KEYFRAME_ID = re.compile(r"(?P<video>.+)_keyframe_(\d+)-(\d+)-(\d+)-(\d+)$")


def keyframe_id(video: str, seconds: float) -> str:
    """Returns the published name of the keyframe of `video` at `seconds`, without its ending.

    Numbers are not padded, as in the published data: 1199.688 s is `<video>_keyframe_0-19-59-688`.
    """
    total = round(seconds * 1000)
    minutes, milliseconds = divmod(total, 60_000)
    hours, minutes = divmod(minutes, 60)
    whole, milliseconds = divmod(milliseconds, 1000)
    return f"{video}_keyframe_{hours}-{minutes}-{whole}-{milliseconds}"


def parse_keyframe_id(name: str) -> tuple[str, float]:
    """Returns the video and the seconds in a keyframe's id. Raises ValueError for another name."""
    match = _KEYFRAME_ID.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is not '<video>_keyframe_<H>-<M>-<S>-<ms>'")
    hours, minutes, seconds, milliseconds = map(int, match.groups()[1:])
    return match["video"], hours * 3600 + minutes * 60 + seconds + milliseconds / 1000


def story_record(story: Story) -> dict[str, Any]:
    """Returns the line of a whole story in the JSONL of stories."""
    return {
        "id": story.id,
        "images": [image.removeprefix(IMAGES + "/") for image in story.images],
        "captions": story.captions,
        "orders": story.orders,
        **({"characters": story.characters, "boxes": story.boxes} if story.characters else {}),
    }


def chunk_records(story: Story) -> list[dict[str, Any]]:
    """Cuts a story into chunks of 10, each a line of the JSONL of chunks; a shorter rest is left.

    Orders start at 0 in each chunk, as the published loader expects.
    """
    whole = story_record(story)
    return [
        {
            "id": f"{story.id}_chunk_{start // CHUNK_LENGTH}",
            "images": whole["images"][start : start + CHUNK_LENGTH],
            "captions": whole["captions"][start : start + CHUNK_LENGTH],
            "orders": list(range(CHUNK_LENGTH)),
            **{
                seen: whole[seen][start : start + CHUNK_LENGTH]
                for seen in ("characters", "boxes")
                if seen in whole
            },
        }
        for start in range(0, len(story.images) - CHUNK_LENGTH + 1, CHUNK_LENGTH)
    ]


def sample_records(story: Story, source: Mapping[str, str]) -> list[dict[str, Any]]:
    """Returns the JSON of a story's samples in the shards: its chunks, and where each is from.

    `source` is the film's license and attribution, which go wherever its pictures go.
    """
    return [
        {
            **chunk,
            "story": story.id,
            "chunk": number,
            "video": story.video,
            "series": story.series,
            "license": source["license"],
            "attribution": source["attribution"],
        }
        for number, chunk in enumerate(chunk_records(story))
    ]
