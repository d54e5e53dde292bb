"""Measures memory of a run with all its processes, by kind: driver, workers, decoders.

The system keeps each process's own peak, which is read while the process lives; what all take
together, with shared memory counted once, is sampled a few times per second.
"""

from __future__ import annotations

import dataclasses
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import psutil

_EVERY = 0.25  # seconds
_KINDS = {
    "pipeline.graph.worker": "worker",
    "isolation.serve": "decoder",
}  # by words of the command line


@dataclasses.dataclass(frozen=True)
class Tree:
    """The cost of a command, with all the processes that it started."""

    wall: float  # seconds
    cpu: float  # seconds, user and system
    peak: dict[str, float]  # MB, of the largest process of each kind; "driver" is the first one
    number: dict[str, int]  # of processes of each kind
    together: float  # MB, the most that all took at a time


def watch(command: Sequence[str]) -> Tree:
    """Runs a command to its end. Raises RuntimeError, with what it printed, where it fails."""
    started = time.monotonic()
    kind: dict[int, str] = {}
    peak: dict[int, float] = {}
    cpu: dict[int, float] = {}
    together = 0.0
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        while process.poll() is None:
            total = 0.0
            root = psutil.Process(process.pid)
            for member in [root, *root.children(recursive=True)]:
                try:
                    words = " ".join(member.cmdline())
                    if not words:  # ended, not yet waited for
                        continue
                    kind[member.pid] = (
                        "driver"
                        if member.pid == root.pid
                        else next((name for word, name in _KINDS.items() if word in words), "other")
                    )
                    peak[member.pid] = max(peak.get(member.pid, 0.0), _high_water(member.pid))
                    cpu[member.pid] = sum(member.cpu_times()[:2])
                    total += member.memory_full_info().pss / 1e6
                except (psutil.Error, FileNotFoundError, ProcessLookupError):
                    continue  # it has just ended
            together = max(together, total)
            time.sleep(_EVERY)
        output.seek(0)
        if process.returncode:
            raise RuntimeError(
                f"{' '.join(command)} ended with {process.returncode}:\n"
                f"{output.read().decode(errors='replace')[-2000:]}"
            )
    of: dict[str, list[float]] = defaultdict(list)
    for pid, name in kind.items():
        of[name].append(peak.get(pid, 0.0))
    return Tree(
        time.monotonic() - started,
        sum(cpu.values()),
        {name: max(each) for name, each in of.items()},
        {name: len(each) for name, each in of.items()},
        together,
    )


def _high_water(pid: int) -> float:
    """The most memory that a process had so far, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0  # as above
