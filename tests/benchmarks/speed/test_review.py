"""The pages to curate by, on a small simulated dataset."""

import pytest

from benchmarks.speed import review


@pytest.mark.slow
def test_the_pages_of_a_simulated_dataset_are_measured(tmp_path):
    table = review.run(25, str(tmp_path))
    (cells,) = table.cells.values()
    assert {"dataset", "first list", "a word", "a place", "a story"} <= set(cells)
    assert 0 < cells["a story"].value < 60 and cells["memory"].value > 20
    assert not list(tmp_path.iterdir())
