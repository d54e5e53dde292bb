import hashlib
import json

import pyarrow.parquet as pq
import pytest

from pipeline.runtime.images import encode_jpeg
from pipeline.testing.films import scene
from schemas.rows import Appearance, Caption, Keyframe, Story, to_table
from tests.pipeline.rows import keyframe, story


@pytest.fixture
def dataset(tmp_path):
    """Two films with a story each in `train`, and one in `val` whose story is shorter. Momo is in
    every picture, and "Pip / Q" in every tenth."""
    out = tmp_path / "out"
    stories = [story("a"), story("b"), story("c", length=12, split="val")]
    keyframes = []
    for of_film in stories:
        for at, image in enumerate(of_film.images):
            data = encode_jpeg(scene(at, 60 + 2 * at, 96))
            (out / image).parent.mkdir(parents=True, exist_ok=True)
            (out / image).write_bytes(data)
            keyframes.append(
                keyframe(
                    of_film.video,
                    at,
                    width=96,
                    height=60 + 2 * at,
                    bytes=len(data),
                    sha256=hashlib.sha256(data).hexdigest(),
                )
            )
    captions = [
        Caption(row.id, row.video, [], "", "", "", [], "", f"Caption of {row.id}.", "model")
        for row in keyframes
    ]
    appearances = [
        Appearance(row.id, row.video, "series", name, [0, 0, 10, 10], 1.0, "speech")
        for at, row in enumerate(keyframes)
        for name in ["Momo", "Pip / Q"][: 1 + (at % 10 == 0)]
    ]
    pq.write_table(to_table(captions, Caption), out / "captions.parquet")
    pq.write_table(to_table(appearances, Appearance), out / "appearances.parquet")
    pq.write_table(to_table(stories, Story), out / "stories.parquet")
    pq.write_table(to_table(keyframes, Keyframe), out / "keyframes.parquet")
    film = {
        "keyframes": 30,
        "stories": 1,
        "title": "The Kite",
        "language": "en",
        "license": "CC0-1.0",
        "attribution": "Pip",
    }
    (out / "dataset.json").write_text(
        json.dumps(
            {
                "version": "1",
                "config": {"output": {"split_likeness": 0.95}},
                "counts": {},
                "files": [],
                "splits": {"train": {}, "val": {}},
                "videos": [{**film, "id": each.video, "split": each.split} for each in stories],
            }
        )
    )
    return out
