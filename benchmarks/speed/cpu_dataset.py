"""The CPU time of a dataset of the sample, by stage, as the run's record has it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

EPISODES = 4
STAGES = ("keyframes", "text", "captions", "stories")  # those that take a second or so


def prepare(folder: Path) -> None:
    """Draws the films."""
    _pipeline("sample", folder / "films", "--episodes", EPISODES)


def measure(folder: Path) -> dict[str, list[float]]:
    """Makes a dataset of the films once: user and system seconds of CPU of all processes."""
    out = folder / f"dataset-{len(list(folder.iterdir()))}"
    _pipeline("dataset", "--videos", folder / "films", "--out", out)
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    stages = {stage["name"]: stage for stage in record["stages"]}
    return {
        **{f"dataset: {name}": [_cpu(stages[name])] for name in STAGES},
        "dataset: all, with the start of its processes": [_cpu(record)],
    }


def _cpu(figures: dict[str, float]) -> float:
    return figures["cpu_user"] + figures["cpu_system"]


def _pipeline(*arguments: object) -> None:
    """Runs a command of the pipeline. Raises RuntimeError, with what it printed, if it fails."""
    command = [sys.executable, "-m", "pipeline", *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")
