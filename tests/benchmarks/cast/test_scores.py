"""The benchmark of the cast counts what a reader would count."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest

from benchmarks.cast import scores
from benchmarks.cast.tables import table
from schemas.rows import LIKENESS, SPEECH, Appearance, Keyframe, Story, to_table
from tests.pipeline import rows

# Four pictures: Pip, Pip with Momo, Momo, nobody.
PIP, MOMO = [0, 0, 100, 100], [200, 0, 100, 100]
SHOWN = [["Pip"], ["Pip", "Momo"], ["Momo"], []]
KEYFRAMES = [rows.keyframe("film", float(at), width=640, height=360) for at in range(4)]


def seen(at: int, character: str, box: list[int], decided: str = SPEECH) -> Appearance:
    return Appearance(KEYFRAMES[at].id, "film", "series", character, box, 1.0, decided)


def counted(tmp_path, appearances: list[Appearance], texts: list[str] | None = None):
    places = {"Pip": "0 0 100 100", "Momo": "200 0 300 100"}
    film = {
        "fps": 24,
        "width": 640,
        "height": 360,
        "shots": [
            {
                "first": 24 * at,
                "last": 24 * at + 23,
                "characters": who,
                "boxes": {name: [places[name]] for name in who},
            }
            for at, who in enumerate(SHOWN)
        ],
    }
    (tmp_path / "film.truth.json").write_text(json.dumps(film))
    pq.write_table(to_table(KEYFRAMES, Keyframe), tmp_path / "keyframes.parquet")
    pq.write_table(to_table(appearances, Appearance), tmp_path / "appearances.parquet")
    stories = []
    if texts:
        images = [keyframe.image for keyframe in KEYFRAMES]
        stories = [rows.story("film", length=4, images=images, captions=texts)]
    pq.write_table(to_table(stories, Story), tmp_path / "stories.parquet")
    return scores.count(str(tmp_path), str(tmp_path))


RIGHT = [seen(0, "Pip", PIP), seen(1, "Pip", PIP), seen(1, "Momo", MOMO), seen(2, "Momo", MOMO)]


def test_all_is_right(tmp_path):
    counts = counted(tmp_path, RIGHT)
    assert (counts.figures, counts.boxes_right, counts.named_right, counts.names_given) == (4,) * 4
    assert (counts.purity, counts.completeness, counts.switches) == (1, 1, 0)


def test_a_wrong_name_costs_precision_purity_and_a_switch(tmp_path):
    counts = counted(tmp_path, [*RIGHT[:3], seen(2, "Pip", MOMO)])
    assert (counts.named_right, counts.names_given, counts.figures) == (3, 4, 4)
    assert counts.purity == pytest.approx(3 / 4)  # of Pip's three boxes one is Momo
    assert counts.completeness == pytest.approx(3 / 4)
    assert counts.switches == 1


def test_a_description_is_no_name_but_a_cluster(tmp_path):
    counts = counted(tmp_path, [*RIGHT[:3], seen(2, "grey figure", MOMO, LIKENESS)])
    assert (counts.named_right, counts.names_given) == (3, 3)
    assert counts.purity == 1 and counts.completeness == pytest.approx(3 / 4)


def test_a_box_must_overlap_by_half_and_a_figure_by_a_third(tmp_path):
    half = seen(0, "Pip", [0, 0, 60, 100])
    third = seen(2, "Momo", [200, 0, 40, 100])
    nobody = seen(3, "Pip", PIP)
    counts = counted(tmp_path, [half, third, nobody])
    assert counts.boxes_right == 1
    assert counts.found == {("Pip", "Pip"): 1, ("Momo", "Momo"): 1}
    assert (counts.named_right, counts.names_given) == (2, 3)


def test_texts_are_counted_where_somebody_is_seen(tmp_path):
    counts = counted(
        tmp_path,
        RIGHT,
        ["Pip woke up.", 'Pip said, "Hello, Momo!"', "Pip was here.", "Pip had been here."],
    )
    assert counts.panels == 3
    assert (counts.panels_naming_one, counts.panels_naming_all) == (2, 2)
    assert counts.panels_naming_others == 1  # "Pip was here" of a picture of Momo


def test_the_table_has_a_row_for_each_dataset(tmp_path):
    made = table({"sample": counted(tmp_path, RIGHT), "nobody": scores.Counts()})
    assert made.cells["sample"]["names, recall"].value == 1
    assert made.cells["nobody"]["names, recall"].note == "none"
