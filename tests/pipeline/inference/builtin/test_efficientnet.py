"""Image features of the embedded network: similar pictures have similar ones."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.inference.builtin import efficientnet
from tests.pipeline.inference.builtin.test_captioner import meadow, red_disc_on_green


def test_features_are_nearer_for_pictures_that_are_alike():
    disc, shifted, sky = efficientnet.features(
        [red_disc_on_green(), red_disc_on_green(170), meadow()]
    )
    assert disc.shape == (1280,) and disc.dtype == np.float32
    assert float(disc @ disc) == pytest.approx(1.0, abs=1e-5)
    assert float(disc @ shifted) > 0.9 > float(disc @ sky)
