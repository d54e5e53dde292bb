"""Tables and plot of long stories, by policy and length."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.long_stories.cost import WORDS, Cost
from benchmarks.long_stories.policies import VARIANTS
from benchmarks.long_stories.prediction import Predictions, perplexity, perplexity_ratio
from benchmarks.results.confidence_intervals import bootstrap_mean
from benchmarks.results.tables import OF_ROUNDS, Better, Column, Figure, Table
from benchmarks.timing import spread
from schemas.rows import CHUNK_LENGTH

MOMENTS_PER_LENGTH = 5  # moments that stand for a length: those that end there


def moments_at(length: int) -> slice:
    """Returns the moments that a length's figures are of: those that end there."""
    return slice(max(1, length - MOMENTS_PER_LENGTH), length)


def _by_length(
    name: str,
    title: str,
    lengths: Sequence[int],
    cells: Mapping[str, Mapping[int, Figure]],
    about: Mapping[str, Any],
    *,
    better: Better = "",
    unit: str = "",
    digits: int = 2,
    text: str = "",
    pictures: Sequence[str] = (),
) -> Table:
    columns = {length: Column(f"{length} pictures", better, unit, digits) for length in lengths}
    return Table(
        f"long-stories-{name}",
        title,
        "policy",
        tuple(columns.values()),
        {
            row: {columns[length].name: figure for length, figure in figures.items()}
            for row, figures in cells.items()
        },
        text,
        dict(about),
        bounds=("true",) if "true" in cells else (),
        pictures=tuple(pictures),
    )


def prediction_tables(
    given: Mapping[str, Predictions],
    reference: Predictions,
    lengths: Sequence[int],
    about: Mapping[str, Any],
    picture: str,
) -> list[Table]:
    """Makes the tables of perplexity ratio, perplexity and cosine by policy and length."""

    def shared(length: int) -> slice:  # moments that have as many before them as in training
        """Returns the moments with as many pictures before them as in training."""
        return slice(max(moments_at(length).start, CHUNK_LENGTH - 1), length)

    def count(told: Predictions, moments: slice) -> int:
        """Counts texts."""
        return int(told.words[:, moments].size)

    about = {**about, "interval": "95 %, bootstrap over moments"}
    return [
        _by_length(
            "perplexity-ratio",
            "Perplexity of the next text after true texts and pictures, "
            "relative to the same moments as the last of 10 pictures",
            lengths,
            {
                name: {
                    length: Figure(
                        *_with(
                            count(told, shared(length)),
                            perplexity_ratio(told, reference, shared(length)),
                        )
                    )
                    for length in lengths
                }
                for name, told in given.items()
            },
            about,
            better="lower",
            pictures=[picture],
            text="1 means that nothing is lost by what has left the cache, or by positions "
            "beyond those of training. Each length has other texts, so perplexity itself does "
            "not compare lengths.",
        ),
        _by_length(
            "perplexity",
            "Perplexity per token",
            lengths,
            {
                name: {
                    length: Figure(perplexity(told, shared(length)), count(told, shared(length)))
                    for length in lengths
                }
                for name, told in given.items()
            },
            about,
        ),
        _by_length(
            "cosine",
            "Cosine of the next picture's features, after true texts and pictures",
            lengths,
            {
                name: {
                    length: bootstrap_mean(
                        told.cosine[:, moments_at(length)].ravel(),
                        np.repeat(
                            [str(row) for row in range(len(told.cosine))],
                            told.cosine[:, moments_at(length)].shape[1],
                        ),
                    )
                    for length in lengths
                }
                for name, told in given.items()
            },
            {**about, "interval": "95 %, bootstrap over stories"},
            better="higher",
            digits=3,
        ),
    ]


def _with(count: int, values: tuple[float, float, float]) -> tuple[float, int, float, float]:
    value, low, high = values
    return value, count, low, high


def painted_tables(
    painted: Mapping[tuple[str, int], Mapping[str, Figure]],
    lengths: Sequence[int],
    about: Mapping[str, Any],
) -> list[Table]:
    """Makes the tables of the accuracy and the Frechet distance of painted pictures."""
    names = list(dict.fromkeys(name for name, _ in painted))

    def all_of(what: str) -> dict[str, dict[int, Figure]]:
        """Returns one figure of all policies by length."""
        return {name: {length: painted[name, length][what] for length in lengths} for name in names}

    about = {**about, "interval": "95 %, bootstrap over stories"}
    return [
        _by_length(
            "character",
            "Main character of pictures painted after true texts and the model's own pictures",
            lengths,
            all_of("main"),
            about,
            better="higher",
            unit="%",
            digits=0,
        ),
        _by_length(
            "place",
            "Place of the same pictures",
            lengths,
            all_of("place"),
            about,
            better="higher",
            unit="%",
            digits=0,
        ),
        _by_length(
            "frechet",
            "Frechet distance (EfficientNet-Lite0) to all held-out pictures",
            lengths,
            all_of("frechet"),
            about,
            better="lower",
            digits=3,
            text="Of few pictures, so the row of true ones is the lower bound. Not FID.",
        ),
    ]


