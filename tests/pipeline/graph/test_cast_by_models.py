"""A whole run whose figures, captions and names come from a vision-language model on a server."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipeline.config import load
from pipeline.graph import run
from pipeline.ingest import discovery
from pipeline.testing import answers
from pipeline.testing.films import make_film, still
from pipeline.testing.model_server import serving
from pipeline.testing.replies import completion, texts_and_pictures
from tests.pipeline.cast.test_figures import BLUE, ORANGE, draw, place
from tests.pipeline.runs import IN_MEMORY

# Where somebody stands in every picture, as Qwen gives boxes: left, top, right, bottom of 1000.
BOX = [406, 333, 594, 967]


def with_somebody(seed: int) -> np.ndarray:
    """A meadow by day, at night or at dusk, with the fox in every second one and with the bear in
    the others."""
    picture = (place(seed) * (1.0, 0.55, 0.8)[seed % 3]).astype(np.uint8)
    draw(picture, 320, BLUE if seed % 2 else ORANGE, size=60)
    return picture


def shows_fox(question) -> bool:
    """Returns whether the middle of the box in a question's picture is rather red than blue."""
    _, (*_, url) = texts_and_pictures(question)
    with Image.open(io.BytesIO(base64.b64decode(url.partition("base64,")[2]))) as picture:
        red, _, blue = picture.convert("RGB").getpixel(
            (picture.width // 2, int(0.8 * picture.height))
        )
    return red > blue


async def seeing_pip_and_momo(question, server):
    """Answers as a model that finds who is there, and knows from somewhere who it is."""
    task = question["response_format"]["json_schema"]["name"]
    text = answers.answer(question)
    if task == "figures":
        text = json.dumps([{"bbox_2d": BOX, "label": "an animal"}])
    elif task == "caption":
        who = "Pip the fox" if shows_fox(question) else "Momo the bear"
        text = json.dumps({**json.loads(text), "characters": [who]})
    return completion(question, {"role": "assistant", "content": text})


def make(folder: Path, film: Path, more: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Makes a dataset of a film in `folder`/out, and returns the questions that were asked."""
    (folder / "who.yaml").write_text("film:\n- name: Pip\n- name: Momo\n")
    with serving(seeing_pip_and_momo) as server:
        settings = [
            f"captioner=openai:eyes@{server.url}",
            "cast.figures=captioner",
            f"characters={folder / 'who.yaml'}",
            "keyframes.likeness=1",  # meadows are much alike
            "stories.shortest=5",
            *more,
        ]
        found = discovery.find(str(film))
        assert run.run(*found, load("", settings), str(folder / "out"), IN_MEMORY) == 0
    return server.asked


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    make_film(path, [frame for seed in range(12) for frame in still(with_somebody(seed), 16)])
    return path


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "any")


def task_of(question: dict[str, Any]) -> str:
    return question["response_format"]["json_schema"]["name"]


def test_boxes_and_names_are_the_model_s(tmp_path, film):
    asked = [task_of(question) for question in make(tmp_path, film)]
    out = tmp_path / "out"
    seen = pq.read_table(out / "appearances.parquet").to_pylist()
    assert {(row["character"], row["decided"]) for row in seen} == {
        ("Pip", "captions"),
        ("Momo", "captions"),
    }
    assert len(seen) == pq.read_table(out / "keyframes.parquet").num_rows
    assert all(
        np.allclose(row["box"], [260, 120, 120, 228], atol=1) for row in seen
    )  # x, y, width, height in pixels
    for member in pq.read_table(out / "cast.parquet").to_pylist():
        assert member["named"] and all((out / crop).exists() for crop in member["crops"])
    story = pq.read_table(out / "stories.parquet").to_pylist()[0]
    assert {tuple(present) for present in story["characters"]} == {("Pip",), ("Momo",)}
    assert story["boxes"] == [[row["box"]] for row in seen[: len(story["images"])]]
    assert asked.count("figures") == asked.count("caption") == len(seen)


def test_the_captioner_is_shown_the_characters_before_each_picture(tmp_path, film):
    """All questions begin with the same montage, which a server reads once."""
    questions = make(tmp_path, film, ["captions.references=true"])
    captions = [question for question in questions if task_of(question) == "caption"]
    begins = set()
    for question in captions:
        texts, (montage, picture) = texts_and_pictures(question)
        assert montage != picture
        assert texts[1:3] == ["Characters:", "The picture:"]
        begins.add((texts[0], montage))
    assert len(captions) > 4 and len(begins) == 1
    ((system, _),) = begins
    assert '{"1": "' in system and ' figure"' in system  # nobody has a name yet
