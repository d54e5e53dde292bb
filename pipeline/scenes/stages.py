"""The stages `scenes` (of a film) and `places` (of a series): where each picture is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.runtime import decisions, storage
from pipeline.runtime.images import decode_bgr
from pipeline.runtime.stage_inputs import Inputs, Job
from pipeline.runtime.stage_outputs import AnyRow
from pipeline.scenes import boundaries, colours, decided, places
from schemas.decisions import SceneBegin
from schemas.rows import Keyframe, Place, Reject, Scene

_SHOWN = 3  # pictures that stand for a place


def decided_boundaries(film: Inputs, job: Job) -> Any:
    """Returns the standing decisions about the film's scenes, as JSON, None without any.

    Raises DecisionsError if they cannot be read.
    """
    return [row.model_dump() for row in _decided(film, job)] or None


def _decided(film: Inputs, job: Job) -> list[SceneBegin]:
    rows = decisions.by_film(job.out, job.decisions).get(film.film.video.id, [])
    return decisions.of_scenes(rows)


def find_scenes(film: Inputs, job: Job) -> list[AnyRow]:
    """Returns the scenes of a film as people decided, in order, and a reject for each decision that
    is not applied; the scenes' places are not known yet."""
    keyframes = film.rows("selection", Keyframe)
    if not keyframes:
        return []
    spreads = []
    for number, keyframe in enumerate(keyframes, 1):
        path = storage.join(job.out, *keyframe.image.split("/"))
        spreads.append(colours.spread(decode_bgr(storage.read_bytes(path), path)))
        job.tick(number / len(keyframes))
    measured = np.array(spreads)
    rows = _decided(film, job)
    begins, conflicts = decided.apply(
        boundaries.find(colours.distances(measured, measured)), keyframes, rows
    )
    scenes = [
        _scene(number, keyframes[first:end], measured[first:end])
        for number, (first, end) in enumerate(
            zip(begins, [*begins[1:], len(keyframes)], strict=True)
        )
    ]
    rejects = [
        Reject(
            decided.STAGE,
            row.id,
            decided.CONFLICT,
            f"the decision about a scene ({row.story}, {row.keyframe}) is not applied: "
            f"{conflicts[row.id]}",
            row.film,
        )
        for row in rows
        if row.id in conflicts
    ]
    return [*scenes, *rejects]


def _scene(number: int, keyframes: Sequence[Keyframe], spreads: np.ndarray) -> Scene:
    # The picture with the colours that most of the scene has stands for it.
    middle = int(colours.distances(spreads, spreads).sum(axis=0).argmin())
    return Scene(
        id=f"{keyframes[0].video}_scene_{number:03d}",
        video=keyframes[0].video,
        series=keyframes[0].series,
        number=number,
        place="",
        keyframes=[keyframe.id for keyframe in keyframes],
        shown=keyframes[middle].id,
        start=keyframes[0].shot_start,
        end=keyframes[-1].shot_end,
        colours=[round(float(share), 5) for share in spreads.mean(axis=0)],
    )


def find_places(films: Sequence[Inputs], job: Job) -> list[list[AnyRow]]:
    """Returns the places of a series; every film has the same rows."""
    scenes = [scene for film in films for scene in film.rows("scenes", Scene)]
    numbers = places.find(
        [scene.colours for scene in scenes], [len(scene.keyframes) for scene in scenes]
    )
    series = films[0].video.series
    found: list[AnyRow] = []
    for number in range(max(numbers, default=-1) + 1):
        there = [scene for scene, place in zip(scenes, numbers, strict=True) if place == number]
        largest = sorted(there, key=lambda scene: -len(scene.keyframes))[:_SHOWN]
        found.append(
            Place(
                series=series,
                name=f"place_{number:03d}",
                scenes=[scene.id for scene in there],
                pictures=sum(len(scene.keyframes) for scene in there),
                videos=sorted({scene.video for scene in there}),
                shown=[scene.shown for scene in largest],
            )
        )
    return [list(found) for _ in films]
