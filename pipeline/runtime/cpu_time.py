"""Counts the CPU time of this process and of the processes that execute its calls."""

from __future__ import annotations

import resource
from typing import NamedTuple


class CpuTime(NamedTuple):
    """CPU seconds of one or more processes."""

    user: float = 0.0
    system: float = 0.0

    def since(self, before: CpuTime) -> CpuTime:
        """Returns what was used after `before`."""
        return CpuTime(self.user - before.user, self.system - before.system)


_elsewhere = [0.0, 0.0]


def own() -> CpuTime:
    """Returns what this process alone has used."""
    return _of(resource.RUSAGE_SELF)


def ended() -> CpuTime:
    """Returns what the ended processes have used that this one started and waited for."""
    return _of(resource.RUSAGE_CHILDREN)


def add(more: CpuTime) -> None:
    """Adds what another process has used for this one."""
    _elsewhere[0] += more.user
    _elsewhere[1] += more.system


def used() -> CpuTime:
    """Returns what this process has used, with what `add` was told."""
    here = own()
    return CpuTime(here.user + _elsewhere[0], here.system + _elsewhere[1])


def _of(who: int) -> CpuTime:
    found = resource.getrusage(who)
    return CpuTime(found.ru_utime, found.ru_stime)
