"""The places of the report: where the scenes of each series are, the most frequent first."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from pipeline.dataset.reader import read_rows
from pipeline.dataset.report.formatting import url
from schemas.layout import PLACES, image_path
from schemas.published import parse_keyframe_id
from schemas.rows import Place

PLACES_SHOWN = 24  # of a series


def place_pages(out: str, series_shown: int) -> list[dict[str, Any]]:
    """Returns the places of the first series, those with most pictures first."""
    by_series: dict[str, list[Place]] = defaultdict(list)
    for place in read_rows(out, PLACES, Place):
        by_series[place.series].append(place)
    return [
        {
            "series": series,
            "places": [
                _place(place)
                for place in sorted(places, key=lambda place: -place.pictures)[:PLACES_SHOWN]
            ],
            "more": max(0, len(places) - PLACES_SHOWN),
        }
        for series, places in list(by_series.items())[:series_shown]
    ]


def _place(place: Place) -> dict[str, Any]:
    return {
        "name": place.name,
        "pictures": place.pictures,
        "scenes": len(place.scenes),
        "films": len(place.videos),
        "shown": [url(image_path(parse_keyframe_id(name)[0], name)) for name in place.shown],
    }
