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
    "there": Column("any character present", "higher", "%", 1),
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
            "Predicted features beside baselines",
            "prediction",
            (Column("cosine", "higher"), Column("recall@1", "higher", "%", 1)),
            {
                **{
                    name: {"cosine": scores.cosine, "recall@1": scores.recall}
                    for name, scores in result.guesses.items()
                },
                "chance": chance,
            },
            f"Predictions of the next picture's features. {said} recall@1 is among {CANDIDATES} "
            f"keyframes of its episode{few}.",
            {**about, "interval": "95 %, bootstrap over chunks"},
            bounds=("chance",),
        ),
        Table(
            "story-model-attributes",
            "Attributes of painted pictures",
            "pictures",
            (*COLUMNS.values(), Column("target"), Column("target met")),
            {
                name: {**_cells(accuracies), **_target_cells(name, accuracies)}
                for name, accuracies in result.read.items()
            },
            "Main character and place by the attribute classifier, trained on true frames only.",
            {**about, "interval": "95 %, bootstrap over chunks"},
            bounds=(TRUE, RECONSTRUCTED, MAJORITY),
            pictures=tuple(pictures),
        ),
        Table(
            "story-model-classifier",
            "The attribute classifier on all true frames of the held-out episodes",
            "frames",
            tuple(COLUMNS.values()),
            {name: _cells(accuracies) for name, accuracies in result.ceilings.items()},
            about={"interval": "95 %, bootstrap over films"},
            contest=False,
        ),
    ]


def _cells(accuracies: Accuracies) -> dict[str, Cell]:
    return {COLUMNS[name].name: figure for name, figure in accuracies.items()}


def _target_cells(name: str, accuracies: Accuracies) -> dict[str, Cell]:
    wanted = {PAINTED_TRUE: TARGET_FROM_TRUE, PAINTED_PREDICTED: TARGET_FROM_PREDICTED}.get(name)
    if wanted is None:
        return {}
    missed = [
        COLUMNS[what].name for what in ("main", "place") if (accuracies[what].value or 0.0) < wanted
    ]
    return {
        "target": f"{wanted:.0%}",
        "target met": f"missed: {' and '.join(missed)}" if missed else "yes",
    }
