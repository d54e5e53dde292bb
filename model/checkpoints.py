"""Saves and loads weights and training states: safetensors, and JSON with what they depend on.

Only trained parameters are saved; the others are those of the model that was loaded. A folder is
written whole or not at all. `key` is a digest of what a result depends on: with another key, it is
out of date.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from model.config import ConfigError

_ABOUT, WEIGHTS, _STATE = "about.json", "model.safetensors", "state.pt"


def key(*parts: Any) -> str:
    """Returns a digest of JSON-like values, 16 hex digits."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def trained(model: nn.Module) -> dict[str, nn.Parameter]:
    """Returns the parameters that are trained, by name."""
    return {
        name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad
    }


def save(
    folder: Path,
    weights: Mapping[str, Tensor],
    about: Mapping[str, Any],
    state: Mapping[str, Any] | None = None,
    also: Callable[[Path], None] | None = None,
) -> None:
    """Writes a folder: weights, `about` as JSON, the training `state` if any, and the files that
    `also` writes into the folder it is given.

    The weights' file depends on weights and key alone, so the same ones give the same bytes.
    """
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    if weights:
        save_file(
            {name: weight.detach().cpu().contiguous() for name, weight in weights.items()},
            fresh / WEIGHTS,
            {"key": str(about["key"])},
        )
    if state is not None:
        torch.save(state, fresh / _STATE)
    if also:
        also(fresh)
    (fresh / _ABOUT).write_text(json.dumps(about, indent=1))
    replace(folder, fresh)


def replace(folder: Path, fresh: Path) -> None:
    """Puts the folder `fresh` in the place of another one, if there is one."""
    _recover(folder)
    if folder.exists():
        folder.rename(_old(folder))
    fresh.rename(folder)
    shutil.rmtree(_old(folder), ignore_errors=True)


def _old(folder: Path) -> Path:
    """Returns where a folder is while another takes its place."""
    return folder.with_name(f".{folder.name}.old")


def _recover(folder: Path) -> None:
    """Puts a folder back that a process moved away and was killed before it had replaced it."""
    if folder.exists():
        shutil.rmtree(_old(folder), ignore_errors=True)
    else:
        with suppress(FileNotFoundError):
            _old(folder).rename(folder)


def about(folder: Path) -> dict[str, Any]:
    """Returns the `about` that a folder was saved with, {} where there is no folder."""
    if not folder.exists():
        _recover(folder)
    try:
        found: dict[str, Any] = json.loads((folder / _ABOUT).read_text())
    except FileNotFoundError:
        return {}
    return found


def load(folder: Path, model: nn.Module, wanted: Collection[str] | None = None) -> None:
    """Loads a folder's weights into the parameters of the same names.

    Raises ConfigError where they are not those `wanted`, by default those that the model trains.
    """
    weights = load_file(folder / WEIGHTS)
    _, unexpected = model.load_state_dict(weights, strict=False)
    if wanted is not None:
        unexpected += sorted(set(weights) - set(wanted) - set(unexpected))
    missing = set(trained(model) if wanted is None else wanted) - set(weights)
    if missing or unexpected:
        raise ConfigError(
            f"{folder} holds the weights of another model: {len(missing)} are "
            f"missing there, {len(unexpected)} are not known here: train again, or "
            "use the preset that it was trained with"
        )


def assign(folder: Path, model: nn.Module, dtypes: Mapping[str, torch.dtype]) -> None:
    """Assigns all weights of a folder's safetensors files to the parameters of the same names, in
    their `dtypes`; the model needs no memory of its own for them.

    One file is mapped at a time, and a weight that has its dtype already is not copied. Raises
    ConfigError where the names or shapes are not those of the model.
    """
    left = dict(model.named_parameters())
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118 (it is no dict)
                weight = file.get_tensor(name)
                known = left.pop(name, None)
                if known is None or known.shape != weight.shape:
                    raise ConfigError(
                        f"{path}: {name} {list(weight.shape)} is none of this model's weights: "
                        "import it again"
                    )
                owner, _, last = name.rpartition(".")
                weight = nn.Parameter(weight.to(dtypes[name]), known.requires_grad)
                setattr(model.get_submodule(owner), last, weight)
    if left:
        raise ConfigError(f"{folder} lacks {_some(left)}: import it again")


def pretrained(kind: Any, model: str, **how: Any) -> Any:
    """Loads what a class of transformers or diffusers loads by `from_pretrained`.

    Raises OSError, naming them, where the files lack some of its weights: the libraries would only
    warn, and begin with random ones.
    """
    loaded, info = kind.from_pretrained(model, **how, output_loading_info=True)
    if info["missing_keys"]:
        raise OSError(f"its files lack {_some(info['missing_keys'])}: get it again")
    return loaded


def saved_dtype(folder: Path) -> torch.dtype | None:
    """Returns the dtype of the first weight in a folder's safetensors files, those of a variant
    last; None where there are none."""
    path = min(folder.glob("*.safetensors"), key=lambda path: len(path.name), default=None)
    if path is None:
        return None
    with safe_open(path, "pt") as file:
        weight: Tensor = file.get_tensor(next(iter(file.keys())))
    return weight.dtype


def _some(names: Iterable[str]) -> str:
    """Returns the first few of many names, for a message."""
    first, rest = (every := sorted(names))[:5], len(every) - 5
    return ", ".join(first) + (f" and {rest} more" if rest > 0 else "")


def state(folder: Path) -> dict[str, Any]:
    """Returns the training state that a folder was saved with, on the CPU."""
    found: dict[str, Any] = torch.load(folder / _STATE, map_location="cpu", weights_only=True)
    return found
