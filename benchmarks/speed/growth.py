"""How cost grows: with the number of films, with the length of a film, with the length of a story.

Each is measured at a few sizes, and a line through the logarithms of size and cost has the exponent
as its slope: 1 where cost is proportional, 2 where twice as much costs four times, 0 where it does
not grow. Films are processor time: many of them of the pipeline's keyframe stage, a long one of the
process that it has for one. What the command takes when it has nothing to do is taken off, for a
start costs the same with one film as with a thousand. A story is the
time of its last picture and text, by what is kept of what was read (`benchmarks.speed.generation`).
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.results import Cell, Column, Table
from benchmarks.speed import generation
from benchmarks.speed.pipeline import keyframes
from benchmarks.speed.process_tree import watch
from benchmarks.speed.rounds import about, spread
from benchmarks.speed.scale import repeat
from model import generate
from pipeline import sample

Command = Callable[[int], list[str]]  # of a round
_WAYS = (generation.DENSE, generation.SINK, generation.ALL)


@dataclass(frozen=True)
class Series:
    """The cost of one thing at several sizes, a figure a round."""

    name: str
    what: str  # the size: "films", "times its length", "pictures"
    unit: str  # of the cost: "CPU s", "s"
    costs: Mapping[int, Sequence[float]]


def run(
    report: str | Path,
    folder: str,
    films: Sequence[int] = (1, 2, 4),
    lengths: Sequence[int] = (1, 2, 4),
    pictures: Sequence[int] = (10, 25, 50, 100),
    rounds: int = 3,
    film: str = "",
) -> list[Table]:
    """Measures all three; the picture goes to the folder of the `report`.

    So many `films`; one film of so many times its `lengths`; stories of so many `pictures`, told by
    the trained run in `folder`. `film` is what the films are copies of, an episode of the sample
    where it is "". Raises ValueError where the run is not trained yet, or for fewer than two sizes.
    """
    for sizes in (films, lengths, pictures):
        if len(set(sizes)) < 2 or min(sizes) < 1:
            raise ValueError(f"growth needs two sizes at least, each 1 or more, not {sizes}")
    teller = generate.load(Path(folder))
    with tempfile.TemporaryDirectory(prefix="storystream-bench-") as place:
        film = os.path.abspath(film or sample.draw(f"{place}/sample", 1)[0])
        found = [_many(film, films, place, rounds), _long(film, lengths, place, rounds)]
    told = generation.seconds(teller, _WAYS, pictures, rounds)
    found += [
        Series(
            f"length of a story, {name}",
            "pictures",
            "s",
            {length: told[name, length] for length in pictures},
        )
        for name in _WAYS
    ]
    picture = Path(report, "growth.png")
    _plot(found, picture)
    return [_table(found, os.path.basename(film), picture.name)]


def exponent(costs: Mapping[int, Sequence[float]]) -> list[float]:
    """The slope of the line through the logarithms of sizes and costs, of each round."""
    sizes = np.log(list(costs))
    return [
        float(np.polyfit(sizes, np.log(taken), 1)[0]) for taken in zip(*costs.values(), strict=True)
    ]


def _many(film: str, counts: Sequence[int], place: str, rounds: int) -> Series:
    """The keyframe stage of the pipeline on a film under so many names."""
    commands = {}
    for count in counts:
        folder = Path(place, f"{count}-films")
        folder.mkdir()
        for number in range(count):
            (folder / f"copy{number}{Path(film).suffix}").symlink_to(film)
        commands[count] = lambda n, films=folder: keyframes(films, f"{films}-out-{n}")
    # Once more, it finds all done
    return _series("number of films", "films", commands, commands, rounds)


def _long(film: str, times: Sequence[int], place: str, rounds: int) -> Series:
    """Keyframes of one film that shows another one so many times."""
    once = repeat(film, 0, f"{place}/once{Path(film).suffix}")
    module, commands = "benchmarks.speed.extract", {}
    for one in times:
        longer = f"{place}/{one}-times{Path(film).suffix}"
        repeat(film, (one - 0.5) * once, longer)
        commands[one] = lambda n, film=longer: [
            sys.executable,
            "-m",
            module,
            film,
            f"{film}-out-{n}",
        ]
    nothing = {one: lambda n: [sys.executable, "-c", f"import {module}"] for one in times}
    return _series("length of a film", "times as long", commands, nothing, rounds)


def _series(
    name: str,
    what: str,
    commands: Mapping[int, Command],
    starts: Mapping[int, Command],
    rounds: int,
) -> Series:
    """Processor time of commands by size, less that of the start of each; they are given the
    round's number."""
    costs: dict[int, list[float]] = {size: [] for size in commands}
    for number in range(rounds):
        for size, command in commands.items():
            # On a machine so busy that a start alone takes longer, nothing is known.
            costs[size].append(
                max(1e-3, watch(command(number)).cpu - watch(starts[size](number)).cpu)
            )
    return Series(name, what, "CPU s", costs)


def _table(found: Sequence[Series], film: str, picture: str) -> Table:
    cells: dict[str, dict[str, Cell]] = {}
    for one in found:
        sizes = list(one.costs)
        cells[one.name] = {
            "sizes": f"{', '.join(map(str, sizes))} {one.what}",
            "exponent": spread(exponent(one.costs)),
            "first": spread(one.costs[sizes[0]]),
            "last": spread(one.costs[sizes[-1]]),
            "cost": one.unit,
        }
    return Table(
        "growth",
        "How cost grows",
        "with",
        (
            Column("sizes"),
            Column("exponent", "lower", digits=2),
            Column("first", digits=3),
            Column("last", digits=3),
            Column("cost"),
        ),
        cells,
        "The exponent is 1 where cost is proportional to size and 0 where it does not grow. Films: "
        "finding keyframes, the start of the process taken off. Stories: the last picture and its "
        "text, so that 0 is a whole story in proportion to its length. Small sizes hide what only "
        "counts at large ones: `python -m benchmarks scale` is for those.",
        about("av", "torch", film=film),
        contest=False,
        pictures=(picture,),
    )


def _plot(found: Sequence[Series], path: Path) -> None:
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    figure = Figure(figsize=(11, 3.6), layout="constrained")
    titles = list(dict.fromkeys(one.name.partition(", ")[0] for one in found))
    for axes, title in zip(figure.subplots(1, len(titles)), titles, strict=True):
        here = [one for one in found if one.name.partition(", ")[0] == title]
        sizes = np.array(list(here[0].costs), float)
        for one in here:
            taken = np.array(list(one.costs.values()))
            middle = np.median(taken, axis=1)
            axes.errorbar(
                sizes,
                middle,
                [middle - taken.min(1), taken.max(1) - middle],
                marker="o",
                markersize=4,
                linewidth=1.3,
                capsize=2,
                label=one.name.partition(", ")[2] or None,
            )
        start = min(np.median(one.costs[int(sizes[0])]) for one in here)
        axes.plot(
            sizes,
            start * sizes / sizes[0],
            color="0.6",
            linestyle="--",
            linewidth=1,
            label="proportional",
        )
        axes.set(xscale="log", yscale="log", xlabel=here[0].what, ylabel=here[0].unit)
        axes.set_title(title, fontsize=10)
        axes.set_xticks(sizes, [f"{size:g}" for size in sizes], minor=False)
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=7, frameon=False)
    figure.savefig(path, dpi=130)
