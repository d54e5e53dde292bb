"""The last run as a text file for Prometheus, for the textfile collector of node-exporter.

A run is no service that can be scraped, so its figures lie in a file that is replaced as a whole.
They are those of `run.json`; a figure that the runner did not count is not there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from pipeline.runtime import storage
from schemas.layout import RUN_RECORD

_STAGE = {
    "done": "Films (shards) that the stage worked on",
    "reused": "Films (shards) whose result was there from an earlier run",
    "seconds": "Seconds of work, added over the workers",
    "cpu_user": "Seconds of CPU time outside the system, added over the workers",
    "cpu_system": "Seconds of CPU time in the system, added over the workers",
    "calls": "Calls of a model that were answered",
    "kept": "Answers that were on disk already",
    "input_tokens": "Tokens of the questions",
    "output_tokens": "Tokens of the answers",
    "cost": "Cost of the calls, in the currency of the prices in the config",
}


class _Figure(NamedTuple):
    name: str
    about: str
    value: float
    labels: dict[str, str]


def write(file: str, out: str, code: int) -> None:
    """Writes what the record in the dataset folder `out` says, and how this run ended.

    A run that was stopped leaves no record: then the figures are those of the last that was not.
    Of a record that cannot be read the user is told; how the run ended is written all the same.
    Raises OSError where the file cannot be written.
    """
    figures = [_figure("run_exit_code", "How the last call ended, 0 for well", code)]
    path = storage.join(out, RUN_RECORD)
    try:
        if storage.exists(path):
            figures += list(_figures(json.loads(storage.read_bytes(path))))  # all or none
    except Exception as error:  # a bucket that does not answer, a record of whatever shape
        print(
            f"{file} has the exit code alone, as {path} cannot be read: {type(error).__name__}: "
            f"{error}",
            file=sys.stderr,
        )
    registry = CollectorRegistry()
    gauges: dict[str, Gauge] = {}
    for name, about, value, labels in figures:
        if name not in gauges:
            gauges[name] = Gauge(f"storystream_{name}", about, sorted(labels), registry=registry)
        (gauges[name].labels(**labels) if labels else gauges[name]).set(value)
    write_to_textfile(file, registry)


def _figure(name: str, about: str, value: float, /, **labels: str) -> _Figure:
    return _Figure(name, about, float(value), labels)


def _figures(run: dict[str, Any]) -> Iterator[_Figure]:
    dataset = run["dataset"]
    yield _figure(
        "run_info",
        "The last run that came to its end",
        1,
        name=dataset["name"],
        dataset=dataset["version"],
        config=dataset["config_digest"],
        runner=run["runner"],
        version=run["versions"]["storystream"],
    )
    yield _figure(
        "run_start_time_seconds",
        "When it began, in seconds since 1970",
        datetime.fromisoformat(run["started"]).timestamp(),
    )
    yield _figure("run_seconds", "How long it took", run["seconds"])
    for kind, number in dataset["counts"].items():
        yield _figure("dataset_items", "What the dataset holds", number, kind=kind)
    for stage in run["stages"]:
        for name, about in _STAGE.items():
            if stage[name] is not None:
                yield _figure(
                    f"stage_{name}", f"{about}, in the last run", stage[name], stage=stage["name"]
                )
        for name, number in stage["counters"].items():
            yield _figure(
                "stage_counter", "What the stage counted", number, stage=stage["name"], counter=name
            )
        for name, spread in stage["distributions"].items():
            for of, value in spread.items():
                yield _figure(
                    "stage_distribution",
                    "Of a value a film, a shard or a call: count, sum, min, max and mean",
                    value,
                    stage=stage["name"],
                    distribution=name,
                    of=of,
                )
