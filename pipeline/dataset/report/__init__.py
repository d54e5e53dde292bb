"""The report: one HTML page that shows a finished dataset, to leaf through and to check.

`write` reads the folder's tables and `dataset.json` (and `run.json` where there is one), reduces
each section of the page to plain values, and hands them to `templates/report.html.j2`, which puts
its style and its script inside the page. Pictures stay where they are and are named by relative
paths, so the page opens from disk with nothing but the folder around it.

All text from films, subtitles and models is untrusted: the template escapes it, the script only
ever sets it as text, and paths are percent-encoded. The same folder gives the same bytes: nothing
in the page comes from the clock.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import jinja2
import pyarrow as pa

from pipeline.cast import characters_file
from pipeline.dataset.dataset_card import embedded_roles, used_films
from pipeline.dataset.manifest import read_json
from pipeline.dataset.reader import has_file, locate, read_file, read_table
from pipeline.dataset.report.cast import cast_pages
from pipeline.dataset.report.distributions import distributions, quality
from pipeline.dataset.report.formatting import size, span, url
from pipeline.dataset.report.funnel import funnel, reason_cards, rejects_of_stage
from pipeline.dataset.report.places import place_pages
from pipeline.dataset.report.storybook import storybook
from pipeline.runtime import storage
from pipeline.runtime.untrusted_text import escaped_value
from schemas import layout

ROWS_SHOWN = 500  # films in a table
FILES_SHOWN = 40  # in a folder; more become one line
SERIES_SHOWN = 12  # whose characters are listed

Values = dict[str, Any]  # what the template reads


def write(out: str, tables: str = "") -> None:
    """Writes `report.html` into the dataset folder `out`, over an earlier one.

    `tables` is the folder of the tables and `dataset.json`, if it is another.

    Raises OSError where a table or `dataset.json` is missing, and pyarrow.ArrowInvalid, ValueError
    or KeyError where one of them is not what `schemas.rows` and `pipeline.dataset.publish` write.
    """
    page = render(tables or out, _run(out))
    storage.write_bytes(locate(out, layout.REPORT), page.encode())


def render(out: str, run: Values | None) -> str:
    """Renders the page for the tables in the folder `out`, with the record of the run.

    Raises as `write` does.
    """
    dataset = read_json(out)
    until = dataset.get("until", "")
    stories = read_table(
        out, layout.STORIES, ["id", "video", "series", "complete", "images", "scores"]
    )
    dropped_stories = read_table(out, layout.DROPPED_STORIES, ["scores"])
    keyframes = read_table(
        out,
        layout.KEYFRAMES,
        ["id", "video", "shot", "shot_start", "shot_end", "brightness"],
    )
    rejects = read_table(out, layout.REJECTS)
    reasons = reason_cards(rejects)
    films = used_films(dataset)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            dataset=dataset,
            films=films,
            sources=_sources(films),
            embedded=embedded_roles(dataset),
            book=escaped_value(
                storybook(
                    out,
                    stories,
                    films,
                    dataset["config"].get("stories", {}).get("language", ""),
                )
            ),
            casts=_characters(dataset["characters"]),
            seen=cast_pages(out, SERIES_SHOWN),
            places=place_pages(out, SERIES_SHOWN),
            casts_shown=SERIES_SHOWN,
            story_count=stories.num_rows,
            funnel=funnel(dataset, stories, keyframes, rejects, reasons),
            charts=distributions(out, films, stories, keyframes),
            quality=quality(
                dataset["config"]["quality"],
                pa.concat_tables([stories.select(["scores"]), dropped_stories])["scores"],
                reasons,
            ),
            reasons=reasons,
            rejected_films=rejects_of_stage(rejects, "video"),
            reject_count=rejects.num_rows,
            rows_shown=ROWS_SHOWN,
            files=_files(dataset["files"]),
            settings=_flatten(dataset["config"]),
            run=run,
            until=until,
            rejects_table=("work/until/" if until else "") + layout.table_path(layout.REJECTS),
        )
    )


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipeline.dataset"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=escaped_value,
    )
    environment.filters |= {
        "number": lambda value: f"{value:,}",
        "size": size,
        "span": span,
        "url": url,
    }
    return environment


def _sources(videos: Sequence[Values]) -> list[Values]:
    """Sums up each series: how much of it there is, its licences, and whom to thank."""
    groups: dict[str, list[Values]] = defaultdict(list)
    for video in videos:
        groups[video["series"]].append(video)
    return [
        {
            "series": series,
            "films": len(group),
            "duration": sum(video["duration"] for video in group),
            "licenses": sorted({video["license"] for video in group} - {""}),
            "attributions": sorted({video["attribution"] for video in group} - {""}),
        }
        for series, group in sorted(groups.items())
    ]


def _characters(rows: Sequence[Values]) -> list[Values]:
    """Groups the characters by series, with those of their columns that say anything."""
    groups: dict[str, list[Values]] = defaultdict(list)
    for row in rows:
        groups[row["series"]].append(row)
    return [
        {
            "series": series,
            "file": characters_file.path("", series),
            "columns": [
                name
                for name in ("look", "role", "called", "source")
                if any(row[name] for row in group)
            ],
            "rows": group,
        }
        for series, group in groups.items()
    ]


def _flatten(config: Values, prefix: str = "") -> Values:
    """Names the settings as on the command line: "keyframes.every" and so on."""
    flat: Values = {}
    for name, value in config.items():
        flat |= (
            _flatten(value, f"{prefix}{name}.")
            if isinstance(value, dict)
            else {prefix + name: value}
        )
    return flat


def _files(files: Sequence[Values]) -> list[Values]:
    """Lists the files of the dataset by name; a folder of very many is one line with their sum."""
    folders: dict[str, list[Values]] = defaultdict(list)
    for file in files:
        folders[file["path"].rpartition("/")[0].partition("/")[0]].append(file)
    lines: list[Values] = []
    for folder, in_folder in sorted(folders.items()):
        if len(in_folder) > FILES_SHOWN:
            lines.append(
                {
                    "path": f"{folder}/ ({len(in_folder):,} files)",
                    "sha256": "",
                    "bytes": sum(file["bytes"] for file in in_folder),
                }
            )
        else:
            lines += sorted(in_folder, key=lambda file: file["path"])
    return lines


# Answers of models that were not as asked for, by the name of their counter.
_OUTCOMES = {
    "refused": "refused by the model or a filter",
    "loops": "cut in a loop",
    "cut_off": "cut off for their length",
    "smaller pictures": "given to smaller pictures, as the server refused larger ones",
    "answers in another form": "read though in another form",
    "repaired answers": "put right when asked again",
}


def _run(out: str) -> Values | None:
    """Reads the record of the run, with sums; None for a dataset that was copied without it."""
    if not has_file(out, layout.RUN_RECORD):
        return None
    run: Values = json.loads(read_file(out, layout.RUN_RECORD))
    started = datetime.fromisoformat(run["started"]).astimezone(UTC)
    run["started"] = f"{started:%Y-%m-%d %H:%M} UTC"
    whole = "{:,}".format
    columns = {
        "seconds": ("Work", span),
        "calls": ("Calls", whole),
        "kept": ("Cached answers", whole),
        "input_tokens": ("Tokens in", whole),
        "output_tokens": ("Tokens out", whole),
        "cost": ("Cost", "{:,.2f}".format),
    }
    for stage in run["stages"]:
        for name in columns:  # a runner that counts nothing leaves null
            stage[name] = (stage[name] or 0) + stage["earlier"][name]
    run["total"] = {name: sum(stage[name] for stage in run["stages"]) for name in columns}
    if run["total"]["cost"] < 1:  # cents would be mostly zeros
        columns["cost"] = ("Cost", "{:.4f}".format)
    run["columns"] = {name: column for name, column in columns.items() if run["total"][name]}
    run["outcomes"] = {
        said: total
        for name, said in _OUTCOMES.items()
        if (total := sum(stage["counters"].get(name, 0) for stage in run["stages"]))
    }
    return run
