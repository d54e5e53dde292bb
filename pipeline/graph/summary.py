"""Summarises a run for the person who started it, in at most 30 lines of 80 columns: what came out,
where to look, what was left out and why, what it cost, and what to try next."""

from __future__ import annotations

import shlex
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline import model_specs
from pipeline.config import DatasetConfig
from pipeline.runtime import storage
from pipeline.runtime.counted import counted, plural
from schemas import layout
from schemas.rows import Reject

COLUMNS = 80
_KINDS = 4  # of rejects that are listed, and
_REASONS = 3  # reasons of each
_STAGES = 5  # that have a row of their own, unless they took a smaller share of the time than
_SMALL = 0.02
_MODEL = "openai:MODEL@http://localhost:8000/v1"
# What to do about films that nothing came of, by reason.
_REMEDIES = {
    "unreadable": "see whether they play; re-encode those that do: ffmpeg -i FILE OUT.mp4",
    "crashed": "the decoder crashed on them; re-encode them: ffmpeg -i FILE OUT.mp4",
    "no keyframes": "are they dark or still? the report shows what was left out of them",
    "failed": "the program failed on them; the next run tries again, work/failures says how",
    "empty": "their files have no content: copy them again",
}


def lines(
    manifest: Mapping[str, Any],
    record: Mapping[str, Any],
    rejects: Iterable[Reject],
    config: DatasetConfig,
    out: str,
    command: Sequence[str] = (),
) -> list[str]:
    """Returns the lines of the summary.

    `manifest` and `record` are the run's dataset.json and run.json. `command` has the words of the
    command that was given, "" or nothing if the run was not started by one.
    """
    rejects = list(rejects)
    left_out = Counter((reject.stage, reject.reason) for reject in rejects)
    return [
        *_made(manifest, out),
        *_left_out(left_out, _rejects_table(manifest)),
        *_costs(record, config),
        *_next(left_out, config, command),
    ]


def _made(manifest: Mapping[str, Any], out: str) -> list[str]:
    counts = manifest["counts"]
    made = ", ".join(
        counted(counts[plural(noun)], noun) for noun in ("video", "keyframe", "story", "chunk")
    ).replace("video", "film")
    splits = "; ".join(
        f"{split}: {counted(numbers['stories'], 'story')} of {counted(numbers['videos'], 'film')}"
        for split, numbers in manifest["splits"].items()
    )
    look = f"  look at {storage.join(out, layout.REPORT)}"
    curate = f"  curate: storystream review {shlex.quote(out)}"
    stopped = f"  stopped after {manifest.get('until')}: without --until the rest is made"
    return [
        made,
        *([f"  {splits}"] if splits else []),
        *([stopped] if "until" in manifest else []),
        look,
        *([] if "until" in manifest else [curate]),
    ]


def _rejects_table(manifest: Mapping[str, Any]) -> str:
    folders = [layout.WORK, layout.UNTIL] if "until" in manifest else []
    return "/".join([*folders, layout.table_path(layout.REJECTS)])


def _left_out(left_out: Mapping[tuple[str, str], int], table: str) -> list[str]:
    """Returns a line per kind of reject, the most frequent first, with its commonest reasons."""
    if not left_out:
        return ["left out: nothing"]
    kinds: Counter[str] = Counter()
    for (kind, _), number in left_out.items():
        kinds[kind] += number
    found = [f"left out ({table} has a reason for each):"]
    for kind, number in kinds.most_common(_KINDS):
        reasons = Counter({why: count for (of, why), count in left_out.items() if of == kind})
        shown = [f"{why} {count:,}" for why, count in reasons.most_common(_REASONS)]
        more = len(reasons) - len(shown)
        found.append(
            _fitted(
                f"  {kind:<10} {number:>7,}  {', '.join(shown)}"
                + f", {counted(more, 'other reason')}" * bool(more)
            )
        )
    if len(kinds) > _KINDS:
        found.append(f"  and {counted(len(kinds) - _KINDS, 'other kind')}, in the report")
    return found


