"""Scale: does memory stay flat when films get many or long, and time as linear as it should be?

The same few episodes of the sample stand under many names, each a film of its own series, so that
nothing recurs and every stage does every film; the embedded models answer anew for each. The long
film is one episode over and over, joined without decoding: its length, its frames and its shots are
those of a long film, but most of its keyframes are near copies, which are rejected as such.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import av

from benchmarks.pipeline import table
from benchmarks.process_tree import Tree, watch
from pipeline import sample

EPISODES = 4  # different ones
LIMIT = 700  # MB, for a long film
_KINDS = ("driver", "worker", "decoder")


def run(films: Sequence[int] = (1, 10, 100), hours: float = 3.0, film: str = "",
        folder: str = "") -> str:
    """Runs the pipeline on so many films, and its keyframe stage on one of so many `hours`, 0 for
    none; returns the tables as text.

    `film` is what the long film is made of, an episode of the sample where it is "". Everything
    lies in `folder` while it lasts, or where temporary files do.
    """
    if folder:
        os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="storystream-bench-", dir=folder or None) as place:
        drawn = sample.draw(os.path.join(place, "sample"), EPISODES)
        parts = [_many(drawn, films, place)]
        if hours:
            parts.append(_long(film or drawn[0], hours, place))
    return "\n\n".join(parts) + "\n"


def _many(drawn: Sequence[str], films: Sequence[int], place: str) -> str:
    rows, fewest = [], min(films)
    trees: list[Tree] = []
    for number in sorted(films):
        source, out = Path(place, f"{number}-films"), f"{place}/{number}-out"
        for at in range(number):
            episode = Path(drawn[at % len(drawn)])
            for file in (episode, episode.with_suffix(".srt")):
                target = source / f"series{at:04d}" / file.name
                target.parent.mkdir(parents=True, exist_ok=True)
                os.link(file, target)
        tree = watch(_command(str(source), out))
        trees.append(tree)
        record = json.loads(Path(out, "run.json").read_text())
        reused = sum(stage["reused"] + stage["kept"] for stage in record["stages"])
        made = json.loads(Path(out, "dataset.json").read_text())["counts"]
        if made["videos"] != number or reused:
            raise RuntimeError(f"{made['videos']} of {number} films, {reused} results reused")
        rows.append([number, made["keyframes"], tree.number.get("worker", 0),
                     *(_beside(tree.peak.get(kind, 0.0), trees[0].peak.get(kind, 0.0))
                       for kind in _KINDS),
                     _beside(tree.together, trees[0].together),
                     _beside(tree.wall / number, trees[0].wall / fewest, 1),
                     _beside(tree.cpu / number, trees[0].cpu / fewest, 1)])
        print(*rows[-1], sep=" | ", file=sys.stderr, flush=True)  # the next one may take an hour
    return table(f"Films of a minute, every stage; {os.cpu_count()} cores; in brackets, to the "
                 "run with the fewest",
                 ["films", "keyframes", "workers", *(f"{kind}, peak MB" for kind in _KINDS),
                  "all processes, peak MB", "wall s a film", "CPU s a film"], rows)


def _beside(value: float, first: float, digits: int = 0) -> str:
    return f"{value:.{digits}f} ({value / first:.2f})" if first else "none"


def _command(source: str, out: str, *more: str) -> list[str]:
    return [sys.executable, "-m", "pipeline", "dataset", "--videos", source, "--out", out, *more]


def _long(film: str, hours: float, place: str) -> str:
    source = os.path.join(place, f"long{Path(film).suffix}")
    seconds = repeat(film, hours * 3600, source)
    tree = watch(_command(source, f"{place}/long-out", "--until", "keyframes"))
    largest = max(tree.peak.values())
    said = "under" if largest < LIMIT else "OVER"
    return table(f"One film of {seconds / 3600:.2f} h, keyframes, {os.cpu_count()} cores: the "
                 f"largest process is {said} {LIMIT} MB",
                 ["process", "number", "peak MB of the largest"],
                 [*([kind, tree.number[kind], f"{tree.peak[kind]:.0f}"]
                    for kind in sorted(tree.peak)),
                  ["all together", sum(tree.number.values()), f"{tree.together:.0f}"],
                  [f"wall {tree.wall:.0f} s, CPU {tree.cpu:.0f} s", "", ""]])


def repeat(film: str, seconds: float, path: str) -> float:
    """Writes the pictures of a film over and over, without decoding them, until they last for so
    many seconds; returns how long they do."""
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
