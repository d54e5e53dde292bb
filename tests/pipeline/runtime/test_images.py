from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from pipeline.runtime.images import Geometry, alike, displayed, encode, motion, perceptual_hash
from pipeline.testing.films import scene


def as_frame(rgb: np.ndarray, time: float = 0.0) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
    frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
    return frame


def gray(picture: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)


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


def test_the_same_picture_is_alike_after_compression_and_others_are_not():
    one, other = gray(scene(1)), gray(scene(2))
    compressed = cv2.imdecode(np.frombuffer(encode(one), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert len(perceptual_hash(one)) == 64
    assert alike(perceptual_hash(one), perceptual_hash(compressed)) > 0.97
    assert alike(perceptual_hash(one), perceptual_hash(cv2.resize(one, (640, 360)))) > 0.95
    assert 0.3 < alike(perceptual_hash(one), perceptual_hash(other)) < 0.7


def test_motion_of_the_camera_is_told_from_motion_of_the_subject():
    wide = scene(1, 180, 420)
    still, panned = wide[:, 40:360].copy(), wide[:, 48:368].copy()
    camera, _ = motion(as_frame(still), as_frame(panned, 0.1), Geometry())
    assert camera[0] == pytest.approx(-8 / 320 / 0.1, abs=0.05)  # the picture goes left
    assert camera[1] == pytest.approx(0, abs=0.05)
    first, second = still.copy(), still.copy()
    patch = scene(7, 60, 60)
    first[60:120, 100:160], second[60:120, 108:168] = patch, patch
    camera, subject = motion(as_frame(first), as_frame(second, 0.1), Geometry())
    assert camera == pytest.approx([0, 0], abs=0.03)
    assert subject[0] > 0.1


def test_nothing_follows_nothing_moves():
    assert motion(as_frame(scene(1)), None, Geometry()) == ([0.0, 0.0], [0.0, 0.0])
