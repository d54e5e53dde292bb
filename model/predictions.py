"""The features that the trained story model predicts for a dataset: computed once, in shards.

The story model is frozen in the adaptation, so what it predicts of a story so far stays the same.
The shards are those of `model.features` but for the features, and for the first moment of each
chunk, which no turn asks for.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch

from model import checkpoints, data, features, runs, stages
from model.runs import Run


@torch.no_grad()
def compute(run: Run, key: str) -> None:
    """Writes the shards of both splits, unless those of the same `key` are there."""
    folder = run.folder / "predictions"
    if checkpoints.about(folder).get("key") == key:
        return
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    teller = runs.story(run).to(device)
    _, vocabulary = runs.tokenizer(run)

    def write(fresh: Path) -> None:
        for split in ("train", "val"):
            with features.writer(fresh, split) as put:
                for one in data.once(features.shards(run, split), features.read):
                    out = teller(*stages.laid_out([one], vocabulary, "every", device))
                    put(
                        dataclasses.replace(
                            one,
                            texts=one.texts[1:],
                            ids=one.ids[1:],
                            features=out.features,
                            latents=one.latents[1:],
                        )
                    )

    checkpoints.save(folder, {}, {"key": key}, also=write)
