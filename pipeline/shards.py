"""Stories to WebDataset shards: which side of the split, which shard, and the tars themselves.

Whole episodes go to one side, and episodes that share near-identical pictures (a trailer and its
film, a clip show) go together, so no picture of `val` was seen in `train`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import IO

from pipeline import storage
from pipeline.config import OutputConfig
from schemas.rows import CHUNK_LENGTH, Story
from schemas.storystream import IMAGES, chunk_records

_HASH_BITS = 256
_BAND_DIGITS = 4  # hex digits: 16 bands, so hashes with under 16 bits between them share a band


@dataclasses.dataclass(frozen=True)
class FileRecord:
    """A finished file of the dataset, as the manifest names it."""

    path: str  # relative to the dataset folder
    bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class Shard:
    """A tar to be written: what it is called and the chunks it takes, by name only."""

    path: str
    chunks: list[tuple[str, str, int]]  # part that holds the story, its id, number of the chunk


def likeness_groups(hashes: Mapping[str, Sequence[str]], likeness: float) -> list[list[str]]:
    """Videos in groups that share no near-identical picture, each sorted, by their first video.

    Takes the perceptual hashes of each video's keyframes. Two pictures are near-identical where at
    least `likeness` of their bits are equal.
    """
    leader = {video: video for video in hashes}

    def find(video: str) -> str:
        while leader[video] != video:
            leader[video] = leader[leader[video]]
            video = leader[video]
        return video

    furthest = (1 - likeness) * _HASH_BITS
    bands: dict[tuple[int, str], list[tuple[str, int]]] = defaultdict(list)
    for video in sorted(hashes):
        for text in hashes[video]:
            bits = int(text, 16)
            for at in range(0, len(text), _BAND_DIGITS):
                band = bands[at, text[at:at + _BAND_DIGITS]]
                for other, other_bits in band:
                    if find(other) != find(video) and (bits ^ other_bits).bit_count() <= furthest:
                        one, two = sorted((find(other), find(video)))
                        leader[two] = one
                band.append((video, bits))
    groups: dict[str, list[str]] = defaultdict(list)
    for video in sorted(hashes):
        groups[find(video)].append(video)
    return [groups[first] for first in sorted(groups)]


def splits(hashes: Mapping[str, Sequence[str]], stories: Mapping[str, int],
           config: OutputConfig) -> dict[str, str]:
    """`train` or `val` for each video, given its hashes and its number of stories.

    Groups go to `val`, in an order that only their names decide, while they fit into its share; if
    none fits, the smallest goes. A single group is all `train`.
    """
    groups = [group for group in likeness_groups(hashes, config.split_likeness)
              if any(stories.get(video) for video in group)]
    size = {group[0]: sum(stories.get(video, 0) for video in group) for group in groups}
    groups.sort(key=lambda group: hashlib.sha256(group[0].encode()).hexdigest())
    room = config.val_share * sum(size.values())
    chosen: set[str] = set()
    if config.val_share > 0 and len(groups) > 1:
        for group in groups:
            if size[group[0]] <= room:
                chosen.add(group[0])
                room -= size[group[0]]
        if not chosen:
            chosen.add(min(groups, key=lambda group: size[group[0]])[0])
    return {video: "val" if group[0] in chosen else "train"
            for group in groups for video in group}


def plan(stories: Iterator[tuple[str, Story, Mapping[str, int]]], config: OutputConfig
         ) -> list[Shard]:
    """The shards of a dataset, none of them empty.

    Takes each story, in order, with its part and the bytes of its pictures by path. Stories
    need their split. A shard is closed when it has reached the target size.
    """
    target = config.shard_megabytes * 1e6
    filled: dict[str, list[list[tuple[str, str, int]]]] = defaultdict(list)
    size: dict[str, float] = {}
    for part, story, picture_bytes in stories:
        for number in range(len(story.images) // CHUNK_LENGTH):
            images = story.images[number * CHUNK_LENGTH:(number + 1) * CHUNK_LENGTH]
            if not filled[story.split] or size[story.split] >= target:
                filled[story.split].append([])
                size[story.split] = 0.0
            filled[story.split][-1].append((part, story.id, number))
            size[story.split] += sum(picture_bytes[image] for image in images)
    return [Shard(f"shards/{split}-{number:05d}-of-{len(shards):05d}.tar", chunks)
            for split, shards in sorted(filled.items()) for number, chunks in enumerate(shards)]


def write(out: str, path: str, chunks: Sequence[tuple[Story, int]]) -> FileRecord:
    """Writes one tar of chunks, each a story and the chunk's number, byte-identical every time."""
    import webdataset  # loads PyTorch, which takes seconds: only who writes shards waits for it

    target = storage.join(out, *path.split("/"))
    with storage.writing(target) as file:
        hashing = _Hashing(file)
        with webdataset.TarWriter(hashing, encoder=False, mtime=0, user="root",
                                  group="root") as tar:
            for story, number in chunks:
                tar.write(_sample(out, story, number))
    return FileRecord(path, hashing.bytes, hashing.sha256.hexdigest())


def _sample(out: str, story: Story, number: int) -> dict[str, object]:
    record = chunk_records(story)[number]
    about = {**record, "story": story.id, "chunk": number, "video": story.video,
             "series": story.series}
    sample: dict[str, object] = {
        "__key__": record["id"],
        "json": json.dumps(about, ensure_ascii=False, sort_keys=True).encode(),
    }
    for at, image in enumerate(record["images"]):
        sample[f"{at:02d}.jpg"] = storage.read_bytes(
            storage.join(out, IMAGES, *image.split("/")))
    return sample


class _Hashing:
    """A file that counts and digests what is written to it."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.bytes, self.sha256 = file, 0, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.bytes += len(data)
        self.sha256.update(data)
        self.file.write(data)
        return len(data)
