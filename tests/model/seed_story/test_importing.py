"""Released weights imported as a run: what it says and paints is what the weights say by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file

from model import __main__ as command
from model import generate, vision
from model.generate import PictureTokens, Sampling
from tests.model.seed_story import arithmetic, released


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the released files, and the run that is made of them."""
    folder = tmp_path_factory.mktemp("seed-story")
    paths = released.write(folder)
    assert command.main(released.arguments(paths, folder / "run")) == 0
    return folder


@pytest.fixture(scope="module")
def weights(place):
    """The released weights by name of their file."""
    return {name: torch.load(place / f"{name}.bin") for name in ("agent", "detokenizer", "vit")}


@pytest.fixture(scope="module")
def teller(place):
    return generate.load(place / "run")


@pytest.fixture(scope="module")
def picture():
    return np.random.default_rng(0).integers(
        0, 256, (released.PICTURE, released.PICTURE, 3), np.uint8
    )


def test_features_are_those_of_the_visual_tokenizer(teller, weights, picture):
    with torch.no_grad():
        found = vision.features(teller.tower, picture[None], 256)
    wanted = arithmetic.features(weights["vit"], arithmetic.normalised(picture[None]))
    assert found.shape == (1, 256, released.OUT)
    assert (found - wanted).abs().max() <= 2e-6
    zeros = torch.zeros(1, 3, released.PICTURE, released.PICTURE)
    assert (teller.blank - arithmetic.features(weights["vit"], zeros)[0]).abs().max() <= 2e-6


def told_by_hand(place, weights, teller, picture, text, count, longest):
    """The texts, features and pictures of a story, without a cache: each from all that is before
    it."""
    agent = arithmetic.Agent(weights["agent"], load_file(place / "llm" / "model.safetensors"))
    vocabulary, tokenizer = teller.vocabulary, teller.tokenizer
    words = PictureTokens(vocabulary, len(tokenizer), longest).words
    seen = arithmetic.features(weights["vit"], arithmetic.normalised(picture[None]))
    start = [vocabulary.bos, *tokenizer.encode(text, add_special_tokens=False), vocabulary.boi]
    vectors = [agent.words(start)[None], agent.read(seen)]
    unet = UNet2DConditionModel.from_pretrained(place / "sdxl" / "unet")
    unet.load_state_dict(arithmetic.below(weights["detokenizer"], "unet."))
    vae = AutoencoderKL.from_pretrained(place / "sdxl" / "vae")
    zeros = torch.zeros(1, 3, released.PICTURE, released.PICTURE)
    blank, dice = arithmetic.features(weights["vit"], zeros), torch.Generator().manual_seed(3)
    panels = []
    for _ in range(count):
        vectors.append(agent.words([vocabulary.eoi, *vocabulary.turn])[None])
        ids = []
        while len(ids) < longest:
            scores = agent.scores(torch.cat(vectors, 1))
            among = torch.cat([words, torch.tensor([vocabulary.boi])]) if ids else words
            token = int(among[scores[among].argmax()])
            if token == vocabulary.boi:
                break
            ids.append(token)
            vectors.append(agent.words([token])[None])
        vectors.append(agent.words([vocabulary.boi])[None])
        asked = torch.cat([*vectors, agent.words(vocabulary.image)[None]], 1)
        made = agent.painted(agent.hidden(asked)[:, -len(vocabulary.image) :])
        inside = arithmetic.below(weights["detokenizer"], "resampler.")
        painted = arithmetic.picture(inside, unet, vae, made, blank, 16, 3, 7.5, dice)
        panels.append((ids, made[0], painted))
        vectors.append(agent.read(made))
    return panels


@torch.no_grad()
def test_a_story_has_the_texts_features_and_pictures_of_the_released_weights(
    place, weights, teller, picture
):
    text, count, longest = "Pip went to the beach.", 3, 12
    told = generate.tell(
        teller.model,
        teller.tokenizer,
        teller.vocabulary,
        [generate.start(teller, 0, picture, text)],
        generate.painting(teller, [3]),
        count,
        sampling=Sampling(0.0, 1.0, longest),
        seeds=[0],
    )
    wanted = told_by_hand(place, weights, teller, picture, text, count, longest)
    for [panel], (ids, features, painted) in zip(told, wanted, strict=True):
        assert panel.ids == ids and len(set(ids)) > 1
        assert (panel.features - features).abs().max() <= 2e-6
        assert np.abs(panel.picture - painted.numpy()).max() <= 0.5 + 1e-3
