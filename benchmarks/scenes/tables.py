"""Makes the table of the benchmark `scenes`."""

from __future__ import annotations

from benchmarks.results.tables import Cell, Column, Figure, Table
from benchmarks.scenes.scores import Counts

_COLUMNS = (
    Column("F1", "higher", "%", 1),
    Column("precision", "higher", "%", 1),
    Column("recall", "higher", "%", 1),
    Column("purity of places", "higher", "%", 1),
    Column("completeness of places", "higher", "%", 1),
)


def table(counts: Counts) -> Table:
    """Makes the table of what was counted, beside every shot as a scene of its own."""
    return Table(
        "scenes",
        "Scenes and places of the sample, against where its shots were drawn",
        "scenes",
        _COLUMNS,
        {
            "found": {
                **_boundaries(counts.right, counts.found, counts.true),
                "purity of places": Figure(counts.purity, counts.places.total()),
                "completeness of places": Figure(counts.completeness, counts.places.total()),
            },
            "every shot": dict(_boundaries(counts.true, counts.shots, counts.true)),
        },
        "A boundary lies between two keyframes in a row that are at another place or time of day. "
        "Purity, completeness: of places as clusters of scenes. The sample is drawn by this "
        "project: other films are harder.",
        {"n": "boundaries or scenes"},
    )


def _boundaries(right: int, found: int, true: int) -> dict[str, Cell]:
    return {
        "F1": Figure(2 * right / max(1, found + true), true),
        "precision": Figure(right / max(1, found), found),
        "recall": Figure(right / max(1, true), true),
    }
