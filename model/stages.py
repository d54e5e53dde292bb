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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import torch
from open_clip.model import CLIP
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from model import autoencoder, data, features, runs, sequence, vision
from model.config import StageConfig
from model.features import Chunk
from model.runs import Run
from model.story_lm import StoryLM, distance
from model.tokens import Vocabulary
from model.train import Stage

Read = Callable[[data.Raw], Any]  # decodes a raw sample to an item
Collate = Callable[[list[Any]], Any]  # items to a batch
Batches = Callable[[int], Iterator[Any]]  # endless, from the batch of that number on

SHOWN = 8  # pictures in a row of the samples of a validation


def build(run: Run, name: str, dataset: str, rank: int = 0, world: int = 1) -> Stage:
    """Builds the stage of that name, to be trained by process `rank` of `world`.

    New weights depend on `train.seed` alone, so they are the same in every process.
    """
    config = run.preset.stages[name]
    torch.manual_seed(config.train.seed)
    return {
        "towers": _towers,
        "autoencoder": _autoencoder,
        "detokenizer": _detokenizer,
        "story": _story,
        "adaptation": _detokenizer,
    }[config.stage](run, config, dataset, rank, world)


# Stages that replace downloaded weights ----------------------------------------------------------


def _towers(run: Run, config: StageConfig, dataset: str, rank: int, world: int) -> Stage:
    """Trains an image and a text encoder, for their features to agree on what belongs together."""
    settings = run.preset.model.vision
    tokenizer, vocabulary = runs.tokenizer(run)
    assert settings.towers is not None  # the preset has this stage
    towers = vision.make(settings.towers)
    size, context = settings.image_size, settings.towers["text_cfg"]["context_length"]

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
        pair = cast(CLIP, model)
        pictures, ids = collate(list(data.once(data.shards(dataset, "val"), read)))
        device = towers.logit_scale.device
        images = torch.cat(
            [
                pair.encode_image(vision.normalised(part, towers.visual), normalize=True)
                for part in pictures.split(64)
            ]
        )
        texts = torch.cat(
            [pair.encode_text(part.to(device), normalize=True) for part in ids.split(64)]
        )
        return {"recall@1": _recall(texts @ images.T), "among": float(len(images))}

    def save(folder: Path) -> None:
        (folder / "open_clip_config.json").write_text(
            json.dumps({"model_cfg": settings.towers, "preprocess_cfg": {}}, indent=1)
        )
        save_file(
            {name: value.contiguous().cpu() for name, value in towers.state_dict().items()},
            folder / "open_clip_model.safetensors",
        )

    return Stage(
        towers, _from(dataset, config, read, collate, rank, world), losses, check, save=save
    )


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


