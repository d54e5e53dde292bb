"""Trained baselines: pictures of given sentences by latent diffusion, on a run's data and parts.

    text-only    a picture from its sentence: latent diffusion (Rombach et al. 2022,
                 arXiv 2112.10752)
    previous     a picture from its sentence, the previous picture and the previous sentence, in the
                 manner of StoryGen (Liu et al. 2024, arXiv 2306.00973): the previous pair is more
                 context of the cross-attention. StoryGen takes features of that picture from the
                 UNet, of weights that have seen all the world; here they are those of the run's
                 image encoder, which the story model reads too.

The comparison is of what a model is given, all else equal: image encoder, autoencoder, latents,
tokens, noise and sampler are the run's, and a baseline is trained as the run's de-tokenizer is in
its adaptation, from the same weights of the UNet. The text encoder begins as the one that the run's
image encoder was trained with, as Stable Diffusion has CLIP's; as in SD-XL, the sentence's pooled
feature is added to the time embedding. `previous` goes on from a trained `text-only`, as StoryGen
first learns single pictures. They tell no sentences of their own.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from diffusers import (
    DDPMScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    UNet2DConditionModel,
)
from diffusers.guiders.guider_utils import rescale_noise_cfg
from diffusers.utils.torch_utils import randn_tensor
from open_clip.model import CLIP
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.stories import Opening, Story, read_pictures
from model import autoencoder, checkpoints, config, data, features, precision, runs, vision
from model.config import DetokenizerConfig, Optimisation
from model.detokenizer import SCHEDULE, weighted_mean
from model.features import Chunk
from model.runs import Run
from model.stages import clipped
from model.tokens import Vocabulary
from model.train import Stage, fit

KINDS = ("text-only", "previous")
PICTURES = 2  # drawn from a chunk and step
TOLD_AT_ONCE = 4  # stories

# Sentence, previous one, its features, latents, and where these show characters
Given = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


class StoryDiffusion(nn.Module):
    """A text encoder and a UNet: sentences, and perhaps the previous picture, to latents."""

    def __init__(
        self,
        settings: DetokenizerConfig,
        begun: Mapping[str, Tensor],
        pair: CLIP,
        vocabulary: Vocabulary,
        latents: Tensor,
        seen: Tensor | None = None,
    ) -> None:
        """`begun` are the weights of a de-tokenizer's UNet, and `pair` has the text encoder.

        `latents` [.., channels, side, side] and, where the previous picture is read, its features
        `seen` [.., tokens, width] say the sizes.

        Raises ValueError for a preset whose UNet is a pretrained one.
        """
        super().__init__()
        if not settings.unet or settings.unet.get("addition_embed_type"):
            raise ValueError(
                "a baseline is trained from nothing, as the tiny preset is: this run's UNet is "
                "pretrained"
            )
        self.settings, self.vocabulary = settings, vocabulary
        channels, (written, pooled) = latents.shape[-3], pair.text_projection.shape
        self.unet = UNet2DConditionModel.from_config(
            {
                **settings.unet,
                "in_channels": channels,
                "out_channels": channels,
                "class_embed_type": "projection",  # of the pooled sentence
                "projection_class_embeddings_input_dim": pooled,
            }
        )
        # More input channels are for what the de-tokenizer places on the picture
        begun = {**begun, "conv_in.weight": begun["conv_in.weight"][:, :channels]}
        new, unknown = self.unet.load_state_dict(begun, strict=False)
        assert not unknown and all(name.startswith("class_embedding.") for name in new)
        width = self.unet.config.cross_attention_dim
        pair.visual = nn.Identity()
        pair.logit_scale.requires_grad_(False)
        self.text, self.project_text = pair, nn.Linear(written, width)
        self.previous = seen is not None
        if seen is not None:
            tokens, features_width = seen.shape[-2:]
            self.project_seen = nn.Linear(features_width, width)
            self.places = nn.Parameter(torch.randn(tokens, width) / width**0.5)
            self.before = nn.Parameter(torch.randn(width) / width**0.5)
        schedule = SCHEDULE | settings.schedule
        self.noise = DDPMScheduler.from_config(schedule)
        self.sampler = (
            EulerAncestralDiscreteScheduler if settings.ancestral else EulerDiscreteScheduler
        ).from_config(schedule)

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return self.unet.device

    def padded(self, texts: Sequence[Sequence[int]]) -> Tensor:
        """Returns tokens of sentences as [B, context length], cut, ended and filled up; what stands
        for no sentence is that of no tokens."""
        length = self.text.context_length
        return torch.tensor([clipped(text, length, self.vocabulary) for text in texts])

    def context(
        self, ids: Tensor, ids_before: Tensor, seen_before: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Encodes what a picture is made from: [B, n, width], which of these are there [B, n], and
        the pooled sentence."""
        text, there, pooled = self._read(ids)
        if not self.previous:
            return text, there, pooled
        earlier, earlier_there, _ = self._read(ids_before)
        # As the de-tokenizer reads them: only directions count
        seen = functional.normalize(seen_before, dim=-1) * seen_before.shape[-1] ** 0.5
        seen = self.project_seen(seen) + self.places + self.before
        all_there = torch.ones(seen.shape[:2], dtype=torch.bool, device=ids.device)
        return (
            torch.cat([text, earlier + self.before, seen], dim=1),
            torch.cat([there, earlier_there, all_there], dim=1),
            pooled,
        )

    def _read(self, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        ends = (ids == self.vocabulary.eos).cumsum(1)
        there = ends - (ids == self.vocabulary.eos).long() == 0  # up to the first end
        out = self.text.forward_intermediates(
            text=ids, text_indices=1, normalize_intermediates=True
        )
        pooled = out["text_features"] * out["text_features"].shape[1] ** 0.5
        return self.project_text(out["text_intermediates"][0]), there, pooled

    def loss(
        self, given: Given, generator: torch.Generator | None = None, figure_weight: float = 1
    ) -> Tensor:
        """Computes the mean squared error, a scalar, of the predicted noise (or velocity).

        Each sample has noise of a random step, and with the settings' probability no sentence, for
        classifier-free guidance. Characters have the `figure_weight`, beside 1.
        """
        ids, ids_before, seen_before, latents, figures = (part.to(self.device) for part in given)
        latents, count = latents.float(), len(latents)

        def random(*shape: int) -> Tensor:
            return torch.rand(shape, generator=generator, device=latents.device)

        none = self.padded([[]]).to(self.device)
        ids = torch.where(random(count, 1) >= self.settings.dropped, ids, none)
        times = (random(count) * self.noise.config.num_train_timesteps).long()
        noise = torch.randn(latents.shape, generator=generator, device=latents.device)
        noisy = self.noise.add_noise(latents, noise, times)
        velocity = self.noise.config.prediction_type == "v_prediction"
        target = self.noise.get_velocity(latents, noise, times) if velocity else noise
        context = self.context(ids, ids_before, seen_before.float())
        errors = (self._predicted(noisy, times, *context) - target) ** 2
        return weighted_mean(errors, 1 + (figure_weight - 1) * figures)

    # accelerate only follows what goes through `forward`
    forward = loss

    def _predicted(
        self, noisy: Tensor, times: Tensor, values: Tensor, there: Tensor, pooled: Tensor
    ) -> Tensor:
        predicted: Tensor = self.unet(
            noisy, times, values, class_labels=pooled, encoder_attention_mask=there
        ).sample
        return predicted.float()

    @torch.no_grad()
    def generate(
        self,
        ids: Tensor,
        ids_before: Tensor,
        seen_before: Tensor,
        shape: Sequence[int],
        generator: list[torch.Generator],
    ) -> Tensor:
        """Generates latents of a `shape` [B, c, h, w] by Euler's method, guided by the sentences as
        the run's de-tokenizer is by features."""
        self.sampler.set_timesteps(self.settings.steps, device=self.device)
        none = self.padded([[]] * len(ids)).to(self.device)
        context = self.context(
            torch.cat([ids, none]), ids_before.repeat(2, 1), seen_before.repeat(2, 1, 1)
        )
        latents = randn_tensor(tuple(shape), generator=generator, device=self.device)
        latents = latents * self.sampler.init_noise_sigma
        for time in self.sampler.timesteps:
            noisy = self.sampler.scale_model_input(latents, time).repeat(2, 1, 1, 1)
            predicted = self._predicted(noisy, time, *context)
            asked, unasked = predicted.chunk(2)
            predicted = rescale_noise_cfg(
                unasked + self.settings.guidance * (asked - unasked),
                asked,
                self.settings.guidance_rescale,
            )
            latents = self.sampler.step(predicted, time, latents, generator=generator).prev_sample
        return latents


def optimisation(run: Run, steps: int = 0, seed: int = 0) -> Optimisation:
    """Returns how a baseline is trained: as the run's de-tokenizer is in its adaptation, for as
    many steps unless others are given."""
    settings = run.stage("adaptation")[1].train
    steps = steps or settings.steps
    return settings.model_copy(
        update={
            "steps": steps,
            "warmup": min(settings.warmup, steps),
            "check_every": max(1, steps // 2),
            "seed": seed,
        }
    )


def build(run: Run, kind: str, seed: int = 0) -> StoryDiffusion:
    """Builds a baseline, untrained, on the parts of a run. Raises ValueError where its features are
    not computed yet or its UNet is pretrained."""
    if kind not in KINDS:
        raise ValueError(f"{kind} is no baseline: {' or '.join(KINDS)}")
    shards = features.shards(run, "train")
    if not shards:
        raise ValueError(f"{run.folder} has no features yet; `python -m model train` makes them")
    if run.preset.model.vision.towers is None:
        raise ValueError(
            "a baseline is trained from nothing, as the tiny preset is: this run's encoders are "
            "pretrained"
        )
    chunk = features.read(next(iter(data.once(shards, dict))))
    _, vocabulary = runs.tokenizer(run)
    torch.manual_seed(seed)
    return StoryDiffusion(
        run.preset.model.detokenizer,
        unet_weights(run),
        text_encoder(run),
        vocabulary,
        chunk.latents,
        chunk.features if kind == "previous" else None,
    )


def unet_weights(run: Run) -> dict[str, Tensor]:
    """Loads what the UNet of a run's de-tokenizer is before its adaptation."""
    weights = load_file(run.result("detokenizer") / checkpoints.WEIGHTS)
    prefix = "unet."
    return {
        name.removeprefix(prefix): weight
        for name, weight in weights.items()
        if name.startswith(prefix)
    }


def text_encoder(run: Run) -> CLIP:
    """Loads the text encoder that a run's image encoder was trained with."""
    towers = run.result("towers")
    return open_clip.create_model(f"local-dir:{towers}", require_pretrained=True)


def train(
    run: Run, kind: str, folder: Path, settings: Optimisation, say: Callable[[str], None] = print
) -> StoryDiffusion:
    """Trains a baseline on a run's latents and tokens; one that is there is loaded.

    A training that was stopped is resumed. Raises as `build` and `model.train.fit` do, and
    ValueError where `previous` finds no `text-only` in the folder.
    """
    model = build(run, kind, settings.seed)
    result = folder / kind
    about = checkpoints.about(run.folder / "features").get("key", "")
    started = [_start(model, folder / KINDS[0])] if kind != KINDS[0] else []
    weight = run.stage("adaptation")[1].figure_weight
    key = checkpoints.key(kind, about, settings.model_dump(mode="json"), weight, *started)
    if checkpoints.about(result).get("key") != key:
        folder.mkdir(parents=True, exist_ok=True)
        fit(kind, stage(model, run, settings), settings, result, key, say)
    checkpoints.load(result, model)
    return model.requires_grad_(False).eval()


def _start(model: StoryDiffusion, folder: Path) -> str:
    """Loads the weights of a trained text-only baseline; returns their key."""
    key = checkpoints.about(folder).get("key", "")
    if not key:
        raise ValueError(f"{folder} is not there: train the baseline {KINDS[0]} into it first")
    new = ("project_seen.", "places", "before")
    old = [name for name in checkpoints.trained(model) if not name.startswith(new)]
    checkpoints.load(folder, model, old)
    return str(key)


def stage(model: StoryDiffusion, run: Run, settings: Optimisation) -> Stage:
    """Returns the stage that trains a baseline: pairs of neighbours drawn from chunks."""
    held_out = data.some(data.places(features.shards(run, "val")), settings.check_at_most)
    weight = run.stage("adaptation")[1].figure_weight

    def read(raw: data.Raw) -> Given:
        chunk = features.read(raw)
        dice = np.random.default_rng(raw["__number__"])
        count = len(chunk.ids) - 1
        return pairs(model, chunk, dice.choice(count, min(PICTURES, count), replace=False) + 1)

    def collate(items: list[Given]) -> Given:
        ids, ids_before, seen_before, latents, figures = map(torch.cat, zip(*items, strict=True))
        return ids, ids_before, seen_before, latents, figures

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

    return Stage(
        model, batches, lambda net, batch: {"loss": net(batch, figure_weight=weight)}, check
    )


def pairs(model: StoryDiffusion, chunk: Chunk, numbers: Any) -> Given:
    """Returns pictures of a chunk, each with the one before it."""
    after = torch.as_tensor(list(map(int, numbers)))
    before = after - 1
    return (
        model.padded([chunk.ids[at] for at in after.tolist()]),
        model.padded([chunk.ids[at] for at in before.tolist()]),
        chunk.features[before],
        chunk.latents[after],
        chunk.figures[after],
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
    vae, tower = runs.autoencoder(run).to(model.device), runs.tower(run).to(model.device)
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
            pictures = _illustrated(model, run, vae, tower, some, seed)
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
    model: StoryDiffusion,
    run: Run,
    vae: Any,
    tower: nn.Module,
    openings: Sequence[Opening],
    seed: int,
) -> list[Tensor]:
    """Returns the panels of openings of the same length, from number 0 on, each uint8
    [B, H, W, 3]."""
    tokenizer, _ = runs.tokenizer(run)
    settings, size = run.preset.model.vision, run.preset.model.detokenizer.image_size
    panels = [torch.from_numpy(read_pictures([opening.image for opening in openings], size))]
    dice = [torch.Generator(model.device).manual_seed(seed) for _ in openings]

    def tokens(texts: Sequence[str]) -> Tensor:
        ids = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        return model.padded(ids).to(model.device)

    def seen(pictures: Tensor) -> Tensor:
        small = [data.to_square(picture, settings.image_size) for picture in pictures.numpy()]
        return vision.features(tower, np.stack(small), settings.tokens)

    before = tokens([opening.text for opening in openings])
    shape = autoencoder.encode(vae, panels[0]).shape
    with precision.autocast("auto", model.device):
        for sentences in zip(*(opening.following for opening in openings), strict=True):
            ids = tokens(sentences)
            latents = model.generate(ids, before, seen(panels[-1]), shape, dice)
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
    model = train(trained, kind, Path(to), optimisation(trained, steps, seed))
    folder = Path(to, f"{kind}-stories")
    openings = [make_opening(story, True) for story in read_stories(dataset)]
    key = checkpoints.about(Path(to, kind))["key"]
    tell_stories(model, trained, openings, folder, key, seed)
    return folder
