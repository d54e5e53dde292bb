"""The same work with this CPU's instructions and with AVX2 alone, as most laptops have it.

Each piece of work is measured in processes of its own, one for each instruction set, in turn. A
piece is a module in `WORK` with two functions: `prepare(folder)` writes what it needs, once, and
`measure(folder)` returns the seconds of each row of the table, `{"row": [seconds, ...]}`.
`python -m benchmarks.speed.cpu MODULE FOLDER` is such a process and prints that as JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path

import torch

from benchmarks.results.tables import Cell, Column, Table
from benchmarks.speed import cpu_products
from benchmarks.timing import about, ratio, spread
from model import precision

NATIVE, AVX2 = "native", "AVX2"
INSTRUCTIONS: dict[str, dict[str, str]] = {
    NATIVE: {},
    AVX2: {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
        "OPENCV_CPU_DISABLE": "AVX512_SKX,AVX512_CNL,AVX512_CLX,AVX512_ICL",
    },
}
PRODUCTS, TRAINING = "benchmarks.speed.cpu_products", "benchmarks.speed.cpu_training"
DATASET = "benchmarks.speed.cpu_dataset"
WORK = (DATASET, TRAINING)  # modules; what they measure are the rows of the first table
AIM = 2.0  # times as long with AVX2

Rounds = dict[str, list[float]]  # by instruction set, a figure a round
_RATIO = "AVX2 to native"


def run(rounds: int = 3) -> list[Table]:
    """Measures all of `WORK`, and products of matrices for context, in so many rounds."""
    cpu = torch.device("cpu")
    with tempfile.TemporaryDirectory(prefix="storystream-bench-") as place:
        work: dict[str, Rounds] = {}
        for module in WORK:
            work |= _measured(module, Path(place), rounds)
        products = _measured(PRODUCTS, Path(place), rounds)
    facts = about(
        "torch",
        instructions=torch.backends.cpu.get_cpu_capability(),
        precision=f"{precision.chosen('auto', cpu)} natively",
    )
    return [_work(work, facts), _products(products, facts)]


def _measured(module: str, place: Path, rounds: int) -> dict[str, Rounds]:
    """Seconds by row and instruction set, each the median of what a process has measured."""
    folder = place / module
    folder.mkdir()
    with redirect_stdout(sys.stderr):
        importlib.import_module(module).prepare(folder)
    found: dict[str, dict[str, list[float]]] = {}
    for number in range(rounds):
        for name, variables in INSTRUCTIONS.items():
            print(
                f"round {number + 1} of {rounds}: {module.rpartition('.')[2]}, {name}",
                file=sys.stderr,
                flush=True,
            )
            for row, seconds in _child(module, folder, variables).items():
                found.setdefault(row, {level: [] for level in INSTRUCTIONS})[name].append(
                    statistics.median(seconds)
                )
    return found


def _child(module: str, folder: Path, variables: Mapping[str, str]) -> dict[str, list[float]]:
    done = subprocess.run(
        [sys.executable, "-m", __name__, module, str(folder)],
        env=os.environ | variables,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{module} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    measured: dict[str, list[float]] = json.loads(done.stdout)
    return measured


def _work(found: Mapping[str, Rounds], facts: Mapping[str, object]) -> Table:
    cells: dict[str, dict[str, Cell]] = {}
    for row, seconds in found.items():
        times = ratio(seconds[AVX2], seconds[NATIVE])
        assert times.value is not None
        cells[row] = {
            **{name: spread(seconds[name]) for name in INSTRUCTIONS},
            _RATIO: times,
            "aim": f"{AIM:g}",
            "reached": "yes" if times.value <= AIM else "missed",
        }
    return Table(
        "cpu",
        "Work with this CPU's instructions and with AVX2 alone",
        "work",
        (
            *(Column(name, unit="s") for name in INSTRUCTIONS),
            Column(_RATIO, "lower", digits=2),
            Column("aim"),
            Column("reached"),
        ),
        cells,
        "Dataset: CPU seconds of the sample's four films with the embedded models. Training: a "
        "step of each stage of tiny, in the precision that `auto` chooses. AVX2 is set by variables"
        f" ({', '.join(INSTRUCTIONS[AVX2])}), so it is this CPU's clock and memory with lesser "
        "instructions; onnxruntime and FFmpeg heed none. Where the CPU has no more than AVX2, both "
        "are the same.",
        facts,
        contest=False,
    )


def _products(found: Mapping[str, Rounds], facts: Mapping[str, object]) -> Table:
    cells: dict[str, dict[str, Cell]] = {}
    for shape in cpu_products.SHAPES:
        bf16, fp32 = (found[cpu_products.row(shape, dtype)] for dtype in cpu_products.DTYPES)
        cells[cpu_products.name(shape)] = {
            column: value
            for name in INSTRUCTIONS
            for column, value in (
                (f"bf16, {name}", spread([1e6 * seconds for seconds in bf16[name]])),
                (f"fp32, {name}", spread([1e6 * seconds for seconds in fp32[name]])),
                (f"bf16 to fp32, {name}", ratio(bf16[name], fp32[name])),
            )
        }
    columns = [
        column
        for name in INSTRUCTIONS
        for column in (
            Column(f"bf16, {name}", unit="µs", digits=0),
            Column(f"fp32, {name}", unit="µs", digits=0),
            Column(f"bf16 to fp32, {name}", digits=2),
        )
    ]
    return Table(
        "cpu-products",
        "Products of matrices in bfloat16 and float32",
        "product",
        tuple(columns),
        cells,
        "What the choice of a precision rests on: without instructions for bfloat16, it is "
        "emulated.",
        facts,
        contest=False,
    )


if __name__ == "__main__":
    with redirect_stdout(sys.stderr):  # of what the work prints
        measured = importlib.import_module(sys.argv[1]).measure(Path(sys.argv[2]))
    json.dump(measured, sys.stdout)
