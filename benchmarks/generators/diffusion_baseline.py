"""Trained baselines: pictures of given sentences by latent diffusion, on a run's data and parts.

    text-only    a picture from its sentence: latent diffusion (Rombach et al. 2022,
                 arXiv 2112.10752)
    previous     a picture from its sentence, the previous picture and the previous sentence, in the
                 manner of StoryGen (Liu et al. 2024, arXiv 2306.00973): the previous pair is more
                 context of the cross-attention. StoryGen takes features of that picture from the
                 UNet, of weights that have seen all the world; here its latents are projected.

The comparison is of what a model is given, all else equal: autoencoder, latents, tokens, UNet,
noise and sampler are those of the run's de-tokenizer. They tell no sentences of their own.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import (
    DDPMScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    UNet2DConditionModel,
)
from diffusers.guiders.guider_utils import rescale_noise_cfg
from diffusers.utils.torch_utils import randn_tensor
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.stories import Opening, Story, read_pictures
from model import autoencoder, checkpoints, config, data, features, precision, runs
from model.config import DetokenizerConfig, Optimisation
from model.detokenizer import SCHEDULE
from model.features import Chunk
from model.runs import Run
from model.train import Stage, fit

KINDS = ("text-only", "previous")
LONGEST = 64  # tokens of a sentence that are read
PICTURES = 2  # drawn from a chunk and step
HEADS, LAYERS = 4, 2  # of the text encoder
TOLD_AT_ONCE = 4  # stories

Given = tuple[Tensor, Tensor, Tensor, Tensor]  # sentence, previous one, previous latents, latents


class StoryDiffusion(nn.Module):
    """A text encoder and a UNet: sentences, and perhaps the previous picture, to latents."""

    def __init__(
        self, settings: DetokenizerConfig, words: int, channels: int, side: int, previous: bool
    ) -> None:
        """`words` is the size of the vocabulary; latents are [B, channels, side, side].

        Raises ValueError for a preset whose UNet is a pretrained one.
        """
        super().__init__()
        if not settings.unet or settings.unet.get("addition_embed_type"):
            raise ValueError(
                "a baseline is trained from nothing, as the tiny preset is: this run's UNet is "
                "pretrained"
            )
        self.settings, self.previous = settings, previous
        self.unet = UNet2DConditionModel.from_config(
            {**settings.unet, "in_channels": channels, "out_channels": channels}
        )
        width = self.unet.config.cross_attention_dim
        self.words = nn.Embedding(words + 1, width)  # the last one stands for no word
        self.places = nn.Parameter(torch.randn(LONGEST, width) / width**0.5)
        layer = nn.TransformerEncoderLayer(
            width, HEADS, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, LAYERS, nn.LayerNorm(width), False)
        if previous:
            self.patches = nn.Linear(channels, width)
            self.patch_places = nn.Parameter(torch.randn(side * side, width) / width**0.5)
            self.before = nn.Parameter(torch.randn(width) / width**0.5)
        schedule = SCHEDULE | settings.schedule
        self.noise = DDPMScheduler.from_config(schedule)
        self.sampler = (
            EulerAncestralDiscreteScheduler if settings.ancestral else EulerDiscreteScheduler
        ).from_config(schedule)

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return self.places.device

    def padded(self, texts: Sequence[Sequence[int]]) -> Tensor:
        """Returns sentences as tokens [B, LONGEST], cut and filled with the token of no word."""
        none = self.words.num_embeddings - 1
        rows = [[*text[:LONGEST], *[none] * (LONGEST - len(text))] for text in texts]
        return torch.tensor(rows)

    def context(
        self, ids: Tensor, ids_before: Tensor, latents_before: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Encodes what a picture is made from: [B, n, width], and which of these are there
        [B, n]."""
        text, there = self._read(ids)
        if not self.previous:
            return text, there
        earlier, earlier_there = self._read(ids_before)
        patches = self.patches(latents_before.flatten(2).transpose(1, 2)) + self.patch_places
        seen = torch.ones(patches.shape[:2], dtype=torch.bool, device=ids.device)
        return (
            torch.cat([text, earlier + self.before, patches + self.before], dim=1),
            torch.cat([there, earlier_there, seen], dim=1),
        )

    def _read(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        there = ids != self.words.num_embeddings - 1
        there[:, 0] = True  # an empty sentence has one place, which says that there is none
        values = self.encoder(self.words(ids) + self.places, src_key_padding_mask=~there)
        return values, there

    def loss(self, given: Given, generator: torch.Generator | None = None) -> Tensor:
        """Computes the mean squared error, a scalar, of the predicted noise (or velocity).

        Each sample has noise of a random step, and with the settings' probability no sentence, for
        classifier-free guidance.
        """
        ids, ids_before, latents_before, latents = (part.to(self.device) for part in given)
        latents, count = latents.float(), len(latents)

        def random(*shape: int) -> Tensor:
            return torch.rand(shape, generator=generator, device=latents.device)

        none = self.words.num_embeddings - 1
        ids = torch.where(random(count, 1) >= self.settings.dropped, ids, none)
        times = (random(count) * self.noise.config.num_train_timesteps).long()
        noise = torch.randn(latents.shape, generator=generator, device=latents.device)
        noisy = self.noise.add_noise(latents, noise, times)
        velocity = self.noise.config.prediction_type == "v_prediction"
        target = self.noise.get_velocity(latents, noise, times) if velocity else noise
        values, there = self.context(ids, ids_before, latents_before.float())
        predicted = self.unet(noisy, times, values, encoder_attention_mask=there).sample
        return functional.mse_loss(predicted.float(), target)

    # accelerate only follows what goes through `forward`
    forward = loss

    @torch.no_grad()
    def generate(
        self,
        ids: Tensor,
        ids_before: Tensor,
        latents_before: Tensor,
        generator: list[torch.Generator],
    ) -> Tensor:
        """Generates latents [B, c, h, w] by Euler's method, guided by the sentences as the run's
        de-tokenizer is by features."""
        self.sampler.set_timesteps(self.settings.steps, device=self.device)
        none = torch.full_like(ids, self.words.num_embeddings - 1)
        values, there = self.context(
            torch.cat([ids, none]), ids_before.repeat(2, 1), latents_before.repeat(2, 1, 1, 1)
        )
        latents = randn_tensor(latents_before.shape, generator=generator, device=self.device)
        latents = latents * self.sampler.init_noise_sigma
        for time in self.sampler.timesteps:
            noisy = self.sampler.scale_model_input(latents, time).repeat(2, 1, 1, 1)
            predicted = self.unet(noisy, time, values, encoder_attention_mask=there).sample.float()
            asked, unasked = predicted.chunk(2)
            predicted = rescale_noise_cfg(
                unasked + self.settings.guidance * (asked - unasked),
                asked,
                self.settings.guidance_rescale,
            )
            latents = self.sampler.step(predicted, time, latents, generator=generator).prev_sample
        return latents


def optimisation(steps: int, seed: int = 0) -> Optimisation:
    """Returns how a baseline is trained: as the tiny preset's de-tokenizer is."""
    return Optimisation(
        steps=steps,
        batch=5,
        learning_rate=1.5e-3,
        muon=3e-3,
        warmup=min(40, steps),
        end=0.02,
        weight_decay=0.02,
        ema=0.995,
        check_every=max(1, steps // 2),
        seed=seed,
    )


def build(run: Run, kind: str, seed: int = 0) -> StoryDiffusion:
    """Builds a baseline, untrained, on the parts of a run. Raises ValueError where its features are
    not computed yet or its UNet is pretrained."""
    if kind not in KINDS:
        raise ValueError(f"{kind} is no baseline: {' or '.join(KINDS)}")
    shards = features.shards(run, "train")
    if not shards:
        raise ValueError(f"{run.folder} has no features yet; `python -m model train` makes them")
    latents = features.read(next(iter(data.once(shards, dict)))).latents
    tokenizer, _ = runs.tokenizer(run)
    torch.manual_seed(seed)
    return StoryDiffusion(
        run.preset.model.detokenizer,
        len(tokenizer),
        latents.shape[1],
        latents.shape[2],
        kind == "previous",
    )


def train(
    run: Run, kind: str, folder: Path, settings: Optimisation, say: Callable[[str], None] = print
) -> StoryDiffusion:
    """Trains a baseline on a run's latents and tokens; one that is there is loaded.

    A training that was stopped is resumed. Raises as `build` and `model.train.fit` do.
    """
    model = build(run, kind, settings.seed)
    result = folder / kind
    about = checkpoints.about(run.folder / "features").get("key", "")
    key = checkpoints.key(kind, about, settings.model_dump(mode="json"))
    if checkpoints.about(result).get("key") != key:
        folder.mkdir(parents=True, exist_ok=True)
        fit(kind, stage(model, run, settings), settings, result, key, say)
    checkpoints.load(result, model)
    return model.requires_grad_(False).eval()


def stage(model: StoryDiffusion, run: Run, settings: Optimisation) -> Stage:
    """Returns the stage that trains a baseline: pairs of neighbours drawn from chunks."""
    held_out = data.some(data.places(features.shards(run, "val")), settings.check_at_most)

    def read(raw: data.Raw) -> Given:
        chunk = features.read(raw)
        dice = np.random.default_rng(raw["__number__"])
        count = len(chunk.ids) - 1
        return pairs(model, chunk, dice.choice(count, min(PICTURES, count), replace=False) + 1)

    def collate(items: list[Given]) -> Given:
        ids, ids_before, latents_before, latents = zip(*items, strict=True)
        return torch.cat(ids), torch.cat(ids_before), torch.cat(latents_before), torch.cat(latents)

    def batches(start: int) -> Iterator[Any]:
        return iter(
            data.loader(
                features.shards(run, "train"),
                read,
                collate,
                batch=settings.batch,
                seed=settings.seed,
                start=start,
            )
        )

    def check(_: nn.Module) -> dict[str, float]:
        losses = []
        for number, place in held_out:
            chunk = features.read(data.at(place, number))
            dice = torch.Generator(model.device).manual_seed(number)
            losses.append(float(model.loss(pairs(model, chunk, range(1, len(chunk.ids))), dice)))
        return {"loss": float(np.mean(losses))}

    return Stage(model, batches, lambda net, batch: {"loss": net(batch)}, check)


def pairs(model: StoryDiffusion, chunk: Chunk, numbers: Any) -> Given:
    """Returns pictures of a chunk, each with the one before it."""
    after = torch.as_tensor(list(map(int, numbers)))
    before = after - 1
    return (
        model.padded([chunk.ids[at] for at in after.tolist()]),
        model.padded([chunk.ids[at] for at in before.tolist()]),
        chunk.latents[before],
        chunk.latents[after],
    )


def tell_stories(
    model: StoryDiffusion,
    run: Run,
    openings: Sequence[Opening],
    folder: Path,
    trained: str = "",
    seed: int = 0,
) -> list[Story]:
    """Illustrates the sentences of openings, and writes the stories as `external_stories` reads
    them.

    `trained` is the key that the model was trained under; a story that is there, of the same model,
    opening and seed, is read. Raises ValueError for an opening without sentences.
    """
    if not all(opening.following for opening in openings):
        raise ValueError("a diffusion baseline illustrates given sentences, and tells none")
    vae = runs.autoencoder(run).to(model.device)
    keys = {
        opening.id: checkpoints.key(trained, seed, dataclasses.astuple(opening))
        for opening in openings
    }
    missing: dict[int, list[Opening]] = {}  # by the number of pictures
    for opening in openings:
        if not _is_told(folder / opening.id, keys[opening.id]):
            missing.setdefault(len(opening.following), []).append(opening)
    for of_length in missing.values():
        for start in range(0, len(of_length), TOLD_AT_ONCE):
            some = of_length[start : start + TOLD_AT_ONCE]
            pictures = _illustrated(model, run, vae, some, seed)
            for at, opening in enumerate(some):
                panels = [of_all[at] for of_all in pictures]
                _write(opening, panels, folder / opening.id, keys[opening.id])
    return [_told(opening, folder / opening.id) for opening in openings]


def _is_told(folder: Path, key: str) -> bool:
    try:  # written last
        return bool(json.loads((folder / "story.json").read_bytes()).get("key") == key)
    except (OSError, ValueError):
        return False


def _told(opening: Opening, folder: Path) -> Story:
    book = json.loads((folder / "story.json").read_bytes())
    paths = [str(folder / name) for name in book["images"]]
    return Story(opening.id, tuple(book["texts"]), (opening.image, *paths[1:]))


def _illustrated(
    model: StoryDiffusion, run: Run, vae: Any, openings: Sequence[Opening], seed: int
) -> list[Tensor]:
    """Returns the panels of openings of the same length, from number 0 on, each uint8
    [B, H, W, 3]."""
    tokenizer, _ = runs.tokenizer(run)
    size = run.preset.model.detokenizer.image_size
    panels = [torch.from_numpy(read_pictures([opening.image for opening in openings], size))]
    dice = [torch.Generator(model.device).manual_seed(seed) for _ in openings]

    def tokens(texts: Sequence[str]) -> Tensor:
        ids = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        return model.padded(ids).to(model.device)

    before = tokens([opening.text for opening in openings])
    with precision.autocast("auto", model.device):
        for sentences in zip(*(opening.following for opening in openings), strict=True):
            ids = tokens(sentences)
            latents = autoencoder.encode(vae, panels[-1]).float()
            latents = model.generate(ids, before, latents, dice)
            panels.append(autoencoder.decode(vae, latents).cpu())
            before = ids
    return panels


def _write(opening: Opening, pictures: Sequence[Tensor], folder: Path, key: str) -> None:
    sentences = [opening.text, *opening.following]
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{at:02d}.png" for at in range(len(pictures))]
    for name, picture in zip(names, pictures, strict=True):
        Image.fromarray(picture.numpy()).save(folder / name)
    book = {"id": opening.id, "texts": list(sentences), "images": names, "key": key}
    (folder / "story.json").write_text(json.dumps(book, ensure_ascii=False), encoding="utf-8")


def run_baseline(kind: str, run: str, dataset: str, to: str, steps: int, seed: int = 0) -> Path:
    """Trains a baseline and illustrates the held-out stories of a dataset with it.

    Returns the folder of the stories, which the benchmarks take as `--illustrated NAME=FOLDER`.
    """
    from benchmarks.stories import make_opening, read_stories

    trained = Run(Path(run), config.read(str(Path(run, "preset"))))
    model = train(trained, kind, Path(to), optimisation(steps, seed))
    folder = Path(to, f"{kind}-stories")
    openings = [make_opening(story, True) for story in read_stories(dataset)]
    key = checkpoints.about(Path(to, kind))["key"]
    tell_stories(model, trained, openings, folder, key, seed)
    return folder
