"""The benchmark of the pipeline."""

import pytest

from benchmarks.speed import pipeline


def test_a_folder_without_films_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"holds no \*\.mp4"):
        pipeline.run(drawn=str(tmp_path))
