"""`python -m pipeline`: the commands that make a dataset, and those that go with them."""

from __future__ import annotations

import argparse
import difflib
import io
import logging
import os
import sys
import threading
import time
import warnings
from collections.abc import Sequence

from pipeline import config, model_specs
from pipeline.graph import stages
from schemas import layout

_BACKENDS = (
    "embedded (the default), openai:MODEL, openai:MODEL@URL of a server of your own, or "
    "transformers:FOLDER_OR_ID"
)


def main(argv: Sequence[str] | None = None, prog: str = "python -m pipeline") -> int:
    """Runs one command and returns its exit code; 2 stands for a wrong call. `prog` is how usage
    lines call this program."""
    _print_anywhere()
    # Here and in workers: Arrow's own allocator keeps ten times what its tables ever took.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    parser = _parser(prog)
    arguments, beam_arguments = parser.parse_known_args(argv)
    if beam_arguments and arguments.command is not _dataset:
        parser.error(f"unknown arguments: {' '.join(beam_arguments)}")
    arguments.beam = beam_arguments
    verbose = getattr(arguments, "verbose", False)
    if not verbose:
        _hush()
    file = getattr(arguments, "metrics", "")
    if file:
        _check_metrics(file, parser)
    code = 1  # what nobody expects to be raised ends the program so
    try:
        code = _ended(arguments, verbose)
    finally:
        if file and not arguments.dry_run:
            _write_metrics(file, arguments.out, code)
    return code


def _print_anywhere() -> None:
    """Lets every text be printed: what the terminal's encoding lacks is shown as \\xe9."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _check_metrics(file: str, parser: argparse.ArgumentParser) -> None:
    """Ends the program where the file cannot be written: found out now, not after days."""
    folder = os.path.dirname(file) or "."
    if not os.path.isdir(folder):
        parser.error(f"--metrics {file}: there is no such folder")
    if os.path.isdir(file):
        parser.error(
            f"--metrics {file}: this is a folder; name a file in it, such as "
            f"{os.path.join(file, 'storystream.prom')}"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        parser.error(f"--metrics {file}: nothing may be written to this folder")


def _write_metrics(file: str, out: str, code: int) -> None:
    from pipeline.graph import prometheus

    try:
        prometheus.write(file, out, code)
    except OSError as error:  # the run ended as it did
        print(f"--metrics {file} could not be written: {error}", file=sys.stderr)


def _ended(arguments: argparse.Namespace, verbose: bool) -> int:
    """Runs the command; what stops it becomes an exit code and a message."""
    try:
        return int(arguments.command(arguments))
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here", file=sys.stderr)
        return 130
    except (ValueError, OSError) as error:
        print(f"error: {_said(error)}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:  # of an extra; what a plain installation needs is there
        print(
            f"error: {error}; make install, or pip install 'storystream[models]', brings it",
            file=sys.stderr,
        )
        return 2
    except RuntimeError as error:  # what Beam makes of an error in a worker, its traceback inside
        from pipeline.graph import run, runners

        code, reason = run.stop_code(error)
        if code:
            print(
                f"{reason}\nThe same command goes on from here: what was answered is kept.",
                file=sys.stderr,
            )
            return code
        if verbose:
            raise
        log = runners.worker_log()
        print(
            f"error: {_cause(error)}\nThe same command goes on from here; -v shows everything"
            f"{f', and so does {log}' if os.path.exists(log) else ''}.",
            file=sys.stderr,
        )
        return 1


def _cause(error: RuntimeError) -> str:
    """The last line of what Beam says, which is the error itself, or what it means."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines or "Channel closed" in lines[-1]:
        return "a worker process died; is there enough memory?"
    return _said(lines[-1])


def _said(error: object) -> str:
    """What an error says, without what Beam adds."""
    return str(error).partition(" [while running")[0]


