"""Local change: how much of an image the largest region takes in which another one differs.

The hash of a whole image (`near_duplicates`) hardly moves when a character enters, leaves or turns
before the same background. Such a region is found by comparing colours pixel by pixel, each with
those of the other image a few pixels around it, so that waving grass, noise and small moves of the
camera are no change.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_WIDTH = 128  # of the images compared
_REACH = 3  # pixels at that width: what moved less has not changed
_DIFFERENT = 10.0  # CIE76 colour difference: clearly another colour, beyond noise and flicker
_AROUND = np.ones((2 * _REACH + 1, 2 * _REACH + 1), np.uint8)


def small_lab(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Scales a BGR image [height, width, 3] to what is compared: Lab as OpenCV has it in 8 bits,
    uint8 [h, 128, 3]."""
    height = max(1, round(_WIDTH * image.shape[0] / image.shape[1]))
    small = cv2.resize(image, (_WIDTH, height), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2Lab), np.uint8)


def largest_change(lab: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Returns the share of the image that its largest changed region takes: 0 where none is.

    Images from `small_lab`; those of another height have changed altogether.
    """
    if lab.shape != other.shape:
        return 1.0
    first, second = (_smooth(image) for image in (lab, other))
    changed = np.maximum(_beyond(first, second), _beyond(second, first)) > _DIFFERENT
    regions, _, figures, _ = cv2.connectedComponentsWithStats(changed.astype(np.uint8))
    largest = figures[1:, cv2.CC_STAT_AREA].max() if regions > 1 else 0
    return float(largest) / changed.size


def _smooth(lab: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Returns L* (0 to 100), a* and b* without what is finer than two pixels."""
    values = lab.astype(np.float32)
    values[..., 0] *= 100 / 255
    return np.asarray(cv2.GaussianBlur(values, (0, 0), 1.0), np.float32)


def _beyond(image: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns by how much each pixel lies outside the colours around its place in the other."""
    below = cv2.erode(other, _AROUND) - image
    above = image - cv2.dilate(other, _AROUND)
    return np.linalg.norm(np.maximum(np.maximum(below, above), 0), axis=2)
