"""Trains, resumes and generates with saved weights, as a user would.

The stages are those of the preset `small`, with as few steps as show a fault: its accumulation,
gradient checkpointing, moving averages and adapters are in it.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import webdataset
from PIL import Image

from benchmarks.architectures.saved_weights import IMAGE_SIZE
from model import __main__ as command
from model import chain, checkpoints, config, runs, stages, train
from model.config import Preset
from model.runs import Run
from schemas import layout

STEPS, STOPPED_AFTER = 4, 2
PICTURES = 3  # of a chunk
POLICIES = ("window", "sink", "multimodal", "recompute")
_FEWER = {
    "steps": STEPS,
    "batch": 1,
    "accumulate": 2,
    "warmup": 1,
    "learning_rate": 1e-3,
    "workers": 0,
    "check_every": STEPS,
}


class Fault(RuntimeError):
    """A command that failed; the message is what it printed."""


def write_dataset(folder: Path) -> str:
    """Writes shards of noise, in the layout of `make dataset`: four chunks, one of them held out;
    returns the folder."""
    (folder / layout.SHARDS).mkdir(parents=True)
    (folder / layout.MANIFEST).write_text("{}")
    rng = np.random.default_rng(0)
    for split, count in ((layout.TRAIN, 3), (layout.VAL, 1)):
        with webdataset.TarWriter(str(folder / layout.shard_path(split, 0, 1))) as tar:
            for number in range(count):
                captions = [f"{split} {number}, picture {at}." for at in range(PICTURES)]
                sample: dict[str, Any] = {
                    "__key__": f"{split}{number}",
                    "json": {"captions": captions},
                }
                for at in range(PICTURES):
                    file = io.BytesIO()
                    noise = rng.integers(0, 256, (IMAGE_SIZE, IMAGE_SIZE + 8, 3), np.uint8)
                    Image.fromarray(noise).save(file, "JPEG")
                    sample[f"{at:02d}.jpg"] = file.getvalue()
                tar.write(sample)
    return str(folder)


def write_preset(
    folder: Path, vision: Mapping[str, Any], language_model: str, diffusion_model: str
) -> str:
    """Writes a preset with the stages of `small` and with these parts; returns its folder."""
    small = config.read("small")
    model = {
        "vision": vision,
        "story": {
            "model": language_model,
            "lora": {"rank": 2, "alpha": 4},
            "image_tokens": 4,
            "input_tokens": 4,
            "resampler_heads": 2,
            "longest": 400,
        },
        "detokenizer": {
            "model": diffusion_model,
            "image_size": IMAGE_SIZE,
            "width": 16,
            "depth": 1,
            "heads": 2,
            "queries": 4,
            "streams": [8, 8],
            "steps": 2,
        },
        "attention": {"window": 2, "boi": [2, 2], "eoi": [2, 2], "budget": 16},
    }
    changed = {
        name: stage.model_copy(update={"train": stage.train.model_copy(update=_FEWER)})
        for name, stage in small.stages.items()
    }
    preset = Preset(model=config.ModelConfig.model_validate(model), stages=changed)
    runs.write_preset(Run(folder, preset))
    return str(folder / "preset")


def train_and_resume(preset: str, dataset: str, folder: Path, name: str) -> None:
    """Trains a stage of a run, after those before it, and once more with a stop in between.

    Raises Fault where a command fails, or where the weights of the two differ in a byte.
    """
    call("train", preset, "--data", dataset, "--run", str(folder), "--stage", name)
    again = Run(folder.with_name(f"{folder.name}-{name}"), config.read(preset))
    shutil.copytree(folder, again.folder)
    shutil.rmtree(again.folder / name)
    origin = runs.digest(dataset)
    key = chain.key_of(again, again.preset.stages[name].stage, origin)
    stage, settings = stages.build(again, name, dataset), again.preset.stages[name].train
    losses, passes = stage.losses, 0

    def stopping(model: torch.nn.Module, batch: Any) -> dict[str, torch.Tensor]:
        nonlocal passes
        passes += 1
        if passes == STOPPED_AFTER * settings.accumulate:
            os.kill(os.getpid(), signal.SIGTERM)
        return losses(model, batch)

    stage.losses = stopping
    with contextlib.suppress(train.Interrupted):
        train.fit(name, stage, settings, again.folder / name, key, lambda text: None)
    said = call("train", preset, "--data", dataset, "--run", str(again.folder), "--stage", name)
    if f"{name}: resumes from step {STOPPED_AFTER}" not in said:
        raise Fault(f"did not resume: {said}")
    whole, resumed = (
        (run / name / checkpoints.WEIGHTS).read_bytes() for run in (folder, again.folder)
    )
    shutil.rmtree(again.folder)
    if whole != resumed:
        raise Fault("a run that was stopped ends with other weights than one that was not")


def generate(dataset: str, folder: Path, policy: str, pictures: int) -> None:
    """Generates a story with a trained run. Raises Fault."""
    book = folder.with_name(f"{folder.name}-{policy}-{pictures}")
    call(
        *("generate", "--run", str(folder), "--data", dataset, "--out", str(book)),
        *("--images", str(pictures), "--attention", policy),
    )
    told = json.loads((book / "story.json").read_text())
    if len(told["texts"]) != 1 + pictures:
        raise Fault(f"{len(told['texts'])} texts for {pictures} pictures and the first one")


def call(*arguments: str) -> str:
    """Runs a command of `python -m model`; returns what it printed. Raises Fault."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = command.main(list(arguments))
    if code:
        raise Fault(err.getvalue().strip())
    return out.getvalue()
