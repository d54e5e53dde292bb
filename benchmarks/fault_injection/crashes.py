"""Injects faults into runs and checks that the next run completes the same dataset.

An `Experiment` is a few films, a scripted model server and the dataset of an undisturbed run. Each
of `injected_faults` disturbs a run into a folder, or damages what lies there. After it nothing may
be half-written (`find_half_written`), and `finish_run` runs the command once more: it must end
well, make the very same bytes, do only what was missing and ask no question whose answer is cached.

The films exercise the whole graph: subtitles with a name, shots that both have, a black one, a film
that cannot be read. Runs are real processes of `python -m pipeline dataset`. Some faults need its
worker processes and strike at a time that varies; others use one process, so that a seed determines
exactly where it dies.
"""

from __future__ import annotations

import itertools
import random
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.fault_injection.markdown import rows_to_markdown
from benchmarks.fault_injection.pipeline_runs import Experiment, prepare_experiment
from benchmarks.fault_injection.resume_checks import FinishedRun, find_half_written, finish_run

HEADINGS = (
    "fault",
    "times",
    "sound after it",
    "finished",
    "identical",
    "did only what was missing",
    "stage outputs reused",
    "median s of the last run",
)


def inject_and_finish(
    experiment: Experiment, out: Path, kinds: Sequence[str], chance: random.Random
) -> tuple[list[str], list[str], FinishedRun]:
    """Injects faults of several kinds into a folder, and completes it.

    Returns what was done and what was wrong before the last run. Raises
    `injected_faults.NotPossibleHere` where this machine does not allow a kind.
    """
    from benchmarks.fault_injection import injected_faults  # which need a experiment

    did, wrong = [], []
    try:
        for kind in kinds:
            done = injected_faults.FAULTS[kind](experiment, out, chance)
            did.append(f"{kind}: {done.what}")
            wrong += done.wrong
            if not injected_faults.DAMAGING.intersection(kinds):  # these leave what is not sound
                wrong += find_half_written(out)
        return did, wrong, finish_run(experiment, out)
    finally:
        injected_faults.remove_folder(out)


def run(times: int = 50, seed: int = 0, show: Callable[[str], None] = print) -> tuple[str, int]:
    """Disturbs `times` folders; returns the tables and how many of them did not come out right.

    The kinds take turns. Every third folder is disturbed twice or thrice before its last run, and
    counts for the first of its kinds. `show` is called with a line for each folder.
    """
    from benchmarks.fault_injection import injected_faults

    rows: dict[str, list[_Row]] = {kind: [] for kind in injected_faults.FAULTS}
    bad, left_out = 0, {}
    with tempfile.TemporaryDirectory(prefix="storystream-bench-") as folder:
        home = Path(folder)
        home.chmod(0o755)  # for the run of somebody who may not write
        with prepare_experiment(home) as each:
            for number, kind in zip(range(times), itertools.cycle(rows), strict=False):
                chance = random.Random(f"{seed}-{number}")
                more = chance.sample(injected_faults.KILLS, chance.choice([0, 0, 1, 2]))
                try:
                    did, wrong, finished = inject_and_finish(
                        each, home / str(number), [kind, *more], chance
                    )
                except injected_faults.NotPossibleHere as error:
                    left_out[kind] = str(error)
                    continue
                rows[kind].append(_Row(not wrong, finished))
                faults = [*wrong, *finished.wrong, *finished.again]
                bad += bool(faults)
                show(f"{number}: {'; '.join(did)}: {'; '.join(faults) or 'as it should be'}")
    return "\n".join(
        [
            rows_to_markdown(
                f"{times} folders with injected faults, seed {seed}; an undisturbed run takes "
                f"{each.seconds:.1f} s",
                HEADINGS,
                [[kind, *_row_figures(found)] for kind, found in rows.items() if found],
            ),
            *(f"left out: {kind}: {why}" for kind, why in left_out.items()),
        ]
    ), bad


class _Row(NamedTuple):
    sound: bool
    finished: FinishedRun


def _row_figures(rows: Sequence[_Row]) -> list[Any]:
    ends = [row.finished for row in rows]
    return [
        len(rows),
        sum(row.sound for row in rows),
        sum(end.ended.code == 0 for end in ends),
        sum(not end.wrong for end in ends),
        sum(not end.again for end in ends),
        f"{100 * statistics.mean(end.reused for end in ends):.0f} %",
        f"{statistics.median(end.ended.seconds for end in ends):.1f}",
    ]
