"""The report: one HTML page that shows a finished dataset, to leaf through and to check.

`write` reads the folder's tables and `dataset.json` (and `run.json` where there is one), boils each
section of the page down to plain values, and hands them to `templates/report.html.j2`, which puts
its style and its script inside the page. Pictures stay where they are and are named by relative
paths, so the page opens from disk with nothing but the folder around it.

Everything that came from films, subtitles and models is a stranger's text: the template escapes it,
the script only ever sets it as text, and paths are percent-encoded here. The same folder gives the
same bytes: nothing in the page comes from the clock.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote

import jinja2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.annotation import characters
from pipeline.annotation.story_scores import GATES
from pipeline.dataset.charts import histogram, short
from pipeline.dataset.dataset_card import embedded_roles, used_films
from pipeline.runtime import storage
from schemas.rows import (
    CHUNK_LENGTH,
    STORY_LENGTH,
    Keyframe,
    Reject,
    Row,
    Story,
    arrow_schema,
    from_table,
)

STORIES_SHOWN = 24  # a page of more takes seconds to open on a phone
PICTURES_SHOWN = 6  # of what was dropped, for each reason
EXAMPLES_SHOWN = 20  # lines of detail, for each reason
ROWS_SHOWN = 500  # films in a table
FILES_SHOWN = 40  # in a folder; more become one line
CASTS_SHOWN = 12  # series whose characters are listed

# What a reject of a stage is one of, in the order of the stages.
_STAGES = {
    "video": "films",
    "speech": "speech of a film",
    "subtitles": "subtitles of a film",
    "keyframe": "pictures",
    "caption": "captions",
    "characters": "characters of a series",
    "story": "stories",
    "quality": "stories, by their scores",
}

# What each score counts, and the least and the most that it can be.
_SCORES = {
    "repetition": ("share of runs of 4 words that the story had before", (0, 1)),
    "reading_grade": ("US school years", None),
    "language_share": ("share of words known in the story's language", (0, 1)),
    "toxic_words": ("words of the list, a story", None),
    "name_consistency": ("share of texts that name nobody unknown", (0, 1)),
    "repaired": ("share of texts that came of a second question", (0, 1)),
    "grounding": ("share of what the captions say that the texts say", (0, 1)),
    "similarity": ("mean cosine of pictures and texts", None),
}

T = TypeVar("T")
Values = dict[str, Any]  # what the template reads


def write(out: str) -> None:
    """Writes `report.html` into the dataset folder `out`, over an earlier one.

    Raises OSError where a table or `dataset.json` is missing, and pyarrow.ArrowInvalid, ValueError
    or KeyError where one of them is not what `schemas.rows` and `pipeline.dataset.shards` write.
    """
    storage.write_bytes(storage.join(out, "report.html"), render(out).encode())


def render(out: str) -> str:
    """The page for the dataset folder `out`. Raises as `write` does."""
    dataset = json.loads(storage.read_bytes(storage.join(out, "dataset.json")))
    stories = _table(
        out, "stories", Story, ["id", "video", "series", "complete", "images", "scores"]
    )
    dropped = _table(out, "dropped_stories", Story, ["scores"])
    keyframes = _table(
        out, "keyframes", Keyframe, ["id", "video", "shot", "shot_start", "shot_end", "brightness"]
    )
    rejects = _table(out, "rejects", Reject, arrow_schema(Reject).names)
    reasons = _reasons(rejects)
    films = used_films(dataset)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            dataset=dataset,
            films=films,
            sources=_sources(films),
            embedded=embedded_roles(dataset),
            book=_storybook(out, stories, films),
            casts=_casts(dataset["characters"]),
            casts_shown=CASTS_SHOWN,
            story_count=stories.num_rows,
            funnel=_funnel(dataset, stories, keyframes, rejects, reasons),
            charts=_charts(out, films, stories, keyframes),
            quality=_quality(
                dataset["config"]["quality"],
                pa.concat_tables([stories.select(["scores"]), dropped])["scores"],
                reasons,
            ),
            reasons=reasons,
            rejected_films=_rows(rejects, _where(rejects, "video"), Reject),
            reject_count=rejects.num_rows,
            rows_shown=ROWS_SHOWN,
            files=_files(dataset["files"]),
            settings=_flat(dataset["config"]),
            run=_run(out),
        )
    )


def _batches(out: str, name: str, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Columns of a table, all where none are named, a few rows at a time: a large dataset's tables
    are larger than memory."""
    with storage.reading(storage.join(out, f"{name}.parquet")) as file:
        yield from pq.ParquetFile(file).iter_batches(1024, columns=columns)


