"""Diffusion baselines small enough to be trained for a few steps in a test."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from PIL import Image
from safetensors.torch import save_file

from benchmarks.__main__ import main
from benchmarks.generators import diffusion_baseline, external_stories
from benchmarks.stories import Opening
from model import autoencoder, features, tokens, vision
from model.config import DetokenizerConfig, Optimisation, StageConfig, VisionConfig
from model.features import Chunk
from model.runs import Run
from model.train import Interrupted
from tests.model.tiny import STORY

SIZE, SIDE, CHANNELS = 32, 4, 4
VAE = {"patch": SIZE // SIDE, "latent_channels": CHANNELS, "width": 16, "depth": 1}
UNET = {
    "sample_size": SIDE,
    "in_channels": CHANNELS + 32,  # the de-tokenizer's, with the prompt at its places
    "out_channels": CHANNELS,
    "block_out_channels": [16],
    "layers_per_block": 1,
    "cross_attention_dim": 16,
    "attention_head_dim": 2,
    "norm_num_groups": 4,
    "down_block_types": ["CrossAttnDownBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D"],
}
LONGEST, WRITTEN, SEEN, TOKENS = 16, 8, 12, 4
TOWERS = {
    "embed_dim": 6,
    "vision_cfg": {
        "image_size": SIZE,
        "patch_size": 8,
        "width": SEEN,
        "layers": 1,
        "head_width": 4,
        "pool_type": "avg",
    },
    "text_cfg": {
        "context_length": LONGEST,
        "vocab_size": 310,
        "width": WRITTEN,
        "heads": 2,
        "layers": 1,
        "pool_type": "eos",
        "eos_id": 1,
    },
}
TRAIN = Optimisation(steps=9, batch=2, learning_rate=1e-3, muon=2e-3, warmup=5, ema=0.9)
TEXTS = [f"Then Momo took {at} steps." for at in range(10)]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run with its towers and first de-tokenizer, a tokenizer, and the features of two chunks of
    train and one of val."""
    folder = tmp_path / "run"
    tokenizer = tokens.train(TEXTS * 5, 300)
    tokens.with_pictures(tokenizer, 4)
    tokenizer.save_pretrained(folder / "tokenizer")
    settings = DetokenizerConfig(unet=UNET, vae=VAE, image_size=SIZE, steps=3)
    torch.manual_seed(0)
    (folder / "towers").mkdir()
    (folder / "towers" / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": TOWERS, "preprocess_cfg": {}})
    )
    save_file(vision.make(TOWERS).state_dict(), folder / "towers" / "open_clip_model.safetensors")
    unet = UNet2DConditionModel.from_config(UNET).state_dict()
    (folder / "detokenizer").mkdir()
    save_file(
        {f"unet.{name}": weight for name, weight in unet.items()} | {"perceiver.x": torch.ones(1)},
        folder / "detokenizer" / "model.safetensors",
    )

    def chunks(name):
        dice = torch.Generator().manual_seed(len(name))
        for at in range(2 if name.startswith("train") else 1):
            latents = torch.randn(10, CHANNELS, SIDE, SIDE, generator=dice)
            ids = tokenizer(TEXTS, add_special_tokens=False)["input_ids"]
            seen = torch.randn(10, TOKENS, SEEN, generator=dice)
            figures = torch.zeros(10, SIDE, SIDE)
            yield Chunk(f"{name} {at}", TEXTS, ids, seen, latents, figures)

    sources = {f"{split}-00000.tar": split for split in ("train", "val")}
    features.compute_shards(folder / "features", "k", sources, chunks)
    vae = autoencoder.PatchAutoencoder(**VAE).eval()
    monkeypatch.setattr(diffusion_baseline.runs, "autoencoder", lambda run: vae)
    seen = VisionConfig(towers=TOWERS, image_size=SIZE, tokens=TOKENS)
    model = SimpleNamespace(detokenizer=settings, story=STORY, vision=seen)
    stages = {
        name: StageConfig(stage=name, train=TRAIN)
        for name in ("towers", "detokenizer", "adaptation")
    }
    return Run(folder, SimpleNamespace(model=model, stages=stages))


