"""Letterbox bars: rows and columns at the edges that are dark in nearly every frame of a film."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

_DARK = 24.0  # a bar's mean luma is at most this (video black is 16)
_SHARE = 0.95  # of the frames that are not dark as a whole have the bar


@dataclasses.dataclass
class DarkCounts:
    """Counts, over frames that are not dark as a whole, in how many each row and column is dark."""

    sizes: set[tuple[int, int]] = dataclasses.field(default_factory=set)  # height, width
    frames: int = 0
    rows: Any = 0  # [height] int: in how many frames the row is dark
    columns: Any = 0  # [width] int

    def add_frame(self, luma: NDArray[np.uint8]) -> None:
        """Adds a frame, uint8 [height, width]."""
        if luma.mean() >= 2 * _DARK:
            self.add(
                DarkCounts(
                    {luma.shape},
                    1,
                    (luma.mean(axis=1) <= _DARK).astype(np.int64),
                    (luma.mean(axis=0) <= _DARK).astype(np.int64),
                )
            )

    def add(self, other: DarkCounts) -> None:
        """Adds the counts of other frames."""
        self.sizes |= other.sizes
        self.frames += other.frames
        if len(self.sizes) == 1:  # where the frame size changes, no bars are those of the film
            self.rows, self.columns = self.rows + other.rows, self.columns + other.columns

    def bars(self) -> tuple[int, int, int, int]:
        """Returns the rows above and below and the columns left and right that are bars."""

        def leading(dark: NDArray[np.bool_]) -> int:
            return int(np.argmin(dark)) if not dark.all() else 0

        if len(self.sizes) != 1:
            return 0, 0, 0, 0
        rows = self.rows / self.frames > _SHARE
        columns = self.columns / self.frames > _SHARE
        return leading(rows), leading(rows[::-1]), leading(columns), leading(columns[::-1])
