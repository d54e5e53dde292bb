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

_OTHERS: dict[str, Any] = {"rule": "merged", "side": 28, "ends": 2}  # as Qwen2.5-VL


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


def _fitted(width: int, height: int, longest: float) -> tuple[int, int]:
    """Returns the size scaled down to `longest` on the longer side."""
    scale = min(1.0, longest / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _grids(most: int) -> list[tuple[int, int]]:
    """Returns the columns and rows of all grids of up to `most` squares."""
    sides = range(1, most + 1)
    return [(columns, rows) for columns in sides for rows in sides if columns * rows <= most]


def _with_the_whole(grid: tuple[int, int], tokens: int) -> int:
    """Returns the tokens of a grid's squares, and of the whole picture if there are several."""
    squares = grid[0] * grid[1]
    return tokens * (squares + (squares > 1))


def _tiles(width: int, height: int, low_detail: bool, *, base: int, tile: int) -> float:
    if low_detail:
        return base
    scale = min(1.0, 2048 / max(width, height))
    scale *= min(1.0, 768 / (scale * min(width, height)))
    return base + tile * _squares(round(width * scale), round(height * scale), 512)


def _patches(
    width: int,
    height: int,
    low_detail: bool,
    *,
    side: int,
    times: float = 1.0,
    most: float = math.inf,
    longest: float = math.inf,
    low: float = math.inf,
) -> float:
    width, height = _fitted(width, height, min(low, longest) if low_detail else longest)
    return math.ceil(times * min(most, _squares(width, height, side)))


def _merged(
    width: int,
    height: int,
    low_detail: bool,
    *,
    side: int,
    ends: int = 0,
    row: int = 0,
    up: bool = False,
    longest: float = math.inf,
) -> float:
    whole = math.ceil if up else round
    columns, rows = (max(1, whole(length / side)) for length in _fitted(width, height, longest))
    return rows * (columns + row) + ends


def _filled(width: int, height: int, low_detail: bool, *, tokens: int, ends: int) -> float:
    scale = math.sqrt(tokens / (width * height))
    columns, rows = (max(1, math.floor(length * scale)) for length in (width, height))
    return min(tokens, rows * columns) + ends


def _crops(
    width: int, height: int, low_detail: bool, *, side: int, most: int, tokens: int, ends: int
) -> float:
    # Of equally good ones the larger, if the picture fills half of it.
    grid = min(
        _grids(most),
        key=lambda grid: (
            abs(grid[0] / grid[1] - width / height),
            -(grid[0] * grid[1])
            if width * height > side * side * grid[0] * grid[1] / 2
            else grid[0] * grid[1],
        ),
    )
    return _with_the_whole(grid, tokens) + ends


def _canvas(
    width: int, height: int, low_detail: bool, *, side: int, most: int, tokens: int, ends: int
) -> float:
    def scale(grid: tuple[int, int]) -> float:
        return min(grid[0] * side / width, grid[1] * side / height)

    # The least enlarged, else the least reduced; of equal ones the smallest.
    grid = min(
        _grids(most),
        key=lambda grid: (scale(grid) < 1, abs(math.log(scale(grid))), grid[0] * grid[1]),
    )
    return _with_the_whole(grid, tokens) + ends


def _slices(
    width: int, height: int, low_detail: bool, *, side: int, most: int, tokens: int
) -> float:
    squares = min(most, math.ceil(width * height / side**2))
    if squares == 1:
        return tokens
    grid = min(
        (grid for grid in _grids(most) if grid != (1, 1) and abs(grid[0] * grid[1] - squares) <= 1),
        key=lambda grid: abs(math.log(width / height * grid[1] / grid[0])),
    )
    return _with_the_whole(grid, tokens)


def _grid(
    width: int, height: int, low_detail: bool, *, longest: int, side: int, tokens: int
) -> float:
    scale = longest / max(width, height)
    return tokens * (_squares(round(width * scale), round(height * scale), side) + 1)


def _anyres(
    width: int, height: int, low_detail: bool, *, side: int, most: int, patches: int, whole: int
) -> float:
    def kept(grid: tuple[int, int]) -> int:
        scale = min(grid[0] * side / width, grid[1] * side / height)
        return min(int(width * scale) * int(height * scale), width * height)

    grids = [grid for grid in _grids(most * most) if max(grid) <= most]
    grid = max(grids, key=lambda grid: (kept(grid), -grid[0] * grid[1]))
    columns, rows = (patches * squares for squares in grid)
    if width / height > columns / rows:
        rows -= (rows - height * columns // width) // 2 * 2  # the padding above and below
    else:
        columns -= (columns - width * rows // height) // 2 * 2
    shrink = math.sqrt(columns * rows / whole) / patches
    if shrink > 1.1:
        columns, rows = int(columns / shrink), int(rows / shrink)
    return rows * (columns + 1) + patches * patches


def _gemini(width: int, height: int, low_detail: bool) -> float:
    if max(width, height) <= 384:
        return 258
    unit = min(768, max(256, math.floor(min(width, height) / 1.5)))
    return 258 * _squares(width, height, unit)


def _fixed(width: int, height: int, low_detail: bool, *, tokens: int) -> float:
    return tokens


_RULES: dict[str, Any] = {
    "tiles": _tiles,
    "patches": _patches,
    "merged": _merged,
    "filled": _filled,
    "crops": _crops,
    "canvas": _canvas,
    "slices": _slices,
    "grid": _grid,
    "anyres": _anyres,
    "gemini": _gemini,
    "fixed": _fixed,
}
