"""Rows for tests: whole ones with every field set, from the few that matter to a test."""

from __future__ import annotations

import hashlib
from typing import Any

from schemas.published import keyframe_id
from schemas.rows import Keyframe, Story


def phash(seed: object) -> str:
    """A hash like no other: 256 bits as hex."""
    return hashlib.sha256(str(seed).encode()).hexdigest()


def flipped(text: str, bits: int) -> str:
    """The hash with its first `bits` bits, one in each sixteen, changed."""
    value = int(text, 16)
    for at in range(bits):
        value ^= 1 << (at % 16 * 16 + at // 16)
    return f"{value:064x}"


def keyframe(video: str, time: float, **fields: Any) -> Keyframe:
    name = keyframe_id(video, time)
    return Keyframe(
        **{
            "id": name,
            "video": video,
            "series": "series",
            "image": f"images/{video}/{name}.jpg",
            "time": time,
            "shot": int(time),
            "shot_start": time,
            "shot_end": time + 1,
            "width": 320,
            "height": 180,
            "crop": [0, 0, 320, 180],
            "bytes": 1000,
            "sha256": "0" * 64,
            "phash": phash(name),
            "sharpness": 100.0,
            "brightness": 0.5,
            "camera_motion": [0.0, 0.0],
            "subject_motion": [0.0, 0.0],
            **fields,
        }
    )


def story(video: str, number: int = 0, length: int = 30, **fields: Any) -> Story:
    images = [f"images/{video}/{keyframe_id(video, number * 100 + i)}.jpg" for i in range(length)]
    return Story(
        **{
            "id": f"{video}_story_{number:03d}",
            "video": video,
            "series": "series",
            "split": "train",
            "complete": length == 30,
            "images": images,
            "captions": [f"{video} {number} {i}." for i in range(length)],
            "orders": list(range(length)),
            "descriptions": ["."] * length,
            "caption_model": "c",
            "writers": ["w"] * length,
            "repaired": [False] * length,
            **fields,
        }
    )
