"""A picture against the row that names it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from pipeline.dataset.reader import locate
from pipeline.dataset.verify.problems import COPY, PICTURE, RUN, Problem
from pipeline.keyframes.near_duplicates import perceptual_hash, similarity
from pipeline.runtime import storage
from pipeline.runtime.images import ImageError, decode_luma
from schemas.rows import Keyframe

# A hash is of the picture before JPEG, which turns a few bits near the median: 4 of 256 in films.
SAME_PICTURE = 0.95


def keyframe_picture_problem(out: str, keyframe: Keyframe) -> Problem | None:
    where = keyframe.image
    try:
        data = storage.read_bytes(locate(out, where))
    except OSError:
        return Problem("missing picture", where, "keyframes.parquet names it", COPY)
    if len(data) != keyframe.bytes:
        return Problem(
            "changed picture",
            where,
            f"has {len(data)} bytes, its row says {keyframe.bytes}",
            PICTURE,
        )
    if hashlib.sha256(data).hexdigest() != keyframe.sha256:
        return Problem("changed picture", where, "its sha256 is not that of its row", PICTURE)
    try:
        picture = decode_luma(data, where)
    except ImageError:
        return Problem("unreadable picture", where, "is not an image", PICTURE)
    height, width = picture.shape
    if (width, height) != (keyframe.width, keyframe.height):
        return Problem(
            "picture",
            where,
            f"is {width}x{height}, its row says {keyframe.width}x{keyframe.height}",
            RUN,
        )
    if not is_hash(keyframe.phash) or (
        similarity(perceptual_hash(picture), keyframe.phash) < SAME_PICTURE
    ):
        return Problem("picture", where, "its phash is another picture's", RUN)
    return None


def reject_picture_problems(out: str, image: str) -> Iterator[Problem]:
    try:
        data = storage.read_bytes(locate(out, image))
    except OSError:
        yield Problem("missing picture", image, "rejects.parquet names it", COPY)
        return
    try:
        decode_luma(data, image)
    except ImageError:
        yield Problem("unreadable picture", image, "is not an image", PICTURE)


def is_hash(text: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{64}", text) is not None
