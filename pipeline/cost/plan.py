"""Plans a dataset of many hours of film: core hours, hours of servers or GPUs, tokens, cost, GB.

It multiplies rates, built in or measured on another dataset (`rates`), and prints them with where
they are from. It reads no films.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from pipeline import model_specs
from pipeline.annotation import expected_calls
from pipeline.config import DatasetConfig
from pipeline.cost import estimate
from pipeline.cost.estimate import CostModel, Work
from pipeline.cost.rates import (
    BUILT_IN,
    BYTES_PER_RESPONSE,
    CACHED_RESPONSES,
    CALLS_PER_SECOND,
    FOLDERS,
    IMAGE_FOLDERS,
    Rates,
)
from pipeline.graph.stages import Stage, of
from pipeline.graph.stages import steps as all_steps
from pipeline.inference import picture_tokens
from pipeline.runtime.counted import counted
from schemas.rows import Video

FILMS_PER_SERIES = 26  # a stage whose scope is a series makes its calls once for these


@dataclasses.dataclass(frozen=True)
class Films:
    """The films that a dataset is planned for."""

    hours: float  # of all films
    minutes: float  # per film
    size: tuple[int, int]  # width and height
    keyframes: float  # per minute

    @property
    def number(self) -> int:
        """The number of films."""
        return max(1, round(self.hours * 60 / self.minutes))

    @property
    def all_keyframes(self) -> float:
        """The number of keyframes of all films."""
        return self.hours * 60 * self.keyframes


def work(films: Films, config: DatasetConfig, rates: Rates) -> dict[str, Work]:
    """Returns the work of each step. The time to find keyframes is proportional to the pixels of a
    frame."""
    scale = _scale(films, rates)
    model = CostModel(
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
    for stage in all_steps(config):
        per_film = Work()
        model.add(per_film, stage, film, count)
        number = films.all_keyframes / count if count else 0.0  # of films
        # Measured calls are per keyframe; those expected for a series are made once per series.
        once = stage.role and stage.scope == "series" and not model.measured(stage)
        steps[stage.name] = _multiplied(
            per_film, number, number / FILMS_PER_SERIES if once else number
        )
    return steps


def _multiplied(per_film: Work, films: float, rounds: float) -> Work:
    """Returns the work for a number of films; model calls are made `rounds` times."""
    return Work(
        round(films),
        0,
        per_film.calls * rounds,
        per_film.input_tokens * rounds,
        per_film.output_tokens * rounds,
        per_film.cost * rounds,
        # The rate of an embedded model is per keyframe, however its calls are made.
        per_film.core_seconds * (rounds if per_film.model_seconds else films),
        per_film.model_seconds * rounds,
    )


def _scale(films: Films, rates: Rates) -> float:
    return (films.size[0] * films.size[1]) / (rates.size[0] * rates.size[1])


def storage(
    films: Films, steps: dict[str, Work], config: DatasetConfig, rates: Rates
) -> dict[str, float]:
    """Returns bytes by folder (`rates.FOLDERS`), without hard links between images."""
    scale = _scale(films, rates)
    sizes = {
        folder: films.all_keyframes
        * rates.bytes[folder]
        * (scale if folder in IMAGE_FOLDERS else 1)
        for folder in FOLDERS
    }
    if not sizes[CACHED_RESPONSES]:
        sizes[CACHED_RESPONSES] = BYTES_PER_RESPONSE * sum(
            steps[stage.name].calls
            for stage in all_steps(config)
            if _kind(stage, config) != "embedded"
        )
    return sizes


def _kind(stage: Stage, config: DatasetConfig) -> str:
    return model_specs.parse(getattr(config, stage.role)).kind if stage.role else "embedded"


def seconds(
    stage: Stage, step_work: Work, config: DatasetConfig, workers: int, servers: int
) -> float:
    """Returns how long a step takes with that many workers, of one core each, and servers.

    With a local model, `calls.workers` workers run it, each with a GPU.
    """
    kind = _kind(stage, config)
    if kind == "embedded":
        return step_work.core_seconds / (1 if stage.name == "publish" else workers)
    if kind == "transformers":
        return step_work.model_seconds / config.calls.workers
    # One process makes the calls of all servers.
    return max(step_work.model_seconds / servers, step_work.core_seconds)


def describe(
    films: Films, config: DatasetConfig, rates: Rates, workers: Sequence[int], servers: int
) -> str:
    """Returns the plan as text to print."""
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
            "Assumptions:",
            *(f"- {line}" for line in assumptions(films, config, rates)),
        ]
    )


def _steps(
    steps: dict[str, Work], config: DatasetConfig, workers: Sequence[int], servers: int
) -> list[str]:
    kinds = [_kind(stage, config) for stage in of(config)]
    models = [
        counted(number, noun)
        for kind, number, noun in (
            ("openai", servers, "server"),
            ("transformers", config.calls.workers, "GPU"),
        )
        if kind in kinds
    ]
    given = " and ".join([*([", ".join(models)] if models else []), "this many workers"])
    lines = [
        f"{'':10} {'core':>8} {'model':>7} {'':>11} {'million tokens':>19} {'':>11}  "
        f"hours with {given}",
        f"{'step':10} {'hours':>8} {'hours':>7} {'calls':>11} {'in':>10} {'out':>8} "
        f"{'cost':>11}" + "".join(f" {number:>8,}" for number in workers),
    ]
    durations = {
        stage.name: [
            seconds(stage, steps[stage.name], config, number, servers) for number in workers
        ]
        for stage in all_steps(config)
    }
    durations["total"] = [sum(column) for column in zip(*durations.values(), strict=True)]
    for name, row in [*steps.items(), ("total", estimate.total(steps))]:
        lines.append(
            f"{name:10} {_short(row.core_seconds / 3600):>8} {_short(row.model_seconds / 3600):>7} "
            f"{row.calls:>11,.0f} {_short(row.input_tokens / 1e6):>10} "
            f"{_short(row.output_tokens / 1e6):>8} {row.cost:>11,.2f}"
            + "".join(f" {_short(duration / 3600):>8}" for duration in durations[name])
        )
    return lines


def _short(value: float) -> str:
    """Formats a number with two or three digits: "1,235", "12.3", "0.012", and "-" for zero."""
    if value >= 10:
        return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
    return f"{value:.2g}" if value >= 0.001 else "-"


def _storage(sizes: dict[str, float]) -> list[str]:
    lines = [f"{'storage':14} {'GB':>11}"]
    for folder, size in sizes.items():
        if size:
            lines.append(
                f"{f'{folder}/' if folder else 'other files':14} {_short(size / 1e9):>11}  "
                f"{FOLDERS[folder]}"
            )
    return [*lines, f"{'total':14} {_short(sum(sizes.values()) / 1e9):>11}"]


def _pictures(config: DatasetConfig) -> str:
    """Says how the captioner's pictures are counted."""
    model = model_specs.parse(config.captioner).model
    if picture_tokens.find(model) is None:
        return "a picture's tokens as Qwen2.5-VL's: there is no rule for this model"
    return "a picture's tokens by the rule of the model's family"


