"""Counts the tokens of a picture as its model, or the provider that bills for it, does.

Models differ by a factor of fifty: the rules, with their sources, are in `picture_tokens.yaml`.
"""

from __future__ import annotations

import functools
import math
import re
from importlib import resources
from typing import Any

import yaml

_OTHERS: dict[str, Any] = {"rule": "merged", "side": 28, "ends": 2, "row": 0}  # as Qwen2.5-VL


def count(model: str, width: int, height: int, detail: str = "auto") -> float:
    """Returns the tokens of a picture of width x height pixels for a model, by its name.

    detail: "low", "high" or "auto", which is taken for "high". A model of no known family is taken
    for Qwen2.5-VL.
    """
    rule = dict(find(model) or _OTHERS)
    name = rule.pop("rule")
    rule.pop("model", None)
    tokens: float = _RULES[name](max(width, 1), max(height, 1), detail == "low", **rule)
    return tokens


def find(model: str) -> dict[str, Any] | None:
    """Returns the entry of a model's family, None if it is of none that is known."""
    return next((rule for rule in _rules() if re.search(rule["model"], model.casefold())), None)


@functools.cache
def _rules() -> list[dict[str, Any]]:
    text = resources.files(__package__).joinpath("picture_tokens.yaml").read_text(encoding="utf-8")
    rules: list[dict[str, Any]] = yaml.safe_load(text)
    return rules


def _squares(width: float, height: float, side: float) -> int:
    """Returns the squares of `side` pixels that cover a picture."""
    return math.ceil(width / side) * math.ceil(height / side)


def _tiles(width: int, height: int, low: bool, *, base: int, tile: int) -> float:
    if low:
        return base
    scale = min(1.0, 2048 / max(width, height))
    scale *= min(1.0, 768 / (scale * min(width, height)))
    return base + tile * _squares(round(width * scale), round(height * scale), 512)


def _patches(width: int, height: int, low: bool, *, side: int, most: int, times: float) -> float:
    return times * min(most, _squares(width, height, side))


def _merged(width: int, height: int, low: bool, *, side: int, ends: int, row: int) -> float:
    rows, columns = max(1, round(height / side)), max(1, round(width / side))
    return rows * (columns + row) + ends


def _area(width: int, height: int, low: bool, *, pixels: int, longest: int) -> float:
    scale = min(1.0, longest / max(width, height))
    return math.ceil(width * scale * height * scale / pixels)


def _crops(width: int, height: int, low: bool, *, side: int, most: int, tokens: int) -> float:
    grids = [
        (columns, rows)
        for columns in range(1, most + 1)
        for rows in range(1, most + 1)
        if columns * rows <= most
    ]
    # Of equally good ones the larger, if the picture fills half of it.
    columns, rows = min(
        grids,
        key=lambda grid: (
            abs(grid[0] / grid[1] - width / height),
            -(grid[0] * grid[1])
            if width * height > side * side * grid[0] * grid[1] / 2
            else grid[0] * grid[1],
        ),
    )
    return tokens * (columns * rows + (columns * rows > 1))


def _grid(width: int, height: int, low: bool, *, longest: int, side: int, tokens: int) -> float:
    scale = longest / max(width, height)
    return tokens * (_squares(round(width * scale), round(height * scale), side) + 1)


def _gemini(width: int, height: int, low: bool) -> float:
    if max(width, height) <= 384:
        return 258
    unit = min(768, max(256, math.floor(min(width, height) / 1.5)))
    return 258 * _squares(width, height, unit)


def _fixed(width: int, height: int, low_detail: bool, *, tokens: int, low: int) -> float:
    return low if low_detail else tokens


_RULES: dict[str, Any] = {
    "tiles": _tiles,
    "patches": _patches,
    "merged": _merged,
    "area": _area,
    "crops": _crops,
    "grid": _grid,
    "gemini": _gemini,
    "fixed": _fixed,
}
