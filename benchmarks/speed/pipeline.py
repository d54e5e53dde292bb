"""Runs the benchmark of the dataset pipeline: speed of keyframes, quality of shots, speed of model
calls.

Everything is measured in the same run beside other tools: PyAV decoding every frame, the
scenedetect command finding shots and saving a picture of each, a script that asks a model server
one question after the other.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from benchmarks.metrics import shot_detection
from benchmarks.results.tables import Table
from benchmarks.speed import model_calls
from benchmarks.speed.keyframes import keyframe_stage_table, one_film_table
from pipeline import sample


def run(
    film: str = "",
    rounds: int = 3,
    episodes: int = 4,
    calls: int = 1300,
    copies: int = 4,
    drawn: str = "",
) -> list[Table]:
    """Measures all of it.

    `film` is the film that speed is measured on; without one, an episode of the sample, which is
    `drawn` in that folder, or is drawn for this. Shots are scored on `episodes` of it, whose cuts
    are known. `copies` of the film are processed together. A model server is asked `calls`
    questions in each round.
    """
    with tempfile.TemporaryDirectory(prefix="storystream-bench-") as folder:
        films = (
            [str(path) for path in sorted(Path(drawn).glob("*.mp4"))[:episodes]]
            if drawn
            else sample.draw(os.path.join(folder, "sample"), episodes)
        )
        if not films:
            raise ValueError(f"{drawn} holds no *.mp4: give the folder of a sample")
        film = os.path.abspath(film or films[0])
        return [
            one_film_table(film, folder, rounds),
            keyframe_stage_table(film, folder, copies, rounds),
            _shots(films),
            model_calls.run(calls, rounds=rounds),
        ]


def _shots(films: list[str]) -> Table:
    """Makes the table of shots on episodes of the sample, without TransNetV2, which takes long."""
    chosen = {name: tool for name, tool in shot_detection.tools().items() if name != "TransNetV2"}
    return shot_detection.shot_table(
        shot_detection.score(films, chosen),
        len(films),
        "shots",
        f"Shots of {len(films)} episodes of the sample, against its ground truth",
        "The sample is drawn by this project: it says that shots are found where nothing is hard. "
        "`python -m benchmarks shots` takes real shots.",
    )
