"""What has been read of a dataset so far, which the checks hand on."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import defaultdict
from typing import NamedTuple

from pipeline.dataset.manifest import Manifest
from schemas.storystream import IMAGES

SIDES = ("train", "val")


class Picture(NamedTuple):
    """What is kept of a keyframe's row."""

    video: str
    sha256: str
    phash: str


@dataclasses.dataclass
class Known:
    """What has been read so far: ids and digests, so that the tables can be held together."""

    out: str
    manifest: Manifest
    side: dict[str, str]  # film -> its side of the split
    pictures: dict[str, Picture] = dataclasses.field(default_factory=dict)  # keyframe -> it
    described: dict[str, bytes] = dataclasses.field(default_factory=dict)  # keyframe -> caption
    rejects: set[str] = dataclasses.field(default_factory=set)  # their keys
    reject_images: set[str] = dataclasses.field(default_factory=set)
    story_of: dict[str, str] = dataclasses.field(default_factory=dict)  # keyframe -> story
    stories: set[str] = dataclasses.field(default_factory=set)  # those dropped too
    # File of lines, or side of the shards -> id -> digest of the record that belongs there.
    records: dict[str, dict[str, bytes]] = dataclasses.field(
        default_factory=lambda: defaultdict(dict)
    )

    def is_keyframe(self, image: str) -> bool:
        """Whether the path is that of a keyframe's picture."""
        picture = self.pictures.get(image_id(image))
        return picture is not None and image == image_path(picture.video, image_id(image))


def image_id(image: str) -> str:
    return image.rpartition("/")[2].removesuffix(".jpg")


def image_path(video: str, keyframe: str) -> str:
    return f"{IMAGES}/{video}/{keyframe}.jpg"


def text_digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:16]
