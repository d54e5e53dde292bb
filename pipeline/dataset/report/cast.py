"""The cast page of the report: the faces of each series, where they are seen, and with whom."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from pipeline.dataset.reader import read_rows
from pipeline.dataset.report.formatting import clock, url
from schemas.layout import CAST
from schemas.published import parse_keyframe_id
from schemas.rows import CastMember

MEMBERS_SHOWN = 24  # of a series
_COSTARS = 3


def cast_pages(out: str, series_shown: int) -> list[dict[str, Any]]:
    """Returns the cast of the first series: who is in it, those seen most first."""
    by_series: dict[str, list[CastMember]] = defaultdict(list)
    for member in read_rows(out, CAST, CastMember):
        by_series[member.series].append(member)
    return [
        {
            "series": series,
            "members": [_member(member) for member in members[:MEMBERS_SHOWN]],
            "more": max(0, len(members) - MEMBERS_SHOWN),
        }
        for series, members in list(by_series.items())[:series_shown]
    ]


def _member(member: CastMember) -> dict[str, Any]:
    first, last = (parse_keyframe_id(keyframe) for keyframe in (member.first, member.last))
    return {
        "name": member.name,
        "named": member.named,
        "pictures": member.pictures,
        "films": len(member.videos),
        "first": f"{first[0]} at {clock(first[1])}",
        "last": f"{last[0]} at {clock(last[1])}",
        "costars": [
            {"name": name, "pictures": count}
            for name, count in zip(member.costars, member.costar_pictures, strict=True)
        ][:_COSTARS],
        "crops": [url(crop) for crop in member.crops],
    }
