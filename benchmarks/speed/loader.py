"""Measures chunks per second that a trainer is given: ours beside loose files and webdataset's
reader.

A chunk is 10 pictures and 10 texts. Loose files are read in the manner of SEED-Story's loader
(src/data/story_telling.py): a line of JSONL and 10 loose JPEGs, each opened by Pillow at its full
size, resized and normalised by torchvision, for its de-tokenizer one of them a second time at 1024;
the story becomes one long text, with 64 tokens spelled out for each picture, and is tokenised every
time. Its pipeline of torchdata no longer exists: PyTorch's DataLoader stands in for it.

webdataset's own reader is given the same shards, which it reads sequentially, shuffles in a buffer
and decodes with Pillow, as its manual does; a second time it is given our decoding, so that what is
left is how the shards are read. Both give what ours gives.

Ours gives the same pictures at the same sizes and the same turns as tokens. Pictures are bytes,
which the model normalises on its device; what doing that in the loader would cost is a row too.
Given a run, so are its features of the same chunks: stages 1 to 3 read those and no pictures. The
tools take turns, and each round starts new workers; the clock starts with their first batch.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.results.tables import Cell, Column, Table
from benchmarks.speed.compared_loaders import (
    _IMAGE_TOKENS,
    BATCH,
    load_features,
    load_loose_files,
    load_ours,
    load_with_webdataset,
)
from benchmarks.timing import about, ratio, spread
from model import config, data, runs, tokens

SIZES = ((128, 0), (448, 0), (448, 1024))  # of all pictures, of one of them for the de-tokenizer
FEATURES = "ours, features and latents"


def run(
    dataset: str,
    trained: str,
    rounds: int = 5,
    workers: int = 2,
    batches: int = 12,
    sizes: Sequence[tuple[int, int]] = SIZES,
) -> list[Table]:
    """Measures all loaders on a dataset that `make dataset` wrote, on `batches` batches per round.

    `trained` is the folder of a run on it, whose features are of pictures of its own size.
    """
    model = runs.Run(Path(trained), config.read(str(Path(trained, "preset"))))
    texts = list(data.once(data.shards(dataset, "train"), data.texts))
    tokenizer = tokens.train(itertools.chain.from_iterable(texts), 4000)
    vocabulary = tokens.with_pictures(tokenizer, _IMAGE_TOKENS)
    cells: dict[str, dict[str, Cell]] = {}
    for size, second in sizes:
        tools = _tools(model, dataset, tokenizer, vocabulary, size, second, workers)
        rates: dict[str, list[float]] = {name: [] for name in tools}
        for number in range(rounds):
            for name, tool in tools.items():
                rates[name].append(_chunks_per_second(tool(number), batches))
        title = f"{size} pixels, one at {second}" if second else f"{size} pixels"
        for name, found in rates.items():
            cells[f"{name}, {title}"] = {
                "chunks/s": spread(found),
                **{
                    f"relative to {peer}": ratio(found, rates[peer])
                    for peer in ("loose files", "webdataset", "webdataset, our decoding")
                    if name == "ours" or (peer == "loose files" and name.startswith("ours"))
                },
            }
    return [
        Table(
            "loader",
            f"Loading: chunks of 10 pictures and their texts, {workers} workers",
            "tool",
            (
                Column("chunks/s", digits=1),
                Column("relative to loose files", "higher", digits=2),
                Column("relative to webdataset", "higher", digits=2),
                Column("relative to webdataset, our decoding", "higher", digits=2),
            ),
            cells,
            "Without the start of workers. All files are in the system's cache: from a disk "
            "that seeks slowly, or over a network, webdataset's sequential reading is worth "
            "more than here. Loose files become normalised floats, so they compare with 'ours, "
            f"normalised too'. '{FEATURES[6:].capitalize()}' are computed once, before stages 1 "
            "to 3, which then have to do neither what the other rows do nor the visual "
            "tokenizer's pass.",
            about(
                "torch",
                "pillow",
                "webdataset",
                chunks=f"{batches * BATCH} per round of {len(texts)} in the dataset",
            ),
            contest=False,
        )
    ]


def _tools(
    run: runs.Run,
    dataset: str,
    tokenizer: Any,
    vocabulary: tokens.Vocabulary,
    size: int,
    second: int,
    workers: int,
) -> dict[str, Callable[[int], Iterable[Any]]]:
    """Returns the loaders by name, each a function from the round to its batches."""
    given = (dataset, tokenizer, vocabulary, size, second)
    tools: dict[str, Callable[[int], Iterable[Any]]] = {
        "loose files": lambda _: load_loose_files(
            dataset, tokenizer, size, second, workers=workers
        ),
        "webdataset": lambda n: load_with_webdataset(*given, seed=n, workers=workers),
        "webdataset, our decoding": lambda n: load_with_webdataset(
            *given, seed=n, workers=workers, decoding=False
        ),
        "ours": lambda n: load_ours(*given, seed=n, workers=workers),
        "ours, normalised too": lambda n: load_ours(*given, seed=n, workers=workers, floats=True),
    }
    if (size, second) == (run.preset.model.vision.image_size, 0):
        tools[FEATURES] = lambda n: load_features(run, seed=n, workers=workers)
    return tools


def _chunks_per_second(batches: Iterable[Any], count: int) -> float:
    """Measures chunks per second, without the time that workers take to start."""
    stream = iter(batches)
    next(stream)
    started = time.monotonic()
    for _ in itertools.islice(stream, count):
        pass
    return count * BATCH / (time.monotonic() - started)
