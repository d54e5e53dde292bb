"""What a run would do, before it does it: films, calls, tokens, money and minutes.

What an earlier run has left is looked up, part by part, exactly as the run itself would. For the
rest, a part of some films is looked at for how many keyframes they will have; tokens are those of
this model's answers that are kept already, and without any those of the prompts as they are and of
answers as long as they ask for, at four characters a token.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Sequence
from typing import Any

import av

from pipeline import model_specs
from pipeline.annotation import prompts
from pipeline.config import STAGES, DatasetConfig
from pipeline.cost.rates import ASKING, BUILT_IN, MEGAPIXEL, PER_SECOND, Questions, Rates
from pipeline.graph import stages
from pipeline.graph.model_transforms import ROLES
from pipeline.graph.stages import Film
from pipeline.inference import response_cache
from pipeline.inference.backends.loading import name
from pipeline.ingest.video import VideoError, probe
from pipeline.keyframes import select
from pipeline.runtime import storage
from schemas.rows import STORY_LENGTH, Keyframe, Video

LOOKED_AT = 8  # films, of each of which
SECONDS_LOOKED_AT = 120.0  # in its middle are looked at
# Share of those keyframes that are kept: 0.85 in the sample, 0.61 in Big Buck Bunny, which has long
# credits and pictures that come back, 0.79 in its trailer. Rather too many calls than too few.
KEPT = 0.84

CHARACTERS_A_TOKEN = 4.0
PATCH = 28  # pixels a side of what is a token of a picture (Qwen2.5-VL; other models differ much)
CAPTION, DIALOGUE = 30, 8  # tokens of a caption's sentence, of what is said over a keyframe
CAPTION_ANSWER = 95  # tokens of a caption with its fields
CHARACTER, CAST = 45, 6  # tokens of an entry, and entries of a series
WORD, FORM = 1.35, 14  # tokens a word, and of the JSON around a text


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
    work = {stage: Work() for stage in STAGES}
    films = _known([Film(video, storage.join(out, "work")) for video in videos], config, out)
    counts = _keyframes(films, config)
    takes = Takes(config, BUILT_IN, storage.join(out, "work"))
    drafted: set[str] = set()
    for film, (video, count) in counts:
        for stage in STAGES:
            if stage in film.parts:
                work[stage].reused += 1
                continue
            work[stage].films += 1
            if stage == "characters" and video.series in drafted:  # once for the series
                continue
            if stage == "characters":
                drafted.add(video.series)
            takes.add(work[stage], stage, video, count)
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
            (stage for stage in ("selection", "text", "keyframes") if stage in film.parts), None
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


def _known(films: list[Film], config: DatasetConfig, out: str) -> list[Film]:
    """The films with those parts that an earlier run has left and this one would take."""

    def series(film: Film) -> list[Film]:
        return [other for other in films if other.video.series == film.video.series]

    depends: dict[str, Callable[[Film], Any]] = {
        "keyframes": lambda film: stages.keyframes_depend(film, config),
        "text": lambda film: stages.text_depends(film, config),
        "selection": lambda film: stages.selection_depends(film, series(film), config),
        "captions": lambda film: stages.captions_depend(film, config),
        "characters": lambda film: stages.characters_depend(series(film), config, out),
        "stories": lambda film: stages.stories_depend(film, config),
        "quality": lambda film: stages.quality_depends(film, config),
    }
    for stage in STAGES:
        films = [_with_part(film, stage, depends[stage]) for film in films]
    return films


def _with_part(film: Film, stage: str, depends: Callable[[Film], Any]) -> Film:
    try:
        part = stages.part_name(stage, film, depends(film))
    except (KeyError, OSError):  # a stage before it is not done, or the film cannot be read
        return film
    if not stages.final(film, part):
        return film
    return dataclasses.replace(film, parts={**film.parts, stage: part})


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
            role: response_cache.mean_tokens(work, name(role, spec)) if work else {}
            for role, spec in self.specs.items()
            if spec.kind != "embedded"
        }

    def add(self, work: Work, stage: str, video: Video, count: int) -> None:
        """Adds a film of so many keyframes to what a stage has to do."""
        if stage not in ROLES:
            work.seconds += self.rates.seconds[stage] * (
                video.duration / 60 if stage == "keyframes" else count
            )
            return
        spec = self.specs[ROLES[stage]]
        calls, tokens_in, tokens_out = self._asked(stage, video, count)
        work.calls += calls
        work.input_tokens += tokens_in
        work.output_tokens += tokens_out
        price = self.config.prices.get(spec.model)
        if price is not None:
            work.cost += (tokens_in * price.input + tokens_out * price.output) / 1e6
        if spec.kind == "embedded":
            own = self.rates if self.known(stage) else BUILT_IN
            work.seconds += own.seconds[stage] * count
        else:
            if spec.kind == "openai":  # else our share is in how long a worker's model takes
                work.seconds += self.asking(stage, (video.width, video.height)) * calls
            work.waiting += calls / (self.per_second(stage) or PER_SECOND)

    def per_second(self, stage: str) -> float | None:
        """Calls of this very model that were seen to be answered a second, None for none."""
        known = self.known(stage)
        return known.per_second if known else None

    def asking(self, stage: str, size: tuple[int, int]) -> float:
        """Seconds of a core for one call of a server, with the pictures that go with it."""
        pictures = 1 + 2 * self.config.captions.neighbours if stage == "captions" else 0
        return ASKING + pictures * MEGAPIXEL * size[0] * size[1] / 1e6

    def known(self, stage: str) -> Questions | None:
        """What the rates know of the stage's questions to this very model."""
        questions = self.rates.asked.get(stage)
        same = questions and questions.model == self.specs[ROLES[stage]].identity
        return questions if same else None

    def _asked(self, stage: str, video: Video, count: int) -> tuple[float, float, float]:
        """Calls, tokens of their questions, tokens of their answers."""
        if known := self.known(stage):
            return count * known.calls, count * known.input_tokens, count * known.output_tokens
        seen = self.seen.get(ROLES[stage], {})
        # A question that is asked twice, as its answer failed, is in what was seen.
        sums = [
            (number, *seen.get(task, (read, written)))
            for task, number, read, written in self._calls(stage, video, count)
        ]
        return (
            sum(number for number, _, _ in sums),
            sum(number * read for number, read, _ in sums),
            sum(number * written for number, _, written in sums),
        )

    def _calls(self, stage: str, video: Video, count: int) -> list[tuple[str, int, float, float]]:
        """Task, calls, tokens of a question, tokens of an answer."""
        if stage == "captions":
            return [("caption", count, self._caption(video), CAPTION_ANSWER)]
        if stage == "characters":
            some = min(count, 60)
            return [
                (
                    "characters",
                    1,
                    self._prompt("characters") + some * (CAPTION + DIALOGUE),
                    CAST * CHARACTER,
                )
            ]
        settings = self.config.stories
        text = settings.words * WORD
        calls: list[tuple[str, int, float, float]] = []
        for start in range(0, count, STORY_LENGTH):
            length = min(STORY_LENGTH, count - start)
            if length < settings.shortest:
                break
            for first in range(0, length, settings.window):
                asked = min(settings.window, length - first)
                calls.append(
                    (
                        "narrate",
                        1,
                        self._prompt("narrate") + first * text + asked * (CAPTION + DIALOGUE + 8),
                        asked * (text + FORM),
                    )
                )
            calls.append(
                (
                    "link",
                    1,
                    self._prompt("link") + length * (CAPTION + text + 6),
                    length * (text + FORM),
                )
            )
        return calls

    def _prompt(self, task: str) -> float:
        """Tokens of a prompt without what is filled in, which its blanks are about as long as."""
        return prompts.length(task, self.config.prompts) / CHARACTERS_A_TOKEN

    def _caption(self, video: Video) -> float:
        side = self.config.calls.longest_side
        scale = min(1.0, side / max(video.width, video.height, 1))
        picture = math.ceil(video.width * scale / PATCH) * math.ceil(video.height * scale / PATCH)
        shown = 1 + 2 * self.config.captions.neighbours
        return self._prompt("caption") + DIALOGUE + shown * picture


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
