"""Tells the stories that another benchmark asks for, and writes them where its evaluator looks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.evaluators import comm, opening_benchmark, vistorybench
from benchmarks.generators import trained_run
from benchmarks.stories import Opening, Story

LAYOUTS = ("vistorybench", "opening", "comm-task2", "comm-task3")


def export(
    layout: str,
    items: str,
    run: str,
    to: str,
    policy: str = "multimodal",
    language: str = "en",
    images: str = "",
    at_most: int = 0,
    seed: int = 0,
) -> Path:
    """Tells the stories of a benchmark with a trained run; returns the folder of the result.

    `layout` is one of LAYOUTS. `items` is the benchmark's data: a folder of ViStoryBench, a JSONL
    file of OpenING, or a split of CoMM with the folder of its `images`. Stories are kept in
    TO/told, and generated again only where something changed. Raises ValueError where the data are
    not the benchmark's.
    """
    from model import generate

    name = Path(run).name
    work = Path(to, "told", layout)

    def tell(openings: Sequence[Opening]) -> list[Story]:
        if not openings:
            raise ValueError(f"{items} has nothing to tell")
        return trained_run.tell_stories(generate.load(Path(run)), policy, openings, work, seed)

    cut = at_most or None
    if layout == "vistorybench":
        stories = vistorybench.read_items(items, language)[:cut]
        told = tell(vistorybench.make_openings(stories))
        now = time.strftime("%Y%m%d-%H%M%S")
        return vistorybench.write_outputs(told, stories, to, name, policy, language, now)
    if layout == "opening":
        asked = opening_benchmark.read_items(items)[:cut]
        told = tell(opening_benchmark.make_openings(asked, Path(items).parent, work))
        return opening_benchmark.write_outputs(told, asked, to, name)
    task = layout.removeprefix("comm-")
    documents = comm.read_items(items, images or Path(items).parent / "images")[:cut]
    told = tell(comm.make_openings(documents, task, work))
    return comm.write_outputs(told, documents, Path(to, name), task)