def _table(out: str, name: str, kind: type, columns: list[str]) -> pa.Table:
    """Columns of a table of rows of a kind."""
    schema = pa.schema([arrow_schema(kind).field(column) for column in columns])
    return pa.Table.from_batches(_batches(out, name, columns), schema)


def _wanted(out: str, name: str, kind: type[Row], key: str, values: Sequence[str]) -> list[Row]:
    """The rows of a table whose key is one of some values."""
    wanted = pa.array(values, pa.string())
    return [
        one
        for batch in _batches(out, name)
        for one in from_table(batch.filter(pc.is_in(batch[key], value_set=wanted)), kind)
    ]


def _where(rejects: pa.Table, stage: str) -> np.ndarray:
    """Row numbers of the rejects of a stage."""
    return np.flatnonzero(pc.equal(rejects["stage"], stage).to_numpy())


def _rows(table: pa.Table, numbers: Sequence[int] | np.ndarray, kind: type[Row]) -> list[Row]:
    return from_table(table.take(pa.array(numbers, pa.int64())), kind)


def _run(out: str) -> Values | None:
    """The record of the run with its sums, or None for a dataset that was copied without it."""
    path = storage.join(out, "run.json")
    if not storage.exists(path):
        return None
    run = json.loads(storage.read_bytes(path))
    started = datetime.fromisoformat(run["started"]).astimezone(UTC)
    run["started"] = f"{started:%Y-%m-%d %H:%M} UTC"
    whole = "{:,}".format
    columns = {
        "seconds": ("Work", span),
        "calls": ("Calls", whole),
        "kept": ("Answers kept", whole),
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
    return run


# ------------------------------------------------------------------------------ the storybook


def _storybook(out: str, stories: pa.Table, videos: Sequence[Values]) -> list[Values]:
    """The stories of the page as the script wants them: a list of books, each a list of pages.

    `stories` has the columns by which some are chosen, one row a story.
    """
    chosen = _chosen(stories)
    numbers = _numbers(stories["video"].to_pylist())
    shown = _wanted(
        out, "stories", Story, "id", stories["id"].take(pa.array(chosen, pa.int64())).to_pylist()
    )
    by_image = {
        keyframe.image: keyframe
        for keyframe in _wanted(
            out, "keyframes", Keyframe, "image", [image for one in shown for image in one.images]
        )
    }
    titles = {video["id"]: video["title"] for video in videos}
    return [
        {
            "id": story.id,
            "film": titles.get(story.video) or story.video,
            "series": story.series,
            "number": numbers[index],
            "split": story.split,
            "captioner": story.caption_model,
            "scores": [
                f"{name.replace('_', ' ')} {short(value)}"
                for name, value in (
                    dataclasses.asdict(story.scores).items() if story.scores else ()
                )
                if value is not None
            ],
            "pages": [
                _page(story, at, by_image.get(image)) for at, image in enumerate(story.images)
            ],
        }
        for index, story in zip(chosen, shown, strict=True)
    ]


def _page(story: Story, at: int, keyframe: Keyframe | None) -> Values:
    page: Values = {
        "src": url(story.images[at]),
        "text": story.captions[at],
        "caption": story.descriptions[at],
        "writer": story.writers[at],
        "repaired": story.repaired[at],
    }
    if keyframe is not None:
        page |= {
            "width": keyframe.width,
            "height": keyframe.height,
            "time": clock(keyframe.time),
            "shot": f"number {keyframe.shot + 1:,}, "
            f"{clock(keyframe.shot_start)} to {clock(keyframe.shot_end)}",
            "dialogue": keyframe.dialogue,
            "recognised": keyframe.recognised,
            "screen": keyframe.text,
        }
    return page


def _numbers(videos: Sequence[str]) -> list[int]:
    """For each story its place among those of its film, from 1."""
    seen: Counter[str] = Counter()
    numbers = []
    for video in videos:
        seen[video] += 1
        numbers.append(seen[video])
    return numbers


def _chosen(stories: pa.Table) -> list[int]:
    """Row numbers of the stories to show: all, or whole ones evenly over series, then films."""
    rows = stories.select(["series", "video", "complete"]).to_pylist()
    indices = list(range(len(rows)))
    if len(indices) > STORIES_SHOWN:
        indices = [at for at in indices if rows[at]["complete"]] or indices
    return _pick(
        indices, STORIES_SHOWN, [lambda at: rows[at]["series"], lambda at: rows[at]["video"]]
    )


def _pick(items: Sequence[T], count: int, keys: Sequence[Callable[[T], str]]) -> list[T]:
    """`count` of the items, as even as can be over the groups of each key in turn."""
    if not keys:
        return _evenly(items, count)
    groups: dict[str, list[T]] = defaultdict(list)
    for item in items:
        groups[keys[0](item)].append(item)
    shares = _shares([len(group) for group in groups.values()], count)
    return [
        item
        for group, share in zip(groups.values(), shares, strict=True)
        for item in _pick(group, share, keys[1:])
    ]


def _shares(sizes: Sequence[int], count: int) -> list[int]:
    """How many of `count` each group gives: one each in turn, until all are found or used up."""
    shares = [0] * len(sizes)
    while count > 0:
        with_more = [at for at, size in enumerate(sizes) if shares[at] < size]
        if not with_more:
            break
        for at in _evenly(with_more, count):
            shares[at] += 1
            count -= 1
    return shares


def _evenly(items: Sequence[T], count: int) -> list[T]:
    """At most `count` items, at even distances."""
    count = min(count, len(items))
    return [items[at * len(items) // count] for at in range(count)]


def _casts(rows: Sequence[Values]) -> list[Values]:
    """The characters of each series, and those columns of theirs that say anything."""
    groups: dict[str, list[Values]] = defaultdict(list)
    for row in rows:
        groups[row["series"]].append(row)
    return [
        {
            "series": series,
            "file": characters.path("", series),
            "columns": [
                name
                for name in ("look", "role", "called", "source")
                if any(row[name] for row in cast)
            ],
            "rows": cast,
        }
        for series, cast in groups.items()
    ]


# ------------------------------------------------------------------------------ what was dropped


def _reasons(rejects: pa.Table) -> list[Values]:
    """A card for each stage and reason, the most frequent of a stage first."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    pictured = pc.not_equal(rejects["image"], "").to_numpy()
    for at, kind in enumerate(
        zip(*(rejects[name].to_pylist() for name in ("stage", "reason")), strict=True)
    ):
        groups[kind].append(at)
    order = {stage: at for at, stage in enumerate(_STAGES)}
    ranked = sorted(
        groups.items(), key=lambda item: (order.get(item[0][0], len(order)), -len(item[1]), item[0])
    )
    return [
        {
            "anchor": "films-left-out" if stage == "video" else f"dropped-{at}",
            "stage": stage,
            "kind": _STAGES.get(stage, stage),
            "reason": reason,
            "count": len(group),
            "pictures": _rows(
                rejects, _evenly([row for row in group if pictured[row]], PICTURES_SHOWN), Reject
            ),
            "examples": _rows(rejects, _evenly(group, EXAMPLES_SHOWN), Reject),
        }
        for at, ((stage, reason), group) in enumerate(ranked)
    ]


def _funnel(
    dataset: Values,
    stories: pa.Table,
    keyframes: pa.Table,
    rejects: pa.Table,
    reasons: Sequence[Values],
) -> list[Values]:
    """From films to chunks: what came in at each step, and what the step left out, by reason."""
    keys = {
        stage: pc.unique(rejects["key"].take(pa.array(_where(rejects, stage))))
        for stage in ("video", "caption")
    }
    films = {video["uri"] for video in used_films(dataset)}
    kept = keyframes.num_rows
    considered = kept + len(_where(rejects, "keyframe"))
    uncaptioned = pc.sum(pc.is_in(keys["caption"], value_set=keyframes["id"])).as_py() or 0
    in_stories = len(pc.unique(pc.list_flatten(stories["images"])))
    whole = pc.sum(stories["complete"]).as_py() or 0
    below = len(_where(rejects, "quality"))
    shots = keyframes.group_by(["video", "shot"]).aggregate([]).num_rows

    def step(
        label: str, count: int, note: str, stage: str = "", part: float | None = None
    ) -> Values:
        lost = [reason for reason in reasons if reason["stage"] == stage]
        return {"label": label, "count": count, "note": note, "dropped": lost, "part": part}

    def pictures(label: str, count: int, note: str, stage: str = "") -> Values:
        return step(label, count, note, stage, count / considered if considered else 0.0)

    return [
        step("Films found", len(films.union(keys["video"].to_pylist())), "in the source", "video"),
        step("Films used", len(films), "read from the first frame to the last"),
        pictures(
            "Pictures considered", considered, "for each shot, or part of a long one", "keyframe"
        ),
        pictures("Keyframes kept", kept, f"from {shots:,} shots", "caption"),
        pictures("Captioned", kept - uncaptioned, "described on their own, one by one", "story"),
        step("Stories written", stories.num_rows + below, "and then scored", "quality"),
        step(
            "Stories kept", stories.num_rows, f"{whole:,} of them with all {STORY_LENGTH} pictures"
        ),
        pictures("Pictures in them", in_stories, "each a page, with the next sentence"),
        step(
            "Chunks",
            dataset["counts"]["chunks"],
            f"{CHUNK_LENGTH} pages each: what a model trains on",
        ),
    ]


# ------------------------------------------------------------------------------ distributions


def _charts(
    out: str, videos: Sequence[Values], stories: pa.Table, keyframes: pa.Table
) -> list[Values]:
    shots = (
        keyframes.select(["video", "shot", "shot_start", "shot_end"])
        .group_by(["video", "shot"])
        .aggregate([("shot_start", "min"), ("shot_end", "max")])
    )
    letters, words = _text_lengths(out)
    published = 146
    note = (
        f"Dashed: {published}, the average that the paper gives for StoryStream without saying "
        "whether it counts characters or words."
    )
    drawn = [
        histogram(
            "Shot length",
            "seconds",
            _values(pc.subtract(shots["shot_end_max"], shots["shot_start_min"])),
        ),
        histogram(
            "Keyframes a minute",
            "one value a film",
            np.array(
                [
                    60 * video["keyframes"] / video["duration"]
                    for video in videos
                    if video["duration"]
                ]
            ),
        ),
        histogram("Text length", "characters a picture", letters, published, note),
        histogram("Text length", "words a picture", words, published, note),
        histogram(
            "Story length", "pictures a story", _values(pc.list_value_length(stories["images"]))
        ),
        histogram(
            "Brightness", "mean brightness, 0 black to 1 white", _values(keyframes["brightness"])
        ),
    ]
    return [chart for chart in drawn if chart is not None]


def _text_lengths(out: str) -> tuple[np.ndarray, np.ndarray]:
    """The characters and the words of every picture's text."""
    letters, words = [np.empty(0)], [np.empty(0)]
    for batch in _batches(out, "stories", ["captions"]):
        texts = pc.list_flatten(batch["captions"])
        letters.append(_values(pc.utf8_length(texts)))
        words.append(
            _values(pc.list_value_length(pc.utf8_split_whitespace(pc.utf8_trim_whitespace(texts))))
        )
    return np.concatenate(letters), np.concatenate(words)


def _quality(thresholds: Values, scores: pa.ChunkedArray, reasons: Sequence[Values]) -> Values:
    """A chart for each score that there is, with its threshold, and the names of the others.

    `scores` are those of all stories, also of the dropped ones.
    """
    dropped = {card["reason"]: card["count"] for card in reasons if card["stage"] == "quality"}
    charts, missing = [], []
    for name, setting, reason in GATES:
        limit, side = thresholds[setting], "below" if setting.startswith("min_") else "above"
        note = (
            f"No limit is set (quality.{setting})."
            if limit is None
            else f"Dashed: dropped {side} {limit:g} (quality.{setting}). "
            f"Stories dropped for it: {dropped.get(reason, 0):,}."
        )
        values = _values(pc.drop_null(pc.struct_field(scores, name)))
        title = name.replace("_", " ")
        unit, scale = _SCORES[name]
        chart = histogram(title.capitalize(), unit, values, limit, note, scale)
        if chart:
            charts.append(chart)
        else:
            missing.append(title)
    return {"charts": charts, "missing": missing}


def _values(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    return np.asarray(column, dtype=float)


# ------------------------------------------------------------------------------ films and files


def _sources(videos: Sequence[Values]) -> list[Values]:
    """A line for each series: what it is, how much of it, and whom to thank."""
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


def _flat(config: Values, prefix: str = "") -> Values:
    """The settings as they are written on the command line: "keyframes.every" and so on."""
    flat: Values = {}
    for name, value in config.items():
        flat |= (
            _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
        )
    return flat


def _files(files: Sequence[Values]) -> list[Values]:
    """The files of the dataset by name; a folder of very many is one line with their sum."""
    folders: dict[str, list[Values]] = defaultdict(list)
    for file in files:
        folders[file["path"].rpartition("/")[0].partition("/")[0]].append(file)
    lines: list[Values] = []
    for folder, inside in sorted(folders.items()):
        if len(inside) > FILES_SHOWN:
            lines.append(
                {
                    "path": f"{folder}/ ({len(inside):,} files)",
                    "sha256": "",
                    "bytes": sum(file["bytes"] for file in inside),
                }
            )
        else:
            lines += sorted(inside, key=lambda file: file["path"])
    return lines


# ------------------------------------------------------------------------------ for the template


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipeline.dataset"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "number": lambda value: f"{value:,}",
        "size": size,
        "span": span,
        "url": url,
    }
    return environment


def url(path: str) -> str:
    """A path inside the dataset folder as a relative URL, whatever is in its names."""
    return quote(path.lstrip("/"))


def clock(seconds: float) -> str:
    """A moment in a film: 754.25 is "12:34.2", and with hours "1:02:03.4"."""
    tenths = int(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest // 10:02d}.{rest % 10}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


def span(seconds: float) -> str:
    """A length of time for a person: "0.4 s", "12 s", "3 min 20 s", "2 h 5 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours:,} h {minutes} min" if minutes else f"{hours:,} h"


def size(count: float) -> str:
    """Bytes for a person: "812 bytes", "1.2 MB"."""
    if count < 1000:
        return f"{count:,.0f} bytes"
    for unit in ("kB", "MB", "GB"):
        count /= 1000
        if count < 999.95:
            return f"{count:.1f} {unit}"
    return f"{count / 1000:,.1f} TB"
