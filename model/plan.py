"""Computes what memory the stages of a preset take, without weights: `python -m model plan PRESET`.

Weights, gradients, optimizer and moving average are counted. Activations are traced: a step is made
with tensors that have shapes but no values, and what is alive at once is added up, so gradient
checkpointing, frozen parts and the longest sample are in it. A stage takes as well what its
validation does, which paints samples. Device: a GPU that computes in bf16, one process; with
several, DistributedDataParallel keeps the gradients a second time.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import AutoConfig

from model import autoencoder, checkpoints, precision, sequence, stages, story_lm, train, vision
from model.config import Preset, StageConfig, naming
from model.detokenizer import Detokenizer
from model.story_lm import StoryLM, distance
from model.tokens import Vocabulary
from schemas.rows import CHUNK_LENGTH

CARDS = (8, 12, 16, 24, 32, 40, 48, 80, 96, 141)  # GiB
CONTEXT = 1.0  # GiB that CUDA and its libraries take
SLACK = 1.1  # what the allocator holds is in pieces
KINDS = ("weights", "gradients", "optimizer", "moving average", "activations")
_GIB = 2**30
_CPU = torch.device("cpu")
_TURN = 4  # tokens of `[INST]`, at most

# Stable Diffusion XL's parts, as published: presets name it, and its configs may be out of reach
SDXL = "stabilityai/stable-diffusion-xl-base-1.0"
SDXL_UNET: dict[str, Any] = {
    "sample_size": 128,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": [320, 640, 1280],
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    "layers_per_block": 2,
    "cross_attention_dim": 2048,
    "attention_head_dim": [5, 10, 20],
    "transformer_layers_per_block": [1, 2, 10],
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
SDXL_VAE: dict[str, Any] = {
    "block_out_channels": [128, 256, 512, 512],
    "layers_per_block": 2,
    "latent_channels": 4,
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
}


@dataclass(frozen=True)
class Need:
    """What a stage takes."""

    stage: str
    trained: int  # parameters
    frozen: int
    kinds: Mapping[str, int]  # bytes, of KINDS

    @property
    def together(self) -> float:
        """The memory of all kinds, GiB, with the context and what lies in pieces."""
        return CONTEXT + SLACK * sum(self.kinds.values()) / _GIB

    @property
    def card(self) -> int | None:
        """The memory of the smallest card that the stage fits on, GiB; None where none is."""
        return next((card for card in CARDS if card >= self.together), None)


class Live(TorchDispatchMode):
    """Adds up the bytes of the tensors that are alive at once, of those made within it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage())
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        if id(storage) in self.known:
            return
        self.known.add(id(storage))
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._freed, id(storage), storage.nbytes())

    def _freed(self, number: int, size: int) -> None:
        self.known.discard(number)
        self.now -= size


def needs(preset: Preset) -> Iterator[Need]:
    """Yields what each stage of a preset takes, and the encoding of the dataset before them.

    Raises ConfigError where the config of a part is unknown and cannot be loaded.
    """
    parts = _Parts(preset)
    encoded = False
    for name, stage in preset.stages.items():
        if stage.stage not in ("towers", "autoencoder") and not encoded:
            yield _encoding(parts)
            encoded = True
        model, step, looked = {
            "towers": _towers,
            "autoencoder": _autoencoder,
            "detokenizer": _detokenizer,
            "story": _story,
            "adaptation": _detokenizer,
        }[stage.stage](parts, stage)
        yield _need(name, stage, model, step, looked)


