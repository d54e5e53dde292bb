import numpy as np
import pytest

from pipeline.config import KeyframesConfig
from pipeline.keyframes.frame_quality import defect, score
from tests.pipeline.keyframes.figures import frame_stats

CONFIG = KeyframesConfig()


def test_sharp_well_exposed_and_still_frames_score_higher():
    values = {"sharp": [400, 100, 400, 400, 400], "mean": [120, 120, 20, 245, 120]}
    stats = frame_stats(5, **{name: np.float32(column) for name, column in values.items()})
    good, blurred, dark, bright, last = score(stats, 0, 4)
    assert good == last == 20
    assert blurred == 10
    assert dark < blurred and bright < blurred


def test_a_frame_that_differs_from_both_neighbours_moves_and_scores_lower():
    stats = frame_stats(4, diff=np.float32([0, 20, 20, 0]))
    assert score(stats, 0, 3) == pytest.approx([20, 10, 20, 20])


def test_black_flat_and_smeared_frames_are_told():
    values = {
        "mean": [120, 10, 120, 120, 120, 120],
        "std": [50, 50, 2, 50, 50, 50],
        "sharp": [400, 400, 400, 50, 50, 400],
        "diff": [0, 0, 0, 30, 30, 0],
    }
    stats = frame_stats(6, **{name: np.float32(column) for name, column in values.items()})
    assert [defect(stats, index, CONFIG) for index in range(6)] == [
        ("", ""),
        ("black", "mean luma 10 of 255"),
        ("flat", "standard deviation of the luma 2.0 of 255"),
        ("smear", "sharpness 50 where 400 is usual, moving"),
        ("", ""),  # as blurred, but the next frame is the same: out of focus on purpose
        ("", ""),
    ]


def test_a_lit_ship_in_space_is_not_black_and_an_aeroplane_in_a_grey_sky_is_not_flat():
    thumbs = np.full((4, 18, 32), 120, np.uint8)
    thumbs[:2] = 18
    thumbs[0, 9, 16:18] = (140, 90)
    thumbs[2, 9, 16:18] = (96, 80)
    values = {"mean": np.float32([19, 18, 120, 120]), "std": np.float32([8, 2, 4, 4])}
    stats = frame_stats(4, thumbs=thumbs, **values)
    assert [defect(stats, index, CONFIG)[0] for index in range(4)] == ["", "black", "", "flat"]


def test_of_a_few_damaged_frames_none_is_a_keyframe_and_others_are_taken_before_them():
    damaged = np.array([True, False, False])
    stats = frame_stats(3, damaged=damaged)
    assert score(stats, 0, 2) == pytest.approx([2, 20, 20])
    assert [defect(stats, index, CONFIG)[0] for index in range(3)] == ["damaged", "", ""]
    stats = frame_stats(3, damaged=~damaged)  # a decoder that says so of most frames is mistaken
    assert [defect(stats, index, CONFIG)[0] for index in range(3)] == ["", "", ""]
