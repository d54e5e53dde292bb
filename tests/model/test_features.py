"""What is computed of the pictures of a chunk before training."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from model import autoencoder, config, features, vision
from model.runs import Run


@pytest.mark.parametrize("aspect", ["own", "squashed"])
def test_what_is_seen_is_the_whole_picture_and_what_is_painted_has_its_aspect(
    aspect, tmp_path, monkeypatch
):
    """A wide picture: black, then a square that is white, then black. Painted in its own aspect it
    is its middle, and white; what the visual tokenizer sees is the whole of it, squashed."""
    picture = np.zeros((32, 96, 3), np.uint8)
    picture[:, 32:64] = 255
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    raw = {"00.jpg": file.getvalue(), "json": b'{"captions": ["A."]}', "__number__": 0}
    monkeypatch.setattr(vision, "features", lambda tower, pictures, tokens: pictures)
    monkeypatch.setattr(autoencoder, "encode", lambda vae, pictures: pictures)
    sizes = {"vision.image_size": 48, "detokenizer.image_size": 48, "detokenizer.aspect": aspect}
    settings = [f"model.{name}={value}" for name, value in sizes.items()]
    run = Run(tmp_path, config.read("tiny", settings))

    seen, painted, _ = features._encoded(run, raw, torch.nn.Identity(), torch.nn.Identity())

    assert seen.shape == painted.shape == (1, 48, 48, 3)
    third = np.zeros((48, 48, 3), np.uint8)
    third[:, 16:32] = 255
    assert np.array_equal(seen[0], third)
    assert np.array_equal(painted[0], third if aspect == "squashed" else np.full_like(third, 255))
