"""Letterbox bars: rows and columns at the edges that are dark in nearly every frame of a film, or
light and of one level: black, grey and white bars.

They are looked for in frames spread through the film. Where a film has bars, what was measured on
whole frames is made what it is inside of them: bars dilute differences, and the edges of dark ones
look sharp.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_DARK = 32  # luma of a bar at most: video black is 16, that of old tapes is higher
_LINE = 0.75  # share of a row or column that is dark in a bar; subtitles may stand in it
_LIT = 48.0  # mean luma of a frame, outside its own dark edges, that tells where bars end
_SHARE = 0.95  # of these frames are dark at least as far as the bar,
_EXACT = 0.3  # of them just as far: the edge of a dark scene is now here, now there
_TOLERANCE = 0.006  # of the height or width: the edge of a bar is blurred
_FEW = 8  # frames; in fewer, what is dark on one side may be a night sky,
_UNEVEN = 2.5  # if it is so many times what is dark on the other
_TEXT = 0.08  # of the height: a line of subtitles that stands in a bar,
_BETWEEN = 2  # with so many dark rows beyond it
_CONSTANT = 0.8  # of frames between light bars are so just as far: pictures seldom go on like these
_SAME = 6  # levels by which a light bar may differ within a frame, and from frame to frame
_CORNER = 8  # pixels, the side of the corner that tells the level of a light bar
_EVEN = 1.25  # times a light bar is as wide as that on the other side, at most; a sky has no such
_SAMPLES = 320  # pixels of a row or column that are looked at, about

Sides = tuple[int, int, int, int]  # rows above, below, columns left, right


@dataclasses.dataclass
class DarkEdges:
    """How far lit frames, spread through a film, are dark, or light and plain, at each side."""

    sizes: set[tuple[int, int]] = dataclasses.field(default_factory=set)  # height, width
    edges: list[Sides] = dataclasses.field(default_factory=list)
    light: list[Sides] = dataclasses.field(default_factory=list)  # of the same frames,
    levels: list[int] = dataclasses.field(default_factory=list)  # and the luma of that

    def add_frame(self, luma: NDArray[np.uint8]) -> None:
        """Adds a frame, uint8 [height, width]."""
        edges = dark_edges(luma)
        inside = inner(luma, edges)
        if inside.size and cv2.mean(inside)[0] >= _LIT:
            self.sizes.add((luma.shape[0], luma.shape[1]))
            self.edges.append(edges)
            light, level = _light_edges(luma)
            self.light.append(light)
            self.levels.append(level)

    def add(self, other: DarkEdges) -> None:
        """Adds the frames of another part of the film."""
        self.sizes |= other.sizes
        self.edges += other.edges
        self.light += other.light
        self.levels += other.levels

    def bars(self) -> tuple[Sides, int]:
        """Returns the bars of the film and their luma, 0 for dark ones; no bars where its frames
        differ in size."""
        if len(self.sizes) != 1:
            return (0, 0, 0, 0), 0
        ((height, width),) = self.sizes
        dark = _common(np.array(self.edges), height, width, _EXACT)
        if any(dark):
            return dark, 0
        levels = np.array(self.levels)
        level = int(np.median(levels))
        same = np.abs(levels - level) <= _SAME
        each = np.where(same[:, None], np.array(self.light), 0)
        light = _common(each, height, width, _CONSTANT)
        pairs = [
            (one, other) if max(one, other) <= _EVEN * min(one, other) else (0, 0)
            for one, other in (light[:2], light[2:])
        ]
        return (*pairs[0], *pairs[1]), level


def _common(edges: NDArray[np.int64], height: int, width: int, share: float) -> Sides:
    """Returns how far bars reach from each side, given how far they may in each frame, [frames, 4],
    and the share of frames in which they do just so."""
    found = []
    for side, length in enumerate((height, height, width, width)):
        bar = int(np.quantile(edges[:, side], 1 - _SHARE, method="lower"))
        exact = np.abs(edges[:, side] - bar) <= max(2.0, _TOLERANCE * length)
        found.append(bar if exact.mean() >= share else 0)
    for one, other in ((0, 1), (2, 3)):
        if len(edges) < _FEW and max(found[one], found[other]) > _UNEVEN * min(
            found[one], found[other]
        ):
            found[one] = found[other] = 0
    above, below, left, right = found
    return above, below, left, right


def _light_edges(luma: NDArray[np.uint8]) -> tuple[Sides, int]:
    """Returns how many rows above and below, and columns left and right, have the level of the
    frame's corner, if that is a plain one and not dark, and the level."""
    corner = luma[:_CORNER, :_CORNER]
    level = int(np.median(corner))
    if level <= _DARK or np.ptp(corner) > 2 * _SAME:
        return (0, 0, 0, 0), level
    apart = cv2.convertScaleAbs(cv2.absdiff(luma, float(level)), alpha=_DARK / _SAME)
    edges = dark_edges(np.asarray(apart, np.uint8))
    return (edges if inner(luma, edges).size else (0, 0, 0, 0)), level


