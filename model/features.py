"""Computes a dataset's features, latents and tokens once, and reads and writes them as shards.

None of them changes while the later stages train, so these need neither decode a picture nor encode
it. A sample is a chunk: `<key>.json` with its texts and their tokens, `<key>.features.npy`
[n, tokens, width], `<key>.latents.npy` [n, c, h, w] and `<key>.figures.npy` [n, h, w], all float16.
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import webdataset
from torch import Tensor, nn

from model import autoencoder, checkpoints, data, ranks, runs, sequence, tokens, vision
from model.runs import Run
from model.terminal import telling
from schemas.layout import SPLITS


@dataclass
class Chunk:
    """Consecutive pictures of a story, with their texts."""

    key: str
    texts: list[str]
    ids: list[list[int]]  # the texts' tokens
    features: Tensor  # float32 [n, tokens, width]
    latents: Tensor  # float32 [n, c, h, w]
    figures: Tensor  # float32 [n, h, w]: the share of each latent that shows a character, 0..1


def read(raw: Mapping[str, bytes]) -> Chunk:
    """Reads a sample of these shards."""
    about = json.loads(raw["json"])
    return Chunk(
        about["id"],
        about["texts"],
        about["ids"],
        *(
            torch.from_numpy(np.load(io.BytesIO(raw[name]))).float()
            for name in ("features.npy", "latents.npy", "figures.npy")
        ),
    )


def shards(run: Run, split: str, source: str = "features") -> list[str]:
    """Returns the paths of a split's shards, in order: of `features`, or of `predictions`."""
    return sorted(str(path) for path in (run.folder / source).glob(f"{split}-*.tar"))


def compute_shards(
    folder: Path, key: str, sources: Mapping[str, str], made: Callable[[str], Iterable[Chunk]]
) -> None:
    """Writes a folder with a shard for each of the sources, by name, of the chunks that are `made`
    of it, for `read`; none for a source without chunks.

    The processes that train together share the sources. Shards that a stopped run has written for
    the same `key` are not made again.
    """
    partial = folder.with_name(f"{folder.name}.partial")
    ranks.on_main(lambda: _begin(partial, key))
    for name, source in ranks.share(sorted(sources.items())):
        if not (partial / name).exists():
            _write(partial / name, made(source))
    ranks.wait()
    ranks.on_main(lambda: checkpoints.replace(folder, partial))


def _begin(partial: Path, key: str) -> None:
    """Makes the folder, empty unless it was begun with the same key."""
    if checkpoints.about(partial).get("key") != key:
        checkpoints.save(partial, {}, {"key": key})
    for left_over in partial.glob(".*"):  # by a process that was killed while it wrote them
        left_over.unlink()


def _write(path: Path, chunks: Iterable[Chunk]) -> None:
    """Writes a shard, whole or not at all. The same chunks give the same bytes."""
    written, fresh = 0, path.with_name(f".{path.name}")
    with webdataset.TarWriter(str(fresh), mtime=0) as tar:
        for chunk in chunks:
            tar.write(
                {
                    "__key__": chunk.key,
                    "json": {"id": chunk.key, "texts": chunk.texts, "ids": chunk.ids},
                    "features.npy": chunk.features.half().cpu().numpy(),
                    "latents.npy": chunk.latents.half().cpu().numpy(),
                    "figures.npy": chunk.figures.half().cpu().numpy(),
                }
            )
            written += 1
    if written:
        fresh.rename(path)
    else:
        fresh.unlink()


def compute(run: Run, dataset: str, key: str, say: Callable[[str], None]) -> None:
    """Writes the shards of both splits, one per shard of the dataset, unless those of the same
    `key` are there.

    Chunks longer than `model.story.longest` are left out, and their number is said. Raises
    data.DataError where none is left.
    """
    folder = run.folder / "features"
    if ranks.on_main(lambda: checkpoints.about(folder)).get("key") == key:
        return
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tower, vae = runs.tower(run).to(device), runs.autoencoder(run).to(device)
    tokenized = _tokenizer(run)
    given = {split: data.shards(dataset, split) for split in SPLITS}
    encoded = 0

    def made(shard: str) -> Iterator[Chunk]:
        nonlocal encoded
        for raw in data.once([shard], dict):
            texts = tokenized(raw)
            if texts:
                yield Chunk(raw["__key__"], *texts, *_encoded(run, raw, tower, vae))
                encoded += 1

    with (
        telling(lambda: f"features: {encoded} chunks encoded")
        if ranks.rank() == 0
        else nullcontext()
    ):
        compute_shards(
            folder,
            key,
            {
                f"{split}-{number:05d}.tar": shard
                for split, paths in given.items()
                for number, shard in enumerate(paths)
            },
            made,
        )
    ranks.on_main(lambda: _say_what_is_left_out(run, given, say))


def _say_what_is_left_out(
    run: Run, given: Mapping[str, Sequence[str]], say: Callable[[str], None]
) -> None:
    """Says how many chunks are too long. Raises data.DataError where none of a split is left."""
    longest, left_out = run.preset.model.story.longest, 0
    for split, paths in given.items():
        kept = len(data.places(shards(run, split)))
        if not kept:
            shutil.rmtree(run.folder / "features")
            raise data.DataError(
                f"all chunks of {split} are longer than {longest} tokens: set "
                "model.story.longest higher"
            )
        left_out += len(data.places(paths)) - kept
    if left_out:
        say(
            f"features: {left_out} chunks are longer than {longest} tokens "
            "(model.story.longest) and are left out"
        )


def _tokenizer(run: Run) -> Callable[[data.Raw], tuple[list[str], list[list[int]]] | None]:
    """Returns what gives a chunk's texts and their tokens, or None where they are too many."""
    tokenizer, vocabulary = runs.tokenizer(run)
    longest = run.preset.model.story.longest

    def tokenized(raw: data.Raw) -> tuple[list[str], list[list[int]]] | None:
        texts = data.texts(raw)
        ids = tokens.encoded(tokenizer, vocabulary, texts)
        if len(sequence.lay_out(ids, vocabulary, range(1, len(ids)))) > longest:
            return None
        return texts, ids

    return tokenized


@torch.no_grad()
def _encoded(
    run: Run, raw: data.Raw, tower: nn.Module, vae: autoencoder.Autoencoder
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the features and the latents of a chunk's pictures, and where its characters are."""
    settings, painted = run.preset.model.vision, run.preset.model.detokenizer
    pictures = data.pictures(raw, settings.image_size)
    target = (
        pictures
        if (painted.image_size, painted.aspect) == (settings.image_size, "squashed")
        else data.pictures(raw, painted.image_size, aspect=painted.aspect)
    )
    latents = autoencoder.encode(vae, torch.from_numpy(target))
    figures = data.figures(raw, latents.shape[-1], painted.aspect)
    return vision.features(tower, pictures, settings.tokens), latents, torch.from_numpy(figures)
