"""Runs benchmarks of the dataset, the story model and their speed: `python -m benchmarks NAME`.

`all` runs every benchmark and writes one report; every other NAME runs one.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

# Minutes to hours of whole runs, or of data that few have: not part of `all`.
HEAVY = (
    "architectures",
    "fuzz",
    "crashes",
    "scale",
    "review",
    "cpu",
    "films",
    "near-duplicates",
    "evaluator",
    "baseline",
    "vistory",
)


def main(argv: Sequence[str] | None = None, prog: str = "python -m benchmarks") -> int:
    """Runs one command; returns its exit code. 1: something failed or got worse, 2: wrong
    arguments, 130: Ctrl-C. `prog` is how usage lines call this program."""
    from model.terminal import print_anywhere, telling
    from pipeline.runtime.lock import Busy

    print_anywhere()
    arguments = _parser(prog).parse_args(argv)
    warnings.filterwarnings("ignore", category=FutureWarning)
    try:
        if arguments.name not in HEAVY:
            return _measure(arguments)
        with telling(lambda: f"measuring {arguments.name}"):
            return _heavy(arguments)
    except (ValueError, Busy) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "stopped; stories, answers and features are cached, and the same command resumes",
            file=sys.stderr,
        )
        return 130


def _parser(prog: str) -> argparse.ArgumentParser:
    from benchmarks import suite

    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="NAME", dest="name")
    shared = _shared()
    for name, (help_text, _) in {
        "all": ("every benchmark that follows", None),
        **suite.BENCHMARKS,
    }.items():
        commands.add_parser(name, help=help_text, parents=[shared])
    commands.add_parser(
        "architectures", help="every stage on saved weights of each architecture and dtype"
    )
    fuzz = commands.add_parser("fuzz", help="runs mutated films through the pipeline")
    fuzz.add_argument("--films", type=int, default=2000)
    fuzz.add_argument("--seed", type=int, default=0)
    crashes = commands.add_parser(
        "crashes",
        help="injects faults into runs and checks the next run",
    )
    crashes.add_argument(
        "--kills", type=int, default=50, help="folders that faults are injected into"
    )
    crashes.add_argument("--seed", type=int, default=0)
    scale = commands.add_parser("scale", help="memory and time of many films and of a long one")
    scale.add_argument("--films", type=int, nargs="+", default=[1, 10, 100])
    scale.add_argument("--hours", type=float, default=3.0, help="of the long film, 0 for none")
    scale.add_argument("--film", default="", help="that the long film repeats, else the sample")
    scale.add_argument("--folder", default="", help="for the films and datasets while it lasts")
    scale.add_argument(
        "--table-films",
        type=int,
        default=0,
        metavar="N",
        help="instead, only write keyframes.parquet of so many simulated films",
    )
    review = commands.add_parser("review", help="time and memory of the pages to curate by")
    review.add_argument("--stories", type=int, default=10_000)
    review.add_argument("--folder", default="", help="for the dataset while it lasts")
    cpu = commands.add_parser(
        "cpu", help="training steps with this CPU's instructions and with AVX2 alone"
    )
    cpu.add_argument("--rounds", type=int, default=3)
    films = commands.add_parser(
        "films", help="tries a small source of every kind, and says what comes of each"
    )
    films.add_argument("--groups", nargs="+", metavar="GROUP", help="of kinds, else all")
    films.add_argument("--docs", type=Path, metavar="FILE", help="puts the tables in their places")
    pairs = commands.add_parser(
        "near-duplicates", help="events kept and repeats dropped, on labelled pairs of frames"
    )
    pairs.add_argument("film", metavar="FILM", help="Big Buck Bunny, or the film of --pairs")
    pairs.add_argument("--pairs", type=Path, help="your own pairs: see benchmarks/metrics")
    pairs.add_argument("--docs", type=Path, metavar="FILE", help="puts the table in its place")
    evaluator = commands.add_parser(
        "evaluator", help="tells what another benchmark asks for, in the layout of its evaluator"
    )
    evaluator.add_argument(
        "layout", choices=("vistorybench", "opening", "comm-task2", "comm-task3")
    )
    evaluator.add_argument(
        "--items",
        required=True,
        help="its data: dataset/ViStory, test_data.jsonl of OpenING, a split of CoMM",
    )
    evaluator.add_argument("--images", default="", help="CoMM's pictures, else images/ beside it")
    evaluator.add_argument("--run", default="data/run", help="folder of a trained run")
    evaluator.add_argument("--to", required=True, metavar="FOLDER", help="for the result")
    evaluator.add_argument("--policy", default="multimodal", help="for the cache")
    evaluator.add_argument("--language", default="en", choices=("en", "ch"))
    evaluator.add_argument("--at-most", type=int, default=0, metavar="N", help="stories, 0 for all")
    evaluator.add_argument("--seed", type=int, default=0)
    baseline = commands.add_parser(
        "baseline", help="trains a diffusion baseline and illustrates the held-out stories with it"
    )
    baseline.add_argument("kind", choices=("text-only", "previous"), help="what it is given")
    baseline.add_argument("--run", default="data/run", help="a trained run, for its parts and data")
    baseline.add_argument("--data", default="data/dataset", help="what `make dataset` wrote")
    baseline.add_argument("--to", default="data/baselines", metavar="FOLDER")
    baseline.add_argument(
        "--steps", type=int, default=0, help="0: as many as the run's adaptation has"
    )
    baseline.add_argument("--seed", type=int, default=0)
    vistory = commands.add_parser(
        "vistory", help="ViStoryBench's scores of pictures in its layout, by method"
    )
    vistory.add_argument("--items", required=True, help="its data: dataset/ViStory")
    vistory.add_argument(
        "outputs", nargs="+", metavar="NAME=FOLDER", help="pictures of a method, in its layout"
    )
    vistory.add_argument("--clip", default="", metavar="MODEL[:WEIGHTS]", help="of open_clip")
    vistory.add_argument(
        "--detector",
        default="",
        metavar="FOLDER",
        help="of a zero-shot object detector for transformers, such as Grounding DINO, that finds "
        "figures; without it whole pictures stand for them, and there is no OCCM",
    )
    return parser


def _shared() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    what = shared.add_argument_group("what is measured")
    what.add_argument("--run", nargs="+", default=["data/run"], help="folders of trained runs")
    what.add_argument("--data", default="data/dataset", help="what `make dataset` wrote")
    what.add_argument(
        "--sample",
        default="data/sample",
        help="that it was made from; '' for your own films, which have no ground truth",
    )
    what.add_argument(
        "--datasets",
        nargs="+",
        default=[],
        help="more of them, in our layout or "
        "the published StoryStream's, for the table of datasets",
    )
    what.add_argument("--policies", nargs="+", default=None, help="for the cache, of each run")
    what.add_argument(
        "--illustrated",
        nargs="+",
        default=[],
        metavar="NAME=PATH",
        help="stories "
        "of other models, which were given the true sentences; SEED-Story's and "
        "MM-Interleaved's folders are known, others are JSONL with id, texts, images",
    )
    what.add_argument(
        "--told",
        nargs="+",
        default=[],
        metavar="NAME=PATH",
        help="the same, generated freely from the first picture and sentence",
    )
    what.add_argument(
        "--film",
        default="",
        help="that keyframes are timed on, or film or folder that shots are taken from, else the "
        "sample",
    )
    how = shared.add_argument_group("how")
    how.add_argument("--out", default="bench", help="folder of the report")
    how.add_argument("--seed", type=int, default=0)
    how.add_argument(
        "--thorough",
        action="store_true",
        help="long stories and speed with as many rounds as in the docs: about an hour",
    )
    how.add_argument(
        "--peak",
        type=float,
        default=0.0,
        metavar="TFLOPS",
        help="of the GPU at the preset's precision, to print the share of it that training uses",
    )
    how.add_argument(
        "--compare",
        metavar="RESULTS.json",
        help="an earlier run's: prints what "
        "moved beyond its interval; exit code 1 where something got worse",
    )
    how.add_argument("--readme", metavar="FILE", help="puts tables between its result markers")
    models = shared.add_argument_group("models that judge")
    models.add_argument(
        "--clip",
        default="",
        metavar="MODEL[:WEIGHTS]",
        help="of open_clip, beside the encoders of the run",
    )
    models.add_argument("--inception", default="", metavar="FILE", help="its weights, or 'hub'")
    models.add_argument(
        "--language-model",
        default="",
        metavar="FOLDER_OR_ID",
        help="for perplexity; without one, the embedded SmolLM2-135M",
    )
    models.add_argument(
        "--judge",
        nargs="+",
        default=[],
        metavar="BACKEND",
        help="openai:MODEL"
        "[@URL] or transformers:FOLDER, one or several; keys in JUDGE_API_KEY, "
        "JUDGE2_API_KEY and so on, or OPENAI_API_KEY. human:FOLDER for people who compare "
        "stories, human-pictures:FOLDER for single pictures: storystream review FOLDER then asks "
        "them, and the same command again reads their answers",
    )
    models.add_argument(
        "--judge-price",
        type=float,
        nargs=2,
        action="append",
        default=[],
        metavar=("IN", "OUT"),
        help="of a million tokens; once for each judge",
    )
    models.add_argument("--budget", type=float, help="that the judge's calls stay under")
    models.add_argument("--repeats", type=int, default=1, help="of each question to the judge")
    models.add_argument(
        "--tales",
        type=int,
        metavar="N",
        help="of story-checks that the judge is asked about, drawn by --seed, else all",
    )
    return shared


def _measure(arguments: argparse.Namespace) -> int:
    from benchmarks import settings, suite

    models = [
        judge for judge in arguments.judge if not judge.startswith(("human:", "human-pictures:"))
    ]
    judges, prices = len(models), len(arguments.judge_price)
    if prices not in (0, judges):
        raise ValueError(
            f"{judges} judges and {prices} prices: give --judge-price IN OUT once "
            "for each, in their order"
        )
    setting = settings.Settings(
        runs=tuple(arguments.run),
        data=arguments.data,
        sample=arguments.sample,
        out=arguments.out,
        seed=arguments.seed,
        policies=tuple(arguments.policies or settings.POLICIES),
        illustrated=tuple(map(_named, arguments.illustrated)),
        told=tuple(map(_named, arguments.told)),
        datasets=tuple(arguments.datasets),
        clip=arguments.clip,
        inception=arguments.inception,
        language_model=arguments.language_model,
        judges=tuple(arguments.judge),
        judge_prices=tuple(map(tuple, arguments.judge_price)),
        budget=arguments.budget,
        repeats=arguments.repeats,
        tales=arguments.tales,
        thorough=arguments.thorough,
        peak=arguments.peak,
        film=arguments.film,
    )
    names = list(suite.BENCHMARKS) if arguments.name == "all" else [arguments.name]
    return suite.run(
        setting,
        names,
        Path(arguments.compare) if arguments.compare else None,
        Path(arguments.readme) if arguments.readme else None,
    )


def _named(given: str) -> tuple[str, str]:
    name, equals, folder = given.partition("=")
    if not (name and equals and folder):
        raise ValueError(
            f"{given}: write NAME=PATH, the name for the tables and where the stories are"
        )
    return name, folder


def _heavy(arguments: argparse.Namespace) -> int:
    if arguments.name == "crashes":
        from benchmarks.fault_injection import crashes

        text, bad = crashes.run(arguments.kills, arguments.seed)
    elif arguments.name == "fuzz":
        from benchmarks.fault_injection import fuzz

        text, bad = fuzz.run(arguments.films, arguments.seed)
    elif arguments.name == "films":
        from benchmarks.films import run as films
        from benchmarks.results import markdown, readme

        made, bad = films.run(arguments.groups or tuple(films.GROUPS))
        if arguments.docs:
            readme.update_readme(arguments.docs, made)
        text = "\n\n".join(map(markdown.table_to_markdown, made))
    elif arguments.name == "near-duplicates":
        from benchmarks.metrics import near_duplicate_pairs
        from benchmarks.results import markdown, readme

        pairs = near_duplicate_pairs.read_pairs(arguments.pairs or near_duplicate_pairs.PAIRS)
        table = near_duplicate_pairs.near_duplicate_table(arguments.film, pairs)
        if arguments.docs:
            readme.update_readme(arguments.docs, [table])
        text, bad = markdown.table_to_markdown(table), 0
    elif arguments.name == "evaluator":
        from benchmarks.generators import evaluator_stories

        folder = evaluator_stories.export(
            arguments.layout,
            arguments.items,
            arguments.run,
            arguments.to,
            arguments.policy,
            arguments.language,
            arguments.images,
            arguments.at_most,
            arguments.seed,
        )
        text, bad = str(folder), 0
    elif arguments.name == "baseline":
        from benchmarks.generators import diffusion_baseline
        from model.train import Interrupted

        try:
            stories = diffusion_baseline.run_baseline(
                arguments.kind,
                arguments.run,
                arguments.data,
                arguments.to,
                arguments.steps,
                arguments.seed,
            )
        except Interrupted as error:
            print(error, file=sys.stderr)
            return 130
        text, bad = f"--illustrated '{arguments.kind} diffusion={stories}'", 0
    elif arguments.name == "vistory":
        from benchmarks.evaluators import figure_detector, vistory_table
        from benchmarks.results import markdown

        outputs = dict(map(_named, arguments.outputs))
        detect = figure_detector.load_detector(arguments.detector) if arguments.detector else None
        table = vistory_table.run(arguments.items, outputs, arguments.clip, detect)
        text, bad = markdown.table_to_markdown(table), 0
    elif arguments.name == "architectures":
        from benchmarks.architectures import run as architectures
        from benchmarks.results import markdown

        (table,) = architectures.run()
        text, bad = markdown.table_to_markdown(table), architectures.failed(table)
    else:
        from benchmarks.results import markdown
        from benchmarks.speed import cpu, review, scale, table_size

        if arguments.name == "cpu":
            tables = cpu.run(arguments.rounds)
        elif arguments.name == "review":
            tables = [review.run(arguments.stories, arguments.folder)]
        elif arguments.table_films:
            tables = [table_size.run(arguments.table_films, folder=arguments.folder)]
        else:
            tables = scale.run(arguments.films, arguments.hours, arguments.film, arguments.folder)
        text, bad = "\n\n".join(map(markdown.table_to_markdown, tables)), 0
    print(text)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
