"""Scenes and places of two small films, through the pipeline."""

import dataclasses
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.config import load
from pipeline.dataset.manifest import read_manifest
from pipeline.dataset.report.places import place_pages
from pipeline.dataset.verify import verify
from pipeline.dataset.verify.index import Index, Picture
from pipeline.dataset.verify.scenes import check_scenes
from pipeline.graph import run
from pipeline.ingest import discovery
from pipeline.testing.films import make_film, scene, still
from schemas import layout
from schemas.rows import Keyframe, Place, Scene, from_table, to_table
from tests.pipeline.runs import IN_MEMORY


def views(place, light=1.0, count=4):
    """Pictures of a place that are not alike: each is another part of a wide view."""
    wide = np.hstack([scene(place, 180, 640), scene(place, 180, 640)[:, ::-1]])
    return [
        picture
        for at in range(count)
        for picture in still((wide[:, 90 * at : 90 * at + 320] * light).astype(np.uint8), 24)
    ]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    place = tmp_path_factory.mktemp("scenes")
    (place / "films").mkdir()
    make_film(place / "films/S01E01.mp4", views(1) + views(2))
    make_film(place / "films/S01E02.mp4", views(2) + views(1, 0.4) + views(1))
    config = load("", ["stories.shortest=2", "cast.figures=none"])
    run.run(*discovery.find(str(place / "films")), config, str(place / "out"), IN_MEMORY)
    return place / "out"


def read(out, table, kind):
    return from_table(pq.read_table(out / layout.table_path(table)), kind)


def test_a_scene_is_a_run_of_pictures_and_a_place_is_come_back_to(dataset):
    scenes = read(dataset, layout.SCENES, Scene)
    assert [(row.id, row.place) for row in scenes] == [
        ("S01E01_scene_000", "place_000"),
        ("S01E01_scene_001", "place_001"),
        ("S01E02_scene_000", "place_001"),
        ("S01E02_scene_001", "place_002"),  # the first place, by night
        ("S01E02_scene_002", "place_000"),
    ]
    assert [round(row.start) for row in scenes] == [0, 4, 0, 4, 8]
    assert all(row.shown in row.keyframes for row in scenes)
    first = read(dataset, layout.PLACES, Place)[0]
    assert (first.name, first.videos) == ("place_000", ["S01E01", "S01E02"])
    assert first.scenes == ["S01E01_scene_000", "S01E02_scene_002"]
    assert verify(str(dataset)).problems == []


def test_the_report_shows_places_by_their_pictures(dataset):
    (page,) = place_pages(str(dataset), 5)
    shown = page["places"][0]
    assert shown["pictures"] == max(place["pictures"] for place in page["places"])
    assert all((dataset / image).exists() for image in shown["shown"])


def test_verify_names_scenes_that_do_not_fit(dataset, tmp_path):
    scenes = read(dataset, layout.SCENES, Scene)
    lost, moved = scenes[0].keyframes[-1], scenes[1].keyframes[0]
    wrong = [
        dataclasses.replace(scenes[0], keyframes=[*scenes[0].keyframes[:-1], moved]),
        dataclasses.replace(scenes[1], place="place_000"),
        *scenes[2:],
    ]
    pq.write_table(to_table(wrong, Scene), tmp_path / "scenes.parquet")
    shutil.copy(dataset / "places.parquet", tmp_path)
    index = Index(str(tmp_path), read_manifest(str(dataset)), {}, {})
    for row in read(dataset, layout.KEYFRAMES, Keyframe):
        index.pictures[row.id] = Picture(row.video, row.sha256, row.phash, row.width, row.height)
    assert [(problem.where, problem.what) for problem in check_scenes(index)] == [
        ("S01E01_scene_001", f"{moved} is in S01E01_scene_000 too"),
        (lost, "no scene has this keyframe"),
        ("place_000", "scenes.parquet names other scenes of it"),
        ("place_001", "scenes.parquet names other scenes of it"),
    ]
