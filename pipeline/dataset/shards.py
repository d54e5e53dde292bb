"""Stories to WebDataset shards: which stories go into which tar, and the tars themselves.

Where one shard ends and the next begins is said by the stories themselves, not counted from the
first one: a film that is added, removed or changed changes the shard that it falls into, at times
the next ones, and all the others keep their bytes. Only their numbers may be other ones.
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
from pipeline.dataset.split import fraction
from pipeline.runtime import stage_outputs, storage
from pipeline.runtime.prefetch import prefetch
from schemas.rows import Story
from schemas.storystream import IMAGES, chunk_records

VERSION = 1  # goes up when the same stories give other bytes


class DamagedPicture(ValueError):
    """A picture that is not as its row says, with its name and the remedy."""


@dataclasses.dataclass(frozen=True)
class Told:
    """What the plan of the shards needs to know of a story."""

    id: str
    video: str
    bytes: int  # of the pictures of its chunks, 0 where it has none
    digest: str  # of all that its samples hold


@dataclasses.dataclass(frozen=True)
class Shard:
    """A tar to be written: what it is called and the stories whose chunks it takes."""

    path: str
    stories: list[tuple[str, str]]  # film and id
    digest: str  # of all that decides its bytes


def told(story: Story, pictures: Mapping[str, tuple[int, str]]) -> Told:
    """What the plan needs to know of a story. `pictures`: bytes and sha256 of each, by path."""
    held = [pictures[image] for image in _images(story)]
    digest = stage_outputs.digest(
        [chunk_records(story), story.video, story.series, [sha256 for _, sha256 in held]]
    )
    return Told(story.id, story.video, sum(size for size, _ in held), digest)


def plan(stories: Iterable[Told], side: Mapping[str, str], config: OutputConfig) -> list[Shard]:
    """The shards of a dataset, none of them empty, given the side of each film.

    From half the target size on, a shard ends after a story whose id's digest says so, such that
    shards have the target size in the mean; at twice the target it ends in any case. The chunks of
    a story stay together.
    """
    half = config.shard_megabytes * 1e6 / 2
    filled: dict[str, list[list[Told]]] = defaultdict(list)
    size: dict[str, float] = {}
    for story in sorted(stories, key=lambda one: (one.video, one.id)):
        if not story.bytes:
            continue
        shards = filled[side[story.video]]
        if not shards or size[side[story.video]] < 0:  # the last one is closed
            shards.append([])
            size[side[story.video]] = 0.0
        shards[-1].append(story)
        size[side[story.video]] += story.bytes
        reached = size[side[story.video]]
        if reached >= 4 * half or (reached >= half and fraction(story.id) < story.bytes / half):
            size[side[story.video]] = -1.0
    return [
        Shard(
            f"shards/{name}-{number:05d}-of-{len(shards):05d}.tar",
            [(story.video, story.id) for story in shard],
            stage_outputs.digest([VERSION, [story.digest for story in shard]]),
        )
        for name, shards in sorted(filled.items())
        for number, shard in enumerate(shards)
    ]


def write(out: str, path: str, stories: Sequence[Story], sha256: Mapping[str, str]) -> FileRecord:
    """Writes one tar of the chunks of stories, byte-identical every time.

    `sha256` is that of each picture, by path. Raises DamagedPicture for one that is missing or is
    not as its digest says; then nothing is written.
    """
    import webdataset  # loads PyTorch, which takes seconds: only who writes shards waits for it

    images = (image for story in stories for image in _images(story))
    pictures = prefetch(functools.partial(_picture, out, sha256), images)
    records: list[FileRecord] = []
    with (
        recorded(out, path, records) as file,
        webdataset.TarWriter(file, encoder=False, mtime=0, user="root", group="root") as tar,
    ):
        for story in stories:
            for number, record in enumerate(chunk_records(story)):
                about = {
                    **record,
                    "story": story.id,
                    "chunk": number,
                    "video": story.video,
                    "series": story.series,
                }
                tar.write(
                    {
                        "__key__": record["id"],
                        "json": json.dumps(about, ensure_ascii=False, sort_keys=True).encode(),
                        **{f"{at:02d}.jpg": next(pictures) for at in range(len(record["images"]))},
                    }
                )
    return records[0]


def _images(story: Story) -> list[str]:
    """The paths of the pictures of a story's chunks, in their order."""
    return [f"{IMAGES}/{image}" for chunk in chunk_records(story) for image in chunk["images"]]


def _picture(out: str, sha256: Mapping[str, str], image: str) -> bytes:
    path = storage.join(out, *image.split("/"))
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
