"""Verifies a downloaded StoryStream, the published dataset of SEED-Story, and makes it trainable.

Its layout: archives of pictures, `<video>/<video>_keyframe_....jpg` once they are unpacked, and
JSONL files, a story of 30 pictures per line, such as `train.jsonl` and `val.jsonl`; files that
`chunk_data.py` made (`train_10.jsonl`) repeat them in pieces. Some pictures that lines name were
never published (its authors say to ignore them), and some lines have backslashes in their paths.
SEED-Story's loader leaves out a chunk with a missing picture, and so do we.

`adopt` writes shards, JSONL and `dataset.json` into the folder itself; pictures stay in place.

Source: github.com/TencentARC/SEED-Story, its folder `StoryStream`, `src/data/story_telling.py` and
what its authors answered there about missing pictures.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.config import OutputConfig
from pipeline.dataset import shards
from pipeline.dataset.file_digests import FileRecord, recorded
from pipeline.dataset.manifest import write_json
from pipeline.dataset.reader import is_inside
from pipeline.runtime import stage_outputs, storage
from schemas import layout
from schemas.rows import CHUNK_LENGTH

SOURCE = "StoryStream"  # the entry "source" of the `dataset.json` that `adopt` writes

_CHUNKS = re.compile(r"_\d+$")  # train_10, by chunk_data.py
_HELD_OUT = frozenset(("val", "valid", "validation", "test"))


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of a JSONL file: a story, with the paths of its pictures, None for a missing one."""

    id: str
    split: str
    captions: list[str]
    pictures: list[str | None]

    def chunks(self) -> Iterator[tuple[int, list[str], list[str]]]:
        """Yields number, captions and pictures of each chunk of which no picture is missing."""
        for start in range(0, len(self.pictures) - CHUNK_LENGTH + 1, CHUNK_LENGTH):
            found = [path for path in self.pictures[start : start + CHUNK_LENGTH] if path]
            if len(found) == CHUNK_LENGTH:
                yield start // CHUNK_LENGTH, self.captions[start : start + CHUNK_LENGTH], found


@dataclasses.dataclass
class Counts:
    """What a file has."""

    stories: int = 0
    whole: int = 0  # stories without a missing picture
    chunks: int = 0  # without a missing picture
    chunks_left_out: int = 0
    pictures: int = 0
    missing: list[str] = dataclasses.field(default_factory=list)
    damaged: list[str] = dataclasses.field(default_factory=list)  # lines and pictures


def is_one(folder: str) -> bool:
    """Tells whether a folder has the published layout: JSONL files, and no dataset of ours."""
    manifest = Path(folder, layout.MANIFEST)
    if manifest.is_file():
        try:
            return bool(json.loads(manifest.read_bytes()).get("source") == SOURCE)
        except (ValueError, AttributeError):
            return False
    return Path(folder).is_dir() and any(True for _ in _files(folder))


def verify(folder: str, say: Callable[[str], None]) -> bool:
    """Reads every line and the ends of every picture of a folder; says what each file has.

    Missing pictures are counted: the published dataset has some. Returns False where a line is no
    story or a picture is cut short.
    """
    good = True
    for file in _files(folder):
        counts = Counts()
        for _ in _lines(file, folder, counts, whole=True):
            pass
        say(_describe(file, folder, counts))
        for fault in counts.damaged[:20]:
            say(f"damaged: {fault}")
        good &= not counts.damaged
    return good


def adopt(folder: str, say: Callable[[str], None]) -> list[str]:
    """Writes shards, JSONL and `dataset.json` of a downloaded StoryStream into its folder.

    Returns the paths of the shards. Raises ValueError for a folder that is none, a damaged line or
    picture, and where no file is of `train` or none of `val`.
    """
    if not is_one(folder):
        raise ValueError(
            f"{folder} is no StoryStream folder: it has JSONL files with id, images and captions, "
            f"and no {layout.MANIFEST}"
        )
    records: list[FileRecord] = []
    storage.remove([path for path, _ in storage.find_in(folder, f"{layout.SHARDS}/*.tar")])
    stories: dict[str, list[Line]] = {split: [] for split in layout.SPLITS}
    for file in _files(folder):
        counts = Counts()
        for line in _lines(file, folder, counts):
            stories[line.split].append(line)
        say(_describe(file, folder, counts))
        if counts.damaged:
            raise ValueError(f"{counts.damaged[0]}: unpack the archive again")
    for split, lines in stories.items():
        if not any(True for line in lines for _ in line.chunks()):
            raise ValueError(
                f"{folder} has no stories of {split}: a file of them is called {split}.jsonl, and "
                "the pictures are unpacked beside it"
            )
    _write_jsonl(folder, stories, records)
    _write_shards(folder, stories, records)
    counts_by_split = {
        split: {"stories": len(lines), "chunks": sum(1 for line in lines for _ in line.chunks())}
        for split, lines in stories.items()
    }
    content = {
        "name": "StoryStream",
        "source": SOURCE,
        "splits": counts_by_split,
        "counts": {
            name: sum(counts[name] for counts in counts_by_split.values())
            for name in ("stories", "chunks")
        },
    }
    write_json(folder, content, records)
    return [record.path for record in records if record.path.startswith(layout.SHARDS)]


def _files(folder: str) -> list[Path]:
    """Returns the JSONL files of stories, without those of chunks where there are others, and
    without those that `adopt` wrote."""
    ours = Path(folder, layout.IMAGES)
    files = [
        file
        for file in sorted(Path(folder).rglob("*.jsonl"))
        if not (file.parent == ours and re.search("_(stories|chunks)$", file.stem))
    ]
    return [file for file in files if not _CHUNKS.search(file.stem)] or files


