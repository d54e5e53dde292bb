"""Finds characters that are seen in no keyframe, boxes outside their pictures, unknown crops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from pipeline.cast import crops
from pipeline.dataset.reader import read_rows
from pipeline.dataset.verify.index import Index
from pipeline.dataset.verify.problems import RUN, Problem
from schemas.layout import APPEARANCES, CAST
from schemas.rows import CAPTIONS, GIVEN, LIKENESS, SPEECH, Appearance, CastMember


def check_cast(index: Index) -> Iterator[Problem]:
    """Checks who is in the pictures. Needs the keyframes."""
    pictures: Counter[tuple[str, str]] = Counter()
    seen: set[tuple[str, str, str]] = set()
    for row in read_rows(index.out, APPEARANCES, Appearance):
        key = row.keyframe, row.series, row.character
        fault = _appearance_fault(row, index) or ("is there twice" if key in seen else "")
        if fault:
            yield Problem("appearance", f"{row.character} in {row.keyframe}", fault, RUN)
        seen.add(key)
        pictures[row.series, row.character] += 1
    named = {file.path for file in index.manifest.files}
    for member in read_rows(index.out, CAST, CastMember):
        who = member.series, member.name
        if pictures[who] != member.pictures:
            yield Problem(
                "cast",
                member.name,
                f"its row says {member.pictures} pictures, appearances.parquet {pictures[who]}",
                RUN,
            )
        pictures.pop(who, None)
        for crop, keyframe in zip(member.crops, crops.keyframes(member), strict=True):
            if (
                crop != crops.path(member.series, member.name, keyframe)
                or crop not in named
                or (keyframe, *who) not in seen
            ):
                yield Problem("cast", crop, "is no picture of this character", RUN)
    for (_, name), count in sorted(pictures.items()):
        yield Problem(
            "cast", name, f"is seen in {count} pictures, and cast.parquet has no row", RUN
        )


def _appearance_fault(row: Appearance, index: Index) -> str:
    picture = index.pictures.get(row.keyframe)
    if picture is None:
        return "is of no keyframe"
    if row.video != picture.video:
        return f"its row says {row.video}, its keyframe {picture.video}"
    if row.decided not in (SPEECH, CAPTIONS, LIKENESS, GIVEN):
        return f"its name was decided by {row.decided!r}"
    if len(row.box) != 4 or min(row.box[:2]) < 0 or min(row.box[2:]) < 1:
        return f"its box is {row.box}"
    x, y, width, height = row.box
    if x + width > picture.width or y + height > picture.height:
        return f"its box {row.box} is not in the picture, {picture.width}x{picture.height}"
    return ""
