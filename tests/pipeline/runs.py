"""Whole runs in the process of the test: with scripted models, or going on from a dataset."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.graph import model_transforms
from pipeline.inference.backends import loading
from tests.pipeline.scripted import Scripted

IN_MEMORY = ["--direct_running_mode=in_memory"]


@contextlib.contextmanager
def scripted_models(backend: Scripted) -> Iterator[Scripted]:
    """Makes `backend` the captioner and the writer of every run, until the block ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "load", lambda role, spec, calls: backend)
        patch.setattr(model_transforms, "_load_once", lambda role, spec, calls: backend)
        patch.setattr(loading, "backend", lambda loaded, spec, calls: loaded)
        yield backend


def copied(dataset: Path, out: Path) -> Path:
    """Copies a dataset with its `work`, for a test that goes on from it or damages it; returns
    `out`. A picture that is one file in `images` and in `work` stays one."""
    subprocess.run(["cp", "-a", str(dataset), str(out)], check=True)
    return out
