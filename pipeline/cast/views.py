"""Chooses the keyframes in which a character is seen best, for its reference pictures.

A reference picture shows one character alone. Whether a box does is not known, but a box of two, or
of a figure with a tree, looks unlike the character's other boxes. So the first measure is how like
the mean of its group a figure is; it counts less where other figures are in its box, where the edge
of the picture cuts it off, where it is small and where the picture is out of focus.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from schemas.rows import Figure, Keyframe

_MOST = 5  # views of a character
_CANDIDATES = 2  # times as many, the best, of which those are chosen that lie apart
_LEAST = 0.5  # of the best view's quality
_LARGE = 0.7  # height of the picture's, from which size makes no difference
_SMALL = 24 / 360  # of the picture's height: a shorter side shows nobody
_CUT, _CUT_BELOW = 0.6, 0.9  # by the edge of the picture at the sides or above; below, as legs are
_EDGE = 0.01  # of the picture: so near to its edge a figure is cut off
_TOUCHED = 0.6  # by another figure: one outline that was cut, or two figures that overlap


def quality(
    figure: Figure, others: Sequence[Figure], keyframe: Keyframe, likeness: float, sharpness: float
) -> float:
    """Returns how well a figure is seen, 0..1.

    `others` are the other figures of the picture, `likeness` is the figure's to the mean of its
    group (cosine), `sharpness` that of most pictures of the film.
    """
    left, top, right, bottom = figure.box
    wide, high = (right - left) * keyframe.width / keyframe.height, bottom - top
    if likeness <= 0 or min(wide, high) < _SMALL:
        return 0.0  # shown only where there is nothing better
    touched = _TOUCHED if any(_touch(figure.box, other.box) for other in others) else 1.0
    cut = _CUT ** ((left < _EDGE) + (right > 1 - _EDGE) + (top < _EDGE))
    below = _CUT_BELOW if bottom > 1 - _EDGE else 1.0
    size = min(1.0, high / _LARGE)
    focus = min(1.0, keyframe.sharpness / sharpness) if sharpness else 1.0
    return round(likeness**2 * size * math.sqrt(math.sqrt(focus)) * touched * cut * below, 4)


def _touch(box: Sequence[float], other: Sequence[float]) -> bool:
    return (
        min(box[2], other[2]) - max(box[0], other[0]) > -_EDGE
        and min(box[3], other[3]) - max(box[1], other[1]) > -_EDGE
    )


def best(qualities: Mapping[str, float], shots: Mapping[str, tuple[str, int]]) -> list[str]:
    """Returns the keyframes of a character's best views, of different shots, from all over.

    `qualities` are those of its views by keyframe, in order; `shots` has each keyframe's shot.
    """
    by_shot: dict[tuple[str, int], str] = {}
    for keyframe, found in qualities.items():
        known = by_shot.get(shots[keyframe])
        if known is None or found > qualities[known]:
            by_shot[shots[keyframe]] = keyframe
    order = sorted(by_shot.values(), key=lambda keyframe: -qualities[keyframe])
    least = _LEAST * qualities[order[0]]
    good = {keyframe for keyframe in order[: _MOST * _CANDIDATES] if qualities[keyframe] >= least}
    in_order = [keyframe for keyframe in qualities if keyframe in good]
    count = min(_MOST, len(in_order))
    return [
        max(
            in_order[at * len(in_order) // count : (at + 1) * len(in_order) // count],
            key=lambda keyframe: qualities[keyframe],
        )
        for at in range(count)
    ]
