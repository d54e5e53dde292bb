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
from importlib import metadata
from pathlib import Path

from scenedetect import ContentDetector, detect

from benchmarks.results import Cell, Column, Figure, Table
from benchmarks.speed import shot_scores, throughput
from benchmarks.speed.process_tree import watch
from benchmarks.speed.processes import Cost, busy_cores, compare
from benchmarks.speed.rounds import about, ratio, spread
from benchmarks.speed.shot_scores import Score
from pipeline import sample
from pipeline.keyframes import shots
from pipeline.keyframes.frame_stats import scan_film

_DECODED, _SCENEDETECT = "PyAV, every frame decoded", "scenedetect, shots and pictures"
_OURS = "ours, keyframes on disk"
_COLUMNS = (Column("CPU", unit="s", digits=1), Column("wall", unit="s", digits=1))


def run(
    film: str = "",
    rounds: int = 3,
    episodes: int = 4,
    calls: int = 1300,
    copies: int = 4,
    drawn: str = "",
) -> list[Table]:
    """Measures all of it.

    `film` is the film that speed is measured on; without one, an episode of the sample, which is
    `drawn` in that folder, or is drawn for this. Shots are scored on `episodes` of it, whose cuts
    are known. So many `copies` of the film are worked on together. A model server is asked `calls`
    questions in each round.
    """
    with tempfile.TemporaryDirectory(prefix="storystream-bench-") as folder:
        films = (
            [str(path) for path in sorted(Path(drawn).glob("*.mp4"))[:episodes]]
            if drawn
            else sample.draw(os.path.join(folder, "sample"), episodes)
        )
        if not films:
            raise ValueError(f"{drawn} holds no *.mp4: give the folder of a sample")
        film = os.path.abspath(film or films[0])
        return [
            _speed(film, folder, rounds),
            _together(film, folder, copies, rounds),
            _shots(films),
            throughput.run(calls, rounds=rounds),
        ]


def _speed(film: str, folder: str, rounds: int) -> Table:
    tools = {
        _DECODED: lambda n: [sys.executable, "-m", "benchmarks.speed.decode", film],
        _SCENEDETECT: lambda n: [
            os.path.join(os.path.dirname(sys.executable), "scenedetect"),
            "-q",
            "-i",
            film,
            "-o",
            os.path.join(folder, f"scenes-{n}"),
            "detect-content",
            "list-scenes",
            "save-images",
            "-n",
            "1",
        ],
        _OURS: lambda n: [
            sys.executable,
            "-m",
            "benchmarks.speed.extract",
            film,
            os.path.join(folder, f"ours-{n}"),
        ],
    }
    costs = compare(tools, rounds)
    cells: dict[str, dict[str, Cell]] = {
        name: {**_spent(found), "peak": spread([one.memory for one in found])}
        for name, found in costs.items()
    }
    for head, peer in (("CPU to decoding once", _DECODED), ("CPU to scenedetect", _SCENEDETECT)):
        cells[_OURS][head] = ratio(
            [one.cpu for one in costs[_OURS]], [one.cpu for one in costs[peer]]
        )
    return Table(
        "keyframe-speed",
        f"Keyframes of one film, one process: {os.path.basename(film)}",
        "tool",
        (
            *_COLUMNS,
            Column("peak", unit="MB", digits=0),
            Column("CPU to decoding once", "lower", digits=2),
            Column("CPU to scenedetect", "lower", digits=2),
        ),
        cells,
        "Whole processes with their start, which on a short film is a good part of each. Decoding "
        "every frame is what any tool pays that looks at each. scenedetect finds shots and saves a "
        "picture of each; ours also chooses among pictures and leaves out what is no story.",
        about("av", "scenedetect-headless", "opencv-python-headless", film=os.path.basename(film)),
    )


def _spent(costs: Sequence[Cost]) -> dict[str, Figure]:
    return {
        head: spread([getattr(one, name) for one in costs])
        for head, name in (("CPU", "cpu"), ("wall", "wall"))
    }


