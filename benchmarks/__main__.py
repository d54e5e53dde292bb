"""`python -m benchmarks`: measures the project beside its peers and prints tables."""

from __future__ import annotations

import argparse
import sys


def main() -> int:
    """Runs one benchmark; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="NAME", dest="name")
    pipeline = commands.add_parser("pipeline", help="keyframes, shots, model calls: "
                                   "speed, memory, what is found")
    pipeline.add_argument("--film", default="", help="film to measure speed on, else the sample")
    pipeline.add_argument("--rounds", type=int, default=3)
    pipeline.add_argument("--episodes", type=int, default=4, help="of the sample, to score on")
    pipeline.add_argument("--calls", type=int, default=1300, help="to a scripted model server")
    arguments = parser.parse_args()
    from benchmarks import pipeline as benchmark
    print(benchmark.run(arguments.film, arguments.rounds, arguments.episodes, arguments.calls))
    return 0


if __name__ == "__main__":
    sys.exit(main())
