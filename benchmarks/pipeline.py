"""The dataset pipeline: how fast it finds keyframes, how well it finds shots, how fast it asks.

Everything is measured in the same run beside its peers: PyAV decoding every frame to nothing, the
scenedetect command finding shots and saving a picture of each, a script that asks a model server
one question after the other.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scenedetect import ContentDetector, detect

from benchmarks import shot_scores, throughput
from benchmarks.processes import Cost, busy_cores, compare, cost, median
from pipeline import sample, shots
from pipeline.measure import measure

_COPIES = 4  # films that are worked on together


def run(film: str = "", rounds: int = 3, episodes: int = 4, calls: int = 1300) -> str:
    """Runs all of it and returns the tables as text.

    `film` is the film that speed is measured on; without one, an episode of the sample. Shots are
    scored on `episodes` of the sample, whose cuts are known. A model server is asked `calls`
    questions.
    """
    with tempfile.TemporaryDirectory(prefix="storystream-bench-") as folder:
        drawn = sample.draw(os.path.join(folder, "sample"), episodes)
        film = os.path.abspath(film or drawn[0])
        return "\n\n".join([_speed(film, folder, rounds), _together(film, folder),
                            _shots(drawn), _calls(calls)]) + "\n"


def table(title: str, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table in Markdown under its title."""
    lines = [f"### {title}", "", "| " + " | ".join(heads) + " |",
             "|" + " --- |" * len(heads)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


def _speed(film: str, folder: str, rounds: int) -> str:
    tools = {
        "PyAV, every frame decoded": lambda n: [sys.executable, "-m", "benchmarks.decode", film],
        "scenedetect, shots and pictures": lambda n: [
            os.path.join(os.path.dirname(sys.executable), "scenedetect"), "-q", "-i", film, "-o",
            os.path.join(folder, f"scenes-{n}"), "detect-content", "list-scenes", "save-images",
            "-n", "1"],
        "ours, keyframes on disk": lambda n: [
            sys.executable, "-m", "benchmarks.extract", film, os.path.join(folder, f"ours-{n}")],
    }
    costs = compare(tools, rounds)
    base = costs["PyAV, every frame decoded"]
    rows = []
    for name, each in costs.items():
        middle = median(each)
        ratios = sorted(one.cpu / other.cpu for one, other in zip(each, base, strict=True))
        rows.append([name, f"{middle.cpu:.1f}", f"{middle.wall:.1f}", f"{middle.memory:.0f}",
                     f"{ratios[len(ratios) // 2]:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"])
    return table(f"One film, one process: {os.path.basename(film)}, median of {rounds} in turn",
                 ["tool", "CPU s", "wall s", "peak MB", "CPU to decoding once"], rows)


def _together(film: str, folder: str) -> str:
    """The keyframe stage of the real pipeline on copies of the film, together and one by one."""
    together = Path(folder, "films")
    alone = [Path(folder, f"film-{n}") for n in range(_COPIES)]
    for n, single in enumerate(alone):
        for place in (together, single):
            place.mkdir(exist_ok=True)
            (place / f"copy{n}{Path(film).suffix}").symlink_to(film)

    def stage(films: Path) -> Cost:
        return cost([sys.executable, "-m", "pipeline", "dataset", "--until", "keyframes",
                     "--videos", str(films), "--out", f"{films}-out"])

    one_by_one = [stage(single) for single in alone]
    cpu, wall = (sum(getattr(each, name) for each in one_by_one) for name in ("cpu", "wall"))
    # A shared machine may give less than its cores, so what busy loops get, just before and just
    # after, is the measure of what there is to be had.
    before = busy_cores()
    both = stage(together)
    given = (before + busy_cores()) / 2
    cores = os.cpu_count() or 1
    rows = [["one by one", f"{cpu:.1f}", f"{wall:.1f}", f"{cpu / wall:.2f}"],
            ["together", f"{both.cpu:.1f}", f"{both.wall:.1f}", f"{both.cpu / both.wall:.2f}"],
            ["together to one by one", f"{both.cpu / cpu:.2f}", f"{both.wall / wall:.2f}", ""],
            [f"{cores} busy loops", "", "", f"{given:.2f}"],
            ["share of what busy loops get", "", "",
             f"{100 * both.cpu / both.wall / given:.0f} %"]]
    return table(f"{_COPIES} films through the pipeline's keyframe stage, {cores} cores",
                 ["", "CPU s", "wall s", "cores used"], rows)


def _shots(films: Sequence[str]) -> str:
    nothing = shot_scores.Score(0, 0, 0)
    totals = {(tool, kind): nothing for tool in ("ours", "scenedetect detect-content")
              for kind in ("cuts", "fades and dissolves")}
    for film in films:
        truth = json.loads(Path(film).with_suffix(".truth.json").read_text())
        true_cuts = [cut["frame"] for cut in truth["cuts"]]
        true_gradual = [(each["first"], each["last"]) for each in truth["gradual"]]
        for tool, (cuts, gradual) in {
            "ours": _our_transitions(film, truth["fps"]),
            "scenedetect detect-content": _their_transitions(film, true_gradual),
        }.items():
            totals[tool, "cuts"] += shot_scores.cuts(true_cuts, cuts)
            totals[tool, "fades and dissolves"] += shot_scores.gradual(true_gradual, gradual)
    rows = [[tool, kind, score.true, score.found, score.right, f"{score.f1:.3f}"]
            for (tool, kind), score in totals.items()]
    return table(f"Shots of {len(films)} episodes of the sample, against its ground truth",
                 ["tool", "kind", "true", "found", "right", "F1"], rows)


def _calls(calls: int) -> str:
    return table("Questions to a model server that takes 1 s for an answer, 32 at once",
                 throughput.HEADS, throughput.rows(calls))


def _our_transitions(film: str, fps: float) -> tuple[list[int], list[float]]:
    measures = measure(film)
    _, transitions = shots.find(measures)
    cuts = [round(measures.times[each.first] * fps) for each in transitions if each.kind == "cut"]
    gradual = [(measures.times[each.first] + measures.times[each.last]) / 2 * fps
               for each in transitions if each.kind != "cut"]
    return cuts, gradual


def _their_transitions(film: str, true_gradual: Sequence[tuple[int, int]]
                       ) -> tuple[list[int], list[float]]:
    """scenedetect does not say which kind it found: what lies in a gradual one counts as that."""
    starts = [start.frame_num for start, _ in detect(film, ContentDetector())][1:]
    gradual = [start for start in starts
               if any(first - shot_scores.CUT_TOLERANCE <= start <= last + shot_scores.CUT_TOLERANCE
                      for first, last in true_gradual)]
    return [start for start in starts if start not in gradual], [float(at) for at in gradual]