def dark_edges(luma: NDArray[np.uint8]) -> Sides:
    """Returns how many rows above and below, and columns left and right, of a frame are dark."""
    height, width = luma.shape
    across, down = luma[:, :: max(1, width // _SAMPLES)], luma[:: max(1, height // _SAMPLES)]
    if not any(
        np.count_nonzero(line <= _DARK) >= _LINE * line.size
        for line in (across[0], across[-1], down[:, 0], down[:, -1])
    ):  # as in most frames of most films
        return 0, 0, 0, 0
    rows, columns = _dark(across, 1), _dark(down, 0)
    if rows.all() or columns.all():
        return height, 0, width, 0
    return (_run(rows), _run(rows[::-1]), _run(columns), _run(columns[::-1]))


def _run(dark: NDArray[np.bool_]) -> int:
    """Returns how many lines from the first on are dark; text in a bar does not end it."""
    end = int(np.argmin(dark))
    gap = round(_TEXT * len(dark))
    while end:
        beyond = np.flatnonzero(dark[end : end + gap])
        if len(beyond) < _BETWEEN:
            break
        end += int(beyond[-1]) + 1
    return end


def _dark(luma: NDArray[np.uint8], axis: int) -> NDArray[np.bool_]:
    """Returns which rows (axis 1) or columns (axis 0) are dark."""
    dark = cv2.threshold(np.ascontiguousarray(luma), _DARK, 1, cv2.THRESH_BINARY_INV)[1]
    counts = cv2.reduce(dark, axis, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel()
    return np.asarray(counts >= _LINE * luma.shape[axis])


def inner(luma: NDArray[np.uint8], sides: Sides, margin: int = 0) -> NDArray[np.uint8]:
    """Returns the part of an image inside of its dark sides and a margin beside them: a view."""
    height, width = luma.shape[:2]
    above, below, left, right = (side + margin if side else 0 for side in sides)
    return luma[above : height - below, left : width - right]


def measured_inside(
    columns: dict[str, NDArray[Any]], bars: Sides, level: int, height: int, width: int
) -> dict[str, NDArray[Any]]:
    """Returns figures of frames as they are inside of the bars, given those of whole frames.

    columns: `diff`, `mean`, `std`, `sharp`, `sharp_inside` and `thumbs` as in `FrameStats`; level:
    luma of the bars, 0 for dark ones; height, width: of the frames.
    """
    above, below, left, right = bars
    inside = (height - above - below) * (width - left - right) / (height * width)
    mean = columns["mean"].astype(np.float64)
    bar = np.full_like(mean, level) if level else np.minimum(16.0, mean)
    inner_mean = np.maximum((mean - (1 - inside) * bar) / inside, 0)
    square = columns["std"].astype(np.float64) ** 2 + mean**2
    variance = (square - (1 - inside) * bar**2) / inside - inner_mean**2
    thumbs = columns["thumbs"]
    rows = _resampling(thumbs.shape[1], above / height, below / height)
    across = _resampling(thumbs.shape[2], left / width, right / width)
    return columns | {
        "diff": (columns["diff"] / inside).astype(np.float32),
        "mean": inner_mean.astype(np.float32),
        "std": np.sqrt(np.maximum(variance, 0)).astype(np.float32),
        # The edges of light bars add the same to each frame.
        "sharp": columns["sharp" if level else "sharp_inside"],
        "thumbs": np.array(
            [np.rint(rows @ thumb @ across.T) for thumb in thumbs], np.uint8
        ).reshape(thumbs.shape),
    }


def _resampling(count: int, before: float, after: float) -> NDArray[np.float64]:
    """Returns the matrix [count, count] that stretches what lies between two shares of a line of
    pixels over the whole of it, by linear interpolation between pixels inside of them."""
    first, last = np.ceil(before * count), np.floor((1 - after) * count) - 1
    at = (before + (np.arange(count) + 0.5) / count * (1 - before - after)) * count - 0.5
    at = np.clip(at, min(first, last), max(first, last))
    low = np.clip(np.floor(at), 0, count - 1).astype(int)
    high = np.minimum(low + 1, count - 1)
    matrix = np.zeros((count, count))
    np.add.at(matrix, (np.arange(count), low), 1 - (at - low))
    np.add.at(matrix, (np.arange(count), high), at - low)
    return matrix
