"""Diffusion baselines small enough to be trained for a few steps in a test."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.__main__ import main
from benchmarks.generators import diffusion_baseline, external_stories
from benchmarks.stories import Opening
from model import autoencoder, features, tokens
from model.config import DetokenizerConfig
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
TEXTS = [f"Then Momo took {at} steps." for at in range(10)]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run with a tokenizer and the features of two chunks of train and one of val."""
    folder = tmp_path / "run"
    tokenizer = tokens.train(TEXTS * 5, 300)
    tokens.with_pictures(tokenizer, 4)
    tokenizer.save_pretrained(folder / "tokenizer")
    settings = DetokenizerConfig(unet=UNET, vae=VAE, image_size=SIZE, steps=3)

    def chunks(name):
        dice = torch.Generator().manual_seed(len(name))
        for at in range(2 if name.startswith("train") else 1):
            latents = torch.randn(10, CHANNELS, SIDE, SIDE, generator=dice)
            ids = tokenizer(TEXTS, add_special_tokens=False)["input_ids"]
            yield Chunk(f"{name} {at}", TEXTS, ids, torch.zeros(10, 4, 8), latents)

    sources = {f"{split}-00000.tar": split for split in ("train", "val")}
    features.compute_shards(folder / "features", "k", sources, chunks)
    vae = autoencoder.PatchAutoencoder(**VAE).eval()
    monkeypatch.setattr(diffusion_baseline.runs, "autoencoder", lambda run: vae)
    model = SimpleNamespace(detokenizer=settings, story=STORY)
    return Run(folder, SimpleNamespace(model=model))


def predicted(model, ids, ids_before, latents_before):
    noisy = torch.zeros(1, CHANNELS, SIDE, SIDE)
    values, there = model.context(ids, ids_before, latents_before)
    return model.unet(noisy, torch.tensor([500]), values, encoder_attention_mask=there).sample


@torch.no_grad()
@pytest.mark.parametrize("kind", diffusion_baseline.KINDS)
def test_only_one_baseline_sees_the_previous_picture_and_sentence(run, kind):
    model = diffusion_baseline.build(run, kind).eval()
    one, other = model.padded([[5, 6, 7]]), model.padded([[8, 9]])
    seen = torch.randn(2, 1, CHANNELS, SIDE, SIDE)
    first = predicted(model, one, other, seen[0])
    assert not torch.equal(first, predicted(model, other, other, seen[0]))  # its sentence
    sees = kind == "previous"
    assert torch.equal(first, predicted(model, one, one, seen[0])) != sees
    assert torch.equal(first, predicted(model, one, other, seen[1])) != sees


@torch.no_grad()
def test_what_fills_a_sentence_up_is_not_read(run):
    model = diffusion_baseline.build(run, "text-only").eval()
    ids = model.padded([[5, 6, 7], list(range(200))])
    assert ids.shape == (2, diffusion_baseline.LONGEST)
    values, there = model.context(ids, ids, torch.zeros(2, CHANNELS, SIDE, SIDE))
    assert there.sum(1).tolist() == [3, diffusion_baseline.LONGEST]
    model.words.weight[-1] += 1  # the token of no word
    again, _ = model.context(ids, ids, torch.zeros(2, CHANNELS, SIDE, SIDE))
    torch.testing.assert_close(values[there], again[there])
    empty = model.padded([[]])
    _, there = model.context(empty, empty, torch.zeros(1, CHANNELS, SIDE, SIDE))
    assert there.sum() == 1


def test_pairs_are_neighbours_of_a_chunk(run):
    model = diffusion_baseline.build(run, "previous")
    latents = torch.arange(4.0)[:, None, None, None].expand(4, CHANNELS, SIDE, SIDE)
    chunk = Chunk("a", TEXTS[:4], [[1], [2], [3], [4]], torch.zeros(4, 1, 1), latents)
    ids, before, latents_before, latents_after = diffusion_baseline.pairs(model, chunk, [1, 3])
    assert (ids[:, 0].tolist(), before[:, 0].tolist()) == ([2, 4], [1, 3])
    assert (latents_before[:, 0, 0, 0] - latents_after[:, 0, 0, 0]).tolist() == [-1, -1]


@pytest.mark.parametrize("kind", diffusion_baseline.KINDS)
def test_a_few_steps_of_training_and_a_story_that_our_tables_take(run, tmp_path, monkeypatch, kind):
    settings = diffusion_baseline.optimisation(4)
    said = []
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


def test_runs_that_cannot_be_compared_with_are_refused(run):
    with pytest.raises(ValueError, match="is no baseline"):
        diffusion_baseline.build(run, "other")
    pretrained = DetokenizerConfig(model="sdxl")
    run.preset.model.detokenizer = pretrained
    with pytest.raises(ValueError, match="trained from nothing"):
        diffusion_baseline.build(run, "previous")


def test_a_training_that_is_stopped_says_how_to_go_on(monkeypatch, capsys):
    def stopped(*_):
        raise Interrupted("previous: stopped after step 3 of 9; the same command resumes")

    monkeypatch.setattr(diffusion_baseline, "run_baseline", stopped)
    assert main(["baseline", "previous"]) == 130
    assert "stopped after step 3 of 9; the same command resumes\n" in capsys.readouterr().err
