"""A finished dataset, read back by the names that its files have in it."""

import io
import json
import threading
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.dataset import reader
from schemas.layout import KEYFRAMES, STORIES
from schemas.rows import Character, Keyframe, Story, to_table
from tests.pipeline.rows import keyframe, story


@pytest.fixture
def out(tmp_path):
    """A film with a story in `train`, one with a story in `val`, one without a story."""
    keyframes = [keyframe(video, at) for video in "abc" for at in range(12)]
    stories = [story("a", length=12), story("c", length=12, split="val")]
    pq.write_table(to_table(keyframes, Keyframe), tmp_path / "keyframes.parquet")
    pq.write_table(to_table(stories, Story), tmp_path / "stories.parquet")
    film = {"keyframes": 12, "stories": 1}
    pip = Character("Pip and Momo", "Pip", "small", "", ["the monkey"], "given")
    manifest = {
        "version": "1",
        "config": {"output": {"split_likeness": 0.95}},
        "counts": {},
        "files": [],
        "splits": {},
        "videos": [
            {**film, "id": name, "split": split}
            for name, split in (("a", "train"), ("b", ""), ("c", "val"))
        ],
        "characters": [vars(pip)],
    }
    (tmp_path / "dataset.json").write_text(json.dumps(manifest))
    (tmp_path / "images/a").mkdir(parents=True)
    (tmp_path / keyframes[0].image).write_bytes(b"a picture")
    return str(tmp_path)


def test_rows_are_read_in_the_order_of_their_table(out):
    assert [row.video for row in reader.read_rows(out, KEYFRAMES, Keyframe)] == [
        *"a" * 12,
        *"b" * 12,
        *"c" * 12,
    ]
    assert [row.id for row in reader.read_stories(out, "val")] == ["c_story_000"]
    assert reader.read_table(out, STORIES, ["id"]).to_pydict() == {
        "id": ["a_story_000", "c_story_000"]
    }


def test_columns_are_read_in_the_order_that_is_asked_for(out):
    for columns in (["id", "video", "image"], ["image", "video", "id"]):
        assert reader.read_table(out, KEYFRAMES, columns).column_names == columns
    found = reader.read_table(out, KEYFRAMES, ["image", "video"], where=("video", ["b"]))
    assert found.column_names == ["image", "video"] and found.num_rows == 12


def test_rows_are_found_by_a_column(out):
    found = reader.read_matching(out, STORIES, Story, "video", ["c", "x"])
    assert [row.id for row in found] == ["c_story_000"]
    assert reader.read_matching(out, STORIES, Story, "video", []) == []


def test_rows_are_found_in_whichever_group_of_the_table_they_are(out):
    rows = [story(video, length=12) for video in "abcdef"]
    pq.write_table(to_table(rows, Story), Path(out, "stories.parquet"), row_group_size=2)
    found = reader.read_table(out, STORIES, ["id", "video"], where=("video", ["b", "f"]))
    assert found.to_pydict() == {"id": ["b_story_000", "f_story_000"], "video": ["b", "f"]}


def test_tables_are_read_in_the_callers_thread(out, monkeypatch):
    """A thread of Arrow's that holds the file when the process exits aborts it."""
    threads = set()

    class Watched(io.BytesIO):
        def read(self, size=-1):
            threads.add(threading.get_ident())
            return super().read(size)

    monkeypatch.setattr(
        reader, "open_file", lambda out, name: Watched(Path(out, name).read_bytes())
    )
    reader.read_table(out, KEYFRAMES)
    reader.read_matching(out, STORIES, Story, "video", ["c"])
    list(reader.read_rows(out, KEYFRAMES, Keyframe))
    assert threads == {threading.get_ident()}


def test_each_film_with_stories_comes_with_its_keyframes(out):
    films = {film: (stories, images) for film, stories, images in reader.read_films(out)}
    assert list(films) == ["a", "c"]
    ((only,), keyframes) = films["c"]
    assert list(keyframes) == only.images
    assert {row.video for row in keyframes.values()} == {"c"}


def test_what_the_manifest_says(out):
    assert reader.read_splits(out) == {"a": "train", "b": "", "c": "val"}
    (pip,) = reader.read_characters(out)
    assert (pip.name, pip.called) == ("Pip", ["the monkey"])


def test_files_are_named_from_the_datasets_folder(out):
    image = story("a").images[0]
    assert reader.has_file(out, image) and reader.read_file(out, image) == b"a picture"
    assert not reader.has_file(out, "run.json")
    with pytest.raises(OSError, match="captions"):
        list(reader.read_batches(out, "captions"))
    assert [reader.is_inside(name) for name in ("images/a.jpg", "../a.jpg", "/a.jpg")] == [
        True,
        False,
        False,
    ]
