"""Exports stories as the sequences of texts and pictures that Emu3.5 keeps: a file per story.

    {train,val}/<story>.pb    a clip for each picture: its sentence, the picture, its description
                              and the times of its shot in the film

The text of a picture comes before it, as Emu3.5 tells stories. Its visualiser opens the files:
`python src/utils/vis_proto.py --input exported/train`. Emu3.5's training code is not published;
`schemas.emu_story` names the source of the format. The licences are in `sources.csv`, as a story of
this format has no place for them.
"""

from __future__ import annotations

from pipeline.dataset.exports.documents import (
    Document,
    read_documents,
    read_picture,
    require_empty,
    write_sources,
)
from pipeline.dataset.manifest import read_manifest
from pipeline.runtime import storage
from schemas.emu_story import Picture, Segment, encode


def export(out: str, folder: str) -> list[str]:
    """Writes the dataset `out` into `folder`. Returns the paths of the folders of stories. Raises
    as the other exports do."""
    splits = sorted(read_manifest(out).splits)
    require_empty(folder)
    for split in splits:
        for document in read_documents(out, split):
            path = storage.join(folder, split, f"{document.story.id}.pb")
            storage.write_bytes(path, encode(document.story.id, _segments(out, document)))
    write_sources(out, folder)
    return [storage.join(folder, split) for split in splits]


def _segments(out: str, document: Document) -> list[Segment]:
    story = document.story
    told = zip(document.keyframes, story.captions, story.descriptions, strict=True)
    return [
        Segment(
            text,
            (
                Picture(
                    read_picture(out, keyframe),
                    keyframe.id,
                    keyframe.width,
                    keyframe.height,
                    description,
                    keyframe.time,
                ),
            ),
            keyframe.shot_start,
            keyframe.shot_end,
        )
        for keyframe, text, description in told
    ]
