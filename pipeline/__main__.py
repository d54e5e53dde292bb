"""Makes datasets of illustrated stories from films; plans, checks, rebuilds and exports them."""

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
from typing import TextIO

from pipeline import config, model_specs
from pipeline.graph import stages
from pipeline.runtime.untrusted_text import escaped
from schemas import layout

_BACKENDS = (
    "embedded (the default), openai:MODEL, openai:MODEL@URL for a server of your own, or "
    "transformers:FOLDER_OR_ID"
)


def main(argv: Sequence[str] | None = None, prog: str = "python -m pipeline") -> int:
    """Runs one command and returns its exit code, 2 for an invalid command line.

    `prog` is the name of this program in usage lines.
    """
    # Also inherited by workers. Arrow's own allocator retains ten times the memory of its tables.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    # Closed ones are None, and what is printed to them would go to the other, or fail.
    sys.stdout, sys.stderr = sys.stdout or _nowhere(), sys.stderr or _nowhere()
    _print_anywhere()
    parser = _parser(prog)
    arguments, beam_arguments = parser.parse_known_args(argv)
    if beam_arguments and arguments.command is not _dataset:
        parser.error(f"unknown arguments: {' '.join(beam_arguments)}")
    arguments.beam, arguments.prog = beam_arguments, prog
    verbose = getattr(arguments, "verbose", False)
    if not verbose:
        _silence_beam()
    file = getattr(arguments, "metrics", "")
    if file:
        _check_metrics(file, parser)
    code = 1  # Python's, for an exception that nothing catches
    try:
        code = _run_command(arguments, verbose)
    finally:
        if file and not arguments.dry_run:
            _write_metrics(file, arguments.out, code)
    return code


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")


def _print_anywhere() -> None:
    """Lets every text be printed: what the terminal's encoding lacks is shown as \\xe9."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _check_metrics(file: str, parser: argparse.ArgumentParser) -> None:
    """Exits with an error, before a run of hours, if the file cannot be written."""
    folder = os.path.dirname(file) or "."
    if not os.path.isdir(folder):
        parser.error(f"--metrics {file}: there is no folder {folder}")
    if os.path.isdir(file):
        parser.error(
            f"--metrics {file} is a folder: name a file in it, such as "
            f"{os.path.join(file, 'storystream.prom')}"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        parser.error(f"--metrics {file}: no permission to write to {folder}")


def _write_metrics(file: str, out: str, code: int) -> None:
    from pipeline.graph import prometheus

    try:
        prometheus.write(file, out, code)
    except OSError as error:  # it does not change the exit code of the run
        print(f"--metrics {file} could not be written: {error}", file=sys.stderr)


def _run_command(arguments: argparse.Namespace, verbose: bool) -> int:
    """Runs the command and returns its exit code; prints a message if it raises."""
    try:
        return int(arguments.command(arguments))
    except KeyboardInterrupt:
        print("\nStopped. Run the same command again to continue.", file=sys.stderr)
        return 130
    except (ValueError, OSError) as error:
        print(f"error: {_message(error)}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:  # of an extra that is not installed
        print(
            f"error: {error}; make install, or pip install 'storystream[models]', adds it",
            file=sys.stderr,
        )
        return 2
    except RuntimeError as error:  # Beam's for an error in a worker, with its traceback as text
        from pipeline.graph import run, runners

        code, reason = run.stop_code(error)
        if code:
            print(
                f"{escaped(reason)}\n"
                "Run the same command again to continue: answers of models are cached.",
                file=sys.stderr,
            )
            return code
        if verbose:
            raise
        log = runners.worker_log()
        print(
            f"error: {_cause(error)}\nRun the same command again to continue. Add -v to see all "
            f"messages{f', or read {log}' if os.path.exists(log) else ''}.",
            file=sys.stderr,
        )
        return 1


def _cause(error: RuntimeError) -> str:
    """Returns the last line of Beam's message, which is that of the error in the worker."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines or "Channel closed" in lines[-1]:
        return "a worker process died: the machine may be out of memory"
    return _message(lines[-1])


def _message(error: object) -> str:
    """Returns the message of an error without Beam's addition, escaped as it may quote a source."""
    return escaped(str(error).partition(" [while running")[0])


