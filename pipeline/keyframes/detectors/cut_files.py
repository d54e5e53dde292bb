"""Cuts that the user gives: a file of one film or of several, or a folder with a file per film.

A file is a table (CSV, with commas, semicolons or tabs) of times in seconds or timecodes, the CSV
of PySceneDetect's `list-scenes`, or an edit decision list (CMX 3600). Times count from the film's
first frame.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import re
from collections.abc import Sequence

import numpy as np

from pipeline.keyframes.frame_stats import FrameStats
from pipeline.keyframes.shots import Transition
from pipeline.runtime import storage
from schemas.rows import Video

KINDS = ("cut", "dissolve", "fade", "wipe", "gradual")
_ENDINGS = (".csv", ".tsv", ".txt", ".edl", "-Scenes.csv")  # of a film's file, after its name
_FILM, _TIME = ("film", "video", "name", "file"), ("time", "start", "cut", "seconds", "timecode")
_END, _KIND = ("end",), ("kind", "type", "transition")
_SCENES = "start time (seconds)"  # a column of PySceneDetect's list of scenes
_TIMECODE = re.compile(r"(?:(\d+):)?(\d+):(\d+)(?:[.,](\d+)|([:;])(\d+))?")
_EDIT = re.compile(
    r"\d+\s+\S+\s+(\S+)\s+([A-Z]\S*)(?:\s+(\d+))?((?:\s+\d+[:;]\d+[:;]\d+[:;]\d+){4})"
)
_USUAL_RATE = 24.0  # frames per second, where a film states none


@dataclasses.dataclass(frozen=True)
class _Cut:
    """A line of a file; times are kept as written, as frames of a timecode need the film's rate."""

    film: str  # "" where the file does not say
    start: str
    end: str  # "" for a cut
    kind: str
    where: str  # file and line, for messages


def transitions(path: str, video: Video, stats: FrameStats) -> list[Transition]:
    """Returns the transitions of a film that a file, or a file in a folder, gives, in order.

    Raises ValueError, with the line and the remedy, for a file that cannot be read or is not of
    this film, and OSError.
    """
    found: list[Transition] = []
    for cut in _of(video, _read(file_of(path, video))):
        first, start = _index(cut, cut.start, video, stats)
        if not cut.end:
            if 0 < first < len(stats.times):
                found.append(Transition("cut", first, first - 1))
            continue
        last, end = _index(cut, cut.end, video, stats)
        if end <= start:
            raise ValueError(f"{cut.where}: the end {cut.end} is not after the start {cut.start}")
        if first < len(stats.times):
            found.append(Transition(cut.kind, first, max(first, last - 1)))
    found.sort(key=lambda transition: (transition.first, transition.last))
    return [each for at, each in enumerate(found) if not at or each != found[at - 1]]


def digest(path: str, video: Video) -> str:
    """Returns the SHA-256 of the file with a film's cuts, in hex; "" where there is none."""
    try:
        return hashlib.sha256(storage.read_bytes(file_of(path, video))).hexdigest()
    except (ValueError, FileNotFoundError):
        return ""


def check(path: str, videos: Sequence[Video]) -> None:
    """Raises ValueError, with the line and the remedy, where a film has no file or a file cannot be
    read, and OSError where there is none."""
    if _is_file(path):
        cuts = _read(path)
        if len(videos) > 1 and any(not cut.film for cut in cuts):
            raise ValueError(
                f"{path} does not say which film its cuts are of, and there are {len(videos)}: "
                "give it a column film with their names, or name a folder with a file per film"
            )
        return
    for video in videos:
        _read(file_of(path, video))


def file_of(path: str, video: Video) -> str:
    """Returns the file with a film's cuts. Raises ValueError where a folder has none of it."""
    if _is_file(path):
        return path
    names = [name for name in dict.fromkeys((_stem(video.uri), video.id)) if name]
    for name in names:
        for ending in _ENDINGS:
            if storage.exists(file := storage.join(path, name + ending)):
                return file
    raise ValueError(
        f"{path} has no cuts of the film {names[0]}: add {names[0]}.csv with a time on each line, "
        f"{names[0]}-Scenes.csv of PySceneDetect or {names[0]}.edl"
    )


def _is_file(path: str) -> bool:
    return bool(re.search(r"\.(csv|tsv|txt|edl)$", path, re.IGNORECASE))


def _stem(uri: str) -> str:
    return storage.basename(uri).rpartition(".")[0] or storage.basename(uri)


def _of(video: Video, cuts: Sequence[_Cut]) -> list[_Cut]:
    """Returns the cuts of a film, by its id or the name of its file, with or without its ending."""
    names = {video.id, storage.basename(video.uri), _stem(video.uri), ""}
    found = [cut for cut in cuts if cut.film in names]
    if cuts and not found:
        raise ValueError(
            f"{cuts[0].where.rpartition(',')[0]} has no line of the film {_stem(video.uri)}: its "
            f"films are {', '.join(sorted({cut.film for cut in cuts})[:5])}"
        )
    return found


def _read(file: str) -> list[_Cut]:
    text = storage.read_bytes(file).decode("utf-8-sig", errors="replace")
    lines = text.splitlines()
    if file.lower().endswith(".edl"):
        return _edits(file, lines)
    return _rows(file, lines)


# --- tables --------------------------------------------------------------------------------------


