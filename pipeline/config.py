"""Defines and validates all settings of the pipeline: defaults, then a YAML file, then `--set`."""

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
    field_validator,
    model_validator,
)

from pipeline import model_specs
from schemas.overrides import put


class ConfigError(ValueError):
    """Raised when a setting is invalid; the message names it and says what is valid."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ShotsConfig(_Section):
    """Thresholds of the detector `ours`. Levels are 0 to 255, times are in seconds."""

    cut_difference: float = Field(
        18.0,
        ge=0,
        description="a cut changes luma and chroma by more levels together; less is motion, "
        "or two shots that look the same",
    )
    cut_ratio: float = Field(
        2.5,
        ge=1,
        description="and by more times than its calmer side; fast motion changes much on both",
    )
    cut_correlation: float = Field(
        0.9, ge=-1, le=1, description="and correlates less; lightning and a lamp keep the shapes"
    )
    dissolve_span: float = Field(
        10.0, ge=0, description="levels between the ends of a dissolve; less nobody notices"
    )
    flat: float = Field(
        7.0, ge=0, description="a frame with a lower standard deviation of luma shows nothing"
    )
    dark: float = Field(24.0, ge=0, description="luma below this is black")
    fade_seconds: float = Field(3.0, gt=0, description="a fade to or from nothing is no longer")
    dissolve_seconds: float = Field(
        5.0, gt=0, description="a dissolve is no longer; slow pans are more and more like one"
    )
    wipe_seconds: float = Field(
        2.2, gt=0, description="a wipe, iris, push or cover is no longer; camera moves are"
    )


SCENEDETECT = ("adaptive", "content", "hash", "histogram", "threshold")  # its detectors


def _detector(name: str) -> str:
    kind, _, rest = name.partition(":")
    if not (
        name in ("ours", "transnetv2")
        or (kind == "scenedetect" and rest in SCENEDETECT)
        or (kind == "cuts" and rest)
    ):
        raise ValueError(
            f"there is no detector {name!r}; choose ours, scenedetect:"
            f"{'|'.join(SCENEDETECT)}, transnetv2, or cuts: with a file or folder of cuts"
        )
    return name


class KeyframesConfig(_Section):
    """Choice of keyframes from each film. Luma levels are 0 to 255, times are in seconds."""

    every: float = Field(4.0, gt=0, description="a shot has one keyframe per this many seconds")
    shortest_shot: float = Field(0.3, ge=0, description="shorter shots have no keyframe")
    tolerance: float = Field(
        0.85, gt=0, le=1, description="lowest score of a keyframe, as a share of the best score"
    )
    black: float = Field(
        24.0, ge=0, description="a frame with a lower mean luma is black, unless something is lit"
    )
    flat: float = Field(
        8.0,
        ge=0,
        description="a frame with a lower standard deviation of luma, and no edge, is flat",
    )
    smear_motion: float = Field(
        12.0, ge=0, description="a smeared frame differs more from both neighbours, in luma levels"
    )
    smear_sharpness: float = Field(
        0.25, ge=0, description="and is less sharp than this share of the film's median"
    )
    likeness: float = Field(
        0.68, gt=0, le=1, description="share of equal hash bits that makes near-duplicates"
    )
    change: float = Field(
        0.005,
        ge=0,
        le=1,
        description="unless a region of at least this share of the image differs: a character "
        "that enters, leaves or turns",
    )
    detector: Annotated[str, AfterValidator(_detector)] = Field(
        "ours",
        description="of shots: ours, scenedetect:NAME with a name of "
        f"{', '.join(SCENEDETECT)}, transnetv2, or cuts:PATH with cuts of your own",
    )
    detector_parameters: dict[str, bool | int | float | str] = Field(
        {},
        description="of scenedetect's detector, by its own names, or the threshold of transnetv2",
    )
    shots: ShotsConfig = ShotsConfig()

    @model_validator(mode="after")
    def _parameters_are_read(self) -> KeyframesConfig:
        if self.detector_parameters and self.detector.partition(":")[0] in ("ours", "cuts"):
            raise ValueError(
                f"the detector {self.detector} has no detector_parameters; the thresholds of ours "
                "are settings under keyframes.shots"
            )
        return self


class SelectionConfig(_Section):
    """Rejection of keyframes that recur in other episodes, such as opening and end credits."""

    recurring_likeness: float = Field(
        0.9, gt=0, le=1, description="share of equal hash bits that makes an image recurring"
    )
    recurring_share: float = Field(
        0.5, gt=0, le=1, description="share of a series' episodes in which it must recur"
    )
    recurring_edge: float = Field(
        120.0,
        ge=0,
        description="seconds at the start and the end of an episode that are compared, "
        "each at most a quarter of it",
    )


class CastConfig(_Section):
    """Who is in each picture."""

    figures: str = Field(
        "embedded",
        pattern=r"^(embedded|none|captioner|(onnx|transformers):.+)$",
        description="what finds figures: embedded learns them from each film; captioner asks the "
        "model that captions; onnx:FILE is a detector (YOLO, RT-DETR), transformers:FOLDER a "
        "zero-shot one (OWLv2, Grounding DINO); none finds nobody",
    )
    labels: list[str] = Field(
        [],
        description="whom a detector looks for, as in [person, rabbit]; empty: anybody, or all "
        "classes of an ONNX file",
    )
    least_score: float = Field(
        0.3, ge=0, le=1, description="of a detector's box, below which it is no figure"
    )
    likeness: str = Field(
        "embedded",
        pattern=r"^(embedded|(onnx|timm|open_clip):.+)$",
        description="what tells figures apart: embedded, or an image encoder: onnx:FILE, "
        "timm:MODEL, open_clip:MODEL",
    )


class CaptionsConfig(_Section):
    """Images that the captioner is sent."""

    neighbours: int = Field(
        0, ge=0, le=2, description="keyframes before and after the captioned one, for context"
    )
    references: bool = Field(
        False,
        description="begin each question with one picture of the series' characters, for models "
        "that read several pictures",
    )


class StoriesConfig(_Section):
    """Length, language and style of stories. The embedded writer has a style of its own."""

    cut: Literal["length", "scenes"] = Field(
        "length",
        description="length: after every 30 keyframes, as in the published dataset; scenes: where "
        "scenes end, after `shortest` to 30",
    )
    shortest: int = Field(
        10, ge=1, le=30, description="keyframes of the shortest story, at the end of a film"
    )
    window: int = Field(10, ge=1, le=30, description="texts that one model call asks for")
    reader_age: int = Field(6, ge=2, le=99, description="in years")
    words: int = Field(25, ge=5, le=120, description="per image, roughly")
    tense: Literal["past", "present"] = Field("past", description="of the narrative")
    language: str = Field(
        "en", pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]+)*$", description="BCP 47 code: en, de, pt-BR"
    )
    style: str = Field(
        "", max_length=500, description="in words, such as 'dry and funny, short sentences'"
    )
    grounded: float = Field(
        0.5,
        ge=0,
        le=1,
        description="how well a window's texts must fit their own pictures, as a share of each "
        "text's best fit",
    )

    def unsupported_by_embedded(self) -> list[str]:
        """Returns the names of settings that the embedded writer does not support."""
        defaults = StoriesConfig()
        names = ("words", "tense", "language", "style", "window", "reader_age")
        return [name for name in names if getattr(self, name) != getattr(defaults, name)]


class QualityConfig(_Section):
    """Scores of stories, and the limits beyond which a story is rejected; null is no limit."""

    clip: str = Field(
        "",
        description="open_clip model that compares images with texts: "
        "'ViT-B-32:weights.safetensors', 'local-dir:FOLDER' or 'hf-hub:NAME'; "
        "'' for none",
    )
    min_similarity: float | None = Field(
        None,
        ge=-1,
        le=1,
        description="mean cosine of images and texts; its scale depends on the model, "
        "so see the report's histogram first",
    )
    max_repetition: float | None = Field(
        0.6, ge=0, le=1, description="share of 4-word sequences that occur earlier in the story"
    )
    max_reading_grade: float | None = Field(
        18.0, description="years of school needed to read it, 5 for a children's book; English only"
    )
    min_language_share: float | None = Field(
        0.7, ge=0, le=1, description="share of words that are in the story's language"
    )
    max_toxic_words: int | None = Field(0, ge=0, description="per story")
    toxic_words_file: str = Field(
        "",
        description="file with a word or phrase per line, instead of the built-in English list",
    )
    min_name_consistency: float | None = Field(
        0.5, ge=0, le=1, description="share of texts without names of unknown characters"
    )
    max_repaired: float | None = Field(
        None,
        ge=0,
        le=1,
        description="share of texts that were asked for again, as the first answer failed a check",
    )
    min_grounding: float | None = Field(
        0.2, ge=0, le=1, description="mean share of what captions mention that the texts do too"
    )
    accepted: bool = Field(
        False, description="keep only stories that a person accepted (storystream review)"
    )


ROLES = ("captioner", "writer", "judge")
# Fields of requests that are set here, and so are not taken from `calls.extra`.
_OUR_FIELDS = {
    "temperature": "is set by calls.temperature",
    "max_tokens": "is set by calls.max_tokens",
    "max_completion_tokens": "is set by calls.max_tokens",
    "model": "is set by captioner, writer or judge",
    **dict.fromkeys(
        ("messages", "response_format", "stream", "stream_options", "n"),
        "is set by the pipeline itself",
    ),
}


def _fields(extra: Any) -> dict[str, Any]:
    if not isinstance(extra, dict):
        raise ValueError("write the fields of one role as a map, such as {top_k: 20}")
    return extra


class CallsConfig(_Section):
    """Calls of models on servers and of local models, other than the embedded ones."""

    longest_side: int = Field(768, ge=64, description="pixels of the images sent")
    detail: Literal["auto", "low", "high"] = Field(
        "auto", description="of images, for servers that know it: low costs less and sees less"
    )
    max_tokens: int | None = Field(
        None, ge=64, description="per answer, thoughts included; null: what each question can need"
    )
    context: int | None = Field(
        None,
        ge=256,
        description="tokens that a server reads and writes per request; null: as it says itself",
    )
    temperature: float | None = Field(
        None, ge=0, le=2, description="of servers, null for their own; local models never sample"
    )
    extra: dict[str, Any] = Field(
        {},
        description="more fields of requests to servers, such as {top_k: 20}; those under captioner"
        ", writer or judge go to that one only",
    )
    at_once: int = Field(
        256, ge=1, description="most calls in flight; the number adapts to the server"
    )
    timeout: float = Field(
        300.0,
        gt=0,
        description="seconds to wait until an answer begins, or for all of it from a server that "
        "does not stream",
    )
    token_timeout: float = Field(60.0, gt=0, description="seconds of silence within an answer")
    tries: int = Field(5, ge=2, description="of a call that fails while others succeed")
    patience: float = Field(
        600.0, ge=0, description="seconds without any answer after which the run stops"
    )
    batch: int = Field(8, ge=1, description="prompts that a local model processes together")
    workers: int = Field(
        1,
        ge=1,
        description="worker processes with a local model, on a cluster; a server is called by one",
    )

    @field_validator("extra")
    @classmethod
    def _are_not_ours(cls, extra: dict[str, Any]) -> dict[str, Any]:
        for name in [*extra, *(name for role in ROLES for name in _fields(extra.get(role, {})))]:
            if name in _OUR_FIELDS:
                raise ValueError(f"{name} {_OUR_FIELDS[name]}")
        try:
            json.dumps(extra, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"it goes into a request as JSON, and cannot: {error}") from None
        return extra

    def __hash__(self) -> int:
        return hash(self.model_dump_json())  # a map has no hash of its own

    def extra_of(self, role: str) -> dict[str, Any]:
        """Returns the further fields of requests to the captioner, the writer or the judge."""
        shared = {name: value for name, value in self.extra.items() if name not in ROLES}
        return {**shared, **self.extra.get(role, {})}


class Price(_Section):
    """Price of a model's tokens, per million."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)


