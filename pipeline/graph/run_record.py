"""The record of a run, `run.json`: what ran, how long, how much, and with which versions.

A stage's figures are the counters and distributions of all workers. A runner that does not hand
them over leaves them `null`, which is not zero. What earlier runs spent on a stage stands beside
them, so that a dataset made in ten runs still tells what it has cost.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from typing import Any

from pipeline.graph import stage_cache
from pipeline.graph.stages import steps
from pipeline.inference import response_cache
from pipeline.runtime import cpu_time, storage
from schemas import layout

SPENT = (  # and summed
    "done",
    "seconds",
    "cpu_user",
    "cpu_system",
    "calls",
    "kept",
    "input_tokens",
    "output_tokens",
    "cost",
)
_FIGURES = ("done", "reused", *SPENT[1:])
_COUNTERS = {  # whole numbers, and how many of them make one
    "seconds": ("milliseconds", 1e3),
    "cpu_user": ("user milliseconds", 1e3),
    "cpu_system": ("system milliseconds", 1e3),
    "cost": ("nanocost", 1e9),
}
_HIDDEN = re.compile(r"key|secret|token|password|endpoint|credential", re.IGNORECASE)


def write(
    out: str, manifest: Mapping[str, Any], result: Any, started: str, seconds: float, runner: str
) -> dict[str, Any]:
    """Writes the record of a run into the dataset folder `out` and returns it.

    `manifest` is that of the dataset made, `result` Beam's. The CPU time of the run is that of the
    driver and of those workers that it started itself, their imports included. Reads the record of the run before, and
    all answers that are kept. Raises OSError where the folder cannot be written.
    """
    here, ended = cpu_time.own(), cpu_time.ended()
    record = {
        "started": started,
        "seconds": round(seconds, 1),
        "cpu_user": round(here.user + ended.user, 1),
        "cpu_system": round(here.system + ended.system, 1),
        "command": command(sys.argv),
        "runner": runner,
        "dataset": {
            name: manifest[name]
            for name in ("name", "version", "config_digest", "models", "counts")
        },
        "stages": _with_earlier(_stages(_metrics(result)), out),
        "versions": {"storystream": metadata.version("storystream"), **manifest["versions"]},
        "environment": {
            "python": platform.python_version(),
            "machine": platform.machine(),
            "system": platform.system(),
            "cores": os.cpu_count(),
        },
    }
    storage.write_bytes(storage.join(out, layout.RUN_RECORD), json.dumps(record, indent=1).encode())
    return record


def command(words: Sequence[str]) -> str:
    """The command line as anybody may see it: without keys and the addresses of servers."""
    shown, hide = ["python", "-m", "pipeline"], False
    for word in words[1:]:
        name, equals, _ = word.partition("=")
        option = name.startswith("--")
        if hide and not option:
            word = "..."
        elif option and _HIDDEN.search(name):
            word = f"{name}=..." if equals else word
        hide = option and not equals and bool(_HIDDEN.search(name))
        shown.append(re.sub(r"@?https?://[^\s\"']+", "", word))
    return shlex.join(shown)


def _metrics(result: Any) -> dict[str, list[Any]] | None:
    """Counters and distributions of a run, None where its runner does not hand them over."""
    try:
        found: dict[str, list[Any]] = result.metrics().query()
    except NotImplementedError:
        return None
    return found


def _stages(metrics: Mapping[str, Iterable[Any]] | None) -> list[dict[str, Any]]:
    """What each stage did."""
    names = [step.name for step in steps()]
    if metrics is None:
        return [
            {"name": stage, **dict.fromkeys(_FIGURES), "counters": {}, "distributions": {}}
            for stage in names
        ]
    counters: dict[str, dict[str, int]] = {stage: {} for stage in names}
    distributions: dict[str, dict[str, dict[str, float]]] = {stage: {} for stage in names}
    for stage, name, value in _of_stages(metrics["counters"], names):
        counters[stage][name] = counters[stage].get(name, 0) + value
    for stage, name, value in _of_stages(metrics["distributions"], names):
        if value.count:
            distributions[stage][name] = _joined(distributions[stage].get(name), value)
    return [_figures(stage, counters[stage], distributions[stage]) for stage in names]


def _figures(
    stage: str, counters: dict[str, int], distributions: Mapping[str, Any]
) -> dict[str, Any]:
    figures: dict[str, float] = {}
    for name in _FIGURES:
        counter, units = _COUNTERS.get(name, (name, 1))
        amount = counters.pop(counter, 0)
        figures[name] = amount / units if units > 1 else amount
    return {
        "name": stage,
        **figures,
        "counters": dict(sorted(counters.items())),
        "distributions": dict(sorted(distributions.items())),
    }


def _of_stages(metrics: Iterable[Any], names: Sequence[str]) -> Iterable[tuple[str, str, Any]]:
    """Stage, name and value of each metric that is ours."""
    for metric in metrics:
        stage, _, name = metric.key.metric.name.partition("/")
        ours = metric.key.metric.namespace == stage_cache.NAMESPACE and stage in names
        if ours and metric.result is not None:  # a zero, of portable runners
            yield stage, name, metric.result


def _joined(before: Mapping[str, float] | None, more: Any) -> dict[str, float]:
    """A distribution, with that of another Beam step of the same stage."""
    count, total = more.count, more.sum
    least, most = more.min, more.max
    if before:
        count, total = count + before["count"], total + before["sum"]
        least, most = min(least, before["min"]), max(most, before["max"])
    return {
        "count": count,
        "sum": total,
        "min": least,
        "max": most,
        "mean": round(total / count, 3),
    }


def _with_earlier(stages: list[dict[str, Any]], out: str) -> list[dict[str, Any]]:
    """The stages with what earlier runs spent on them.

    Where model responses are cached their files say so, also those of runs that were stopped; the
    rest is what the record of the last run says, as far as it is there. `timed_calls` are only
    those of recorded runs, whose seconds are known.
    """
    before = _recorded(storage.join(out, layout.RUN_RECORD))
    paid = response_cache.totals(storage.join(out, layout.WORK))
    prompts = {step.name: step.prompts for step in steps()}
    return [
        {
            **stage,
            "earlier": _earlier(
                stage,
                before.get(stage["name"], {}),
                [paid[prompt] for prompt in prompts[stage["name"]] if prompt in paid],
            ),
        }
        for stage in stages
    ]


def _recorded(path: str) -> dict[str, dict[str, float]]:
    """What all runs up to the one that was recorded last spent, by stage."""
    if not storage.exists(path):
        return {}
    data = storage.read_bytes(path)
    try:
        return {
            stage["name"]: {
                **{name: (stage.get(name) or 0) + stage["earlier"].get(name, 0) for name in SPENT},
                "timed_calls": (stage.get("calls") or 0) + stage["earlier"].get("timed_calls", 0),
            }
            for stage in json.loads(data)["stages"]
        }
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        print(
            f"{path} is not as this version writes it ({type(error).__name__}: {error}): what "
            "earlier runs took is left out, but for answers that are kept",
            file=sys.stderr,
        )
        return {}


def _earlier(
    stage: Mapping[str, Any], recorded: Mapping[str, float], paid: Sequence[Mapping[str, float]]
) -> dict[str, float]:
    """What was spent on a stage before this run: as recorded, or all that was paid but this."""
    earlier = {name: recorded.get(name, 0) for name in (*SPENT, "timed_calls")}
    for name in paid[0] if paid else ():
        earlier[name] = max(0, round(sum(calls[name] for calls in paid) - (stage[name] or 0), 9))
    return earlier