def _rows(file: str, lines: Sequence[str]) -> list[_Cut]:
    delimiter = max(",;\t", key="\n".join(lines[:20]).count)
    columns: dict[str, int] = {"start": 0, "end": 1, "kind": 2}
    cuts: list[_Cut] = []
    scenes = False
    for number, cells in enumerate(csv.reader(lines, delimiter=delimiter), 1):
        where = f"{file}, line {number}"
        cells = [cell.strip() for cell in cells]
        if not any(cells) or cells[0].startswith("#") or cells[0].lower() == "timecode list:":
            continue
        header = [cell.lower() for cell in cells]
        if not cuts and not scenes and not any(map(_is_time, cells)):
            scenes = _SCENES in header
            columns = {"start": header.index(_SCENES)} if scenes else _columns(header, where)
            continue
        if scenes:
            cuts.append(_Cut("", _cell(cells, columns, "start"), "", "cut", where))
        else:
            cuts.append(_cut(cells, columns, where))
        _check_times(cuts[-1])
    return cuts[1:] if scenes else cuts  # the first scene begins with the film


def _columns(header: Sequence[str], where: str) -> dict[str, int]:
    columns = {
        role: header.index(name)
        for role, names in (("film", _FILM), ("start", _TIME), ("end", _END), ("kind", _KIND))
        for name in names
        if name in header
    }
    if "start" not in columns:
        raise ValueError(
            f"{where}: there is no column time; name the columns film, time, end, kind, of which "
            "time is needed, or write a time on each line"
        )
    return columns


def _cell(cells: Sequence[str], columns: dict[str, int], name: str) -> str:
    at = columns.get(name, len(cells))
    return cells[at] if at < len(cells) else ""


def _cut(cells: Sequence[str], columns: dict[str, int], where: str) -> _Cut:
    end = _cell(cells, columns, "end")
    kind = _cell(cells, columns, "kind").lower() or ("gradual" if end else "cut")
    if kind not in KINDS:
        raise ValueError(f"{where}: {kind!r} is no kind of transition: write {', '.join(KINDS)}")
    if kind != "cut" and not end:
        raise ValueError(f"{where}: a {kind} needs the time of its end, in the column end")
    return _Cut(
        _cell(cells, columns, "film"),
        _cell(cells, columns, "start"),
        end if kind != "cut" else "",
        kind,
        where,
    )


def _check_times(cut: _Cut) -> None:
    for text in (cut.start, cut.end):
        if not _is_time(text) and (text or text is cut.start):
            raise ValueError(
                f"{cut.where}: {text!r} is not a time: write seconds (83.5) or a timecode "
                "(0:01:23.500, or 00:01:23:12 with frames)"
            )


def _is_time(text: str) -> bool:
    return bool(_TIMECODE.fullmatch(text) or re.fullmatch(r"\d+(\.\d*)?|\.\d+", text))


# --- edit decision lists -------------------------------------------------------------------------


def _edits(file: str, lines: Sequence[str]) -> list[_Cut]:
    """Reads the video events of an edit decision list; the first starts with the film."""
    cuts: list[_Cut] = []
    origin = ""
    for number, line in enumerate(lines, 1):
        if not re.match(r"\d", line.strip()):
            continue  # title, comments, names of clips
        where = f"{file}, line {number}"
        event = _EDIT.fullmatch(line.strip())
        if event is None:
            raise ValueError(
                f"{where}: {line.strip()[:60]!r} is not an event of an edit decision list: write "
                "number, reel, V, C, and four timecodes, as CMX 3600 does"
            )
        track, edit, length, times = event.groups()
        if track.startswith("A") and "V" not in track:
            continue  # sound only
        start, end = times.split()[2:]
        if start == end:  # what a dissolve starts from
            continue
        origin = origin or start
        if edit[0] == "C" or not length:
            cut = _Cut("", start, "", "cut", where)
        else:
            kind = {"D": "dissolve", "W": "wipe"}.get(edit[0], "gradual")
            cut = _Cut("", start, f"+{int(length)}", kind, where)
        cuts.append(dataclasses.replace(cut, start=f"{cut.start}-{origin}"))
    return [cut for cut in cuts if cut.kind != "cut" or cut.start != f"{origin}-{origin}"]


# --- times ---------------------------------------------------------------------------------------


def _index(cut: _Cut, text: str, video: Video, stats: FrameStats) -> tuple[int, float]:
    """Returns the first frame at a time as written, and the time in seconds."""
    fps = video.fps or (1 / stats.frame_time if stats.frame_time else _USUAL_RATE)
    if text.startswith("+"):  # frames after the start
        time = _written(cut.start, fps) + int(text) / fps
    else:
        time = _written(text, fps)
    end = float(stats.times[-1]) + stats.frame_time
    if not -0.5 <= time <= end + 0.5:
        raise ValueError(
            f"{cut.where}: {text.partition('-')[0]} is not in the film, which lasts {end:.1f} s: "
            "are these the cuts of another film?"
        )
    return int(np.searchsorted(stats.times, time - stats.frame_time / 2)), time


def _written(text: str, fps: float) -> float:
    start, _, origin = text.partition("-")
    return _seconds(start, fps) - (_seconds(origin, fps) if origin else 0.0)


def _seconds(text: str, fps: float) -> float:
    """Returns the seconds of a time as written; `fps` tells how long a timecode's frames are."""
    parts = _TIMECODE.fullmatch(text)
    if parts is None:
        return float(text)
    hours, minutes, seconds, fraction, separator, frames = parts.groups()
    whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)
    if frames is None:
        return whole + float(f"0.{fraction or 0}")
    base = round(fps)  # a timecode counts whole frames per second
    count = whole * base + int(frames)
    if separator == ";":  # drop frame: numbers are left out each minute but every tenth
        count -= base // 15 * (whole // 60 - whole // 600)
    return count / fps
