"""Measures a picture for `figures`: features of each cell of a grid, and a small copy of it.

Features are those of the middle of EfficientNet-Lite0: deep enough to tell an animal from a tree,
early enough to say where it is. The picture goes through that part of the network once, and all
that is measured is read off the picture as the network sees it.
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.inference.builtin import colour_names, efficientnet
from schemas.rows import Keyframe

ROWS, COLUMNS = 28, 48  # of the grid of cells
WIDTH, HEIGHT = 144, 81  # of the small copy
_EARLY, _MIDDLE = 4, 10  # blocks of the network: 40 features at 28x48, 112 at 14x24
SHADES = len(colour_names.NAMES)  # of a look: shares of colours with names
COLOURS = SHADES + 3  # the last values of a look: these shares, and the mean CIE Lab colour
# Percentile of a picture's levels that would be so white in white light, and the most that is made
# up for: a dark room has nothing white.
_BRIGHTEST, _WHITE, _MOST_GAIN = 97, 235.0, 2.5


@dataclasses.dataclass(frozen=True)
class Measured:
    """What `figures` reads of a picture. A film has thousands, so it is kept in half precision."""

    early: NDArray[np.float16]  # [28, 48, 40]
    middle: NDArray[np.float16]  # [14, 24, 112]
    lab: NDArray[np.float16]  # [28, 48, 3], CIE Lab colour
    small: NDArray[np.uint8]  # [81, 144, 3], BGR

    @property
    def cells(self) -> NDArray[np.float32]:
        """The features of each cell, [28, 48, 155]: early ones, middle ones, colour."""
        middle = cv2.resize(self.middle.astype(np.float32), (COLUMNS, ROWS))
        return np.concatenate([self.early, middle, self.lab], axis=-1, dtype=np.float32)

    @property
    def adapted(self) -> NDArray[np.float32]:
        """The CIE Lab colours of the small copy, [81, 144, 3], as to an eye used to its light.

        Eyes adapt in part: its brightest reds, greens and blues are taken half the way to white
        (white patch, Land 1977), so that who is orange by day is not grey at night.
        """
        rgb = cv2.cvtColor(self.small, cv2.COLOR_BGR2RGB).astype(np.float32)
        brightest = np.maximum(np.percentile(rgb.reshape(-1, 3), _BRIGHTEST, axis=0), 1)
        gain = np.sqrt(np.clip(_WHITE / brightest, 1, _MOST_GAIN))
        return colour_names.to_lab(np.clip(rgb * gain, 0, 255).astype(np.uint8))


def look(
    cells: NDArray[np.float32],
    weight: NDArray[np.float64],
    lab: NDArray[np.float32],
    mask: NDArray[np.bool_],
) -> list[float]:
    """Returns the look of a figure, [133]: mean middle features, shares of colours, mean colour.

    `weight` is how much of each cell, [28, 48], is the figure's; `mask` are its pixels of the small
    copy, whose colours `lab` are. Shares are square roots, so that a scarf counts.
    """
    middle = cells[..., 40:-3]  # between early features and colour
    mean = (middle * weight[..., None]).sum(axis=(0, 1)) / weight.sum()
    colours = lab[mask]
    shades = np.sqrt(colour_names.soft_shares(colours))
    colour = colours.mean(axis=0, dtype=np.float64) if len(colours) else np.zeros(3)
    return [round(float(value), 4) for value in (*mean, *shades, *colour)]


def reduction(keyframe: Keyframe) -> int:
    """Returns by how much a keyframe's picture may be reduced, 1, 2, 4 or 8, to be measured."""
    times = min(keyframe.width / efficientnet.WIDTH, keyframe.height / efficientnet.HEIGHT)
    return max(part for part in (1, 2, 4, 8) if part == 1 or part <= times)


def measure(picture: efficientnet.Picture) -> Measured:
    """Measures an RGB picture, uint8 [height, width, 3]."""
    seen = cv2.resize(
        picture, (efficientnet.WIDTH, efficientnet.HEIGHT), interpolation=cv2.INTER_AREA
    )
    early, middle = efficientnet.blocks(seen, (_EARLY, _MIDDLE))
    small = cv2.resize(seen, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    lab = colour_names.to_lab(cv2.resize(seen, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA))
    return Measured(
        early.transpose(1, 2, 0).astype(np.float16),
        middle.transpose(1, 2, 0).astype(np.float16),
        lab.astype(np.float16),
        cv2.cvtColor(small, cv2.COLOR_RGB2BGR),
    )
