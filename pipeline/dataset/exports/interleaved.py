"""Exports a dataset as interleaved tars: a story is a document of pictures and texts in turn.

The layout is that of MINT-1T's PDFs, which NeMo Curator's interleaved reader takes too. A document
is two files in a tar: `<story>.json`, where `texts` and `images` have the same length and exactly
one of the two is null at each position, and `<story>.tiff`, which holds the pictures in the order
of `images` and of `image_metadata`. A TIFF may hold a JPEG unchanged, so each picture has the bytes
of the dataset's file.
"""

from __future__ import annotations

import io
import json
import struct
import tarfile
from collections.abc import Iterator, Sequence

from pipeline.dataset.exports.documents import (
    Document,
    read_documents,
    read_picture,
    require_empty,
    write_sources,
)
from pipeline.dataset.manifest import read_manifest
from pipeline.runtime import storage

MEGABYTES = 512.0  # after which a tar is full
_SHORT, _LONG = 3, 4  # TIFF's types of numbers, 16 and 32 bits


def export(out: str, folder: str, megabytes: float = MEGABYTES) -> list[str]:
    """Writes the stories of the dataset `out` into `folder` as `{train,val}-00000.tar` and so on.

    Returns the paths of the tars. The same dataset gives the same bytes. Raises ValueError where
    the folder is not empty, `out` is not a finished dataset, or a picture is not the one that
    keyframes.parquet names, and OSError where a file is missing.
    """
    splits = read_manifest(out).splits
    require_empty(folder)
    paths: list[str] = []
    for split in sorted(splits):
        documents = _documents(out, split)
        document = next(documents, None)
        while document is not None:
            number = sum(storage.basename(path).startswith(split) for path in paths)
            paths.append(storage.join(folder, f"{split}-{number:05d}.tar"))
            with (
                storage.writing(paths[-1]) as file,
                tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT) as tar,
            ):
                while document is not None and tar.offset < megabytes * 1e6:
                    for name, data in document.items():
                        member = tarfile.TarInfo(name)
                        member.size = len(data)
                        tar.addfile(member, io.BytesIO(data))
                    document = next(documents, None)
    write_sources(out, folder)
    return paths


def _documents(out: str, split: str) -> Iterator[dict[str, bytes]]:
    """Yields each story of one side of the split as its files in a tar: name -> content."""
    for document in read_documents(out, split):
        yield {
            f"{document.story.id}.json": _record(document),
            f"{document.story.id}.tiff": tiff(
                [read_picture(out, keyframe) for keyframe in document.keyframes],
                [(keyframe.width, keyframe.height) for keyframe in document.keyframes],
            ),
        }


def _record(document: Document) -> bytes:
    """Returns the JSON of a document: each picture, followed by its text."""
    story, keyframes = document.story, document.keyframes
    names = [f"page_{page}_image_0" for page in range(len(keyframes))]  # MINT-1T's names
    return json.dumps(
        {
            "texts": [text for caption in story.captions for text in (None, caption)],
            "images": [image for name in names for image in (name, None)],
            "image_metadata": [
                {
                    "page": page,
                    "xref": 0,
                    "width": keyframe.width,
                    "height": keyframe.height,
                    "sha256": keyframe.sha256,
                    "keyframe": keyframe.id,
                    "time": keyframe.time,
                }
                for page, keyframe in enumerate(keyframes)
            ],
            "story": story.id,
            "video": story.video,
            "series": story.series,
            **document.film,
        },
        ensure_ascii=False,
    ).encode()


def tiff(pictures: Sequence[bytes], sizes: Sequence[tuple[int, int]]) -> bytes:
    """Joins JPEG files of three colour channels as the pages of one TIFF, without re-encoding.

    `sizes` are width and height of each. The layout is that of TIFF 6.0 with the JPEG of its
    Technical Note 2: a page is one strip, which is a whole JPEG file.
    """
    data = bytearray(b"II*\0" + bytes(4))
    link = 4  # where the offset of the next page's tags is written
    for picture, (width, height) in zip(pictures, sizes, strict=True):
        strip = len(data)
        data += picture + bytes(len(picture) % 2)
        bits = len(data)
        data += struct.pack("<3H", 8, 8, 8)
        struct.pack_into("<I", data, link, len(data))
        tags = [
            (256, _LONG, 1, width),
            (257, _LONG, 1, height),
            (258, _SHORT, 3, bits),  # bits per sample
            (259, _SHORT, 1, 7),  # compression: JPEG
            (262, _SHORT, 1, 6),  # colours: YCbCr
            (273, _LONG, 1, strip),
            (277, _SHORT, 1, 3),
            (278, _LONG, 1, height),
            (279, _LONG, 1, len(picture)),
            (530, _SHORT, 2, 2 | 2 << 16),  # colours at half the size, as OpenCV's JPEG has them
        ]
        data += struct.pack("<H", len(tags))
        for tag in tags:
            data += struct.pack("<HHII", *tag)
        link = len(data)
        data += bytes(4)
    return bytes(data)
