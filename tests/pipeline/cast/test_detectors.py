"""Detectors and encoders by the lines that name them, on small networks with random weights."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.cast import detectors, figures
from pipeline.config import load

PICTURE = np.random.default_rng(0).integers(0, 255, (90, 160, 3), np.uint8)


@pytest.mark.parametrize(
    "line",
    ["figures=yolo.pt", "figures=onnx:", "likeness=captioner", "least_score=2", "figures=openai:x"],
)
def test_a_line_that_names_nothing_known_is_refused(line):
    with pytest.raises(ValueError, match="cast"):
        load("", [f"cast.{line}"])


def test_a_box_of_another_detector_is_a_figure_with_the_colours_in_it():
    """The left half of the picture is orange, the right half blue."""
    from pipeline.cast import features

    picture = np.full((360, 640, 3), (240, 112, 58), np.uint8)
    picture[:, 320:] = (95, 159, 224)
    measured = features.measure(picture)
    left, right = figures.within(
        measured, [((0.05, 0.1, 0.45, 0.9), 0.8), ((0.6, 0.2, 0.9, 0.8), 0.6)]
    )
    assert (left.score, right.score) == (0.8, 0.6)  # the largest first
    assert left.box == (0.05, 0.1, 0.45, 0.9)
    assert left.look[-2] > 20 and right.look[-1] < -20  # Lab: red, and blue


@pytest.mark.slow
def test_encoders_of_timm_and_open_clip_give_unit_vectors(monkeypatch):
    timm = pytest.importorskip("timm")
    create = timm.create_model
    monkeypatch.setattr(
        timm,
        "create_model",
        lambda name, pretrained, **more: create(name, pretrained=False, **more),
    )
    (vector,) = detectors.encode("timm:resnet18", [PICTURE])
    assert vector.shape == (512,) and np.linalg.norm(vector) == pytest.approx(1, abs=1e-4)
