"""Reads checkpoints of torch and safetensors without loading them, and writes safetensors.

Weights are mapped into memory from the file, and nothing in it is run: `torch.load` with
`weights_only`. They are written in files of at most 1 GB, as many as it takes, so that whoever
loads them holds one file at a time besides the weights.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from model.config import ConfigError

LARGEST = 10**9  # bytes of a file that is written
INDEX = "model.safetensors.index.json"


def read(path: Path) -> dict[str, Tensor]:
    """Maps the weights of a file of torch or safetensors into memory, by name.

    Raises ConfigError.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (OSError, RuntimeError, SafetensorError, pickle.UnpicklingError, EOFError) as error:
        raise ConfigError(
            f"{path} cannot be read as weights: {str(error).splitlines()[0]}\nGive a file that "
            "torch.save (1.6 or newer) or safetensors has written, which holds tensors alone"
        ) from error
    if not isinstance(found, dict) or not all(isinstance(part, Tensor) for part in found.values()):
        raise ConfigError(
            f"{path} holds more than weights by name: give the file of a state_dict, such as "
            "pytorch_model.bin"
        )
    return found


def read_folder(folder: Path) -> dict[str, Tensor]:
    """Maps the weights of all files of a folder, by name. Raises ConfigError."""
    return {name: weight for path in paths(folder) for name, weight in read(path).items()}


def paths(folder: Path) -> list[Path]:
    """Returns the files of a folder with weights: safetensors where there are any, those of the
    variant fp16 where there are no others, else pytorch_model*.bin. Raises ConfigError where there
    are none."""
    every = sorted(folder.glob("*.safetensors"))
    whole = [path for path in every if ".fp16." not in path.name]
    found = whole or every or sorted(folder.glob("pytorch_model*.bin"))
    if not found:
        raise ConfigError(f"{folder} has no *.safetensors and no pytorch_model*.bin")
    return found


def write(folder: Path, names: Iterable[str], weights: Mapping[str, Tensor]) -> None:
    """Writes `weights`, which may be computed as they are asked for, by name, to safetensors."""
    folder.mkdir(parents=True, exist_ok=True)
    held: dict[str, Tensor] = {}
    places: dict[str, str] = {}
    total = number = 0

    def flush() -> None:
        nonlocal number
        number += 1
        path = f"model-{number:05d}.safetensors"
        save_file(held, folder / path, {"format": "pt"})
        places.update(dict.fromkeys(held, path))
        held.clear()

    for name in names:
        weight = weights[name].contiguous()
        size = sum(weight.nbytes for weight in held.values())
        if held and size + weight.nbytes > LARGEST:
            flush()
        held[name] = weight
        total += weight.nbytes
    flush()
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(places.items()))}
    (folder / INDEX).write_text(json.dumps(index, indent=1))


def digest(path: Path) -> str:
    """Computes the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
