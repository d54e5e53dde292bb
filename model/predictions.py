"""Computes the features that the trained story model predicts for a dataset, once, as shards.

The story model is frozen in the adaptation, so its predictions do not change. The shards are those
of `model.features`, with predicted features, and without the first picture of each chunk, which is
never predicted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import torch

from model import checkpoints, data, features, ranks, runs, stages
from model.features import Chunk
from model.runs import Run
from model.terminal import telling
from schemas.layout import SPLITS


def compute(run: Run, key: str) -> None:
    """Writes the shards of both splits, one per shard of features, unless those of the same `key`
    are there."""
    folder = run.folder / "predictions"
    if ranks.on_main(lambda: checkpoints.about(folder)).get("key") == key:
        return
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = runs.story(run).to(device)
    _, vocabulary = runs.tokenizer(run)
    done = 0

    def made(shard: str) -> Iterator[Chunk]:
        nonlocal done
        for chunk in data.once([shard], features.read):
            with torch.no_grad():
                out = model(*stages.laid_out([chunk], vocabulary, "every", device))
            yield dataclasses.replace(
                chunk,
                texts=chunk.texts[1:],
                ids=chunk.ids[1:],
                features=out.features,
                latents=chunk.latents[1:],
                figures=chunk.figures[1:],
            )
            done += 1

    sources = [shard for split in SPLITS for shard in features.shards(run, split)]
    with telling(lambda: f"predictions: {done} chunks") if ranks.rank() == 0 else nullcontext():
        features.compute_shards(
            folder, key, {Path(source).name: source for source in sources}, made
        )
