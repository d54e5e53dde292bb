"""Cuts pictures of characters out of keyframes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from pipeline.ingest.naming import safe_name
from pipeline.runtime import storage
from pipeline.runtime.images import decode_bgr, encode_jpeg
from schemas import layout
from schemas.published import parse_keyframe_id
from schemas.rows import Appearance, CastMember


def path(series: str, character: str, keyframe: str) -> str:
    """Returns the path of a character's picture of a keyframe, in the dataset."""
    return layout.crop_path(safe_name(series), safe_name(character), keyframe)


def keyframes(member: CastMember) -> list[str]:
    """Returns the keyframes that a character's pictures are of."""
    return [layout.image_keyframe(crop) for crop in member.crops]


def save(
    out: str,
    cast: Sequence[CastMember],
    appearances: Iterable[Appearance],
    replacing: Callable[[], None] = lambda: None,
) -> list[str]:
    """Writes the pictures of each character into the dataset `out`; returns their paths.

    They are cut from the keyframes' pictures there; where one is missing, so is the character's. A
    file that differs is written anew, after a call of `replacing`.
    """
    boxes = {(row.keyframe, row.character): row for row in appearances}
    written = []
    for member in cast:
        for crop, keyframe in zip(member.crops, keyframes(member), strict=True):
            row = boxes.get((keyframe, member.name))
            image = layout.image_path(parse_keyframe_id(keyframe)[0], keyframe)
            source = storage.join(out, *image.split("/"))
            if row is None or not storage.exists(source):
                continue
            picture = decode_bgr(storage.read_bytes(source), source)
            x, y, width, height = row.box
            part = picture[y : y + height, x : x + width]
            if not part.size:
                continue
            data = encode_jpeg(np.ascontiguousarray(part))
            file = storage.join(out, *crop.split("/"))
            written.append(crop)
            if storage.exists(file):
                if storage.read_bytes(file) == data:
                    continue
                replacing()
            storage.write_bytes(file, data)
    return written
