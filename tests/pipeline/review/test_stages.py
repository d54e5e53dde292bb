"""Whole runs with decisions: what is in the dataset, and that the same decisions give the same."""

import json
import tarfile

import pyarrow.parquet as pq
import pytest

from pipeline.__main__ import main
from pipeline.dataset.manifest import read_json
from pipeline.dataset.verify import verify
from pipeline.review.frames import times_in_shot
from pipeline.review.library import Library, story_view
from pipeline.runtime import decisions
from tests.pipeline.comparing import digests
from tests.pipeline.review.conftest import make

pytestmark = pytest.mark.slow


def decide(out, story, by="Ann", **values):
    """Appends a decision about a story as the page would."""
    books = Library(str(out))
    film = books.entries[books.by_id[story]].film
    shown = story_view(books.film(film), story, books.titles)
    if "at" in values:
        page = shown["pages"][values.pop("at")]
        digest = page["sentence_digest" if values["what"] == "edit" else "picture_digest"]
        values |= {"keyframe": page["keyframe"], "digest": digest}
    else:
        values.setdefault("digest", shown["digest"])
    values = {"film": film, "story": story, **values}
    return decisions.append(str(out), values, by, lambda *_: None)


def rows(out, table):
    return pq.read_table(out / f"{table}.parquet").to_pylist()


def sentences_in_shards(out):
    found = []
    for shard in sorted((out / "shards").glob("*.tar")):
        with tarfile.open(shard) as tar:
            for member in tar:
                if member.name.endswith(".json"):
                    found += json.load(tar.extractfile(member))["captions"]
    return found


def curate(out):
    """A rejected story, an edited sentence, a picture left out and one swapped."""
    decide(out, "long_story_001", what="reject", reason="words")
    decide(out, "short_story_000", what="edit", at=1, text="The kite flew away.")
    decide(out, "short_story_000", what="drop", at=11, reason="pictures")
    books = Library(str(out))
    view = books.film("long")
    keyframe = view.keyframes[view.applied.pages["long_story_000"][3].keyframe]
    video = books.video("long")
    offered = books.decoded(video, times_in_shot(keyframe, video.fps))
    assert len(offered) > 2
    time = next(time for time in offered if abs(time - keyframe.time) > 0.1)
    decide(out, "long_story_000", what="swap", at=3, time=time)
    decide(out, "long_story_000", what="accept")


def test_a_rerun_without_decisions_changes_nothing(films, made, again):
    assert make(films, again) == 0
    assert digests(again) == digests(made)
    assert "original_stories.parquet" not in digests(made) and "review" not in read_json(str(made))


def test_decisions_are_applied_and_taken_back(films, made, again, tmp_path):
    curate(again)
    assert make(films, again) == 0
    stories = {row["id"]: row for row in rows(again, "stories")}
    assert list(stories) == ["long_story_000", "short_story_000"]
    assert [row["id"] for row in rows(again, "dropped_stories")] == ["long_story_001"]
    assert stories["long_story_000"]["accepted"] and not stories["short_story_000"]["accepted"]
    assert len(stories["short_story_000"]["images"]) == 11
    assert "The kite flew away." in sentences_in_shards(again)
    reject = [
        (row["key"], row["reason"]) for row in rows(again, "rejects") if row["stage"] == "review"
    ]
    assert sorted(why for _, why in reject) == ["dropped", "rejected", "swapped"]
    assert ("long_story_001", "rejected") in reject
    jsonl = "".join(path.read_text() for path in (again / "images").glob("*.jsonl"))
    assert "The kite flew away." in jsonl and "long_story_001" not in jsonl
    report = (again / "report.html").read_text()
    book = report.partition('id="books"')[2].partition("</script>")[0]
    assert "short_story_000" in book and "long_story_001" not in book
    swapped = stories["long_story_000"]["images"][3]
    assert (again / swapped).exists() and swapped in {
        row["image"] for row in rows(again, "keyframes")
    }
    assert not verify(str(again)).problems

    originals = {row["id"]: row for row in rows(again, "original_stories")}
    assert sorted(originals) == ["long_story_000", "short_story_000"]
    assert read_json(str(again))["review"] | {"decisions": ""} == {
        "decisions": "",
        "looked_at": 3,
        "people": 1,
        "accepted": 1,
        "rejected": 1,
        "sentences": 1,
        "pictures": 2,
        "scenes": 0,
        "judged_twice": 0,
        "agreed": None,
        "kappa": None,
        "conflicts": 0,
    }
    # The same decisions give the same bytes, in another folder too.
    (tmp_path / "fresh").mkdir()
    (tmp_path / "fresh" / "decisions.jsonl").write_bytes((again / "decisions.jsonl").read_bytes())
    assert make(films, tmp_path / "fresh") == 0
    assert digests(tmp_path / "fresh") == digests(again)
    # The page still shows stories as they were written, with what is decided, and nothing waits.
    books = Library(str(again))
    assert books.waiting() == 0
    view = story_view(books.film("short"), "short_story_000", books.titles)
    assert [view["pages"][1][name] for name in ("text", "written")] == [
        "The kite flew away.",
        originals["short_story_000"]["captions"][1],
    ]
    assert not books.film("long").applied.conflicts
    # Without the file, or with all of it taken back, the dataset is as it was.
    for row in decisions.standing(decisions.read(str(again), decisions.version(str(again)))):
        decisions.append(str(again), {"what": "undo", "of": row.id}, "Ann", lambda *_: None)
    assert make(films, again) == 0
    assert {**digests(again), "decisions.jsonl": ""} == {**digests(made), "decisions.jsonl": ""}


def test_a_decision_on_what_has_changed_is_a_conflict(films, again):
    row = decide(again, "short_story_000", what="reject", reason="words")
    assert make(films, again, "keyframes.every=0.5") == 0  # other pictures
    assert [story["id"] for story in rows(again, "stories") if story["video"] == "short"]
    (reject,) = [row for row in rows(again, "rejects") if row["stage"] == "review"]
    assert (reject["key"], reject["reason"]) == (row.id, "conflict")
    assert read_json(str(again))["review"]["conflicts"] == 1
    assert Library(str(again)).statuses() == {"short_story_000": "conflict"}
    assert not verify(str(again)).problems


def test_an_accepted_story_is_kept_whatever_its_scores(films, again):
    assert make(films, again, "quality.max_reading_grade=-9") == 3  # no story is left
    assert len(rows(again, "dropped_stories")) == 3
    decide(again, "short_story_000", what="accept")
    for only in ("quality.max_reading_grade=-9", "quality.accepted=true"):
        assert make(films, again, only) == 0
        assert [row["id"] for row in rows(again, "stories")] == ["short_story_000"]
    assert [row["id"] for row in rows(again, "stories")] == ["short_story_000"]


def test_a_file_that_cannot_be_read_stops_a_run_with_its_line(films, again, capsys):
    (again / "decisions.jsonl").write_text("{}\n")
    assert main(["dataset", "--videos", str(films), "--out", str(again)]) == 2
    assert "decisions.jsonl: line 1 is not a decision" in capsys.readouterr().err
