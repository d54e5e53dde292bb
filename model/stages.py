"""The stages of training: the model, batches, loss and validation of each.

    towers       a small pair of open_clip towers, contrastively (arXiv 2103.00020)   `tiny` only
    autoencoder  a small image autoencoder                                            `tiny` only
    detokenizer  the de-tokenizer, on the image encoder's features
    story        the story model: the next text and the next picture's features
    adaptation   the de-tokenizer again, on the features that the story model predicts

The first two replace weights that cannot be downloaded everywhere.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import torch
from open_clip.model import CLIP
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from model import autoencoder, data, features, ranks, runs, sequence, vision
from model.config import StageConfig
from model.features import Chunk
from model.runs import Run
from model.story_lm import StoryLM, contrast, distance
from model.tokens import Vocabulary
from model.train import Stage

Read = Callable[[data.Raw], Any]  # decodes a raw sample to an item
Collate = Callable[[list[Any]], Any]  # items to a batch
Batches = Callable[[int], Iterator[Any]]  # endless, from the batch of that number on
HeldOut = Sequence[tuple[int, data.Place]]  # numbers and places of samples
Batch = tuple[Tensor, Tensor, Tensor]  # features, latents and figures, as in features.Chunk

SHOWN = 8  # pictures in a row of the samples of a validation
SAMPLED = 64  # training chunks that stand for all: for the autoencoder's begin, and means


def build(run: Run, name: str, dataset: str) -> Stage:
    """Builds the stage of that name, of whose batches and validations this process has its share.

    New weights depend on `train.seed` and the dataset alone, so they are the same in every process.
    """
    config = run.preset.stages[name]
    torch.manual_seed(config.train.seed)
    return {
        "towers": _towers,
        "autoencoder": _autoencoder,
        "detokenizer": _detokenizer,
        "story": _story,
        "adaptation": _detokenizer,
    }[config.stage](run, config, dataset)


# Stages that replace downloaded weights ----------------------------------------------------------


def _towers(run: Run, config: StageConfig, dataset: str) -> Stage:
    """Trains an image and a text encoder, for their features to agree on what belongs together."""
    settings = run.preset.model.vision
    tokenizer, vocabulary = runs.tokenizer(run)
    assert settings.towers is not None  # the preset has this stage
    towers = vision.make(settings.towers)
    size, context = settings.image_size, settings.towers["text_cfg"]["context_length"]
    held_out = _held_out(data.shards(dataset, "val"), config.train.check_at_most)

    def read(raw: dict[str, bytes]) -> tuple[np.ndarray, list[list[int]]]:
        return data.pictures(raw, size), tokenizer(data.texts(raw), add_special_tokens=False)[
            "input_ids"
        ]

    def losses(model: nn.Module, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        pictures, ids = batch
        images, texts, scale = model(
            vision.normalised(pictures, towers.visual), ids.to(towers.logit_scale.device)
        )
        return {"loss": contrastive_loss(images, texts, scale)}

    def collate(items: list[tuple[np.ndarray, list[list[int]]]]) -> tuple[Tensor, Tensor]:
        ids = [clipped(text, context, vocabulary) for _, texts in items for text in texts]
        return (
            torch.from_numpy(np.concatenate([pictures for pictures, _ in items])),
            torch.tensor(ids),
        )

    def check(model: nn.Module) -> dict[str, float]:
        pair, device = cast(CLIP, model), towers.logit_scale.device
        own = [
            (
                pair.encode_image(vision.normalised(pictures, towers.visual), normalize=True).cpu(),
                pair.encode_text(ids.to(device), normalize=True).cpu(),
            )
            for pictures, ids in (collate([item]) for _, item in _share(held_out, read))
        ]
        pairs = [chunk for part in ranks.gathered(own) for chunk in part]
        images, texts = (torch.cat(parts) for parts in zip(*pairs, strict=True))
        return {"recall@1": _recall(texts @ images.T), "among": float(len(images))}

    def save(folder: Path) -> None:
        (folder / "open_clip_config.json").write_text(
            json.dumps({"model_cfg": settings.towers, "preprocess_cfg": {}}, indent=1)
        )
        save_file(
            {name: value.contiguous().cpu() for name, value in towers.state_dict().items()},
            folder / "open_clip_model.safetensors",
        )

    return Stage(towers, _from(dataset, config, read, collate), losses, check, save=save)


def contrastive_loss(images: Tensor, texts: Tensor, scale: Tensor) -> Tensor:
    """Computes CLIP's loss, a scalar, of normalised features [B, d] of pictures and their texts."""
    logits = scale * images @ texts.T
    own = torch.arange(len(logits), device=logits.device)
    return (functional.cross_entropy(logits, own) + functional.cross_entropy(logits.T, own)) / 2


