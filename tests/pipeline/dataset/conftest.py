from pathlib import Path

import pytest

from tests.pipeline.dataset.untrusted import write_dataset


@pytest.fixture(scope="session")
def untrusted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset whose names and texts mean harm, with its report. Tests do not change it."""
    out = tmp_path_factory.mktemp("dataset")
    write_dataset(out)
    return out
