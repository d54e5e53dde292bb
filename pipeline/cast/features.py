"""Measures a picture for `figures`: features of each cell of a grid, and a small copy of it.

Features are those of the middle of EfficientNet-Lite0: deep enough to tell an animal from a tree,
early enough to say where it is. The picture goes through that part of the network once.
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.inference.builtin import colour_names, efficientnet

ROWS, COLUMNS = 28, 48  # of the grid of cells
WIDTH, HEIGHT = 144, 81  # of the small copy
_EARLY, _MIDDLE = 4, 10  # blocks of the network: 40 features at 28x48, 112 at 14x24
LOOK = 112 + 3  # of a cell's features, those that tell who somebody is: the last ones


@dataclasses.dataclass(frozen=True)
class Measured:
    """What `figures` reads of a picture."""

    cells: NDArray[np.float32]  # [28, 48, 155]: early and middle features, Lab colour
    small: NDArray[np.uint8]  # [81, 144, 3], BGR


def measure(picture: efficientnet.Picture) -> Measured:
    """Measures an RGB picture, uint8 [height, width, 3]."""
    early, middle = efficientnet.blocks(picture, (_EARLY, _MIDDLE))
    small = cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    lab = colour_names.to_lab(cv2.resize(picture, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA))
    cells = np.concatenate(
        [
            early.transpose(1, 2, 0),
            cv2.resize(middle.transpose(1, 2, 0), (COLUMNS, ROWS)),
            lab,
        ],
        axis=-1,
        dtype=np.float32,
    )
    return Measured(cells, cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
