"""Makes one picture of all characters of a series, for captioners that read several pictures.

Each character is shown with up to two pictures under a number; who that is, is said in words, as
names may be in any script. The picture is the same for all questions about a series and comes
first, so a server that keeps the prefixes of its prompts reads it once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.inference.protocol import Picture
from pipeline.runtime import storage
from pipeline.runtime.images import decode_bgr, encode_jpeg
from schemas import layout
from schemas.rows import Reference

EACH, _MOST = 2, 15  # pictures of a character; characters
_SIDE, _LINE, _COLUMNS = 112, 20, 3  # pixels of a picture's side and of the line with a number
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)


@dataclasses.dataclass(frozen=True)
class Montage:
    """A picture of characters, and who has which number in it."""

    picture: Picture
    names: dict[str, str]  # number -> name


def size(characters: int) -> tuple[int, int]:
    """Returns width and height of the montage of so many characters."""
    shown = min(characters, _MOST)
    rows = math.ceil(shown / _COLUMNS)
    return min(shown, _COLUMNS) * EACH * _SIDE, rows * (_SIDE + _LINE)


def save(references: Sequence[Reference], out: str, work: str) -> Montage | None:
    """Makes the montage of a series from keyframes in the dataset `out`, and writes it into `work`.

    Returns None where there is no character. Raises OSError or ImageError for a keyframe's picture
    that cannot be read.
    """
    shown: dict[str, list[Reference]] = {}
    for reference in references:
        shown.setdefault(reference.character, []).append(reference)
    names = list(shown)[:_MOST]
    if not names:
        return None
    width, height = size(len(names))
    canvas = np.full((height, width, 3), 255, np.uint8)
    for place, name in enumerate(names):
        row, column = divmod(place, _COLUMNS)
        left, top = column * EACH * _SIDE, row * (_SIDE + _LINE)
        at = (left + 4, top + _LINE - 5)
        cv2.putText(canvas, str(place + 1), at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, _BLACK, 1)
        for number, reference in enumerate(shown[name][:EACH]):
            x, y = left + number * _SIDE, top + _LINE
            canvas[y : y + _SIDE, x : x + _SIDE] = _tile(reference, out)
    data = encode_jpeg(canvas)
    digest = hashlib.sha256(data).hexdigest()
    path = storage.join(work, layout.MONTAGES, f"{digest}.jpg")
    if not storage.exists(path):
        storage.write_bytes(path, data)
    label = "Characters:"
    return Montage(
        Picture(path, digest, label), {str(at): name for at, name in enumerate(names, 1)}
    )


def _tile(reference: Reference, out: str) -> NDArray[np.uint8]:
    """Returns a character's picture in a white square."""
    path = storage.join(out, *reference.image.split("/"))
    x, y, width, height = reference.box
    part = decode_bgr(storage.read_bytes(path), path)[y : y + height, x : x + width]
    scale = _SIDE / max(part.shape[:2])
    small = cv2.resize(
        part,
        (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))),
        interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR,
    )
    below, beside = _SIDE - small.shape[0], _SIDE - small.shape[1]
    return np.asarray(
        cv2.copyMakeBorder(small, 0, below, 0, beside, cv2.BORDER_CONSTANT, value=_WHITE), np.uint8
    )
