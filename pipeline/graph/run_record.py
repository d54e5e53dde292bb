"""Writes the record of a run, `run.json`: its command, duration, figures per stage and versions.

A stage's figures are the counters and distributions of all workers; they are `null`, not zero, if
the runner does not report them. Beside them stands what earlier runs spent on the stage, so that
the cost of a dataset made in several runs is known.
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

SPENT = (  # of all runs
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
_COUNTERS = {  # Beam's counters are integers: in units so small
    "seconds": ("milliseconds", 1e3),
    "cpu_user": ("user milliseconds", 1e3),
    "cpu_system": ("system milliseconds", 1e3),
    "cost": ("nanocost", 1e9),
}
_HIDDEN = re.compile(r"key|secret|token|password|endpoint|credential", re.IGNORECASE)


def write(
    out: str,
    manifest: Mapping[str, Any],
    result: Any,
    started: str,
    seconds: float,
    runner: str,
    decisions: str = "",
) -> dict[str, Any]:
    """Writes the record of a run into the dataset folder `out` and returns it.

    `manifest` is the dataset's, `result` Beam's, `decisions` the version of people's that the run
    has applied. Reads the record of the previous run and all
    cached responses of models. Raises OSError if the folder cannot be read or written.

    The run's CPU time is that of the driver and of the local workers, their imports included.
    """
    here, ended = cpu_time.own(), cpu_time.ended()
    record = {
        "started": started,
        "seconds": round(seconds, 1),
        "cpu_user": round(here.user + ended.user, 1),
        "cpu_system": round(here.system + ended.system, 1),
        "command": redacted_command(sys.argv),
        "runner": runner,
        **({"decisions": decisions} if decisions else {}),
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


def redacted_command(words: Sequence[str]) -> str:
    """Returns the command line without keys and addresses of servers, as it may be published."""
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
    """Returns the counters and distributions of a run, None if its runner does not report them."""
    try:
        found: dict[str, list[Any]] = result.metrics().query()
    except NotImplementedError:
        return None
    return found


def _stages(metrics: Mapping[str, Iterable[Any]] | None) -> list[dict[str, Any]]:
    """Returns the figures, counters and distributions of each stage."""
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
            distributions[stage][name] = _merged(distributions[stage].get(name), value)
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
    """Yields stage, name and value of each metric of a stage, without those of Beam itself."""
    for metric in metrics:
        stage, _, name = metric.key.metric.name.partition("/")
        ours = metric.key.metric.namespace == stage_cache.NAMESPACE and stage in names
        if ours and metric.result is not None:  # portable runners give None for zero
            yield stage, name, metric.result


def _merged(distribution: Mapping[str, float] | None, other: Any) -> dict[str, float]:
    """Returns a distribution merged with `other`, of another Beam step of the same stage."""
    count, total = other.count, other.sum
    minimum, maximum = other.min, other.max
    if distribution:
        count, total = count + distribution["count"], total + distribution["sum"]
        minimum = min(minimum, distribution["min"])
        maximum = max(maximum, distribution["max"])
    return {
        "count": count,
        "sum": total,
        "min": minimum,
        "max": maximum,
        "mean": round(total / count, 3),
    }


def _with_earlier(stages: list[dict[str, Any]], out: str) -> list[dict[str, Any]]:
    """Returns the stages with what earlier runs spent on them.

    Calls, tokens and cost are those of the cached responses, also of runs that were stopped; the
    rest is as the record of the previous run says, if there is one. `timed_calls` counts only calls
    of recorded runs, whose seconds are known.
    """
    before = _recorded(storage.join(out, layout.RUN_RECORD))
    cached = response_cache.totals(storage.join(out, layout.WORK))
    prompts = {step.name: step.prompts for step in steps()}
    return [
        {
            **stage,
            "earlier": _earlier(
                stage,
                before.get(stage["name"], {}),
                [cached[prompt] for prompt in prompts[stage["name"]] if prompt in cached],
            ),
        }
        for stage in stages
    ]


def _recorded(path: str) -> dict[str, dict[str, float]]:
    """Returns what all runs up to the last recorded one spent, by stage."""
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
            f"{path} has another version's format ({type(error).__name__}: {error}): what "
            "earlier runs spent is left out of the new record, except for cached model calls",
            file=sys.stderr,
        )
        return {}


def _earlier(
    stage: Mapping[str, Any], recorded: Mapping[str, float], cached: Sequence[Mapping[str, float]]
) -> dict[str, float]:
    """Returns what earlier runs spent on a stage: as recorded or, of the figures of cached
    responses, their sum less this run's share."""
    earlier = {name: recorded.get(name, 0) for name in (*SPENT, "timed_calls")}
    for name in cached[0] if cached else ():
        total = sum(responses[name] for responses in cached)
        earlier[name] = max(0, round(total - (stage[name] or 0), 9))
    return earlier
