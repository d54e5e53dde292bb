"""Finds wipes, irises, blinds, pushes and covers: transitions in which a shot gives way part by
part.

In a wipe each part of the picture goes from the first shot to the second once, quickly, and not all
parts at a time. In a push or cover a shot moves in from a side. Both are measured between the ends
of a window that fits: frames of it are compared with what the ends predict.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_STRAYS = 0.2  # of the change: what goes beyond its ends or back, as what moves in both shots does
_AREA = 0.65  # share of the picture that a wipe changes, at least; what moves is less
_MIXED = 0.4  # share of it that is between the ends at a time, at most; in a dissolve most is
_STEP = 0.6  # share of the change from a frame to the next, at most; a cut has more
# How well places explain when they change (R squared), less twice the strays, at least; what runs
# through a picture changes it in no order.
_ORDER = 0.5
_SLATS = 0.45  # the same of blinds, less the strays: nothing else changes a picture in equal slats
_SLIDE_STRAYS = 0.19  # as _STRAYS, where a shot moves in from a side
_SAMPLES = 12  # frames of a window that are looked at, at most
_CHANGED = 12.0  # levels between the ends, for a part of the picture that tells anything
_SHIFTS = 8  # frames of a window that are compared with shifted ends, at most
_WIDTH = 32  # pixels at least, along which a shot moves in
_SEAM = 0.6  # levels between the edges that meet, as a share of those between the shots
_PURE = 0.05  # share of the other shot in a frame that counts as one of its own
_AT_ONCE = 256  # windows processed at once, which bounds memory


@dataclasses.dataclass(frozen=True)
class Sweep:
    """Frames that show two shots, each a part of the picture."""

    first: int
    last: int
    score: float  # higher is better


def wiped(thumbs: NDArray[np.uint8], middles: NDArray[np.int64], half: int) -> Iterator[Sweep]:
    """Yields the windows of a half length, around some middles, that are wipes or irises."""
    offsets = np.unique(np.linspace(-half + 1, half - 1, min(_SAMPLES, 2 * half - 1)).astype(int))
    for at in range(0, len(middles), _AT_ONCE):
        some = middles[at : at + _AT_ONCE]
        count = len(some)
        before = thumbs[some - half].reshape(count, 1, -1).astype(np.float32)
        change = thumbs[some + half].reshape(count, 1, -1).astype(np.float32) - before
        inner = thumbs[some[:, None] + offsets].reshape(count, len(offsets), -1)
        size = np.abs(change)
        tells = size > _CHANGED
        weight = size * tells
        total = np.maximum(weight.sum(axis=2), 1e-3)  # [n, 1]
        share = np.where(tells, (inner - before) / np.where(tells, change, 1), 0)
        outside = np.maximum(np.maximum(-share, share - 1), 0)
        share = np.clip(share, 0, 1)
        back = np.maximum.accumulate(share, axis=1) - share
        progress = (share * weight).sum(axis=2) / total
        both = (progress > _PURE) & (progress < 1 - _PURE)  # others stray from nothing
        still = np.where(tells, 0, np.abs(inner - before)).mean(axis=2)
        strays = ((outside + back) * weight).sum(axis=2) / total
        strays += still / np.maximum(size.mean(axis=2), 1e-3)
        strays = (strays * both).sum(axis=1) / np.maximum(both.sum(axis=1), 1)
        mixed = (((share > 0.2) & (share < 0.8)) * weight).sum(axis=2).mean(axis=1) / total[:, 0]
        ends = np.zeros((count, 1), np.float32)
        steps = np.diff(np.concatenate([ends, progress, ends + 1], axis=1), axis=1)
        fits = (
            (strays < _STRAYS)
            & (tells.mean(axis=(1, 2)) > _AREA)
            & (mixed < _MIXED)
            & (steps.max(axis=1) < _STEP)
        )
        score = size.mean(axis=(1, 2)) * (1 - strays / _STRAYS)
        for number in np.flatnonzero(fits):
            when = 1 - share[number].mean(axis=0)
            if (
                _order(when, weight[number, 0]) - 2 * strays[number] < _ORDER
                and _in_slats(when, weight[number, 0]) - strays[number] < _SLATS
            ):
                continue
            middle = int(some[number])
            yield Sweep(*_extent(progress[number], offsets, middle, half), float(score[number]))


def _order(when: NDArray[np.float32], weight: NDArray[np.float32]) -> float:
    """Returns how well places in the picture explain when they change, as R squared: 1 for a line,
    circle or hand that sweeps over it. when, weight: [576]."""
    root = np.sqrt(weight)
    around = (when - np.average(when, weights=weight + 1e-6)) * root
    times, places = when * root, _PLACES * root[:, None]
    rest = times - places @ np.linalg.lstsq(places, times, rcond=None)[0]
    return 1 - float((rest**2).sum()) / max(float((around**2).sum()), 1e-6)


def _in_slats(when: NDArray[np.float32], weight: NDArray[np.float32]) -> float:
    """Returns how well the places in equal slats explain when they change, as R squared: 1 for
    blinds. when, weight: [576]."""
    shares = weight / max(float(weight.sum()), 1e-6)
    slats, times = _SLATTED - shares @ _SLATTED, when - shares @ when
    together = shares * times @ slats
    alone = (shares @ slats**2) * max(float(shares @ times**2), 1e-6)
    return float((together**2 / np.maximum(alone, 1e-6)).max())


def _slatted() -> NDArray[np.float64]:
    """Returns where in its slat each place in a thumb lies, for several numbers of slats that hang
    or stand: [576, functions]."""
    rows, columns = np.mgrid[0:18, 0:32].reshape(2, -1)
    y, x = (rows + 0.5) / 18, (columns + 0.5) / 32
    return np.stack([x * n % 1 for n in range(3, 13)] + [y * n % 1 for n in range(3, 8)], axis=1)


_SLATTED = _slatted()


def _places() -> NDArray[np.float64]:
    """Returns functions of each place in a thumb that sweeps follow: [576, functions]."""
    y, x = (axis.reshape(-1) for axis in np.mgrid[-1:1:18j, -1:1:32j])
    lines = [np.ones_like(x), x, y, x * y, x**2, y**2, np.abs(x), np.abs(y), np.hypot(x, y)]
    hands = [np.arctan2(a, b) for a, b in ((x, y), (y, x), (-x, -y), (-y, -x))]
    return np.stack([*lines, *hands], axis=1)


_PLACES = _places()


def slid(
    thumbs: NDArray[np.uint8], middles: NDArray[np.int64], half: int, slack: float = 1.0
) -> Iterator[tuple[int, Sweep]]:
    """Yields the middles, of some, of the windows of a half length in which a shot is pushed out,
    covered or uncovered from one of the four sides, and what it is; slack: times the strays that
    it may have."""
    offsets = np.unique(np.linspace(-half + 1, half - 1, min(_SHIFTS, 2 * half - 1)).astype(int))
    for middle in middles.tolist():
        one, other = (thumbs[middle + end].astype(np.float32) for end in (-half, half))
        inner = thumbs[middle + offsets].astype(np.float32)
        span = float(np.abs(other - one).mean())
        best, shift = min(
            (
                _misfit(turn(one), turn(other), np.stack([turn(picture) for picture in inner]))
                for turn in _TURNS
            ),
            key=lambda found: found[0],
        )
        strays = best / (_SLIDE_STRAYS * span)
        if strays < slack:
            yield middle, Sweep(*_extent(shift, offsets, middle, half), span * (1 - strays))


def _wider(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = picture.shape
    wide = cv2.resize(np.ascontiguousarray(picture), (2 * width, height))
    return np.asarray(wide, np.float32)


def _extent(
    progress: NDArray[Any], offsets: NDArray[np.int64], middle: int, half: int
) -> tuple[int, int]:
    """Returns the first and last frame of a window that show both shots, from the shares of the
    second in some of its frames."""
    begun, done = offsets[progress > _PURE], offsets[progress >= 1 - _PURE]
    before = offsets[offsets < begun.min(initial=half)].max(initial=-half)
    after = done.min(initial=half)
    return middle + int(before) + 1, middle + max(int(before) + 1, int(after) - 1)


# Of a picture, so that the second shot comes in from the right.
_TURNS = (
    lambda picture: picture,
    lambda picture: picture[:, ::-1],
    lambda picture: picture.T,
    lambda picture: picture[::-1].T,
)


def _misfit(
    one: NDArray[np.float32], other: NDArray[np.float32], inner: NDArray[np.float32]
) -> tuple[float, NDArray[np.float64]]:
    """Returns the mean difference in levels between the frames that show both shots and the best
    fit of a shot that moves in from the right, and the share of it that is in, of each frame;
    infinity where it does not advance."""
    one, other, inner = one[::2], other[::2], inner[:, ::2]  # as good, for half the time
    if one.shape[1] < _WIDTH:  # half a pixel of few is much
        one, other = _wider(one[::2]), _wider(other[::2])
        inner = np.stack([_wider(picture) for picture in inner[:, ::2]])
    width = one.shape[1]
    shifts = np.arange(width + 1)
    columns = np.arange(width)
    entered = columns >= width - shifts[:, None]  # [shifts, width]: of the second shot
    moved_in = np.clip(columns - width + shifts[:, None], 0, width - 1)
    moved_out = np.clip(columns + shifts[:, None], 0, width - 1)
    # Where the two meet there is a seam, unless a camera pans over one scene.
    span = np.abs(one - other).mean()
    seams = (
        np.abs(one[:, -1] - other[:, 0]).mean(),
        np.abs(one - other[:, :1]).mean(),
        np.abs(one[:, -1:] - other).mean(),
    )
    if max(seams) < _SEAM * span:
        return np.inf, np.zeros(len(inner))
    # What each column differs by, of [height, frames, shifts, width]: where the second shot is not
    # yet and where it is, and the same of shots that rest.
    predicted = np.where(entered, other[:, moved_in], one[:, moved_out])
    moved = np.abs(inner.swapaxes(0, 1)[:, :, None] - predicted[:, None]).sum(axis=0)
    still = [np.abs(inner - shot).sum(axis=1)[:, None] for shot in (one, other)]
    out, into = (moved * ~entered).sum(axis=2), (moved * entered).sum(axis=2)  # [frames, shifts]
    covered, uncovered = (still[0] * ~entered).sum(axis=2), (still[1] * entered).sum(axis=2)
    best, of_best = np.inf, np.zeros(len(inner))
    for seam, total in zip(
        seams, (out + into, covered + into, out + uncovered), strict=True
    ):  # pushed, covered, uncovered
        if seam < _SEAM * span:
            continue
        levels = total / one.size
        shift = levels.argmin(axis=1) / width
        steps = np.diff(np.concatenate([[0.0], shift, [1.0]]))
        if steps.min() >= -0.05 and steps.max() < 0.6 and np.ptp(shift) > 0.3:
            both = (shift > _PURE) & (shift < 1 - _PURE)  # others fit whatever is moved
            misfit = float(levels.min(axis=1)[both].mean())
            best, of_best = (misfit, shift) if misfit < best else (best, of_best)
    return best, of_best
