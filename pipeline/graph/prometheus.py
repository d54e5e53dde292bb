"""Writes the figures of a run for Prometheus, as a text file for node-exporter's collector.

A run is not a service that Prometheus can scrape, so the figures are written to a file, which is
replaced atomically. They are those of `run.json`; figures that the runner did not report are left
out.
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
    "done": "Films (or shards) that the stage processed",
    "reused": "Films (or shards) whose output of an earlier run was reused",
    "seconds": "Seconds of work, summed over the workers",
    "cpu_user": "CPU time of the stage's own code, in seconds, summed over the workers",
    "cpu_system": "CPU time of the system for the stage, in seconds, summed over the workers",
    "calls": "Model calls that were answered",
    "kept": "Model calls that were answered from the response cache",
    "input_tokens": "Tokens of the prompts",
    "output_tokens": "Tokens of the responses",
    "cost": "Cost of the calls, in the currency of the prices in the config",
}


class _Figure(NamedTuple):
    name: str
    about: str
    value: float
    labels: dict[str, str]


def write(file: str, out: str, code: int) -> None:
    """Writes the figures of the record in the dataset folder `out`, and this run's exit code.

    A run that was stopped writes no record: then the figures are those of the last recorded run. If
    the record cannot be read, it prints a warning and writes the exit code only. Raises OSError if
    the file cannot be written.
    """
    figures = [_figure("run_exit_code", "Exit code of the last run, 0 for success", code)]
    path = storage.join(out, RUN_RECORD)
    try:
        if storage.exists(path):
            figures += list(_figures(json.loads(storage.read_bytes(path))))  # all or none
    except Exception as error:  # such as an unavailable bucket or a record of another version
        print(
            f"{file} has only the exit code, as {path} cannot be read: {type(error).__name__}: "
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
        "The last run that was not stopped",
        1,
        name=dataset["name"],
        dataset=dataset["version"],
        config=dataset["config_digest"],
        runner=run["runner"],
        version=run["versions"]["storystream"],
    )
    yield _figure(
        "run_start_time_seconds",
        "Start of the last run, in seconds since 1970",
        datetime.fromisoformat(run["started"]).timestamp(),
    )
    yield _figure("run_seconds", "Duration of the last run in seconds", run["seconds"])
    for kind, number in dataset["counts"].items():
        yield _figure("dataset_items", "Items in the dataset", number, kind=kind)
    for stage in run["stages"]:
        for name, about in _STAGE.items():
            if stage[name] is not None:
                yield _figure(
                    f"stage_{name}", f"{about}, in the last run", stage[name], stage=stage["name"]
                )
        for name, number in stage["counters"].items():
            yield _figure(
                "stage_counter", "Counters of the stage", number, stage=stage["name"], counter=name
            )
        for name, distribution in stage["distributions"].items():
            for statistic, value in distribution.items():
                yield _figure(
                    "stage_distribution",
                    "A value per film, shard or call: count, sum, min, max and mean",
                    value,
                    stage=stage["name"],
                    distribution=name,
                    of=statistic,
                )
