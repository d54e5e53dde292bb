"""Serves the scripted model from a process of its own: `python -m pipeline.testing.serve`."""

from __future__ import annotations

import argparse
import contextlib
import threading

from pipeline.testing.behaviours import answering, limited
from pipeline.testing.model_server import serving


def main() -> None:
    """Serves until it is ended; prints its url."""
    parser = argparse.ArgumentParser(description="OpenAI's chat completions, no model")
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    parser.add_argument("--seconds", type=float, default=1.0, help="that an answer takes")
    parser.add_argument("--at-once", type=int, default=32, help="questions it works on at once")
    parser.add_argument(
        "--kind",
        choices=("queue", "reject"),
        default="queue",
        help="what more than that do: wait, or come back later (429)",
    )
    given = parser.parse_args()
    behaviour = limited(answering(given.seconds), given.at_once, given.kind)
    with (
        serving(behaviour, given.port, keep=False) as server,
        contextlib.suppress(KeyboardInterrupt),
    ):
        print(server.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