class OutputConfig(_Section):
    """Name, split and shards of the dataset."""

    name: str = Field("storystream", pattern=r"^[\w.-]+$", description="of the dataset")
    val_share: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="share of films in val, chosen by name, so that new films move no others",
    )
    split_likeness: float = Field(
        0.945,
        ge=0.945,
        le=1,
        description="share of equal hash bits of images that must not be in both train and val",
    )
    shard_megabytes: float = Field(
        256.0,
        gt=0,
        description="mean size of a shard; the largest have about twice as much, and where there "
        "would be fewer than 8 of train they are smaller",
    )


def _backend(spec: str) -> str:
    model_specs.parse(spec)
    return spec


BackendSpec = Annotated[str, AfterValidator(_backend)]


class DatasetConfig(_Section):
    """All settings. `captioner` and `writer` name backends (see `pipeline.inference.backends`)."""

    captioner: BackendSpec = Field("embedded", description="see docs/models.md")
    writer: BackendSpec = Field("embedded", description="see docs/models.md")
    keyframes: KeyframesConfig = KeyframesConfig()
    selection: SelectionConfig = SelectionConfig()
    cast: CastConfig = CastConfig()
    captions: CaptionsConfig = CaptionsConfig()
    stories: StoriesConfig = StoriesConfig()
    quality: QualityConfig = QualityConfig()
    calls: CallsConfig = CallsConfig()
    prices: dict[str, Price] = Field({}, description="by model, in the currency of the budget")
    budget: float | None = Field(None, gt=0, description="for all calls for this dataset")
    characters: str = Field("", description="YAML file of character names and looks, by series")
    prompts: str = Field("", description="folder of prompts to use instead of the built-in ones")
    schemes: list[str] = Field(
        [],
        description="of addresses that sources may name beside paths, gs:// and s3://: [https]",
    )
    speech: str = Field(
        "",
        description="faster-whisper model, path or id, that transcribes films without subtitles",
    )
    output: OutputConfig = OutputConfig()
    reject_limit: float = Field(0.5, ge=0, le=1, description="share of films that may be rejected")

    @model_validator(mode="after")
    def _fits_together(self) -> DatasetConfig:
        if self.cast.figures == "captioner" and self.captioner == "embedded":
            raise ValueError(
                "cast.figures: the embedded captioner finds no figures; choose another captioner, "
                "such as captioner=openai:MODEL, or cast.figures=embedded"
            )
        if self.writer == "embedded" and (unsupported := self.stories.unsupported_by_embedded()):
            names = ", ".join(f"stories.{name}" for name in unsupported)
            raise ValueError(
                f"{names}: the embedded writer supports the default only; choose another writer, "
                "such as writer=openai:MODEL"
            )
        for spec in map(model_specs.parse, (self.captioner, self.writer)):
            if self.budget is not None and spec.kind == "openai" and spec.model not in self.prices:
                raise ValueError(
                    f"a budget needs the price of {spec.model} per million tokens, such as prices: "
                    f"{{{spec.model}: {{input: 0.15, output: 0.60}}}}"
                )
        return self

    def published(self) -> dict[str, Any]:
        """Returns the settings as the dataset records them, without addresses of servers."""
        return {
            **self.model_dump(),
            "captioner": model_specs.parse(self.captioner).identity,
            "writer": model_specs.parse(self.writer).identity,
        }


