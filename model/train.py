"""The loop that every stage trains in.

It goes on where a run was stopped, with the same losses as one that was not; says how good the
model is on held-out data as it goes; and stops with a plain message where a loss is no number or
memory does not suffice. One CPU, one GPU or many (`accelerate launch -m model train ...`).
"""

from __future__ import annotations

import math
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import is_wandb_available
from diffusers.training_utils import EMAModel
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from tqdm import tqdm
from transformers import get_cosine_with_min_lr_schedule_with_warmup

from model import checkpoints, precision
from model.config import Optimisation
from model.muon import Muon

SAID_EVERY = 10  # steps


class TrainingStopped(RuntimeError):
    """Training cannot go on, and what to do about it."""


class Interrupted(Exception):
    """Somebody stopped the run; it goes on from here."""


@dataclass
class Stage:
    """What the loop needs to know of a stage."""

    model: nn.Module  # its parameters that require a gradient are trained
    batches: Callable[[int], Iterator[Any]]  # endless, from the batch of that number on
    losses: Callable[[nn.Module, Any], dict[str, Tensor]]  # of a batch; "loss" is minimised
    check: Callable[[nn.Module], dict[str, float]]  # held-out data
    show: Callable[[nn.Module, Path], None] | None = None  # writes a picture
    save: Callable[[Path], None] | None = None  # writes a result of another library's kind


@dataclass
class _Progress:
    """How far it is, and what it took."""

    step: int = 0
    steps_in: dict[str, int] = field(default_factory=dict)  # by precision: machines may differ
    waited: float = 0.0  # seconds, for data
    worked: float = 0.0  # seconds, steps and waiting


