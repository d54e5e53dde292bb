"""What is trained, on disk: safetensors with the weights, JSON with what they depend on.

Only parameters that train are kept; the others are those of the model that was loaded. A folder
appears whole or not at all. `key` says what a result depends on: with another key it is of no use.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from model.config import ConfigError

_ABOUT, _WEIGHTS, _STATE = "about.json", "model.safetensors", "state.pt"


def key(*parts: Any) -> str:
    """A digest of JSON-like values, 16 hex digits."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def trained(model: nn.Module) -> dict[str, Tensor]:
    """The parameters that train, by name."""
    return {name: one for name, one in model.named_parameters() if one.requires_grad}


def save(
    folder: Path,
    weights: Mapping[str, Tensor],
    about: Mapping[str, Any],
    state: Mapping[str, Any] | None = None,
    also: Callable[[Path], None] | None = None,
) -> None:
    """Writes a folder with weights, what they are, what is needed to go on training, and what
    `also` puts there.

    The same weights make the same bytes, so only their key stands in their own file.
    """
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    if weights:
        save_file(
            {name: one.detach().cpu().contiguous() for name, one in weights.items()},
            fresh / _WEIGHTS,
            {"key": str(about["key"])},
        )
    if state is not None:
        torch.save(state, fresh / _STATE)
    if also:
        also(fresh)
    (fresh / _ABOUT).write_text(json.dumps(about, indent=1))
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def about(folder: Path) -> dict[str, Any]:
    """What was written about a folder, {} where there is none."""
    try:
        found: dict[str, Any] = json.loads((folder / _ABOUT).read_text())
    except FileNotFoundError:
        return {}
    return found


def load(folder: Path, model: nn.Module) -> None:
    """Puts a folder's weights into the parameters of the same names.

    Raises ConfigError where they are not the ones that the model trains.
    """
    weights = load_file(folder / _WEIGHTS)
    _, unexpected = model.load_state_dict(weights, strict=False)
    missing = set(trained(model)) - set(weights)
    if missing or unexpected:
        raise ConfigError(
            f"{folder} holds the weights of another model: {len(missing)} are "
            f"missing there, {len(unexpected)} are not known here; was the preset "
            "changed?"
        )


def state(folder: Path) -> dict[str, Any]:
    """What is needed to go on training, as it was saved."""
    found: dict[str, Any] = torch.load(folder / _STATE, map_location="cpu", weights_only=True)
    return found
