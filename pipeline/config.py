"""Every knob of the pipeline, typed and checked: defaults here, then a YAML file, then `--set`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from pipeline import model_specs
from schemas.settings import put


class ConfigError(ValueError):
    """A setting that cannot be used, with its name and what would do."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KeyframesConfig(_Section):
    """Which frames are chosen and which are dropped. Levels are of 255, times are seconds."""

    every: float = Field(4.0, gt=0, description="a shot gives a keyframe for each so many seconds")
    shortest_shot: float = Field(0.3, ge=0, description="shorter shots give none")
    tolerance: float = Field(0.85, gt=0, le=1, description="share of the best score")
    black: float = Field(24.0, ge=0, description="mean luma below this is black")
    flat: float = Field(8.0, ge=0, description="standard deviation of the luma below this is flat")
    smear_motion: float = Field(12.0, ge=0, description="difference to both neighbours, levels")
    smear_sharpness: float = Field(0.25, ge=0, description="share of the film's median sharpness")
    likeness: float = Field(0.68, gt=0, le=1, description="share of hash bits that two alike share")


class SelectionConfig(_Section):
    """What is dropped once the text on the screen and the other episodes are known."""

    recurring_likeness: float = Field(
        0.9,
        gt=0,
        le=1,
        description="hash bits shared by a picture that comes back in other episodes",
    )
    recurring_share: float = Field(
        0.5, gt=0, le=1, description="of a series' episodes that must have it"
    )
    recurring_edge: float = Field(
        120.0,
        ge=0,
        description="seconds from either end of an episode "
        "that are looked at, a quarter of it at most",
    )


class CaptionsConfig(_Section):
    """What a captioner is shown."""

    neighbours: int = Field(0, ge=0, le=2, description="pictures before and after it, for context")


class StoriesConfig(_Section):
    """How keyframes become stories, and for whom. The embedded writer knows one way only."""

    shortest: int = Field(10, ge=1, le=30, description="keyframes in a tail that is kept")
    window: int = Field(10, ge=1, le=30, description="texts asked for at once")
    reader_age: int = Field(6, ge=2, le=99, description="years")
    words: int = Field(25, ge=5, le=120, description="about so many words a picture")
    tense: Literal["past", "present"] = Field("past", description="that stories are told in")
    language: str = Field(
        "en", pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]+)*$", description="BCP 47: en, de, pt-BR"
    )
    style: str = Field("", max_length=500, description="in words: 'dry and funny, short sentences'")
    grounded: float = Field(
        0.7,
        ge=0,
        le=1,
        description="share of the texts of an answer that "
        "must say who and what their captions say; English only",
    )

    def own_way(self) -> dict[str, Any]:
        """The settings that the embedded writer cannot follow, where they are not the defaults."""
        plain = StoriesConfig()
        names = ("words", "tense", "language", "style", "window", "reader_age")
        return {
            name: getattr(self, name)
            for name in names
            if getattr(self, name) != getattr(plain, name)
        }


class QualityConfig(_Section):
    """What stories are scored with, and from where on one is dropped; null switches a gate off."""

    clip: str = Field(
        "",
        description="open_clip model that compares pictures and texts: "
        "'ViT-B-32:weights.safetensors', 'local-dir:FOLDER' or 'hf-hub:NAME'; "
        "'' for none",
    )
    min_similarity: float | None = Field(
        None,
        ge=-1,
        le=1,
        description="mean cosine of pictures "
        "and texts; every model has its own scale, so look at the "
        "report's histogram first",
    )
    max_repetition: float | None = Field(
        0.6, ge=0, le=1, description="share of runs of 4 words that the story had before"
    )
    max_reading_grade: float | None = Field(
        18.0, description="school years needed to read it; English only. 5 is a children's book"
    )
    min_language_share: float | None = Field(
        0.7, ge=0, le=1, description="share of words that are of the story's language"
    )
    max_toxic_words: int | None = Field(0, ge=0, description="in a story")
    toxic_words_file: str = Field(
        "",
        description="with a word or phrase a line, in place of the list that there is for English",
    )
    min_name_consistency: float | None = Field(
        0.5, ge=0, le=1, description="share of texts that name nobody unknown"
    )
    max_repaired: float | None = Field(
        None,
        ge=0,
        le=1,
        description="share of texts that were "
        "asked for twice; they passed the same checks in the end",
    )
    min_grounding: float | None = Field(
        0.2, ge=0, le=1, description="mean share of what captions say that the texts say too"
    )


class CallsConfig(_Section):
    """How models are asked. The embedded ones are not concerned."""

    longest_side: int = Field(768, ge=64, description="pixels of the pictures sent")
    max_tokens: int = Field(4096, ge=64, description="of an answer")
    temperature: float = Field(0.0, ge=0, le=2, description="of servers; local models never sample")
    at_once: int = Field(
        256, ge=1, description="calls in flight at the most; how many a server takes is found out"
    )
    timeout: float = Field(180.0, gt=0, description="seconds for an answer")
    tries: int = Field(5, ge=2, description="of a question that fails while others are answered")
    patience: float = Field(
        300.0, ge=0, description="seconds without any answer, after which the run stops"
    )
    batch: int = Field(8, ge=1, description="questions that a local model reads at once")
    workers: int = Field(
        1,
        ge=1,
        description="worker processes that ask a local model, on a "
        "cluster; one keeps a server busy",
    )


