"""The index of what has been read of a dataset: ids and digests, which the checks share."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import defaultdict
from typing import NamedTuple

from pipeline.dataset.manifest import Manifest
from schemas.layout import image_keyframe, image_path


class Picture(NamedTuple):
    """The part of a keyframe's row that later checks need."""

    video: str
    sha256: str
    phash: str
    width: int
    height: int


@dataclasses.dataclass
class Index:
    """What has been read so far. Each check adds what it reads, and compares with the earlier."""

    out: str
    manifest: Manifest
    splits: dict[str, str]  # film -> its side of the split
    sources: dict[str, dict[str, str]]  # film -> its license and attribution
    pictures: dict[str, Picture] = dataclasses.field(default_factory=dict)  # by keyframe
    captions: dict[str, bytes] = dataclasses.field(default_factory=dict)  # keyframe -> digest
    rejects: set[str] = dataclasses.field(default_factory=set)  # their keys
    # The first keyframe of each story that was not written.
    unwritten: set[str] = dataclasses.field(default_factory=set)
    failed: set[str] = dataclasses.field(default_factory=set)  # films that a stage failed on
    reject_images: set[str] = dataclasses.field(default_factory=set)
    story_of: dict[str, str] = dataclasses.field(default_factory=dict)  # keyframe -> story
    stories: set[str] = dataclasses.field(default_factory=set)  # those dropped too
    # JSONL file, or split of the shards -> id -> digest of the record that is expected there.
    records: dict[str, dict[str, bytes]] = dataclasses.field(
        default_factory=lambda: defaultdict(dict)
    )

    def is_keyframe_image(self, image: str) -> bool:
        """Tells whether a path is that of a keyframe's picture."""
        keyframe = image_keyframe(image)
        picture = self.pictures.get(keyframe)
        return picture is not None and image == image_path(picture.video, keyframe)


def text_digest(text: str) -> bytes:
    """Returns 16 bytes that stand for a text."""
    return hashlib.sha256(text.encode()).digest()[:16]
