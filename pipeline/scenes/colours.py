"""Measures how the colours of a picture are spread, by which places in their light are told apart.

Who is in front of a place changes its colours little, another light changes them much: so that a
place by day and the same place by night differ, as two scenes of a story do.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_WIDTH, _HEIGHT = 48, 28  # of the picture that is measured
_LIGHTNESS = (0, 15, 30, 45, 60, 75, 90, 101)  # edges of bins of L*, which ends at 100
_CHROMA = (-128, -30, -15, -5, 5, 15, 30, 128)  # of a* and b*: finer where colours are grey
COLOURS = (len(_LIGHTNESS) - 1) * (len(_CHROMA) - 1) ** 2


def spread(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Returns the share of each of 343 colours of L*a*b* in a BGR image [height, width, 3]."""
    small = cv2.resize(image, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_BGR2Lab).reshape(-1, 3)
    edges = [np.asarray(edge, float) for edge in (_LIGHTNESS, _CHROMA, _CHROMA)]
    counts = np.histogramdd(lab, edges)[0]
    return counts.ravel() / len(lab)


def distances(spreads: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the Hellinger distances of n spreads from m others: [n, m], 0 for the same colours
    and 1 for none in common."""
    shared = np.sqrt(spreads) @ np.sqrt(others).T
    return np.sqrt(np.clip(1 - shared, 0, 1))
