"""What may be wrong with the tables of who is in which picture."""

from __future__ import annotations

import dataclasses

import pyarrow.parquet as pq
import pytest

from pipeline.cast import crops
from pipeline.dataset.manifest import File, Manifest
from pipeline.dataset.verify.cast import check_cast
from pipeline.dataset.verify.index import Index, Picture
from schemas.rows import SPEECH, Appearance, CastMember, to_table
from tests.pipeline import rows

FIRST, SECOND = (rows.keyframe("film", time).id for time in (1.0, 2.0))
CROP = crops.path("series", "Pip", FIRST)
IN_FIRST = Appearance(FIRST, "film", "series", "Pip", [10, 20, 30, 40], 1.0, SPEECH)
IN_SECOND = dataclasses.replace(IN_FIRST, keyframe=SECOND)
PIP = CastMember("series", "Pip", True, "orange", 2, ["film"], FIRST, SECOND, [], [], [CROP])


def problems(tmp_path, appearances, cast, named=(CROP,)) -> list[str]:
    """What is wrong with a dataset of two pictures, 320x180, of one film."""
    pq.write_table(to_table(appearances, Appearance), tmp_path / "appearances.parquet")
    pq.write_table(to_table(cast, CastMember), tmp_path / "cast.parquet")
    manifest = Manifest(
        version="",
        config={"output": {"split_likeness": 0.9}},
        counts={},
        splits={},
        videos=[],
        files=[File(path=path, bytes=1, sha256="") for path in named],
    )
    index = Index(str(tmp_path), manifest, {}, {})
    index.pictures = {name: Picture("film", "", "", 320, 180) for name in (FIRST, SECOND)}
    return [f"{problem.where}: {problem.what}" for problem in check_cast(index)]


def test_a_cast_that_agrees_with_its_pictures_is_whole(tmp_path):
    assert problems(tmp_path, [IN_FIRST, IN_SECOND], [PIP]) == []
    assert problems(tmp_path, [], []) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"keyframe": "film_keyframe_0-0-9-000"}, "is of no keyframe"),
        ({"video": "other"}, "its row says other, its keyframe film"),
        ({"box": [10, 20, 0, 40]}, "its box is [10, 20, 0, 40]"),
        ({"box": [300, 20, 30, 40]}, "its box [300, 20, 30, 40] is not in the picture, 320x180"),
        ({"decided": "guess"}, "its name was decided by 'guess'"),
    ],
)
def test_an_appearance_must_be_in_its_picture(tmp_path, change, fault):
    changed = dataclasses.replace(IN_SECOND, **change)
    assert f"Pip in {changed.keyframe}: {fault}" in problems(tmp_path, [IN_FIRST, changed], [PIP])


def test_nobody_is_in_a_picture_twice(tmp_path):
    found = problems(tmp_path, [IN_FIRST, IN_FIRST], [PIP])
    assert found == [f"Pip in {FIRST}: is there twice"]


def test_rows_of_the_cast_must_agree_with_the_appearances(tmp_path):
    assert problems(tmp_path, [IN_FIRST], [PIP]) == [
        "Pip: its row says 2 pictures, appearances.parquet 1"
    ]
    assert problems(tmp_path, [IN_FIRST], []) == [
        "Pip: is seen in 1 pictures, and cast.parquet has no row"
    ]


@pytest.mark.parametrize(
    ("crop", "named"),
    [
        (CROP, ()),  # the manifest does not know it
        (crops.path("series", "Momo", FIRST), (crops.path("series", "Momo", FIRST),)),
        (crops.path("series", "Pip", "film_keyframe_0-0-9-000"), None),
    ],
)
def test_a_crop_must_be_of_its_character(tmp_path, crop, named):
    member = dataclasses.replace(PIP, crops=[crop])
    found = problems(tmp_path, [IN_FIRST, IN_SECOND], [member], (crop,) if named is None else named)
    assert found == [f"{crop}: is no picture of this character"]
