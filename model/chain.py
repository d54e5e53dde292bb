"""Trains all stages of a preset in order, and skips those that are up to date.

The result of a stage depends on the dataset, on the parts of the model that it uses, on its own
settings and on the stages whose results it needs; their digest is its key. A result with that key
is up to date.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from accelerate import PartialState

from model import (
    checkpoints,
    data,
    features,
    precision,
    predictions,
    ranks,
    remote,
    runs,
    stages,
)
from model.config import ConfigError, Preset
from model.runs import Run
from model.train import fit

# The settings of the model that the result of a kind of stage, of `features` and of `predictions`
# depends on
_TOKENS = {"model", "vocabulary", "image_tokens"}
_LATENTS = {"model", "vae", "image_size", "aspect"}
_PARTS: dict[str, Any] = {
    "towers": {"vision": True, "story": _TOKENS},
    "autoencoder": {"detokenizer": _LATENTS},
    "features": {"vision": True, "detokenizer": _LATENTS, "story": {*_TOKENS, "joined", "longest"}},
    "detokenizer": {"vision": True, "detokenizer": True},
    "story": {"vision": True, "story": True},
    "predictions": {"vision": True, "story": True},
    "adaptation": {"vision": True, "story": True, "detokenizer": True},
}
# No result depends on these: they are for generation alone, or for what is seen of training
_GENERATION = {"detokenizer": {"steps", "ancestral", "guidance", "guidance_rescale"}}
_OBSERVING = {"workers", "save_every", "check_every", "check_at_most"}  # of `train`
_COMPUTED = {"features", "predictions"}
_AFTER = {
    "towers": (),
    "autoencoder": (),
    "features": ("towers", "autoencoder"),
    "detokenizer": ("features",),
    "story": ("features",),
    "predictions": ("features", "story"),
    "adaptation": ("detokenizer", "predictions"),
}


def train(folder: Path, preset: Preset, dataset: str, only: str | None = None) -> None:
    """Trains the stages of the preset, or `only` that of this name, into the run's folder.

    A dataset in a bucket is copied into the run's folder first.

    Raises ConfigError, NotTrained, runs.Busy, data.DataError, TrainingStopped, Interrupted.
    """
    if only and only not in preset.stages:
        raise ConfigError(f"--stage {only}: this preset has {', '.join(preset.stages)}")
    if not remote.is_remote(dataset):
        data.shards(dataset, "train")  # is there anything to train on?
    for stage in preset.stages.values():
        precision.chosen(stage.train.precision, PartialState().device)  # before all else
    with ExitStack() as held:
        ranks.on_main(lambda: held.enter_context(runs.locked(folder)))
        here = ranks.on_main(lambda: remote.copied(dataset, folder / "dataset"))
        _train(Run(folder, preset), here, only)


def _train(run: Run, dataset: str, only: str | None) -> None:
    say = print if ranks.rank() == 0 else lambda text: None
    origin = runs.digest(dataset)
    ranks.on_main(lambda: _begin(run, dataset, origin))
    for name, stage in run.preset.stages.items():
        key = key_of(run, stage.stage, origin)
        if only not in (None, name):
            continue
        result = run.folder / name
        if ranks.on_main(partial(checkpoints.about, result)).get("key") == key:
            say(f"{name}: up to date")
            continue
        if stage.stage not in ("towers", "autoencoder"):
            features.compute(run, dataset, key_of(run, "features", origin), say)
            if stage.stage == "adaptation":
                predictions.compute(run, key_of(run, "predictions", origin))
        began = time.monotonic()
        fit(name, stages.build(run, name, dataset), stage.train, result, key, say)
        about = checkpoints.about(result)
        say(
            f"{name}: done in {time.monotonic() - began:.0f} s, "
            f"{about['waited_for_data']:.1%} of it waiting for data"
        )


def _begin(run: Run, dataset: str, origin: str) -> None:
    """Writes the preset into the run's folder, and its tokenizer unless it is up to date."""
    runs.write_preset(run)
    written = run.folder / "tokenizer" / "key"
    key = checkpoints.key(origin, run.preset.model.story.model_dump(mode="json", include=_TOKENS))
    if not written.exists() or written.read_text() != key:
        runs.make_tokenizer(
            run,
            (
                text
                for raw in data.once(data.shards(dataset, "train"), dict)
                for text in data.texts(raw)
            ),
        )
        written.write_text(key)


def key_of(run: Run, kind: str, origin: str) -> str:
    """Returns the key of a kind of stage: the digest of the dataset, of its settings, of parts of
    the model, of the stages before it and of the weights that it starts from. `features` and
    `predictions` are kinds without settings."""
    parts = run.preset.model.model_dump(mode="json", include=_PARTS[kind], exclude=_GENERATION)
    kinds = {stage.stage for stage in run.preset.stages.values()} | _COMPUTED
    before = [key_of(run, earlier, origin) for earlier in _AFTER[kind] if earlier in kinds]
    settings = (
        None
        if kind in _COMPUTED
        else run.stage(kind)[1].model_dump(mode="json", exclude={"train": _OBSERVING})
    )
    starts = [
        checkpoints.about(Path(run.located(part["start"]))).get("key")
        for part in parts.values()
        if part.get("start")
    ]
    return checkpoints.key(origin, parts, before, settings, *starts)