class Price(_Section):
    """What a model's tokens cost, a million of them."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)


class OutputConfig(_Section):
    """How stories are split and written."""

    name: str = Field("storystream", pattern=r"^[\w.-]+$", description="of the dataset")
    val_share: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="share of the films that are held "
        "out, each for its own name, so that new films move no others",
    )
    split_likeness: float = Field(
        0.945,
        ge=0.945,
        le=1,
        description="hash bits shared by two pictures that must not sit on both sides of the split",
    )
    shard_megabytes: float = Field(
        256.0,
        gt=0,
        description="size of a shard in the mean; none is much more than twice as large, and where "
        "there would be fewer than 8 of train they are smaller",
    )


def _backend(spec: str) -> str:
    model_specs.parse(spec)
    return spec


BackendSpec = Annotated[str, AfterValidator(_backend)]


class DatasetConfig(_Section):
    """All of it. `captioner` and `writer` name backends (see `pipeline.inference.backends`)."""

    captioner: BackendSpec = Field("embedded", description="see docs/models.md")
    writer: BackendSpec = Field("embedded", description="see docs/models.md")
    keyframes: KeyframesConfig = KeyframesConfig()
    selection: SelectionConfig = SelectionConfig()
    captions: CaptionsConfig = CaptionsConfig()
    stories: StoriesConfig = StoriesConfig()
    quality: QualityConfig = QualityConfig()
    calls: CallsConfig = CallsConfig()
    prices: dict[str, Price] = Field({}, description="by model, in the currency of the budget")
    budget: float | None = Field(None, gt=0, description="of all calls for this dataset")
    characters: str = Field("", description="YAML file: who is who, by series")
    prompts: str = Field("", description="folder of your own prompts; those not there are ours")
    schemes: list[str] = Field(
        [],
        description="of addresses that sources may name beside paths, gs:// and s3://: [https]",
    )
    speech: str = Field(
        "",
        description="faster-whisper model, by path or id, that recognises the "
        "dialogue of films without subtitles",
    )
    output: OutputConfig = OutputConfig()
    reject_limit: float = Field(0.5, ge=0, le=1, description="share of films that may be rejected")

    @model_validator(mode="after")
    def _fits_together(self) -> DatasetConfig:
        if self.writer == "embedded" and (asked := self.stories.own_way()):
            names = ", ".join(f"stories.{name}" for name in asked)
            raise ValueError(
                f"{names}: the embedded writer knows one way only; name a writer, "
                "such as openai:MODEL"
            )
        for spec in map(model_specs.parse, (self.captioner, self.writer)):
            if self.budget is not None and spec.kind == "openai" and spec.model not in self.prices:
                raise ValueError(
                    f"a budget needs the price of {spec.model}: prices: "
                    f"{{{spec.model}: {{input: 0.15, output: 0.60}}}}, a million "
                    "tokens"
                )
        return self

    def published(self) -> dict[str, Any]:
        """The settings as they are written down: not where a server happened to run."""
        return {
            **self.model_dump(),
            "captioner": model_specs.parse(self.captioner).identity,
            "writer": model_specs.parse(self.writer).identity,
        }


def load(path: str = "", settings: Sequence[str] = ()) -> DatasetConfig:
    """The defaults, changed by a YAML file and then by settings such as `keyframes.every=3`.

    Raises ConfigError, naming the setting and the remedy.
    """
    values: dict[str, Any] = {}
    if path:
        try:
            values = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
        except OSError as error:
            raise ConfigError(f"config file {path}: {error}") from None
        except UnicodeDecodeError as error:
            raise ConfigError(
                f"config file {path} is not UTF-8 text ({error}): save it as UTF-8"
            ) from None
        except yaml.YAMLError as error:
            raise ConfigError(f"config file {path} is not YAML: {error}") from None
        if not isinstance(values, dict):
            raise ConfigError(
                f"config file {path} must hold settings such as 'captioner: embedded'"
            )
    for setting in settings:
        try:
            put(values, setting, "write it as name=value, such as keyframes.every=3")
        except ValueError as error:
            raise ConfigError(str(error)) from None
    try:
        return DatasetConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError("; ".join(_fault(fault) for fault in error.errors())) from None


def _fault(fault: Any) -> str:
    message = fault["msg"].removeprefix("Value error, ")
    if not fault["loc"]:  # settings that do not go together
        return str(message)
    name = ".".join(map(str, fault["loc"]))
    if fault["type"] == "value_error":  # ours, which says itself what it is about
        return f"{name}: {message}"
    if fault["type"] != "extra_forbidden":
        return f"{name}: {message}, not {fault['input']!r}"
    section: Any = DatasetConfig
    for step in fault["loc"][:-1]:
        # Prices have any names: what is below one is the same for all.
        section = (
            Price
            if step == "prices"
            else (
                section.model_fields[step].annotation if step in section.model_fields else section
            )
        )
    return f"there is no setting {name}; there are {', '.join(section.model_fields)}"


def describe(model: BaseModel | None = None, indent: str = "") -> str:
    """All settings with their defaults and what they mean, as a config file to copy from."""
    lines = []
    for name, field in type(model := model or DatasetConfig()).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            about = " ".join((type(value).__doc__ or "").split())
            lines += ["", f"{name}:  # {about}", describe(value, indent + "  ")]
        else:
            shown = json.dumps(value, ensure_ascii=False)
            about = f"  # {field.description}" if field.description else ""
            lines.append(f"{indent}{name}: {shown}{about}")
    return "\n".join(lines)
