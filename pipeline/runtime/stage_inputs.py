"""Stage inputs: what a stage is given, which is what it declared to read and nothing else.

The key of a stage's output is made of the same declaration (`pipeline.graph.stage_cache`). So what
a stage could read without its key knowing, it cannot read at all, and no result is ever stale.
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

# Where a film and its subtitles are. Their content, not their place, belongs in a key.
PLACES = ("id", "uri", "size", "subtitles")
# Fields of a Video that only its content tells; the keyframes stage reads them, and its rows do.
CONTENT = ("size", "fingerprint", "duration", "width", "height", "fps", "rotation", "bars")


class UndeclaredRead(Exception):
    """A stage reads what its declaration in `pipeline.graph.stages` does not name."""


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What a stage is given of one film."""

    film: Film
    reads: Mapping[str, tuple[type[AnyRow], ...]]  # stage -> kinds of its rows
    fields: Sequence[str] = ()  # of the film's Video row

    def rows(self, stage: str, kind: type[Row]) -> list[Row]:
        """Returns the rows of one kind that an earlier stage made of the film."""
        if kind not in self.reads.get(stage, ()):
            raise UndeclaredRead(f"{kind.__name__} rows of {stage}")
        return self.film.rows(stage, kind)

    @property
    def video(self) -> Video:
        """The film's row: its places and declared fields, and what its content tells where the
        Video row of the keyframes stage is read; the other fields are empty."""
        found = self.film.video
        known = {name: getattr(found, name) for name in (*PLACES, *self.fields)}
        if Video in self.reads.get("keyframes", ()):
            (probed,) = self.film.rows("keyframes", Video)
            known |= {name: getattr(probed, name) for name in CONTENT}
        return Video(**{"series": "", "title": "", **known})

    @property
    def pictures(self) -> str:
        """The folder of the pictures of the film's keyframes."""
        if "keyframes" not in self.reads:
            raise UndeclaredRead("pictures of keyframes")
        return stage_outputs.pictures(self.film.work, self.film.outputs["keyframes"])


@dataclasses.dataclass(frozen=True)
class Job:
    """What a stage is given beside its films."""

    config: DatasetConfig  # the settings that it declared; others raise UndeclaredRead
    out: str  # the dataset folder
    output: str = ""  # name of the output to be made, of a stage that looks at one film
    threads: int = 1  # for decoding one film
    tick: Callable[[float], None] = lambda share: None  # is told the share that is done
    asker: Any = None  # of a stage that asks a model: `inference.client.Asker`


def declared(config: DatasetConfig, paths: Sequence[str]) -> DatasetConfig:
    """Returns the config with only the settings at these dotted paths readable."""
    return _Declared(config, tuple(paths), "")  # type: ignore[return-value]


class _Declared:
    """Attribute access to a config, or a section of it, that refuses undeclared settings."""

    def __init__(self, section: BaseModel, paths: tuple[str, ...], at: str) -> None:
        self._section, self._paths, self._at = section, paths, at

    def __getattr__(self, name: str) -> Any:
        value, path = getattr(self._section, name), f"{self._at}{name}"
        if path in self._paths:
            return value
        if any(declared.startswith(f"{path}.") for declared in self._paths):
            return _Declared(value, self._paths, f"{path}.")
        raise UndeclaredRead(f"setting {path}")


def setting(config: DatasetConfig, path: str) -> Any:
    """Returns the value of a setting, or of a section, at a dotted path, as JSON."""
    value: Any = config
    for name in path.split("."):
        value = getattr(value, name)
    return value.model_dump() if isinstance(value, BaseModel) else value
