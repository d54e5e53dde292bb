"""Computes a dataset's features, latents and tokens once, and reads and writes them as shards.

None of them changes while the later stages train, so these need neither decode a picture nor encode
it. A sample is a chunk: `<key>.json` with its texts and their tokens, `<key>.features.npy`
[n, tokens, width] and `<key>.latents.npy` [n, c, h, w], both float16.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import webdataset
from diffusers import AutoencoderKL
from torch import Tensor, nn

from model import autoencoder, checkpoints, data, runs, sequence, vision
from model.runs import Run
from model.terminal import telling

SHARD = 1000  # chunks


@dataclass
class Chunk:
    """Consecutive pictures of a story, with their texts."""

    key: str
    texts: list[str]
    ids: list[list[int]]  # the texts' tokens
    features: Tensor  # float32 [n, tokens, width]
    latents: Tensor  # float32 [n, c, h, w]


def read(raw: Mapping[str, bytes]) -> Chunk:
    """Reads a sample of these shards."""
    about = json.loads(raw["json"])
    return Chunk(
        about["id"],
        about["texts"],
        about["ids"],
        *(
            torch.from_numpy(np.load(io.BytesIO(raw[name]))).float()
            for name in ("features.npy", "latents.npy")
        ),
    )


def shards(run: Run, split: str, source: str = "features") -> list[str]:
    """Returns the paths of a split's shards, in order: of `features`, or of `predictions`."""
    return sorted(str(path) for path in (run.folder / source).glob(f"{split}-*.tar"))


@contextmanager
def writer(folder: Path, split: str) -> Iterator[Callable[[Chunk], None]]:
    """Yields a function that writes a chunk into a split's shards, as `read` reads it."""
    with webdataset.ShardWriter(f"{folder}/{split}-%05d.tar", maxcount=SHARD, verbose=0) as shard:
        yield lambda chunk: shard.write(
            {
                "__key__": chunk.key,
                "json": {"id": chunk.key, "texts": chunk.texts, "ids": chunk.ids},
                "features.npy": chunk.features.half().cpu().numpy(),
                "latents.npy": chunk.latents.half().cpu().numpy(),
            }
        )


def compute(run: Run, dataset: str, key: str, say: Callable[[str], None]) -> None:
    """Writes the shards of both splits, unless those of the same `key` are there.

    Chunks longer than `model.story.longest` are left out, and their number is said. Raises
    data.DataError where none is left.
    """
    folder = run.folder / "features"
    if checkpoints.about(folder).get("key") == key:
        return
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tower, vae = runs.tower(run).to(device), runs.autoencoder(run).to(device)
    longest = run.preset.model.story.longest
    tokenized = _tokenizer(run)

    encoded = 0

    def write(fresh: Path) -> None:
        nonlocal encoded
        left_out = 0
        for split in ("train", "val"):
            kept = 0
            with writer(fresh, split) as put:
                for raw in data.once(data.shards(dataset, split), dict):
                    texts = tokenized(raw)
                    if texts:
                        put(Chunk(raw["__key__"], *texts, *_encoded(run, raw, tower, vae)))
                        kept += 1
                        encoded += 1
                    else:
                        left_out += 1
            if not kept:
                raise data.DataError(
                    f"all chunks of {split} are longer than {longest} tokens: set "
                    "model.story.longest higher"
                )
        if left_out:
            say(
                f"features: {left_out} chunks are longer than {longest} tokens "
                "(model.story.longest) and are left out"
            )

    with telling(lambda: f"features: {encoded} chunks encoded"):
        checkpoints.save(folder, {}, {"key": key}, also=write)


def _tokenizer(run: Run) -> Callable[[data.Raw], tuple[list[str], list[list[int]]] | None]:
    """Returns what gives a chunk's texts and their tokens, or None where they are too many."""
    tokenizer, vocabulary = runs.tokenizer(run)
    longest = run.preset.model.story.longest

    def tokenized(raw: data.Raw) -> tuple[list[str], list[list[int]]] | None:
        texts = data.texts(raw)
        ids = tokenizer(texts, add_special_tokens=False)["input_ids"]
        if len(sequence.lay_out(ids, vocabulary, range(1, len(ids)))) > longest:
            return None
        return texts, ids

    return tokenized


@torch.no_grad()
def _encoded(
    run: Run, raw: data.Raw, tower: nn.Module, vae: AutoencoderKL
) -> tuple[Tensor, Tensor]:
    """Returns the features and the latents of a chunk's pictures."""
    settings, size = run.preset.model.vision, run.preset.model.detokenizer.image_size
    pictures = data.pictures(raw, settings.image_size)
    target = pictures if size == settings.image_size else data.pictures(raw, size)
    return (
        vision.features(tower, pictures, settings.tokens),
        autoencoder.encode(vae, torch.from_numpy(target)),
    )
