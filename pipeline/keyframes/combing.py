"""Combing: tells frames that weave the fields of two moments, whatever a film's flags say."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_DIFFERENCE = 10  # levels by which a row differs from both beside it
_BLOCK = 16  # pixels, the side of a block
_BAND = 64  # rows compared at once: what is in between stays in the processor's cache
_COMBED = 0.2  # share of the pixels of a block that is combed
_BLOCKS = 0.001  # share of combed blocks from which a frame is combed
_WITH_NEXT = np.ones((3, 1), np.uint8)


def is_combed(luma: NDArray[np.uint8]) -> bool:
    """Returns whether a frame, uint8 [height, width] as decoded, weaves two moments.

    A combed pixel differs from those above and below in the same direction, and more than from
    those two rows away, which are of its own field.
    """
    return combed_share(luma) >= _BLOCKS


def has_combed(luma: NDArray[np.uint8], before: NDArray[np.uint8]) -> bool:
    """Returns whether a frame weaves two moments, given an earlier one: what is combed has changed
    since then, unlike stripes in the picture."""
    return combed_share(luma, before) >= _BLOCKS


def combed_share(luma: NDArray[np.uint8], before: NDArray[np.uint8] | None = None) -> float:
    """Returns the share of a frame's blocks that are combed; with an earlier frame, of those where
    they differ."""
    height, width = luma.shape[0] // _BLOCK * _BLOCK, luma.shape[1] // _BLOCK * _BLOCK
    if not height or not width:
        return 0.0
    combed = 0
    for top in range(0, height, _BAND):
        rows = slice(max(0, top - 2), min(top + _BAND, height) + 2)
        combed += _combed_blocks(
            luma[rows, :width], None if before is None else before[rows, :width]
        )
    return combed / (height // _BLOCK * (width // _BLOCK))


def _combed_blocks(rows: NDArray[np.uint8], before: NDArray[np.uint8] | None) -> int:
    """Returns the number of combed blocks in some rows, with two more above and below."""
    here, above, below = rows[2:-2], rows[1:-3], rows[3:-1]
    apart = cv2.max(
        cv2.subtract(here, cv2.max(above, below)),  # none are below 0
        cv2.subtract(cv2.min(above, below), here),
    )
    differs = cv2.threshold(apart, _DIFFERENCE, 255, cv2.THRESH_BINARY)[1]
    if cv2.countNonZero(differs) < _COMBED * _BLOCK**2:
        return 0
    same_field = cv2.max(cv2.absdiff(here, rows[:-4]), cv2.absdiff(here, rows[4:]))
    combed = cv2.min(differs, cv2.compare(apart, same_field, cv2.CMP_GT))
    if before is not None:
        moved = cv2.threshold(cv2.absdiff(rows, before), _DIFFERENCE, 255, cv2.THRESH_BINARY)[1]
        # Of two neighbouring rows one may be as it was.
        combed = cv2.min(combed, cv2.dilate(moved, _WITH_NEXT)[2:-2])
    size = here.shape[1] // _BLOCK, max(1, round(here.shape[0] / _BLOCK))
    blocks = cv2.resize(combed, size, interpolation=cv2.INTER_AREA)
    return int(np.count_nonzero(blocks > 255 * _COMBED))