def _silence_beam() -> None:
    """Switches off Beam's log and warnings; errors are raised as exceptions all the same."""
    logging.disable(logging.CRITICAL)
    warnings.filterwarnings("ignore")
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    threading.excepthook = lambda _: None


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    dataset = commands.add_parser(
        "dataset",
        help="make a dataset from films",
        description="Makes a dataset from films. Run again, it continues where it stopped, "
        "processes films that are new or changed and reuses the rest. Options that are not listed "
        "are passed to Beam, such as --runner=DataflowRunner.",
    )
    dataset.set_defaults(command=_dataset)
    dataset.add_argument(
        "--videos",
        required=True,
        metavar="SOURCE",
        help="a film, a folder of films, a glob pattern in quotes, a gs:// or s3:// prefix, or "
        "a manifest of films (CSV, TSV, JSON, JSONL, or TXT with a path on each line)",
    )
    dataset.add_argument(
        "--out",
        required=True,
        metavar="FOLDER",
        help="folder of the dataset, may be gs:// or s3://",
    )
    _add_settings(dataset)
    dataset.add_argument(
        "--force",
        action="append",
        default=[],
        metavar="STAGE|FILM",
        help=f"run a stage ({', '.join(stages.names())}), or all stages of the film with this id, "
        "even if their outputs are there; model calls are still answered from the cache; may be "
        "repeated",
    )
    dataset.add_argument(
        "--until",
        default="",
        metavar="STAGE",
        choices=stages.names(),
        help="stop after this stage, with a report of what there is; one of "
        + ", ".join(stages.names()),
    )
    dataset.add_argument(
        "--metrics",
        default="",
        metavar="FILE",
        help="also write the figures of the run to this file, for Prometheus",
    )
    dataset.add_argument(
        "--dry-run",
        action="store_true",
        help="only estimate the films, model calls, tokens, cost and minutes of each stage",
    )
    dataset.add_argument("-v", "--verbose", action="store_true", help="show Beam's log")

    sample = commands.add_parser(
        "sample",
        help="draw the sample cartoon",
        description="Draws the sample cartoon: films with subtitles, to try the pipeline with.",
    )
    sample.set_defaults(command=_sample)
    sample.add_argument("folder", metavar="FOLDER", help="folder for the films")
    sample.add_argument(
        "--episodes", type=int, default=4, metavar="N", help="number of films (default: 4)"
    )
    sample.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of the random stories (default: 0)"
    )

    doctor = commands.add_parser(
        "doctor",
        help="say what is installed, what is missing and what to do",
        description="Examines the installation, the machine and the models that the settings name, "
        "and prints a line for each: ok or missing, with the remedy. Servers get three short "
        "questions each. Exits with 0 if the dataset can be made, else with 1.",
    )
    doctor.set_defaults(command=_doctor)
    doctor.add_argument("--videos", default="", metavar="SOURCE", help="films of the dataset")
    doctor.add_argument("--out", default="data/dataset", metavar="FOLDER", help="of the dataset")
    _add_settings(doctor)

    settings = commands.add_parser(
        "settings",
        help="print all settings, as a file for --config",
        description="Prints all settings with defaults and descriptions, as a YAML file for "
        "--config.",
    )
    settings.set_defaults(command=_settings)

    plan = commands.add_parser(
        "plan",
        help="estimate the time, cost and storage for many hours of film",
        description="Prints core hours, hours of servers or GPUs, model calls, tokens, cost and "
        "hours for each stage, GB for each folder, and the assumptions. Reads no films.",
    )
    plan.set_defaults(command=_plan)
    plan.add_argument("--hours", required=True, type=float, metavar="HOURS", help="hours of film")
    plan.add_argument(
        "--from",
        dest="dataset",
        default="",
        metavar="FOLDER",
        help="a dataset to take settings from and measure rates on, instead of the built-in ones",
    )
    plan.add_argument("--films-minutes", type=float, metavar="MINUTES", help="minutes per film")
    plan.add_argument("--size", metavar="WIDTHxHEIGHT", help="frame size of the films in pixels")
    plan.add_argument(
        "--workers",
        type=int,
        nargs="+",
        default=[10, 100, 1000],
        metavar="N",
        help="numbers of workers to plan for, of one core each (default: 10 100 1000)",
    )
    plan.add_argument(
        "--servers",
        type=int,
        default=1,
        metavar="N",
        help="number of model servers behind each address (default: 1)",
    )
    _add_settings(plan)

    report = commands.add_parser(
        "report",
        help="write the report of a dataset again",
        description="Writes report.html of a dataset again.",
    )
    report.set_defaults(command=_report)
    report.add_argument("out", metavar="FOLDER", help="the dataset")

    verify = commands.add_parser(
        "verify",
        help="check that a dataset is complete and consistent",
        description="Checks a dataset, also a copy of one: its files, tables, images, shards and "
        "split. Exits with 1 if it finds a problem.",
    )
    verify.set_defaults(command=_verify)
    verify.add_argument("out", metavar="FOLDER", help="the dataset")

    rebuild = commands.add_parser(
        "rebuild",
        help="make the images of a dataset that was shared without them",
        description="Makes the images and shards of a dataset again from its films, in the "
        "folder of its manifest. Run again, it continues where it stopped. Exits with 1 if an "
        "image cannot be made.",
    )
    rebuild.set_defaults(command=_rebuild)
    rebuild.add_argument(
        "manifest", metavar="MANIFEST", help=f"path of the dataset's {layout.MANIFEST}"
    )
    rebuild.add_argument(
        "--videos",
        required=True,
        metavar="SOURCE",
        help="the films, as for the command dataset; their names may differ",
    )

    export = commands.add_parser(
        "export",
        help="export a dataset in a format that trainers read",
        description="Exports the stories of a dataset. interleaved: documents of images and texts "
        "in tars of MINT-1T's format, which NeMo Curator reads; bagel: Parquet of BAGEL's "
        "interleaved data; conversations: JSONL of LLaVA and Qwen-VL; image-edits: JSONL of "
        "DiffSynth-Studio, for Qwen-Image-Edit and FLUX.1 Kontext.",
    )
    export.set_defaults(command=_export)
    export.add_argument("out", metavar="FOLDER", help="the dataset")
    export.add_argument("--to", required=True, metavar="FOLDER", help="an empty or new folder")
    export.add_argument(
        "--format",
        default="interleaved",
        choices=("interleaved", "bagel", "conversations", "image-edits"),
        help="default: interleaved",
    )
    return parser


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        default="",
        metavar="FILE",
        help="YAML file of settings, as the command settings prints it",
    )
    parser.add_argument(
        "--captioner", metavar="BACKEND", help=f"model that captions keyframes: {_BACKENDS}"
    )
    parser.add_argument("--writer", metavar="BACKEND", help="model that writes stories, likewise")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting, such as keyframes.every=3; may be repeated",
    )


