import cv2
import numpy as np
import pytest

from pipeline.runtime.images import decode_bgr, encode_jpeg
from pipeline.scenes.colours import COLOURS, distances, spread
from pipeline.testing.films import scene


def away(image, other):
    return distances(spread(image)[None], spread(other)[None])[0, 0]


def test_a_spread_has_shares_of_all_colours():
    shares = spread(scene(1))
    assert shares.shape == (COLOURS,) == (343,)
    assert shares.sum() == pytest.approx(1)
    assert sorted(spread(np.full((90, 160, 3), 255, np.uint8)))[-1] == 1  # white is one colour


def test_places_differ_more_than_somebody_in_front_of_them():
    place = scene(1, 180, 320)
    with_somebody = place.copy()
    cv2.rectangle(with_somebody, (120, 60), (180, 170), (30, 30, 220), -1)
    compressed = decode_bgr(encode_jpeg(place), "a.jpg")
    assert away(place, place) == pytest.approx(0, abs=1e-6)
    assert away(place, compressed) < 0.15
    assert away(place, with_somebody) < 0.35 < away(place, (place * 0.3).astype(np.uint8))
    assert away(np.zeros_like(place), np.full_like(place, 255)) == pytest.approx(1)
