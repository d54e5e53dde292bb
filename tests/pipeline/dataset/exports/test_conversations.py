"""Conversations, read by the rules of those who train vision-language models."""

import json
import re

import datasets
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipeline.__main__ import main
from pipeline.dataset.exports import conversations
from schemas.rows import Story, from_table, to_table


def as_qwen_vl(path):
    """Messages as Qwen-VL's fine-tuning code makes them of a record: each `<image>` is the next
    picture, and there are as many of one as of the other. A file is JSON unless it is JSONL."""
    lines = path.suffix == ".jsonl"
    for item in map(json.loads, path.open()) if lines else json.loads(path.read_text()):
        images = [item["image"]] if isinstance(item["image"], str) else item["image"]
        pictures = [path.parent / image for image in images]
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


def as_llava(path):
    """Pictures and turns as LLaVA has them: JSON, a picture below the image folder, people first;
    the records of LLaVA-NeXT are the same, and may have a list of pictures."""
    for item in json.loads(path.read_text()):
        assert [turn["from"] for turn in item["conversations"]] == ["human", "gpt"]
        assert item["conversations"][0]["value"].count("<image>") == 1
        yield Image.open(path.parent / item["image"]), item["conversations"][1]["value"]


def as_llama_factory(folder, name):
    """Messages and pictures as LLaMA-Factory aligns those of a dataset that its
    `dataset_info.json` describes: its default tags are those of LLaVA."""
    about = json.loads((folder / "dataset_info.json").read_text())[name]
    columns = about["columns"]
    assert about["formatting"] == "sharegpt"
    file = str(folder / about["file_name"])
    for item in datasets.load_dataset("json", data_files=file, split="train"):
        roles = [turn["from"] for turn in item[columns["messages"]]]
        assert roles == ["human", "gpt"] * (len(roles) // 2)
        images = item[columns["images"]]
        images = images if isinstance(images, list) else [images]
        texts = [turn["value"] for turn in item[columns["messages"]]]
        assert sum(text.count("<image>") for text in texts) == len(images)  # else it raises
        yield texts, [folder / image for image in images]


def as_swift(path):
    """Roles and pictures as ms-swift standardises them: `conversations` become `messages`, `image`
    becomes `images`, `from` and `value` become `role` and `content`. ROOT_IMAGE_DIR is the folder
    of pictures."""
    role = {"human": "user", "gpt": "assistant"}
    for item in datasets.load_dataset("json", data_files=str(path), split="train"):
        clashes = {"messages", "images", "system", "objects", "tools"} & item.keys()
        assert not clashes  # names that it gives another meaning
        images = [item["image"]] if isinstance(item["image"], str) else item["image"]
        yield [role[turn["from"]] for turn in item["conversations"]], images


@pytest.fixture
def exported(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    conversations.export(str(dataset), str(tmp_path / "to"))
    return tmp_path / "to"


def test_each_picture_is_answered_by_the_next_sentence(dataset, tmp_path):
    paths = conversations.export(str(dataset), str(tmp_path / "to"))
    names = [path.rpartition("/")[2] for path in paths]
    assert names == [
        f"{task}-{to}.{kind}"
        for to in ("train", "val")
        for task, kind in (("stories", "jsonl"), ("captions", "json"))
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
    described = list(as_qwen_vl(tmp_path / "to/captions-train.json"))
    assert described[0][1][1:] == ["Describe this picture in one sentence.", "A kite."]
    assert len(described) == 59


def test_llava_reads_descriptions_of_single_pictures(exported):
    pictures = list(as_llava(exported / "captions-train.json"))
    assert len(pictures) == 60
    assert [picture.size for picture, _ in pictures[:2]] == [(96, 60), (96, 62)]
    assert pictures[0][1] == "."


@pytest.mark.parametrize(("task", "count"), [("stories", 6), ("captions", 60)])
def test_llama_factory_reads_both_by_what_the_folder_says(exported, task, count):
    records = list(as_llama_factory(exported, f"storystream-{task}-train"))
    assert len(records) == count
    for texts, pictures in records:
        assert all(picture.is_file() for picture in pictures)
        assert len(texts) == 2 * len(pictures)


@pytest.mark.parametrize("name", ["stories-train.jsonl", "captions-val.json"])
def test_ms_swift_reads_both(exported, name):
    for roles, images in as_swift(exported / name):
        assert roles == ["user", "assistant"] * len(images)
        assert all((exported / image).is_file() for image in images)


def test_a_dataset_without_descriptions_has_no_captions_and_says_so(dataset, tmp_path, capsys):
    stories = from_table(pq.read_table(dataset / "stories.parquet"), Story)
    for row in stories:
        row.descriptions[:] = [""] * len(row.descriptions)
    pq.write_table(to_table(stories, Story), dataset / "stories.parquet")
    to = tmp_path / "to"
    assert main(["export", str(dataset), "--format", "conversations", "--to", str(to)]) == 0
    assert "60 pictures of train have no description" in capsys.readouterr().err
    assert json.loads((to / "captions-train.json").read_text()) == []
    info = json.loads((to / "dataset_info.json").read_text())
    assert list(info) == ["storystream-stories-train", "storystream-stories-val"]
