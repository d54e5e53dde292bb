"""Image features of the embedded network: similar pictures have similar ones."""

from __future__ import annotations

import os
import subprocess
import sys

import cv2
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


def test_features_and_scores_are_those_of_the_pytorch_network():
    torch = pytest.importorskip("torch")
    package = pytest.importorskip("efficientnet_lite_pytorch")
    network = package.EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(efficientnet.weights_file(), weights_only=True))
    network.eval()
    for picture in (red_disc_on_green(), meadow(), noise()):
        small = cv2.resize(picture, (384, 224), interpolation=cv2.INTER_AREA)
        pixels = torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255
        early: list[np.ndarray] = []
        hook = network._blocks[4].register_forward_hook(
            lambda _, __, made, early=early: early.append(made[0].numpy())
        )
        with torch.inference_mode():
            grid = network.extract_features((pixels - 0.498) / 0.5)[0].permute(1, 2, 0)
            scores = torch.softmax(network._fc(grid), dim=-1)
        hook.remove()
        cells, (block,) = efficientnet.cells_and_blocks(picture, (4,))
        assert cells.shape == (7, 12, 1280)
        np.testing.assert_allclose(cells, grid.numpy(), rtol=0, atol=1e-4)
        np.testing.assert_allclose(
            efficientnet.likelihoods(cells), scores.numpy(), rtol=0, atol=1e-4
        )
        np.testing.assert_allclose(block, early[0], rtol=1e-4, atol=1e-3)


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (360, 640, 3), np.uint8)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux")
def test_features_are_the_same_bytes_on_one_core_and_on_all():
    code = (
        "import os, sys, hashlib, numpy as np; "
        "cores = sorted(os.sched_getaffinity(0)); "
        "os.sched_setaffinity(0, cores[:int(sys.argv[1])]); "
        "from pipeline.inference.builtin import efficientnet; "
        "picture = np.random.default_rng(1).integers(0, 256, (360, 640, 3), np.uint8); "
        "cells = efficientnet.cells(picture); "
        "print(hashlib.sha256(cells.tobytes() + efficientnet.likelihoods(cells).tobytes())"
        ".hexdigest())"
    )
    one, all_cores = (
        subprocess.run([sys.executable, "-c", code, number], capture_output=True, check=True).stdout
        for number in ("1", "99")
    )
    assert len(one.strip()) == 64 and one == all_cores


def test_the_default_models_need_no_pytorch():
    code = (
        "import sys; from pipeline.inference.builtin import captioner, efficientnet, writer; "
        "import numpy as np; efficientnet.cells(np.zeros((9, 16, 3), np.uint8)); "
        "writer.EmbeddedWriter(); print([name for name in ('torch', 'transformers') "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_classes_have_words():
    words = efficientnet.words()
    assert len(words) == 1000
    assert (words[0], words[849], words[999]) == ("tench", "teapot", "toilet tissue")
    assert [words[number] for number in efficientnet.LETTERING] == [
        "web site",
        "comic book",
        "crossword puzzle",
        "book jacket",
        "menu",
    ]
