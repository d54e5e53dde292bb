"""Finds the figures in the pictures of a film, with a detector that it learns from the film itself.

A figure stands out: its cells have features that the edges of its picture do not have, and it is
rather in the middle. That alone finds lamps and clouds too. But over a film the guesses agree on
what figures are made of and what places are made of, so a linear discriminant (Fisher 1936) between
the cells that stand out most and those that stand out least tells figures from places in all of its
pictures, at the edges too. GrabCut (Rother et al. 2004) then finds their outlines by colour. What
lies in outlines and what lies outside tells figures from places better than the first guess did, so
the discriminant is learned again from that (self-training), twice. In the end figures that touch
are cut where they are thin and their colours differ.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.cast import features
from pipeline.cast.features import COLUMNS, HEIGHT, ROWS, WIDTH, Measured

Box = tuple[float, float, float, float]  # left, top, right, bottom: shares of the picture
Mask = NDArray[np.bool_]  # [81, 144]
Lab = NDArray[np.float32]  # [81, 144, 3]
Scores = NDArray[np.float64]  # [28, 48], above 0 where a figure is likely

_FIGURES, _PLACES = 0.08, 0.6  # shares of a film's cells: stand out most, stand out least
_MOST = 20_000  # cells of each kind that are learned from
_RING = (1, 2)  # rows along the upper edge, columns along the sides, of 14x24: the picture's edge
_RARE = 0.04  # share of the edge that a cell may resemble and still stand out
_SHRINK = 0.3  # towards uncorrelated features: guesses are wrong here and there
# Rounds of learning from outlines, of how many of a film's pictures at most. They are outlined at
# half the size, in a quarter of the time.
_ROUNDS, _OUTLINED, _HALF = 2, 96, (WIDTH // 2, HEIGHT // 2)
_WITHIN, _WITHOUT = 0.8, 0.02  # least and most share of a figure's cell, a place's, in outlines
_FEWEST = 50  # cells that something can be learned from
_SURE = 0.7  # score of a cell that is taken for a figure's before its outline is found
_LOST, _CERTAIN = 0.3, 1.3  # share of a guess that its outlines must have, if it scores so much
_FLAT = 2.0  # standard deviation of the levels of a picture in which there is nothing
_SMALLEST = 0.0028  # share of the picture
# A mask is cut at a valley of its heights that is so deep, if its depth and the difference in CIE
# Lab between its sides, in such units, come to so much: ears have a valley between them too.
_VALLEY, _OTHER_COLOUR, _TWO = 0.2, 20.0, 0.8
_PART = 0.1  # share of the mask that a part must have


@dataclasses.dataclass(frozen=True)
class Figure:
    """A figure in a picture, whoever it is."""

    box: Box
    share: float  # of the picture
    score: float  # mean over the figure's cells, above 0
    look: list[float]  # by which figures are compared: `features.look`


def find(pictures: Sequence[Measured]) -> list[list[Figure]]:
    """Returns the figures in each of a film's pictures, the largest first."""
    if not pictures:
        return []
    weights, offset = _learned(pictures)
    return [_figures(picture, weights, offset) for picture in pictures]


def within(picture: Measured, boxes: Sequence[tuple[Box, float]]) -> list[Figure]:
    """Returns the figures whose boxes and scores another detector gives, the largest first.

    A figure is taken to fill the ellipse in its box: corners of boxes are mostly place.
    """
    found = []
    cells, lab = picture.cells, picture.adapted
    for box, score in boxes:
        fine = 4  # points of a cell, each way
        inside = _ellipse(box, ROWS * fine, COLUMNS * fine)
        weight = inside.reshape(ROWS, fine, COLUMNS, fine).mean(axis=(1, 3))
        if weight.any():
            look = features.look(cells, weight, lab, _ellipse(box, HEIGHT, WIDTH))
            share = round(math.pi / 4 * (box[2] - box[0]) * (box[3] - box[1]), 5)
            found.append(Figure(box, share, score, look))
    return sorted(found, key=lambda figure: (-figure.share, figure.box))


def _ellipse(box: Box, rows: int, columns: int) -> NDArray[np.bool_]:
    """Returns which points of a grid over the picture are in the ellipse that fills a box."""
    y, x = np.mgrid[:rows, :columns]
    across = ((x + 0.5) / columns - (box[0] + box[2]) / 2) / max(box[2] - box[0], 1e-6)
    down = ((y + 0.5) / rows - (box[1] + box[3]) / 2) / max(box[3] - box[1], 1e-6)
    inside: NDArray[np.bool_] = across**2 + down**2 <= 0.25
    return inside


