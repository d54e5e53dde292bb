"""Examines the machine: instruction sets, GPUs, free memory and disk beside what a run needs."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from pipeline.config import DatasetConfig
from pipeline.cost import plan, rates
from pipeline.doctor.finding import Finding
from pipeline.ingest import discovery
from pipeline.ingest.probe import probe
from pipeline.ingest.video import VideoError

MEMORY = 1e9  # bytes that each process of a run may take
_PROBED = 32  # films whose length is read, to know that of all
_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16")


def cpu(cpuinfo: str) -> Finding:
    """Returns the cores and instruction sets, by the text of Linux's /proc/cpuinfo."""
    listed = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo, re.MULTILINE)
    flags = set(listed[1].split()) if listed else set()
    sets = [flag for flag in _FLAGS if flag in flags]
    if not flags:
        bf16 = "instruction sets unknown"
    elif {"avx512_bf16", "amx_bf16", "bf16"} & flags:
        bf16 = "models train in bfloat16"
    else:
        bf16 = "no bfloat16, models train in float32"
    cores = os.cpu_count() or 1
    return Finding(True, f"CPU: {', '.join([f'{cores} cores', *sets, bf16])}")


def gpu() -> Finding:
    """Returns the GPUs that PyTorch sees. Loads it if it is installed."""
    if importlib.util.find_spec("torch") is None:
        return Finding(False, "GPU: PyTorch is not installed", "only for models", needed=False)
    import torch

    if torch.cuda.is_available():
        names = [
            f"{torch.cuda.get_device_name(number)}, "
            f"{torch.cuda.get_device_properties(number).total_memory / 1e9:.0f} GB"
            for number in range(torch.cuda.device_count())
        ]
        bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return Finding(True, f"GPU: {'; '.join(names)}, {'with' if bf16 else 'no'} bfloat16")
    if torch.backends.mps.is_available():
        return Finding(True, "GPU: Apple's, by MPS")
    return Finding(False, "GPU", "none is needed, but training is faster on one", needed=False)


def memory(meminfo: str, processes: int) -> Finding:
    """Returns the free memory beside what a run needs, by the text of Linux's /proc/meminfo."""
    available = re.search(r"^MemAvailable:\s*(\d+) kB", meminfo, re.MULTILINE)
    need = processes * MEMORY
    if not available:
        return Finding(True, f"memory: not known; a run takes up to {need / 1e9:.1f} GB")
    free = int(available[1]) * 1024
    return Finding(
        free >= need,
        f"memory: {free / 1e9:.1f} GB free, a run takes up to {need / 1e9:.1f}",
        "end other programs, or add --direct_num_workers=1",
    )


def disk(config: DatasetConfig, videos: str, out: str) -> Iterator[Finding]:
    """Yields the films, and the free disk beside what their dataset needs."""
    hours = None
    if videos:
        try:
            hours, number = _hours(videos)
        except (ValueError, OSError) as error:
            yield Finding(False, f"films: {error}", "name a film, a folder or a manifest")
            return
        yield Finding(bool(number), f"films: {number}, {hours:.2g} hours", "see --videos")
    if "://" in out:
        yield Finding(True, f"disk: {out} is a bucket")
        return
    known = rates.BUILT_IN
    films = plan.Films(hours or 1.0, known.minutes, known.size, known.keyframes)
    need = sum(plan.storage(films, plan.work(films, config, known), config, known).values())
    folder = Path(out).absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    of = "this dataset" if hours is not None else "an hour of film"
    yield Finding(
        free >= need,
        f"disk: {free / 1e9:.1f} GB free for {out}, {of} takes {need / 1e9:.2g}",
        "make room, or give another --out",
    )
    yield Finding(
        os.access(folder, os.W_OK | os.X_OK),
        f"permission to write to {folder}",
        "give another --out",
    )


def _hours(videos: str) -> tuple[float, int]:
    """Returns the length and number of films; the length is estimated if there are many."""
    found, _ = discovery.find(videos)
    durations = []
    for video in found[:: max(1, len(found) // _PROBED)]:
        try:
            durations.append(probe(video).duration)
        except (VideoError, OSError):
            durations.append(0.0)
    return len(found) * sum(durations) / max(1, len(durations)) / 3600, len(found)
