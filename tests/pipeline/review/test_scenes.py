"""Runs with decisions about scenes: the scenes, and stories that are cut where they end."""

import pyarrow.parquet as pq
import pytest

from pipeline.dataset.verify import verify
from pipeline.review.library import Library, story_view
from pipeline.runtime import decisions
from tests.pipeline.comparing import digests
from tests.pipeline.review.conftest import make

pytestmark = pytest.mark.slow


def pages(out):
    """The pictures of the long film, as the pages of its stories show them."""
    books = Library(str(out))
    return [
        (story, page)
        for story in books.by_film["long"]
        for page in story_view(books.film("long"), story, books.titles)["pages"]
    ]


def begins(out):
    return [at for at, (_, page) in enumerate(pages(out)) if page["begins"]]


def let_begin(out, *wanted):
    """Lets scenes begin with the first picture and these, and with no other."""
    for at, (story, page) in enumerate(pages(out)):
        if at and page["begins"] != (at in wanted):
            values = {"what": "scene", "film": "long", "story": story, "begins": at in wanted}
            values |= {"keyframe": page["keyframe"], "digest": page["scene_digest"]}
            decisions.append(str(out), values, "Ann", lambda *_: None)


def take_all_back(out):
    for row in decisions.standing(decisions.read(str(out), decisions.version(str(out)))):
        decisions.append(str(out), {"what": "undo", "of": row.id}, "Ann", lambda *_: None)


def lengths(out, table, column):
    rows = pq.read_table(out / f"{table}.parquet").to_pylist()
    return [len(row[column]) for row in rows if row["video"] == "long"]


def test_scenes_are_as_people_decided(films, made, again, tmp_path):
    before = begins(again)
    assert len(lengths(made, "scenes", "keyframes")) == len(before)
    let_begin(again, 7, 20)
    assert begins(again) == [0, 7, 20]  # the page says so before any run
    assert make(films, again) == 0
    assert lengths(again, "scenes", "keyframes") == [7, 13, 20]
    assert lengths(again, "stories", "images") == [30, 10]  # not cut where scenes end
    assert begins(again) == [0, 7, 20] and Library(str(again)).waiting() == 0
    assert not verify(str(again)).problems
    # The same decisions give the same bytes, in another folder too.
    (tmp_path / "fresh").mkdir()
    (tmp_path / "fresh/decisions.jsonl").write_bytes((again / "decisions.jsonl").read_bytes())
    assert make(films, tmp_path / "fresh") == 0
    assert digests(tmp_path / "fresh") == digests(again)
    # Taken back, all is as it was: on the page at once, in the dataset with the next run.
    take_all_back(again)
    assert begins(again) == before
    assert make(films, again) == 0
    assert {**digests(again), "decisions.jsonl": ""} == {**digests(made), "decisions.jsonl": ""}


def test_stories_that_end_with_scenes_follow(films, again):
    let_begin(again, 18)
    assert make(films, again, "stories.cut=scenes") == 0
    assert lengths(again, "stories", "images") == [18, 22]
    let_begin(again, 21)  # the boundary is moved
    assert make(films, again, "stories.cut=scenes") == 0
    assert lengths(again, "scenes", "keyframes") == [21, 19]
    assert lengths(again, "stories", "images") == [21, 19]


def test_a_decision_between_other_pictures_is_a_conflict(films, again):
    let_begin(again, 18)
    assert make(films, again, "keyframes.every=0.5") == 0  # other pictures
    rejects = pq.read_table(again / "rejects.parquet").to_pylist()
    told = [row["detail"] for row in rejects if row["reason"] == "conflict"]
    assert told and all("the decision about a scene" in detail for detail in told)
    assert not verify(str(again)).problems
    books = Library(str(again))
    assert books.statuses()["long_story_000"] == "conflict"
    shown = story_view(books.film("long"), "long_story_000", books.titles)
    assert any(row["conflict"] for row in shown["history"])
