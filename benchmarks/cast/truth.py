"""Reads where the figures of the sample are in a keyframe, from `<video>.truth.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels

LEAST_SEEN = 0.25  # share of a figure's box that must be in the frame
_FRAMES = 6  # from one box of a figure to the next, as `pipeline.sample` writes them


def read(sample: str | Path, video: str) -> dict[str, Any]:
    """Reads the truth of a film. Raises ValueError where there is none, or none with boxes."""
    path = Path(sample, f"{video}.truth.json")
    if not path.exists():
        raise ValueError(f"no {path}: give the sample that the dataset was made from")
    truth: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if not all("boxes" in shot for shot in truth["shots"]):
        raise ValueError(f"{path} says not where figures are: draw the sample again")
    return truth


def figures(truth: Mapping[str, Any], time: float) -> dict[str, Box]:
    """Returns the boxes of the figures that are seen at a time of a film, within the frame."""
    frame = round(time * truth["fps"])
    shot = next((shot for shot in truth["shots"] if shot["first"] <= frame <= shot["last"]), None)
    if shot is None:
        return {}
    step, part = divmod(frame - shot["first"], _FRAMES)
    found = {}
    for name, boxes in shot["boxes"].items():
        here, following = (
            [float(side) for side in boxes[min(at, len(boxes) - 1)].split()]
            for at in (step, step + 1)
        )
        whole = [a + (b - a) * part / _FRAMES for a, b in zip(here, following, strict=True)]
        seen = (
            max(whole[0], 0.0),
            max(whole[1], 0.0),
            min(whole[2], float(truth["width"])),
            min(whole[3], float(truth["height"])),
        )
        inside = max(0.0, seen[2] - seen[0]) * max(0.0, seen[3] - seen[1])
        if inside >= LEAST_SEEN * (whole[2] - whole[0]) * (whole[3] - whole[1]):
            found[name] = seen
    return found


def overlap(first: Box, second: Box) -> float:
    """Returns the intersection of two boxes over their union, 0..1."""
    wide = min(first[2], second[2]) - max(first[0], second[0])
    high = min(first[3], second[3]) - max(first[1], second[1])
    if wide <= 0 or high <= 0:
        return 0.0
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return wide * high / (areas - wide * high)
