"""Shot detection on the sample, against its ground truth and beside scenedetect."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from scenedetect import ContentDetector, detect

from benchmarks.metrics import shot_scores
from benchmarks.metrics.shot_scores import ShotScore
from benchmarks.results.tables import Cell, Column, Figure, Table
from pipeline.config import ShotsConfig
from pipeline.keyframes import shots
from pipeline.keyframes.frame_stats import scan_film


def shot_table(films: Sequence[str]) -> Table:
    """Makes the table of precision and recall of cuts and gradual transitions on episodes of the
    sample."""
    scores: dict[str, list[ShotScore]] = {}
    for film in films:
        truth = json.loads(Path(film).with_suffix(".truth.json").read_text())
        true_cuts = [cut["frame"] for cut in truth["cuts"]]
        true_gradual = [(each["first"], each["last"]) for each in truth["gradual"]]
        for tool, (cuts, gradual) in {
            "ours": _our_transitions(film, truth["fps"]),
            "scenedetect detect-content": _their_transitions(film, true_gradual),
        }.items():
            for kind, score in (
                ("cuts", shot_scores.score_cuts(true_cuts, cuts)),
                ("fades and dissolves", shot_scores.score_gradual(true_gradual, gradual)),
            ):
                scores.setdefault(f"{tool}, {kind}", []).append(score)
    cells: dict[str, dict[str, Cell]] = {}
    for row, found in scores.items():
        total = sum(found, ShotScore(0, 0, 0))
        cells[row] = {
            name: Figure(getattr(total, name), len(films)) for name in ("true", "found", "right")
        }
        cells[row]["F1"] = Figure(
            total.f1, len(films), min(score.f1 for score in found), max(score.f1 for score in found)
        )
    return Table(
        "shots",
        f"Shots of {len(films)} episodes of the sample, against its ground truth",
        "tool",
        (*(Column(name, digits=0) for name in ("true", "found", "right")), Column("F1", "higher")),
        cells,
        "As TRECVID's shot boundary task scores it. The sample is drawn by this project: it "
        "says that shots are found where nothing is hard, and not how it is on other films.",
        {
            "n": "films",
            "interval": "least and most of the films",
            "episodes": ", ".join(Path(film).stem for film in films),
            "versions": {"scenedetect": metadata.version("scenedetect-headless")},
        },
        contest=False,
    )


def _our_transitions(film: str, fps: float) -> tuple[list[int], list[float]]:
    stats = scan_film(film)
    transitions = shots.find(stats, ShotsConfig())
    cuts = [round(stats.times[each.first] * fps) for each in transitions if each.kind == "cut"]
    gradual = [
        (stats.times[each.first] + stats.times[each.last]) / 2 * fps
        for each in transitions
        if each.kind != "cut"
    ]
    return cuts, gradual


def _their_transitions(
    film: str, true_gradual: Sequence[tuple[int, int]]
) -> tuple[list[int], list[float]]:
    """Returns scenedetect's cuts and gradual transitions; it does not tell them apart, so those
    that lie in a true gradual one count as gradual."""
    starts = [start.frame_num for start, _ in detect(film, ContentDetector())][1:]
    gradual = [
        start
        for start in starts
        if any(
            first - shot_scores.CUT_TOLERANCE <= start <= last + shot_scores.CUT_TOLERANCE
            for first, last in true_gradual
        )
    ]
    return [start for start in starts if start not in gradual], [float(at) for at in gradual]