def fit(
    name: str,
    stage: Stage,
    config: Optimisation,
    folder: Path,
    key: str,
    say: Callable[[str], None],
) -> None:
    """Trains a stage into `folder`; where that is done already with the same `key`, does nothing.

    A checkpoint with the same key is gone on from, in the precision of this machine. Raises
    ConfigError, TrainingStopped and Interrupted.
    """
    computes_in = precision.chosen(config.precision, PartialState().device)
    AcceleratorState._reset_state()  # else the first stage's precision would be every stage's
    accelerator = Accelerator(
        mixed_precision="no" if computes_in == "fp32" else computes_in,
        gradient_accumulation_steps=config.accumulate,
        log_with=["tensorboard", *(["wandb"] if is_wandb_available() else [])],
        project_dir=str(folder.parent / "logs"),
    )
    stage.model.to(accelerator.device)
    named = checkpoints.trained(stage.model)
    optimizers = _optimizers(stage.model, config, computes_in)
    schedules = [
        get_cosine_with_min_lr_schedule_with_warmup(
            one, config.warmup, config.steps, min_lr_rate=config.end
        )
        for one in optimizers
    ]
    ema = (
        EMAModel(
            named.values(),
            decay=config.ema,
            inv_gamma=1.0,
            power=0.75,
            use_ema_warmup=True,
            foreach=True,
        )
        if config.ema
        else None
    )
    torch.manual_seed(config.seed * 1000 + accelerator.process_index)
    progress = _Progress()
    checkpoint = folder.with_name(f"{folder.name}.checkpoint")
    if checkpoints.about(checkpoint).get("key") == key:
        progress.step = _restore(checkpoint, stage.model, optimizers, schedules, ema)
        progress.steps_in |= checkpoints.about(checkpoint).get("precision", {})
        say(f"{name}: goes on from step {progress.step}")
    say(
        f"{name}: trains in {computes_in}"
        + (
            f", as this {accelerator.device.type} has no instructions for bf16"
            if (config.precision, computes_in) == ("auto", "fp32")
            else ""
        )
    )
    if config.compile:
        stage.model.compile()
    model, *wrapped = accelerator.prepare(stage.model, *optimizers)
    accelerator.init_trackers(name)

    def keep() -> None:
        if accelerator.is_main_process:
            checkpoints.save(
                checkpoint,
                named,
                {"key": key, "step": progress.step, "precision": progress.steps_in},
                _state(progress.step, optimizers, schedules, ema),
            )

    def judge() -> None:
        if accelerator.is_main_process:
            with _averaged(ema, named), _as_it_was(stage.model):
                figures = stage.check(stage.model)
                if stage.show:
                    stage.show(
                        stage.model, folder.parent / "samples" / f"{name}-{progress.step:06d}.png"
                    )
            accelerator.log(
                {f"val/{what}": value for what, value in figures.items()}, step=progress.step
            )
            with bar.external_write_mode():
                say(
                    f"{name}: step {progress.step} of {config.steps}, held out: "
                    + ", ".join(f"{what} {value:.4g}" for what, value in figures.items())
                )
        accelerator.wait_for_everyone()

    batches = iter(stage.batches(progress.step * config.accumulate))
    # disable=None: at a terminal alone
    bar = tqdm(
        desc=name,
        total=config.steps,
        initial=progress.step,
        leave=False,
        disable=None if accelerator.is_main_process else True,
    )
    with _stoppable() as stopped, _attention(accelerator.device), bar:
        model.train()
        while progress.step < config.steps:
            said = _step(name, stage, model, wrapped, config, accelerator, batches, progress)
            for schedule in schedules:
                schedule.step()
            if ema:
                ema.step(named.values())
            progress.step += 1
            progress.steps_in[computes_in] = progress.steps_in.get(computes_in, 0) + 1
            bar.set_postfix(loss=f"{said['loss']:.4g}", refresh=False)
            bar.update()
            if progress.step % SAID_EVERY == 0 or progress.step == config.steps:
                rate = schedules[0].get_last_lr()[0]
                accelerator.log(
                    {f"train/{what}": value for what, value in said.items()}
                    | {"train/learning_rate": rate},
                    step=progress.step,
                )
            if progress.step % config.check_every == 0 or progress.step == config.steps:
                judge()
            if stopped():
                keep()
                raise Interrupted(
                    f"{name}: stopped after step {progress.step} of {config.steps}; "
                    "the same command goes on from there"
                )
            if progress.step % config.save_every == 0:
                keep()
    accelerator.end_training()
    if accelerator.is_main_process:
        with _averaged(ema, named):
            about = {
                "key": key,
                "steps": config.steps,
                "precision": progress.steps_in,
                "seconds": round(progress.worked, 1),
                "waited_for_data": round(progress.waited / max(progress.worked, 1e-9), 4),
            }
            checkpoints.save(folder, {} if stage.save else named, about, also=stage.save)
        shutil.rmtree(checkpoint, ignore_errors=True)
    accelerator.wait_for_everyone()


def _attention(device: torch.device) -> AbstractContextManager[None]:
    """On a CPU, attention spelled out in matrices: for a few hundred tokens, the fused kernel's
    backward pass is slower there (`python -m benchmarks training-step`)."""
    return sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext()


def _optimizers(
    model: nn.Module, config: Optimisation, computes_in: str
) -> list[torch.optim.Optimizer]:
    """AdamW, which makes no vector smaller by weight decay; and Muon for the weights of linear
    layers, if it is to have them."""
    by_muon = _matrices(model) if config.muon else []
    others = [
        one
        for one in checkpoints.trained(model).values()
        if not any(one is other for other in by_muon)
    ]
    adam = torch.optim.AdamW(
        [
            {"params": [one for one in others if one.ndim > 1]},
            {"params": [one for one in others if one.ndim <= 1], "weight_decay": 0.0},
        ],
        lr=config.learning_rate,
        betas=config.betas,
        eps=config.epsilon,
        weight_decay=config.weight_decay,
        fused=True,
    )
    dtype = torch.bfloat16 if computes_in == "bf16" else torch.float32
    return [adam, Muon(by_muon, config.muon, config.weight_decay, dtype)] if by_muon else [adam]


