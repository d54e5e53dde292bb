"""Features that consistency is measured on: style, whole picture, and its centre."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.array_types import Floats, Pictures
from benchmarks.metrics import encoders
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
        encoders.weights_digest(efficientnet.network()),
        _embed,
    )


def _embed(seen: Pictures) -> Floats:
    layers: list[Any] = []
    hooks = [
        efficientnet.network()
        ._blocks[at]
        .register_forward_hook(lambda _, __, made: layers.append(made[0].flatten(1)))
        for at in EARLY_BLOCKS
    ]
    try:
        rows = []
        for picture in seen:
            layers.clear()
            cells = efficientnet.cells(picture)
            style = [
                _unit_length(np.concatenate([layer.mean(1).numpy(), layer.std(1).numpy()]))
                for layer in layers
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
    finally:
        for hook in hooks:
            hook.remove()


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
