"""Characters and captions of a dataset."""

from __future__ import annotations

import dataclasses
import json

import pyarrow.parquet as pq

from benchmarks.datasets import annotations
from schemas.rows import Caption, Character, to_table
from tests.benchmarks.metrics.story_texts import caption


def test_cast_and_captions_of_a_dataset(tmp_path):
    assert annotations.read_cast(tmp_path) == [] and annotations.read_captions(tmp_path) == {}
    momo = Character("Pip", "Momo", "a mouse", "a friend", ["a mouse"], "pen")
    manifest = {"characters": [dataclasses.asdict(momo)]}
    (tmp_path / "dataset.json").write_text(json.dumps(manifest))
    assert annotations.read_cast(tmp_path) == [momo]
    row = caption("v_keyframe_0-0-1-0", ["Momo"], "runs", "Momo runs.")
    pq.write_table(to_table([row], Caption), tmp_path / "captions.parquet")
    assert annotations.read_captions(tmp_path) == {"v_keyframe_0-0-1-0": row}