def predicted(model, ids, ids_before, seen_before):
    noisy = torch.zeros(1, CHANNELS, SIDE, SIDE)
    return model._predicted(
        noisy, torch.tensor([500]), *model.context(ids, ids_before, seen_before)
    )


@torch.no_grad()
@pytest.mark.parametrize("kind", diffusion_baseline.KINDS)
def test_only_one_baseline_sees_the_previous_picture_and_sentence(run, kind):
    model = diffusion_baseline.build(run, kind).eval()
    one, other = model.padded([[5, 6, 7]]), model.padded([[8, 9]])
    seen = torch.randn(2, 1, TOKENS, SEEN)
    first = predicted(model, one, other, seen[0])
    assert not torch.equal(first, predicted(model, other, other, seen[0]))  # its sentence
    sees = kind == "previous"
    assert torch.equal(first, predicted(model, one, one, seen[0])) != sees
    assert torch.equal(first, predicted(model, one, other, seen[1])) != sees


@torch.no_grad()
def test_what_fills_a_sentence_up_is_not_read(run):
    model = diffusion_baseline.build(run, "text-only").eval()
    ids = model.padded([[5, 6, 7], list(range(2, 200)), []])
    assert ids.shape == (3, LONGEST)
    values, there, pooled = model.context(ids, ids, torch.zeros(3, TOKENS, SEEN))
    assert there.sum(1).tolist() == [4, LONGEST, 1]  # with the end, which an empty one has alone
    model.text.token_embedding.weight[0] += 1  # the token that fills
    again, _, pooled_again = model.context(ids, ids, torch.zeros(3, TOKENS, SEEN))
    torch.testing.assert_close(values[there], again[there])
    torch.testing.assert_close(pooled, pooled_again)


@torch.no_grad()
@pytest.mark.parametrize("kind", diffusion_baseline.KINDS)
def test_a_baseline_begins_with_the_parts_of_the_run(run, kind):
    model = diffusion_baseline.build(run, kind)
    unet = diffusion_baseline.unet_weights(run)
    begun = model.unet.state_dict()
    first = "conv_in.weight"
    assert torch.equal(begun[first], unet.pop(first)[:, :CHANNELS])
    assert all(torch.equal(begun[name], weight) for name, weight in unet.items())
    ids = model.padded([[5, 6, 7]])
    _, _, pooled = model.context(ids, ids, torch.zeros(1, TOKENS, SEEN))
    said = diffusion_baseline.text_encoder(run).encode_text(ids, normalize=True)
    torch.testing.assert_close(pooled / pooled.norm(), said)
    assert pooled.square().mean() == pytest.approx(1)


def test_a_baseline_is_trained_as_the_adaptation_is(run):
    settings = diffusion_baseline.optimisation(run)
    assert settings == TRAIN.model_copy(update={"check_every": 4})
    shorter = diffusion_baseline.optimisation(run, 4, seed=3)
    assert (shorter.steps, shorter.warmup, shorter.check_every, shorter.seed) == (4, 4, 2, 3)


def test_pairs_are_neighbours_of_a_chunk(run):
    model = diffusion_baseline.build(run, "previous")
    numbers = torch.arange(4.0)
    latents = numbers[:, None, None, None].expand(4, CHANNELS, SIDE, SIDE)
    seen = numbers[:, None, None].expand(4, TOKENS, SEEN)
    figures = latents[:, 0] / 4
    chunk = Chunk("a", TEXTS[:4], [[2], [3], [4], [5]], seen, latents, figures)
    ids, before, seen_before, latents_after, shown = diffusion_baseline.pairs(model, chunk, [1, 3])
    assert (ids[:, 0].tolist(), before[:, 0].tolist()) == ([3, 5], [2, 4])
    assert (seen_before[:, 0, 0].tolist(), latents_after[:, 0, 0, 0].tolist()) == ([0, 2], [1, 3])
    assert shown[:, 0, 0].tolist() == [0.25, 0.75]


