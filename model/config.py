"""Presets: what a model consists of and how it is trained, as YAML files, typed and validated.

A preset is a folder: `model.yaml` describes the parts of the model, and a file for each stage, in
the order of their names, how it is trained. Five are in `presets/`; copy such a folder for your
own. `--set` changes single values: `2-story.train.steps=100`, `model.detokenizer.steps=20`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from safetensors import SafetensorError

from schemas.overrides import put

PRESETS = Path(__file__).parent / "presets"
POLICIES = ("dense", "window", "sink", "multimodal", "recompute")  # see `model.attention`


class ConfigError(ValueError):
    """A preset or setting that cannot be used; the message names it and says what to do."""


class Section(BaseModel):
    """Base of all parts of a config: unknown names are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class VisionConfig(Section):
    """The visual tokenizer."""

    model: str = Field(
        "",
        description="open_clip's name of a model, local-dir:FOLDER, or qwen-vl:FOLDER, which an "
        "import writes; empty for the one that stage 0 makes",
    )
    weights: str = Field("", description="open_clip's tag of weights, or a file")
    towers: dict[str, Any] | None = Field(
        None, description="open_clip's model_cfg of the pair that stage 0 makes"
    )
    image_size: int = Field(448, gt=0, description="pixels; pictures are squashed to a square")
    tokens: int = Field(256, gt=0, description="features of a picture")

    @model_validator(mode="after")
    def _named_or_new(self) -> VisionConfig:
        if bool(self.model) == bool(self.towers):
            raise ValueError("give either a model to load or towers to make")
        if self.model and ":" not in self.model and not self.weights:
            # open_clip would begin with random ones, and only warn
            raise ValueError(
                f"weights: say which weights of {self.model}: a file, or a tag of open_clip, which "
                f"open_clip.list_pretrained_tags_by_model({self.model!r}) lists"
            )
        return self


class LoraConfig(Section):
    """Low-rank adapters of the language model (arXiv 2106.09685), through peft."""

    rank: int = Field(16, gt=0)
    alpha: int = Field(32, gt=0)
    dropout: float = Field(0.05, ge=0, lt=1)
    targets: list[str] = Field(
        [],
        description="names of the layers that have them; empty for every linear one but the "
        "output, which for a Llama are SEED-Story's",
    )


class StoryConfig(Section):
    """The language model, its tokens for pictures and its resamplers."""

    model: str = Field(
        "",
        description="folder or id of a causal language model of transformers, or "
        "smollm2-135m-instruct, which a package holds; empty to make one of `architecture`",
    )
    architecture: dict[str, Any] | None = Field(
        None, description="transformers' config, with model_type"
    )
    vocabulary: int = Field(
        2048, gt=0, description="of the tokenizer that is trained for a new language model"
    )
    lora: LoraConfig | None = None
    image_tokens: int = Field(64, gt=0, description="positions of a picture, a square")
    input_tokens: int = Field(
        64,
        gt=0,
        description="features that the input resampler is given, "
        "pooled from the visual tokenizer's",
    )
    resampler_heads: int = Field(32, gt=0)
    resampler_epsilon: float = Field(1e-6, gt=0, description="of the resamplers' norms")
    joined: bool = Field(
        False,
        exclude_if=lambda joined: not joined,  # as below
        description="tokenise `[INST]` and the text after it together, as SEED-Story does",
    )
    start: str = Field(
        "",
        description="folder with weights that the resamplers start from, which an import writes; "
        "the tokens for pictures are then the language model's own",
    )
    longest: int = Field(1280, gt=0, description="tokens of a sample; longer ones are dropped")


class VaeConfig(Section):
    """The image autoencoder that a stage makes, `model.autoencoder.PatchAutoencoder`."""

    patch: int = Field(
        8, gt=0, description="side of the squares, in pixels, that become a position of the latents"
    )
    latent_channels: int = Field(16, gt=0, description="principal components of a patch")
    width: int = Field(192, gt=0, description="of the decoder's network, in channels")
    depth: int = Field(2, ge=0, description="of the decoder's network, in residual blocks")
    noise: float = Field(
        0.3,
        ge=0,
        description="of the latents in training, as a share of their deviation: a decoder then "
        "forgives what a de-tokenizer leaves in them",
    )


