"""Prints the memory that importing released weights takes, or loading the run that they make.

python -m tests.model.seed_story.measured write|import|load FOLDER

Each is a process of its own, as the peak is that of a process and memory that one has freed may
stay with it. Printed, in bytes, are the most of its own that it held (but for the pages of mapped
files, which the system takes back when memory runs short), the most in all, and the weights.
"""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import torch

from model import generate
from model.seed_story import files, importing
from tests.model.seed_story import released


def status(name):
    """A figure of this process, bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


@contextmanager
def watched():
    """Yields a list that gets the most own memory, and the most in all, beyond what there is."""
    before = status("RssAnon"), status("VmRSS")
    most, done = [0], threading.Event()

    def watch():
        while not done.wait(0.001):
            most[0] = max(most[0], status("RssAnon"))

    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here on
    watcher = threading.Thread(target=watch)
    watcher.start()
    found = []
    try:
        yield found
    finally:
        done.set()
        watcher.join()
        found += [most[0] - before[0], status("VmHWM") - before[1]]


def imported(folder, paths):
    """Makes a run of released files; returns its folder."""
    settings = [text.replace("fp32", "auto") for text in released.SETTINGS]
    importing.run(importing.Released(**paths), folder / "run", settings, say=lambda text: None)
    return folder / "run"


def main(step, folder):
    released.HIDDEN, released.LAYERS = 1024, 12
    if step == "write":
        released.write(folder, dtype=torch.float16)
        released.HIDDEN, released.LAYERS = 64, 2
        released.write(folder / "small", dtype=torch.float16)
        return
    small = folder / "small"  # with which all libraries get into memory
    if step == "import":
        imported(small, released.paths(small))
        files.LARGEST = 15 * 10**6
        with watched() as taken:
            imported(folder, released.paths(folder))
    else:
        generate.load(small / "run")
        with watched() as taken:
            teller = generate.load(folder / "run")
        parts = (teller.tower, teller.model, teller.painter)
        taken.append(sum(weight.nbytes for part in parts for weight in part.parameters()))
    print(*taken)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
