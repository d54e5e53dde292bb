"""Times products of matrices in bfloat16 and float32, for `benchmarks.speed.cpu`."""

from __future__ import annotations

import time
from pathlib import Path

import torch

Shape = tuple[int, int, int]

# A word of 24 texts and a prompt of 240 in SmolLM2-135M; a weight that Muon makes orthogonal
SHAPES: tuple[Shape, ...] = ((24, 576, 1536), (240, 576, 576), (192, 192, 768))
DTYPES = (torch.bfloat16, torch.float32)
_TIMES = 10


def prepare(folder: Path) -> None:
    """Writes nothing: products need none."""


def measure(folder: Path) -> dict[str, list[float]]:
    """Returns the seconds of products, by `row`."""
    return {row(shape, dtype): _seconds(shape, dtype) for shape in SHAPES for dtype in DTYPES}


def name(shape: Shape) -> str:
    """Returns what a product is called."""
    return " x ".join(map(str, shape))


def row(shape: Shape, dtype: torch.dtype) -> str:
    """Returns the row of a product in a dtype."""
    return f"{name(shape)}, {dtype}"


def _seconds(shape: Shape, dtype: torch.dtype) -> list[float]:
    rows, inner, columns = shape
    left, right = torch.randn(rows, inner, dtype=dtype), torch.randn(inner, columns, dtype=dtype)
    found = []
    for _ in range(2 + _TIMES):
        began = time.perf_counter()
        left @ right
        found.append(time.perf_counter() - began)
    return found[2:]  # the first ones choose kernels