def load(path: str = "", settings: Sequence[str] = ()) -> DatasetConfig:
    """Loads the settings: defaults, then a YAML file, then settings such as `keyframes.every=3`.

    Raises ConfigError.
    """
    values: dict[str, Any] = {}
    if path:
        try:
            values = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
        except OSError as error:
            raise ConfigError(f"config file {path} cannot be read: {error}") from None
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
        raise ConfigError("; ".join(_explain(fault) for fault in error.errors())) from None


def _explain(fault: Any) -> str:
    """Returns the message for one of pydantic's errors."""
    message = fault["msg"].removeprefix("Value error, ")
    if not fault["loc"]:  # of several settings, which the message names
        return str(message)
    name = ".".join(map(str, fault["loc"]))
    if fault["type"] == "value_error":  # of ours, with the value in its message
        return f"{name}: {message}"
    if fault["type"] != "extra_forbidden":
        return f"{name}: {message}, not {fault['input']!r}"
    section: Any = DatasetConfig
    for step in fault["loc"][:-1]:
        # The keys of prices are names of models; each value is a Price.
        section = (
            Price
            if step == "prices"
            else (
                section.model_fields[step].annotation if step in section.model_fields else section
            )
        )
    return f"there is no setting {name}; valid names are {', '.join(section.model_fields)}"


def describe(model: BaseModel | None = None, indent: str = "") -> str:
    """Returns all settings with defaults and descriptions, as a config file in YAML."""
    lines = []
    for name, field in type(model := model or DatasetConfig()).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            about = " ".join((type(value).__doc__ or "").split())
            lines += ["", f"{indent}{name}:  # {about}", describe(value, indent + "  ")]
        else:
            shown = json.dumps(value, ensure_ascii=False)
            about = f"  # {field.description}" if field.description else ""
            lines.append(f"{indent}{name}: {shown}{about}")
    return "\n".join(lines)
