import av
import numpy as np

from pipeline.keyframes.geometry import Geometry, displayed
from pipeline.testing.films import scene


def as_frame(rgb: np.ndarray) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(rgb, format="rgb24")


def test_bars_are_cut_and_the_picture_turned():
    rgb = np.zeros((100, 60, 3), np.uint8)
    rgb[10:80, 20:50] = 100
    rgb[10, 20] = 255  # the corner that is top left before turning
    geometry = Geometry(bars=(10, 20, 20, 10), rotation=90)
    picture, crop = displayed(as_frame(rgb), geometry)
    assert picture.shape == (30, 70, 3)
    assert crop == [20, 20, 70, 30]  # x: the rows that were below; y: the columns that were left
    assert picture[0, -1].tolist() == [255, 255, 255]


def test_pixels_that_are_not_square_become_square():
    picture, crop = displayed(as_frame(scene(1, 90, 120)), Geometry(aspect=4 / 3))
    assert picture.shape == (90, 160, 3)
    assert crop == [0, 0, 160, 90]
