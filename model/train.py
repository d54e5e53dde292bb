"""The training loop of all stages.

It resumes a run that was stopped, with the same losses as one that was not; validates on held-out
data as it goes; and stops with a message where a loss is not a number or memory does not suffice.
One CPU, one GPU or many (`accelerate launch -m model train ...`): what is written and printed is
the main process's, and every process has random numbers of its own.
"""

from __future__ import annotations

import math
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
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

from model import checkpoints, precision, randomness, ranks
from model.config import ConfigError, Optimisation
from model.muon import Muon
from model.terminal import heartbeat, left, telling

LOG_EVERY = 10  # steps


class TrainingStopped(RuntimeError):
    """Training cannot continue; the message says what to do."""


class Interrupted(Exception):
    """The user stopped the run, which can be resumed."""


@dataclass
class Stage:
    """A stage: the model and the functions that the loop calls."""

    model: nn.Module  # the parameters that require a gradient are trained
    batches: Callable[[int], Iterator[Any]]  # endless, from the batch of that number on
    losses: Callable[[nn.Module, Any], dict[str, Tensor]]  # of a batch; "loss" is minimised
    # Validates on held-out data, of which each process takes its share
    check: Callable[[nn.Module], dict[str, float]]
    show: Callable[[nn.Module, Path], None] | None = None  # writes a picture of samples
    save: Callable[[Path], None] | None = None  # writes the result in another library's format


@dataclass
class _Progress:
    """The steps that are done, and the time that they took."""

    step: int = 0
    batches: int = 0  # of all processes
    steps_in: dict[str, int] = field(default_factory=dict)  # by precision: machines may differ
    waited: float = 0.0  # seconds, for data
    worked: float = 0.0  # seconds, of steps with the waiting
    losses: dict[str, float] = field(default_factory=dict)  # of the last step
    doing: str = ""  # other than a step


def fit(
    name: str,
    stage: Stage,
    config: Optimisation,
    folder: Path,
    key: str,
    say: Callable[[str], None],
) -> None:
    """Trains a stage and saves its result in `folder`.

    Resumes from a checkpoint with the same key, in the precision of this machine. Raises
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
    precision.settle(stage.model, config.precision, accelerator.device)
    stage.model.to(accelerator.device)
    named = checkpoints.trained(stage.model)
    optimizers = _optimizers(stage.model, config, computes_in)
    schedules = [
        get_cosine_with_min_lr_schedule_with_warmup(
            optimizer, config.warmup, config.steps, min_lr_rate=config.end
        )
        for optimizer in optimizers
    ]
    ema = _average(stage.model, config)
    checkpoint = folder.with_name(f"{folder.name}.checkpoint")
    saved: dict[str, Any] = {}
    progress = _Progress()
    if ranks.on_main(lambda: checkpoints.about(checkpoint)).get("key") == key:
        saved = _restore(checkpoint, stage.model, optimizers, schedules, ema)
        progress = _Progress(saved["step"], saved["batches"], saved["precision"])
        say(f"{name}: resumes from step {progress.step}")
    say(
        f"{name}: trains in {computes_in}"
        + (
            f", as this {accelerator.device.type.upper()} has no instructions for bf16"
            if (config.precision, computes_in) == ("auto", "fp32")
            else ""
        )
    )
    if config.compile:
        stage.model.compile()
    model, *wrapped = accelerator.prepare(_Losses(stage), *optimizers)
    accelerator.init_trackers(name)
    randomness.seed(config.seed * 1000 + ranks.rank())
    # A process goes on after the batches of all of them, however many there were. Its loader draws
    # a random number, so those of the checkpoint are restored after that.
    batches = iter(stage.batches(math.ceil(progress.batches / ranks.count())))
    if saved and len(saved["random"]) == ranks.count():
        randomness.restore(saved["random"][ranks.rank()], accelerator.device)
    elif saved:
        randomness.seed(randomness.derived(config.seed, progress.step, ranks.rank()))
        say(
            f"{name}: {len(saved['random'])} processes trained until then and {ranks.count()} go "
            "on, so a step has another number of samples, and noise of its own"
        )

    def save_checkpoint() -> None:
        state = _state(progress, optimizers, schedules, ema) | {
            "random": ranks.gathered(randomness.state(accelerator.device))
        }
        ranks.on_main(
            lambda: checkpoints.save(checkpoint, named, {"key": key, "step": progress.step}, state)
        )

    def validate() -> None:
        progress.doing = "checking on held-out data"
        with (
            _averaged(ema, named),
            _evaluating(stage.model, accelerator.device),
            precision.autocast(config.precision, accelerator.device),
        ):
            figures = stage.check(stage.model)
            if stage.show and accelerator.is_main_process:
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
        progress.doing = ""
        ranks.wait()

    # disable=None: shown at a terminal only
    bar = tqdm(
        desc=name,
        total=config.steps,
        initial=progress.step,
        leave=False,
        disable=None if accelerator.is_main_process else True,
    )
    first, began = progress.step, time.monotonic()

    def describe() -> str:
        return _describe(name, progress, config.steps, first, time.monotonic() - began)

    beating = (
        nullcontext()
        if not accelerator.is_main_process
        else telling(describe)
        if bar.disable
        else heartbeat(bar.refresh, 1.0)  # its time goes on during a step of minutes
    )
    with _stoppable() as stopped, _attention_kernel(accelerator.device), bar, beating:
        model.train()
        while progress.step < config.steps:
            losses = _step(name, model, wrapped, config, accelerator, batches, progress)
            for schedule in schedules:
                schedule.step()
            if ema:
                ema.step(named.values())
            progress.step += 1
            progress.batches += config.accumulate * ranks.count()
            progress.losses = losses
            progress.steps_in[computes_in] = progress.steps_in.get(computes_in, 0) + 1
            bar.set_postfix(loss=f"{losses['loss']:.4g}", refresh=False)
            bar.update()
            if progress.step % LOG_EVERY == 0 or progress.step == config.steps:
                rate = schedules[0].get_last_lr()[0]
                accelerator.log(
                    {f"train/{what}": value for what, value in losses.items()}
                    | {"train/learning_rate": rate},
                    step=progress.step,
                )
            if progress.step % config.check_every == 0 or progress.step == config.steps:
                validate()
            if any(ranks.gathered(stopped())):
                save_checkpoint()
                raise Interrupted(
                    f"{name}: stopped after step {progress.step} of {config.steps}; "
                    "the same command resumes from there"
                )
            if progress.step % config.save_every == 0:
                save_checkpoint()
    for tracker in accelerator.trackers:
        tracker.finish()

    def save() -> None:
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

    ranks.on_main(save)


class _Losses(nn.Module):
    """Computes the losses of a batch in its `forward`: DistributedDataParallel follows no other
    call, and autoencoders are trained by others."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.model, self.losses = stage.model, stage.losses

    def forward(self, batch: Any) -> dict[str, Tensor]:
        return self.losses(self.model, batch)


