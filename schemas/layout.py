"""The layout of a dataset folder: how its files and folders are named.

Every path here is relative to the dataset folder and has slashes, wherever the dataset lies:

    dataset.json                 what the dataset is, and the digest of each file; written last
    run.json, report.html        the record of the last run, and the page to look at
    decisions.jsonl              what people decided about stories; only ever added to
    original_stories.parquet     the stories that these changed, as they were before
    README.md                    the dataset card
    <table>.parquet              videos, keyframes, cast, appearances, scenes, places, captions,
                                 stories, dropped_stories, rejects
    images/<film>/<keyframe>.jpg, images/<split>_{stories,chunks}.jsonl
    rejected/<film>/<keyframe>.jpg
    characters/<series>.yaml, characters/<series>/<character>/<keyframe>.jpg
    shards/<split>-<number>-of-<count>.tar
    hub/<split>-<number>.parquet stories with their pictures, in a dataset on a hub only
    croissant.json               what catalogues read, likewise
    work/                        what the stages reuse in the next run; not part of the dataset
"""

from __future__ import annotations

import re
from typing import Any

from schemas.rows import (
    Appearance,
    Caption,
    CastMember,
    Keyframe,
    Place,
    Reject,
    Scene,
    Story,
    Video,
)

MANIFEST = "dataset.json"
RUN_RECORD = "run.json"
REPORT = "report.html"
CARD = "README.md"
CROISSANT = "croissant.json"
PAIRS = "pairs.jsonl"  # stories for people to compare, in a folder that is no dataset
DECISIONS = "decisions.jsonl"  # of people; not named in the manifest, as it grows after a run

IMAGES = "images"  # also the folder that image paths in the JSONL are relative to
REJECTED = "rejected"
CHARACTERS = "characters"
SHARDS = "shards"
HUB = "hub"
WORK = "work"

VIDEOS = "videos"
KEYFRAMES = "keyframes"
CAST = "cast"
APPEARANCES = "appearances"
SCENES = "scenes"
PLACES = "places"
CAPTIONS = "captions"
STORIES = "stories"
REJECTS = "rejects"
DROPPED_STORIES = "dropped_stories"  # those that a threshold on a score, or a person, dropped
ORIGINAL_STORIES = "original_stories"  # those that people changed, as they were; none without any
TABLES: dict[str, Any] = {  # table -> type of its rows
    VIDEOS: Video,
    KEYFRAMES: Keyframe,
    CAST: CastMember,
    APPEARANCES: Appearance,
    SCENES: Scene,
    PLACES: Place,
    CAPTIONS: Caption,
    STORIES: Story,
    REJECTS: Reject,
    DROPPED_STORIES: Story,
}

TRAIN, VAL = SPLITS = ("train", "val")

# In `work`, beside a folder of stage outputs for each stage, SHARDS with notes on shards, and HUB
# with what is pushed beside a dataset:
ANSWERS = "answers"  # the response cache
PICTURES = "pictures"  # of the keyframes stage, a folder for each of its outputs
SEGMENTS = "segments"  # measurements of parts of long films
FAILURES = "failures"  # tracebacks of unexpected errors of the last run
UNTIL = "until"  # tables and dataset.json of a run that stopped after a stage
THUMBNAILS = "thumbnails"  # of the pages to curate by
MONTAGES = "montages"  # of the characters of a series, for captioners
PLACED = "placed"  # of each film, whose pictures are in `images` and `rejected`
LOCK = "lock"  # held by a run, on a disk
RUNNING = "running.json"  # written again and again by a run, in a bucket

WORK_FOLDERS = (
    ANSWERS,
    PICTURES,
    SEGMENTS,
    FAILURES,
    UNTIL,
    MONTAGES,
    PLACED,
    SHARDS,
    HUB,
    THUMBNAILS,
)
FOLDERS = (IMAGES, REJECTED, CHARACTERS, SHARDS, WORK)  # of a dataset

_SHARD = re.compile(rf"{SHARDS}/({'|'.join(SPLITS)})-(\d{{5}})-of-(\d{{5}})\.tar")


def table_path(table: str) -> str:
    """Returns the path of a table, one of TABLES."""
    return f"{table}.parquet"


def image_path(film: str, keyframe: str) -> str:
    """Returns the path of a keyframe's picture."""
    return f"{IMAGES}/{film}/{keyframe}.jpg"


def rejected_image_path(film: str, keyframe: str) -> str:
    """Returns the path of the picture of a keyframe that was rejected."""
    return f"{REJECTED}/{film}/{keyframe}.jpg"


def image_keyframe(image: str) -> str:
    """Returns the id of the keyframe that a path is the picture of."""
    return image.rpartition("/")[2].removesuffix(".jpg")


def stories_jsonl_path(split: str) -> str:
    """Returns the path of the JSONL file of a split's stories."""
    return f"{IMAGES}/{split}_stories.jsonl"


def chunks_jsonl_path(split: str) -> str:
    """Returns the path of the JSONL file of a split's chunks."""
    return f"{IMAGES}/{split}_chunks.jsonl"


def characters_path(series: str) -> str:
    """Returns the path of the characters of a series, given its name as a safe file name."""
    return f"{CHARACTERS}/{series}.yaml"


def crop_path(series: str, character: str, keyframe: str) -> str:
    """Returns the path of a picture of a character, given safe file names."""
    return f"{CHARACTERS}/{series}/{character}/{keyframe}.jpg"


def shard_path(split: str, number: int, count: int) -> str:
    """Returns the path of shard `number` of the `count` shards of a split, counted from 0."""
    return f"{SHARDS}/{split}-{number:05d}-of-{count:05d}.tar"


def parse_shard_path(path: str) -> tuple[str, int, int] | None:
    """Returns split, number and count in the path of a shard, None for another path."""
    match = _SHARD.fullmatch(path)
    return (match[1], int(match[2]), int(match[3])) if match else None


def stage_picture(keyframe: str) -> str:
    """Returns the path of a keyframe's picture in its folder in PICTURES."""
    return f"{keyframe}.jpg"


def rejected_stage_picture(keyframe: str) -> str:
    """Returns the path of a rejected keyframe's picture in its folder in PICTURES."""
    return f"{REJECTED}/{keyframe}.jpg"


def sample_image(position: int) -> str:
    """Returns the ending, in a shard, of the picture at a position of a chunk, from 0."""
    return f"{position:02d}.jpg"
