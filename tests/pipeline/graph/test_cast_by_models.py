"""A whole run whose figures, captions and names come from a vision-language model on a server."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pyarrow.parquet as pq
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
    _, (url,) = texts_and_pictures(question)
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


def test_boxes_and_names_are_the_model_s(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    frames = [frame for seed in range(12) for frame in still(with_somebody(seed), 16)]
    make_film(tmp_path / "film.mp4", frames)
    (tmp_path / "who.yaml").write_text("film:\n- name: Pip\n- name: Momo\n")
    out = tmp_path / "out"
    with serving(seeing_pip_and_momo) as server:
        settings = [
            f"captioner=openai:eyes@{server.url}",
            "cast.figures=captioner",
            f"characters={tmp_path / 'who.yaml'}",
            "keyframes.likeness=1",  # meadows are much alike
            "stories.shortest=5",
        ]
        config = load("", settings)
        assert (
            run.run(*discovery.find(str(tmp_path / "film.mp4")), config, str(out), IN_MEMORY) == 0
        )
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
    asked = [question["response_format"]["json_schema"]["name"] for question in server.asked]
    assert asked.count("figures") == asked.count("caption") == len(seen)
