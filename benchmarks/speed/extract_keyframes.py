"""Extracts keyframes of a film in one process: `python -m benchmarks.speed.extract_keyframes FILM
FOLDER`.
"""

from __future__ import annotations

import sys

from pipeline.config import KeyframesConfig
from pipeline.ingest.probe import probe
from pipeline.keyframes.detectors import detect
from pipeline.keyframes.extract import extract_keyframes
from schemas.rows import Video


def main(film: str, folder: str) -> None:
    """Writes the film's keyframes to the folder and prints how many there are."""
    config = KeyframesConfig()
    video = probe(Video("film", film, "film", "film"))
    stats, transitions = detect(video, config)
    keyframes, rejects = extract_keyframes(video, stats, config, folder, transitions=transitions)
    print(len(keyframes), len(rejects))


if __name__ == "__main__":
    main(*sys.argv[1:])
