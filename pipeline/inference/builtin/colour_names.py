"""Names colours: of each pixel, and the most frequent ones of a region.

A colour's name is that of the nearest of some sixty samples in CIE Lab, where distance is close
to what the eye sees. The names are the basic ones, with light and dark where people use them.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_SOFT = 12.0  # difference in CIE Lab at which a colour hardly counts for a sample

Picture = NDArray[np.uint8]  # RGB, [height, width, 3]
Mask = NDArray[np.bool_]  # [height, width]

_SAMPLES = {
    "black": ["#0d0d0d", "#1c1c22"],
    "grey": [
        "#484848",
        "#808080",
        "#b0b0b0",
        "#6f7482",
        "#aaa4a0",
        "#b9b0bd",
        "#c8c0c4",
        "#d2c8cc",
    ],
    "white": ["#ededed", "#ffffff"],
    "red": ["#c81e1e", "#e63c32", "#a01818"],
    "dark red": ["#641414"],
    "pink": ["#f5a0be", "#eebed2", "#f0c8c8", "#e878a8"],
    "orange": ["#f0821e", "#e16e32", "#f5a04b"],
    "brown": ["#6e4628", "#8c5a3c", "#50321e", "#a57855", "#3c2a1a"],
    "beige": ["#dcc3a0", "#c8b48c"],
    "yellow": ["#f5dc3c", "#faf082", "#dcc828"],
    "green": ["#3c963c", "#6ea032", "#96be3c", "#64823c", "#32b450"],
    "dark green": ["#1e4623", "#37501e", "#243c14"],
    "light green": ["#aadc82", "#c8e696"],
    "turquoise": ["#3cbebe", "#1e8c8c", "#78d2c8"],
    "blue": ["#2850be", "#4678d2", "#3c78b4", "#1e96dc"],
    "dark blue": ["#141e5a", "#1e3250", "#283c78"],
    "light blue": ["#a0c8f0", "#82aae6", "#b4dcf0", "#64bef0", "#96a5d7"],
    "purple": ["#783c96", "#a078be", "#64468c", "#b496d2"],
}


def to_lab(picture: Picture) -> NDArray[np.float32]:
    """Converts RGB to CIE Lab, float32 [..., 3]: lightness 0..100, a and b about +-100."""
    return cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def _samples() -> tuple[list[str], NDArray[np.float32]]:
    pairs = [(name, colour) for name, colours in _SAMPLES.items() for colour in colours]
    rgb = np.array([[[int(colour[i : i + 2], 16) for i in (1, 3, 5)]] for _, colour in pairs])
    return [name for name, _ in pairs], to_lab(rgb.astype(np.uint8))[:, 0]


NAMES = tuple(_SAMPLES)
_LABELS, _LAB = _samples()
_NUMBER = np.array([NAMES.index(label) for label in _LABELS])


def named(lab: NDArray[np.float32]) -> NDArray[np.int64]:
    """Returns the index into `NAMES` of each pixel, [height, width] for Lab [height, width, 3]."""
    return _NUMBER[squared_distances(lab, _LAB).argmin(axis=-1)]


def squared_distances(lab: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns squared distances of colours, [..., n] for Lab [..., 3] and [n, 3]."""
    # Channel by channel, which is several times as fast as a sum over an axis of three.
    parts = [(lab[..., number, None] - others[:, number]) ** 2 for number in range(3)]
    return parts[0] + parts[1] + parts[2]


def shares(numbers: NDArray[np.int64], mask: Mask | None = None) -> list[tuple[str, float]]:
    """Returns colour names with their shares of the pixels (in the mask), the largest first."""
    chosen = numbers if mask is None else numbers[mask]
    if chosen.size == 0:
        return []
    counts = np.bincount(chosen.ravel(), minlength=len(NAMES)) / chosen.size
    order = sorted(range(len(NAMES)), key=lambda number: (-counts[number], number))
    return [(NAMES[number], float(counts[number])) for number in order if counts[number] > 0]


def soft_shares(lab: NDArray[np.float32]) -> NDArray[np.float64]:
    """Returns the share of each of `NAMES` of colours, Lab [n, 3], or zeros where n is 0.

    A colour between two samples counts for both, so that a little more light changes little.
    """
    shares = np.zeros(len(NAMES))
    if len(lab):
        squared = squared_distances(lab, _LAB)
        near = np.exp((squared.min(axis=1, keepdims=True) - squared) / (2 * _SOFT**2))
        near /= near.sum(axis=1, keepdims=True)
        np.add.at(shares, _NUMBER, near.mean(axis=0, dtype=np.float64))
    return shares


def family(name: str) -> str:
    """Returns a colour name without light or dark: "blue" for "light blue"."""
    return name.rpartition(" ")[2]


def families(numbers: NDArray[np.int64], mask: Mask | None = None) -> dict[str, float]:
    """Returns each colour family's share of the pixels (in the mask), the largest first."""
    totals: dict[str, float] = {}
    for name, share in shares(numbers, mask):
        totals[family(name)] = totals.get(family(name), 0.0) + share
    return dict(sorted(totals.items(), key=lambda item: (-item[1], item[0])))


def of_family(numbers: NDArray[np.int64], of: str) -> Mask:
    """Returns the mask of the pixels with a colour of the family."""
    return np.isin(numbers, [number for number, name in enumerate(NAMES) if family(name) == of])


def main_family(numbers: NDArray[np.int64], mask: Mask | None = None) -> tuple[str, str, float]:
    """Returns the most frequent family, its most frequent name, and the family's share."""
    for best, share in families(numbers, mask).items():
        return best, most_frequent(best, numbers, mask), share
    return "", "", 0.0


def most_frequent(of: str, numbers: NDArray[np.int64], mask: Mask | None = None) -> str:
    """Returns the most frequent name of a family that occurs among the pixels."""
    return next(name for name, _ in shares(numbers, mask) if family(name) == of)