def _costs(record: Mapping[str, Any], config: DatasetConfig) -> list[str]:
    """Returns a table of what each stage took; small ones share a row."""
    stages = [stage for stage in record["stages"] if stage["done"] or stage["reused"]]
    in_all = sum(stage["seconds"] or 0.0 for stage in stages)
    columns = [("seconds", 9, ",.1f", "seconds")]
    if "cpu_user" in record:
        columns += [("cpu_user", 10, ",.1f", "CPU user"), ("cpu_system", 8, ",.1f", "system")]
    if set(_embedded(config)) != {"captioner", "writer"}:  # whose calls cost nothing
        columns.append(("calls", 9, ",.0f", "calls"))
    if any(stage["cost"] for stage in stages):
        columns.append(("cost", 9, ",.2f", "cost"))
    slowest = sorted((stage["seconds"] or 0.0 for stage in stages), reverse=True)[:_STAGES]
    large = [
        stage for stage in stages if (stage["seconds"] or 0.0) >= max(slowest[-1], _SMALL * in_all)
    ][:_STAGES]
    small = [stage for stage in stages if stage not in large]
    rows = [(stage["name"], stage["done"], stage["reused"], stage) for stage in large]
    if small:
        summed = {name: sum(stage.get(name) or 0 for stage in small) for name, *_ in columns}
        rows.append(
            (f"{len(small)} others" if len(small) > 1 else small[0]["name"], "", "", summed)
        )
    calls_and_cost = {
        name: sum(stage.get(name) or 0 for stage in stages) for name in ("calls", "cost")
    }
    rows.append(("all, with start", "", "", {**record, **calls_and_cost}))
    return [
        f"{'took':16}{'done':>7}{'reused':>8}"
        + "".join(f"{title:>{width}}" for _, width, _, title in columns),
        *(
            f"{name:16}{done:>7}{reused:>8}"
            + "".join(f"{figures[name] or 0:>{width}{form}}" for name, width, form, _ in columns)
            for name, done, reused, figures in rows
        ),
    ]


def _next(
    left_out: Mapping[tuple[str, str], int], config: DatasetConfig, command: Sequence[str]
) -> list[str]:
    """Returns what to try: repairs of films that were rejected, a real model in place of the
    embedded ones."""
    found: list[str] = []
    for (kind, reason), number in sorted(left_out.items(), key=lambda item: -item[1]):
        if kind == "video" and len(found) < 2:
            remedy = _REMEDIES.get(reason, "the report says why")
            found.append(f"{counted(number, 'film')} {reason}: {remedy}")
    if found:
        found.append("then the same command: what is done is kept")
    embedded = _embedded(config)
    if embedded and command:
        found.append(
            f"the {' and '.join(embedded)} built in {'are' if len(embedded) > 1 else 'is'} a "
            "stand-in; with a model server (vLLM, llama.cpp, ...):"
        )
        found += _command(
            [*command, *(part for role in embedded for part in (f"--{role}", _MODEL))]
        )
    if not found:
        return []
    return [
        "next:",
        *(
            line
            for text in found
            for line in (
                [text]
                if text.startswith("    ")
                else textwrap.wrap(
                    text, COLUMNS, initial_indent="  ", subsequent_indent="  ", max_lines=3
                )
            )
        ),
    ]


def _embedded(config: DatasetConfig) -> list[str]:
    return [
        role
        for role in ("captioner", "writer")
        if model_specs.parse(getattr(config, role)).kind == "embedded"
    ]


def _command(words: Sequence[str]) -> list[str]:
    """Returns a command on lines that end in a backslash, to be copied into a shell."""
    lines, line = [], "   "
    for word in _pairs([shlex.quote(word) for word in words]):
        if len(line) + len(word) + 3 > COLUMNS and line.strip():
            lines.append(f"{line} \\")
            line = "      "
        line += f" {word}"
    return [*lines, line]


def _pairs(words: Sequence[str]) -> list[str]:
    """Joins each option with the value that follows it."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1].startswith("--") and not word.startswith("-"):
            joined[-1] += f" {word}"
        else:
            joined.append(word)
    return joined


def _fitted(line: str) -> str:
    return line if len(line) <= COLUMNS else f"{line[: COLUMNS - 3]}..."
