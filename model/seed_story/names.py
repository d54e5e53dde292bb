"""Tables: which of our weights is which of SEED-Story's, and what is refused.

A table maps our name to theirs. What a table cannot say, such as matrices that are turned or
joined, is in the module of the part.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from model.config import ConfigError
from model.resampler import grid_positions

SHOWN = 8  # names in a message
RESAMPLER = {
    "queries": "query",
    "query_norm.weight": "ln_q.weight",
    "query_norm.bias": "ln_q.bias",
    "kv_norm.weight": "ln_kv.weight",
    "kv_norm.bias": "ln_kv.bias",
    "attention.in_proj_weight": "attn.in_proj_weight",
    "attention.in_proj_bias": "attn.in_proj_bias",
    "attention.out_proj.weight": "attn.out_proj.weight",
    "attention.out_proj.bias": "attn.out_proj.bias",
}


def below(prefix: str, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the weights whose names begin with a prefix, without it."""
    return {
        name.removeprefix(prefix): weight
        for name, weight in weights.items()
        if name.startswith(prefix)
    }


def blocks(pattern: str, weights: Iterable[str]) -> int:
    """Returns how many numbered blocks there are, of names that match a pattern with one group."""
    return 1 + max(
        (int(found[1]) for name in weights if (found := re.match(pattern, name))), default=-1
    )


def check(source: Path, found: Collection[str], wanted: Collection[str], remedy: str) -> None:
    """Raises ConfigError, which says what to do, unless the names found are those wanted."""
    missing, left = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    faults = [
        f"{verb} {', '.join(names[:SHOWN])}"
        + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
        for verb, names in (("lacks", missing), ("has unknown", left))
        if names
    ]
    if faults:
        raise ConfigError(f"{source} {'; it '.join(faults)}: {remedy}")


def resampler(source: Path, prefix: str, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns our resampler's weights, of theirs below a prefix.

    Their file holds positions, which are computed here: others than those are refused.
    """
    theirs = below(prefix, weights)
    table = RESAMPLER | ({"kv.weight": "kv_proj.weight"} if "kv_proj.weight" in theirs else {})
    check(
        source,
        [prefix + name for name in theirs],
        [prefix + name for name in [*table.values(), "pos_embed"]],
        "this is no file of SEED-Story's resamplers",
    )
    positions = theirs["pos_embed"].float()
    side = round(len(positions) ** 0.5)
    # Within what the rounding to 16 bits makes of numbers up to 1
    if side * side != len(positions) or not torch.allclose(
        positions, grid_positions(side, positions.shape[1]), rtol=0, atol=2**-8
    ):
        raise ConfigError(
            f"{source}: {prefix}pos_embed are not the sines and cosines of columns and rows that "
            "this project computes: give weights of SEED-Story's own resampler"
        )
    return {ours: theirs[name] for ours, name in table.items()}
