"""Seeds, saves and restores the random numbers of a process: Python's, numpy's and torch's."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def seed(value: int) -> None:
    """Seeds all random numbers of this process."""
    torch.manual_seed(value)
    random.seed(value)
    np.random.seed(value % 2**32)


def derived(*numbers: int) -> int:
    """Returns a seed, 32 bits, that depends on all of the numbers."""
    return int(np.random.SeedSequence([number % 2**32 for number in numbers]).generate_state(1)[0])


def state(device: torch.device) -> dict[str, Any]:
    """Returns the state of the random numbers of this process and of its device, as values that
    `torch.load(weights_only=True)` reads."""
    numpy_state: Any = np.random.get_state(legacy=False)
    numpy_state["state"]["key"] = numpy_state["state"]["key"].tolist()
    on_device = None if device.type == "cpu" else torch.get_device_module(device).get_rng_state()
    return {
        "python": random.getstate(),
        "numpy": numpy_state,
        "torch": torch.get_rng_state(),
        "device": on_device,
    }


def restore(saved: Mapping[str, Any], device: torch.device) -> None:
    """Restores a `state`; that of the device, if it was saved on a device of this kind."""
    random.setstate(saved["python"])
    np.random.set_state(saved["numpy"])
    torch.set_rng_state(saved["torch"])
    if saved["device"] is not None and device.type != "cpu":
        torch.get_device_module(device).set_rng_state(saved["device"])


@contextmanager
def preserved(device: torch.device) -> Iterator[None]:
    """Restores the random numbers after the block."""
    before = state(device)
    try:
        yield
    finally:
        restore(before, device)
