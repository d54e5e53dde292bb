"""What a dataset of so many hours of film would take: core hours, hours of servers or GPUs, GB,
tokens and what these cost, and how long so many workers are at it.

Nothing is looked at but rates, those built in or those of a dataset made before (`rates`), and the
settings. The plan is a multiplication, and prints what it multiplied with and where that is from.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from pipeline import model_specs
from pipeline.annotation import expected_calls
from pipeline.config import DatasetConfig
from pipeline.cost import estimate
from pipeline.cost.estimate import Work
from pipeline.cost.rates import (
    ANSWER,
    BUILT_IN,
    CACHED_ANSWERS,
    PER_SECOND,
    PICTURES,
    PLACES,
    Rates,
)
from pipeline.graph.stages import STAGES, Stage
from pipeline.graph.stages import steps as all_steps
from schemas.rows import Video

SERIES = 26  # films, for each of which characters are asked about once


@dataclasses.dataclass(frozen=True)
class Films:
    """What is to be worked on."""

    hours: float
    minutes: float  # of a film
    size: tuple[int, int]  # width and height
    keyframes: float  # a minute

    @property
    def number(self) -> int:
        """How many films there are."""
        return max(1, round(self.hours * 60 / self.minutes))

    @property
    def all_keyframes(self) -> float:
        """Keyframes of all of them."""
        return self.hours * 60 * self.keyframes


def work(films: Films, config: DatasetConfig, rates: Rates) -> dict[str, Work]:
    """What each step has to do. A film of another size than that of the rates takes the more time
    for its keyframes the more pixels it has."""
    scale = _scale(films, rates)
    takes = estimate.Takes(
        config,
        dataclasses.replace(
            rates, seconds={**rates.seconds, "keyframes": scale * rates.seconds["keyframes"]}
        ),
    )
    count = round(films.minutes * films.keyframes)
    film = Video(
        "film",
        "",
        "series",
        "",
        duration=films.minutes * 60,
        width=films.size[0],
        height=films.size[1],
    )
    steps = {}
    for stage in all_steps():
        one = Work()
        takes.add(one, stage, film, count)
        # What is asked about a series was seen per keyframe, or else is guessed for one film.
        once = stage.role and stage.scope == "series" and not takes.known(stage)
        times = films.all_keyframes / count if count else 0.0
        steps[stage.name] = _times(one, times, times / SERIES if once else times)
    return steps


def _times(one: Work, films: float, asked: float) -> Work:
    # An embedded model, which keeps nobody waiting, has its rate a keyframe, however it is asked.
    return Work(
        round(films),
        0,
        one.calls * asked,
        one.input_tokens * asked,
        one.output_tokens * asked,
        one.cost * asked,
        one.seconds * (asked if one.waiting else films),
        one.waiting * asked,
    )


def _scale(films: Films, rates: Rates) -> float:
    return (films.size[0] * films.size[1]) / (rates.size[0] * rates.size[1])


def storage(
    films: Films, steps: dict[str, Work], config: DatasetConfig, rates: Rates
) -> dict[str, float]:
    """Bytes by place, as `rates.PLACES` names them, where every picture is a file of its own."""
    scale = _scale(films, rates)
    sizes = {
        place: films.all_keyframes * rates.bytes[place] * (scale if place in PICTURES else 1)
        for place in PLACES
    }
    if not sizes[CACHED_ANSWERS]:
        sizes[CACHED_ANSWERS] = ANSWER * sum(
            steps[stage.name].calls for stage in all_steps() if _kind(stage, config) != "embedded"
        )
    return sizes


def _kind(stage: Stage, config: DatasetConfig) -> str:
    return model_specs.parse(getattr(config, stage.role)).kind if stage.role else "embedded"


def seconds(stage: Stage, one: Work, config: DatasetConfig, workers: int, servers: int) -> float:
    """How long a step is worked on, by so many workers of a core and so many servers, or by the
    workers of `calls.workers`, each with the model on its GPU."""
    kind = _kind(stage, config)
    if kind == "embedded":
        return one.seconds / (1 if stage.name == "publish" else workers)
    if kind == "transformers":
        return one.waiting / config.calls.workers
    return max(one.waiting / servers, one.seconds)  # one process asks them all


def describe(
    films: Films, config: DatasetConfig, rates: Rates, workers: Sequence[int], servers: int
) -> str:
    """The plan as text to print."""
    steps = work(films, config, rates)
    return "\n".join(
        [
            f"{films.hours:,.6g} hours: {films.number:,} films of {films.minutes:.3g} minutes, "
            f"{films.size[0]}x{films.size[1]}; {films.all_keyframes:,.0f} keyframes",
            "",
            *_steps(steps, config, workers, servers),
            "",
            *_storage(storage(films, steps, config, rates)),
            "",
            "What this rests on:",
            *(f"- {one}" for one in assumptions(films, config, rates)),
        ]
    )


def _steps(
    steps: dict[str, Work], config: DatasetConfig, workers: Sequence[int], servers: int
) -> list[str]:
    kinds = [_kind(stage, config) for stage in STAGES]
    answers = [
        f"{number} {one}{'s' * (number > 1)}"
        for kind, number, one in (
            ("openai", servers, "server"),
            ("transformers", config.calls.workers, "GPU"),
        )
        if kind in kinds
    ]
    known = " and ".join([*([", ".join(answers)] if answers else []), "so many workers"])
    lines = [
        f"{'':10} {'core':>8} {'model':>7} {'':>11} {'million tokens':>19} {'':>11}  "
        f"hours with {known}",
        f"{'step':10} {'hours':>8} {'hours':>7} {'calls':>11} {'in':>10} {'out':>8} "
        f"{'cost':>11}" + "".join(f" {number:>8,}" for number in workers),
    ]
    took = {
        stage.name: [
            seconds(stage, steps[stage.name], config, number, servers) for number in workers
        ]
        for stage in all_steps()
    }
    took["in all"] = [sum(column) for column in zip(*took.values(), strict=True)]
    for stage, one in [*steps.items(), ("in all", estimate.in_all(steps))]:
        lines.append(
            f"{stage:10} {_short(one.seconds / 3600):>8} {_short(one.waiting / 3600):>7} "
            f"{one.calls:>11,.0f} {_short(one.input_tokens / 1e6):>10} "
            f"{_short(one.output_tokens / 1e6):>8} {one.cost:>11,.2f}"
            + "".join(f" {_short(span / 3600):>8}" for span in took[stage])
        )
    return lines


def _short(value: float) -> str:
    """A number as short as it may be: "1,235", "12.3", "0.012", and "-" for none."""
    if value >= 10:
        return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
    return f"{value:.2g}" if value >= 0.001 else "-"


def _storage(sizes: dict[str, float]) -> list[str]:
    lines = [f"{'storage':14} {'GB':>11}"]
    for place, size in sizes.items():
        if size:
            lines.append(
                f"{f'{place}/' if place else 'the rest':14} {_short(size / 1e9):>11}  "
                f"{PLACES[place]}"
            )
    return [*lines, f"{'in all':14} {_short(sum(sizes.values()) / 1e9):>11}"]


def assumptions(films: Films, config: DatasetConfig, rates: Rates) -> list[str]:
    """All that the plan takes for granted, and where it is from."""
    takes = estimate.Takes(config, rates)
    own = [stage for stage in all_steps() if _kind(stage, config) == "embedded"]
    asked = [stage for stage in all_steps() if stage not in own]

    def source(stage: Stage) -> str:
        return "built in" if stage.role and not takes.known(stage) else rates.source[stage.name]

    said = [
        f"{films.keyframes:.3g} keyframes a minute ({rates.source['films']}), as the films and "
        f"keyframes.every={config.keyframes.every:g} have it"
    ]
    for stage in own:
        took = takes.rates if source(stage) != "built in" else BUILT_IN
        said.append(
            f"{stage.name}: {took.seconds[stage.name]:.3g} s of a core per "
            f"{'minute of film' if stage.per == 'minute' else 'keyframe'} ({source(stage)})"
        )
    said.append(
        "workers are as fast as the core that was measured on, and always busy; steps "
        "follow one another; publish is done by one"
    )
    if "built in" in map(source, own):
        said.append(
            "built in is what Big Buck Bunny (1280x720) and its trailer took where the "
            "project was built"
        )
    if films.size != rates.size:
        said.append(
            f"measured on {rates.size[0]}x{rates.size[1]}: the time for keyframes and the "
            "bytes of pictures grow with the pixels"
        )
    for stage in asked:
        known, measured = takes.known(stage), takes.per_second(stage)
        served = _kind(stage, config) == "openai"
        asks = (
            f"one process asks, {1 / takes.asking(stage, films.size):.0f} a second at most"
            if served
            else f"calls.workers={config.calls.workers}, each with one"
        )
        said.append(
            f"{stage.name}: a {'server' if served else 'GPU'} answers {measured or PER_SECOND:.3g} "
            f"calls a second ({source(stage) if measured else 'assumed, not measured'}); {asks}"
        )
        said.append(
            f"{stage.name}: calls and tokens "
            + (
                f"as in {source(stage)}"
                if known
                else (
                    "by the prompts, every answer right the first time, "
                    f"{expected_calls.CHARACTERS_PER_TOKEN:g} characters or "
                    f"{expected_calls.PATCH}x{expected_calls.PATCH} pixels per token"
                    + f", {SERIES} films per series"
                    * (stage.scope == "series")
                )
            )
        )
    models = {model_specs.parse(getattr(config, stage.role)).model for stage in asked}
    if unpriced := sorted(models - set(config.prices)):
        said.append(f"cost is of tokens alone; no price is set for {', '.join(unpriced)} (prices)")
    return [
        *said,
        f"bytes: {rates.source['bytes']}; each picture lies in work/ and again in the "
        "dataset, as in a bucket (on one disk they are links)",
    ]
