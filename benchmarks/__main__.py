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
    fuzz = commands.add_parser("fuzz", help="mutated films: what comes of them, what escapes")
    fuzz.add_argument("--films", type=int, default=2000)
    fuzz.add_argument("--seed", type=int, default=0)
    crashes = commands.add_parser("crashes", help="runs that are killed, starved and tampered "
                                  "with: what the next run makes of it")
    crashes.add_argument("--kills", type=int, default=50, help="folders that are disturbed")
    crashes.add_argument("--seed", type=int, default=0)
    scale = commands.add_parser("scale", help="many films, and a long one: memory and time")
    scale.add_argument("--films", type=int, nargs="+", default=[1, 10, 100])
    scale.add_argument("--hours", type=float, default=3.0, help="of the long film, 0 for none")
    scale.add_argument("--film", default="", help="that the long film repeats, else the sample")
    scale.add_argument("--folder", default="", help="for the films and datasets while it lasts")
    loader = commands.add_parser("loader", help="chunks a second that a trainer is given: shards "
                                 "beside loose files")
    loader.add_argument("--dataset", default="data/dataset", help="what `make dataset` wrote")
    loader.add_argument("--rounds", type=int, default=5)
    loader.add_argument("--workers", type=int, default=2)
    story = commands.add_parser("story-model", help="a trained run: its features and pictures "
                                "against the sample's truth and simple guesses")
    story.add_argument("--run", default="data/run", help="what `python -m model train` made")
    story.add_argument("--data", default="data/dataset", help="that it was trained on")
    story.add_argument("--sample", default="data/sample", help="that the dataset was made from")
    story.add_argument("--seed", type=int, default=0)
    looks = commands.add_parser("attention-map", help="where a trained run looks: attention by "
                                "kind of token, layer and head")
    looks.add_argument("--run", default="data/run", help="what `python -m model train` made")
    looks.add_argument("--data", default="data/dataset", help="that it was trained on")
    long = commands.add_parser("long-story", help="policies for the cache of a long story: "
                               "perplexity, pictures, time and memory by length")
    long.add_argument("--run", default="data/run", help="what `python -m model train` made")
    long.add_argument("--data", default="data/dataset", help="that it was trained on")
    long.add_argument("--sample", default="data/sample", help="that the dataset was made from")
    long.add_argument("--lengths", type=int, nargs="+", default=[10, 15, 25, 50, 100])
    long.add_argument("--seeds", type=int, default=8, help="stories, joined in as many orders")
    long.add_argument("--longest", type=int, default=1000, help="story to time, 0 for none")
    arguments = parser.parse_args()
    if arguments.name == "crashes":
        from benchmarks import crashes as crashing
        text, bad = crashing.run(arguments.kills, arguments.seed)
        print(text)
        return 1 if bad else 0
    if arguments.name == "fuzz":
        from benchmarks import fuzz as fuzzing
        text, bad = fuzzing.run(arguments.films, arguments.seed)
        print(text)
        return 1 if bad else 0
    if arguments.name == "scale":
        from benchmarks import scale as scaling
        print(scaling.run(arguments.films, arguments.hours, arguments.film, arguments.folder))
        return 0
    if arguments.name == "loader":
        from benchmarks import loader as loading
        print(loading.run(arguments.dataset, arguments.rounds, arguments.workers))
        return 0
    if "run" in arguments:
        try:
            print(_of_a_run(arguments))
        except ValueError as error:
            print(error, file=sys.stderr)
            return 2
        return 0
    from benchmarks import pipeline as benchmark
    print(benchmark.run(arguments.film, arguments.rounds, arguments.episodes, arguments.calls))
    return 0


def _of_a_run(arguments: argparse.Namespace) -> str:
    """What a benchmark of a trained run says. Raises ValueError where that does not fit."""
    if arguments.name == "attention-map":
        from benchmarks import attention_map
        return attention_map.run(arguments.run, arguments.data)
    if arguments.name == "long-story":
        from benchmarks import long_story
        return long_story.run(arguments.run, arguments.data, arguments.sample, arguments.lengths,
                              arguments.seeds, arguments.longest)
    from benchmarks import story_model
    return story_model.run(arguments.run, arguments.data, arguments.sample, arguments.seed)


if __name__ == "__main__":
    sys.exit(main())
