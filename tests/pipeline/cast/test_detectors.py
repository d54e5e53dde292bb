"""Detectors and encoders by the lines that name them, on small networks with random weights."""

from __future__ import annotations

from pathlib import Path

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


@pytest.mark.slow
def test_a_zero_shot_detector_looks_for_the_labels(tmp_path):
    """OWLv2 with random weights finds something in each of 4 x 4 squares, or nothing. A picture
    that is wider than high lies in the upper part of the square that it sees."""
    detectors.check("cast.figures", f"transformers:{make_owlv2(tmp_path / 'owlv2')}")

    def found(least: float) -> list:
        spec = f"transformers:{tmp_path / 'owlv2'}"
        return detectors.detect(spec, [PICTURE, PICTURE[:, :80]], least, ["rabbit", "fox"])

    wide, narrow = found(0.0)
    assert 4 <= len(wide) <= 12 and 4 <= len(narrow) <= 16
    for figure in (*wide, *narrow):
        left, top, right, bottom = figure.box
        assert 0 <= left < right <= 1 and 0 <= top < bottom <= 1 and 0 <= figure.score <= 1
    assert [len(figures) for figures in found(1.0)] == [0, 0]


def make_owlv2(folder: Path) -> Path:
    """Saves a zero-shot detector with random weights and a vocabulary of letters."""
    import torch
    from transformers import (
        CLIPTokenizer,
        Owlv2Config,
        Owlv2ForObjectDetection,
        Owlv2ImageProcessor,
        Owlv2Processor,
    )

    letters = [chr(code) for code in range(33, 127)]
    tokens = [
        *letters,
        *(f"{letter}</w>" for letter in letters),
        "<|startoftext|>",
        "<|endoftext|>",
    ]
    tokenizer = CLIPTokenizer(
        vocab={token: at for at, token in enumerate(tokens)}, merges=[], model_max_length=64
    )
    small = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1}
    small["num_attention_heads"] = 2
    torch.manual_seed(0)
    network = Owlv2ForObjectDetection(
        Owlv2Config(
            text_config={
                **small,
                "vocab_size": len(tokens),
                "max_position_embeddings": 64,
                "eos_token_id": len(tokens) - 1,
                "bos_token_id": len(tokens) - 2,
                "pad_token_id": 0,
            },
            vision_config={**small, "image_size": 64, "patch_size": 16},
            projection_dim=32,
        )
    )
    with torch.no_grad():  # a box for each square that the network sees
        network.box_head.dense2.weight.zero_()
        network.box_head.dense2.bias.zero_()
    network.save_pretrained(folder)
    processor = Owlv2ImageProcessor(size={"height": 64, "width": 64})
    Owlv2Processor(processor, tokenizer).save_pretrained(folder)
    return folder
