"""Pictures and lines of a dataset in the published layout."""

from __future__ import annotations

import json

import cv2
import numpy as np

TRAIN = ["Pip wakes up.", "Then Pip calls Momo.", "They walk to the gate.", "It is shut."]
VAL = ["A red ball lies there.", "Momo throws it to Zuzu."]


def picture(path, seed, size=(64, 36), noise=0):
    """A smooth picture of its own; the same seed with a little noise looks the same."""
    dice = np.random.default_rng(seed)
    seen = cv2.resize(
        dice.integers(0, 256, (9, 16, 3)).astype(np.uint8), size, interpolation=cv2.INTER_CUBIC
    )
    if noise:
        seen = np.clip(seen + dice.normal(0, noise, seen.shape), 0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), seen)


def line(name, images, captions):
    return (
        json.dumps(
            {"id": name, "images": images, "captions": captions, "orders": list(range(len(images)))}
        )
        + "\n"
    )
