"""Chunks of a dataset."""

import pytest

from benchmarks.story_model import chunks
from tests.benchmarks import toy


def test_a_dataset_without_chunks_is_an_error_with_a_remedy(tmp_path):
    dataset, _ = toy.make(tmp_path, held_out=0)
    with pytest.raises(ValueError, match=r"val_chunks.jsonl is missing or empty.*more films"):
        chunks.read_chunks(dataset, "val")