def _hush() -> None:
    """Keeps Beam's log and warnings off the screen: what matters of them comes as an exception."""
    logging.disable(logging.CRITICAL)
    warnings.filterwarnings("ignore")
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    threading.excepthook = lambda _: None


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    dataset = commands.add_parser(
        "dataset",
        help="make a dataset of a folder of films",
        description="Makes a dataset of films. Called again it goes on where it was, does what is "
        "new and keeps the rest. Options that are not listed go to Beam, such as "
        "--runner=DataflowRunner.",
    )
    dataset.set_defaults(command=_dataset)
    dataset.add_argument(
        "--videos",
        required=True,
        metavar="SOURCE",
        help="a film, a folder, a pattern in quotes, a gs:// or s3:// prefix, or "
        "a CSV or JSONL manifest",
    )
    dataset.add_argument("--out", required=True, metavar="FOLDER", help="where the dataset goes")
    _add_settings(dataset)
    dataset.add_argument(
        "--force",
        action="append",
        default=[],
        metavar="STAGE|FILM",
        help=f"do a stage ({', '.join(stages.names())}) or all of a film, by its "
        "id, again, with the answers that are kept; may be repeated",
    )
    dataset.add_argument(
        "--until",
        default="",
        metavar="STAGE",
        choices=stages.names(),
        help="stop after this stage",
    )
    dataset.add_argument(
        "--metrics",
        default="",
        metavar="FILE",
        help="write the run's figures there too, for Prometheus",
    )
    dataset.add_argument(
        "--dry-run",
        action="store_true",
        help="say what would be done, in how many calls, tokens and minutes",
    )
    dataset.add_argument("-v", "--verbose", action="store_true", help="Beam's own log too")

    sample = commands.add_parser(
        "sample",
        help="draw the sample cartoon",
        description="Draws the sample cartoon with its subtitles.",
    )
    sample.set_defaults(command=_sample)
    sample.add_argument("folder", help="where the films go")
    sample.add_argument("--episodes", type=int, default=4)
    sample.add_argument("--seed", type=int, default=0)

    settings = commands.add_parser("settings", help="print all settings, as a file for --config")
    settings.set_defaults(command=_settings)

    plan = commands.add_parser(
        "plan",
        help="what so many hours of film would take",
        description="Prints core hours, hours of servers or GPUs, calls, tokens and what these "
        "cost, and hours in all, by stage; GB by place; and what that rests on.",
    )
    plan.set_defaults(command=_plan)
    plan.add_argument("--hours", required=True, type=float, help="of film")
    plan.add_argument(
        "--from",
        dest="dataset",
        default="",
        metavar="FOLDER",
        help="a dataset whose settings and rates are taken, instead of those built in",
    )
    plan.add_argument("--films-minutes", type=float, metavar="MINUTES", help="length of a film")
    plan.add_argument("--size", metavar="WIDTHxHEIGHT", help="of the films")
    plan.add_argument(
        "--workers",
        type=int,
        nargs="+",
        default=[10, 100, 1000],
        metavar="N",
        help="how many there might be, each with a core",
    )
    plan.add_argument(
        "--servers", type=int, default=1, metavar="N", help="model servers behind each address"
    )
    _add_settings(plan)

    report = commands.add_parser("report", help="draw the report of a dataset again")
    report.set_defaults(command=_report)
    report.add_argument("out", help="the dataset folder")

    verify = commands.add_parser(
        "verify",
        help="check that a dataset is whole and holds together",
        description="Checks a dataset folder, here or copied elsewhere: its files, tables, "
        "pictures, shards and split. Exits with 1 where something is wrong.",
    )
    verify.set_defaults(command=_verify)
    verify.add_argument("out", help="the dataset folder")

    rebuild = commands.add_parser(
        "rebuild",
        help="make the pictures of a dataset that was shared without them",
        description="Makes the pictures and shards of a dataset again from its films, in the "
        "folder of its manifest. Called again it goes on where it was. Exits with 1 where a "
        "picture cannot be made.",
    )
    rebuild.set_defaults(command=_rebuild)
    rebuild.add_argument("manifest", help="its dataset.json")
    rebuild.add_argument(
        "--videos",
        required=True,
        metavar="SOURCE",
        help="the films, under any names: a folder, or what else a dataset is made of",
    )

    export = commands.add_parser(
        "export",
        help="write a dataset as interleaved documents",
        description="Writes each story as a document of pictures and texts, in tars as MINT-1T "
        "has them and NeMo Curator reads them.",
    )
    export.set_defaults(command=_export)
    export.add_argument("out", help="the dataset folder")
    export.add_argument("--to", required=True, metavar="FOLDER", help="an empty or new folder")
    return parser


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", default="", metavar="FILE", help="YAML file of settings")
    parser.add_argument("--captioner", metavar="BACKEND", help=_BACKENDS)
    parser.add_argument("--writer", metavar="BACKEND", help=_BACKENDS)
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="one setting, such as keyframes.every=3; may be repeated",
    )


def _settings_given(arguments: argparse.Namespace) -> list[str]:
    models = [
        f"{name}={value}" for name in ("captioner", "writer") if (value := getattr(arguments, name))
    ]
    return [*models, *arguments.set]


def _dataset(arguments: argparse.Namespace) -> int:
    chosen = config.load(arguments.config, _settings_given(arguments))
    from pipeline.cost import estimate
    from pipeline.ingest import discovery  # Beam takes seconds to load: --help need not wait

    found, rejects = discovery.find(arguments.videos)
    _check_force(arguments.force, [video.id for video in found])
    chosen = _checked(chosen, asks=not arguments.dry_run)
    if arguments.dry_run:
        print(estimate.describe(estimate.estimate(found, chosen, arguments.out)))
        return 0
    from pipeline.graph import run

    return run.run(
        found,
        rejects,
        chosen,
        arguments.out,
        arguments.beam,
        arguments.force,
        arguments.until,
        arguments.verbose,
    )