def _settings_given(arguments: argparse.Namespace) -> list[str]:
    models = [
        f"{name}={value}" for name in ("captioner", "writer") if (value := getattr(arguments, name))
    ]
    return [*models, *arguments.set]


def _dataset(arguments: argparse.Namespace) -> int:
    chosen = config.load(arguments.config, _settings_given(arguments))
    from pipeline.cost import estimate, rates  # loads Beam, which takes seconds: --help need not
    from pipeline.ingest import discovery
    from pipeline.keyframes import detectors
    from pipeline.runtime import progress

    with progress.display({}, f"looking for films in {arguments.videos}"):
        found, rejects = discovery.find(arguments.videos, chosen.schemes)
    _check_force(arguments.force, [video.id for video in found])
    detectors.check(chosen.keyframes, found)
    chosen = _checked(chosen, with_keys=not arguments.dry_run)
    _check_out(arguments.out)
    if arguments.dry_run:
        with progress.display({}, "looking at the films"):
            known = rates.of_this_machine(arguments.out)
            estimated = estimate.estimate(found, chosen, arguments.out, known)
        print(estimate.describe(estimated, known))
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
        _command(arguments),
    )


def _command(arguments: argparse.Namespace) -> list[str]:
    """Returns the words of the command that makes this dataset, without those for this run only."""
    options = [("--videos", arguments.videos), ("--out", arguments.out)]
    options += [
        (f"--{name}", value)
        for name in ("config", "captioner", "writer")
        if (value := getattr(arguments, name)) and value != "embedded"
    ]
    options += [("--set", value) for value in arguments.set]
    words = arguments.prog.split()
    if words[0] == "python":  # this one: the environment need not be active
        here = os.path.relpath(sys.executable)
        words[0] = sys.executable if here.startswith("..") else here
    return [*words, "dataset", *(part for option in options for part in option), *arguments.beam]


