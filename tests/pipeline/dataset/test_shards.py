import hashlib
import json
import random
import tarfile
from pathlib import Path

import pytest
import webdataset

from pipeline.config import OutputConfig
from pipeline.dataset import shards
from pipeline.dataset.shards import StorySummary
from tests.pipeline.rows import story

OF_64_MB = OutputConfig(shard_megabytes=64)


def many(films):
    """Stories of films of various lengths, of about 3 MB each."""
    found = []
    for film in films:
        rng = random.Random(film)
        found += [
            StorySummary(
                f"{film}_story_{number:03d}",
                film,
                rng.randrange(1_000_000, 5_000_000),
                f"{film} {number}",
            )
            for number in range(rng.randrange(2, 40))
        ]
    return found


def planned(stories, config=OF_64_MB):
    return shards.plan(stories, dict.fromkeys((story.video for story in stories), "train"), config)


def sizes(plan, stories):
    of = {story.id: story.bytes for story in stories}
    return [sum(of[name] for _, name in shard.stories) for shard in plan]


FILMS = [f"film{number:03d}" for number in range(100)]


def test_shards_have_the_target_size_in_the_mean_and_never_more_than_twice():
    stories = many(FILMS)
    found = sizes(planned(stories), stories)
    assert len(found) > 80
    assert 0.85 * 64e6 < sum(found) / len(found) < 1.1 * 64e6
    assert all(32e6 <= size < 128e6 + 5e6 for size in found[:-1])


@pytest.mark.parametrize("count", [1, 3, 8, 9, 40])
def test_a_small_dataset_has_a_shard_for_each_of_eight_workers(count):
    stories = many([f"film{at}" for at in range(4)])[:count]
    found = planned(stories)
    assert min(8, count) <= len(found) <= min(16, count)
    assert [name for shard in found for _, name in shard.stories] == [story.id for story in stories]
    val = shards.plan(stories, dict.fromkeys(FILMS + [s.video for s in stories], "val"), OF_64_MB)
    assert len(val) <= 3  # it is not trained on


def test_a_film_that_comes_or_goes_changes_few_shards_of_a_small_dataset():
    films = FILMS[:12]
    before = {shard.digest for shard in planned(many(films))}
    kept = [
        len(before & {shard.digest for shard in planned(many(films[:at] + films[at + 1 :]))})
        for at in range(12)
    ]
    assert sum(kept) / 12 > len(before) / 2


def test_a_film_that_comes_or_goes_changes_the_shards_that_it_falls_into():
    before = {shard.digest: shard for shard in planned(many(FILMS))}
    others = []
    for removed in FILMS:
        after = planned(many([film for film in FILMS if film != removed]))
        kept = {shard.digest for shard in after} & before.keys()
        own = sum(any(video == removed for video, _ in shard.stories) for shard in before.values())
        others.append(len(before) - len(kept) - own)
        for shard in after:
            assert shard.digest not in kept or shard.stories == before[shard.digest].stories
    assert sum(others) / len(others) < 2 and max(others) <= 10


def test_a_story_that_changes_changes_its_own_shard_only():
    stories = many(FILMS)
    before = planned(stories)
    stories[500] = StorySummary(
        stories[500].id, stories[500].video, stories[500].bytes, "another text"
    )
    after = planned(stories)
    assert [shard.stories for shard in after] == [shard.stories for shard in before]
    assert sum(old.digest != new.digest for old, new in zip(before, after, strict=True)) == 1


def test_every_story_with_chunks_is_in_one_shard_of_its_side_in_order():
    stories = [
        StorySummary("b_story_000", "b", 900, "1"),
        StorySummary("a_story_001", "a", 900, "2"),
        StorySummary("a_story_000", "a", 900, "3"),
        StorySummary("a_story_002", "a", 0, "too short"),
        StorySummary("c_story_000", "c", 900, "4"),
    ]
    side = {"a": "train", "b": "val", "c": "train"}
    plan = shards.plan(stories, side, OutputConfig(shard_megabytes=0.0009))
    assert [(shard.path, shard.stories) for shard in plan] == [
        ("shards/train-00000-of-00003.tar", [("a", "a_story_000")]),
        ("shards/train-00001-of-00003.tar", [("a", "a_story_001")]),
        ("shards/train-00002-of-00003.tar", [("c", "c_story_000")]),
        ("shards/val-00000-of-00001.tar", [("b", "b_story_000")]),
    ]
    assert shards.plan([], {}, OutputConfig()) == []


def pictures(out: Path, example) -> dict[str, str]:
    """Writes a story's pictures; returns their digests."""
    for image in example.images:
        (out / image).parent.mkdir(parents=True, exist_ok=True)
        (out / image).write_bytes(b"picture " + image.encode())
    return {
        image: hashlib.sha256(b"picture " + image.encode()).hexdigest() for image in example.images
    }


def test_webdataset_reads_what_is_written_and_it_is_the_same_every_time(tmp_path):
    example = story("a", length=25)
    sha256 = pictures(tmp_path, example)
    record = shards.write(str(tmp_path), "shards/train-00000-of-00001.tar", [example], sha256)
    path = tmp_path / record.path
    content = path.read_bytes()
    assert (record.bytes, record.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert shards.write(str(tmp_path), record.path, [example], sha256) == record
    with tarfile.open(path) as tar:
        assert {member.mtime for member in tar} == {0}
    samples = list(webdataset.WebDataset(str(path), shardshuffle=False))
    assert [sample["__key__"] for sample in samples] == [
        "a_story_000_chunk_0",
        "a_story_000_chunk_1",
    ]
    assert json.loads(samples[1]["json"])["captions"] == example.captions[10:20]
    assert samples[1]["09.jpg"] == b"picture " + example.images[19].encode()


def test_a_damaged_picture_is_named_and_does_not_get_into_a_shard(tmp_path):
    example = story("a")
    sha256 = pictures(tmp_path, example)
    (tmp_path / example.images[7]).write_bytes(b"damaged")
    with pytest.raises(
        shards.DamagedPicture,
        match=rf"{example.images[7]} has other bytes .*"
        r"--force a makes",
    ):
        shards.write(str(tmp_path), "shards/train-00000-of-00001.tar", [example], sha256)
    (tmp_path / example.images[7]).unlink()
    with pytest.raises(shards.DamagedPicture, match=rf"{example.images[7]} is missing"):
        shards.write(str(tmp_path), "shards/train-00000-of-00001.tar", [example], sha256)
    assert list((tmp_path / "shards").iterdir()) == []


def test_what_a_story_is_planned_by_is_what_its_samples_hold():
    example = story("a", length=25)
    held = {image: (100, "digest of " + image) for image in example.images}
    plain = shards.summarize(example, held)
    assert (plain.id, plain.video, plain.bytes) == ("a_story_000", "a", 2000)
    tail = {**held, example.images[24]: (999, "another picture, in no chunk")}
    assert shards.summarize(example, tail) == plain
    other = {**held, example.images[19]: (100, "another picture")}
    assert shards.summarize(example, other).digest != plain.digest
    assert shards.summarize(story("a", length=25, captions=["."] * 25), held).digest != plain.digest
