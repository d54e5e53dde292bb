"""One run from end to end: find the films, run the graph, record what it took, draw the report."""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.options.pipeline_options import (
    DirectOptions,
    PipelineOptions,
    SetupOptions,
    StandardOptions,
)
from apache_beam.portability.api import beam_provision_api_pb2
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.fn_api_runner.fn_runner import ExtendedProvisionInfo
from apache_beam.runners.portability.portable_runner import JobServiceHandle
from apache_beam.transforms.environments import SubprocessSDKEnvironment

from pipeline import build, keeping, kept_answers, progress, report, storage
from pipeline.config import STAGES, DatasetConfig
from schemas.rows import Reject, Video, from_table

NOTHING_CAME_THROUGH, TOO_MANY_REJECTS = 3, 4  # exit codes
OUT_OF_BUDGET, NO_SERVER, INTERRUPTED = 5, 6, 130
_STOPS = {"BudgetSpent": OUT_OF_BUDGET, "Refused": NO_SERVER, "Gone": NO_SERVER,
          "Interrupted": INTERRUPTED}  # by the name of the exception in a worker


_SPENT = ("seconds", "calls", "kept", "input_tokens", "output_tokens", "cost")
_TASKS = {"captions": ["caption"], "characters": ["characters"], "stories": ["narrate", "link"]}


def run(videos: Sequence[Video], rejects: Sequence[Reject], config: DatasetConfig, out: str,
        beam_arguments: Sequence[str] = (), force: Sequence[str] = (), until: str = "",
        verbose: bool = False) -> int:
    """Makes the dataset `out` and its report; returns the exit code of the run.

    `force` names stages to do again, `until` the stage to stop after. `beam_arguments` are Beam's
    own options, such as `--runner=DataflowRunner`; without a runner the films are worked on here,
    by a process a core. Raises OSError where `out` cannot be written and RuntimeError where a
    worker fails.
    """
    options, runner, workers = _options(beam_arguments, len(videos), verbose)
    threads = max(1, workers // max(1, len(videos)))  # of few films, each gets several
    settings = keeping.Run(config, out, storage.join(out, "work"), threads, tuple(force), until)
    started, clock = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), time.monotonic()
    pipeline = beam.Pipeline(runner=runner, options=options)
    build.dataset(pipeline, videos, rejects, settings)
    shown = STAGES[:STAGES.index(until) + 1] if until else STAGES
    with progress.display(dict.fromkeys(shown, len(videos))):
        result = pipeline.run()
        result.wait_until_finish()
    if until:
        print(f"stopped after {until}; what was made is in {settings.work}")
        return 0
    manifest = json.loads(storage.read_bytes(storage.join(out, "dataset.json")))
    record = {
        "started": started,
        "seconds": round(time.monotonic() - clock, 1),
        "command": re.sub(r"@https?://\S+", "", " ".join(sys.argv)),
        "runner": options.view_as(StandardOptions).runner or f"local, {workers} processes",
        "stages": _with_earlier(_stage_records(result), out),
        "environment": {"python": platform.python_version(), "machine": platform.machine(),
                        "system": platform.system(), "cores": os.cpu_count()},
    }
    storage.write_bytes(storage.join(out, "run.json"), json.dumps(record, indent=1).encode())
    report.write(out)
    return _conclude(manifest, record, config, out)


def _options(beam_arguments: Sequence[str], films: int, verbose: bool
             ) -> tuple[PipelineOptions, Any, int]:
    """Beam's options, the runner (None where they name one) and the number of local workers."""
    options = PipelineOptions(list(beam_arguments))
    options.view_as(SetupOptions).save_main_session = False
    if options.view_as(StandardOptions).runner:
        return options, None, 1
    workers = os.cpu_count() or 1
    environment = None
    if not any(argument.startswith("--direct_") for argument in beam_arguments):
        options.view_as(DirectOptions).direct_num_workers = max(1, min(workers, films))
        environment = SubprocessSDKEnvironment.from_command_string(_worker_command(verbose))
    encoded = JobServiceHandle.encode_pipeline_options(options.get_all_options())
    runner = FnApiRunner(environment, provision_info=ExtendedProvisionInfo(
        beam_provision_api_pb2.ProvisionInfo(pipeline_options=encoded)))
    return options, runner, workers


def _worker_command(verbose: bool) -> str:
    """How a worker process is started: its log, which is Beam's own chatter, goes to a file."""
    # Ctrl-C in a terminal goes to all; what it means is for this process to say.
    command = ("trap '' INT; "
               f"exec {shlex.quote(sys.executable)} -m apache_beam.runners.worker.sdk_worker_main")
    return command if verbose else f"{command} 2>>{shlex.quote(worker_log())}"


