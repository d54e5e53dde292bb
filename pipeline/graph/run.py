"""One run from end to end: find the films, run the graph, record what it took, draw the report."""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import TestOptions

from pipeline.config import DatasetConfig
from pipeline.dataset import report
from pipeline.dataset.manifest import read_json
from pipeline.dataset.reader import read_rows
from pipeline.graph import build, run_record, runners, stage_cache, stages
from pipeline.inference.backends import Gone, Refused
from pipeline.inference.budget import BudgetSpent
from pipeline.inference.client import Interrupted
from pipeline.runtime import lock, progress, storage
from schemas import layout
from schemas.rows import Reject, Video

NOTHING_CAME_THROUGH, TOO_MANY_REJECTS = 3, 4  # exit codes
_SEGMENT_BYTES = 32_000_000  # that a segment of a long film has, about
_STOPS = (BudgetSpent, Refused, Gone, Interrupted, storage.CannotWrite)  # that workers raise


def run(
    videos: Sequence[Video],
    rejects: Sequence[Reject],
    config: DatasetConfig,
    out: str,
    beam_arguments: Sequence[str] = (),
    force: Sequence[str] = (),
    until: str = "",
    verbose: bool = False,
) -> int:
    """Makes the dataset `out` and its report; returns the exit code of the run.

    `force` names stages to do again, `until` the stage to stop after. `beam_arguments` are Beam's
    own options, such as `--runner=DataflowRunner`; without a runner the films are worked on here,
    by a process a core. Raises OSError where `out` cannot be written or another run is writing to
    it, and RuntimeError where a worker fails.
    """
    pieces = sum(1 + video.size // _SEGMENT_BYTES for video in videos)
    options, runner, workers = runners.choose(beam_arguments, pieces, verbose)
    name = runners.name(options)
    runners.check(options, [out, *(video.uri for video in videos)])
    # Of few films each gets several threads; more than 16 take memory and no less time.
    threads = min(16, max(1, workers // max(1, pieces)))
    settings = stage_cache.Run(
        config, out, storage.join(out, layout.WORK), threads, tuple(force), until
    )
    started, clock = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), time.monotonic()
    pipeline = beam.Pipeline(runner=runner, options=options)
    build.dataset(pipeline, videos, rejects, settings)
    if options.view_as(TestOptions).dry_run:
        runners.finish(pipeline)
        print(f"{name} takes the graph; nothing was run")
        return 0
    with lock.locked(out):
        names = stages.names()
        shown = names[: names.index(until) + 1] if until else names
        if name:
            print(f"{name} has {len(videos)} films to work on; its page or log says how far it is")
        with progress.display(dict.fromkeys(shown, len(videos))):
            result = runners.finish(pipeline)
        if until:
            print(f"stopped after {until}; what was made is in {settings.work}")
            return 0
        manifest = read_json(out)
        recorded = run_record.write(
            out,
            manifest,
            result,
            started,
            time.monotonic() - clock,
            name or f"local, {workers} processes",
        )
        report.write(out)
        return _conclude(manifest, recorded, config, out)


def stop_code(error: BaseException) -> tuple[int, str]:
    """Returns the exit code and the reason of a run that a stop in a worker ended, (0, "") for
    another error. Beam hands on what a worker raised as the text of its traceback."""
    codes = {stop.__name__: stop.exit_code for stop in _STOPS}
    pattern = rf"\b({'|'.join(codes)})(?:\(RuntimeError\))?: (.*?)(?: \[while running .*)?$"
    found = re.findall(pattern, f"{type(error).__name__}: {error}", re.MULTILINE)
    return (codes[found[-1][0]], found[-1][1]) if found else (0, "")


def _conclude(
    manifest: dict[str, Any], recorded: dict[str, Any], config: DatasetConfig, out: str
) -> int:
    """Prints the summary; the exit code says whether the run is worth anything."""
    counts = manifest["counts"]
    unread = sum(video["keyframes"] == 0 for video in manifest["videos"])
    print(
        f"\n{_many(counts['videos'], 'film')}, {_many(counts['keyframes'], 'keyframe')}, "
        f"{_many(counts['stories'], 'story')}, {_many(counts['chunks'], 'chunk')}; "
        f"{_many(counts['rejects'], 'reject')}, each with its reason in rejects.parquet; "
        f"{recorded['seconds']:.0f} s"
    )
    for side, numbers in manifest["splits"].items():
        print(
            f"  {side}: {_many(numbers['stories'], 'story')} of {_many(numbers['videos'], 'film')}"
        )
    for line in _stage_lines(recorded):
        print(f"  {line}")
    print(f"  look at it: {storage.join(out, layout.REPORT)}")
    if not counts["stories"]:
        print(
            "No story came through: the report lists what was left out and why; most of all "
            f"{_most_frequent(out)}.",
            file=sys.stderr,
        )
        return NOTHING_CAME_THROUGH
    if unread > config.reject_limit * counts["videos"]:
        print(
            f"{unread} of {counts['videos']} films gave no keyframe, more than the limit allows "
            f"(reject_limit={config.reject_limit}).",
            file=sys.stderr,
        )
        return TOO_MANY_REJECTS
    return 0


def _stage_lines(recorded: dict[str, Any]) -> list[str]:
    """Returns a line per stage that did something, as far as the runner counted it."""
    rows = [
        (stage["name"], stage["done"], stage["reused"], stage["seconds"], stage["cpu_user"],
         stage["cpu_system"])
        for stage in recorded["stages"]
        if stage["done"] or stage["reused"]
    ]  # fmt: skip
    if not rows:
        return []
    total = ("all, with start", "", "", recorded["seconds"], recorded["cpu_user"],
             recorded["cpu_system"])  # fmt: skip
    head = f"{'stage':16}{'done':>7}{'reused':>8}{'seconds':>9}{'CPU user':>10}{'system':>8}"
    return [head, *(
        f"{name:16}{done:>7}{reused:>8}{seconds:>9.1f}{user:>10.1f}{system:>8.1f}"
        for name, done, reused, seconds, user, system in (*rows, total)
    )]  # fmt: skip


def _many(number: int, word: str) -> str:
    more = f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
    return f"{number} {word if number == 1 else more}"


def _most_frequent(out: str) -> str:
    """The reason that most things but keyframes were left out for, and how many."""
    rejects = list(read_rows(out, layout.REJECTS, Reject))
    (((stage, reason), number),) = Counter(
        (reject.stage, reject.reason)
        for reject in rejects
        if reject.stage != "keyframe" or len({other.stage for other in rejects}) == 1
    ).most_common(1)
    return f"{stage}: {reason} ({number})"
