"""A dataset's pictures as features and latents, its texts as tokens: computed once, in shards.

Nothing of it changes while the later stages train, so they read these shards and neither decode a
picture nor pass one through the visual tokenizer. A sample is a chunk: `<key>.json` with its texts
and their tokens, `<key>.features.npy` [n, tokens, width] and `<key>.latents.npy` [n, c, h, w],
both float16.
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

SHARD = 1000  # chunks


@dataclass
class Chunk:
    """Consecutive moments of a story."""

    key: str
    texts: list[str]
    ids: list[list[int]]  # the texts' tokens
    features: Tensor  # float32 [n, tokens, width]
    latents: Tensor  # float32 [n, c, h, w]


def read(raw: Mapping[str, bytes]) -> Chunk:
    """One sample of these shards."""
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
    """The paths of a split's shards, in order: of `features`, or of `predictions`."""
    return sorted(str(path) for path in (run.folder / source).glob(f"{split}-*.tar"))


@contextmanager
def writer(folder: Path, split: str) -> Iterator[Callable[[Chunk], None]]:
    """What writes chunks into a split's shards in the folder, as `read` reads them."""
    with webdataset.ShardWriter(f"{folder}/{split}-%05d.tar", maxcount=SHARD, verbose=0) as shard:
        yield lambda one: shard.write(
            {
                "__key__": one.key,
                "json": {"id": one.key, "texts": one.texts, "ids": one.ids},
                "features.npy": one.features.half().cpu().numpy(),
                "latents.npy": one.latents.half().cpu().numpy(),
            }
        )


def compute(run: Run, dataset: str, key: str, say: Callable[[str], None]) -> None:
    """Writes the shards of both splits, unless those of the same `key` are there.

    Chunks that are longer than the story model takes are left out, and counted. Raises
    data.DataError where that leaves none.
    """
    folder = run.folder / "features"
    if checkpoints.about(folder).get("key") == key:
        return
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tower, vae = runs.tower(run).to(device), runs.autoencoder(run).to(device)
    longest = run.preset.model.story.longest
    short = _short_enough(run)

    def write(fresh: Path) -> None:
        left_out = 0
        for split in ("train", "val"):
            kept = 0
            with writer(fresh, split) as put:
                for raw in data.once(data.shards(dataset, split), dict):
                    told = short(raw)
                    if told:
                        put(Chunk(raw["__key__"], *told, *_seen(run, raw, tower, vae)))
                        kept += 1
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

    checkpoints.save(folder, {}, {"key": key}, also=write)


def _short_enough(run: Run) -> Callable[[data.Raw], tuple[list[str], list[list[int]]] | None]:
    """What gives a chunk's texts and their tokens, or None where they are too many."""
    tokenizer, vocabulary = runs.tokenizer(run)
    longest = run.preset.model.story.longest

    def told(raw: data.Raw) -> tuple[list[str], list[list[int]]] | None:
        texts = data.texts(raw)
        ids = tokenizer(texts, add_special_tokens=False)["input_ids"]
        if len(sequence.lay_out(ids, vocabulary, range(1, len(ids)))) > longest:
            return None
        return texts, ids

    return told


@torch.no_grad()
def _seen(run: Run, raw: data.Raw, tower: nn.Module, vae: AutoencoderKL) -> tuple[Tensor, Tensor]:
    vision_config, painted = run.preset.model.vision, run.preset.model.detokenizer.image_size
    seen = data.pictures(raw, vision_config.image_size)
    drawn = seen if painted == vision_config.image_size else data.pictures(raw, painted)
    return (
        vision.features(tower, seen, vision_config.tokens),
        autoencoder.encode(vae, torch.from_numpy(drawn)),
    )
