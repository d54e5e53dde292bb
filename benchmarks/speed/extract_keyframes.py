"""Extracts keyframes of a film in one process: `python -m benchmarks.speed.extract_keyframes FILM
FOLDER`.
"""

from __future__ import annotations

import sys

from pipeline.config import KeyframesConfig
from pipeline.ingest.video import probe
from pipeline.keyframes.frame_stats import measure
from pipeline.keyframes.select import extract
from schemas.rows import Video


def main(film: str, folder: str) -> None:
    """Writes the film's keyframes to the folder and prints how many there are."""
    keyframes, rejects = extract(
        probe(Video("film", film, "film", "film")), measure(film), KeyframesConfig(), folder
    )
    print(len(keyframes), len(rejects))


if __name__ == "__main__":
    main(*sys.argv[1:])
