"""Sequences of decisions about who is who, and whom they show in which picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from pipeline.cast.corrections import correct, pixels
from pipeline.cast.decided import entries
from pipeline.runtime.decisions import standing
from schemas.decisions import Decision, OfSeries, parse
from schemas.rows import Figure
from tests.pipeline import rows

SERIES = "Forest Tales"
# Who is in which picture without decisions, each in a shot of its own: the first three are known by
# who speaks, the last one by a description.
FOUND = ["Otto", "Otto", "Otto", "Hugo", "Hugo", "Rosa", "grey figure"]
GROUPS = {name: number for number, name in enumerate(dict.fromkeys(FOUND))}
KEYFRAMES = [
    dataclasses.replace(rows.keyframe("forest", float(at)), shot=at) for at in range(len(FOUND))
]
FIGURES = [Figure(keyframe.id, "forest", [0, 0, 0.5, 1], 0.1, 1.0, []) for keyframe in KEYFRAMES]
BOXES = [pixels(figure, keyframe) for figure, keyframe in zip(FIGURES, KEYFRAMES, strict=True)]
HUGO = 3  # the first picture of Hugo

# "A > B" names A B, which merges both where there is a B; "3 > B" says that picture 3 is of B,
# "-A" that A is no character, "undo 2" takes back the second step. Then how often who is seen.
SEQUENCES = {
    "merge, rename": (["Hugo > Otto", "Otto > Owl"], "Owl 5, Rosa 1, grey figure 1"),
    "merge, merge": (["Hugo > Otto", "Otto > Rosa"], "Rosa 6, grey figure 1"),
    "merge, rename, rename": (
        ["Hugo > Otto", "Otto > Owl", "Owl > Oscar"],
        "Oscar 5, Rosa 1, grey figure 1",
    ),
    "rename, merge": (["Otto > Owl", "Hugo > Owl"], "Owl 5, Rosa 1, grey figure 1"),
    "rename, merge, rename": (
        ["Otto > Owl", "Hugo > Owl", "Owl > Oscar"],
        "Oscar 5, Rosa 1, grey figure 1",
    ),
    "merge into a description, rename": (
        ["Hugo > grey figure", "grey figure > Pip"],
        "Otto 3, Pip 3, Rosa 1",
    ),
    "split, rename": ([f"{HUGO} > Rosa", "Rosa > Bunny"], "Bunny 2, Hugo 1, Otto 3, grey figure 1"),
    "split, rename of the other": (
        [f"{HUGO} > Rosa", "Hugo > Max"],
        "Max 1, Otto 3, Rosa 2, grey figure 1",
    ),
    "split, split again, rename": (
        [f"{HUGO} > Rosa", f"{HUGO} > Otto", "Rosa > Bunny"],
        "Bunny 1, Hugo 1, Otto 4, grey figure 1",
    ),
    "split to a new name, rename": (
        [f"{HUGO} > Zuzu", "Zuzu > Momo"],
        "Hugo 1, Momo 1, Otto 3, Rosa 1, grey figure 1",
    ),
    "split, merge": ([f"{HUGO} > Rosa", "Rosa > Hugo"], "Hugo 3, Otto 3, grey figure 1"),
    "rename, split to the new name, rename": (
        ["Rosa > Bunny", f"{HUGO} > Bunny", "Bunny > Lily"],
        "Hugo 1, Lily 2, Otto 3, grey figure 1",
    ),
    "rename, rename": (
        ["Otto > Freddy", "Freddy > Froggy"],
        "Froggy 3, Hugo 2, Rosa 1, grey figure 1",
    ),
    "rename, rename back": (["Otto > Owl", "Owl > Otto"], "Hugo 2, Otto 3, Rosa 1, grey figure 1"),
    "two exchange their names": (
        ["Otto > X", "Hugo > Otto", "X > Hugo"],
        "Hugo 3, Otto 2, Rosa 1, grey figure 1",
    ),
    "the old name of one for another, rename": (
        ["Otto > Owl", "grey figure > Otto", "Otto > Max"],
        "Hugo 2, Max 1, Owl 3, Rosa 1",
    ),
    "an old name comes thrice": (
        ["Hugo > Otto", "Otto > Owl", "Rosa > Otto", "Otto > Leo"],
        "Leo 1, Owl 5, grey figure 1",
    ),
    "merge, ignore": (["Hugo > Otto", "-Otto"], "Rosa 1, grey figure 1"),
    "split, ignore": ([f"{HUGO} > Rosa", "-Rosa"], "Hugo 1, Otto 3, grey figure 1"),
    "ignore, rename": (["-Rosa", "Rosa > Bunny"], "Bunny 1, Hugo 2, Otto 3, grey figure 1"),
    "ignore, rename of another": (["-Rosa", "Hugo > Max"], "Max 2, Otto 3, grey figure 1"),
    "ignore, another has its name": (["-Rosa", "Hugo > Rosa"], "Otto 3, grey figure 1"),
    "merge, ignore, rename": (
        ["Hugo > Otto", "-Otto", "Otto > Owl"],
        "Owl 5, Rosa 1, grey figure 1",
    ),
    "merge, undo, rename": (
        ["Hugo > Otto", "undo 1", "Otto > Owl"],
        "Hugo 2, Owl 3, Rosa 1, grey figure 1",
    ),
    "merge, rename, undo": (
        ["Hugo > Otto", "Otto > Owl", "undo 2"],
        "Otto 5, Rosa 1, grey figure 1",
    ),
    "merge, rename, undo of the merge": (
        ["Hugo > Otto", "Otto > Owl", "undo 1"],
        "Hugo 2, Owl 3, Rosa 1, grey figure 1",
    ),
    "split, rename, undo of the split": (
        [f"{HUGO} > Rosa", "Rosa > Bunny", "undo 1"],
        "Bunny 1, Hugo 2, Otto 3, grey figure 1",
    ),
    "ignore, undo, merge, rename": (
        ["-Rosa", "undo 1", "Hugo > Rosa", "Rosa > Bunny"],
        "Bunny 3, Otto 3, grey figure 1",
    ),
}


def decisions(steps: Sequence[str]) -> list[Decision]:
    return [_decision(number, step) for number, step in enumerate(steps, 1)]


def _decision(number: int, step: str) -> Decision:
    base = {"id": f"{number:016x}", "by": "Ann", "at": "2026-11-29T12:00:00Z"}
    if step.startswith("undo "):
        return parse({**base, "what": "undo", "of": f"{int(step[5:]):016x}"})
    base["series"] = SERIES
    if step.startswith("-"):
        return parse({**base, "what": "ignore", "character": step[1:]})
    whom, name = step.split(" > ")
    if not whom.isdigit():
        return parse({**base, "what": "rename", "character": whom, "name": name})
    picture = {"keyframe": KEYFRAMES[int(whom)].id, "box": BOXES[int(whom)]}
    return parse({**base, **picture, "what": "split", "name": name})


def of_series(given: Sequence[Decision]) -> list[OfSeries]:
    return standing(given)  # type: ignore[return-value]  # there are no others


def seen(given: Sequence[Decision]) -> tuple[list[str], list[str]]:
    """Who is in each picture as a run applies the decisions, "" for nobody, and the faults."""
    numbers = {GROUPS[name]: name for name in GROUPS}
    described = {GROUPS["grey figure"]: numbers.pop(GROUPS["grey figure"])}
    found, faults = correct(
        entries([], of_series(given)),
        KEYFRAMES,
        [[figure] for figure in FIGURES],
        [[GROUPS[name]] for name in FOUND],
        numbers,
        described,
    )
    return [who.name if who else "" for (who,) in found], faults
