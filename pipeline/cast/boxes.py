"""Compares boxes in pictures."""

from __future__ import annotations

from collections.abc import Sequence


def overlap(first: Sequence[float], second: Sequence[float]) -> float:
    """Returns the intersection of two boxes, given by their corners, over their union, 0..1."""
    wide = min(first[2], second[2]) - max(first[0], second[0])
    high = min(first[3], second[3]) - max(first[1], second[1])
    if wide <= 0 or high <= 0:
        return 0.0
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return wide * high / (areas - wide * high)
