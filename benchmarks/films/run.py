"""Runs the pipeline on a small source of each kind, and says what comes of it."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks.films.files import FILES, MANIFESTS
from benchmarks.films.kinds import Image, Kind
from benchmarks.films.pictures import CODECS, COLOURS, CUTS, OVERLAYS, RATES, SCANS, SHAPES
from benchmarks.films.words import NAMES, SUBTITLES, TRACKS
from benchmarks.results.tables import Column, Table
from pipeline.config import load
from pipeline.graph import run as graph
from pipeline.ingest import discovery
from pipeline.ingest.source_files import SourceError
from pipeline.runtime import stage_outputs
from pipeline.runtime.stage_outputs import AnyRow
from schemas.rows import Keyframe, Reject, Video

GROUPS: Mapping[str, Sequence[Kind]] = {
    "codecs": CODECS,
    "rates": RATES,
    "cuts": CUTS,
    "scans": SCANS,
    "colours": COLOURS,
    "shapes": SHAPES,
    "overlays": OVERLAYS,
    "subtitles": SUBTITLES,
    "tracks": TRACKS,
    "names": NAMES,
    "files": FILES,
    "manifests": MANIFESTS,
}
_TITLES = {
    "codecs": "Codecs and containers",
    "rates": "Frame rates",
    "cuts": "Files that were cut, joined or damaged",
    "scans": "Interlaced and telecined films",
    "colours": "Colours and depths",
    "shapes": "Shapes, bars and rotations",
    "overlays": "Text and logos on pictures",
    "subtitles": "Subtitle files: formats, encodings, contents",
    "tracks": "Subtitles and sound inside films",
    "names": "Names of subtitle files",
    "files": "Other files, and the same film twice",
    "manifests": "Manifests",
}
_WANTED: Mapping[str, tuple[type[AnyRow], ...]] = {  # rows of each stage
    "keyframes": (Video, Reject),
    "text": (Reject,),
    "copies": (Reject,),
    "dialogue": (Reject,),
    "selection": (Keyframe, Reject),
}
_SIZE = (64, 36)  # at which pictures are compared


def outcomes(group: str) -> dict[str, str]:
    """Makes a source of each kind of a group, runs the pipeline up to its selection of pictures on
    all of them, and returns what came of each, by name."""
    with tempfile.TemporaryDirectory(prefix="storystream-films-") as base:
        kinds = GROUPS[group]
        videos: list[Video] = []
        found: list[list[AnyRow]] = []  # of each kind
        for number, kind in enumerate(kinds):
            folder = Path(base, "sources", str(number))
            folder.mkdir(parents=True)
            kind.make(folder)
            try:
                films, rejects = discovery.find(str(folder / kind.source))
            except SourceError:
                films, rejects = [], [Reject("source", "", "error", "")]
            videos += [
                dataclasses.replace(
                    film, id=f"{number}-{film.id}", series=f"{number} {film.series}"
                )
                for film in films
            ]
            found.append(list(rejects))
        out = str(Path(base, "out"))
        arguments = ["--direct_running_mode=in_memory"]
        with contextlib.redirect_stdout(io.StringIO()):  # the summary of the run
            graph.run(videos, [], load(), out, arguments, until="selection")
        for stage, wanted in _WANTED.items():
            for file in sorted(Path(out, "work", stage).iterdir()):
                rows = stage_outputs.load(str(file))
                number = int(file.name.partition("-")[0])
                found[number] += [row for row in rows if isinstance(row, wanted)]
        return {
            kind.name: outcome(kind, rows, out) for kind, rows in zip(kinds, found, strict=True)
        }


def outcome(kind: Kind, rows: Sequence[AnyRow], out: str) -> str:
    """Says what came of a source: pictures and lines that are right, of how many, and others; what
    its films were found to be; text that was read; and the reasons of rejects."""
    keyframes = sorted(
        stage_outputs.only(Keyframe, rows), key=lambda keyframe: (keyframe.video, keyframe.time)
    )
    shown = [_nearest(kind, str(Path(out, keyframe.image))) for keyframe in keyframes]
    told = [_counted(shown, len(kind.pictures()), "picture")] if keyframes else []
    said = [line for keyframe in keyframes for line in keyframe.dialogue]
    if keyframes and (kind.lines or said):
        numbers = [kind.lines.index(line) if line in kind.lines else -1 for line in said]
        told.append(_counted(numbers, len(kind.lines), "line"))
    told += sorted(
        {
            mark
            for video in stage_outputs.only(Video, rows)
            for mark in (
                "interlaced" * video.interlaced,
                f"HDR ({video.hdr})" * bool(video.hdr),
                "bars cut off" * any(video.bars),
            )
            if mark
        }
    )
    text = dict.fromkeys(text for keyframe in keyframes for text in keyframe.text)
    told += [f'text "{" / ".join(text)}"'] if text else []
    reasons = sorted(reject.reason for reject in stage_outputs.only(Reject, rows))
    told += [
        f"reject: {reason}" + f" ({reasons.count(reason)})" * (reasons.count(reason) > 1)
        for reason in dict.fromkeys(reasons)
    ]
    return "; ".join(told) or "nothing"


def _counted(numbers: Sequence[int], count: int, what: str) -> str:
    """Says how many of `count` things were found, given the number of each that was, -1 for none of
    them; and how many were found again, in a wrong order, or are others."""
    found = [number for number in dict.fromkeys(numbers) if number >= 0]
    again = sum(number >= 0 for number in numbers) - len(found)
    words = [f"{len(found)} of {count} {what}{'s' * (count != 1)}"]
    words += ["in another order"] if found != sorted(found) else []
    words += [f"{again} again"] if again else []
    words += [f"{numbers.count(-1)} other"] if -1 in numbers else []
    return ", ".join(words)


def _nearest(kind: Kind, path: str) -> int:
    """Returns the number of the picture that an image shows, -1 for none: of the same shape, and
    different by no more than `kind.levels` on average."""
    image = cv2.imread(path)
    if image is None:
        return -1
    best, least = -1, kind.levels
    for number, picture in enumerate(kind.pictures()):
        ratio = (image.shape[1] / image.shape[0]) / (picture.shape[1] / picture.shape[0])
        different = float(np.abs(_small(image[..., ::-1]) - _small(picture)).mean())
        if different <= least and abs(ratio - 1) < 0.06:
            best, least = number, different
    return best


def _small(image: Image) -> np.ndarray:
    return cv2.resize(image, _SIZE, interpolation=cv2.INTER_AREA).astype(np.float32)


def run(groups: Sequence[str] = tuple(GROUPS)) -> tuple[list[Table], int]:
    """Makes a table of each group, of kinds and what comes of them, and counts the kinds of which
    something else comes than is stated of them. Raises ValueError for a group that there is not."""
    if unknown := [group for group in groups if group not in GROUPS]:
        raise ValueError(f"there is no group {unknown[0]!r}: there are {', '.join(GROUPS)}")
    tables, wrong = [], 0
    for group in groups:
        came = outcomes(group)
        cells = {}
        for kind in GROUPS[group]:
            right = came[kind.name] == kind.comes
            wrong += not right
            cells[kind.name] = {
                "what comes of it": came[kind.name] + f" (not: {kind.comes})" * (not right)
            }
        tables.append(
            Table(
                f"films-{group}",
                _TITLES[group],
                "source",
                (Column("what comes of it"),),
                cells,
                contest=False,
            )
        )
    return tables, wrong
