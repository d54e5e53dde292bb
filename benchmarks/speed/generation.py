"""Measures the time of generating a picture and its text, by what is cached between pictures.

Ours caches keys and values: all of them (`dense`), or those that the multimodal sink keeps. The
released script caches none from one picture to the next: it reads its window of 8 pictures again
from scratch (`recompute`). A script without a window would read the whole story again. Painting is
added and is the same for all; its share is measured separately.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from benchmarks.long_stories import cost
from benchmarks.long_stories.cost import WORDS
from benchmarks.long_stories.policies import PolicyVariant
from benchmarks.results.tables import Cell, Column, Table
from benchmarks.timing import about, clocked, ratio, spread, timed
from model import generate
from model.generate import Teller

DENSE, SINK = "cached, dense", "cached, multimodal sink"
WINDOW, ALL = "window read again (the released script)", "whole story read again"
LENGTHS = (10, 25)
_PEERS = {"window read again": WINDOW, "whole story read again": ALL}


def run(folder: str, lengths: Sequence[int] = LENGTHS, rounds: int = 7) -> list[Table]:
    """Measures the trained run in `folder` at the end of stories of so many pictures.

    Raises ValueError where it is not trained yet.
    """
    teller = generate.load(Path(folder))
    return [_told(teller, lengths, rounds), _painted(teller, min(lengths), rounds)]


def seconds(
    teller: Teller, names: Sequence[str], lengths: Sequence[int], rounds: int
) -> dict[tuple[str, int], list[float]]:
    """Measures seconds of the last picture and its text of stories of so many pictures, in each of
    the named ways; by name and length, a figure per round."""
    found: dict[tuple[str, int], list[float]] = {}
    for length in lengths:
        taken = timed({name: _way(teller, name, length) for name in names}, rounds)
        found |= {(name, length): values for name, values in taken.items()}
    return found


def _way(teller: Teller, name: str, length: int) -> Callable[[], float]:
    # The whole story is read again where a window of all pictures but one slides on by one: at the
    # end of one more picture, for only what has left a window makes it be read again.
    more = {"window": length - 1}
    variant, last = {
        DENSE: (PolicyVariant(name, "dense", {}), length),
        SINK: (PolicyVariant(name, "multimodal", {}), length),
        WINDOW: (PolicyVariant(name, "recompute", {}), length),
        ALL: (PolicyVariant(name, "recompute", more), length + 1),
    }[name]
    return lambda: cost.measure_cost(teller, variant, last).seconds


def _told(teller: Teller, lengths: Sequence[int], rounds: int) -> Table:
    found = seconds(teller, (DENSE, SINK, WINDOW, ALL), lengths, rounds)
    cells: dict[str, dict[str, Cell]] = {name: {} for name, _ in found}
    for (name, length), taken in found.items():
        cells[name][f"picture {length}"] = spread(taken)
        if name in (DENSE, SINK):
            cells[name] |= {
                f"picture {length}, relative to {head}": ratio(taken, found[peer, length])
                for head, peer in _PEERS.items()
            }
    columns = [
        column
        for length in lengths
        for column in (
            Column(f"picture {length}", unit="s"),
            *(
                Column(f"picture {length}, relative to {head}", "lower", digits=2)
                for head in _PEERS
            ),
        )
    ]
    return Table(
        "generation",
        f"Generation: time of a picture's features and its text of {WORDS} tokens",
        "what is cached",
        tuple(columns),
        cells,
        "One story at a time, without painting. The words, one by one, take the same time in all "
        "ways, so the longer a text, the nearer the ratios are to 1. Where nothing has left the "
        "window yet, `recompute` reads nothing twice, though the released script does. Words and "
        "features are random, as content has no cost.",
        about("torch", "transformers", **_of(teller)),
        contest=False,
    )


def _painted(teller: Teller, length: int, rounds: int) -> Table:
    paint = generate.painting(teller, [0])
    features = torch.randn(1, *teller.blank.shape, generator=torch.Generator().manual_seed(0))
    told = f"text and features of picture {length}"
    steps = teller.painter.config.steps
    found = timed(
        {told: _way(teller, DENSE, length), "painting": clocked(lambda: paint(features).cpu())},
        rounds,
    )
    whole = [sum(pair) for pair in zip(*found.values(), strict=True)]
    return Table(
        "painting",
        f"Painting beside generation, {steps} steps of the de-tokenizer",
        "part",
        (Column("per picture", unit="s"), Column("share", unit="%", digits=0)),
        {
            name: {"per picture": spread(taken), "share": ratio(taken, whole)}
            for name, taken in found.items()
        },
        "With a dense cache.",
        about("torch", "diffusers", **_of(teller)),
        contest=False,
    )


def _of(teller: Teller) -> dict[str, str]:
    device = next(teller.model.parameters()).device
    return {
        "model": str(generate.about(teller)["story_model"]),
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "CPU",
    }