def _describe(name: str, progress: _Progress, steps: int, first: int, seconds: float) -> str:
    """Describes in a line how far training is, `seconds` after its step `first`."""
    facts = [f"{name}: step {progress.step} of {steps}, {progress.step / steps:.0%}"]
    if first < progress.step < steps:
        facts.append(f"{left(seconds, (progress.step - first) / (steps - first))} left")
    if progress.losses:
        facts.append(f"loss {progress.losses['loss']:.4g}")
    return "; ".join(filter(None, [", ".join(facts), progress.doing]))


def _attention_kernel(device: torch.device) -> AbstractContextManager[None]:
    """Selects the unfused attention kernel on a CPU: for a few hundred tokens, the backward pass of
    the fused one is slower there (`python -m benchmarks training-step`)."""
    return sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext()


def _optimizers(
    model: nn.Module, config: Optimisation, computes_in: str
) -> list[torch.optim.Optimizer]:
    """Returns AdamW, without weight decay for vectors, and, if it is set, Muon for the weights of
    linear layers."""
    by_muon = matrices(model) if config.muon else []
    others: list[nn.Parameter] = [
        parameter
        for parameter in checkpoints.trained(model).values()
        if not any(parameter is matrix for matrix in by_muon)
    ]
    groups: list[dict[str, Any]] = [
        {"params": [parameter for parameter in others if parameter.ndim > 1]},
        {"params": [parameter for parameter in others if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
    adam = _adam(config)(
        groups,
        lr=config.learning_rate,
        betas=config.betas,
        eps=config.epsilon,
        weight_decay=config.weight_decay,
    )
    dtype = torch.bfloat16 if computes_in == "bf16" else torch.float32
    return [adam, Muon(by_muon, config.muon, config.weight_decay, dtype)] if by_muon else [adam]


def _adam(config: Optimisation) -> Callable[..., torch.optim.Optimizer]:
    """Returns what makes AdamW: torch's, or the one of bitsandbytes. Raises ConfigError where that
    is not installed."""
    if not config.adam_8bit:
        return partial(torch.optim.AdamW, fused=True)
    try:
        from bitsandbytes.optim import AdamW8bit
    except ImportError as error:
        raise ConfigError(
            f"train.adam_8bit=true needs bitsandbytes ({error}): pip install bitsandbytes, or "
            "leave the setting out"
        ) from error
    return AdamW8bit  # type: ignore[no-any-return]


def _average(model: nn.Module, config: Optimisation) -> EMAModel | None:
    """Returns the moving average of the trained weights, or None where none is set."""
    if not config.ema:
        return None
    return EMAModel(
        checkpoints.trained(model).values(),
        decay=config.ema,
        inv_gamma=1.0,
        power=0.75,
        use_ema_warmup=True,
        foreach=True,
    )


def matrices(model: nn.Module) -> list[nn.Parameter]:
    """Returns the weights of linear layers that are trained and not tied to an embedding."""
    tables = [module.weight for module in model.modules() if isinstance(module, nn.Embedding)]
    layers = [
        module
        for module in model.modules()
        if isinstance(module, nn.Linear | nn.MultiheadAttention)
    ]
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
    model: nn.Module,
    optimizers: Sequence[Any],
    config: Optimisation,
    accelerator: Accelerator,
    batches: Iterator[Any],
    progress: _Progress,
) -> dict[str, float]:
    """Makes one step of the optimizers; returns the losses of its last batch, the mean of those of
    all processes, and the norm of its gradient as "gradient", unless it overflowed in fp16, where
    the step is skipped."""
    start = time.perf_counter()
    scale = accelerator.scaler.get_scale() if accelerator.scaler is not None else 1.0
    for _ in range(config.accumulate):
        asked = time.perf_counter()
        batch = next(batches)
        progress.waited += time.perf_counter() - asked
        try:
            with accelerator.accumulate(model):
                with accelerator.autocast():
                    losses = model(batch)
                accelerator.backward(losses["loss"])
                if accelerator.sync_gradients:
                    norm = accelerator.clip_grad_norm_(model.parameters(), config.clip)
                for optimizer in optimizers:
                    optimizer.step()
                    optimizer.zero_grad()
        except torch.OutOfMemoryError as error:
            raise TrainingStopped(
                f"{name}: a batch of {config.batch} does not fit into the device's memory; give "
                f"{_smaller(name, config)}"
            ) from error
    own = {what: float(value.detach()) for what, value in losses.items()}
    everywhere = ranks.gathered(own | {"gradient": float(norm)})
    figures = {what: sum(of[what] for of in everywhere) / len(everywhere) for what in everywhere[0]}
    progress.worked += time.perf_counter() - start
    if accelerator.scaler is not None and 1 <= accelerator.scaler.get_scale() < scale:
        del figures["gradient"]  # it overflowed in fp16: the step was skipped, the scale halved
    if not all(map(math.isfinite, figures.values())):
        raise TrainingStopped(
            f"{name}: at step {progress.step + 1} "
            + ", ".join(f"{what} is {value}" for what, value in figures.items())
            + f"; give --set {name}.train.learning_rate={config.learning_rate / 2} (half of it) or "
            f"--set {name}.train.precision=fp32 . The last checkpoint is from before that step"
        )
    return figures


def _smaller(name: str, config: Optimisation) -> str:
    """Returns the arguments that make a step take less memory."""
    parts = []
    if config.batch > 1:
        parts.append(
            f"--set {name}.train.batch={config.batch // 2} "
            f"--set {name}.train.accumulate={config.accumulate * 2}"
        )
    if not config.checkpointing:
        parts.append(f"--set {name}.train.checkpointing=true")
    return " or ".join(parts) or "a preset with a smaller model"


def _state(
    progress: _Progress,
    optimizers: Sequence[Any],
    schedules: Sequence[Any],
    ema: EMAModel | None,
) -> dict[str, Any]:
    """Returns what training is resumed from, beside the weights and the random numbers."""
    return {
        "step": progress.step,
        "batches": progress.batches,
        "precision": progress.steps_in,
        "optimizers": [optimizer.state_dict() for optimizer in optimizers],
        "schedules": [schedule.state_dict() for schedule in schedules],
        "ema": ema.state_dict() if ema else None,
    }


def _restore(
    checkpoint: Path,
    model: nn.Module,
    optimizers: Sequence[Any],
    schedules: Sequence[Any],
    ema: EMAModel | None,
) -> dict[str, Any]:
    """Restores weights, optimizers, schedules and average from a checkpoint; returns its state."""
    checkpoints.load(checkpoint, model)
    state = checkpoints.state(checkpoint)
    for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    for schedule, saved in zip(schedules, state["schedules"], strict=True):
        schedule.load_state_dict(saved)
    if ema:
        ema.load_state_dict(state["ema"])
        ema.to(next(model.parameters()).device)  # what it loads stays where it was loaded to
    return state


@contextmanager
def _averaged(ema: EMAModel | None, named: dict[str, nn.Parameter]) -> Iterator[None]:
    """Replaces the weights by their moving average, in its context."""
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
def _evaluating(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Sets a model to evaluation, without gradients, and preserves the state of random numbers."""
    model.eval()
    with randomness.preserved(device), torch.no_grad():
        yield
    model.train()


@contextmanager
def _stoppable() -> Iterator[Callable[[], bool]]:
    """Yields a function that says whether Ctrl-C or SIGTERM came; a second Ctrl-C ends at once."""
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
