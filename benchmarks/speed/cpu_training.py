"""Times a training step of each stage of `tiny`, for `benchmarks.speed.cpu`.

The pictures are noise and the texts random words: what a step costs depends on sizes alone.
"""

from __future__ import annotations

import dataclasses
import io
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import webdataset
from PIL import Image
from torch import Tensor, nn

from model import chain, config, stages, train
from model.runs import Run
from schemas.rows import CHUNK_LENGTH

_WORDS = 24  # of a text, about as many tokens
_WARM_UP, _STEPS = 2, 4  # the first steps choose kernels and allocate memory


def prepare(folder: Path, preset: str = "tiny", settings: Sequence[str] = ()) -> None:
    """Writes a dataset and a run of the preset in which each stage has trained for one step.

    `settings` as those of `config.read`.
    """
    _write_dataset(folder / "data")
    once = [f"{name}.train.steps=1" for name in config.read(preset).stages]
    chain.train(folder / "run", config.read(preset, [*settings, *once]), str(folder / "data"))


def measure(folder: Path) -> dict[str, list[float]]:
    """Returns the seconds of a few steps of each stage, as "train 2-story"."""
    run = Run(folder / "run", config.read(str(folder / "run" / "preset")))
    return {
        f"train {name}": _seconds(run, name, str(folder / "data")) for name in run.preset.stages
    }


def _seconds(run: Run, name: str, dataset: str) -> list[float]:
    """Trains a stage in its own loop: a step lasts from one call of its losses to the next."""
    stage = stages.build(run, name, dataset)
    began: list[float] = []

    def losses(model: nn.Module, batch: Any) -> dict[str, Tensor]:
        began.append(time.perf_counter())
        return stage.losses(model, batch)

    timed = dataclasses.replace(stage, losses=losses, check=lambda model: {}, show=None)
    settings = run.preset.stages[name].train.model_copy(
        update={"steps": _WARM_UP + _STEPS + 1, "accumulate": 1}
    )
    with tempfile.TemporaryDirectory() as place:
        train.fit(name, timed, settings, Path(place, name), "timed", print)
    return np.diff(began)[_WARM_UP:].tolist()


def _write_dataset(folder: Path, chunks: int = 40, size: int = 128) -> None:
    """Writes shards with `chunks` to train on and one that is held out."""
    dice = np.random.default_rng(0)
    words = ["".join(letters) for letters in dice.choice(list("abcdefghijklmnop"), (300, 5))]
    (folder / "shards").mkdir(parents=True)
    (folder / "dataset.json").write_text("{}")
    for split, count in (("train", chunks), ("val", 1)):
        path = folder / "shards" / f"{split}-00000-of-00001.tar"
        with webdataset.TarWriter(str(path)) as shard:
            for number in range(count):
                texts = [" ".join(dice.choice(words, _WORDS)) for _ in range(CHUNK_LENGTH)]
                names = [f"{at:02d}.jpg" for at in range(CHUNK_LENGTH)]
                shard.write(
                    {
                        "__key__": f"{split}{number}",
                        "json": {"captions": texts, "images": names},
                        **{
                            name: _jpeg(dice.integers(0, 256, (size, size, 3), np.uint8))
                            for name in names
                        },
                    }
                )


def _jpeg(picture: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG")
    return file.getvalue()
