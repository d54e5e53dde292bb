"""Prints the memory that loading an imported run takes, beside its weights: a process of its own.

python measured.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from model import generate
from model.seed_story import files, importing
from tests.model.seed_story import released


def status(name):
    """A figure of this process, bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def made(folder, dtype):
    """Makes a run of small files, the language model's in `dtype`; returns its folder."""
    paths = released.write(folder, dtype=dtype)
    settings = [text.replace("fp32", "auto") for text in released.SETTINGS]
    importing.run(importing.Released(**paths), folder / "run", settings, say=lambda text: None)
    return folder / "run"


def main(folder):
    generate.load(made(folder / "small", torch.float16))  # all libraries are in memory then
    files.LARGEST = 15 * 10**6
    released.HIDDEN, released.LAYERS = 1024, 12
    run = made(folder / "large", torch.float16)
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here on
    before = status("VmRSS")
    teller = generate.load(run)
    peak = status("VmHWM") - before
    parts = (teller.tower, teller.model, teller.painter)
    held = sum(weight.nbytes for part in parts for weight in part.parameters())
    print(peak, held)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