def _lines(file: Path, folder: str, counts: Counts, whole: bool = False) -> Iterator[Line]:
    """Reads the lines of a file and counts what they have; `whole` reads the pictures too."""
    parts = set(re.split(r"[^a-z]+", file.stem.lower()))
    split = layout.VAL if parts & _HELD_OUT else layout.TRAIN
    name = file.relative_to(folder).with_suffix("").as_posix().replace("/", "_")
    root: Path | None = None
    with file.open(encoding="utf-8") as opened:
        for number, text in enumerate(opened):
            try:
                values = json.loads(text)
                images = [str(image).replace("\\", "/") for image in values["images"]]
                captions = [str(caption) for caption in values["captions"]]
                if len(images) != len(captions) or not images:
                    raise ValueError(f"{len(images)} images and {len(captions)} captions")
                if not all(map(is_inside, images)):
                    raise ValueError("a picture outside of the folder")
            except (ValueError, KeyError, TypeError) as error:
                counts.damaged.append(f"{file}, line {number + 1}: {error!r}")
                continue
            root = root or _image_root(file, Path(folder), images)
            pictures = [
                str(root / image) if root and (root / image).is_file() else None for image in images
            ]
            line = Line(f"{name}_{number:05d}", split, captions, pictures)
            chunks = sum(1 for _ in line.chunks())
            counts.stories += 1
            counts.whole += all(pictures)
            counts.chunks += chunks
            counts.chunks_left_out += len(images) // CHUNK_LENGTH - chunks
            counts.pictures += len(images)
            counts.missing += [
                image for image, path in zip(images, pictures, strict=True) if path is None
            ]
            if whole:
                counts.damaged += [path for path in pictures if path and not _is_whole(path)]
            yield line


def _image_root(file: Path, folder: Path, images: Sequence[str]) -> Path | None:
    """Finds the folder that has some of the images: beside the file, above it, or one below."""
    places = [file.parent, folder]
    places += sorted(path for place in {*places} for path in place.iterdir() if path.is_dir())
    return next(
        (place for place in places if any((place / image).is_file() for image in images)), None
    )


def _is_whole(path: str) -> bool:
    """Tells whether a JPEG file has its beginning and its end."""
    with open(path, "rb") as file:
        begin = file.read(2)
        file.seek(-min(16, os.path.getsize(path)), os.SEEK_END)
        return begin == b"\xff\xd8" and b"\xff\xd9" in file.read()


def _describe(file: Path, folder: str, counts: Counts) -> str:
    text = (
        f"{file.relative_to(folder)}: {counts.stories} stories, {counts.whole} of them whole; "
        f"{counts.chunks} chunks; {counts.pictures} pictures"
    )
    if counts.missing:
        text += (
            f", of which {len(counts.missing)} are missing, such as {counts.missing[0]}: "
            f"{counts.chunks_left_out} chunks with one are left out"
        )
    return text


def _write_jsonl(folder: str, stories: dict[str, list[Line]], records: list[FileRecord]) -> None:
    """Writes the stories that are whole, and all chunks; paths are relative to `images`."""
    below = os.path.abspath(os.path.join(folder, layout.IMAGES))

    def record(name: str, captions: Sequence[str], pictures: Sequence[str | None]) -> bytes:
        images = [os.path.relpath(path, below).replace(os.sep, "/") for path in pictures if path]
        value: dict[str, Any] = {"id": name, "images": images, "captions": list(captions)}
        value["orders"] = list(range(len(images)))
        return json.dumps(value, ensure_ascii=False).encode() + b"\n"

    for split, lines in stories.items():
        with (
            recorded(folder, layout.stories_jsonl_path(split), records) as of_stories,
            recorded(folder, layout.chunks_jsonl_path(split), records) as of_chunks,
        ):
            for line in lines:
                if all(line.pictures):
                    of_stories.write(record(line.id, line.captions, line.pictures))
                for number, captions, pictures in line.chunks():
                    of_chunks.write(record(f"{line.id}_chunk_{number}", captions, pictures))


def _write_shards(folder: str, stories: dict[str, list[Line]], records: list[FileRecord]) -> None:
    import webdataset  # loads PyTorch, which takes seconds

    by_id = {line.id: line for lines in stories.values() for line in lines}
    sizes = [
        shards.StorySummary(
            line.id,
            line.split,
            sum(os.path.getsize(path) for _, _, paths in line.chunks() for path in paths),
            stage_outputs.digest([line.captions, line.pictures]),
        )
        for line in by_id.values()
    ]
    for shard in shards.plan(sizes, {split: split for split in layout.SPLITS}, OutputConfig()):
        with (
            recorded(folder, shard.path, records) as file,
            webdataset.TarWriter(file, encoder=False, mtime=0, user="root", group="root") as tar,
        ):
            for _, story in shard.stories:
                for number, captions, paths in by_id[story].chunks():
                    key = f"{story}_chunk_{number}"
                    sample = {"id": key, "captions": captions, "story": story, "chunk": number}
                    tar.write(
                        {
                            "__key__": key,
                            "json": json.dumps(sample, ensure_ascii=False, sort_keys=True).encode(),
                            **{
                                layout.sample_image(at): Path(path).read_bytes()
                                for at, path in enumerate(paths)
                            },
                        }
                    )
