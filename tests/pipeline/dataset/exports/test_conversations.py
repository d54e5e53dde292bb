import json
import re

import pyarrow.parquet as pq

from pipeline.dataset.exports import conversations
from schemas.rows import Story, from_table, to_table


def as_qwen_vl(path):
    """Messages as Qwen-VL's fine-tuning code makes them of a line: each `<image>` is the next
    picture, and there are as many of one as of the other."""
    for line in path.read_text().splitlines():
        item = json.loads(line)
        pictures = [path.parent / image for image in item["image"]]
        messages = []
        for turn in item["conversations"]:
            if turn["from"] != "human":
                messages.append(turn["value"])
                continue
            for part in re.split(r"(<image>|<video>)", turn["value"]):
                if part == "<image>":
                    messages.append(pictures.pop(0))
                elif part.strip():
                    messages.append(part.strip())
        assert not pictures
        yield item, messages


def test_each_picture_is_answered_by_the_next_sentence(dataset, tmp_path):
    paths = conversations.export(str(dataset), str(tmp_path / "to"))
    names = [path.rpartition("/")[2] for path in paths]
    assert names == [
        f"{task}-{to}.jsonl" for to in ("train", "val") for task in ("stories", "captions")
    ]
    first, second, *_ = as_qwen_vl(tmp_path / "to/stories-train.jsonl")
    item, messages = first
    assert (item["id"], item["license"]) == ("a_story_000_0", "CC0-1.0")
    assert messages[0].startswith("Tell the story of these pictures")
    assert messages[2::2] == [f"a 0 {at}." for at in range(10)]
    for at, picture in enumerate(messages[1::2]):
        name = f"images/a/a_keyframe_0-0-{at}-0.jpg"
        assert picture == tmp_path / "to" / name
        assert picture.read_bytes() == (dataset / name).read_bytes()
    told = " ".join(f"a 0 {at}." for at in range(10))
    assert second[1][0].endswith(f"The story so far: {told}")


def test_descriptions_are_captions_and_a_text_asks_for_no_picture(dataset, tmp_path):
    stories = from_table(pq.read_table(dataset / "stories.parquet"), Story)
    stories[0].captions[2] = "Pip wrote <image> on the wall."
    stories[0].descriptions[0] = "A kite."
    stories[0].descriptions[1] = ""  # a story without one there
    pq.write_table(to_table(stories, Story), dataset / "stories.parquet")
    conversations.export(str(dataset), str(tmp_path / "to"))
    told = [messages for _, messages in as_qwen_vl(tmp_path / "to/stories-train.jsonl")]
    assert "Pip wrote (image) on the wall." in told[0]
    described = list(as_qwen_vl(tmp_path / "to/captions-train.jsonl"))
    assert described[0][1][1:] == ["Describe this picture in one sentence.", "A kite."]
    assert len(described) == 59
