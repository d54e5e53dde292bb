"""Runs every stage on saved weights of each architecture and dtype; writes the table of them."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import transformers

from benchmarks.architectures import chain
from benchmarks.architectures.saved_weights import (
    LANGUAGE_MODELS,
    TOWERS,
    save_diffusion_model,
    save_language_model,
    save_tower,
)
from benchmarks.results.tables import Cell, Column, Table

STAGES = {"de-tokenizer": "1-detokenizer", "story": "2-story", "adaptation": "3-adaptation"}
WORKS, NOT_TRIED = "ok", "-"
_LONG = 6  # pictures: three times the window


@dataclass(frozen=True)
class Row:
    """Weights of one part in a dtype; the other parts are those that most rows have."""

    name: str
    dtype: str
    language_model: str = "llama"
    tower: str = "open_clip's ViT"
    only_variant: bool = False  # a folder of diffusers with nothing but *.fp16.safetensors
    own: str = "language_model"  # the part that has the dtype


ROWS = (
    *(
        Row(name, dtype, language_model=name)
        for name in LANGUAGE_MODELS
        for dtype in ("bf16", "fp16")
    ),
    *(
        Row(name, dtype, tower=name, own="tower")
        for name in TOWERS
        for dtype in ("fp32", "bf16", "fp16")
    ),
    *(Row("SD-XL's UNet and autoencoder", dtype, own="diffusion") for dtype in ("fp32", "fp16")),
    Row("the same, *.fp16.safetensors alone", "fp16", only_variant=True, own="diffusion"),
)


def run(rows: Sequence[Row] = ROWS) -> list[Table]:
    """Runs the rows; a fault is a cell of the table, and what depends on it is not tried."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    logging.getLogger("diffusers").setLevel(logging.ERROR)
    cells = {f"{row.name}, {row.dtype}": check(row) for row in rows}
    names = [*STAGES, "generate", "long story"]
    return [
        Table(
            "architectures",
            "Every stage on saved weights",
            "weights",
            tuple(Column(name) for name in names),
            cells,
            text="Small models with random weights, saved in the layout and dtype in which hubs "
            "serve the large ones. A stage is ok where it trains, validates and, stopped after "
            f"step {chain.STOPPED_AFTER} of {chain.STEPS}, resumes to the same bytes. A long story "
            f"has {_LONG} pictures with a window of two, under each of "
            f"{', '.join(chain.POLICIES)}.",
            contest=False,
        )
    ]


def failed(table: Table) -> int:
    """Returns the number of rows in which something is not ok."""
    return sum(any(cell != WORKS for cell in row.values()) for row in table.cells.values())


def check(row: Row) -> dict[str, Cell]:
    """Runs all stages on the weights of a row; returns "ok", or what went wrong, by column."""
    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found: dict[str, Cell] = {}
        for name, step in _steps(row, Path(place)):
            if NOT_TRIED in found.values() or any(cell != WORKS for cell in found.values()):
                found[name] = NOT_TRIED
                continue
            try:
                step()
            except Exception as error:  # of any library that the weights pass through
                found[name] = f"{type(error).__name__}: {error}"[:200]
            else:
                found[name] = WORKS
        return found


def _steps(row: Row, place: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yields the columns of the table, in order, and what is run for each."""

    def dtype(part: str) -> str:
        return row.dtype if row.own == part else {"tower": "fp32"}.get(part, "fp16")

    folder = place / "run"
    dataset = chain.write_dataset(place / "data")
    preset = chain.write_preset(
        place,
        save_tower(place / "tower", row.tower, dtype("tower")),
        save_language_model(place / "llm", row.language_model, dtype("language_model")),
        save_diffusion_model(
            place / "sdxl", dtype("diffusion"), "fp16" if row.only_variant else None
        ),
    )
    for name, stage in STAGES.items():
        yield (
            name,
            lambda stage=stage: chain.train_and_resume(preset, dataset, folder, stage),  # type: ignore[misc]
        )

    def long() -> None:
        for policy in chain.POLICIES:
            chain.generate(dataset, folder, policy, _LONG)

    yield "generate", lambda: chain.generate(dataset, folder, "dense", chain.PICTURES - 1)
    yield "long story", long
