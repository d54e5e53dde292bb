"""Of a small source of every kind comes what is stated of it, which docs/films.md has in tables."""

import numpy as np
import pytest

from benchmarks.films import run
from benchmarks.films.kinds import Kind, film, scenes
from benchmarks.results.readme import table_places
from pipeline.runtime.images import encode_jpeg
from schemas.rows import Reject, Video
from tests.pipeline.rows import keyframe
from tests.test_docs import ROOT


@pytest.mark.slow
@pytest.mark.parametrize("group", run.GROUPS)
def test_what_comes_of_each_kind(group):
    assert run.outcomes(group) == {kind.name: kind.comes for kind in run.GROUPS[group]}


def test_each_kind_has_a_name_of_its_own():
    for kinds in run.GROUPS.values():
        assert len({kind.name for kind in kinds}) == len(kinds)


def test_the_page_of_films_has_a_place_for_each_table():
    assert {f"films-{group}" for group in run.GROUPS} <= set(table_places(ROOT / "docs/films.md"))


def test_what_came_of_a_source_is_told(tmp_path):
    kind = Kind("a", film("a.mp4"), lines=("A kite!", "Run!"))
    one, two, _ = scenes()
    rows = []
    for number, (picture, line) in enumerate(
        [(two, "Run!"), (one, "Run!"), (np.flip(one, 1), "Who?")]
    ):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(encode_jpeg(picture[..., ::-1]))
        rows.append(keyframe("a", float(number), image=path.name, dialogue=[line], text=["SIGN"]))
    rows += [
        Video("a", "a.mp4", "s", "a", bars=[2, 2, 0, 0], interlaced=True),
        Reject("keyframe", "x", "fade", "", "a"),
        Reject("keyframe", "y", "fade", "", "a"),
    ]
    assert run.outcome(kind, rows, str(tmp_path)) == (
        "2 of 3 pictures, in another order, 1 other; 1 of 2 lines, 1 again, 1 other; "
        'bars cut off; interlaced; text "SIGN"; reject: fade (2)'
    )
