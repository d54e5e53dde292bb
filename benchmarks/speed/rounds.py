"""Tools that are compared take turns, and what that gives: figures of the rounds.

Whatever disturbs a machine then disturbs all tools alike, and a ratio is taken inside of a round,
where it hardly counts. In tables, a ratio stands in the rows of our own tools alone: whether a peer
became slower is no question of this project, and no comparison of two reports should ask it.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from typing import Any

from benchmarks.results import Figure

INTERVAL = "least and most of the rounds"  # in `Table.about`, of what `spread` gives


def timed(tools: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """What each tool says that it took, one after the other in each round, after one round that
    warms up and does not count."""
    taken = [{name: tool() for name, tool in tools.items()} for _ in range(rounds + 1)][1:]
    return {name: [one[name] for one in taken] for name in tools}


def clocked(work: Callable[[], object]) -> Callable[[], float]:
    """The same work, which then says how many seconds it took."""

    def tool() -> float:
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    return tool


def spread(values: Sequence[float]) -> Figure:
    """The median of the rounds, with the least and the most of them."""
    return Figure(statistics.median(values), len(values), min(values), max(values))


def ratio(values: Sequence[float], others: Sequence[float]) -> Figure:
    """The same of a tool's figures beside another tool's of the same rounds."""
    return spread([one / other for one, other in zip(values, others, strict=True)])


def about(*packages: str, **more: Any) -> dict[str, Any]:
    """What a table of such figures has to say of itself; with the versions of the `packages` that
    are measured."""
    return {
        "n": "rounds, the tools in turn",
        "interval": INTERVAL,
        **more,
        "machine": f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end",
        "versions": {name: metadata.version(name) for name in packages},
    }
