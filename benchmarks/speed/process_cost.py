"""Measures CPU, wall time and memory of whole processes, by the operating system's accounting.

Tools that are compared run in turn, so that a machine that slows down slows them all.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence


@dataclasses.dataclass(frozen=True)
class Cost:
    """The cost of one process, with those it started and waited for."""

    cpu: float  # seconds, user and system
    wall: float  # seconds
    memory: float  # MB, the largest single process


def process_cost(command: Sequence[str]) -> Cost:
    """Runs a command to its end. Raises RuntimeError, with what it printed, where it fails."""
    with tempfile.NamedTemporaryFile() as account:
        done = subprocess.run(
            [sys.executable, "-S", "-c", _WATCH, account.name, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        said = account.read()
    code, *found = json.loads(said) if said else [done.returncode]
    if code:
        raise RuntimeError(
            f"{' '.join(command)} ended with {code}:\n"
            f"{done.stdout.decode(errors='replace')[-2000:]}"
        )
    return Cost(*found)


# A process's peak of memory begins with that of the one that started it, so a small one has to.
_WATCH = """
import json, os, subprocess, sys, time
began = time.monotonic()
process = subprocess.Popen(sys.argv[2:])
_, status, used = os.wait4(process.pid, 0)
with open(sys.argv[1], "w") as file:
    json.dump([os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime,
               time.monotonic() - began, used.ru_maxrss / 1024], file)
"""


def compare_costs(
    tools: Mapping[str, Callable[[int], Sequence[str]]], rounds: int
) -> dict[str, list[Cost]]:
    """Measures several tools, run in turn; a tool is a function from the round to its command."""
    costs: dict[str, list[Cost]] = {name: [] for name in tools}
    for number in range(rounds):
        for name, command in tools.items():
            costs[name].append(process_cost(command(number)))
    return costs


def busy_cores(seconds: float = 5.0) -> float:
    """Measures how many cores this machine really gives to one busy loop per core."""
    loop = (
        f"import time\nend = time.monotonic() + {seconds}\n"
        "while time.monotonic() < end: sum(range(10000))\nprint(time.process_time())"
    )
    loops = [
        subprocess.Popen([sys.executable, "-c", loop], stdout=subprocess.PIPE, text=True)
        for _ in range(os.cpu_count() or 1)
    ]
    return sum(float(each.communicate()[0]) for each in loops) / seconds
