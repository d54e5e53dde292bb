"""Frame quality: scores frames as images, and tells black, flat, smeared and damaged ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.config import KeyframesConfig
from pipeline.keyframes.frame_stats import FrameStats

_LIT = 40  # levels, of an edge in the tiny image: something is lit in the dark
_DAMAGED = 0.1  # of the score of a frame without damage
_MOST_DAMAGED = 0.5  # share of a film's frames; where there are more, what decoders say is nothing
_VISIBLE = 15  # something stands out from a flat ground; noise and shades have 3


def score(stats: FrameStats, first: int, last: int) -> NDArray[np.float32]:
    """Scores each of the frames first..last as an image: float32, higher is better.

    Sharpness counts most; frames that are very dark, overexposed, damaged or in fast motion lose.
    """
    part = slice(first, last + 1)
    exposure = np.clip((stats.mean[part] - 16) / 50, 0.1, 1) * np.clip(
        (250 - stats.mean[part]) / 50, 0.1, 1
    )
    difference_after = np.append(stats.diff[first + 1 : last + 1], 0.0)
    moving = np.minimum(stats.diff[part], difference_after)
    whole = np.where(stats.damaged[part], _DAMAGED, 1)
    return np.sqrt(stats.sharp[part]) * exposure * whole / (1 + moving / 20)


def defect(stats: FrameStats, index: int, config: KeyframesConfig) -> tuple[str, str]:
    """Returns why a frame is unfit for a keyframe, "black", "flat", "smear" or "damaged", and the
    figures.

    Both are "" for a frame that is fit.
    """
    mean, std = stats.mean[index], stats.std[index]
    edge = _strongest_edge(stats.thumbs[index])
    if mean < config.black and edge < _LIT:
        return "black", f"mean luma {mean:.0f} of 255"
    if std < config.flat and edge < _VISIBLE:
        return "flat", f"standard deviation of the luma {std:.1f} of 255"
    usual = float(np.median(stats.sharp))
    moving = min(stats.diff[index], stats.diff[min(index + 1, len(stats.diff) - 1)])
    if moving > config.smear_motion and stats.sharp[index] < config.smear_sharpness * usual:
        return "smear", f"sharpness {stats.sharp[index]:.0f} where {usual:.0f} is usual, moving"
    if stats.damaged[index] and stats.damaged.mean() < _MOST_DAMAGED:
        return "damaged", "data of it, or of a frame that it builds on, is lost"
    return "", ""


def _strongest_edge(thumb: NDArray[np.uint8]) -> int:
    """Returns the largest difference of neighbouring pixels: of something small before a ground
    that is black or flat, where noise averages out."""
    levels = thumb.astype(np.int16)
    return max(int(np.abs(np.diff(levels, axis=axis)).max()) for axis in (0, 1))
