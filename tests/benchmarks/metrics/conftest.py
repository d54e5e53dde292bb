"""Fixtures of the metrics."""

import cv2
import numpy as np
import pytest


@pytest.fixture
def paths(tmp_path):
    dice = np.random.default_rng(0)
    found = [str(tmp_path / f"{number}.png") for number in range(3)]
    for path in found:
        cv2.imwrite(path, dice.integers(0, 256, (40, 60, 3), np.uint8))
    return found


@pytest.fixture
def dice():
    return np.random.default_rng(0)
