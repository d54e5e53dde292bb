"""A dataset's pictures as features and latents, its texts as tokens: computed once, in shards.

Nothing of it changes while the later stages train, so they read these shards and neither decode a
picture nor pass one through the visual tokenizer. A sample is a chunk: `<key>.json` with its texts
and their tokens, `<key>.features.npy` [n, tokens, width] and `<key>.latents.npy` [n, c, h, w],
both float16.
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

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
    return Chunk(about["id"], about["texts"], about["ids"],
                 *(torch.from_numpy(np.load(io.BytesIO(raw[name]))).float()
                   for name in ("features.npy", "latents.npy")))


def shards(run: Run, split: str) -> list[str]:
    """The paths of a split's shards, in order."""
    return sorted(str(path) for path in (run.folder / "features").glob(f"{split}-*.tar"))


def compute(run: Run, dataset: str, key: str, say: Callable[[str], None]) -> None:
    """Writes the shards of both splits, unless those of the same `key` are there.

    Chunks that are longer than the story model takes are left out, and counted. Raises
    data.DataError where that leaves none.
    """
    folder = run.folder / "features"
    if checkpoints.about(folder).get("key") == key:
        return
    fresh = folder.with_name(".features.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tower, vae = runs.tower(run).to(device), runs.autoencoder(run).to(device)
    longest, left_out = run.preset.model.story.longest, 0
    short = _short_enough(run)
    for split in ("train", "val"):
        kept = 0
        with webdataset.ShardWriter(f"{fresh}/{split}-%05d.tar", maxcount=SHARD,
                                    verbose=0) as writer:
            for raw in data.once(data.shards(dataset, split), dict):
                about = short(raw)
                if about:
                    writer.write({"__key__": raw["__key__"], "json": about,
                                  **_arrays(run, raw, tower, vae)})
                    kept += 1
                else:
                    left_out += 1
        if not kept:
            raise data.DataError(f"all chunks of {split} are longer than {longest} tokens: set "
                                 "model.story.longest higher")
    if left_out:
        say(f"features: {left_out} chunks are longer than {longest} tokens "
            "(model.story.longest) and are left out")
    (fresh / "about.json").write_text(json.dumps({"key": key, "left_out": left_out}))
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def _short_enough(run: Run) -> Callable[[data.Raw], dict[str, Any] | None]:
    """What gives a chunk's texts and their tokens, or None where they are too many."""
    tokenizer, vocabulary = runs.tokenizer(run)
    longest = run.preset.model.story.longest

    def about(raw: data.Raw) -> dict[str, Any] | None:
        texts = data.texts(raw)
        ids = tokenizer(texts, add_special_tokens=False)["input_ids"]
        if len(sequence.lay_out(ids, vocabulary, range(1, len(ids)))) > longest:
            return None
        return {"id": raw["__key__"], "texts": texts, "ids": ids}

    return about


@torch.no_grad()
def _arrays(run: Run, raw: data.Raw, tower: nn.Module, vae: AutoencoderKL
            ) -> dict[str, np.ndarray]:
    vision_config, painted = run.preset.model.vision, run.preset.model.detokenizer.image_size
    seen = data.pictures(raw, vision_config.image_size)
    drawn = seen if painted == vision_config.image_size else data.pictures(raw, painted)
    return {name: values.half().cpu().numpy() for name, values in (
        ("features.npy", vision.features(tower, seen, vision_config.tokens)),
        ("latents.npy", autoencoder.encode(vae, torch.from_numpy(drawn))))}
