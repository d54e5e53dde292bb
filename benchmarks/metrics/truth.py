"""Do the pictures show what they should, by the sample's ground truth?

The sample knows of each panel of a true story who is in front, where, doing what, and how many are
there. A story that illustrates the same texts should show the same, number for number; a network
that learned from true frames (`benchmarks.readback`) reads its panels, and the share that it reads
as they should be is the score. A story with texts of its own has no such truth and no score.

The reader errs, so its ceiling (true held-out frames) and chance (the best constant answer) stand
in the table, and a question that it cannot answer well enough to tell the two apart gives no score.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks import readback
from benchmarks.readback import Flags, Reader, Truth
from benchmarks.results import Cell, Column, Figure, Table
from benchmarks.statistics import mean
from benchmarks.stories import Story, pictures

CEILING = "ceiling: the reader on true held-out frames"
CHANCE = "chance: the best constant answer for them"
COLUMNS = {
    "main": Column("main character", "higher", "%", 1),
    "there": Column("anyone who is there", "higher", "%", 1),
    "place": Column("place", "higher", "%", 1),
    "action": Column("action", "higher", "%", 1),
    "count": Column("count", "higher", "%", 1),
}
LENGTHS = ((2, 5), (6, 10), (11, 20), (21, 30))  # panels, the given one being number 1
BY_LENGTH = ("main", "place")


def shown(
    stories: Iterable[Story], known: Mapping[str, Truth], dataset: str | Path
) -> dict[str, tuple[Truth | None, ...]]:
    """What each panel of true stories of a dataset shows, by the story's id; None for nobody.

    `known` is `readback.truth` of the dataset and its sample.
    """
    by_path = {str(Path(dataset, image)): one for image, one in known.items()}
    return {one.id: tuple(by_path.get(image) for image in one.images) for one in stories}


def illustrates(story: Story, true: Story | None) -> bool:
    """Whether a story has the texts of the true one, perhaps not to their end."""
    return true is not None and story.texts == true.texts[: len(story.texts)]


def tables(
    stories: Mapping[str, Sequence[Story]],
    reference: Sequence[Story],
    known: Mapping[str, Truth],
    dataset: str | Path,
    size: int,
    reader: Reader,
    seed: int = 0,
) -> list[Table]:
    """How often each generator's panels are read as they should be: over all, and by length.

    `reference` are the true stories of the same openings and `known` is `readback.truth` of their
    dataset; `reader` reads pictures of `size` pixels. The first panel of a story is given and
    counts nowhere. Raises ValueError where the dataset has no held-out episodes.
    """
    held_out = [one for one in known.values() if one.split == "val"]
    if not held_out:
        raise ValueError(f"{dataset} has no held-out episodes: make one of more films")
    films = [one.video for one in held_out]
    seen = readback.pictures(dataset, (one.image for one in held_out), size)
    bounds = {
        CEILING: _figures(readback.right(reader, seen, held_out), films, seed),
        CHANCE: _figures(readback.constant(held_out), films, seed),
    }
    unread = [name for name in COLUMNS if not _above(bounds[CEILING][name], bounds[CHANCE][name])]
    true, wanted = {one.id: one for one in reference}, shown(reference, known, dataset)
    whole: dict[str, dict[str, Figure]] = {}
    parts: dict[str, dict[str, Cell]] = {}
    for name, told in stories.items():
        told = [one for one in told if illustrates(one, true.get(one.id))]
        panels = [
            (one, at, what)
            for one in told
            for at, what in enumerate(wanted[one.id][: len(one.images)])
            if at and what
        ]
        right = readback.right(
            reader,
            pictures((one.images[at] for one, at, _ in panels), size),
            [what for _, _, what in panels],
        )
        groups = [one.id for one, _, _ in panels]
        numbers = np.array([at + 1 for _, at, _ in panels])
        whole[name] = _figures(right, groups, seed, unread)
        parts[name] = {}
        for first, last in LENGTHS:
            rows = (numbers >= first) & (numbers <= last)
            figures = _figures(
                {one: right[one][rows] for one in BY_LENGTH},
                [groups[at] for at in np.flatnonzero(rows)],
                seed,
                unread,
            )
            parts[name].update(
                {_part(one, first, last).name: cell for one, cell in figures.items()}
            )
    cells = {
        name: {COLUMNS[one].name: cell for one, cell in row.items()}
        for name, row in (bounds | whole).items()
    }
    about = {
        "reader": f"benchmarks.readback, recipe {readback.RECIPE}",
        "pixels": size,
        "seed": seed,
        "interval": "95 %, bootstrap over stories (ceiling and chance: films)",
    }
    best = tuple(name for name, told in stories.items() if list(told) == list(reference))
    return [
        Table(
            "truth",
            "What the pictures show, by the sample's ground truth",
            "generator",
            tuple(COLUMNS.values()),
            cells,
            _text(unread),
            about,
            bounds=(CEILING, CHANCE, *best),
        ),
        Table(
            "truth-by-length",
            "The same by how far into the story",
            "generator",
            tuple(_part(one, *ends) for one in BY_LENGTH for ends in LENGTHS),
            parts,
            "The main character and the place, by the panel's number; the first is given.",
            about,
            bounds=best,
        ),
    ]


def _figures(
    right: Mapping[str, Flags], groups: Sequence[str], seed: int, unread: Sequence[str] = ()
) -> dict[str, Figure]:
    found = {}
    for name, values in right.items():
        if name in unread or not len(values):
            found[name] = Figure(
                None, len(values), note="unreadable" if name in unread else "no panels"
            )
        else:
            found[name] = mean(values.tolist(), groups, seed)
    return found


def _above(one: Figure, other: Figure) -> bool:
    """Whether an interval lies above another."""
    return one.low is not None and other.high is not None and one.low > other.high


def _part(name: str, first: int, last: int) -> Column:
    return Column(f"{COLUMNS[name].name}, panels {first}-{last}", "higher", "%", 1)


def _text(unread: Sequence[str]) -> str:
    said = (
        "How often a small network, which learned from true training frames alone, reads a "
        "panel as what the true story has there. Compare with its ceiling and with chance: a "
        "figure at chance says that the pictures show nothing of what was asked. A generator "
        "that draws in a way that the network has never seen may be right and not be read. "
        "The action is the main character's and is right only by its exact name, one of "
        f"{len(readback.ACTION_NAMES)}. Stories that tell their own texts have no score."
    )
    if unread:
        names = ", ".join(COLUMNS[name].name for name in unread)
        said += (
            f"\n\nUnreadable here: {names}. The network's ceiling does not lie above chance, "
            "so nothing could be told from its answers."
        )
    return said
