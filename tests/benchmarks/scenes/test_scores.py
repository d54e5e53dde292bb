import json

import pyarrow.parquet as pq
import pytest

from benchmarks.scenes.scores import count
from benchmarks.scenes.tables import table
from schemas.rows import Keyframe, Scene, to_table
from tests.pipeline.rows import keyframe

PLACES = ["pond", "pond", "hill", "hill", "pond", "pond"]  # of six shots, a second each


@pytest.fixture
def made(tmp_path):
    """A dataset whose scenes are right but for the last one, which begins a picture late."""
    rows = [keyframe("a", at + 0.5, shot=at) for at in range(6)]
    parts = [(0, 2, "place_000"), (2, 5, "place_001"), (5, 6, "place_000")]
    scenes = [
        Scene(
            f"a_scene_{number:03d}", "a", "s", number, place, [row.id for row in rows[first:end]],
            rows[first].id, first, end, [1.0],
        )
        for number, (first, end, place) in enumerate(parts)
    ]  # fmt: skip
    pq.write_table(to_table(rows, Keyframe), tmp_path / "keyframes.parquet")
    pq.write_table(to_table(scenes, Scene), tmp_path / "scenes.parquet")
    shots = [{"start": at, "place": place, "time_of_day": "day"} for at, place in enumerate(PLACES)]
    (tmp_path / "a.truth.json").write_text(json.dumps({"shots": shots}))
    return tmp_path


def test_boundaries_and_places_are_counted(made):
    counts = count(str(made), str(made))
    assert (counts.true, counts.found, counts.right, counts.shots) == (2, 2, 1, 5)
    assert (counts.purity, counts.completeness) == (1, 1)
    row = table(counts).cells["found"]
    assert (row["F1"].value, row["F1"].n) == (0.5, 2)


def test_another_sample_is_named(made, tmp_path):
    (made / "a.truth.json").unlink()
    with pytest.raises(ValueError, match="give the sample that the dataset was made from"):
        count(str(made), str(made))
