"""The folder of a run, in which a preset is trained, and loading the parts of a model from it.

RUN/
  preset/      the preset's files, so that nothing outside of the folder is needed
  dataset/     a copy of the shards, where the dataset is in a bucket
  tokenizer/
  features/    the dataset's features, latents and tokens, as shards
  predictions/ the same with the features that the story model predicts
  imported/    weights of another project that the stages start from
  0a-towers/ ... 3-adaptation/   the result of each stage
  logs/        TensorBoard
  samples/     pictures that were generated at each validation
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import filelock
import torch
import yaml
from diffusers import AutoencoderKL
from torch import Tensor, nn
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from model import checkpoints, precision, smollm, story_lm, tokens, vision
from model.autoencoder import Autoencoder, PatchAutoencoder, saved
from model.config import Preset, StageConfig, VisionConfig, naming
from model.detokenizer import Detokenizer
from model.qwen_vl import PREFIX as QWEN
from model.story_lm import StoryLM
from model.tokens import Vocabulary
from schemas.layout import MANIFEST


class NotTrained(ValueError):
    """A run in which the part that is asked for has not been trained."""


class Busy(OSError):
    """A run's folder that cannot be locked; the message says who holds it, or why."""


@dataclass(frozen=True)
class Run:
    """A folder and the preset that is trained in it."""

    folder: Path
    preset: Preset

    def stage(self, kind: str) -> tuple[str, StageConfig]:
        """Returns the name and the settings of the stage of that kind. Raises NotTrained."""
        for name, stage in self.preset.stages.items():
            if stage.stage == kind:
                return name, stage
        raise NotTrained(f"the preset of {self.folder} has no stage that makes a {kind}")

    def located(self, name: str) -> str:
        """Returns the path of a folder that is named within this run's, any other name as it is."""
        return str(self.folder / name) if name and (self.folder / name).is_dir() else name

    def has(self, kind: str) -> bool:
        """Returns whether there is a result of the stage of that kind."""
        names = [name for name, stage in self.preset.stages.items() if stage.stage == kind]
        return any((self.folder / name).is_dir() for name in names)

    def result(self, kind: str) -> Path:
        """Returns the folder with the result of the stage of that kind. Raises NotTrained."""
        name, _ = self.stage(kind)
        if not (self.folder / name).is_dir():
            raise NotTrained(f"{self.folder} has no {name} yet; `python -m model train` makes it")
        return self.folder / name


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Locks a run's folder during the block, so that only one training at a time writes to it.

    The system releases the lock when the process ends, even if it is killed. Raises Busy.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ".lock"
    # Where a file system has no locks, filelock would leave a file that outlives a killed process
    lock = filelock.FileLock(path, blocking=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise Busy(
            f"another training ({path.read_text() or 'it has just begun'}) writes to {folder}: "
            "wait until it ends, stop it, or give another folder with --run"
        ) from None
    except OSError as error:
        raise Busy(
            f"{folder} cannot be locked ({error.strerror}): give a folder that can be written, on "
            "a file system with locks, with --run"
        ) from error
    try:
        since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
        path.write_text(f"process {os.getpid()} on {socket.gethostname()}, since {since}")
        yield
    finally:
        path.write_text("")
        lock.release()


def write_preset(run: Run) -> None:
    """Writes the preset into the run's folder, with the changes of `--set`."""
    folder = run.folder / "preset"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, part in {"model": run.preset.model, **run.preset.stages}.items():
        text = yaml.safe_dump(part.model_dump(mode="json", exclude_unset=True), sort_keys=False)
        (folder / f"{name}.yaml").write_text(text)


def digest(dataset: str) -> str:
    """Returns a digest of a dataset's manifest, 16 hex digits."""
    return hashlib.sha256(Path(dataset, MANIFEST).read_bytes()).hexdigest()[:16]


def make_tokenizer(run: Run, texts: Iterable[str]) -> None:
    """Writes the run's tokenizer: the language model's, or a new one, trained on the texts."""
    story = run.preset.model.story
    if story.model:
        with naming("model.story.model", story.model):
            tokenizer = AutoTokenizer.from_pretrained(
                smollm.found(run.located(story.model)), trust_remote_code=False
            )
    else:
        tokenizer = tokens.train(texts, story.vocabulary)
    tokens.with_pictures(tokenizer, story.image_tokens)
    tokenizer.save_pretrained(run.folder / "tokenizer")


def tokenizer(run: Run) -> tuple[PreTrainedTokenizerBase, Vocabulary]:
    """Loads the run's tokenizer and the ids of its special tokens. Raises NotTrained."""
    folder = run.folder / "tokenizer"
    if not folder.is_dir():
        raise NotTrained(f"{run.folder} has no tokenizer; is it the folder of a run?")
    loaded, story = (
        AutoTokenizer.from_pretrained(folder, trust_remote_code=False),
        run.preset.model.story,
    )
    return loaded, tokens.with_pictures(loaded, story.image_tokens, story.joined)


def tower(run: Run) -> nn.Module:
    """Loads the visual tokenizer, frozen."""
    config = _vision(run)
    if config.towers:
        config = config.model_copy(update={"model": f"local-dir:{run.result('towers')}"})
    return vision.load(config)


def width(run: Run) -> int:
    """Returns the width of the visual tokenizer's features, without loading its weights."""
    return vision.width(vision.empty(_vision(run)))


def _vision(run: Run) -> VisionConfig:
    """Returns the settings of the visual tokenizer, with the path of an imported one."""
    config = run.preset.model.vision
    kind, prefix, folder = config.model.rpartition(QWEN)
    return config.model_copy(update={"model": kind + prefix + run.located(folder)})


def blank(run: Run, tower: nn.Module) -> Tensor:
    """Computes the features of a picture without content, [tokens, width]: the unconditional input
    of classifier-free guidance."""
    config, kind = run.preset.model.vision, run.preset.model.detokenizer.blank
    with torch.no_grad():
        return vision.blank(tower, kind, config.image_size, config.tokens)


def autoencoder(run: Run) -> Autoencoder:
    """Loads the image autoencoder, frozen."""
    config = run.preset.model.detokenizer
    if any(stage.stage == "autoencoder" for stage in run.preset.stages.values()):
        vae = PatchAutoencoder.from_pretrained(run.result("autoencoder"), use_safetensors=True)
    else:
        with naming("model.detokenizer.model", config.model):
            vae = saved(AutoencoderKL, config.model, "vae")
    return vae.requires_grad_(False).eval()


def story(run: Run, trained: bool = True) -> StoryLM:
    """Loads the story model, frozen, for use on this machine: as its stage has trained it or,
    before that, as it was imported; without `trained`, as it is before its stage, which settles its
    dtypes."""
    loaded, vocabulary = tokenizer(run)
    config = run.preset.model
    story = config.story.model_copy(update={"model": run.located(config.story.model)})
    model = story_lm.build(story, vocabulary, len(loaded), width(run), config.vision.tokens)
    if story.start:
        _start(model, Path(run.located(story.start)))
    if trained:
        _load(model, run, "story")
    return model


def _start(model: StoryLM, folder: Path) -> None:
    """Loads what a story model starts from: its resamplers and, where they were kept, adapters."""
    kept = checkpoints.about(folder).get("adapters", False)
    wanted = [
        name
        for name in checkpoints.trained(model)
        if name.startswith(("reader.", "painter.")) or (kept and ".lora_" in name)
    ]
    checkpoints.load(folder, model, wanted)


def detokenizer(run: Run, kind: str = "") -> Detokenizer:
    """Loads the de-tokenizer that the stage of that kind has trained or, before that, as it was
    imported, frozen, for use on this machine; by default, as it is before any, to be trained."""
    config = run.preset.model.detokenizer
    model = Detokenizer(config, width(run), autoencoder(run))
    if config.start:
        checkpoints.load(Path(run.located(config.start)), model.trainable(everything=False))
    if kind:
        model.trainable(run.stage(kind)[1].everything)  # what the stage has saved
        _load(model, run, kind)
    return model


def _load(model: nn.Module, run: Run, kind: str) -> None:
    """Loads what a stage has trained into a model, and freezes it, in the dtypes for its use.

    Before the stage, a model that was imported is that already; any other raises NotTrained.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    setting, part = run.stage(kind)[1].train.precision, run.preset.model
    imported = part.story.start if kind == "story" else part.detokenizer.start
    if run.has(kind) or not imported:
        precision.settle(model, setting, device)  # what was trained is loaded in float32
        checkpoints.load(run.result(kind), model)
    precision.settle(model.requires_grad_(False).eval(), setting, device)
