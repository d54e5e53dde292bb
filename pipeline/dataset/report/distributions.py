"""The histograms of the report: lengths, brightness, and stories' scores with their limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.annotation.story_scores import GATES
from pipeline.dataset.charts import histogram
from pipeline.dataset.reader import read_batches
from schemas.layout import STORIES

_PUBLISHED_LENGTH = 146  # of a text, as the paper gives it for StoryStream

# What each score counts, and the least and the most that it can be.
_SCORES = {
    "repetition": ("share of runs of 4 words that the story had before", (0, 1)),
    "reading_grade": ("US school years", None),
    "language_share": ("share of words known in the story's language", (0, 1)),
    "toxic_words": ("words of the list, per story", None),
    "name_consistency": ("share of texts that name nobody unknown", (0, 1)),
    "repaired_share": ("share of texts that came from a second question", (0, 1)),
    "naming": ("share of those who are seen that the texts name", (0, 1)),
    "grounding": ("share of what the captions say that the texts say", (0, 1)),
    "similarity": ("mean cosine of pictures and texts", None),
}


def distributions(
    out: str, videos: Sequence[dict[str, Any]], stories: pa.Table, keyframes: pa.Table
) -> list[dict[str, Any]]:
    """Draws the histograms of shots, keyframes, texts and stories, those that have any values."""
    shots = (
        keyframes.select(["video", "shot", "shot_start", "shot_end"])
        .group_by(["video", "shot"])
        .aggregate([("shot_start", "min"), ("shot_end", "max")])
    )
    letters, words = _text_lengths(out)
    note = (
        f"Dashed: {_PUBLISHED_LENGTH}, the average that the paper gives for StoryStream without "
        "saying whether it counts characters or words."
    )
    charts = [
        histogram(
            "Shot length",
            "seconds",
            _values(pc.subtract(shots["shot_end_max"], shots["shot_start_min"])),
        ),
        histogram(
            "Keyframes per minute",
            "one value per film",
            np.array(
                [
                    60 * video["keyframes"] / video["duration"]
                    for video in videos
                    if video["duration"]
                ]
            ),
        ),
        histogram("Text length", "characters per picture", letters, _PUBLISHED_LENGTH, note),
        histogram("Text length", "words per picture", words, _PUBLISHED_LENGTH, note),
        histogram(
            "Story length", "pictures per story", _values(pc.list_value_length(stories["images"]))
        ),
        histogram(
            "Brightness", "mean brightness, 0 black to 1 white", _values(keyframes["brightness"])
        ),
    ]
    return [chart for chart in charts if chart is not None]


def _text_lengths(out: str) -> tuple[np.ndarray, np.ndarray]:
    """Counts the characters and the words of every picture's text."""
    letters, words = [np.empty(0)], [np.empty(0)]
    for batch in read_batches(out, STORIES, ["captions"]):
        texts = pc.list_flatten(batch["captions"])
        letters.append(_values(pc.utf8_length(texts)))
        words.append(
            _values(pc.list_value_length(pc.utf8_split_whitespace(pc.utf8_trim_whitespace(texts))))
        )
    return np.concatenate(letters), np.concatenate(words)


def quality(
    thresholds: dict[str, Any], scores: pa.ChunkedArray, reasons: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Draws a histogram of each score, with its threshold, and names the scores without values.

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
