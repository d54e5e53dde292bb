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

import numpy as np
import torch
import webdataset
from torch import Tensor

from model import checkpoints, data, runs, sequence, vision
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
    tower, detokenizer = runs.tower(run).to(device), runs.detokenizer(run).to(device)
    tokenizer, vocabulary = runs.tokenizer(run)
    config, long = run.preset.model, 0
    for split in ("train", "val"):
        before = long
        with webdataset.ShardWriter(f"{fresh}/{split}-%05d.tar", maxcount=SHARD,
                                    verbose=0) as writer, torch.no_grad():
            for number, raw in enumerate(data.once(data.shards(dataset, split), dict), 1):
                texts = data.texts(raw)
                ids = tokenizer(texts, add_special_tokens=False)["input_ids"]
                turns = range(1, len(ids))
                if len(sequence.lay_out(ids, vocabulary, turns)) > config.story.longest:
                    long += 1
                    continue
                seen = data.pictures(raw, config.vision.image_size)
                drawn = (seen if config.detokenizer.image_size == config.vision.image_size
                         else data.pictures(raw, config.detokenizer.image_size))
                key_ = raw["__key__"]
                writer.write({
                    "__key__": key_, "json": {"id": key_, "texts": texts, "ids": ids},
                    "features.npy": _half(vision.features(tower, seen, config.vision.tokens)),
                    "latents.npy": _half(detokenizer.encode(torch.from_numpy(drawn).to(device)))})
        if long - before == number:
            raise data.DataError(f"all chunks of {split} are longer than {config.story.longest} "
                                 "tokens: set model.story.longest higher")
    if long:
        say(f"features: {long} chunks are longer than {config.story.longest} tokens "
            "(story.longest) and are left out")
    (fresh / "about.json").write_text(json.dumps({"key": key, "left_out": long}))
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def _half(values: Tensor) -> np.ndarray:
    return values.half().cpu().numpy()