def cost_tables(
    spent: Mapping[tuple[str, int], Sequence[Cost]],
    lengths: Sequence[int],
    about: Mapping[str, Any],
) -> list[Table]:
    """Makes the tables of time and memory by policy and length."""
    names = list(dict.fromkeys(name for name, _ in spent))

    def beside(name: str, length: int) -> Figure:
        """Returns the time's ratio to the window's in the same round."""
        return spread(
            [
                cost.seconds / window.seconds
                for cost, window in zip(spent[name, length], spent["window", length], strict=True)
            ]
        )

    def all_of(figure: Callable[[str, int], Figure]) -> dict[str, dict[int, Figure]]:
        """Returns one figure of all policies by length."""
        return {name: {length: figure(name, length) for length in lengths} for name in names}

    short, long = (
        statistics.median(cost.seconds for cost in spent["dense", length])
        for length in (min(lengths), max(lengths))
    )
    about = {**about, "n": "rounds", "interval": OF_ROUNDS}
    return [
        _by_length(
            "time-ratio",
            f"Time of a picture and a text of {WORDS} words, relative to the window's in the same "
            "round",
            lengths,
            all_of(beside),
            about,
            better="lower",
            text="One story at a time. Of dense attention's time at "
            f"{max(lengths)} pictures {1 - short / long:.0%} is what the length beyond "
            f"{min(lengths)} adds.",
        ),
        _by_length(
            "time",
            "The same in seconds",
            lengths,
            all_of(lambda name, length: spread([cost.seconds for cost in spent[name, length]])),
            about,
            unit="s",
            digits=3,
        ),
        _by_length(
            "cached",
            "Cached tokens",
            lengths,
            all_of(lambda name, length: Figure(spent[name, length][0].cached)),
            about,
            better="lower",
            digits=0,
        ),
        _by_length(
            "memory",
            "Cached keys and values",
            lengths,
            all_of(lambda name, length: Figure(spent[name, length][0].megabytes)),
            about,
            better="lower",
            unit="MB",
            digits=1,
        ),
    ]


def unlimited_cost_table(
    endless: Mapping[tuple[str, int], Sequence[Cost]], about: Mapping[str, Any]
) -> Table:
    """Makes the table of time and memory of very long stories."""
    names, lengths = (list(dict.fromkeys(parts)) for parts in zip(*endless, strict=True))
    return _by_length(
        "very-long",
        "Very long stories: time of the last picture and its text; MB of the cache",
        lengths,
        {
            name: {
                length: dataclasses.replace(
                    spread([cost.seconds for cost in endless[name, length]]),
                    note=f"{endless[name, length][0].megabytes:.1f} MB",
                )
                for length in lengths
            }
            for name in names
        },
        {**about, "n": "rounds", "interval": OF_ROUNDS},
        unit="s",
        digits=3,
    )


def plot_predictions(
    given: dict[str, Predictions], own: dict[str, Predictions], path: Path
) -> None:
    """Plots perplexity and cosine along the story, by policy."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    kernel = np.ones(7) / 7
    colours = {variant.name: f"C{at}" for at, variant in enumerate(VARIANTS)}
    for name, told in given.items():
        nats = np.convolve(told.nats.sum(0)[1:] / told.words.sum(0)[1:], kernel, "valid")
        left.plot(
            np.arange(4, 4 + len(nats)),
            np.exp(nats),
            label=name,
            linewidth=1.3,
            color=colours[name],
        )
    for name, told in own.items():
        cosine = np.convolve(told.cosine.mean(0)[1:], kernel, "valid")
        right.plot(
            np.arange(4, 4 + len(cosine)), cosine, label=name, linewidth=1.3, color=colours[name]
        )
    for axes, said in (
        (left, "perplexity of the true text, after true pictures"),
        (right, "cosine of the predicted picture, after its own pictures"),
    ):
        axes.axvline(CHUNK_LENGTH, color="0.6", linestyle="--", linewidth=1)
        axes.set_title(said, fontsize=10)
        axes.set_xlabel("picture (mean of 7)")
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(
        *left.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=4,
        fontsize=8,
        frameon=False,
    )
    figure.savefig(path, dpi=130)
