"""All stages of a preset, one after the other: what is done stays, what changed is done again.

The result of a stage depends on the dataset, on the parts that it trains on, and on its own
settings; that is its key. A result with that key is left as it is.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from accelerate import PartialState

from model import checkpoints, data, features, runs, stages
from model.config import ConfigError, Preset
from model.runs import Run
from model.train import fit


def train(folder: Path, preset: Preset, dataset: str, only: str | None = None) -> None:
    """Trains the stages of the preset into the folder, or `only` the one of that name.

    Raises ConfigError, NotTrained, data.DataError, TrainingStopped, Interrupted.
    """
    if only and only not in preset.stages:
        raise ConfigError(f"--stage {only}: this preset has {', '.join(preset.stages)}")
    data.shards(dataset, "train")  # is there anything to train on?
    run, process = Run(folder, preset), PartialState()
    say = print if process.is_main_process else lambda text: None
    origin = runs.digest(dataset)
    with process.main_process_first():
        if process.is_main_process:
            _begin(run, dataset, origin)
    for name, stage in preset.stages.items():
        key = key_of(run, name, origin)
        if only not in (None, name):
            continue
        if checkpoints.about(folder / name).get("key") == key:
            say(f"{name}: is there")
            continue
        if stage.stage not in ("towers", "autoencoder"):
            with process.main_process_first():
                if process.is_main_process:
                    features.compute(run, dataset, _features_key(run, origin), say)
        began = time.monotonic()
        fit(name, stages.build(run, name, dataset, process.process_index, process.num_processes),
            stage.train, folder / name, key, say)
        about = checkpoints.about(folder / name)
        say(f"{name}: done in {time.monotonic() - began:.0f} s, "
            f"{about['waited_for_data']:.1%} of it waiting for data")


def _begin(run: Run, dataset: str, origin: str) -> None:
    runs.write_preset(run)
    made = run.folder / "tokenizer" / "key"
    key = checkpoints.key(origin, run.preset.model.story.model_dump(mode="json"))
    if not made.exists() or made.read_text() != key:
        runs.make_tokenizer(run, (text for raw in data.once(data.shards(dataset, "train"), dict)
                                  for text in data.texts(raw)))
        made.write_text(key)


def _features_key(run: Run, origin: str) -> str:
    """What the features and latents of a dataset depend on."""
    towers = [key_of(run, name, origin) for name, stage in run.preset.stages.items()
              if stage.stage in ("towers", "autoencoder")]
    return checkpoints.key(origin, _trained(run), towers)


def key_of(run: Run, name: str, origin: str) -> str:
    """What the result of a stage depends on: the dataset, the model, and the stages so far."""
    names = list(run.preset.stages)
    settings = [run.preset.stages[one].model_dump(mode="json")
                for one in names[:names.index(name) + 1]]
    return checkpoints.key(origin, _trained(run), settings)


def _trained(run: Run) -> dict[str, Any]:
    """The settings of the model that decide what is trained; others only how stories are told."""
    return run.preset.model.model_dump(mode="json", exclude={
        "attention": True, "detokenizer": {"steps", "guidance"}})
