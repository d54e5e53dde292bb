from pathlib import Path

import pytest

from pipeline.config import load
from pipeline.graph import run
from pipeline.ingest import discovery
from pipeline.testing.films import make_film, shots
from tests.pipeline.runs import IN_MEMORY, copied, scripted_models
from tests.pipeline.scripted import Scripted, said

SETTINGS = ["quality.min_grounding=null", "quality.min_language_share=null", "stories.shortest=2"]


def make(films: Path, out: Path, *settings: str) -> int:
    """Makes the dataset `out` with a scripted captioner and writer."""
    config = load("", [*SETTINGS, *settings])
    with scripted_models(Scripted(said)):
        return run.run(*discovery.find(str(films)), config, str(out), IN_MEMORY)


@pytest.fixture(scope="session")
def films(tmp_path_factory) -> Path:
    """Two films: 40 shots, so a whole story and a short one; and 12."""
    folder = tmp_path_factory.mktemp("films")
    make_film(folder / "long.mp4", shots(40, 16, seed=1))
    make_film(folder / "short.mp4", shots(12, 16, seed=500))
    return folder


@pytest.fixture(scope="session")
def made(films, tmp_path_factory) -> Path:
    """The dataset of the films, to look at; `again` is for tests that change it."""
    out = tmp_path_factory.mktemp("made") / "out"
    assert make(films, out) == 0
    return out


@pytest.fixture
def again(made, tmp_path) -> Path:
    return copied(made, tmp_path / "again")
