"""Measures the speed of finding keyframes: one film in one process, and the pipeline's stage on
several.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.results.tables import Cell, Column, Figure, Table
from benchmarks.speed.process_cost import Cost, busy_cores, compare_costs
from benchmarks.speed.process_tree import watch
from benchmarks.timing import about, ratio, spread

_DECODED, _SCENEDETECT = "PyAV, every frame decoded", "scenedetect, shots and pictures"
_OURS = "ours, keyframes on disk"
_COLUMNS = (Column("CPU", unit="s", digits=1), Column("wall", unit="s", digits=1))


def one_film_table(film: str, folder: str, rounds: int) -> Table:
    """Makes the table of CPU, wall time and memory of one film, beside decoding and scenedetect."""
    tools = {
        _DECODED: lambda n: [sys.executable, "-m", "benchmarks.speed.decode", film],
        _SCENEDETECT: lambda n: [
            os.path.join(os.path.dirname(sys.executable), "scenedetect"),
            "-q",
            "-i",
            film,
            "-o",
            os.path.join(folder, f"scenes-{n}"),
            "detect-content",
            "list-scenes",
            "save-images",
            "-n",
            "1",
        ],
        _OURS: lambda n: [
            sys.executable,
            "-m",
            "benchmarks.speed.extract_keyframes",
            film,
            os.path.join(folder, f"ours-{n}"),
        ],
    }
    costs = compare_costs(tools, rounds)
    cells: dict[str, dict[str, Cell]] = {
        name: {**_spent(found), "peak": spread([cost.memory for cost in found])}
        for name, found in costs.items()
    }
    for head, peer in (
        ("CPU relative to decoding", _DECODED),
        ("CPU relative to scenedetect", _SCENEDETECT),
    ):
        cells[_OURS][head] = ratio(
            [cost.cpu for cost in costs[_OURS]], [cost.cpu for cost in costs[peer]]
        )
    return Table(
        "keyframe-speed",
        f"Keyframes of one film, one process: {os.path.basename(film)}",
        "tool",
        (
            *_COLUMNS,
            Column("peak", unit="MB", digits=0),
            Column("CPU relative to decoding", "lower", digits=2),
            Column("CPU relative to scenedetect", "lower", digits=2),
        ),
        cells,
        "Whole processes with their start, which on a short film is a good part of each. "
        "Decoding every frame is the least that any tool pays that looks at each. scenedetect "
        "finds shots and saves a picture of each; ours also chooses among pictures and rejects "
        "unsuitable ones.",
        about("av", "scenedetect-headless", "opencv-python-headless", film=os.path.basename(film)),
    )


def _spent(costs: Sequence[Cost]) -> dict[str, Figure]:
    return {
        head: spread([getattr(cost, name) for cost in costs])
        for head, name in (("CPU", "cpu"), ("wall", "wall"))
    }


def keyframe_stage_table(film: str, folder: str, copies: int, rounds: int) -> Table:
    """Makes the table of the pipeline's keyframe stage on copies of the film, together and one by
    one."""
    together = Path(folder, "films")
    alone = [Path(folder, f"film-{n}") for n in range(copies)]
    for n, single in enumerate(alone):
        for place in (together, single):
            place.mkdir(exist_ok=True)
            (place / f"copy{n}{Path(film).suffix}").symlink_to(film)

    one_by_one: list[Cost] = []
    all_at_once, given = [], []
    for number in range(rounds):
        each = [watch(keyframe_command(single, f"{single}-out-{number}")) for single in alone]
        one_by_one.append(
            Cost(
                sum(tree.cpu for tree in each),
                sum(tree.wall for tree in each),
                max(tree.together for tree in each),
            )
        )
        # A shared machine may give less than its cores, so what busy loops get, just before and
        # just after, is the measure of what there is to be had.
        before = busy_cores(2)
        both = watch(keyframe_command(together, f"{together}-out-{number}"))
        all_at_once.append(Cost(both.cpu, both.wall, both.together))
        given.append((before + busy_cores(2)) / 2)
    used = [cost.cpu / cost.wall for cost in all_at_once]
    cells: dict[str, dict[str, Cell]] = {
        "one by one": {
            **_spent(one_by_one),
            "cores used": spread([cost.cpu / cost.wall for cost in one_by_one]),
        },
        "together": {
            **_spent(all_at_once),
            "cores used": spread(used),
            "share of busy loops": ratio(used, given),
            **{
                f"{head} relative to one by one": ratio(
                    [getattr(cost, name) for cost in all_at_once],
                    [getattr(cost, name) for cost in one_by_one],
                )
                for head, name in (("CPU", "cpu"), ("wall", "wall"))
            },
        },
        "busy loops, one per core": {"cores used": spread(given)},
    }
    return Table(
        "keyframe-stage",
        f"{copies} films through the pipeline's keyframe stage",
        "films",
        (
            *_COLUMNS,
            Column("cores used", digits=2),
            Column("share of busy loops", "higher", "%", 0),
            Column("CPU relative to one by one", "lower", digits=2),
            Column("wall relative to one by one", "lower", digits=2),
        ),
        cells,
        "The driver with its workers and decoders. One by one, the start of the pipeline is paid "
        "for each film. While it starts it uses one core, so the share of what busy loops get "
        "rises with the length and number of films.",
        about("av", film=os.path.basename(film)),
    )


def keyframe_command(films: str | Path, out: str | Path) -> list[str]:
    """Returns the command of the pipeline's keyframe stage."""
    return [
        sys.executable,
        "-m",
        "pipeline",
        "dataset",
        "--until",
        "keyframes",
        "--videos",
        str(films),
        "--out",
        str(out),
    ]
