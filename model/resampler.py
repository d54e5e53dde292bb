"""The resampler: one layer of cross-attention from a square grid of learned queries.

It maps the features of a picture to as many vectors as the language model reads, and the language
model's hidden states back to features. Source: Qwen-VL's `Resampler` (arXiv 2308.12966), which
SEED-Story uses on both sides.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


def grid_positions(side: int, width: int) -> Tensor:
    """Returns 2-D sin-cos position embeddings of a square grid, row by row, float32
    [side * side, width].

    The first half of a vector is for the column, the second for the row; in each half, sines of
    falling frequencies, then cosines. Raises ValueError where width is not a multiple of 4. Source:
    MAE, arXiv 2111.06377, whose code names the halves the other way round.
    """
    if width % 4:
        raise ValueError(f"positions on a grid need a width that 4 divides, not {width}")
    frequencies = 10000.0 ** -(torch.arange(width // 4, dtype=torch.float64) / (width // 4))
    angles = torch.arange(side, dtype=torch.float64)[:, None] * frequencies
    line = torch.cat([angles.sin(), angles.cos()], dim=1)  # [side, width / 2]
    rows, columns = line.repeat_interleave(side, dim=0), line.repeat(side, 1)
    return torch.cat([columns, rows], dim=1).float()


def stretched(positions: Tensor, count: int) -> Tensor:
    """Interpolates the positions of a square grid, [n, width], to a grid of `count`,
    [count, width]. Raises ValueError where `count` is no square."""
    side, own = math.isqrt(count), math.isqrt(len(positions))
    if side * side != count:
        raise ValueError(f"{count} features are not a square grid")
    if side == own:
        return positions
    square = positions.float().T.reshape(1, -1, own, own)
    wider = functional.interpolate(square, (side, side), mode="bicubic", align_corners=False)
    return wider.flatten(2)[0].T


class Resampler(nn.Module):
    """Maps [B, n, kv_width] to [B, grid * grid, width], for any n that is a square."""

    positions: Tensor

    def __init__(
        self, grid: int, width: int, heads: int, kv_width: int, epsilon: float = 1e-6
    ) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.empty(grid * grid, width))
        nn.init.trunc_normal_(self.queries, std=0.02)
        self.kv = nn.Linear(kv_width, width, bias=False) if kv_width != width else nn.Identity()
        self.query_norm = nn.LayerNorm(width, eps=epsilon)
        self.kv_norm = nn.LayerNorm(width, eps=epsilon)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.register_buffer("positions", grid_positions(grid, width), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        queries = self.query_norm(self.queries) + self.positions.to(self.queries.dtype)
        values = self.kv_norm(self.kv(features))
        keys = values + stretched(self.positions, features.shape[1]).to(values.dtype)
        out, _ = self.attention(
            queries.expand(len(features), -1, -1), keys, values, need_weights=False
        )
        return out
