"""What a picture with its text takes to tell, by what is kept of what was read before.

Ours keeps keys and values: all of them (`dense`), or those that the multimodal sink keeps. The
released script keeps none from one picture to the next: it reads its window of 8 pictures again
from nothing (`recompute`). A script without a window would read the whole story again. Painting
comes on top and is the same for all; its share is told apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from benchmarks import long_story
from benchmarks.long_story import WORDS, Variant
from benchmarks.results import Cell, Column, Table
from benchmarks.speed.rounds import about, clocked, ratio, spread, timed
from model import generate
from model.generate import Teller

DENSE, SINK = "cache kept, dense", "cache kept, multimodal sink"
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
    """Of the last picture and its text of stories of so many pictures, told in each of the named
    ways; by name and length, a figure a round."""
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
        DENSE: (Variant(name, "dense", {}), length),
        SINK: (Variant(name, "multimodal", {}), length),
        WINDOW: (Variant(name, "recompute", {}), length),
        ALL: (Variant(name, "recompute", more), length + 1),
    }[name]
    return lambda: long_story.cost(teller, variant, last).seconds


def _told(teller: Teller, lengths: Sequence[int], rounds: int) -> Table:
    found = seconds(teller, (DENSE, SINK, WINDOW, ALL), lengths, rounds)
    cells: dict[str, dict[str, Cell]] = {name: {} for name, _ in found}
    for (name, length), taken in found.items():
        cells[name][f"picture {length}"] = spread(taken)
        if name in (DENSE, SINK):
            cells[name] |= {
                f"picture {length}, to {head}": ratio(taken, found[peer, length])
                for head, peer in _PEERS.items()
            }
    columns = [
        one
        for length in lengths
        for one in (
            Column(f"picture {length}", unit="s"),
            *(Column(f"picture {length}, to {head}", "lower", digits=2) for head in _PEERS),
        )
    ]
    return Table(
        "generation",
        f"Telling: time of a picture's features and its text of {WORDS} tokens",
        "what is kept",
        tuple(columns),
        cells,
        "One story at a time, without painting. The words, one by one, take the same time in all "
        "ways, so the longer a text, the nearer the ratios are to 1. Where nothing has left the "
        "window yet, `recompute` reads nothing twice, though the released script does. Words and "
        "features are random, as what they say costs nothing.",
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
        f"Painting beside telling, {steps} steps of the de-tokenizer",
        "part",
        (Column("a picture", unit="s"), Column("share", unit="%", digits=0)),
        {
            name: {"a picture": spread(taken), "share": ratio(taken, whole)}
            for name, taken in found.items()
        },
        "With the cache kept, dense.",
        about("torch", "diffusers", **_of(teller)),
        contest=False,
    )


def _of(teller: Teller) -> dict[str, str]:
    device = next(teller.model.parameters()).device
    return {
        "model": str(generate.about(teller)["story_model"]),
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "CPU",
    }
