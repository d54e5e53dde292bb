"""Tables of the story model's predictions beside baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.results.tables import Cell, Column, Figure, Table
from benchmarks.story_model.evaluation import (
    MAJORITY,
    PAINTED_PREDICTED,
    PAINTED_TRUE,
    RECONSTRUCTED,
    TRUE,
    Accuracies,
    Result,
)
from benchmarks.story_model.retrieval import CANDIDATES

TARGET_FROM_TRUE, TARGET_FROM_PREDICTED = 0.8, 0.6  # what reading back should reach
COLUMNS = {
    "main": Column("main character", "higher", "%", 1),
    "there": Column("anyone who is there", "higher", "%", 1),
    "place": Column("place", "higher", "%", 1),
}


def tables(result: Result, about: Mapping[str, Any], pictures: Sequence[str] = ()) -> list[Table]:
    """Makes the tables of an evaluation."""
    few = (
        ""
        if result.candidates == CANDIDATES
        else f" (some episodes have fewer: {result.candidates:.1f} on average)"
    )
    left = (
        f" {result.left_out} more moments show nobody and are left out." if result.left_out else ""
    )
    said = (
        f"{result.moments} moments of {result.chunks} chunks from {result.episodes} held-out "
        f"episodes.{left} Their texts name the main character in {result.named:.1%}."
    )
    chance = {"recall@1": Figure(result.chance, result.moments)}
    return [
        Table(
            "story-model-features",
            "Predicted features beside simple guesses",
            "guess",
            (Column("cosine", "higher"), Column("recall@1", "higher", "%", 1)),
            {
                **{
                    name: {"cosine": one.cosine, "recall@1": one.recall}
                    for name, one in result.guesses.items()
                },
                "chance": chance,
            },
            f"How near the next picture's features are. {said} The true picture is looked for "
            f"among {CANDIDATES} of its episode{few}.",
            {**about, "interval": "95 %, bootstrap over chunks"},
            bounds=("chance",),
        ),
        Table(
            "story-model-read",
            "Read back from what is painted",
            "pictures",
            (*COLUMNS.values(), Column("aim"), Column("reached")),
            {
                name: {**_cells(one), **_target_cells(name, one)}
                for name, one in result.read.items()
            },
            "Who and where, as a network reads them that was trained on true frames alone.",
            {**about, "interval": "95 %, bootstrap over chunks"},
            bounds=(TRUE, RECONSTRUCTED, MAJORITY),
            pictures=tuple(pictures),
        ),
        Table(
            "story-model-reader",
            "The reader on all true frames of the held-out episodes",
            "frames",
            tuple(COLUMNS.values()),
            {name: _cells(one) for name, one in result.ceilings.items()},
            about={"interval": "95 %, bootstrap over films"},
            contest=False,
        ),
    ]


def _cells(one: Accuracies) -> dict[str, Cell]:
    return {COLUMNS[name].name: figure for name, figure in one.items()}


def _target_cells(name: str, one: Accuracies) -> dict[str, Cell]:
    wanted = {PAINTED_TRUE: TARGET_FROM_TRUE, PAINTED_PREDICTED: TARGET_FROM_PREDICTED}.get(name)
    if wanted is None:
        return {}
    missed = [COLUMNS[what].name for what in ("main", "place") if (one[what].value or 0.0) < wanted]
    return {
        "aim": f"{wanted:.0%}",
        "reached": f"missed: {' and '.join(missed)}" if missed else "yes",
    }
