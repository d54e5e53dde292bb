"""Held frames: frames that are shown for long, as in slideshows, animatics and films without their
duplicate frames.

What is still on the screen is one entry of `FrameStats`, however long it stays. Shot detection
compares neighbouring entries, so there a held frame is repeated, as if the film had every frame.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from pipeline.keyframes.frame_stats import FrameStats

HELD = 0.3  # seconds from which a frame is held; in films with motion frames are shorter
_REPEATS = 4  # more than the entries that detection looks at on either side


def shown_for(stats: FrameStats, index: int) -> float:
    """Returns the seconds that a frame is shown: those of the film's other frames, or more where
    it is held."""
    seconds = _seconds(stats)[index] if index + 1 < len(stats.times) else 0.0
    return float(seconds) if seconds >= HELD else stats.frame_time


def _seconds(stats: FrameStats) -> NDArray[np.float64]:
    """Returns the seconds that each frame is shown; skipped ones after it are shown as long."""
    gaps = np.diff(stats.times) / (stats.skipped[1:] + 1)
    return np.append(gaps, stats.frame_time)


def repeated(stats: FrameStats) -> tuple[FrameStats, NDArray[np.int64]]:
    """Repeats the frames that are held; returns the figures and the index of each in `stats`."""
    held = _seconds(stats) >= HELD
    index = np.repeat(np.arange(len(held)), np.where(held, 1 + _REPEATS, 1))
    if len(index) == len(held):
        return stats, index
    again = np.concatenate([[False], index[1:] == index[:-1]])
    number = np.arange(len(index)) - np.searchsorted(index, index)  # of a repeat, from 0
    step = _seconds(stats)[index] / (1 + _REPEATS)
    columns = {
        name: getattr(stats, name)[index]
        for name in ("pts", "cost", "diff", "mean", "std", "sharp", "damaged", "thumbs", "skipped")
    }
    columns["diff"] = np.where(again, np.float32(0), columns["diff"])
    columns["skipped"] = np.where(again, 0, columns["skipped"])
    return dataclasses.replace(stats, times=stats.times[index] + number * step, **columns), index
