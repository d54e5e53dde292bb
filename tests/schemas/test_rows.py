import dataclasses

import pyarrow as pa
import pytest

from schemas.rows import (
    Caption,
    Character,
    Keyframe,
    Reject,
    Scores,
    Spoken,
    Story,
    Video,
    arrow_schema,
    from_table,
    to_table,
)

STORY = Story(
    "a_story_000",
    "a",
    "A",
    "train",
    True,
    ["images/a/1.jpg"],
    ["Once."],
    [0],
    ["A hill."],
    "captioner",
    ["writer"],
    [False],
    True,
    Scores(0.1, 2.5, 1.0, 0, 1.0, 0.0, 0.8, None),
)


def test_rows_come_back_as_they_went_in():
    rows = [
        Video("a", "/films/a.mp4", "A", "a", season=None, episode=3, duration=1.5),
        Video("b", "/films/b.mp4", "A", "b"),
    ]
    assert from_table(to_table(rows, Video), Video) == rows
    assert from_table(to_table([STORY], Story), Story) == [STORY]


def test_only_fields_that_may_be_none_are_nullable():
    nullable = [field.name for field in arrow_schema(Video) if field.nullable]
    assert nullable == ["season", "episode"]
    assert arrow_schema(Story).field("captions").type == pa.list_(pa.string())


@pytest.mark.parametrize("kind", [Video, Keyframe, Spoken, Caption, Character, Story, Reject])
def test_no_rows_make_an_empty_table_with_the_same_schema(kind):
    table = to_table([], kind)
    assert table.num_rows == 0
    assert table.schema == arrow_schema(kind)


def test_a_value_of_another_type_is_refused():
    with pytest.raises(pa.ArrowTypeError):
        to_table([Reject("video", "a", "broken", detail=["not", "text"])], Reject)  # type: ignore


def test_scores_have_no_name_that_their_story_has():
    """Tables can be unnested: `stories.unnest("scores")` of Polars refuses a name twice."""
    assert not {field.name for field in dataclasses.fields(Scores)} & {
        field.name for field in dataclasses.fields(Story)
    }
