"""The cast as the page shows it: as the last run has it, with what was decided since."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

from pipeline.cast import crops
from pipeline.dataset.reader import read_rows
from pipeline.runtime import decisions
from schemas import layout
from schemas.decisions import Ignore, OfSeries, Rename, Split
from schemas.rows import Appearance, CastMember

Figure: TypeAlias = tuple[str, tuple[int, ...]]  # keyframe and box


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
    done = {row.id for row in decisions.standing(decisions.read(out, applied))}
    standing = decisions.by_series(out, version)
    return [
        {
            "series": series,
            "members": members_view(members, boxes, standing.get(series, []), done),
            "history": [
                {**row.model_dump(), "applied": row.id in done} for row in standing.get(series, [])
            ],
        }
        for series, members in by_series.items()
    ]


def members_view(
    members: Sequence[CastMember],
    boxes: Mapping[tuple[str, str], Sequence[int]],
    standing: Sequence[OfSeries],
    done: Collection[str],
) -> list[dict[str, Any]]:
    """Returns the characters of a series, as JSON: with the standing decisions, of which the last
    run has applied those in `done`. `boxes` are by keyframe and name."""
    names = {member.name: member.name for member in members}  # as the last run has it -> now
    moved: dict[Figure, str] = {}  # who is seen, by figures that a decision named since
    ignored: set[str] = set()
    for row in standing:
        match row:
            case Rename():
                ignored.discard(row.character)  # it is somebody after all
                if row.id not in done:
                    for called in (names, moved):
                        _rename(called, row)
            case Ignore():
                ignored.add(row.character)
            case Split() if row.id not in done:
                moved[row.keyframe, tuple(row.box)] = row.name
    return [
        {
            "name": names[member.name],
            "was": member.name,
            "named": member.named,
            "ignored": names[member.name] in ignored,
            "pictures": member.pictures,
            "films": len(member.videos),
            "crops": [
                {
                    "image": crop,
                    "keyframe": keyframe,
                    "box": (box := boxes.get((keyframe, member.name))),
                    "moved": moved.get((keyframe, tuple(box or ())), ""),
                }
                for crop, keyframe in zip(member.crops, crops.keyframes(member), strict=True)
            ],
        }
        for member in members
    ]


def _rename(called: dict[Any, str], row: Rename) -> None:
    for key, name in called.items():
        if name == row.character:
            called[key] = row.name
