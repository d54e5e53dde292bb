"""What a run would do, before it does it: films, calls, tokens, money and minutes.

What an earlier run has left is looked up, part by part, exactly as the run itself would. For the
rest, a part of some films is looked at for how many keyframes they will have; tokens are those of
this model's answers that are kept already, and without any those of the prompts as they are and of
answers as long as they ask for, at four characters a token.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence

import av

from pipeline import model_specs
from pipeline.annotation.expected_calls import ExpectedCalls
from pipeline.config import DatasetConfig
from pipeline.cost.rates import ASKING, BUILT_IN, MEGAPIXEL, PER_SECOND, Questions, Rates
from pipeline.graph.stage_cache import Run, cached_outputs
from pipeline.graph.stages import STAGES, Stage
from pipeline.inference import response_cache
from pipeline.inference.backends.loading import name
from pipeline.ingest.video import VideoError, probe
from pipeline.keyframes import select
from pipeline.runtime import storage
from pipeline.runtime.stage_outputs import Film
from schemas import layout
from schemas.rows import Keyframe, Video

LOOKED_AT = 8  # films, of each of which
SECONDS_LOOKED_AT = 120.0  # in its middle are looked at
# Share of those keyframes that are kept: 0.85 in the sample, 0.61 in Big Buck Bunny, which has long
# credits and pictures that come back, 0.79 in its trailer. Rather too many calls than too few.
KEPT = 0.84


@dataclasses.dataclass
class Work:
    """What one stage has to do."""

    films: int = 0
    reused: int = 0
    calls: float = 0
    input_tokens: float = 0.0
    output_tokens: float = 0.0
    cost: float = 0.0
    seconds: float = 0.0  # of one core
    waiting: float = 0.0  # seconds, for one server or one worker with a model on a GPU


def estimate(videos: Sequence[Video], config: DatasetConfig, out: str) -> dict[str, Work]:
    """What each stage would do. Reads headers of all films, some of a few, and what is in `out`."""
    work = {stage.name: Work() for stage in STAGES}
    run = Run(config, out, storage.join(out, layout.WORK))
    films = _known([Film(video, run.work) for video in videos], run)
    counts = _keyframes(films, config)
    takes = Takes(config, BUILT_IN, run.work)
    asked: set[tuple[str, str]] = set()  # stage and series
    for film, (video, count) in counts:
        for stage in STAGES:
            if stage.name in film.outputs:
                work[stage.name].reused += 1
                continue
            work[stage.name].films += 1
            if stage.role and stage.scope == "series":  # once for the series
                if (stage.name, video.series) in asked:
                    continue
                asked.add((stage.name, video.series))
            takes.add(work[stage.name], stage, video, count)
    return work


def _keyframes(
    films: Sequence[Film], config: DatasetConfig
) -> list[tuple[Film, tuple[Video, int]]]:
    """Each film that can be read as probed, and how many keyframes it has or will have."""
    known, guessed = [], []
    for film in films:
        try:
            video = probe(film.video)
        except (VideoError, OSError):
            continue  # the run makes a reject of it, at no cost
        last = next(
            (stage for stage in ("selection", "text", "keyframes") if stage in film.outputs), None
        )
        if last:
            known.append((film, (video, len(film.rows(last, Keyframe)))))
        else:
            guessed.append((film, video))
    share = _density([video for _, video in guessed], config)
    return known + [(film, (video, round(video.duration * share))) for film, video in guessed]


def _density(videos: Sequence[Video], config: DatasetConfig) -> float:
    """Keyframes a second of films that no run has looked at, by some of them."""
    count = min(LOOKED_AT, len(videos))
    seconds = found = 0.0
    for video in [videos[at * len(videos) // count] for at in range(count)]:
        length = min(video.duration, SECONDS_LOOKED_AT)
        try:
            density = select.density(
                video, config.keyframes, (video.duration - length) / 2, length, os.cpu_count() or 1
            )
        except (VideoError, ValueError, OSError, av.FFmpegError):
            continue
        seconds, found = seconds + length, found + density * length
    return KEPT * found / seconds if seconds else 0.0


def _known(films: list[Film], run: Run) -> list[Film]:
    """The films with those outputs that an earlier run has left and this one would use."""
    for stage in run.stages:
        jobs: dict[str, list[Film]] = {}
        for film in films:
            video = film.video
            jobs.setdefault(video.series if stage.scope == "series" else video.id, []).append(film)
        films = [film for job in jobs.values() for film in _with_output(stage, job, run)]
    return sorted(films, key=lambda film: film.video.id)


def _with_output(stage: Stage, job: list[Film], run: Run) -> list[Film]:
    try:
        films = cached_outputs(stage, job, run)
    except (KeyError, OSError, ValueError):
        return job  # a stage before it is not done, or a film or its output cannot be read
    return [
        film.film.with_output(stage.name, film.output) if film.reusable else film.film
        for film in films
    ]


class Takes:
    """What a stage takes for a film: questions as this model was seen to be asked, or as its
    prompts let expect, and time at some rates."""

    def __init__(self, config: DatasetConfig, rates: Rates, work: str = "") -> None:
        """`work` is a folder of part files, whose kept answers tell of tokens; "" for none."""
        self.config, self.rates = config, rates
        self.specs = {
            role: model_specs.parse(getattr(config, role)) for role in ("captioner", "writer")
        }
        self.seen = {
            role: response_cache.tokens(work, name(role, spec)) if work else {}
            for role, spec in self.specs.items()
            if spec.kind != "embedded"
        }

    def add(self, work: Work, stage: Stage, video: Video, count: int) -> None:
        """Adds a film of so many keyframes to what a stage has to do."""
        if not stage.role:
            work.seconds += self.rates.seconds[stage.name] * (
                video.duration / 60 if stage.per == "minute" else count
            )
            return
        spec = self.specs[stage.role]
        calls, tokens_in, tokens_out = self._asked(stage, video, count)
        work.calls += calls
        work.input_tokens += tokens_in
        work.output_tokens += tokens_out
        price = self.config.prices.get(spec.model)
        if price is not None:
            work.cost += (tokens_in * price.input + tokens_out * price.output) / 1e6
        if spec.kind == "embedded":
            own = self.rates if self.known(stage) else BUILT_IN
            work.seconds += own.seconds[stage.name] * count
        else:
            if spec.kind == "openai":  # else our share is in how long a worker's model takes
                work.seconds += self.asking(stage, (video.width, video.height)) * calls
            work.waiting += calls / (self.per_second(stage) or PER_SECOND)

    def per_second(self, stage: Stage) -> float | None:
        """Calls of this very model that were seen to be answered a second, None for none."""
        known = self.known(stage)
        return known.per_second if known else None

    def asking(self, stage: Stage, size: tuple[int, int]) -> float:
        """Seconds of a core for one call of a server, with the pictures that go with it."""
        pictures = 1 + 2 * self.config.captions.neighbours if stage.role == "captioner" else 0
        return ASKING + pictures * MEGAPIXEL * size[0] * size[1] / 1e6

    def known(self, stage: Stage) -> Questions | None:
        """What the rates know of the stage's questions to this very model."""
        questions = self.rates.asked.get(stage.name)
        same = questions and questions.model == self.specs[stage.role].identity
        return questions if same else None

    def _asked(self, stage: Stage, video: Video, count: int) -> tuple[float, float, float]:
        """Calls, tokens of their questions, tokens of their answers."""
        if known := self.known(stage):
            return count * known.calls, count * known.input_tokens, count * known.output_tokens
        seen = self.seen.get(stage.role, {})
        # A question that is asked twice, as its answer failed, is in what was seen.
        sums = [
            (calls.calls, *seen.get(calls.prompt, (calls.input_tokens, calls.output_tokens)))
            for calls in (stage.expected_calls or _no_calls)(self.config, video, count)
        ]
        return (
            sum(number for number, _, _ in sums),
            sum(number * read for number, read, _ in sums),
            sum(number * written for number, _, written in sums),
        )


