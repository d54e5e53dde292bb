"""From films to chunks: what each step of the pipeline left out, for which reasons."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dataset.dataset_card import used_films
from pipeline.dataset.report.sampling import evenly
from schemas.rows import CHUNK_LENGTH, STORY_LENGTH, Reject, from_table

PICTURES_SHOWN = 6  # of what was dropped, for each reason
EXAMPLES_SHOWN = 20  # lines of detail, for each reason

# What a reject of a stage is one of, in the order of the stages.
_STAGES = {
    "file": "files of the source that are no films",
    "video": "films",
    "speech": "speech of a film",
    "subtitles": "subtitles of a film",
    "keyframe": "pictures",
    "figures": "pictures without boxes of figures",
    "cast": "corrections of who is who",
    "caption": "captions",
    "characters": "characters of a series",
    "story": "stories",
    "review": "stories and pictures, by people's decisions",
    "quality": "stories, by their scores",
}


# How many of the funnel's steps are known after a stage that a run stops after; of others, four.
_STEPS_UNTIL = {"captions": 5, "characters": 5, "named": 5, "stories": 6, "review": 6, "quality": 9}


def reason_cards(rejects: pa.Table) -> list[dict[str, Any]]:
    """Returns a card for each stage and reason, the most frequent of a stage first."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    has_picture = pc.not_equal(rejects["image"], "").to_numpy()
    columns = (rejects[name].to_pylist() for name in ("stage", "reason"))
    for row, stage_and_reason in enumerate(zip(*columns, strict=True)):
        groups[stage_and_reason].append(row)
    order = {stage: at for at, stage in enumerate(_STAGES)}
    ranked = sorted(
        groups.items(),
        key=lambda group: (order.get(group[0][0], len(order)), -len(group[1]), group[0]),
    )
    return [
        {
            "anchor": "films-left-out" if stage == "video" else f"dropped-{at}",
            "stage": stage,
            "kind": _STAGES.get(stage, stage),
            "reason": reason,
            "count": len(rows),
            "pictures": _take(
                rejects, evenly([row for row in rows if has_picture[row]], PICTURES_SHOWN)
            ),
            "examples": _take(rejects, evenly(rows, EXAMPLES_SHOWN)),
        }
        for at, ((stage, reason), rows) in enumerate(ranked)
    ]


def rejects_of_stage(rejects: pa.Table, stage: str) -> list[Reject]:
    """Returns the rejects of a stage."""
    return _take(rejects, _rows_of_stage(rejects, stage))


def _rows_of_stage(rejects: pa.Table, stage: str) -> np.ndarray:
    return np.flatnonzero(pc.equal(rejects["stage"], stage).to_numpy())


def _of_story(rejects: pa.Table) -> pa.ChunkedArray:
    """Returns which rejects are of a whole story that was written."""
    by_people = pc.and_(
        pc.equal(rejects["stage"], "review"),
        pc.is_in(rejects["reason"], value_set=pa.array(["rejected", "no pictures"])),
    )
    return pc.or_(pc.equal(rejects["stage"], "quality"), by_people)


def _take(rejects: pa.Table, rows: Sequence[int] | np.ndarray) -> list[Reject]:
    return from_table(rejects.take(pa.array(rows, pa.int64())), Reject)


def funnel(
    dataset: dict[str, Any],
    stories: pa.Table,
    keyframes: pa.Table,
    rejects: pa.Table,
    reasons: Sequence[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Returns the steps from films to chunks: what came in, and what was left out, by reason."""
    keys = {
        stage: pc.unique(rejects["key"].take(pa.array(_rows_of_stage(rejects, stage))))
        for stage in ("video", "caption")
    }
    films = {video["uri"] for video in used_films(dataset)}
    selected = keyframes.num_rows
    considered = selected + len(_rows_of_stage(rejects, "keyframe"))
    uncaptioned = pc.sum(pc.is_in(keys["caption"], value_set=keyframes["id"])).as_py() or 0
    in_stories = len(pc.unique(pc.list_flatten(stories["images"])))
    complete = pc.sum(stories["complete"]).as_py() or 0
    left_out = len(pc.unique(rejects.filter(_of_story(rejects))["key"]))
    shots = keyframes.group_by(["video", "shot"]).aggregate([]).num_rows

    def step(
        label: str, count: int, note: str, *stages: str, part: float | None = None
    ) -> dict[str, Any]:
        dropped = [reason for reason in reasons if reason["stage"] in stages]
        return {"label": label, "count": count, "note": note, "dropped": dropped, "part": part}

    def pictures(label: str, count: int, note: str, *stages: str) -> dict[str, Any]:
        return step(label, count, note, *stages, part=count / considered if considered else 0.0)

    steps = [
        step("Films found", len(films.union(keys["video"].to_pylist())), "in the source", "video"),
        step("Films used", len(films), "read from the first frame to the last"),
        pictures(
            "Pictures considered", considered, "for each shot, or part of a long one", "keyframe"
        ),
        pictures("Keyframes kept", selected, f"from {shots:,} shots", "caption"),
        pictures(
            "Captioned", selected - uncaptioned, "described on their own, one by one", "story"
        ),
        step(
            "Stories written", stories.num_rows + left_out, "and then scored", "quality", "review"
        ),
        step(
            "Stories kept",
            stories.num_rows,
            f"{complete:,} of them with all {STORY_LENGTH} pictures",
        ),
        pictures("Pictures in them", in_stories, "each a page, with the next sentence"),
        step(
            "Chunks",
            dataset["counts"]["chunks"],
            f"{CHUNK_LENGTH} pages each: what a model trains on",
        ),
    ]
    return steps[: _STEPS_UNTIL.get(dataset["until"], 4)] if "until" in dataset else steps
