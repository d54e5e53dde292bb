"""Makes the table of the benchmark `cast`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.cast import film_labels
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


_FILM_COLUMNS = (
    Column("pictures", "", "", 0),
    Column("precision", "higher", "%", 1),
    Column("recall", "higher", "%", 1),
    Column("purity", "higher", "%", 1),
    Column("characters", "lower", "", 0),
)


def film_table(counts: film_labels.Counts) -> Table:
    """Makes the table of what was counted in Big Buck Bunny, by who was labelled."""
    rows = {name: _film_cells(counts, [name]) for name in sorted(counts.present)}
    rows["together"] = _film_cells(counts, sorted(counts.present))
    return Table(
        "cast-film",
        "Who is in the pictures of Big Buck Bunny, against labels by eye",
        "who",
        _FILM_COLUMNS,
        rows,
        f"Of {counts.pictures} keyframes. Nobody has a name in the film: each character that the "
        "dataset tells apart is named after whom most of its boxes show. Precision and recall: of "
        "pictures. Purity: share of its boxes with somebody in them that show that one. "
        "Characters: how many the dataset has of it. Those who matter are labelled, with the "
        "rules of reading, in benchmarks/cast/big_buck_bunny.tsv.",
        {"n": "pictures or boxes"},
        contest=False,
    )


def _film_cells(counts: film_labels.Counts, names: Sequence[str]) -> dict[str, Cell]:
    after = counts.named_after
    given = {character for character, name in after.items() if name in names}
    boxes = sum(count for (character, _), count in counts.found.items() if character in given)
    right = sum(
        count
        for (character, name), count in counts.found.items()
        if after[character] == name in names
    )
    present = sum(counts.present[name] for name in names)
    named = sum(counts.named[name] for name in names)
    wrong = sum(counts.named_wrong[name] for name in names)
    return {
        "pictures": Figure(present),
        "precision": _share(named, named + wrong),
        "recall": _share(named, present),
        "purity": _share(right, boxes),
        "characters": Figure(len(given)),
    }


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