def assumptions(films: Films, config: DatasetConfig, rates: Rates) -> list[str]:
    """Returns a sentence for each rate and assumption of the plan, with where it is from."""
    model = CostModel(config, rates)
    computed = [stage for stage in all_steps(config) if _kind(stage, config) == "embedded"]
    asking = [stage for stage in all_steps(config) if stage not in computed]

    def source(stage: Stage) -> str:
        return "built in" if stage.role and not model.measured(stage) else rates.source[stage.name]

    lines = [
        f"{films.keyframes:.3g} keyframes per minute ({rates.source['films']}); this depends on "
        f"the films and on keyframes.every, which is {config.keyframes.every:g}"
    ]
    for stage in computed:
        per = rates.embedded if stage.role and not model.measured(stage) else rates.seconds
        lines.append(
            f"{stage.name}: {per[stage.name]:.3g} core seconds per "
            f"{'minute of film' if stage.per == 'minute' else 'keyframe'} ({source(stage)})"
        )
    lines.append(
        "workers are as fast as the core that the rates were measured on, and always busy; steps "
        "run one after another; publish runs in one worker"
    )
    if "built in" in map(source, computed):
        lines.append(
            "built in: measured on Big Buck Bunny (1280x720) and its trailer, on the machine on "
            "which the project was developed"
        )
        if rates.machine != BUILT_IN.machine and rates.source["films"] == "built in":
            lines.append(f"corrected for {rates.machine}")
    if films.size != rates.size:
        lines.append(
            f"measured on {rates.size[0]}x{rates.size[1]}: the time to find keyframes and the "
            "bytes of images are proportional to the pixels"
        )
    for stage in asking:
        served = _kind(stage, config) == "openai"
        calls_per_second = model.calls_per_second(stage)
        limit = (
            "one process makes the calls, at most "
            f"{1 / model.core_seconds_per_call(stage, films.size):.0f} per second"
            if served
            else f"calls.workers={config.calls.workers}, each with a GPU"
        )
        lines.append(
            f"{stage.name}: a {'server' if served else 'GPU'} answers "
            f"{calls_per_second or CALLS_PER_SECOND:.3g} calls per second "
            f"({source(stage) if calls_per_second else 'assumed, not measured'}); {limit}"
        )
        if model.measured(stage):
            lines.append(f"{stage.name}: calls and tokens as in {source(stage)}")
        else:
            lines.append(
                f"{stage.name}: calls and tokens by the prompts, if every answer passes its "
                f"checks; {expected_calls.CHARACTERS_PER_TOKEN:g} characters per token"
                + f"; {_pictures(config)}" * (stage.name == "captions")
                + f"; {FILMS_PER_SERIES} films per series" * (stage.scope == "series")
            )
    models = {model_specs.parse(getattr(config, stage.role)).model for stage in asking}
    if unpriced := sorted(models - set(config.prices)):
        lines.append(
            f"cost is of tokens only; no price is set for {', '.join(unpriced)} (set prices)"
        )
    return [
        *lines,
        f"bytes: {rates.source['bytes']}; each image is stored in work/ and again in the dataset, "
        "as in a bucket (on one disk the second is a hard link)",
    ]
