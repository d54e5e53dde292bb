"""Measures whether memory stays constant and time linear when films are many or long.

The same few episodes of the sample stand under many names, each a film of its own series, so that
nothing recurs and every stage does every film; the embedded models answer anew for each. The long
film is one episode repeated, joined without decoding: its length, its frames and its shots are
those of a long film, but most of its keyframes are near copies, which are rejected as such.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import av

from benchmarks.results.tables import Cell, Column, Figure, Table
from benchmarks.speed.process_tree import Tree, watch
from pipeline import sample
from pipeline.dataset import reader
from schemas import layout

EPISODES = 4  # different ones
LIMIT = 700  # MB, for a long film
_KINDS = ("driver", "worker", "decoder")


def run(
    films: Sequence[int] = (1, 10, 100), hours: float = 3.0, film: str = "", folder: str = ""
) -> list[Table]:
    """Runs the pipeline on so many films, and its keyframe stage on a film of `hours`, 0 for none.

    `film` is what the long film is made of, an episode of the sample where it is "". Everything
    lies in `folder` while it lasts, or where temporary files do.
    """
    if folder:
        os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="storystream-bench-", dir=folder or None) as place:
        drawn = sample.draw(os.path.join(place, "sample"), EPISODES)
        tables = [_many(drawn, films, place)]
        if hours:
            tables.append(_long(film or drawn[0], hours, place))
    return tables


def _many(drawn: Sequence[str], films: Sequence[int], place: str) -> Table:
    trees: dict[int, Tree] = {}
    keyframes: dict[int, int] = {}
    for number in sorted(films):
        source, out = Path(place, f"{number}-films"), f"{place}/{number}-out"
        for at in range(number):
            episode = Path(drawn[at % len(drawn)])
            for file in (episode, episode.with_suffix(".srt")):
                target = source / f"series{at:04d}" / file.name
                target.parent.mkdir(parents=True, exist_ok=True)
                os.link(file, target)
        tree = trees[number] = watch(_command(str(source), out))
        record = json.loads(reader.read_file(out, layout.RUN_RECORD))
        reused = sum(stage["reused"] + stage["kept"] for stage in record["stages"])
        made = reader.read_manifest(out).counts
        if made["videos"] != number or reused:
            raise RuntimeError(f"{made['videos']} of {number} films, {reused} results reused")
        keyframes[number] = made["keyframes"]
        print(number, made["keyframes"], tree, file=sys.stderr)  # the next one may take an hour
    return _of_films(trees, keyframes)


def _of_films(trees: Mapping[int, Tree], keyframes: Mapping[int, int]) -> Table:
    """Makes the table of runs on so many films, beside the one with the fewest."""
    values = {
        number: {
            **{f"{kind}, peak": tree.peak[kind] for kind in _KINDS if kind in tree.peak},
            "all processes, peak": tree.together,
            "wall per film": tree.wall / number,
            "CPU per film": tree.cpu / number,
        }
        for number, tree in trees.items()
    }
    first = values[min(values)]
    cells: dict[str, dict[str, Cell]] = {}
    for number, row in values.items():
        cells[str(number)] = {
            "keyframes": Figure(keyframes[number]),
            "workers": Figure(trees[number].number.get("worker", 0)),
        }
        for head, value in row.items():
            cells[str(number)][head] = Figure(value)
            if row is not first and head in first:
                cells[str(number)][f"{head}, relative to the fewest"] = Figure(value / first[head])
    heads = [*(f"{kind}, peak" for kind in _KINDS), "all processes, peak"]
    columns = [
        Column("keyframes", digits=0),
        Column("workers", digits=0),
        *(Column(head, unit="MB", digits=0) for head in heads),
        *(Column(f"{clock} per film", unit="s", digits=1) for clock in ("wall", "CPU")),
        *(
            Column(f"{head}, relative to the fewest", "lower", digits=2)
            for head in (*heads, "wall per film", "CPU per film")
        ),
    ]
    return Table(
        "scale-films",
        "Films of a minute, every stage of the pipeline",
        "films",
        tuple(columns),
        cells,
        "One run of each size. All films are a few episodes under many names, so that each "
        "is as much work as the next. With one film all cores but one wait for much of the time.",
        {"machine": f"{os.cpu_count()} cores", "episodes": EPISODES},
        contest=False,
    )


def _command(source: str, out: str, *more: str) -> list[str]:
    return [sys.executable, "-m", "pipeline", "dataset", "--videos", source, "--out", out, *more]


def _long(film: str, hours: float, place: str) -> Table:
    source = os.path.join(place, f"long{Path(film).suffix}")
    seconds = repeat(film, hours * 3600, source)
    return _of_film(watch(_command(source, f"{place}/long-out", "--until", "keyframes")), seconds)


def _of_film(tree: Tree, seconds: float) -> Table:
    cells: dict[str, dict[str, Cell]] = {
        kind: {
            "number": Figure(tree.number[kind]),
            "peak of the largest": Figure(tree.peak[kind]),
            f"relative to {LIMIT} MB": Figure(tree.peak[kind] / LIMIT),
        }
        for kind in sorted(tree.peak)
    }
    cells["all together"] = {
        "number": Figure(sum(tree.number.values())),
        "peak of the largest": Figure(tree.together),
        "wall": Figure(tree.wall),
        "CPU": Figure(tree.cpu),
    }
    return Table(
        "scale-long",
        f"One film of {seconds / 3600:.2f} h, keyframes",
        "process",
        (
            Column("number", digits=0),
            Column("peak of the largest", unit="MB", digits=0),
            Column(f"relative to {LIMIT} MB", "lower", digits=2),
            Column("wall", unit="s", digits=0),
            Column("CPU", unit="s", digits=0),
        ),
        cells,
        f"No process should need more than {LIMIT} MB, however long a film is. One run. Most "
        "keyframes of this film are near copies, which are rejected as such.",
        {"machine": f"{os.cpu_count()} cores", "film": f"{seconds / 3600:.2f} h"},
        contest=False,
    )


def repeat(film: str, seconds: float, path: str) -> float:
    """Writes the pictures of a film repeatedly, without decoding them, until they last `seconds`;
    returns how long they do."""
    with av.open(path, "w") as target:
        target_stream, end = None, 0
        while True:
            with av.open(film) as source:
                stream = source.streams.video[0]
                target_stream = target_stream or target.add_stream_from_template(stream)
                shift, base = end, stream.time_base
                assert base is not None
                for packet in source.demux(stream):
                    if packet.dts is None or packet.pts is None:  # the last one, which is empty
                        continue
                    end = max(end, shift + packet.pts + (packet.duration or 0))
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = target_stream
                    target.mux(packet)
            if end * base >= seconds:
                return float(end * base)