class DetokenizerConfig(Section):
    """The de-tokenizer: a perceiver, and a UNet and an autoencoder of diffusers."""

    model: str = Field(
        "",
        description="folder or hub id with unet/ and vae/; empty to make them of `unet` and `vae`",
    )
    unet: dict[str, Any] | None = Field(
        None, description="diffusers' config of the UNet2DConditionModel that is made"
    )
    vae: VaeConfig | None = Field(None, description="the autoencoder that a stage makes")
    schedule: dict[str, Any] = Field({}, description="of the noise, where it is not SD-XL's")
    image_size: int = Field(1024, gt=0, description="pixels; pictures are squashed to a square")
    width: int = Field(1024, gt=0, description="of the perceiver")
    depth: int = Field(4, gt=0, description="of the perceiver, in layers")
    heads: int = Field(16, gt=0, description="of the perceiver and its pool")
    queries: int = Field(64, gt=0, description="prompt embeddings, a square")
    streams: list[int] = Field(
        [768, 1280], min_length=1, description="widths that make up a prompt embedding"
    )
    local: bool = Field(
        False,
        description="start the perceiver's queries from the features at "
        "their places; SEED-Story's do not",
    )
    normalise: Literal["width", "tokens"] = Field(
        "width",
        description="the axis along which features get norm 1 before they are painted; "
        "SEED-Story's is that of the tokens",
    )
    blank: Literal["grey", "zeros"] = Field(
        "grey",
        description="the picture that guidance leads away from: grey, or zeros after "
        "normalisation, as SEED-Story's",
    )
    aspect: Literal["squashed", "own"] = Field(
        "squashed",
        # Excluded where results are what they were before there was a choice: keys stay
        exclude_if=lambda aspect: aspect == "squashed",
        description="of the square pictures that are painted: the whole picture, squashed, or its "
        "middle in its own aspect, as SEED-Story's",
    )
    start: str = Field(
        "",
        description="folder with weights that the perceiver and the UNet's keys and values start "
        "from, which an import writes",
    )
    dropped: float = Field(
        0.1, ge=0, le=1, description="share of samples that train without features, for guidance"
    )
    steps: int = Field(50, gt=0, description="of sampling")
    ancestral: bool = Field(
        False,
        description="sample by Euler's method with new noise at each "
        "step, which gives clearer pictures where a UNet was trained little",
    )
    guidance: float = Field(7.5, ge=1, description="scale of classifier-free guidance, 1 for none")
    guidance_rescale: float = Field(
        0.0,
        ge=0,
        le=1,
        description="how far guided predictions are scaled back to the spread of unguided ones",
    )

    @model_validator(mode="after")
    def _named_or_new(self) -> DetokenizerConfig:
        if bool(self.model) == bool(self.unet) or bool(self.model) == bool(self.vae):
            raise ValueError("give either a model to load or both unet and vae to make")
        return self


class AttentionConfig(Section):
    """What the KV cache keeps of a story longer than those of training; no stage depends on it.

    The defaults are SEED-Story's, for 64 tokens a picture; it has no budget.
    """

    window: int = Field(8, gt=0, description="pictures that stay whole, with their texts")
    start: int = Field(4, ge=0, description="first tokens of the story that stay")
    boi: tuple[int, int] = Field(
        (4, 8), description="tokens of an older picture that stay: before its BoI, and from it on"
    )
    eoi: tuple[int, int] = Field((8, 4), description="the same before its EoI, and from it on")
    punctuation: bool = Field(False, description="keep the punctuation of its text as well")
    budget: int = Field(
        96,
        ge=0,
        description="tokens that stay of all older pictures, the newest "
        "first; about as many as a picture and its text have, so that with a "
        "window of 7 no position is beyond those of training",
    )
    positions: Literal["contiguous", "original"] = Field(
        "contiguous", description="of what stays: moved together, or where they were"
    )

    @model_validator(mode="after")
    def _around_begin_and_end(self) -> AttentionConfig:
        if min(*self.boi, *self.eoi) < 0 or not self.boi[1] or not self.eoi[1]:
            raise ValueError(
                "boi and eoi count tokens before and from BoI and EoI, which have to "
                "be among those that stay"
            )
        return self


class ModelConfig(Section):
    """`model.yaml`: the parts of a model."""

    vision: VisionConfig
    story: StoryConfig
    detokenizer: DetokenizerConfig
    attention: AttentionConfig = AttentionConfig()


