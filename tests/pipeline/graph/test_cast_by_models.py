"""A whole run whose figures, captions and names come from a vision-language model on a server."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq

from pipeline.config import load
from pipeline.graph import run
from pipeline.ingest import discovery
from pipeline.testing import answers
from pipeline.testing.films import make_film, scene, still
from pipeline.testing.model_server import serving
from pipeline.testing.replies import completion
from tests.pipeline.runs import IN_MEMORY

# Where the fox stands in every picture, as Qwen gives boxes: left, top, right, bottom of 1000.
BOX = [250, 300, 500, 900]


def with_fox(seed: int) -> np.ndarray:
    picture = scene(seed)
    left, top, right, bottom = (
        side * whole // 1000 for side, whole in zip(BOX, (320, 180) * 2, strict=True)
    )
    picture[top:bottom, left:right] = (240, 112, 58)
    return picture


async def seeing_pip(question, server):
    """Answers as a model that finds the fox, and knows from somewhere that it is Pip."""
    task = question["response_format"]["json_schema"]["name"]
    text = answers.answer(question)
    if task == "figures":
        text = json.dumps([{"bbox_2d": BOX, "label": "fox"}])
    elif task == "caption":
        text = json.dumps({**json.loads(text), "characters": ["Pip the fox"]})
    elif task == "characters":
        text = json.dumps(
            {"characters": [{"name": "Pip", "look": "a fox", "role": "", "called": []}]}
        )
    return completion(question, {"role": "assistant", "content": text})


def test_boxes_and_names_are_the_model_s(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    frames = [frame for seed in range(12) for frame in still(with_fox(seed), 16)]
    make_film(tmp_path / "film.mp4", frames)
    out = tmp_path / "out"
    with serving(seeing_pip) as server:
        settings = [
            f"captioner=openai:eyes@{server.url}",
            "cast.figures=captioner",
            "stories.shortest=5",
        ]
        config = load("", settings)
        assert (
            run.run(*discovery.find(str(tmp_path / "film.mp4")), config, str(out), IN_MEMORY) == 0
        )
    seen = pq.read_table(out / "appearances.parquet").to_pylist()
    assert {(row["character"], row["decided"]) for row in seen} == {("Pip", "captions")}
    assert len(seen) == pq.read_table(out / "keyframes.parquet").num_rows
    assert all(
        np.allclose(row["box"], [80, 54, 80, 108], atol=1) for row in seen
    )  # x, y, width, height in pixels
    (pip,) = pq.read_table(out / "cast.parquet").to_pylist()
    assert pip["named"] and (out / pip["crops"][0]).exists()
    story = pq.read_table(out / "stories.parquet").to_pylist()[0]
    assert story["characters"] == [["Pip"]] * len(story["images"])
    asked = [question["response_format"]["json_schema"]["name"] for question in server.asked]
    assert asked.count("figures") == asked.count("caption") == len(seen)
