"""Finds keyframes that are in no scene or in two, and scenes without their place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from pipeline.dataset.reader import read_rows
from pipeline.dataset.verify.index import Index
from pipeline.dataset.verify.problems import RUN, Problem
from schemas.layout import PLACES, SCENES
from schemas.rows import Place, Scene


def check_scenes(index: Index) -> Iterator[Problem]:
    """Checks that scenes divide the keyframes of their film and that places have their scenes.

    Needs the keyframes and the rejects.
    """
    scene_of: dict[str, str] = {}
    places: dict[tuple[str, str], list[str]] = defaultdict(list)
    for scene in read_rows(index.out, SCENES, Scene):
        for keyframe in scene.keyframes:
            picture = index.pictures.get(keyframe)
            if picture is None or picture.video != scene.video:
                yield Problem("scene", scene.id, f"{keyframe} is no keyframe of its film", RUN)
            elif keyframe in scene_of:
                yield Problem("scene", scene.id, f"{keyframe} is in {scene_of[keyframe]} too", RUN)
            scene_of[keyframe] = scene.id
        if scene.shown not in scene.keyframes:
            yield Problem("scene", scene.id, f"it is shown by {scene.shown}, not one of it", RUN)
        if scene.place or scene.video not in index.failed:
            places[scene.series, scene.place].append(scene.id)
    if scene_of:
        for keyframe in sorted(index.pictures.keys() - scene_of.keys()):
            if index.pictures[keyframe].video not in index.failed:
                yield Problem("scene", keyframe, "no scene has this keyframe", RUN)
    for place in read_rows(index.out, PLACES, Place):
        if sorted(place.scenes) != sorted(places.pop((place.series, place.name), [])):
            yield Problem("place", place.name, "scenes.parquet names other scenes of it", RUN)
    for (_, name), scenes in sorted(places.items()):
        yield Problem("place", name, f"{scenes[0]} is there, and places.parquet has no row", RUN)
