import dataclasses

import pytest

from schemas.published import chunk_records, keyframe_id, parse_keyframe_id, story_record
from schemas.rows import Story


def story(length: int) -> Story:
    return Story(
        id="000258_story_001",
        video="000258",
        series="s",
        split="train",
        complete=length == 30,
        images=[f"images/000258/{keyframe_id('000258', i)}.jpg" for i in range(length)],
        captions=[f"text {i}" for i in range(length)],
        orders=list(range(length)),
        descriptions=[""] * length,
        caption_model="c",
        writers=["w"] * length,
        repaired=[False] * length,
    )


def test_names_are_those_of_the_published_dataset():
    assert keyframe_id("000258", 1199.688) == "000258_keyframe_0-19-59-688"
    assert keyframe_id("000258", 1200.866) == "000258_keyframe_0-20-0-866"
    assert keyframe_id("x", 3600.0004) == "x_keyframe_1-0-0-0"


def test_names_say_the_time():
    assert parse_keyframe_id("a_keyframe_b_keyframe_1-2-3-45") == ("a_keyframe_b", 3723.045)
    with pytest.raises(ValueError, match="frame_7"):
        parse_keyframe_id("frame_7")


def test_a_line_holds_what_the_published_loader_reads():
    record = story_record(story(30))
    assert list(record) == ["id", "images", "captions", "orders"]
    assert record["images"][1] == "000258/000258_keyframe_0-0-1-0.jpg"
    assert record["orders"] == list(range(30))


def test_a_tail_is_cut_into_the_whole_chunks_it_has():
    chunks = chunk_records(story(25))
    assert [chunk["captions"][0] for chunk in chunks] == ["text 0", "text 10"]
    assert [chunk["orders"] for chunk in chunks] == [list(range(10))] * 2
    assert chunks[1]["id"] == "000258_story_001_chunk_1"


def test_who_is_seen_and_where_goes_with_the_pictures():
    names = [["Pip", "Momo"] if i == 12 else [] for i in range(20)]
    boxes = [[[1, 2, 30, 40], [50, 2, 30, 40]] if i == 12 else [] for i in range(20)]
    seen = dataclasses.replace(story(20), characters=names, boxes=boxes)
    assert story_record(seen)["boxes"] == boxes
    first, second = chunk_records(seen)
    assert (first["characters"], first["boxes"]) == ([[]] * 10, [[]] * 10)
    assert (second["characters"][2], second["boxes"][2]) == (names[12], boxes[12])