def _learned(pictures: Sequence[Measured]) -> tuple[NDArray[np.float32], float]:
    """Learns from a film's pictures what its figures are made of.

    Returns weights and offset of the score of a cell's features: above 0 for a figure, and 2 in the
    mean of those that were learned from, whatever the film.
    """
    guess = np.stack([_standing_out(picture) for picture in pictures])
    figures, places = guess > np.quantile(guess, 1 - _FIGURES), guess < np.quantile(guess, _PLACES)
    weights, offset = _told_apart(pictures, figures, places)
    some = pictures[:: math.ceil(len(pictures) / _OUTLINED)]
    for _ in range(_ROUNDS):
        outlined = np.stack([_outlined(picture, weights, offset) for picture in some])
        figures, places = outlined > _WITHIN, outlined < _WITHOUT
        if min(figures.sum(), places.sum()) < _FEWEST:
            break
        weights, offset = _told_apart(some, figures, places)
    return weights, offset


def _told_apart(
    pictures: Sequence[Measured], figures: Mask, places: Mask
) -> tuple[NDArray[np.float32], float]:
    """Returns weights and offset that tell cells of figures from cells of places, [n, 28, 48]."""
    first, second = _cells(pictures, _some(figures)), _cells(pictures, _some(places))
    weights, offset = _discriminant(first, second)
    level = max(float((first @ weights).mean()) + offset, 1e-6)
    return (2 * weights / level).astype(np.float32), 2 * offset / level


def _outlined(
    picture: Measured, weights: NDArray[np.float32], offset: float
) -> NDArray[np.float32]:
    """Returns the share of each cell of a picture that lies in outlines of figures, [28, 48]."""
    small = cv2.resize(picture.small, _HALF, interpolation=cv2.INTER_AREA)
    outline = _outline(small, _scores(picture.cells, weights, offset))
    return cv2.resize(outline.astype(np.float32), (COLUMNS, ROWS), interpolation=cv2.INTER_AREA)


def _some(mask: Mask) -> NDArray[np.intp]:
    """Returns the places of a mask's cells, [n, 3]; of very many, some from all of the film."""
    found = np.argwhere(mask)
    return found[:: math.ceil(len(found) / _MOST)] if len(found) else found


def _cells(pictures: Sequence[Measured], places: NDArray[np.intp]) -> NDArray[np.float64]:
    """Returns the features of the cells at places (picture, row, column), [n, 155]."""
    ends = np.searchsorted(places[:, 0], np.arange(len(pictures) + 1))
    parts = [
        picture.cells[places[first:last, 1], places[first:last, 2]]
        for picture, (first, last) in zip(pictures, itertools.pairwise(ends), strict=True)
        if first < last
    ]
    return np.concatenate(parts).astype(np.float64)


def _standing_out(picture: Measured) -> NDArray[np.float64]:
    """Returns by how much cells differ from the edge of their picture, less far from the middle."""
    middle = picture.middle.astype(np.float32)
    rows, columns, _ = middle.shape
    edge = np.zeros((rows, columns), bool)
    edge[: _RING[0]] = edge[:, : _RING[1]] = edge[:, -_RING[1] :] = True
    flat, rim = middle.reshape(rows * columns, -1), middle[edge]
    squares = (flat**2).sum(axis=1)[:, None] - 2 * flat @ rim.T + (rim**2).sum(axis=1)
    level = float((flat**2).sum(axis=1).mean()) or 1.0
    rank = max(1, int(_RARE * edge.sum()))
    nearest = np.partition(np.maximum(squares, 0), rank, axis=1)[:, rank]
    apart = cv2.resize(np.sqrt(nearest / level).reshape(rows, columns), (COLUMNS, ROWS))
    y, x = np.mgrid[:ROWS, :COLUMNS]
    central = np.exp(-(((x - 23.5) / 14) ** 2 + ((y - 15) / 9) ** 2) / 2)
    return np.round(apart * central, 5)


