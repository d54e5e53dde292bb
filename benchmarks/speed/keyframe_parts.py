"""Measures what extracting the keyframes of a film costs by part, and how it uses several cores.

`python -m benchmarks.speed.keyframe_parts FILM`
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av

from benchmarks.results.markdown import table_to_markdown
from benchmarks.results.tables import Cell, Column, Figure, Table
from benchmarks.speed.process_cost import busy_cores
from pipeline.config import KeyframesConfig
from pipeline.ingest.probe import probe
from pipeline.ingest.video import decoded, open_video, packets, video_stream
from pipeline.keyframes import segment_scan, shots
from pipeline.keyframes.decode import frames_at_indices
from pipeline.keyframes.extract import extract_keyframes
from pipeline.keyframes.frame_stats import cheap_decoder
from pipeline.keyframes.select import select
from schemas.rows import Video


def parts_table(film: str) -> Table:
    """Makes the table of CPU time by part, on one thread, beside decoding every frame."""
    start = time.process_time()  # of Python, with what was imported
    whole, _ = _spent(lambda: _drain(_frames(film, cheap=False)))
    cheap, _ = _spent(lambda: _drain(_frames(film, cheap=True)))
    scan, stats = _spent(lambda: segment_scan.scan_film(film))
    config, video = KeyframesConfig(), probe(Video("film", film, "film", "film"))
    finding, transitions = _spent(lambda: shots.find(stats, config.shots))
    choosing, selection = _spent(lambda: select(video, stats, transitions, config))
    chosen = sorted(selection.candidates)
    again, _ = _spent(lambda: _drain(frames_at_indices(film, stats, chosen, 1)))
    with tempfile.TemporaryDirectory() as folder:
        extracting, _ = _spent(
            lambda: extract_keyframes(video, stats, config, folder, transitions=transitions)
        )
    parts = {
        "start, imports": start,
        "cheap decode": cheap,
        "measuring": max(0.0, scan - cheap),
        "shots": finding,
        "choosing, times of cuts": choosing,
        f"decoding {len(chosen)} chosen frames": again,
        "pictures, hashes, motion": max(0.0, extracting - choosing - again),
    }
    parts["all parts"] = sum(parts.values())
    parts["every frame decoded"] = whole
    cells: dict[str, dict[str, Cell]] = {
        name: {"CPU": Figure(seconds), "relative to decoding": Figure(seconds / whole)}
        for name, seconds in parts.items()
    }
    return Table(
        "keyframe-parts",
        f"Parts of extracting keyframes, one thread: {Path(film).name}",
        "part",
        (Column("CPU", unit="s", digits=1), Column("relative to decoding", digits=2)),
        cells,
        "Measured one after the other in a process. The cheap decode leaves out frames that no "
        "other refers to and the loop filter.",
        {"versions": {"av": av.__version__}},
    )


def threads_table(film: str, threads: int) -> Table:
    """Makes the table of the same in one thread and in several, beside busy loops, one per core."""
    cells: dict[str, dict[str, Cell]] = {}
    for count in (1, threads):
        before, began = busy_cores(5), time.monotonic()
        cpu, _ = _spent(lambda count=count: _extracted(film, count))  # type: ignore[misc]
        wall = time.monotonic() - began
        given = min(count / threads, 1) * (before + busy_cores(5)) / 2
        cells[f"{count} thread{'s' * (count > 1)}"] = {
            "CPU": Figure(cpu),
            "wall": Figure(wall),
            "cores used": Figure(cpu / wall),
            "share of busy loops": Figure(cpu / wall / given),
        }
    return Table(
        "keyframe-threads",
        f"Keyframes of one film by several threads: {Path(film).name}",
        "threads",
        (
            Column("CPU", unit="s", digits=1),
            Column("wall", unit="s", digits=1),
            Column("cores used", digits=2),
            Column("share of busy loops", "higher", "%", 0),
        ),
        cells,
        "What busy loops get just before and after is what the machine has to give; for one "
        "thread, of one core.",
        {"machine": f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end"},
    )


def _extracted(film: str, threads: int) -> None:
    config, video = KeyframesConfig(), probe(Video("film", film, "film", "film"))
    stats = segment_scan.scan_film(film, threads)
    transitions = shots.find(stats, config.shots)
    with tempfile.TemporaryDirectory() as folder:
        extract_keyframes(video, stats, config, folder, threads, transitions=transitions)


def _frames(film: str, cheap: bool) -> Any:
    """Yields the frames of a film, decoded by one thread."""
    with open_video(film) as container:
        stream = video_stream(container)
        if cheap:
            cheap_decoder(stream, 1)
        stream.codec_context.thread_count = 1
        yield from decoded(packets(container, stream))


def _drain(items: Any) -> None:
    deque(items, maxlen=0)


def _spent(work: Callable[[], Any]) -> tuple[float, Any]:
    """Returns the CPU seconds of a function, in all threads, and what it returns."""
    began = time.process_time()
    result = work()
    return time.process_time() - began, result


def main(film: str) -> None:
    """Prints both tables."""
    print(table_to_markdown(parts_table(film)))
    print()
    print(table_to_markdown(threads_table(film, os.cpu_count() or 1)))


if __name__ == "__main__":
    main(sys.argv[1])
