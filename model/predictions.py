"""Computes the features that the trained story model predicts for a dataset, once, as shards.

The story model is frozen in the adaptation, so its predictions do not change. The shards are those
of `model.features`, with predicted features, and without the first picture of each chunk, which is
never predicted.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch

from model import checkpoints, data, features, runs, stages
from model.runs import Run
from model.terminal import telling


@torch.no_grad()
def compute(run: Run, key: str) -> None:
    """Writes the shards of both splits, unless those of the same `key` are there."""
    folder = run.folder / "predictions"
    if checkpoints.about(folder).get("key") == key:
        return
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = runs.story(run).to(device)
    _, vocabulary = runs.tokenizer(run)

    done = 0

    def write(fresh: Path) -> None:
        nonlocal done
        for split in ("train", "val"):
            with features.writer(fresh, split) as put:
                for chunk in data.once(features.shards(run, split), features.read):
                    out = model(*stages.laid_out([chunk], vocabulary, "every", device))
                    put(
                        dataclasses.replace(
                            chunk,
                            texts=chunk.texts[1:],
                            ids=chunk.ids[1:],
                            features=out.features,
                            latents=chunk.latents[1:],
                        )
                    )
                    done += 1

    with telling(lambda: f"predictions: {done} chunks"):
        checkpoints.save(folder, {}, {"key": key}, also=write)