def _no_calls(config: DatasetConfig, video: Video, keyframes: int) -> list[ExpectedCalls]:
    return []


def in_all(work: dict[str, Work]) -> Work:
    """The sum of all but the films, which are the same in each stage."""
    return Work(
        0,
        0,
        *(
            sum(getattr(one, field.name) for one in work.values())
            for field in dataclasses.fields(Work)[2:]
        ),
    )


def describe(work: dict[str, Work]) -> str:
    """The estimate as a table to print."""
    cores = os.cpu_count() or 1
    total = in_all(work)
    lines = [
        f"{'stage':<10} {'films':>6} {'reused':>7} {'calls':>7} {'tokens in':>12} "
        f"{'tokens out':>12} {'cost':>9} {'minutes':>8}"
    ]
    for stage, one in [*work.items(), ("in all", total)]:
        lines.append(
            f"{stage:<10} {one.films or '':>6} {one.reused or '':>7} "
            f"{round(one.calls) or '':>7} {round(one.input_tokens):>12,} "
            f"{round(one.output_tokens):>12,} {one.cost:>9.2f} "
            f"{(one.seconds / cores + one.waiting) / 60:>8.1f}"
        )
    return "\n".join(
        [
            *lines,
            f"Minutes are for {cores} cores like those the project was built on; "
            f"a server answers {PER_SECOND:.1f} calls a second. Nothing was done.",
        ]
    )
