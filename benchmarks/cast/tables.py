"""Makes the table of the benchmark `cast`."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.cast.scores import RIGHT_BOX, Counts
from benchmarks.results.tables import Cell, Column, Figure, Table

_COLUMNS = (
    Column("boxes", "higher", "%", 1),
    Column("purity", "higher", "%", 1),
    Column("completeness", "higher", "%", 1),
    Column("names, precision", "higher", "%", 1),
    Column("names, recall", "higher", "%", 1),
    Column("switches", "lower", "", 1),
    Column("texts that name one", "higher", "%", 1),
    Column("texts that name all", "higher", "%", 1),
    Column("texts that name others", "lower", "%", 1),
)


def table(counted: Mapping[str, Counts]) -> Table:
    """Makes the table of what was counted in each dataset, by its name."""
    return Table(
        "cast",
        "Who is in the pictures of the sample, against where its figures were drawn",
        "sample",
        _COLUMNS,
        {name: _cells(counts) for name, counts in counted.items()},
        f"Boxes: share of all figures that a box overlaps by {RIGHT_BOX} (intersection over "
        "union). Purity, completeness: of clusters of the figures found. Names: per picture, "
        "against who was drawn in it. Switches: per episode, how often a figure is called "
        "otherwise than in its picture before. Texts: of stories' pictures with somebody in "
        "them, those that name somebody, or everybody, who is there, and those that tell of "
        "somebody who is not; who is only spoken to does not count. The sample is drawn by this "
        "project: other films are harder.",
        {"n": "figures, boxes or texts"},
        contest=False,
    )


def _cells(counts: Counts) -> dict[str, Cell]:
    boxes = counts.found.total()
    return {
        "boxes": _share(counts.boxes_right, counts.figures),
        "purity": Figure(counts.purity, boxes),
        "completeness": Figure(counts.completeness, boxes),
        "names, precision": _share(counts.named_right, counts.names_given),
        "names, recall": _share(counts.named_right, counts.figures),
        "switches": _share(counts.switches, counts.films),
        "texts that name one": _share(counts.panels_naming_one, counts.panels),
        "texts that name all": _share(counts.panels_naming_all, counts.panels),
        "texts that name others": _share(counts.panels_naming_others, counts.panels),
    }


def _share(part: int, whole: int) -> Figure:
    return Figure(part / whole, whole) if whole else Figure(None, note="none")
