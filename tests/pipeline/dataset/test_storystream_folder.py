"""A downloaded StoryStream: JSONL beside pictures, some of which were never published."""

import json

import pytest
from PIL import Image

from model import data
from pipeline.__main__ import main
from pipeline.dataset import storystream_folder


@pytest.fixture
def george(tmp_path):
    """Three stories of train and one of val, unpacked as the archives are: pictures below
    `george`. The second story's paths have backslashes; the third lacks its picture 12."""
    folder = tmp_path / "George"
    lines = {"train": [], "val": []}
    for number in range(4):
        video = f"{number:06d}"
        images = [f"{video}/{video}_keyframe_0-0-{at}-0.jpg" for at in range(30)]
        for at, image in enumerate(images):
            path = folder / "george" / image
            path.parent.mkdir(parents=True, exist_ok=True)
            if (number, at) != (2, 12):
                Image.new("RGB", (16, 9), (8 * at, 60 * number, 0)).save(path)
        if number == 1:
            images = [image.replace("/", "\\") for image in images]
        captions = [f"Story {number}, picture {at}." for at in range(30)]
        line = {"id": 7, "images": images, "captions": captions, "orders": list(range(30))}
        lines["val" if number == 3 else "train"].append(json.dumps(line))
    (folder / "george_story").mkdir()
    for split, of_split in lines.items():
        (folder / f"george_story/{split}.jsonl").write_text("\n".join(of_split) + "\n")
    (folder / "george_story/train_10.jsonl").write_text(lines["train"][0] + "\n")  # chunks
    return folder


SAID = (
    "george_story/train.jsonl: 3 stories, 2 of them whole; 8 chunks; 90 pictures, of which 1 are "
    "missing, such as 000002/000002_keyframe_0-0-12-0.jpg: 1 chunks with one are left out\n"
    "george_story/val.jsonl: 1 stories, 1 of them whole; 3 chunks; 30 pictures\n"
)


def test_missing_pictures_are_counted_and_are_no_fault(george, capsys):
    assert main(["verify", str(george)]) == 0
    assert capsys.readouterr().out == SAID


def test_damaged_lines_and_pictures_are_named(george, capsys):
    picture = george / "george/000000/000000_keyframe_0-0-3-0.jpg"
    picture.write_bytes(picture.read_bytes()[:200])
    with (george / "george_story/val.jsonl").open("a") as file:
        file.write('{"id": 1, "images": ["a.jpg"], "captions": []}\n')
        file.write('{"id": 1, "images": ["../../a.jpg"], "captions": ["a"]}\n')
    assert main(["verify", str(george)]) == 1
    said = capsys.readouterr().out
    assert f"damaged: {picture}" in said
    assert "val.jsonl, line 2: ValueError('1 images and 0 captions')" in said
    assert "val.jsonl, line 3: ValueError('a picture outside of the folder')" in said
    assert main(["adopt", str(george)]) == 2


def test_a_trainer_reads_all_chunks_but_those_with_a_missing_picture(george, capsys):
    assert main(["adopt", str(george)]) == 0
    assert capsys.readouterr().out == f"{SAID}4 shards in {george}/shards\n"
    texts = {
        split: [data.texts(raw)[0] for raw in data.once(data.shards(str(george), split), dict)]
        for split in ("train", "val")
    }
    assert texts["val"] == [f"Story 3, picture {at}." for at in (0, 10, 20)]
    assert sorted(texts["train"]) == [
        f"Story {number}, picture {at}."
        for number in range(3)
        for at in (0, 10, 20)
        if (number, at) != (2, 10)
    ]
    sample = next(data.once(data.shards(str(george), "val"), dict))
    assert data.pictures(sample, 8).shape == (10, 8, 8, 3)
    lines = (george / "images/train_stories.jsonl").read_text().splitlines()
    assert len(lines) == 2
    assert (george / "images" / json.loads(lines[1])["images"][5]).is_file()
    first = (george / "dataset.json").read_bytes()
    assert main(["verify", str(george)]) == 0  # it is still what was downloaded
    assert main(["adopt", str(george)]) == 0
    assert (george / "dataset.json").read_bytes() == first


def test_other_folders_are_refused(tmp_path, george, capsys):
    (tmp_path / "empty").mkdir()
    assert not storystream_folder.is_one(str(tmp_path / "empty"))
    assert main(["adopt", str(tmp_path / "empty")]) == 2
    (george / "george_story/val.jsonl").unlink()
    assert main(["adopt", str(george)]) == 2
    assert "has no stories of val" in capsys.readouterr().err
