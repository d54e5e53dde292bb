"""The storybook of the report: which stories are shown, and what each of their pages says."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any

import langcodes
import pyarrow as pa

from pipeline.dataset.charts import short
from pipeline.dataset.reader import read_matching
from pipeline.dataset.report.formatting import clock, url
from pipeline.dataset.report.sampling import over_groups
from schemas.layout import KEYFRAMES, STORIES
from schemas.rows import Keyframe, Story

_RIGHT_TO_LEFT = frozenset(("Arab", "Hebr", "Syrc", "Thaa", "Nkoo", "Adlm"))  # scripts
STORIES_SHOWN = 24  # a page of more takes seconds to open on a phone


def storybook(
    out: str, stories: pa.Table, videos: Sequence[dict[str, Any]], language: str = ""
) -> list[dict[str, Any]]:
    """Returns the stories of the page as its script reads them: books, each with its pages.

    `stories` has the columns that some are chosen by, a row for each story of the dataset;
    `language` is that of their texts, a BCP 47 tag, "" where it is not known.
    """
    chosen = _choose(stories)
    numbers = _numbers(stories["video"].to_pylist())
    ids = stories["id"].take(pa.array(chosen, pa.int64())).to_pylist()
    shown = read_matching(out, STORIES, Story, "id", ids)
    images = [image for story in shown for image in story.images]
    keyframes = {
        keyframe.image: keyframe
        for keyframe in read_matching(out, KEYFRAMES, Keyframe, "image", images)
    }
    titles = {video["id"]: video["title"] for video in videos}
    return [
        {
            "id": story.id,
            "film": titles.get(story.video) or story.video,
            "series": story.series,
            "number": numbers[row],
            "split": story.split,
            "captioner": story.caption_model,
            "language": language,
            "direction": _direction(language),
            "scores": [
                f"{name.replace('_', ' ')} {short(value)}"
                for name, value in (
                    dataclasses.asdict(story.scores).items() if story.scores else ()
                )
                if value is not None
            ],
            "pages": [
                _page(story, position, keyframes.get(image))
                for position, image in enumerate(story.images)
            ],
        }
        for row, story in zip(chosen, shown, strict=True)
    ]


def _direction(language: str) -> str:
    """Returns in which direction a language is read, and pages are turned."""
    if not language:
        return "ltr"
    return "rtl" if langcodes.get(language).maximize().script in _RIGHT_TO_LEFT else "ltr"


def _page(story: Story, position: int, keyframe: Keyframe | None) -> dict[str, Any]:
    page: dict[str, Any] = {
        "src": url(story.images[position]),
        "text": story.captions[position],
        "caption": story.descriptions[position],
        "writer": story.writers[position],
        "repaired": story.repaired[position],
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
    """Numbers each story among those of its film, from 1, given the film of each."""
    seen: Counter[str] = Counter()
    numbers = []
    for video in videos:
        seen[video] += 1
        numbers.append(seen[video])
    return numbers


def _choose(stories: pa.Table) -> list[int]:
    """Chooses row numbers: of all stories, or of whole ones evenly over series, then films."""
    rows = stories.select(["series", "video", "complete"]).to_pylist()
    numbers = list(range(len(rows)))
    if len(numbers) > STORIES_SHOWN:
        numbers = [number for number in numbers if rows[number]["complete"]] or numbers
    return over_groups(
        numbers,
        STORIES_SHOWN,
        [lambda number: rows[number]["series"], lambda number: rows[number]["video"]],
    )
