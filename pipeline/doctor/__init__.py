"""Examines this installation and machine: what is there, what is missing, and what to do about it.

Nothing is downloaded and no run is started. PyTorch is loaded only to ask it for GPUs, and only if
it is installed. A server that does not respond costs seconds, not minutes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pipeline import model_specs
from pipeline.config import DatasetConfig
from pipeline.doctor.finding import Finding
from pipeline.doctor.installation import extras, packages
from pipeline.doctor.machine import cpu, disk, gpu, memory
from pipeline.doctor.servers import server
from pipeline.doctor.weights import weights


def examine(config: DatasetConfig, videos: str, out: str) -> Iterator[Finding]:
    """Yields what is found, for a dataset of these films ("" for any) in the folder `out`."""
    yield from packages()
    yield from extras()
    yield cpu(_read("/proc/cpuinfo"))
    yield gpu()
    yield memory(_read("/proc/meminfo"), os.cpu_count() or 1)
    yield from weights(config)
    for role, spec in model_specs.of_roles(config.captioner, config.writer):
        if spec.kind == "openai":
            yield from server(role, spec)
    yield from disk(config, videos, out)


def _read(path: str) -> str:
    """Returns the text of a file of the system, "" where the system has none."""
    try:
        return Path(path).read_text()
    except OSError:
        return ""