def _check_force(forced: Sequence[str], films: Sequence[str]) -> None:
    valid = [*stages.names(), *films]
    for name in forced:
        if name not in valid:
            similar = difflib.get_close_matches(name, valid, 3) or stages.names()
            raise ValueError(
                f"--force {name}: there is no such stage and no film with this id; "
                f"similar names are {', '.join(similar)}"
            )


def _check_out(out: str) -> None:
    """Raises OSError or ValueError for what is in the dataset folder and would stop the run at its
    end: a folder in a file's place, an edited file that cannot be read."""
    from pipeline.annotation import characters

    files = [layout.MANIFEST, layout.CARD, layout.RUN_RECORD, layout.REPORT]
    for name in [*files, *map(layout.table_path, layout.TABLES)]:
        if os.path.isdir(path := os.path.join(out, name)):
            raise IsADirectoryError(f"{path} is a folder where a file goes: move it away")
    characters.check_edited(out)


def _checked(chosen: config.DatasetConfig, with_keys: bool) -> config.DatasetConfig:
    """Checks before the run what would stop it after hours, such as prompts and, `with_keys`, API
    keys; returns the settings. Raises ValueError or OSError."""
    from pipeline.annotation import characters, prompts, story_scores
    from pipeline.inference.backends import loading
    from pipeline.ingest import speech

    for role, spec in (("captioner", chosen.captioner), ("writer", chosen.writer)):
        if with_keys and model_specs.parse(spec).kind == "openai":  # others take long to load
            loading.load(role, model_specs.parse(spec), chosen.calls)
    story_scores.word_list(chosen.stories.language, chosen.quality.toxic_words_file)
    if chosen.prompts:
        prompts.check(chosen.prompts)
    if chosen.characters:
        characters.check_file(chosen.characters)
    if chosen.speech:
        speech.check(chosen.speech)
    return _without_missing_clip(chosen) if chosen.quality.clip else chosen


def _without_missing_clip(chosen: config.DatasetConfig) -> config.DatasetConfig:
    """Returns the settings, without the CLIP score if its weights are missing."""
    from pipeline.annotation import clip_score

    try:
        clip_score.load(chosen.quality.clip)
    except clip_score.NoWeights as error:
        print(f"The similarity of images and texts is not scored: {error}", file=sys.stderr)
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


def _doctor(arguments: argparse.Namespace) -> int:
    chosen = config.load(arguments.config, _settings_given(arguments))
    from pipeline import doctor

    lacking = False
    for finding in doctor.examine(chosen, arguments.videos, arguments.out):
        print(finding, flush=True)
        lacking |= finding.needed and not finding.there
    return int(lacking)


def _settings(arguments: argparse.Namespace) -> int:
    print(config.describe())
    return 0


def _plan(arguments: argparse.Namespace) -> int:
    from pipeline.cost import plan, rates

    measured = rates.of_dataset(arguments.dataset) if arguments.dataset else rates.of_this_machine()
    of_dataset = [] if arguments.config else rates.settings(arguments.dataset)
    chosen = config.load(arguments.config, [*of_dataset, *_settings_given(arguments)])
    films = plan.Films(
        arguments.hours,
        arguments.films_minutes or measured.minutes,
        _size(arguments.size) if arguments.size else measured.size,
        measured.keyframes,
    )
    if min(films.hours, films.minutes, arguments.servers, *arguments.workers) <= 0:
        raise ValueError("--hours, --films-minutes, --workers and --servers must be more than 0")
    print(plan.describe(films, chosen, measured, arguments.workers, arguments.servers))
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
    print(escaped(verify.describe(verdict)))
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
        complete = rebuild.rebuild(folder, arguments.videos, lambda line: print(escaped(line)))
    return 1 if complete else 0


def _export(arguments: argparse.Namespace) -> int:
    from pipeline.dataset import exports, manifest
    from pipeline.runtime import progress

    stories = manifest.read_manifest(arguments.out).counts.get("stories", 0)
    with progress.display({"export": stories}):
        paths = exports.FORMATS[arguments.format](arguments.out, arguments.to)
    for path in paths:
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