def clipped(text: Sequence[int], length: int, vocabulary: Vocabulary) -> list[int]:
    """Truncates a text's tokens for the towers: ended by EoS, padded with 0 to `length`."""
    ended = [*text[: length - 1], vocabulary.eos]
    return ended + [0] * (length - len(ended))


def _recall(similarity: Tensor) -> float:
    """Returns how often the largest of a row is on the diagonal, of a square [n, n]."""
    return float(
        (similarity.argmax(1) == torch.arange(len(similarity), device=similarity.device))
        .float()
        .mean()
    )


def _autoencoder(run: Run, config: StageConfig, dataset: str) -> Stage:
    """Trains an image autoencoder, on pictures drawn from each chunk."""
    settings = run.preset.model.detokenizer
    assert settings.vae is not None  # the preset has this stage
    size = settings.image_size
    vae = autoencoder.PatchAutoencoder(**settings.vae.model_dump())
    some = data.some(data.places(data.shards(dataset, "train")), SAMPLED)
    begun = torch.from_numpy(
        np.concatenate([data.pictures(data.at(place, at), size) for at, place in some])
    )
    vae.begin(begun)
    held_out = _held_out(data.shards(dataset, "val"), config.train.check_at_most)

    def read(raw: data.Raw) -> np.ndarray:
        some = _drawn(raw, len(data.texts(raw)), config.pictures)
        return data.pictures(raw, size, some, settings.aspect)

    def collate(items: list[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.concatenate(items))

    def whole(raw: data.Raw) -> Tensor:
        return torch.from_numpy(data.pictures(raw, size, aspect=settings.aspect))

    def check(model: nn.Module) -> dict[str, float]:
        errors = ranks.gathered(
            [
                ((pictures.float() - autoencoder.rebuilt(vae, pictures).cpu().float()) ** 2).mean(
                    (1, 2, 3)
                )
                for _, pictures in _share(held_out, whole)
            ]
        )
        return {"PSNR": psnr(torch.cat([chunk for part in errors for chunk in part]))}

    def show(model: nn.Module, path: Path) -> None:
        some = _spread(torch.cat([whole(data.at(place, at)) for at, place in _spread(held_out)]))
        write_grid(path, [some, autoencoder.rebuilt(vae, some)])

    def save(folder: Path) -> None:
        autoencoder.scale(vae, begun)
        vae.save_pretrained(folder)

    return Stage(
        vae,
        _from(dataset, config, read, collate),
        lambda model, batch: autoencoder.losses(cast(autoencoder.PatchAutoencoder, model), batch),
        check,
        show,
        save,
    )


# The story model's own stages --------------------------------------------------------------------


def _detokenizer(run: Run, config: StageConfig, dataset: str) -> Stage:
    """Trains the de-tokenizer on true features; the adaptation, further on predicted ones."""
    adapting = config.stage == "adaptation"
    source = "predictions" if adapting else "features"
    painter = runs.detokenizer(run, "detokenizer" if adapting else "").trainable(config.everything)
    if config.train.checkpointing:
        painter.unet.enable_gradient_checkpointing()
    blank = runs.blank(run, runs.tower(run))
    held_out = _held_out(features.shards(run, "val", source), config.train.check_at_most)

    def read(raw: data.Raw) -> Batch:
        chunk = features.read(raw)
        some = _drawn(raw, len(chunk.texts), config.pictures)
        return chunk.features[some], chunk.latents[some], chunk.figures[some]

    def collate(items: list[Batch]) -> Batch:
        given, latents, figures = zip(*items, strict=True)
        return torch.cat(given), torch.cat(latents), torch.cat(figures)

    def losses(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        given, latents, figures = (part.to(painter.device) for part in batch)
        weights = 1 + (config.figure_weight - 1) * figures
        return {"loss": model(latents, given, blank.to(painter.device), weights=weights)}

    def check(model: nn.Module) -> dict[str, float]:
        return _mean(
            {
                "loss": float(
                    painter.loss(
                        chunk.latents.to(painter.device),
                        chunk.features.to(painter.device),
                        blank.to(painter.device),
                        torch.Generator(painter.device).manual_seed(number),
                    )
                )
            }
            for number, chunk in _share(held_out, features.read)
        )

    def show(model: nn.Module, path: Path) -> None:
        chunks = [features.read(data.at(place, at)) for at, place in _spread(held_out)]
        given = _spread(torch.cat([chunk.features for chunk in chunks]))
        latents = _spread(torch.cat([chunk.latents for chunk in chunks]))
        write_grid(
            path,
            [
                painter.decode(latents.to(painter.device)),
                painter.generate(
                    given.to(painter.device),
                    blank.to(painter.device),
                    torch.Generator(painter.device).manual_seed(0),
                ),
            ],
        )

    return Stage(
        painter,
        _from_features(run, config, collate, read, source),
        losses,
        check,
        show,
    )


def _story(run: Run, config: StageConfig, dataset: str) -> Stage:
    """Trains the story model."""
    story_model = runs.story(run, trained=False)
    if config.train.checkpointing:
        story_model.llm.gradient_checkpointing_enable()
    _, vocabulary = runs.tokenizer(run)
    held_out = _held_out(features.shards(run, "val"), config.train.check_at_most)
    mean = _mean_features(run) if config.contrast else None

    def losses(model: nn.Module, batch: list[Chunk]) -> dict[str, Tensor]:
        device = next(story_model.parameters()).device
        layout, true = laid_out(batch, vocabulary, config.turns, device)
        out = model(layout, true)
        found = {"loss": out.loss, "text": out.text, "image": out.image}
        if mean is not None:
            own = layout.asked[layout.asked >= 0][:: story_model.image_tokens]
            found["contrast"] = contrast(out.features, true, own, mean.to(device))
            found["loss"] = out.loss + config.contrast * found["contrast"]
        return found

    def check(model: nn.Module) -> dict[str, float]:
        chunks = (chunk for _, chunk in _share(held_out, features.read))
        return _mean(evaluated(story_model, chunk, vocabulary) for chunk in chunks)

    return Stage(story_model, _from_features(run, config, list), losses, check)


def _mean_features(run: Run) -> Tensor:
    """Returns the mean of the normalised features, [tokens, width], of some training chunks."""
    some = data.some(data.places(features.shards(run, "train")), SAMPLED)
    found = torch.cat([features.read(data.at(place, at)).features for at, place in some])
    return functional.normalize(found.float(), dim=-1).mean(0)


def laid_out(
    chunks: Sequence[Chunk], vocabulary: Vocabulary, turns: str, device: torch.device
) -> tuple[sequence.Layout, Tensor]:
    """Lays out and collates chunks for the story model, with every turn supervised, or ("last") a
    random one, the last of its chunk."""
    layouts = []
    for chunk in chunks:
        count = len(chunk.ids)
        supervised = (
            range(1, count) if turns == "every" else [1 + int(torch.randint(count - 1, ()))]
        )
        layouts.append(sequence.lay_out(chunk.ids, vocabulary, supervised))
    layout = sequence.together(layouts, [len(chunk.ids) for chunk in chunks])
    return layout.to(device), torch.cat([chunk.features for chunk in chunks]).to(device)


def evaluated(model: StoryLM, chunk: Chunk, vocabulary: Vocabulary) -> dict[str, float]:
    """Evaluates the story model on a chunk: text, in nats per token; the cosine of predicted and
    true features, beside that of the previous picture's; how often the true picture is the most
    similar one of the chunk."""
    layout, true = laid_out([chunk], vocabulary, "every", next(model.parameters()).device)
    out = model(layout, true)
    similarity = torch.stack(
        [1 - distance(out.features, picture[None]).mean(1) for picture in true[1:]]
    )  # [true, predicted]
    return {
        "text": float(out.text),
        "cosine": float(similarity.diagonal().mean()),
        "cosine of previous": float(1 - distance(true[:-1], true[1:]).mean()),
        "recall@1 in chunk": _recall(similarity.T),
    }


# Batches and samples -----------------------------------------------------------------------------


def _from(dataset: str, config: StageConfig, read: Read, collate: Collate) -> Batches:
    """Returns the batches of a dataset's pictures and texts."""
    return lambda start: iter(
        data.loader(
            data.shards(dataset, "train"),
            read,
            collate,
            batch=config.train.batch,
            seed=config.train.seed,
            workers=config.train.workers,
            rank=ranks.rank(),
            world=ranks.count(),
            start=start,
        )
    )


def _from_features(
    run: Run,
    config: StageConfig,
    collate: Collate,
    read: Read = features.read,
    source: str = "features",
) -> Batches:
    """Returns the batches of the shards of features, true or predicted."""
    return lambda start: iter(
        data.loader(
            features.shards(run, "train", source),
            read,
            collate,
            batch=config.train.batch,
            seed=config.train.seed,
            workers=config.train.workers,
            rank=ranks.rank(),
            world=ranks.count(),
            start=start,
        )
    )


def _drawn(raw: data.Raw, count: int, wanted: int) -> list[int]:
    """Draws `wanted` of a chunk's pictures, others in another epoch."""
    rng = np.random.default_rng(raw["__number__"])
    return sorted(rng.choice(count, min(wanted, count), replace=False).tolist())


def _held_out(shards: list[str], at_most: int) -> HeldOut:
    """Returns where the held-out samples are that are validated on, and their numbers."""
    return data.some(data.places(shards), at_most)


def _share(held_out: HeldOut, read: Read) -> Iterator[tuple[int, Any]]:
    """Reads this process's share of held-out samples; yields the number of each, and the sample."""
    for number, place in ranks.share(held_out):
        yield number, read(data.at(place, number))


def _mean(figures: Iterable[dict[str, float]]) -> dict[str, float]:
    """Averages the figures of chunks, over the shares of all processes."""
    every = [chunk for part in ranks.gathered(list(figures)) for chunk in part]
    return {what: math.fsum(chunk[what] for chunk in every) / len(every) for what in every[0]}


def _spread(values: Any) -> Any:
    """Returns a few of a tensor's first axis or of a list, at equal distances."""
    numbers = torch.linspace(0, len(values) - 1, min(SHOWN, len(values))).long()
    return values[numbers] if isinstance(values, Tensor) else [values[at] for at in numbers]


def psnr(errors: Tensor) -> float:
    """Computes the peak signal-to-noise ratio, dB, of the mean squared errors of uint8 pictures."""
    return float(10 * torch.log10(255**2 / errors.mean()))


def write_grid(path: Path, rows: Sequence[Tensor]) -> None:
    """Writes a PNG of rows of uint8 RGB pictures [n, H, W, 3]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.concatenate([np.concatenate(list(row.cpu().numpy()), axis=1) for row in rows])
    cv2.imwrite(str(path), picture[..., ::-1])
