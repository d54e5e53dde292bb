"""Costs of whole processes, from the operating system's own accounts.

Tools that are compared are run in turn, so that a machine that slows down slows them all, and each
figure is the median of the rounds.
"""

from __future__ import annotations

import dataclasses
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence


@dataclasses.dataclass(frozen=True)
class Cost:
    """What one process, with those it started and waited for, took."""

    cpu: float  # seconds, user and system
    wall: float  # seconds
    memory: float  # MB, the largest single process


def cost(command: Sequence[str]) -> Cost:
    """Runs a command to its end. Raises RuntimeError, with what it printed, where it fails."""
    started = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n"
                           f"{output.decode(errors='replace')[-2000:]}")
    return Cost(usage.ru_utime + usage.ru_stime, time.monotonic() - started,
                usage.ru_maxrss / 1024)


def compare(tools: Mapping[str, Callable[[int], Sequence[str]]], rounds: int
            ) -> dict[str, list[Cost]]:
    """Costs of several tools, run in turn; a tool is a function from the round to its command."""
    costs: dict[str, list[Cost]] = {name: [] for name in tools}
    for number in range(rounds):
        for name, command in tools.items():
            costs[name].append(cost(command(number)))
    return costs


def busy_cores(seconds: float = 5.0) -> float:
    """How many cores this machine really gives to one busy loop a core."""
    loop = (f"import time\nend = time.monotonic() + {seconds}\n"
            "while time.monotonic() < end: sum(range(10000))\nprint(time.process_time())")
    loops = [subprocess.Popen([sys.executable, "-c", loop], stdout=subprocess.PIPE, text=True)
             for _ in range(os.cpu_count() or 1)]
    return sum(float(each.communicate()[0]) for each in loops) / seconds


def median(costs: Sequence[Cost]) -> Cost:
    """The median of each figure."""
    return Cost(*(statistics.median(getattr(each, field.name) for each in costs)
                  for field in dataclasses.fields(Cost)))
