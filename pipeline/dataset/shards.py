"""WebDataset shards: which stories go into which tar, and the tars themselves.

Where one shard ends and the next begins follows from the stories themselves, not from a count that
starts at the first one: a film that is added, removed or changed changes the shard that it falls
into, sometimes the next ones, and all the others keep their bytes. Only their numbers may change.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from pipeline.config import OutputConfig
from pipeline.dataset.file_digests import FileRecord, recorded
from pipeline.dataset.reader import locate
from pipeline.dataset.split import fraction
from pipeline.runtime import stage_outputs, storage
from pipeline.runtime.prefetch import prefetch
from schemas import layout
from schemas.published import chunk_records, sample_records
from schemas.rows import Story

TRAIN_SHARDS = 8  # where there are stories for it: each loader worker and rank needs a shard
VERSION = 1  # goes up when the same stories give other bytes


class DamagedPicture(ValueError):
    """A picture whose bytes are not those of its row. The message names it and the remedy."""


@dataclasses.dataclass(frozen=True)
class StorySummary:
    """What the plan of the shards needs of a story."""

    id: str
    video: str
    bytes: int  # of the pictures of its chunks, 0 where it has none
    digest: str  # of all that its samples hold


@dataclasses.dataclass(frozen=True)
class Shard:
    """A tar to be written: its path and the stories whose chunks it holds."""

    path: str
    stories: list[tuple[str, str]]  # film and id
    digest: str  # of all that decides its bytes


def summarize(story: Story, pictures: Mapping[str, tuple[int, str]]) -> StorySummary:
    """Sums up a story for the plan. `pictures`: bytes and sha256 of each picture, by path."""
    in_chunks = [pictures[image] for image in _chunk_images(story)]
    digest = stage_outputs.digest(
        [chunk_records(story), story.video, story.series, [sha256 for _, sha256 in in_chunks]]
    )
    return StorySummary(story.id, story.video, sum(size for size, _ in in_chunks), digest)


def plan(
    stories: Iterable[StorySummary], splits: Mapping[str, str], config: OutputConfig
) -> list[Shard]:
    """Plans the shards of a dataset, none of them empty, given the side of the split of each film.

    From half the target size on, a shard ends after a story whose id's digest says so, such that
    shards have the target size in the mean; at twice the target it ends in any case. The chunks of
    a story stay together. A target that makes fewer than TRAIN_SHARDS shards of `train` is halved
    for it, until it makes as many or there is a story in each.
    """
    in_chunks = sorted(
        (story for story in stories if story.bytes), key=lambda story: (story.video, story.id)
    )
    filled = _fill(in_chunks, splits, config.shard_megabytes * 1e6)
    of_train = [story for story in in_chunks if splits[story.video] == layout.TRAIN]
    target = config.shard_megabytes * 1e6
    while len(filled.get(layout.TRAIN, ())) < min(TRAIN_SHARDS, len(of_train)):
        target /= 2
        filled |= _fill(of_train, splits, target)
    return [
        Shard(
            layout.shard_path(split, number, len(shards)),
            [(story.video, story.id) for story in shard],
            stage_outputs.digest([VERSION, [story.digest for story in shard]]),
        )
        for split, shards in sorted(filled.items())
        for number, shard in enumerate(shards)
    ]


def _fill(
    stories: Iterable[StorySummary], splits: Mapping[str, str], target: float
) -> dict[str, list[list[StorySummary]]]:
    """Divides stories, in their order, into shards of `target` bytes in the mean, by split."""
    half = target / 2
    filled: dict[str, list[list[StorySummary]]] = defaultdict(list)
    size: dict[str, float] = {}
    for story in stories:
        split = splits[story.video]
        shards = filled[split]
        if not shards or size[split] < 0:  # the last one is closed
            shards.append([])
            size[split] = 0.0
        shards[-1].append(story)
        size[split] += story.bytes
        reached = size[split]
        if reached >= 4 * half or (reached >= half and fraction(story.id) < story.bytes / half):
            size[split] = -1.0
    return filled


def write(out: str, path: str, stories: Sequence[Story], sha256: Mapping[str, str]) -> FileRecord:
    """Writes one tar of the chunks of stories, byte-identical every time.

    `sha256` is that of each picture, by path. Raises DamagedPicture for one that is missing or has
    another digest; then nothing is written.
    """
    import webdataset  # loads PyTorch, which takes seconds: only who writes shards waits for it

    images = (image for story in stories for image in _chunk_images(story))
    pictures = prefetch(functools.partial(_read_picture, out, sha256), images)
    records: list[FileRecord] = []
    with (
        recorded(out, path, records) as file,
        webdataset.TarWriter(file, encoder=False, mtime=0, user="root", group="root") as tar,
    ):
        for story in stories:
            for sample in sample_records(story):
                tar.write(
                    {
                        "__key__": sample["id"],
                        "json": json.dumps(sample, ensure_ascii=False, sort_keys=True).encode(),
                        **{
                            layout.sample_image(position): next(pictures)
                            for position in range(len(sample["images"]))
                        },
                    }
                )
    return records[0]


def _chunk_images(story: Story) -> list[str]:
    """The paths of the pictures of a story's chunks, in order."""
    return [
        f"{layout.IMAGES}/{image}" for chunk in chunk_records(story) for image in chunk["images"]
    ]


def _read_picture(out: str, sha256: Mapping[str, str], image: str) -> bytes:
    path = locate(out, image)
    try:
        data = storage.read_bytes(path)
    except FileNotFoundError:
        data = b""
    if hashlib.sha256(data).hexdigest() != sha256[image]:
        what = "has other bytes than when it was made" if data else "is missing or empty"
        raise DamagedPicture(
            f"{path} {what}; --force {image.split('/')[1]} makes the film's pictures again"
        )
    return data
