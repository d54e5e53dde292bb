"""Finds pictures that are missing, changed, unreadable, or not those of their rows."""

from __future__ import annotations

import hashlib
import re

from pipeline.dataset.reader import is_inside, locate, read_file
from pipeline.dataset.verify.problems import COPY, PICTURE, RUN, Problem
from pipeline.keyframes.near_duplicates import perceptual_hash, similarity
from pipeline.runtime import storage
from pipeline.runtime.images import ImageError, decode_luma
from schemas.rows import Keyframe

# A hash is of the picture before JPEG, which turns a few bits near the median: 4 of 256 in films.
SAME_PICTURE = 0.95
LARGEST_PICTURE = 256 << 20  # bytes; a keyframe of 8K film has a tenth of that


def keyframe_picture_problem(out: str, keyframe: Keyframe) -> Problem | None:
    """Checks the picture of a keyframe against its row; returns the first problem."""
    image = keyframe.image
    data = _read(out, image, "keyframes.parquet")
    if isinstance(data, Problem):
        return data
    if len(data) != keyframe.bytes:
        return Problem(
            "changed picture",
            image,
            f"has {len(data)} bytes, its row says {keyframe.bytes}",
            PICTURE,
        )
    if hashlib.sha256(data).hexdigest() != keyframe.sha256:
        return Problem("changed picture", image, "its sha256 is not that of its row", PICTURE)
    try:
        picture = decode_luma(data, image)
    except ImageError:
        return Problem("unreadable picture", image, "is not an image", PICTURE)
    height, width = picture.shape
    if (width, height) != (keyframe.width, keyframe.height):
        return Problem(
            "picture",
            image,
            f"is {width}x{height}, its row says {keyframe.width}x{keyframe.height}",
            RUN,
        )
    if not is_hash(keyframe.phash) or (
        similarity(perceptual_hash(picture), keyframe.phash) < SAME_PICTURE
    ):
        return Problem("picture", image, "its phash is another picture's", RUN)
    return None


def reject_picture_problem(out: str, image: str) -> Problem | None:
    """Checks that the picture of a reject is there and is an image."""
    data = _read(out, image, "rejects.parquet")
    if isinstance(data, Problem):
        return data
    try:
        decode_luma(data, image)
    except ImageError:
        return Problem("unreadable picture", image, "is not an image", PICTURE)
    return None


def _read(out: str, image: str, table: str) -> bytes | Problem:
    """Reads a picture that a table names, whoever wrote it; returns why it cannot be read."""
    if not is_inside(image):
        return Problem("picture", image, f"{table} names it, outside the folder", RUN)
    try:
        if storage.size(locate(out, image)) > LARGEST_PICTURE:
            return Problem("too large", image, "is too large for a picture: it was not read", RUN)
        return read_file(out, image)
    except storage.NotAFile:
        return Problem("not a file", image, "is a folder, pipe or device", COPY)
    except OSError:
        return Problem("missing picture", image, f"{table} names it", COPY)


def is_hash(text: str) -> bool:
    """Tells whether a text is a perceptual hash: 64 hex digits."""
    return re.fullmatch(r"[0-9a-f]{64}", text) is not None
