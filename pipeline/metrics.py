"""The last run as a text file for Prometheus, for the textfile collector of node-exporter.

A run is no service that can be scraped, so its figures lie in a file that is replaced as a whole.
They are those of `run.json`; a figure that the runner did not count is not there.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from pipeline import record, storage

_STAGE = {
    "done": "Films (shards) that the stage worked on",
    "reused": "Films (shards) whose result was there from an earlier run",
    "seconds": "Seconds of work, added over the workers",
    "calls": "Calls of a model that were answered",
    "kept": "Answers that were on disk already",
    "input_tokens": "Tokens of the questions",
    "output_tokens": "Tokens of the answers",
    "cost": "Cost of the calls, in the currency of the prices in the config",
}


def write(file: str, out: str, code: int) -> None:
    """Writes what the record in the dataset folder `out` says, and how this run ended.

    A run that was stopped leaves no record: then the figures are those of the last that was not.
    Raises OSError where the file cannot be written.
    """
    registry = CollectorRegistry()
    gauges: dict[str, Gauge] = {}

    def gauge(name: str, about: str, value: float, /, **labels: str) -> None:
        if name not in gauges:
            gauges[name] = Gauge(f"storystream_{name}", about, sorted(labels), registry=registry)
        (gauges[name].labels(**labels) if labels else gauges[name]).set(value)

    gauge("run_exit_code", "How the last call ended, 0 for well", code)
    path = storage.join(out, record.FILE)
    if storage.exists(path):
        _record(json.loads(storage.read_bytes(path)), gauge)
    write_to_textfile(file, registry)


def _record(run: dict[str, Any], gauge: Any) -> None:
    dataset = run["dataset"]
    gauge("run_info", "The last run that came to its end", 1, name=dataset["name"],
          dataset=dataset["version"], config=dataset["config_digest"], runner=run["runner"],
          version=run["versions"]["storystream"])
    gauge("run_start_time_seconds", "When it began, in seconds since 1970",
          datetime.fromisoformat(run["started"]).timestamp())
    gauge("run_seconds", "How long it took", run["seconds"])
    for kind, number in dataset["counts"].items():
        gauge("dataset_items", "What the dataset holds", number, kind=kind)
    for stage in run["stages"]:
        for name, about in _STAGE.items():
            if stage[name] is not None:
                gauge(f"stage_{name}", f"{about}, in the last run", stage[name],
                      stage=stage["name"])
        for name, number in stage["counters"].items():
            gauge("stage_counter", "What the stage counted", number, stage=stage["name"],
                  counter=name)
        for name, spread in stage["distributions"].items():
            for of, value in spread.items():
                gauge("stage_distribution", "Of a value a film, a shard or a call: count, sum, "
                      "min, max and mean", value, stage=stage["name"], distribution=name, of=of)