class Optimisation(Section):
    """The training hyperparameters of a stage."""

    steps: int = Field(gt=0)
    batch: int = Field(gt=0, description="samples a process and forward pass")
    accumulate: int = Field(1, gt=0, description="forward passes a step")
    learning_rate: float = Field(gt=0)
    muon: float = Field(
        0.0,
        ge=0,
        description="learning rate of the weights of linear layers, "
        "which are then trained by Muon; 0 for AdamW throughout",
    )
    warmup: int = Field(0, ge=0, description="steps")
    end: float = Field(
        0.05, ge=0, le=1, description="share of the learning rate that the cosine ends at"
    )
    weight_decay: float = Field(0.05, ge=0)
    betas: tuple[float, float] = (0.9, 0.98)
    epsilon: float = Field(1e-6, gt=0)
    clip: float = Field(1.0, gt=0, description="norm of the gradient")
    ema: float = Field(
        0.0, ge=0, lt=1, description="decay of the weights' moving average, 0 for none"
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto",
        description="of products; auto is bf16 where the device has instructions for it, else fp32",
    )
    checkpointing: bool = Field(False, description="gradient checkpointing")
    adam_8bit: bool = Field(
        False, description="keep AdamW's moments in 8 bits, by bitsandbytes, on a GPU"
    )
    compile: bool = Field(False, description="torch.compile")
    workers: int = Field(0, ge=0, description="processes that read data")
    seed: int = 0
    save_every: int = Field(500, gt=0, description="steps")
    check_every: int = Field(200, gt=0, description="steps between validations")
    check_at_most: int = Field(
        256, gt=0, description="held-out chunks of a validation, the same ones each time"
    )


class StageConfig(Section):
    """The file of a stage: its kind and how it is trained."""

    stage: Literal["towers", "autoencoder", "detokenizer", "story", "adaptation"]
    train: Optimisation
    everything: bool = Field(
        False, description="train the whole UNet, not only its keys and values"
    )
    pictures: int = Field(
        10,
        gt=0,
        description="of a chunk that are taken at a time, drawn anew "
        "each time; for the autoencoder and the de-tokenizer",
    )
    figure_weight: float = Field(
        1,
        ge=1,
        description="weight of the de-tokenizer's loss where a picture shows a character, beside 1 "
        "elsewhere; 1 as in SEED-Story",
    )
    turns: Literal["every", "last"] = Field("every", description="of a chunk, that are supervised")
    contrast: float = Field(
        0,
        ge=0,
        description="weight of a loss of the story model that tells the pictures of a batch apart; "
        "0 as in SEED-Story",
    )


class Preset(Section):
    """A preset: the model, and its stages by file name, in order."""

    model: ModelConfig
    stages: dict[str, StageConfig]


def read(preset: str, settings: Sequence[str] = ()) -> Preset:
    """Reads the preset of a name or in a folder, with `settings` of the form FILE.NAME=VALUE.

    Raises ConfigError.
    """
    folder = PRESETS / preset if (PRESETS / preset).is_dir() else Path(preset)
    if not (folder / "model.yaml").is_file():
        names = ", ".join(sorted(path.name for path in PRESETS.iterdir() if path.is_dir()))
        raise ConfigError(f"{preset} is neither a preset ({names}) nor a folder with a model.yaml")
    files = {
        path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.yaml"))
    }
    for setting in settings:
        _put(files, setting)
    try:
        return Preset(model=files.pop("model"), stages=files)
    except ValidationError as error:
        raise ConfigError(f"{folder}: {_message(error)}") from error


@contextmanager
def naming(setting: str, model: str) -> Iterator[None]:
    """Raises ConfigError, naming the setting, where the model that it names cannot be loaded."""
    try:
        yield
    except ConfigError:
        raise
    except (
        OSError,  # of hubs
        RuntimeError,  # of open_clip
        ModuleNotFoundError,
        ValueError,  # of transformers, for a config that is none of its architectures
        SafetensorError,
    ) as error:
        reason = str(error).strip().split("\n\n")[0]
        raise ConfigError(
            f"{setting}: {model} cannot be loaded: {reason}\nGive a folder, or a "
            "name that is in this machine's cache or can be downloaded"
        ) from error


def _put(files: dict[str, Any], setting: str) -> None:
    usage = (
        f"write FILE.NAME=VALUE, with FILE one of {', '.join(files)}, such as "
        "2-story.train.steps=100"
    )
    file, dot, _ = setting.partition("=")[0].partition(".")
    if not dot or file not in files:
        raise ConfigError(f"--set {setting}: {usage}")
    try:
        put(files, setting, usage)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _message(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, details['loc']))}: {details['msg']}" for details in error.errors()
    )
