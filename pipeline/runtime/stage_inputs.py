"""Gives a stage its inputs: the rows, fields and settings that it declares, and no others.

The key of a stage's output is made of the same declaration (`pipeline.graph.stage_cache`). A stage
therefore cannot depend on anything that its key does not contain, and no output is ever stale.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from pipeline.config import DatasetConfig
from pipeline.runtime import stage_outputs
from pipeline.runtime.stage_outputs import AnyRow, Film
from schemas.rows import Row, Video

# Fields of a Video that locate the film and its subtitles. Their content, not where they are,
# belongs in a key.
LOCATION = ("id", "uri", "size", "subtitles")
# Fields of a Video that are read from the film itself, by the keyframes stage.
CONTENT = (
    "size",
    "fingerprint",
    "duration",
    "width",
    "height",
    "fps",
    "rotation",
    "bars",
    "interlaced",
    "hdr",
)


class UndeclaredRead(Exception):
    """Raised when a stage reads what its declaration in `pipeline.graph.stages` does not name."""


@dataclasses.dataclass(frozen=True)
class Inputs:
    """The inputs of a stage from one film."""

    film: Film
    reads: Mapping[str, tuple[type[AnyRow], ...]]  # stage -> kinds of rows
    fields: Sequence[str] = ()  # of the film's Video row

    def rows(self, stage: str, kind: type[Row]) -> list[Row]:
        """Returns the rows of one kind in an earlier stage's output for the film."""
        if kind not in self.reads.get(stage, ()):
            raise UndeclaredRead(f"{kind.__name__} rows of {stage}")
        return self.film.rows(stage, kind)

    @property
    def video(self) -> Video:
        """The film's row with only its location, the declared fields and, if the Video row of the
        keyframes stage is declared, the fields of its content; other fields are empty."""
        found = self.film.video
        values = {name: getattr(found, name) for name in (*LOCATION, *self.fields)}
        if Video in self.reads.get("keyframes", ()):
            (probed,) = self.film.rows("keyframes", Video)
            values |= {name: getattr(probed, name) for name in CONTENT}
        return Video(**{"series": "", "title": "", **values})

    @property
    def images_folder(self) -> str:
        """The folder of the film's keyframe images."""
        if "keyframes" not in self.reads:
            raise UndeclaredRead("images of keyframes")
        return stage_outputs.images_folder(self.film.work, self.film.outputs["keyframes"])


@dataclasses.dataclass(frozen=True)
class Job:
    """The inputs of a stage that do not come from films."""

    config: DatasetConfig  # the declared settings; others raise UndeclaredRead
    out: str  # the dataset folder
    output: str = ""  # name of the output to be made, for a stage that processes one film at a time
    decisions: str = ""  # version of what people decided, as `pipeline.runtime.decisions` has it
    threads: int = 1  # for decoding one film
    tick: Callable[[float], None] = lambda share: None  # takes the share of the work that is done
    client: Any = None  # for a stage that asks a model: `inference.client.ModelClient`


def declared(config: DatasetConfig, paths: Sequence[str]) -> DatasetConfig:
    """Returns the config with only the settings at these dotted paths readable."""
    return _Declared(config, tuple(paths), "")  # type: ignore[return-value]


class _Declared:
    """A config, or a section of it, whose undeclared settings raise UndeclaredRead."""

    def __init__(self, section: BaseModel, paths: tuple[str, ...], prefix: str) -> None:
        self._section, self._paths, self._prefix = section, paths, prefix

    def __getattr__(self, name: str) -> Any:
        value, path = getattr(self._section, name), f"{self._prefix}{name}"
        if path in self._paths:
            return value
        if any(declared.startswith(f"{path}.") for declared in self._paths):
            return _Declared(value, self._paths, f"{path}.")
        raise UndeclaredRead(f"setting {path}")


def setting(config: DatasetConfig, path: str) -> Any:
    """Returns the value of a setting or section at a dotted path, as JSON."""

    value: Any = config
    for name in path.split("."):
        value = getattr(value, name)
    return value.model_dump() if isinstance(value, BaseModel) else value
