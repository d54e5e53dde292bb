from fractions import Fraction

import av
import numpy as np
import pytest

from pipeline.keyframes.geometry import Geometry
from pipeline.keyframes.motion import motion
from pipeline.testing.films import scene


def as_frame(rgb: np.ndarray, time: float = 0.0) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
    frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
    return frame


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


def test_without_a_following_frame_nothing_moves():
    assert motion(as_frame(scene(1)), None, Geometry()) == ([0.0, 0.0], [0.0, 0.0])
