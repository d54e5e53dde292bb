"""Every knob of the pipeline, typed and checked: defaults here, then a YAML file, then `--set`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from pipeline import backends

STAGES = ("keyframes", "text", "selection", "captions", "stories")  # that can be done again


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

    recurring_likeness: float = Field(0.9, gt=0, le=1, description="hash bits shared by a picture "
                                      "that comes back in other episodes")
    recurring_share: float = Field(0.5, gt=0, le=1, description="of a series' episodes that must "
                                   "have it")
    recurring_edge: float = Field(120.0, ge=0, description="seconds from either end of an episode "
                                  "that are looked at, a quarter of it at most")


class StoriesConfig(_Section):
    """How keyframes become stories."""

    shortest: int = Field(10, ge=1, le=30, description="keyframes in a tail that is kept")


class OutputConfig(_Section):
    """How stories are split and written."""

    name: str = Field("storystream", pattern=r"^[\w.-]+$", description="of the dataset")
    val_share: float = Field(0.1, ge=0, lt=1, description="of the stories, in whole episodes")
    split_likeness: float = Field(0.945, ge=0.945, le=1, description="hash bits shared by two "
                                  "pictures that must not sit on both sides of the split")
    shard_megabytes: float = Field(256.0, gt=0, description="target size of a shard")


def _backend(spec: str) -> str:
    backends.parse(spec)
    return spec


BackendSpec = Annotated[str, AfterValidator(_backend)]


class DatasetConfig(_Section):
    """All of it. `captioner` and `writer` name backends (see `pipeline.backends`)."""

    captioner: BackendSpec = "embedded"
    writer: BackendSpec = "embedded"
    keyframes: KeyframesConfig = KeyframesConfig()
    selection: SelectionConfig = SelectionConfig()
    stories: StoriesConfig = StoriesConfig()
    output: OutputConfig = OutputConfig()
    reject_limit: float = Field(0.5, ge=0, le=1, description="share of films that may be rejected")


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
        except yaml.YAMLError as error:
            raise ConfigError(f"config file {path} is not YAML: {error}") from None
        if not isinstance(values, dict):
            raise ConfigError(
                f"config file {path} must hold settings such as 'captioner: embedded'")
    for setting in settings:
        _put(values, setting)
    try:
        return DatasetConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError("; ".join(_fault(fault) for fault in error.errors())) from None


def _put(values: dict[str, Any], setting: str) -> None:
    name, equals, text = setting.partition("=")
    if not equals:
        raise ConfigError(f"--set {setting}: write it as name=value, such as keyframes.every=3")
    *sections, leaf = name.split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise ConfigError(f"--set {setting}: {section} is one value, not a section")
    values[leaf] = yaml.safe_load(text)


def _fault(fault: Any) -> str:
    name = ".".join(map(str, fault["loc"]))
    if fault["type"] == "extra_forbidden":
        section: Any = DatasetConfig
        for step in fault["loc"][:-1]:
            section = section.model_fields[step].annotation
        return f"there is no setting {name}; there are {', '.join(section.model_fields)}"
    return f"{name}: {fault['msg'].removeprefix('Value error, ')}, not {fault['input']!r}"
