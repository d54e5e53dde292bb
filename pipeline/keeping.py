"""How every stage keeps what it makes of a film: a part, found again or made once, and counted."""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from apache_beam.metrics import Metrics

from pipeline import parts, progress, stages
from pipeline.config import DatasetConfig
from pipeline.stages import Film

NAMESPACE = "storystream"


@dataclasses.dataclass(frozen=True)
class Run:
    """What every stage of a run is told."""

    config: DatasetConfig
    out: str
    work: str
    threads: int = 1  # for decoding one film
    force: tuple[str, ...] = ()  # stages to do again
    until: str = ""  # the stage to stop after, "" for none
    id: str = dataclasses.field(default_factory=lambda: uuid.uuid4().hex)  # unlike any other run's


def count(stage: str, name: str, amount: int) -> None:
    """Adds to a counter of a stage, which the run's record and the runner's own page show."""
    Metrics.counter(NAMESPACE, f"{stage}/{name}").inc(amount)


class Keeping:
    """One film at one stage: the part that it makes there, or that an earlier run has left."""

    def __init__(self, stage: str, film: Film, depends: Any, run: Run) -> None:
        self.stage, self.film = stage, film
        self.part = stages.part_name(stage, film, depends)
        self._file = parts.path(run.work, self.part)
        self.there = stage not in run.force and stages.final(self._file)
        self.tick = progress.ticking(stage)

    def done(self, rows: Sequence[parts.AnyRow] | None) -> Film:
        """The film with the part: these rows, or None for those that are there."""
        if rows is None:
            count(self.stage, "reused", 1)
        else:
            parts.save(self._file, rows)
            count(self.stage, "done", 1)
            for row in rows:
                count(self.stage, f"rows {type(row).__name__}", 1)
        self.tick(1.0)
        return dataclasses.replace(self.film, parts={**self.film.parts, self.stage: self.part})


def kept(stage: str, film: Film, depends: Any,
         make: Callable[[str, progress.Tick], list[parts.AnyRow]], run: Run) -> Film:
    """The film with the stage's part, made now or found from an earlier run."""
    started = time.monotonic()
    keeping = Keeping(stage, film, depends, run)
    done = keeping.done(None if keeping.there else make(keeping.part, keeping.tick))
    count(stage, "milliseconds", int(1000 * (time.monotonic() - started)))
    return done
