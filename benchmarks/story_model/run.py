"""Runs the story model's benchmark: predicted features and painted pictures, beside baselines."""

from __future__ import annotations

from pathlib import Path

import cv2

from benchmarks.results.tables import Table
from benchmarks.story_model.evaluation import evaluate
from benchmarks.story_model.tables import tables
from benchmarks.story_model.trained_model import load_trained_model


def run(folder: str, dataset: str, sample: str, report: str | Path, seed: int = 0) -> list[Table]:
    """Evaluates the run in `folder`; the picture goes to the folder of the `report`.

    Raises ValueError where something does not fit or is not trained yet.
    """
    result, grid = evaluate(load_trained_model(folder, seed), dataset, sample, seed)
    picture = Path(report, "story-model.png")
    cv2.imwrite(str(picture), grid[..., ::-1])
    return tables(result, {"run": folder, "seed": seed}, [picture.name])