def _together(film: str, folder: str, copies: int, rounds: int) -> Table:
    """The keyframe stage of the real pipeline on copies of the film, together and one by one."""
    together = Path(folder, "films")
    alone = [Path(folder, f"film-{n}") for n in range(copies)]
    for n, single in enumerate(alone):
        for place in (together, single):
            place.mkdir(exist_ok=True)
            (place / f"copy{n}{Path(film).suffix}").symlink_to(film)

    one_by_one: list[Cost] = []
    all_at_once, given = [], []
    for number in range(rounds):
        each = [watch(keyframes(single, f"{single}-out-{number}")) for single in alone]
        one_by_one.append(
            Cost(
                sum(one.cpu for one in each),
                sum(one.wall for one in each),
                max(one.together for one in each),
            )
        )
        # A shared machine may give less than its cores, so what busy loops get, just before and
        # just after, is the measure of what there is to be had.
        before = busy_cores(2)
        both = watch(keyframes(together, f"{together}-out-{number}"))
        all_at_once.append(Cost(both.cpu, both.wall, both.together))
        given.append((before + busy_cores(2)) / 2)
    used = [one.cpu / one.wall for one in all_at_once]
    cells: dict[str, dict[str, Cell]] = {
        "one by one": {
            **_spent(one_by_one),
            "cores used": spread([one.cpu / one.wall for one in one_by_one]),
        },
        "together": {
            **_spent(all_at_once),
            "cores used": spread(used),
            "of what busy loops get": ratio(used, given),
            **{
                f"{head} to one by one": ratio(
                    [getattr(one, name) for one in all_at_once],
                    [getattr(one, name) for one in one_by_one],
                )
                for head, name in (("CPU", "cpu"), ("wall", "wall"))
            },
        },
        "busy loops, one a core": {"cores used": spread(given)},
    }
    return Table(
        "keyframe-stage",
        f"{copies} films through the pipeline's keyframe stage",
        "films",
        (
            *_COLUMNS,
            Column("cores used", digits=2),
            Column("of what busy loops get", "higher", "%", 0),
            Column("CPU to one by one", "lower", digits=2),
            Column("wall to one by one", "lower", digits=2),
        ),
        cells,
        "The driver with its workers and decoders. One by one, the start of the pipeline is paid "
        "for each film. While it starts it uses one core, so the share of what busy loops get "
        "rises with the length and number of films.",
        about("av", film=os.path.basename(film)),
    )


def keyframes(films: str | Path, out: str | Path) -> list[str]:
    """The command of the pipeline's keyframe stage."""
    return [
        sys.executable,
        "-m",
        "pipeline",
        "dataset",
        "--until",
        "keyframes",
        "--videos",
        str(films),
        "--out",
        str(out),
    ]


def _shots(films: Sequence[str]) -> Table:
    scores: dict[str, list[Score]] = {}
    for film in films:
        truth = json.loads(Path(film).with_suffix(".truth.json").read_text())
        true_cuts = [cut["frame"] for cut in truth["cuts"]]
        true_gradual = [(each["first"], each["last"]) for each in truth["gradual"]]
        for tool, (cuts, gradual) in {
            "ours": _our_transitions(film, truth["fps"]),
            "scenedetect detect-content": _their_transitions(film, true_gradual),
        }.items():
            for kind, score in (
                ("cuts", shot_scores.cuts(true_cuts, cuts)),
                ("fades and dissolves", shot_scores.gradual(true_gradual, gradual)),
            ):
                scores.setdefault(f"{tool}, {kind}", []).append(score)
    cells: dict[str, dict[str, Cell]] = {}
    for row, found in scores.items():
        total = sum(found, Score(0, 0, 0))
        cells[row] = {
            name: Figure(getattr(total, name), len(films)) for name in ("true", "found", "right")
        }
        cells[row]["F1"] = Figure(
            total.f1, len(films), min(one.f1 for one in found), max(one.f1 for one in found)
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
    _, transitions = shots.find(stats)
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
    """scenedetect does not say which kind it found: what lies in a gradual one counts as that."""
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
