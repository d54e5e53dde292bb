import hashlib
import json
import tarfile

import webdataset

from pipeline import shards
from pipeline.config import OutputConfig
from tests.pipeline.rows import flipped, phash, story


def hashes(**videos):
    return {video: [phash(picture) for picture in pictures] for video, pictures in videos.items()}


def test_films_that_share_a_picture_go_together():
    pictures = hashes(film=["a", "b"], other=["c"], third=["d", "e"])
    pictures["trailer"] = [flipped(phash("b"), 12)]
    assert shards.likeness_groups(pictures, 0.945) == [["film", "trailer"], ["other"], ["third"]]
    pictures["trailer"] = [flipped(phash("b"), 40)]
    assert len(shards.likeness_groups(pictures, 0.945)) == 4


def test_every_likeness_allowed_is_found_whichever_bits_differ():
    for bits in range(15):
        pictures = {"a": [phash(bits)], "b": [flipped(phash(bits), bits)]}
        assert shards.likeness_groups(pictures, 0.945) == [["a", "b"]], bits


def test_whole_films_are_held_out_and_the_same_ones_each_time():
    pictures = hashes(**{f"film{i}": [f"picture {i}"] for i in range(20)})
    told = dict.fromkeys(pictures, 3)
    split = shards.splits(pictures, told, OutputConfig(val_share=0.1))
    assert sorted(split) == sorted(pictures)
    assert list(split.values()).count("val") == 2
    backwards = dict(reversed(pictures.items()))
    assert shards.splits(backwards, told, OutputConfig(val_share=0.1)) == split


def test_a_few_films_still_hold_one_out_and_one_film_does_not():
    pictures = hashes(a=["1"], b=["2"], c=["3"])
    split = shards.splits(pictures, {"a": 5, "b": 2, "c": 5}, OutputConfig())
    assert split == {"a": "train", "b": "val", "c": "train"}
    assert shards.splits(hashes(a=["1"]), {"a": 5}, OutputConfig()) == {"a": "train"}
    assert shards.splits(pictures, {"a": 5, "b": 2}, OutputConfig(val_share=0)) == {
        "a": "train", "b": "train"}


def test_shards_are_closed_at_the_target_size_and_none_is_empty():
    stories = [story("a", 0), story("a", 1, 15), story("b", 0, split="val"), story("c", 0, 9)]
    sizes = {image: 100_000 for each in stories for image in each.images}
    plan = shards.plan((("part", each, sizes) for each in stories),
                       OutputConfig(shard_megabytes=2))
    assert [(shard.path, [(name, number) for _, name, number in shard.chunks])
            for shard in plan] == [
        ("shards/train-00000-of-00002.tar", [("a_story_000", 0), ("a_story_000", 1)]),
        ("shards/train-00001-of-00002.tar", [("a_story_000", 2), ("a_story_001", 0)]),
        ("shards/val-00000-of-00002.tar", [("b_story_000", 0), ("b_story_000", 1)]),
        ("shards/val-00001-of-00002.tar", [("b_story_000", 2)]),
    ]


def test_webdataset_reads_what_is_written_and_it_is_the_same_every_time(tmp_path):
    told = story("a")
    for image in told.images:
        (tmp_path / image).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / image).write_bytes(b"picture " + image.encode())
    chunks = [(told, 0), (told, 2)]
    record = shards.write(str(tmp_path), "shards/train-00000-of-00001.tar", chunks)
    path = tmp_path / record.path
    content = path.read_bytes()
    assert (record.bytes, record.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert shards.write(str(tmp_path), record.path, chunks) == record
    with tarfile.open(path) as tar:
        assert {member.mtime for member in tar} == {0}
    samples = list(webdataset.WebDataset(str(path), shardshuffle=False))
    assert [sample["__key__"] for sample in samples] == [
        "a_story_000_chunk_0", "a_story_000_chunk_2"]
    assert json.loads(samples[1]["json"])["captions"] == told.captions[20:]
    assert samples[1]["09.jpg"] == b"picture " + told.images[29].encode()
