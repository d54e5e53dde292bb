"""The cast as the page shows it: as the last run has it, with what was decided since."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from pipeline.cast import crops
from pipeline.dataset.reader import read_rows
from pipeline.runtime import decisions
from schemas import layout
from schemas.decisions import Ignore, OfSeries, Rename, Split
from schemas.rows import Appearance, CastMember


def cast_view(out: str, applied: str, version: str) -> list[dict[str, Any]]:
    """Returns the characters of each series, as JSON.

    `applied` is the version of the decisions that the last run has applied, `version` is now's.
    """
    by_series: dict[str, list[CastMember]] = defaultdict(list)
    for member in read_rows(out, layout.CAST, CastMember):
        by_series[member.series].append(member)
    wanted = {
        keyframe
        for members in by_series.values()
        for member in members
        for keyframe in crops.keyframes(member)
    }
    boxes = {
        (row.keyframe, row.character): row.box
        for row in read_rows(out, layout.APPEARANCES, Appearance)
        if row.keyframe in wanted
    }
    done = {row.id for row in decisions.read(out, applied)}
    standing = decisions.by_series(out, version)
    return [
        {
            "series": series,
            "members": [
                _member(
                    member, boxes, [row for row in standing.get(series, []) if row.id not in done]
                )
                for member in members
            ],
            "history": [
                {**row.model_dump(), "applied": row.id in done} for row in standing.get(series, [])
            ],
        }
        for series, members in by_series.items()
    ]


def _member(
    member: CastMember, boxes: dict[tuple[str, str], list[int]], since: Sequence[OfSeries]
) -> dict[str, Any]:
    name, ignored = member.name, False
    for row in since:
        if isinstance(row, Rename) and row.character == name:
            name = row.name
        elif isinstance(row, Ignore) and row.character == name:
            ignored = True
    moved = {row.keyframe: row.name for row in since if isinstance(row, Split)}
    return {
        "name": name,
        "was": member.name,
        "named": member.named,
        "ignored": ignored,
        "pictures": member.pictures,
        "films": len(member.videos),
        "crops": [
            {
                "image": crop,
                "keyframe": keyframe,
                "box": boxes.get((keyframe, member.name)),
                "moved": moved.get(keyframe, ""),
            }
            for crop, keyframe in zip(member.crops, crops.keyframes(member), strict=True)
        ],
    }
