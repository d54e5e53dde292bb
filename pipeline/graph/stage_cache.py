"""How every stage keeps what it makes of a film: a part, found again or made once, and counted."""

from __future__ import annotations

import contextlib
import dataclasses
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from apache_beam.metrics import Metrics

from pipeline.config import DatasetConfig
from pipeline.graph import stages
from pipeline.graph.stages import Film
from pipeline.keyframes import segment_scan
from pipeline.runtime import progress, stage_outputs
from schemas.rows import Keyframe

NAMESPACE = "storystream"


@dataclasses.dataclass(frozen=True)
class Run:
    """What every stage of a run is told."""

    config: DatasetConfig
    out: str
    work: str
    threads: int = 1  # for decoding one film
    force: tuple[str, ...] = ()  # stages to do again, and ids of films to do all of again
    until: str = ""  # the stage to stop after, "" for none
    # Seconds of a film that one worker passes over.
    segment: float = dataclasses.field(default_factory=lambda: segment_scan.SECONDS)
    id: str = dataclasses.field(default_factory=lambda: uuid.uuid4().hex)  # unlike any other run's

    def forced(self, stage: str, film: Film) -> bool:
        """Whether a stage of a film is to be done again, whatever is there."""
        return stage in self.force or film.video.id in self.force


def count(stage: str, name: str, amount: int) -> None:
    """Adds to a counter of a stage, which the run's record and the runner's own page show."""
    Metrics.counter(NAMESPACE, f"{stage}/{name}").inc(amount)


def measure(stage: str, name: str, amount: int) -> None:
    """Adds a value to a distribution of a stage: of all its values the number, sum and range."""
    Metrics.distribution(NAMESPACE, f"{stage}/{name}").update(amount)


@contextlib.contextmanager
def timed(stage: str) -> Iterator[None]:
    """Counts the time of the block as the stage's, whatever comes of it."""
    started = time.monotonic()
    try:
        yield
    finally:
        count(stage, "milliseconds", round(1000 * (time.monotonic() - started)))


class Keeping:
    """One film at one stage: the part that it makes there, or that an earlier run has left."""

    def __init__(self, stage: str, film: Film, depends: Any, run: Run, begun: float = -1.0) -> None:
        self.stage, self.film = stage, film
        self.part = stages.part_name(stage, film, depends)
        self._file = stage_outputs.path(run.work, self.part)
        self.there = not run.forced(stage, film) and stages.final(film, self.part)
        self.tick = progress.ticking(stage, begun)
        self.began = time.monotonic()

    def done(self, rows: Sequence[stage_outputs.AnyRow] | None) -> Film:
        """The film with the part: these rows, or None for those that are there."""
        if rows is None:
            count(self.stage, "reused", 1)
        else:
            stage_outputs.save(self._file, rows)
            count(self.stage, "done", 1)
            measure(self.stage, "milliseconds", round(1000 * (time.monotonic() - self.began)))
            measure(self.stage, "rows", len(rows))
            if self.stage == "keyframes":  # the only one that makes pictures
                measure(
                    self.stage,
                    "bytes",
                    sum(row.bytes for row in stage_outputs.only(Keyframe, rows)),
                )
            for row in rows:
                count(self.stage, f"rows {type(row).__name__}", 1)
        self.tick(1.0)
        return dataclasses.replace(self.film, parts={**self.film.parts, self.stage: self.part})


def kept(
    stage: str,
    film: Film,
    depends: Any,
    make: Callable[[str, progress.Tick], list[stage_outputs.AnyRow]],
    run: Run,
    begun: float = -1.0,
) -> Film:
    """The film with the stage's part, made now or found from an earlier run. `begun` is as in
    `progress.ticking`."""
    with timed(stage):
        keeping = Keeping(stage, film, depends, run, begun)
        return keeping.done(None if keeping.there else make(keeping.part, keeping.tick))
