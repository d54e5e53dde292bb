"""Times tools that take turns in rounds, and makes figures of the rounds.

Whatever disturbs a machine then disturbs all tools alike, and a ratio is taken within a round,
where it hardly counts. In tables, ratios stand in the rows of our own tools only: whether another
tool became slower is not what a comparison of two reports should ask.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from typing import Any

from benchmarks.results.tables import OF_ROUNDS, Figure


def timed(tools: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Runs the tools one after the other in each round, after a warm-up round that does not count;
    returns what each says that it took."""
    taken = [{name: tool() for name, tool in tools.items()} for _ in range(rounds + 1)][1:]
    return {name: [seconds[name] for seconds in taken] for name in tools}


def clocked(work: Callable[[], object]) -> Callable[[], float]:
    """Returns the same work as a function that returns how many seconds it took."""

    def tool() -> float:
        """Runs the work; returns the seconds."""
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    return tool


def spread(values: Sequence[float]) -> Figure:
    """Returns the median of the rounds, with the least and the most of them."""
    return Figure(statistics.median(values), len(values), min(values), max(values))


def ratio(values: Sequence[float], others: Sequence[float]) -> Figure:
    """Returns the same of the ratios of two tools in the same rounds."""
    return spread([value / other for value, other in zip(values, others, strict=True)])


def about(*packages: str, **more: Any) -> dict[str, Any]:
    """Returns the metadata of a table of such figures, with the versions of the `packages`
    measured."""
    return {
        "n": "rounds, the tools in turn",
        "interval": OF_ROUNDS,
        **more,
        "machine": f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end",
        "versions": {name: metadata.version(name) for name in packages},
    }
