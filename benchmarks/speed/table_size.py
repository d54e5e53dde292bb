"""Measures the largest table of a dataset of very many films, of simulated rows.

The pipeline's own writer makes `keyframes.parquet`, a film at a time, and it is opened again, each
in a process of its own. Readers hold the footer in memory, so it must not grow with the films.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time

import pyarrow.parquet as pq

from benchmarks.results.tables import Column, Figure, Table
from pipeline.dataset.tables import writing_table
from schemas.rows import Keyframe

KEYFRAMES = 30  # of a film: a story


def run(films: int, keyframes: int = KEYFRAMES, folder: str = "") -> Table:
    """Writes and opens the table of so many films; it lies in `folder` while that lasts."""
    with tempfile.TemporaryDirectory(prefix="storystream-bench-", dir=folder or None) as place:
        path = os.path.join(place, "keyframes.parquet")
        written = _measured("write", path, films, keyframes)
        opened = _measured("open", path, films, keyframes)
    cells = {
        f"{films:,} x {keyframes}": {
            "file": Figure(written["bytes"] / 1e6),
            "row groups": Figure(opened["groups"]),
            "footer": Figure(opened["footer"] / 1e3),
            "peak, writing": Figure(written["peak"]),
            "peak, opening": Figure(opened["peak"]),
            "writing": Figure(written["seconds"]),
        }
    }
    return Table(
        "scale-table",
        "keyframes.parquet of simulated films",
        "films x keyframes",
        (
            Column("file", unit="MB", digits=0),
            Column("row groups", digits=0),
            Column("footer", unit="kB", digits=0),
            Column("peak, writing", unit="MB", digits=0),
            Column("peak, opening", unit="MB", digits=0),
            Column("writing", unit="s", digits=0),
        ),
        cells,
        "Peaks are of the whole process, its imports included. The rows are made up, a film at a "
        "time; the writer is the pipeline's.",
        {"machine": f"{os.cpu_count()} cores"},
        contest=False,
    )


def _measured(step: str, path: str, films: int, keyframes: int) -> dict[str, float]:
    command = [sys.executable, "-m", __name__, step, path, str(films), str(keyframes)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def film_rows(film: int, keyframes: int) -> list[Keyframe]:
    """Returns rows as long and as different as those of a film."""
    video = f"Show-{film // 26:04d}-S01E{film % 26 + 1:02d}-The-Kite"
    rows = []
    for number in range(keyframes):
        seed = (film * keyframes + number) * 0x9E3779B97F4A7C15 % (1 << 64)
        digest = f"{seed:016x}{seed ^ 0xFFFF:016x}" * 2
        id_ = f"{video}_keyframe_0-{number // 15:02d}-{4 * number % 60:02d}-{seed % 1000:03d}"
        rows.append(
            Keyframe(
                id=id_,
                video=video,
                series=f"Show {film // 26}",
                image=f"images/{video}/{id_}.jpg",
                time=4.0 * number + seed % 1000 / 1000,
                shot=number,
                shot_start=4.0 * number,
                shot_end=4.0 * number + 3.9,
                width=1920,
                height=1080,
                crop=[0, 0, 1920, 1080],
                bytes=200_000 + seed % 100_000,
                sha256=digest,
                phash=digest,
                sharpness=seed % 9000 / 7,
                brightness=seed % 997 / 997,
                camera_motion=[seed % 11 / 100, 0.0],
                subject_motion=[0.0, seed % 13 / 100],
                dialogue=[f"Line {seed % 9973} of what is said over this picture."],
                text=[],
            )
        )
    return rows


def _write(path: str, films: int, keyframes: int) -> dict[str, float]:
    began = time.monotonic()
    with writing_table(path, Keyframe) as table:
        for film in range(films):
            table.write(film_rows(film, keyframes))
    return {"seconds": time.monotonic() - began, "bytes": os.path.getsize(path)}


def _open(path: str) -> dict[str, float]:
    metadata = pq.read_metadata(path)
    return {"groups": metadata.num_row_groups, "footer": metadata.serialized_size}


def _main(step: str, path: str, films: str, keyframes: str) -> None:
    figures = _write(path, int(films), int(keyframes)) if step == "write" else _open(path)
    unit = 1 if sys.platform == "darwin" else 1024  # bytes, of ru_maxrss
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    print(json.dumps({**figures, "peak": peak}))


if __name__ == "__main__":
    _main(*sys.argv[1:])
