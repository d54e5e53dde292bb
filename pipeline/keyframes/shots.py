"""Shots and the transitions between them, from the figures that `measure` took.

A hard cut is a frame unlike the one before it, next to a neighbour that is calm, so that fast
motion, which is unlike on both sides, is none. A dissolve is a stretch whose inside is the weighted
mean of its ends. A fade is a stretch that loses its contrast gradually, whatever the colour that it
fades to, and the flat frames it leads to. Indices count the entries of `Measures`.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from pipeline.keyframes.frame_stats import Measures

CUT_DIFFERENCE = 18.0  # 8-bit levels, luma and both chroma together
CUT_RATIO = 2.5  # to the calmer side
CUT_LIKENESS = 0.9  # correlation of the two pictures, at most: a flash or a fade keeps the shapes
DISSOLVE_SPAN = 10.0  # levels between the ends
DISSOLVE_BEND = 0.16  # deviation from the weighted mean, as a share of the span
DISSOLVE_LIKENESS = 0.75  # correlation of the ends, at most: a lamp that is lit is no dissolve
DISSOLVE_AREA = 0.5  # share of the picture that changes, at least: a title that comes up is less
DISSOLVE_WIDTHS = (3, 4, 6, 8, 11, 15)  # half lengths tried, entries
FLAT_STD = 7.0  # levels: below this contrast a frame shows nothing
DARK = 24  # luma below this is black, of 255
FADE_SECONDS = 3.0  # a ramp is at most this long
_BLOCK = 4096  # entries worked on at once, which bounds memory


@dataclasses.dataclass(frozen=True)
class Transition:
    """What lies between two shots: `first` and `last` are blended entries; a cut has none."""

    kind: str  # "cut", "dissolve", "fade"
    first: int  # for a cut: the new shot's first entry
    last: int  # for a cut: first - 1


@dataclasses.dataclass(frozen=True)
class Shot:
    """Entries from `first` to `last`, both included, all of them its own."""

    first: int
    last: int


def _unit(thumbs: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Thumbs as vectors of mean 0 and length 1, so that a product of two is their correlation."""
    flat = thumbs.reshape(len(thumbs), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    return flat / (np.linalg.norm(flat, axis=1, keepdims=True) + 1e-3)


def likeness(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Correlation, pair by pair, of two stacks of thumbs [n, 18, 32]: float32 [n] in -1..1."""
    return np.concatenate(
        [
            (_unit(one[at : at + _BLOCK]) * _unit(other[at : at + _BLOCK])).sum(axis=1)
            for at in range(0, len(one), _BLOCK)
        ]
        or [np.zeros(0, np.float32)]
    )


def cuts(measures: Measures) -> list[int]:
    """The first entry of each shot that begins with a hard cut."""
    diff = measures.diff
    if len(diff) < 2:
        return []
    alike = np.concatenate([[1.0], likeness(measures.thumbs[1:], measures.thumbs[:-1])])
    around = np.pad(diff, 2)
    peak = (diff >= around[1:-3]) & (diff >= around[3:-1])
    around[:3] = around[-2:] = np.inf  # what lies beyond the film's ends is not calm
    calmer = np.minimum(np.maximum(around[:-4], around[1:-3]), np.maximum(around[3:-1], around[4:]))
    found = (
        peak
        & (diff >= CUT_DIFFERENCE)
        & (diff >= CUT_RATIO * (calmer + 3))
        & (alike < CUT_LIKENESS)
    )
    return [int(at) for at in np.flatnonzero(found) if not _flash(measures, int(at))]


def _flash(measures: Measures, at: int) -> bool:
    """Whether the picture before `at` is back within a few entries: lightning, not a cut."""
    before = measures.thumbs[at - 1].astype(np.int16)
    after = measures.thumbs[at + 1 : at + 4].astype(np.int16)
    return bool(len(after) and np.abs(after - before).mean(axis=(1, 2)).min() < 6.0)


def fades(measures: Measures, cut_at: list[int]) -> list[Transition]:
    """Stretches of little contrast that a gradual loss or gain of contrast leads to or from."""
    flat = measures.std < FLAT_STD
    dark = (measures.thumbs < DARK).mean(axis=(1, 2))
    starts = np.flatnonzero(flat & ~np.concatenate([[False], flat[:-1]]))
    ends = np.flatnonzero(flat & ~np.concatenate([flat[1:], [False]]))
    alike = np.concatenate([[1.0], likeness(measures.thumbs[1:], measures.thumbs[:-1])])
    walls = {0, len(flat), *cut_at}
    found: list[Transition] = []
    for start, end in zip(starts, ends, strict=True):
        first = _ramp(measures, alike, dark, walls, int(start), -1)
        last = _ramp(measures, alike, dark, walls, int(end), +1)
        if max(start - first, last - end) >= 2:
            if found and first <= found[-1].last + 1:
                first = found.pop().first
            found.append(Transition("fade", first, last))
    return found


def _ramp(
    measures: Measures,
    alike: NDArray[np.float32],
    dark: NDArray[np.float64],
    walls: set[int],
    at: int,
    step: int,
) -> int:
    """The last entry, going by `step` from `at`, to which the picture still comes back steadily.

    Either its contrast grows while its shapes stay, or much of it is still black, as while an iris
    opens, which may look like cuts to `cuts`.
    """
    std, times = measures.std, measures.times
    here, origin = at, times[at]
    iris = dark[at] > 0.9 and 0 <= at + step < len(std) and dark[at + step] > 0.6
    while 0 <= here + step < len(std) and abs(times[here + step] - origin) < FADE_SECONDS:
        boundary = max(here, here + step)
        grows = std[here + step] > std[here] * 1.01 + 0.1
        same = alike[boundary] > 0.8 or std[here] < FLAT_STD
        opens = iris and dark[here + step] > 0.05
        if not opens and (boundary in walls or not grows or not same):
            break
        here += step
    return here


def dissolves(measures: Measures, cut_at: list[int], taken: list[Transition]) -> list[Transition]:
    """Stretches whose inside is the weighted mean of their ends, clear of cuts and fades."""
    count = len(measures.times)
    blocked = np.zeros(count + 1, np.int64)  # barriers before each entry, summed
    barrier = np.zeros(count, bool)
    barrier[cut_at] = True
    for transition in taken:
        barrier[transition.first : transition.last + 1] = True
    blocked[1:] = np.cumsum(barrier)
    best = np.zeros(count, np.float32)
    width = np.zeros(count, np.int64)
    for half in DISSOLVE_WIDTHS:
        if count <= 2 * half:
            continue
        score = _blend_score(measures.thumbs, half)
        middle = np.arange(half, count - half)
        score[blocked[middle + half + 1] - blocked[middle - half + 1] > 0] = 0
        better = score > best[middle]
        best[middle[better]], width[middle[better]] = score[better], half
    found: list[Transition] = []
    while len(best) and best.max() > 0:
        middle_at = int(best.argmax())
        half = int(width[middle_at])
        first, last = _extent(measures.thumbs, middle_at, half)
        found.append(Transition("dissolve", first, last))
        best[max(0, middle_at - 2 * half) : middle_at + 2 * half + 1] = 0
    return sorted(found, key=lambda transition: transition.first)


def _blend_score(thumbs: NDArray[np.uint8], half: int) -> NDArray[np.float32]:
    """For each middle entry, how surely it is the middle of a blend of 2 * half: 0 is not."""
    count = len(thumbs) - 2 * half
    scores = np.zeros(count, np.float32)
    quarter = half // 2
    for at in range(0, count, _BLOCK):
        size = min(_BLOCK, count - at)

        def stack(offset: int) -> NDArray[np.float32]:
            begin = at + half + offset  # noqa: B023 - used within this round only
            return thumbs[begin : begin + size].astype(np.float32)  # noqa: B023

        before, after = stack(-half), stack(half)
        span = np.abs(after - before).mean(axis=(1, 2))
        bend = np.zeros(size, np.float32)
        for offset in (-quarter, 0, quarter):
            share = (offset + half) / (2 * half)
            expected = before * (1 - share) + after * share
            bend += np.abs(stack(offset) - expected).mean(axis=(1, 2)) / 3
        apart = likeness(thumbs[at : at + size], thumbs[at + 2 * half : at + 2 * half + size])
        straight = 1 - bend / (DISSOLVE_BEND * np.maximum(span, 1e-3))
        changed = (np.abs(after - before) > 4).mean(axis=(1, 2))
        is_blend = (
            (span > DISSOLVE_SPAN)
            & (straight > 0)
            & (apart < DISSOLVE_LIKENESS)
            & (changed > DISSOLVE_AREA)
        )
        scores[at : at + size] = np.where(is_blend, span * straight, 0)
    return scores


def _extent(thumbs: NDArray[np.uint8], middle: int, half: int) -> tuple[int, int]:
    """First and last entry of the blend around `middle`: those with a share of both pictures."""
    begin, end = max(0, middle - 2 * half), min(len(thumbs) - 1, middle + 2 * half)
    before = thumbs[middle - half].astype(np.float32)
    change = thumbs[middle + half].astype(np.float32) - before
    part = thumbs[begin : end + 1].astype(np.float32) - before
    share = (part * change).sum(axis=(1, 2)) / max(float((change**2).sum()), 1e-3)
    steps = np.diff(share)
    steady = 0.25 / (2 * half)  # a blend moves on at every entry
    first = last = middle - begin
    while first > 0 and steps[first - 1] > steady:
        first -= 1
    while last < len(steps) and steps[last] > steady:
        last += 1
    return begin + first, begin + last


def find(measures: Measures) -> tuple[list[Shot], list[Transition]]:
    """The shots of a film in order and the transitions before, between and after them."""
    cut_at = cuts(measures)
    gradual = fades(measures, cut_at)
    gradual += dissolves(measures, cut_at, gradual)
    gradual.sort(key=lambda transition: transition.first)
    inside = np.zeros(len(measures.times), bool)
    for transition in gradual:
        inside[transition.first : transition.last + 1] = True
    hard = [Transition("cut", at, at - 1) for at in cut_at if not inside[at]]
    transitions = sorted(hard + gradual, key=lambda transition: transition.first)
    shots: list[Shot] = []
    begin = 0
    for transition in transitions:
        if transition.first > begin:
            shots.append(Shot(begin, transition.first - 1))
        begin = max(begin, transition.last + 1)
    if begin < len(measures.times):
        shots.append(Shot(begin, len(measures.times) - 1))
    return shots, transitions