def report(preset: str, found: Sequence[Need]) -> str:
    """Formats what the stages take as a table in Markdown."""
    heads = ["stage", "trained", "frozen", *KINDS, "together", "smallest card"]
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    for need in found:
        cells = [
            need.stage,
            *(f"{count / 1e6:,.1f} M" for count in (need.trained, need.frozen)),
            *(f"{need.kinds[kind] / _GIB:.2f}" for kind in KINDS),
            f"{need.together:.1f}",
            f"{need.card} GB" if need.card else f"none up to {CARDS[-1]} GB",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    largest = max(found, key=lambda need: need.together)
    end = (
        f"{preset} needs a card of {largest.card} GB"
        if largest.card
        else f"{preset} fits on no card of up to {CARDS[-1]} GB"
    )
    return "\n".join(
        [
            *lines,
            "",
            "Parameters in millions; GiB, computed and not measured, at the preset's batch and "
            f"longest sample. Together: all kinds times {SLACK}, and {CONTEXT:.0f} GiB for the "
            f"device's context. {end}, for {largest.stage}.",
        ]
    )


class _Parts:
    """Builds the parts of a preset on the meta device, which has no memory."""

    def __init__(self, preset: Preset) -> None:
        self.preset, self.model = preset, preset.model

    def pair(self) -> Any:
        with torch.device("meta"):
            return vision.make(self.model.vision.towers or {})

    def tower(self) -> nn.Module:
        return vision.empty(self.model.vision)

    def vae(self) -> autoencoder.Autoencoder:
        made = self.model.detokenizer.vae
        with torch.device("meta"):
            if made is not None:
                return autoencoder.PatchAutoencoder(**made.model_dump())
            return AutoencoderKL.from_config(self._of_diffusers(AutoencoderKL, "vae"))

    def story(self) -> tuple[StoryLM, Vocabulary]:
        story = self.model.story
        if story.architecture is None:
            with naming("model.story.model", story.model):
                loaded = AutoConfig.from_pretrained(story.model, trust_remote_code=False)
            story = story.model_copy(update={"architecture": loaded.to_dict()})
        described = AutoConfig.for_model(**(story.architecture or {}))
        words = story.vocabulary if not story.model else described.get_text_config().vocab_size
        if story.start:  # the tokens for pictures are among its own
            words -= 2 + story.image_tokens
        boi, eoi, *image = range(words, words + 2 + story.image_tokens)
        vocabulary = Vocabulary(1, 2, boi, eoi, image, list(range(3, 3 + _TURN)))
        with torch.device("meta"):
            model = story_lm.build(
                story,
                vocabulary,
                words + len(vocabulary.added),
                vision.width(self.tower()),
                self.model.vision.tokens,
                download=False,
            )
        return model, vocabulary

    def detokenizer(self, everything: bool) -> Detokenizer:
        config = self.model.detokenizer
        unet = self._of_diffusers(UNet2DConditionModel, "unet")
        config = config.model_copy(update={"model": "", "unet": unet})
        with torch.device("meta"):
            model = Detokenizer(config, vision.width(self.tower()), self.vae())
        return model.trainable(everything)

    def _of_diffusers(self, kind: Any, part: str) -> Any:
        config = self.model.detokenizer
        if not config.model:
            return getattr(config, part)
        if config.model == SDXL:
            return {"unet": SDXL_UNET, "vae": SDXL_VAE}[part]
        with naming("model.detokenizer.model", config.model):
            return kind.load_config(config.model, subfolder=part)


Run = Callable[[], Any]
Planned = tuple[nn.Module, Callable[[], Tensor], Run | None]  # model, a step, a validation


def _need(
    name: str, stage: StageConfig, model: nn.Module, step: Callable[[], Tensor], looked: Run | None
) -> Need:
    settings, named = stage.train, checkpoints.trained(model)
    precision.settle(model, "bf16", torch.device("meta"))
    trained = sum(weight.numel() for weight in named.values())
    by_muon = sum(weight.numel() for weight in train.matrices(model)) if settings.muon else 0
    moments = 2 if settings.adam_8bit else 8  # bytes, of the two of a parameter
    kinds = {
        "weights": _bytes(model),
        "gradients": 4 * trained,
        "optimizer": moments * (trained - by_muon) + 4 * by_muon,
        "moving average": 4 * trained if settings.ema else 0,
    }
    frozen = sum(weight.numel() for weight in model.parameters()) - trained
    with _without_values(model):
        for weight in model.parameters():
            if weight.requires_grad:  # gradients are counted above
                weight.register_post_accumulate_grad_hook(
                    lambda weight: setattr(weight, "grad", None)
                )
        model.train()
        with Live() as live:
            step().backward()
        if looked:
            model.eval()
            with Live() as shown, torch.no_grad():
                looked()
            live.peak = max(live.peak, shown.peak)
    return Need(name, trained, frozen, {**kinds, "activations": live.peak})


def _encoding(parts: _Parts) -> Need:
    """Plans the features and latents of a chunk, which are computed at once."""
    tower, vae, config = parts.tower(), parts.vae(), parts.model
    both = nn.ModuleList([tower, vae])
    with _without_values(both), Live() as live, torch.no_grad():
        vision.features(
            tower, _pictures(CHUNK_LENGTH, config.vision.image_size), config.vision.tokens
        )
        autoencoder.encode(vae, _pictures(CHUNK_LENGTH, config.detokenizer.image_size))
    kinds = dict.fromkeys(KINDS, 0) | {"weights": _bytes(both), "activations": live.peak}
    return Need("features", 0, sum(weight.numel() for weight in both.parameters()), kinds)


def _towers(parts: _Parts, stage: StageConfig) -> Planned:
    pair, config = parts.pair(), parts.model.vision
    count = stage.train.batch * CHUNK_LENGTH

    def step() -> Tensor:
        with _autocast():
            images, texts, scale = pair(
                vision.normalised(_pictures(count, config.image_size), pair.visual),
                torch.zeros(count, (config.towers or {})["text_cfg"]["context_length"]).long(),
            )
            return stages.contrastive_loss(images, texts, scale)

    return pair, step, None


def _autoencoder(parts: _Parts, stage: StageConfig) -> Planned:
    vae, size = parts.vae(), parts.model.detokenizer.image_size

    def step() -> Tensor:
        with _autocast():
            pictures = _pictures(stage.train.batch * stage.pictures, size)
            return autoencoder.losses(vae, pictures)["loss"]

    return vae, step, lambda: autoencoder.rebuilt(vae, _pictures(CHUNK_LENGTH, size))


def _detokenizer(parts: _Parts, stage: StageConfig) -> Planned:
    painter = parts.detokenizer(stage.everything)
    config, tokens = parts.model.detokenizer, parts.model.vision.tokens
    width = painter.perceiver.project_in.in_features
    side = config.image_size // autoencoder.downsampling(painter.vae)
    channels = painter.vae.config.latent_channels
    if stage.train.checkpointing:
        painter.unet.enable_gradient_checkpointing()

    def step() -> Tensor:
        count = stage.train.batch * stage.pictures
        with _autocast():
            loss: Tensor = painter(
                torch.empty(count, channels, side, side),
                torch.empty(count, tokens, width),
                torch.empty(tokens, width),
            )
        return loss

    def show() -> None:
        guided = stages.SHOWN * (2 if config.guidance != 1 else 1)
        prompt, pooled = painter.perceiver(torch.empty(guided, tokens, width))
        noisy = torch.empty(guided, channels, side, side)
        painter.predicted(noisy, torch.tensor(0), prompt, pooled)
        del noisy, prompt, pooled
        painter.decode(torch.empty(stages.SHOWN, channels, side, side))

    return painter, step, show


def _story(parts: _Parts, stage: StageConfig) -> Planned:
    """Plans a step on stories as long as `story.longest` allows."""
    model, vocabulary = parts.story()
    config, batch = parts.model.story, stage.train.batch
    if stage.train.checkpointing:
        model.llm.gradient_checkpointing_enable()
    fixed = CHUNK_LENGTH * (len(vocabulary.turn) + len(vocabulary.image) + 2)
    text = [3] * max(1, (config.longest - fixed) // CHUNK_LENGTH)
    turns = range(1, CHUNK_LENGTH) if stage.turns == "every" else [CHUNK_LENGTH - 1]
    layout = sequence.together(
        [sequence.lay_out([text] * CHUNK_LENGTH, vocabulary, turns)] * batch, [CHUNK_LENGTH] * batch
    )
    # Which positions are what is computed before: in a trace, tensors have no values
    here = layout.given >= 0
    given = layout.given[here][:: config.image_tokens]
    counted, asked = (
        torch.where(which.flatten())[0]
        for which in (layout.targets != sequence.IGNORED, layout.asked >= 0)
    )
    wanted = layout.asked.flatten()[asked][:: config.image_tokens]
    tokens, width = parts.model.vision.tokens, vision.width(parts.tower())

    def step() -> Tensor:
        features = torch.empty(batch * CHUNK_LENGTH, tokens, width)
        with _autocast():
            vectors = model.words(layout.ids)
            read = model.read(features)[given].to(vectors.dtype)
            vectors = vectors.masked_scatter(here[..., None], read)
            hidden = model.hidden(vectors, sequence.mask(layout.turn), layout.positions)
            hidden = hidden.flatten(0, 1)
            said = functional.cross_entropy(
                model.scores(hidden[counted]).float(), torch.zeros_like(counted)
            )
            painted = model.painted(hidden[asked].unflatten(0, (-1, config.image_tokens)))
            return said + distance(painted, features[wanted]).mean()

    return model, step, None


def _pictures(count: int, size: int) -> Tensor:
    return torch.empty(count, size, size, 3, dtype=torch.uint8)


def _autocast() -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16)  # traced on the CPU, whatever that can


def _bytes(model: nn.Module) -> int:
    return sum(weight.numel() * weight.element_size() for weight in model.parameters())


@contextmanager
def _without_values(model: nn.Module) -> Iterator[None]:
    """Traces a model on the meta device as if it were on the CPU, within its context."""
    moved: dict[int, Tensor] = {}  # weights that are tied stay so

    def without_values(tensor: Tensor) -> Tensor:
        if id(tensor) not in moved:
            empty = torch.empty_like(tensor, device=_CPU)
            moved[id(tensor)] = (
                nn.Parameter(empty, tensor.requires_grad)
                if isinstance(tensor, nn.Parameter)
                else empty
            )
        return moved[id(tensor)]

    with FakeTensorMode(allow_non_fake_inputs=True):
        for module in model.modules():
            held: tuple[dict[str, Any], ...] = (module._parameters, module._buffers)  # type: ignore[assignment]
            for tensors in held:
                for name, tensor in tensors.items():
                    tensors[name] = None if tensor is None else without_values(tensor)
        yield
