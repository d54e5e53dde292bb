"""Runs the graph on films from end to end, and writes the record of the run and the report."""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import TestOptions

from pipeline.cast.characters_file import CharactersError
from pipeline.config import DatasetConfig
from pipeline.dataset import report
from pipeline.dataset.manifest import read_json
from pipeline.dataset.reader import read_rows
from pipeline.graph import build, failures, run_record, runners, stage_cache, stages, summary
from pipeline.inference.budget import BudgetSpent
from pipeline.inference.client import Interrupted
from pipeline.inference.protocol import Gone, Refused
from pipeline.keyframes.copies import COPY
from pipeline.runtime import decisions, lock, progress, stage_outputs, storage
from pipeline.runtime.counted import counted
from schemas import layout
from schemas.rows import Reject, Video

NO_STORIES, TOO_MANY_REJECTS = 3, 4  # exit codes
_SEGMENT_BYTES = 32_000_000  # of a segment of a long film, roughly
_STOPS = (  # raised in workers
    BudgetSpent,
    Refused,
    Gone,
    Interrupted,
    storage.CannotWrite,
    CharactersError,
    decisions.DecisionsError,
)


def run(
    videos: Sequence[Video],
    rejects: Sequence[Reject],
    config: DatasetConfig,
    out: str,
    beam_arguments: Sequence[str] = (),
    force: Sequence[str] = (),
    until: str = "",
    verbose: bool = False,
    command: Sequence[str] = (),
) -> int:
    """Makes the dataset `out` and its report; returns the exit code of the run.

    `force` has names of stages and ids of films to make again, `until` is the stage to stop after.
    `command` has the words of the command line, for the summary to propose another one.
    `beam_arguments` are Beam's own options, such as `--runner=DataflowRunner`; without a runner the
    films are processed on this machine, by one process per core. Raises OSError if `out` cannot be
    written or another run is writing to it, and RuntimeError if a worker fails.
    """
    segments = sum(1 + video.size // _SEGMENT_BYTES for video in videos)
    options, runner, workers = runners.choose(beam_arguments, segments, verbose)
    runner_name = runners.name(options)
    runners.check(options, [out, *(video.uri for video in videos)])
    dry_run = options.view_as(TestOptions).dry_run  # which reads nothing
    parameters = stage_cache.Run(
        config,
        out,
        storage.join(out, layout.WORK),
        _threads(workers, len(videos)),
        tuple(force),
        until,
        decisions.NONE if dry_run else decisions.version(out),
        segment_threads=_threads(workers, segments),
    )
    started, clock = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), time.monotonic()
    pipeline = beam.Pipeline(runner=runner, options=options)
    build.dataset(pipeline, videos, rejects, parameters)
    if dry_run:
        runners.run_and_wait(pipeline)
        print(f"{runner_name} accepts the graph; nothing was run")
        return 0
    with lock.locked(out):
        # Of runs that were killed: no other run writes here now.
        storage.remove(storage.temporary_files(out))
        failures.clear_log(parameters.work)
        names = stages.names()
        shown = names[: names.index(until) + 1] if until else names
        if runner_name:
            print(
                f"{runner_name} processes {counted(len(videos), 'film')}; see its own page "
                "or log for progress"
            )
        waiting = f"running on {runner_name}" if runner_name else "starting the workers"
        with progress.display(dict.fromkeys(shown, len(videos)), waiting):
            result = runners.run_and_wait(pipeline)
            tables = storage.join(parameters.work, layout.UNTIL)
            if not until:  # those of a run that stopped early are of the past
                storage.remove([path for path, _ in storage.find_in(tables, "**")])
                tables = out
            manifest = read_json(tables)
            recorded = run_record.write(
                out,
                manifest,
                result,
                started,
                time.monotonic() - clock,
                runner_name or f"local, {workers} processes",
                parameters.decisions,
            )
            progress.doing("report", "writing report.html")
            report.write(out, tables)
        rejects = list(read_rows(tables, layout.REJECTS, Reject))
        return _conclude(manifest, recorded, rejects, config, out, command)


def _threads(workers: int, tasks: int) -> int:
    """Returns the threads of each task: with fewer tasks than workers, each gets several; more than
    16 are no faster."""
    return min(16, max(1, workers // max(1, tasks)))


def stop_code(error: BaseException) -> tuple[int, str]:
    """Returns exit code and reason if `error` is a worker's request to stop the run, else (0, "").

    Beam passes on a worker's exception only as the text of its traceback.
    """
    codes = {stop.__name__: stop.exit_code for stop in _STOPS}
    pattern = rf"\b({'|'.join(codes)})(?:\(RuntimeError\))?: (.*?)(?: \[while running .*)?$"
    found = re.findall(pattern, f"{type(error).__name__}: {error}", re.MULTILINE)
    return (codes[found[-1][0]], found[-1][1]) if found else (0, "")


def _conclude(
    manifest: dict[str, Any],
    recorded: dict[str, Any],
    rejects: list[Reject],
    config: DatasetConfig,
    out: str,
    command: Sequence[str],
) -> int:
    """Prints the summary of a run and returns its exit code."""
    counts = manifest["counts"]
    rejected = {video["id"] for video in manifest["videos"] if not video["keyframes"]}
    rejected |= {reject.video for reject in rejects if reject.reason == stage_outputs.FAILED}
    rejected -= {reject.video for reject in rejects if reject.reason == COPY}  # nothing is lost
    print()
    for line in summary.lines(manifest, recorded, rejects, config, out, command):
        print(line)
    due = "keyframes" if "until" in manifest else "stories"
    if not counts[due]:
        print(
            f"The dataset has no {due}. The report lists what was rejected and why; the most "
            f"frequent reason is {_most_frequent(rejects)}.",
            file=sys.stderr,
        )
        return NO_STORIES
    if len(rejected) > config.reject_limit * counts["videos"]:
        print(
            f"{len(rejected)} of {counts['videos']} films have no keyframes or failed, more than "
            f"reject_limit={config.reject_limit} allows. The report lists why; raise the limit "
            "if that is as it should be.",
            file=sys.stderr,
        )
        return TOO_MANY_REJECTS
    return 0


def _most_frequent(rejects: Sequence[Reject]) -> str:
    """Returns the most frequent reason of rejects other than keyframes, and their number."""
    (((stage, reason), number),) = Counter(
        (reject.stage, reject.reason)
        for reject in rejects
        if reject.stage != "keyframe" or len({other.stage for other in rejects}) == 1
    ).most_common(1)
    return f"{stage}: {reason} ({number})"