def _matrices(model: nn.Module) -> list[nn.Parameter]:
    """The weights of linear layers that are trained, without those that are an embedding too."""
    tables = [one.weight for one in model.modules() if isinstance(one, nn.Embedding)]
    layers = [one for one in model.modules() if isinstance(one, nn.Linear | nn.MultiheadAttention)]
    return [
        weight
        for layer in layers
        for weight in layer.parameters(recurse=False)
        if weight.ndim == 2
        and weight.requires_grad
        and not any(weight is table for table in tables)
    ]


def _step(
    name: str,
    stage: Stage,
    model: nn.Module,
    optimizers: Sequence[Any],
    config: Optimisation,
    accelerator: Accelerator,
    batches: Iterator[Any],
    progress: _Progress,
) -> dict[str, float]:
    """One step of the optimizers; returns the losses of its last batch."""
    start = time.perf_counter()
    for _ in range(config.accumulate):
        asked = time.perf_counter()
        batch = next(batches)
        progress.waited += time.perf_counter() - asked
        try:
            with accelerator.accumulate(model):
                with accelerator.autocast():
                    losses = stage.losses(model, batch)
                accelerator.backward(losses["loss"])
                if accelerator.sync_gradients:
                    norm = accelerator.clip_grad_norm_(model.parameters(), config.clip)
                for optimizer in optimizers:
                    optimizer.step()
                    optimizer.zero_grad()
        except torch.OutOfMemoryError as error:
            raise TrainingStopped(
                f"{name}: a batch of {config.batch} does not fit into the device's memory; set "
                "train.batch lower and train.accumulate higher, or train.checkpointing=true"
            ) from error
    said = {what: float(value.detach()) for what, value in losses.items()}
    said["gradient"] = float(norm)
    progress.worked += time.perf_counter() - start
    if not all(map(math.isfinite, said.values())):
        raise TrainingStopped(
            f"{name}: at step {progress.step + 1} "
            + ", ".join(f"{what} is {value}" for what, value in said.items())
            + f"; set train.learning_rate (now {config.learning_rate}) lower or "
            "train.precision=fp32. The last checkpoint is of before"
        )
    return said


def _state(
    step: int, optimizers: Sequence[Any], schedules: Sequence[Any], ema: EMAModel | None
) -> dict[str, Any]:
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {
        "step": step,
        "optimizers": [one.state_dict() for one in optimizers],
        "schedules": [one.state_dict() for one in schedules],
        "ema": ema.state_dict() if ema else None,
        "random": torch.get_rng_state(),
        "random_cuda": cuda,
    }


def _restore(
    checkpoint: Path,
    model: nn.Module,
    optimizers: Sequence[Any],
    schedules: Sequence[Any],
    ema: EMAModel | None,
) -> int:
    """Puts everything back as `_state` found it; returns the number of steps done."""
    checkpoints.load(checkpoint, model)
    state = checkpoints.state(checkpoint)
    for kind, many in (("optimizers", optimizers), ("schedules", schedules)):
        for one, kept in zip(many, state[kind], strict=True):
            one.load_state_dict(kept)
    if ema:
        ema.load_state_dict(state["ema"])
    torch.set_rng_state(state["random"])
    if state["random_cuda"]:
        torch.cuda.set_rng_state_all(state["random_cuda"])
    return int(state["step"])


@contextmanager
def _averaged(ema: EMAModel | None, named: dict[str, nn.Parameter]) -> Iterator[None]:
    """The moving average in the place of the weights, while it lasts."""
    if ema is None:
        yield
        return
    ema.store(named.values())
    ema.copy_to(named.values())
    try:
        yield
    finally:
        ema.restore(named.values())


@contextmanager
def _as_it_was(model: nn.Module) -> Iterator[None]:
    """For looking at a model in training: it computes as for use, and leaves the dice alone."""
    model.eval()
    with torch.random.fork_rng(), torch.no_grad():
        yield
    model.train()


@contextmanager
def _stoppable() -> Iterator[Callable[[], bool]]:
    """Ctrl-C and SIGTERM are noticed at the end of a step; a second Ctrl-C ends at once."""
    seen: list[int] = []

    def notice(number: int, frame: object) -> None:
        seen.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, notice) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(seen)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
