"""Decodes every frame of a film and discards it: the least that any tool pays that looks at each
frame.

`python -m benchmarks.speed.decode FILM`
"""

from __future__ import annotations

import sys

import av


def main(film: str) -> None:
    """Decodes the film's video with PyAV's automatic threads."""
    with av.open(film) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        print(sum(1 for _ in container.decode(stream)))


if __name__ == "__main__":
    main(sys.argv[1])