def worker_log() -> str:
    """Where the workers of this process write their log."""
    return os.path.join(tempfile.gettempdir(), f"storystream-workers-{os.getpid()}.log")


def stop_code(error: BaseException) -> tuple[int, str]:
    """The exit code and the reason of a run that a `Stop` in a worker ended, (0, "") for another
    error. Beam hands on what a worker raised as the text of its traceback."""
    pattern = rf"\b({'|'.join(_STOPS)})(?:\(RuntimeError\))?: (.*?)(?: \[while running .*)?$"
    found = re.findall(pattern, f"{type(error).__name__}: {error}", re.MULTILINE)
    return (_STOPS[found[-1][0]], found[-1][1]) if found else (0, "")


def _stage_records(result: Any) -> list[dict[str, Any]]:
    """What each stage did, from the counters of all workers."""
    counted: dict[str, Counter[str]] = {stage: Counter() for stage in STAGES}
    for counter in result.metrics().query()["counters"]:
        if counter.key.metric.namespace == keeping.NAMESPACE:
            stage, _, name = counter.key.metric.name.partition("/")
            counted[stage][name] += counter.result
    return [{
        "name": stage,
        "done": counters.pop("done", 0),
        "reused": counters.pop("reused", 0),
        "seconds": counters.pop("milliseconds", 0) / 1000,
        "calls": counters.pop("calls", 0),
        "kept": counters.pop("kept", 0),  # answers that were there already
        "input_tokens": counters.pop("input_tokens", 0),
        "output_tokens": counters.pop("output_tokens", 0),
        "cost": counters.pop("nanocost", 0) / 1e9,
        "counters": dict(sorted(counters.items())),
    } for stage, counters in counted.items()]


def _with_earlier(stages: list[dict[str, Any]], out: str) -> list[dict[str, Any]]:
    """The stages with what earlier runs spent on them.

    Where answers are kept their files say so, also those of runs that were stopped; the rest is
    what the record of the last run says, as far as it is there.
    """
    path = storage.join(out, "run.json")
    recorded = json.loads(storage.read_bytes(path))["stages"] if storage.exists(path) else []
    before = {stage["name"]: {name: stage.get(name, 0) + stage["earlier"].get(name, 0)
                              for name in _SPENT} for stage in recorded}
    paid = kept_answers.totals(storage.join(out, "work"))
    return [{**stage, "earlier": _earlier(stage, before.get(stage["name"], {}),
                                          [paid[task] for task in _TASKS.get(stage["name"], ())
                                           if task in paid])} for stage in stages]


def _earlier(stage: dict[str, Any], recorded: dict[str, float], paid: Sequence[dict[str, float]]
             ) -> dict[str, float]:
    """What was spent on a stage before this run: as recorded, or all that was paid but this."""
    earlier = {name: recorded.get(name, 0) for name in _SPENT}
    for name in paid[0] if paid else ():
        earlier[name] = max(0, round(sum(task[name] for task in paid) - stage[name], 9))
    return earlier


def _conclude(manifest: dict[str, Any], record: dict[str, Any], config: DatasetConfig, out: str
              ) -> int:
    """Prints the summary; the exit code says whether the run is worth anything."""
    counts = manifest["counts"]
    unread = sum(video["keyframes"] == 0 for video in manifest["videos"])
    print(f"\n{counts['videos']} films, {counts['keyframes']} keyframes, "
          f"{counts['stories']} stories, {counts['chunks']} chunks; {counts['rejects']} rejects, "
          f"each with its reason in rejects.parquet; {record['seconds']:.0f} s")
    for side, numbers in manifest["splits"].items():
        print(f"  {side}: {numbers['stories']} stories of {numbers['videos']} films")
    print(f"  look at it: {storage.join(out, 'report.html')}")
    if not counts["stories"]:
        print("No story came through: the report lists what was left out and why; most of all "
              f"{_most_frequent(out)}.", file=sys.stderr)
        return NOTHING_CAME_THROUGH
    if unread > config.reject_limit * counts["videos"]:
        print(f"{unread} of {counts['videos']} films gave no keyframe, more than the limit allows "
              f"(reject_limit={config.reject_limit}).", file=sys.stderr)
        return TOO_MANY_REJECTS
    return 0


def _most_frequent(out: str) -> str:
    """The reason that most things but keyframes were left out for, and how many."""
    data = storage.read_bytes(storage.join(out, "rejects.parquet"))
    rejects = from_table(pq.read_table(pa.BufferReader(data)), Reject)
    (((stage, reason), number),) = Counter(
        (reject.stage, reject.reason) for reject in rejects
        if reject.stage != "keyframe" or len({one.stage for one in rejects}) == 1).most_common(1)
    return f"{stage}: {reason} ({number})"
