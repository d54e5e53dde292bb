"""Frame statistics made up for tests."""

import dataclasses
from typing import Any

import numpy as np

from pipeline.keyframes.frame_stats import FrameStats


def frame_stats(count: int, fps: float = 10.0, **changed: Any) -> FrameStats:
    """Returns the figures of a film of equally good frames, with some columns changed."""
    stats = FrameStats(
        times=np.arange(count) / fps,
        pts=np.arange(count),
        skipped=np.zeros(count, np.int64),
        cost=np.arange(count) + 1,
        diff=np.zeros(count, np.float32),
        mean=np.full(count, 120, np.float32),
        std=np.full(count, 50, np.float32),
        sharp=np.full(count, 400, np.float32),
        damaged=np.zeros(count, bool),
        thumbs=np.zeros((count, 18, 32), np.uint8),
        frame_time=1 / fps,
        bars=(0, 0, 0, 0),
        aspect=1.0,
    )
    return dataclasses.replace(stats, **changed)