def _check_force(forced: Sequence[str], films: Sequence[str]) -> None:
    known = [*stages.names(), *films]
    for name in forced:
        if name not in known:
            near = difflib.get_close_matches(name, known, 3) or stages.names()
            raise ValueError(
                f"--force {name}: there is no such stage and no film of that id; "
                f"there are {', '.join(near)}"
            )


def _checked(chosen: config.DatasetConfig, asks: bool) -> config.DatasetConfig:
    """The settings, now that what would stop the run after hours is found at once: a missing key
    (where it `asks`), a bad prompt. Raises ValueError or OSError, naming the remedy."""
    from pipeline.annotation import characters, prompts, story_scores
    from pipeline.inference.backends import loading
    from pipeline.ingest import speech

    for role, spec in (("captioner", chosen.captioner), ("writer", chosen.writer)):
        if asks and model_specs.parse(spec).kind == "openai":  # the others take long to load
            loading.load(role, model_specs.parse(spec), chosen.calls)
    story_scores.word_list(chosen.stories.language, chosen.quality.toxic_words_file)
    if chosen.prompts:
        prompts.check(chosen.prompts)
    if chosen.characters:
        characters.check_file(chosen.characters)
    if chosen.speech:
        speech.check(chosen.speech)
    return _with_similarity(chosen) if chosen.quality.clip else chosen


def _with_similarity(chosen: config.DatasetConfig) -> config.DatasetConfig:
    """The settings, without a comparison of pictures and texts where its weights are not there."""
    from pipeline.annotation import clip_score

    try:
        clip_score.load(chosen.quality.clip)
    except clip_score.NoWeights as error:
        print(f"Similarity of pictures and texts is left out: {error}", file=sys.stderr)
        quality = chosen.quality.model_copy(update={"clip": ""})
        return chosen.model_copy(update={"quality": quality})
    return chosen


def _sample(arguments: argparse.Namespace) -> int:
    from pipeline import sample
    from pipeline.runtime import progress

    began = time.monotonic()

    def drawn(name: str, done: int, total: int) -> None:
        progress.advance("sample")
        rest = progress.left(time.monotonic() - began, done / total)
        progress.say(f"{name} is drawn, {done} of {total}{f', {rest} left' * (done < total)}")

    with progress.display({"sample": arguments.episodes}, "drawing"):
        paths = sample.draw(arguments.folder, arguments.episodes, arguments.seed, drawn=drawn)
    for path in paths:
        print(path)
    return 0


def _settings(arguments: argparse.Namespace) -> int:
    print(config.describe())
    return 0


def _plan(arguments: argparse.Namespace) -> int:
    from pipeline.cost import plan, rates

    known = rates.of_dataset(arguments.dataset) if arguments.dataset else rates.BUILT_IN
    own = [] if arguments.config else rates.settings(arguments.dataset)
    chosen = config.load(arguments.config, [*own, *_settings_given(arguments)])
    films = plan.Films(
        arguments.hours,
        arguments.films_minutes or known.minutes,
        _size(arguments.size) if arguments.size else known.size,
        known.keyframes,
    )
    if min(films.hours, films.minutes, arguments.servers, *arguments.workers) <= 0:
        raise ValueError("hours, minutes, workers and servers must be more than 0")
    print(plan.describe(films, chosen, known, arguments.workers, arguments.servers))
    return 0


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) * int(height)):
        raise ValueError(f"--size {text}: write it as 1920x1080")
    return int(width), int(height)


def _report(arguments: argparse.Namespace) -> int:
    from pipeline.dataset import report

    report.write(arguments.out)
    print(f"{arguments.out}/{layout.REPORT}")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from pipeline.dataset import verify
    from pipeline.runtime import progress

    with progress.display({"verify": verify.steps(arguments.out)}):
        verdict = verify.verify(arguments.out)
    print(verify.describe(verdict))
    return 1 if verdict.counts else 0


def _rebuild(arguments: argparse.Namespace) -> int:
    from pipeline.dataset import manifest, rebuild
    from pipeline.runtime import progress

    folder, _, name = arguments.manifest.rpartition("/")
    if name != layout.MANIFEST:
        raise ValueError(
            f"{arguments.manifest} is not a manifest: name the {layout.MANIFEST} of a dataset"
        )
    folder = folder or "."
    films = len(manifest.read_manifest(folder).videos)
    with progress.display({"rebuild": films}, "looking for the films"):
        return 1 if rebuild.rebuild(folder, arguments.videos) else 0


def _export(arguments: argparse.Namespace) -> int:
    from pipeline.dataset import exports, manifest
    from pipeline.runtime import progress

    stories = manifest.read_manifest(arguments.out).counts.get("stories", 0)
    with progress.display({"export": stories}):
        paths = exports.export(arguments.out, arguments.to)
    for path in paths:
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