def _discriminant(
    figures: NDArray[np.float64], places: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Returns weights and offset of the line between two kinds of cells, each [n, features]."""
    spread = np.concatenate([figures, places]).std(axis=0) + 1e-6
    first, second = figures / spread, places / spread
    within = (np.cov(first.T) + np.cov(second.T)) / 2 + _SHRINK * np.eye(len(spread))
    apart = first.mean(axis=0) - second.mean(axis=0)
    weights = np.linalg.solve(within, apart)
    middle = (first.mean(axis=0) + second.mean(axis=0)) / 2
    return weights / spread, -float(middle @ weights)


def _figures(picture: Measured, weights: NDArray[np.float32], offset: float) -> list[Figure]:
    """Returns the figures in a picture, the largest first."""
    found = []
    cells, lab = picture.cells, picture.adapted
    scores = _scores(cells, weights, offset)
    for mask in _masks(picture.small, lab, scores):
        weight = cv2.resize(
            mask.astype(np.float32), (COLUMNS, ROWS), interpolation=cv2.INTER_AREA
        ).astype(np.float64)
        rows, columns = np.nonzero(mask)
        box = (
            columns.min() / WIDTH,
            rows.min() / HEIGHT,
            (columns.max() + 1) / WIDTH,
            (rows.max() + 1) / HEIGHT,
        )
        found.append(
            Figure(
                (float(box[0]), float(box[1]), float(box[2]), float(box[3])),
                round(float(mask.mean()), 5),
                round(float((scores * weight).sum() / weight.sum()), 3),
                features.look(cells, weight, lab, mask),
            )
        )
    return sorted(found, key=lambda figure: (-figure.share, figure.box))


def _scores(cells: NDArray[np.float32], weights: NDArray[np.float32], offset: float) -> Scores:
    """Returns the scores of a picture's cells; rounded, as CPUs differ in the last bits."""
    return np.round(cells @ weights + offset, 4).astype(np.float64)


def _masks(small: NDArray[np.uint8], lab: Lab, scores: Scores) -> list[Mask]:
    """Returns the masks of figures in a picture."""
    opened = cv2.morphologyEx(_outline(small, scores), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    least = _SMALLEST * opened.size
    count, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
    return [
        part
        for number in range(1, count)
        if stats[number, cv2.CC_STAT_AREA] >= least
        for part in _cut(labels == number, lab)
        if part.sum() >= least
    ]


def _outline(small: NDArray[np.uint8], scores: Scores) -> NDArray[np.uint8]:
    """Returns which pixels of a small picture, BGR, are in an outline of figures: 1, others 0."""
    height, width = small.shape[:2]
    wide = cv2.resize(scores.astype(np.float32), (width, height))
    guess = np.full(wide.shape, cv2.GC_BGD, np.uint8)
    guess[wide > 0] = cv2.GC_PR_BGD
    guess[wide > _SURE] = cv2.GC_PR_FGD
    if (guess == cv2.GC_PR_FGD).sum() < _SMALLEST * guess.size or small.std() < _FLAT:
        return np.zeros(guess.shape, np.uint8)
    cv2.setRNGSeed(0)  # GrabCut's colour models begin with random centres
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(small, guess, None, *models, 1, cv2.GC_INIT_WITH_MASK)
    figure = (guess & 1).astype(np.uint8)
    return figure | _lost(wide, figure)


def _lost(scores: NDArray[np.float32], outlined: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns what is a figure for certain by its scores and is hardly in the outlines.

    The colours of a figure may be those of its place; then its scores are all there is.
    """
    lost = np.zeros_like(outlined)
    count, labels = cv2.connectedComponents((scores > _SURE).astype(np.uint8), connectivity=4)
    for number in range(1, count):
        part = labels == number
        if outlined[part].mean() < _LOST and scores[part].mean() > _CERTAIN:
            lost[part] = 1
    return lost


def _cut(mask: Mask, lab: Lab) -> list[Mask]:
    """Cuts a mask from top to bottom where it is thin: figures stand side by side."""
    columns = np.flatnonzero(mask.any(axis=0))
    left, right = int(columns[0]), int(columns[-1]) + 1
    wide = max(3, (right - left) // 24 * 2 + 1)
    inside = mask[:, left:right]
    heights = inside.sum(axis=0).astype(np.float64)
    padded = np.pad(heights, wide // 2, mode="edge")
    smooth = np.convolve(padded, np.ones(wide) / wide, "valid")
    colours = (lab[:, left:right] * inside[..., None]).sum(axis=0, dtype=np.float64)
    until = np.zeros((len(heights) + 1, 4))  # pixels and sums of their colours before each column
    until[1:] = np.cumsum(np.column_stack([heights, colours]), axis=0)
    edges = [0, *_valleys(smooth, until, 0, len(smooth)), len(smooth)]
    parts = []
    for first, last in itertools.pairwise(edges):
        part = np.zeros_like(mask)
        part[:, left + first : left + last] = mask[:, left + first : left + last]
        parts.append(part)
    return parts


def _valleys(
    heights: NDArray[np.float64], until: NDArray[np.float64], first: int, last: int
) -> list[int]:
    """Returns the columns between two columns where a mask is cut, ascending."""
    best, clearest = -1, _TWO
    for column in range(first + 3, last - 3):
        left, right = heights[first:column], heights[column:last]
        lower = min(left.max(), right.max())
        small = min(left.sum(), right.sum()) < _PART * (left.sum() + right.sum())
        depth = (lower - heights[column]) / lower if lower > 0 else 0.0
        if small or depth <= _VALLEY:
            continue
        before, after = until[column] - until[first], until[last] - until[column]
        apart = before[1:] / max(before[0], 1.0) - after[1:] / max(after[0], 1.0)
        clear = round(depth + float(np.linalg.norm(apart)) / _OTHER_COLOUR, 6)
        if clear > clearest:
            best, clearest = column, clear
    if best < 0:
        return []
    return [
        *_valleys(heights, until, first, best),
        best,
        *_valleys(heights, until, best, last),
    ]
