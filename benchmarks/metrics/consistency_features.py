"""Features that consistency is measured on: style, whole picture, and its centre."""

from __future__ import annotations

import numpy as np

from benchmarks.array_types import Floats, Pictures
from benchmarks.metrics.encoders import ImageEncoder
from pipeline.inference.builtin import efficientnet

EARLY_BLOCKS = (0, 2, 4)  # blocks of EfficientNet-Lite0: strides of 2, 4 and 8 pixels
CENTRE = np.s_[1:6, 3:9]  # of 7 x 12 cells: where figures are


def consistency_encoder() -> ImageEncoder:
    """Returns the encoder of three features of a picture, each of length 1, from one pass through
    EfficientNet-Lite0: style, whole picture, centre. `split_features` separates them.

    Style is the mean and deviation of each channel over the picture in early layers, which is what
    style transfer matches: it captures textures, lines and colours, not layout. Sources: Huang and
    Belongie 2017 (arXiv 1703.06868), after Gatys et al. 2015 (arXiv 1508.06576).
    """
    return ImageEncoder(
        "EfficientNet-Lite0: style, whole, centre",
        "imagenet",
        efficientnet.version()[:16],
        _embed,
    )


def _embed(seen: Pictures) -> Floats:
    rows = []
    for picture in seen:
        cells, blocks = efficientnet.cells_and_blocks(picture, EARLY_BLOCKS)
        layers = [block.reshape(len(block), -1) for block in blocks]
        style = [
            _unit_length(np.concatenate([layer.mean(1), layer.std(1, ddof=1)])) for layer in layers
        ]
        rows.append(
            np.concatenate(
                [
                    _unit_length(np.concatenate(style)),
                    _unit_length(cells.mean((0, 1))),
                    _unit_length(cells[CENTRE].mean((0, 1))),
                ]
            )
        )
    return np.stack(rows).astype(np.float32)


def _unit_length(values: Floats) -> Floats:
    return values / max(float(np.linalg.norm(values)), 1e-12)


def split_features(features: Floats) -> tuple[Floats, Floats, Floats]:
    """Splits features of `consistency_encoder` [n, width] into those of style, whole picture and
    centre."""
    style, whole = (
        features.shape[1] - 2 * efficientnet.FEATURES,
        features.shape[1] - efficientnet.FEATURES,
    )
    return features[:, :style], features[:, style:whole], features[:, whole:]