@pytest.mark.parametrize("kind", diffusion_baseline.KINDS)
def test_a_few_steps_of_training_and_a_story_that_our_tables_take(run, tmp_path, monkeypatch, kind):
    settings = diffusion_baseline.optimisation(run, 4)
    said = []
    if kind == "previous":
        diffusion_baseline.train(run, "text-only", tmp_path / "to", settings, said.append)
    model = diffusion_baseline.train(run, kind, tmp_path / "to", settings, said.append)
    assert [line for line in said if "held out" in line][-1].startswith(f"{kind}: step 4 of 4")
    again = diffusion_baseline.train(run, kind, tmp_path / "to", settings, pytest.fail)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, again.state_dict()[name])

    Image.fromarray(np.full((9, 16, 3), 99, np.uint8)).save(tmp_path / "first.png")
    opening = Opening("a", str(tmp_path / "first.png"), TEXTS[0], 3, tuple(TEXTS[1:3]))
    shorter = Opening("b", opening.image, TEXTS[4], 2, (TEXTS[5],))
    openings = [opening, shorter]
    told = diffusion_baseline.tell_stories(model, run, openings, tmp_path / "stories")
    read, lacks = external_stories.read_external_stories(tmp_path / "stories", openings)
    assert read[0].texts == told[0].texts == tuple(TEXTS[:3]) and lacks == ""
    assert read[1].texts == tuple(TEXTS[4:6])
    monkeypatch.setattr(model, "generate", pytest.fail)  # what is there is not made again
    assert diffusion_baseline.tell_stories(model, run, openings, tmp_path / "stories") == told
    with Image.open(read[0].images[2]) as picture:
        assert picture.size == (SIZE, SIZE)
    free = Opening("a", opening.image, opening.text, 3)
    with pytest.raises(ValueError, match="illustrates given sentences"):
        diffusion_baseline.tell_stories(model, run, [free], tmp_path / "stories")


def test_the_one_with_the_previous_picture_goes_on_from_the_text_only_one(run, tmp_path):
    settings = diffusion_baseline.optimisation(run, 2)
    with pytest.raises(ValueError, match="text-only is not there: train the baseline text-only"):
        diffusion_baseline.train(run, "previous", tmp_path, settings)
    first = diffusion_baseline.train(run, "text-only", tmp_path, settings, lambda line: None)
    model = diffusion_baseline.build(run, "previous")

    assert diffusion_baseline._start(model, tmp_path / "text-only")

    begun = model.state_dict()
    assert all(torch.equal(begun[name], weight) for name, weight in first.state_dict().items())


def test_runs_that_cannot_be_compared_with_are_refused(run):
    with pytest.raises(ValueError, match="is no baseline"):
        diffusion_baseline.build(run, "other")
    towers, run.preset.model.vision = (
        run.preset.model.vision,
        VisionConfig(model="local-dir:/clip"),
    )
    with pytest.raises(ValueError, match="this run's encoders are pretrained"):
        diffusion_baseline.build(run, "previous")
    run.preset.model.vision = towers
    run.preset.model.detokenizer = DetokenizerConfig(model="sdxl")
    with pytest.raises(ValueError, match="this run's UNet is pretrained"):
        diffusion_baseline.build(run, "previous")


def test_a_training_that_is_stopped_says_how_to_go_on(monkeypatch, capsys):
    def stopped(*_):
        raise Interrupted("previous: stopped after step 3 of 9; the same command resumes")

    monkeypatch.setattr(diffusion_baseline, "run_baseline", stopped)
    assert main(["baseline", "previous"]) == 130
    assert "stopped after step 3 of 9; the same command resumes\n" in capsys.readouterr().err