def _autoencoder(run: Run, config: StageConfig, dataset: str, rank: int, world: int) -> Stage:
    """Trains an image autoencoder, on pictures drawn from each chunk."""
    settings = run.preset.model.detokenizer
    assert settings.vae is not None  # the preset has this stage
    vae = autoencoder.make(settings.vae)
    size = settings.image_size

    def read(raw: data.Raw) -> np.ndarray:
        return data.pictures(raw, size, _drawn(raw, len(data.texts(raw)), config.pictures))

    def collate(items: list[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.concatenate(items))

    def held_out() -> Tensor:
        return collate(
            list(data.once(data.shards(dataset, "val"), lambda raw: data.pictures(raw, size)))
        )

    def check(model: nn.Module) -> dict[str, float]:
        return {
            "PSNR": psnr(
                *(
                    torch.cat(parts)
                    for parts in zip(
                        *(
                            (part, autoencoder.rebuilt(vae, part).cpu())
                            for part in held_out().split(32)
                        ),
                        strict=True,
                    )
                )
            )
        }

    def show(model: nn.Module, path: Path) -> None:
        some = _spread(held_out())
        write_grid(path, [some, autoencoder.rebuilt(vae, some)])

    def save(folder: Path) -> None:
        autoencoder.scale(vae, held_out())
        vae.save_pretrained(folder)

    return Stage(
        vae,
        _from(dataset, config, read, collate, rank, world),
        lambda model, batch: autoencoder.losses(model, batch),
        check,
        show,
        save,
    )


# The story model's own stages --------------------------------------------------------------------


def _detokenizer(run: Run, config: StageConfig, dataset: str, rank: int, world: int) -> Stage:
    """Trains the de-tokenizer on true features; the adaptation, further on predicted ones."""
    adapting = config.stage == "adaptation"
    source = "predictions" if adapting else "features"
    painter = runs.detokenizer(run, "detokenizer" if adapting else "").trainable(config.everything)
    if config.train.checkpointing:
        painter.unet.enable_gradient_checkpointing()
    blank = runs.blank(run, runs.tower(run))

    def read(raw: data.Raw) -> tuple[Tensor, Tensor]:
        chunk = features.read(raw)
        some = _drawn(raw, len(chunk.texts), config.pictures)
        return chunk.features[some], chunk.latents[some]

    def collate(items: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        given, latents = zip(*items, strict=True)
        return torch.cat(given), torch.cat(latents)

    def losses(model: nn.Module, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        given, latents = (part.to(painter.device) for part in batch)
        return {"loss": model(latents, given, blank.to(painter.device))}

    def held_out() -> Iterator[tuple[Tensor, Tensor]]:
        return ((chunk.features, chunk.latents) for chunk in _held_out(run, source))

    def check(model: nn.Module) -> dict[str, float]:
        generator = torch.Generator(painter.device).manual_seed(0)
        parts = [
            painter.loss(
                latents.to(painter.device),
                given.to(painter.device),
                blank.to(painter.device),
                generator,
            )
            for given, latents in held_out()
        ]
        return {"loss": float(torch.stack(parts).mean())}

    def show(model: nn.Module, path: Path) -> None:
        given, latents = (_spread(part) for part in collate(list(held_out())))
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
        _from_features(run, config, collate, rank, world, read, source),
        losses,
        check,
        show,
    )


def _story(run: Run, config: StageConfig, dataset: str, rank: int, world: int) -> Stage:
    """Trains the story model."""
    story_model = runs.story(run, trained=False)
    if config.train.checkpointing:
        story_model.llm.gradient_checkpointing_enable()
    _, vocabulary = runs.tokenizer(run)

    def losses(model: nn.Module, batch: list[Chunk]) -> dict[str, Tensor]:
        device = next(story_model.parameters()).device
        out = model(*laid_out(batch, vocabulary, config.turns, device))
        return {"loss": out.loss, "text": out.text, "image": out.image}

    def check(model: nn.Module) -> dict[str, float]:
        return evaluate(story_model, _held_out(run), vocabulary)

    return Stage(story_model, _from_features(run, config, list, rank, world), losses, check)


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


def evaluate(model: StoryLM, chunks: Iterator[Chunk], vocabulary: Vocabulary) -> dict[str, float]:
    """Evaluates the story model on chunks: text, in nats per token; the cosine of predicted and
    true features, beside that of the previous picture's; how often the true picture is the most
    similar one of its chunk."""
    device, sums, count = next(model.parameters()).device, torch.zeros(4), 0
    for chunk in chunks:
        layout, true = laid_out([chunk], vocabulary, "every", device)
        out = model(layout, true)
        similarity = torch.stack(
            [1 - distance(out.features, picture[None]).mean(1) for picture in true[1:]]
        )  # [true, predicted]
        previous = 1 - distance(true[:-1], true[1:]).mean()
        sums += (
            torch.stack(
                [
                    out.text,
                    similarity.diagonal().mean(),
                    previous,
                    torch.tensor(_recall(similarity.T)),
                ]
            )
            .float()
            .cpu()
        )
        count += 1
    return dict(
        zip(
            ("text", "cosine", "cosine of previous", "recall@1 in chunk"),
            (sums / count).tolist(),
            strict=True,
        )
    )


# Batches and samples -----------------------------------------------------------------------------


def _from(
    dataset: str, config: StageConfig, read: Read, collate: Collate, rank: int, world: int
) -> Batches:
    """Returns the batches of a dataset's pictures and texts."""
    return lambda start: iter(
        data.loader(
            data.shards(dataset, "train"),
            read,
            collate,
            batch=config.train.batch,
            seed=config.train.seed,
            workers=config.train.workers,
            rank=rank,
            world=world,
            start=start,
        )
    )


def _from_features(
    run: Run,
    config: StageConfig,
    collate: Collate,
    rank: int,
    world: int,
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
            rank=rank,
            world=world,
            start=start,
        )
    )


def _drawn(raw: data.Raw, count: int, wanted: int) -> list[int]:
    """Draws `wanted` of a chunk's pictures, others in another epoch."""
    rng = np.random.default_rng(raw["__number__"])
    return sorted(rng.choice(count, min(wanted, count), replace=False).tolist())


def _held_out(run: Run, source: str = "features") -> Iterator[Chunk]:
    return data.once(features.shards(run, "val", source), features.read)


def _spread(values: Tensor) -> Tensor:
    """Returns a few of the first axis, at equal distances."""
    return values[torch.linspace(0, len(values) - 1, min(SHOWN, len(values))).long()]


def psnr(pictures: Tensor, others: Tensor) -> float:
    """Computes the peak signal-to-noise ratio of uint8 pictures, dB."""
    error = (pictures.float() - others.float()).square().mean()
    return float(10 * torch.log10(255**2 / error))


def write_grid(path: Path, rows: Sequence[Tensor]) -> None:
    """Writes a PNG of rows of uint8 RGB pictures [n, H, W, 3]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.concatenate([np.concatenate(list(row.cpu().numpy()), axis=1) for row in rows])
    cv2.imwrite(str(path), picture[..., ::-1])
