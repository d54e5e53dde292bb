import json
from pathlib import Path

import pytest

from pipeline.config import load
from pipeline.graph import run
from pipeline.ingest import discovery
from pipeline.testing.films import make_film, shots
from tests.pipeline.runs import IN_MEMORY, copied, scripted_models
from tests.pipeline.scripted import TEXTS, Scripted, said

SETTINGS = ["quality.min_grounding=null", "quality.min_language_share=null", "stories.shortest=2"]


def says(request):
    """As `said`, for a story of 30 pictures."""
    if request.task in ("caption", "characters"):
        return said(request)
    days = ("", " on the second day", " on the third day")
    numbers = [caption["frame"] for caption in request.facts["captions"]]
    texts = [f"{TEXTS[at % 16][:-1]}{days[at // 16]}." for at in numbers]
    sentences = [{"frame": at, "text": text} for at, text in zip(numbers, texts, strict=True)]
    return json.dumps({"sentences": sentences})


def make(films: Path, out: Path, *settings: str) -> int:
    """Makes the dataset `out` with a scripted captioner and writer."""
    config = load("", [*SETTINGS, *settings])
    with scripted_models(Scripted(says)):
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
