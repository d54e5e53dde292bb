import json
import shutil

import numpy as np
import open_clip
import pytest
import torch
from huggingface_hub import constants
from PIL import Image

from pipeline.annotation import clip_score
from pipeline.annotation.clip_score import NoWeights, load, similarities
from tests.tiny_models import CLIP, make_clip

TEXTS = [
    "A red fox ran.",
    "The sea was calm.",
    "Night fell over the village.",
    "The fox slept.",
    "A bird sang.",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def clip(folder):
    return load(f"local-dir:{folder}")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(1)
    for at in range(len(TEXTS)):
        coarse = Image.fromarray(random.integers(0, 256, (4, 6, 3), dtype=np.uint8))
        coarse.resize((60, 40)).save(folder / f"{at}.jpg")
    return [str(folder / f"{at}.jpg") for at in range(len(TEXTS))]


def test_a_score_is_the_dot_product_of_the_two_unit_vectors(clip, images):
    network = clip.network
    with torch.no_grad():
        picture = network.encode_image(clip.preprocess(Image.open(images[0]))[None])[0]
        text = network.encode_text(open_clip.SimpleTokenizer(context_length=16)([TEXTS[0]]))[0]
    cosine = float(picture @ text / picture.norm() / text.norm())
    assert similarities(clip, images[:1], TEXTS[:1]) == [pytest.approx(cosine, abs=1e-6)]


def test_pairs_keep_their_order_and_do_not_depend_on_their_batch(clip, images, monkeypatch):
    together = similarities(clip, images, TEXTS)
    alone = [
        similarities(clip, [image], [text])[0] for image, text in zip(images, TEXTS, strict=True)
    ]
    assert together == pytest.approx(alone, abs=1e-6)
    assert len(set(together)) == 5 and all(-1 <= value <= 1 for value in together)
    assert similarities(clip, images[::-1], TEXTS[::-1]) == pytest.approx(alone[::-1], abs=1e-6)
    monkeypatch.setattr(clip_score, "BATCH", 2)
    assert similarities(clip, images, TEXTS) == pytest.approx(alone, abs=1e-6)


def test_no_pairs_have_no_scores_and_half_a_pair_is_an_error(clip, images):
    assert similarities(clip, [], []) == []
    with pytest.raises(ValueError, match="shorter"):
        similarities(clip, images[:2], TEXTS[:1])


def test_a_long_text_counts_up_to_the_context(clip, images):
    words = ["fox"] * 40
    long = similarities(clip, images[:1], [" ".join(words)])
    assert long == similarities(clip, images[:1], [" ".join([*words, "sea"])])


def test_an_architecture_and_a_file_make_the_same_model(clip, folder, images):
    named = load(f"tiny-clip:{folder / 'open_clip_model.safetensors'}")
    assert not named.network.training
    assert similarities(named, images, TEXTS) == similarities(clip, images, TEXTS)


def test_a_missing_picture_is_an_error(clip, tmp_path):
    with pytest.raises(OSError):
        similarities(clip, [str(tmp_path / "none.jpg")], ["A fox."])


@pytest.mark.parametrize(
    "spec, message",
    [
        (
            "ViT-B-32:/none/weights.safetensors",
            "no file /none/weights.safetensors; write ViT-B-32:W",
        ),
        ("ViT-B-32", "has no weights: write ViT-B-32:WEIGHTS.safetensors"),
        ("ViT-Z-99:/none/weights.safetensors", "open_clip has no ViT-Z-99"),
        ("local-dir:/none", "/none must be a folder with open_clip_config.json and weights"),
    ],
)
def test_a_model_that_is_not_there_says_what_would_do(spec, message):
    with pytest.raises(NoWeights, match=message):
        load(spec)


def test_weights_of_another_model_or_none_are_not_used(folder, tmp_path):
    other = tmp_path / "open_clip_config.json"
    other.write_text(json.dumps({"model_cfg": {**CLIP, "embed_dim": 8}}))
    with pytest.raises(NoWeights, match=r"could not be loaded.*check that the weights are whole"):
        load(f"local-dir:{tmp_path}")
    shutil.copy(folder / "open_clip_model.safetensors", tmp_path)
    with pytest.raises(NoWeights, match=r"Error.* state_dict.*belong to this model"):
        load(f"local-dir:{tmp_path}")


def test_a_pickle_is_not_run(folder, tmp_path):
    class Evil:
        def __reduce__(self):
            return (tmp_path.joinpath("evil").mkdir, ())

    torch.save({"state_dict": Evil()}, tmp_path / "weights.pt")
    with pytest.raises(NoWeights, match="cannot be loaded"):
        load(f"tiny-clip:{tmp_path / 'weights.pt'}")
    assert not (tmp_path / "evil").exists()


def test_the_hub_without_a_network_says_how_to_fetch_it(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(NoWeights, match="with 'hf download nobody/nothing'"):
        load("hf-hub:nobody/nothing")
