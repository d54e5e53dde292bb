"""Measures time and memory of the last picture and text of a long story, by policy."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.long_stories.policies import PolicyVariant, start_reading
from model.generate import Teller
from model.reading import Reading

WORDS = 24  # of a text, where cost is measured
ROUNDS = 7


@dataclass(frozen=True)
class Cost:
    """Cost of a picture and its text at the end of a story."""

    seconds: float
    cached: int  # tokens
    megabytes: float  # of keys and values


@torch.no_grad()
def measure_cost(teller: Teller, variant: PolicyVariant, length: int) -> Cost:
    """Measures the last of `length` pictures, generated as `generate.tell` does but for the choice
    of words."""
    vocabulary = teller.vocabulary
    reading = start_reading(teller, variant, 1)
    dice = torch.Generator().manual_seed(length)
    text = torch.randint(3, 200, (WORDS,), generator=dice).tolist()
    settings = teller.run.preset.model.vision
    picture = torch.randn(1, settings.tokens, teller.blank.shape[-1], generator=dice)
    begin = [vocabulary.eoi, *vocabulary.turn]
    reading.read([[vocabulary.bos, *text, vocabulary.boi]])
    for _ in range(length - 2):
        reading.evict()
        reading.read([[*begin, *text, vocabulary.boi]], picture)
    _wait(reading)
    began = time.perf_counter()
    reading.evict()
    reading.read([begin], picture)
    for word in text:
        reading.read([[word]])
    reading.read([[vocabulary.boi, *vocabulary.image]])
    _wait(reading)
    seconds = time.perf_counter() - began
    layers: list[Any] = reading.cache.layers
    size = sum(
        values.numel() * values.element_size()
        for layer in layers
        for values in (layer.keys, layer.values)
    )
    return Cost(seconds, reading.seen.shape[1], size / 1e6)


def _wait(reading: Reading) -> None:
    """Waits until all is computed: a GPU runs behind Python."""
    last: Any = reading.cache.layers[-1]
    last.values.sum().item()


def measure_costs(
    teller: Teller, variants: Sequence[PolicyVariant], lengths: Sequence[int], rounds: int = ROUNDS
) -> dict[tuple[str, int], list[Cost]]:
    """Measures each policy at each length, in rounds, so that what disturbs the machine disturbs
    all."""
    found: dict[tuple[str, int], list[Cost]] = {}
    for _ in range(rounds):
        for length, variant in itertools.product(lengths, variants):  # next to each other
            found.setdefault((variant.name, length), []).append(
                measure_cost(teller, variant, length)
            )
    return found
