"""Makes datasets of illustrated stories from films; plans, checks, rebuilds, exports and pushes."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence

from pipeline import command_line, config, preflight, standard_streams
from pipeline.runtime.untrusted_text import escaped
from schemas import layout

_HUB = "hf://"


def main(argv: Sequence[str] | None = None, prog: str = "python -m pipeline") -> int:
    """Runs one command and returns its exit code, 2 for an invalid command line.

    `prog` is the name of this program in usage lines.
    """
    # Also inherited by workers. Arrow's own allocator retains ten times the memory of its tables.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    # There is a worker per core, and waiting threads of OpenBLAS spin: more CPU, no less time.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    standard_streams.prepare()
    parser = command_line.parser(prog, __doc__, _commands())
    arguments, beam_arguments = parser.parse_known_args(argv)
    if beam_arguments and arguments.command is not _dataset:
        parser.error(f"unknown arguments: {' '.join(beam_arguments)}")
    arguments.beam, arguments.prog = beam_arguments, prog
    verbose = getattr(arguments, "verbose", False)
    if not verbose:
        _silence_beam()
    file = getattr(arguments, "metrics", "")
    if file:
        preflight.check_metrics(file, parser)
    code = 1  # Python's, for an exception that nothing catches
    try:
        code = _run_command(arguments, verbose)
    finally:
        if file and not arguments.dry_run:
            _write_metrics(file, arguments.out, code)
    return code


def _commands() -> dict[str, Callable[[argparse.Namespace], int]]:
    return {
        "dataset": _dataset,
        "sample": _sample,
        "doctor": _doctor,
        "settings": _settings,
        "plan": _plan,
        "report": _report,
        "verify": _verify,
        "rebuild": _rebuild,
        "export": _export,
        "push": _push,
        "adopt": _adopt,
        "review": _review,
    }


def _write_metrics(file: str, out: str, code: int) -> None:
    from pipeline.graph import prometheus

    try:
        prometheus.write(file, out, code)
    except OSError as error:  # it does not change the exit code of the run
        print(f"--metrics {file} could not be written: {error}", file=sys.stderr)


def _run_command(arguments: argparse.Namespace, verbose: bool) -> int:
    """Runs the command and returns its exit code; prints a message if it raises."""
    try:
        code = int(arguments.command(arguments))
        sys.stdout.flush()
        return code
    except standard_streams.CannotPrint as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
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


def _settings_given(arguments: argparse.Namespace) -> list[str]:
    models = [
        f"{name}={value}" for name in ("captioner", "writer") if (value := getattr(arguments, name))
    ]
    return [*models, *arguments.set]


def _dataset(arguments: argparse.Namespace) -> int:
    if not arguments.out.startswith(_HUB):
        return _make_dataset(arguments)
    arguments.repo = arguments.out.removeprefix(_HUB).removeprefix("datasets/").strip("/")
    if arguments.repo.count("/") != 1:
        raise ValueError(f"--out {arguments.out}: a repository of a hub is {_HUB}OWNER/NAME")
    arguments.out = os.path.join("data", "hub", *arguments.repo.split("/"))
    print(
        f"The dataset is made in {arguments.out} and then pushed to {_HUB}{arguments.repo}.",
        file=sys.stderr,
    )
    code = _make_dataset(arguments)
    if code or arguments.dry_run or arguments.until:
        return code
    return _push(arguments)


def _make_dataset(arguments: argparse.Namespace) -> int:
    chosen = config.load(arguments.config, _settings_given(arguments))
    from pipeline.cost import estimate, rates  # loads Beam, which takes seconds: --help need not
    from pipeline.ingest import discovery
    from pipeline.keyframes import detectors
    from pipeline.runtime import progress

    with progress.display({}, f"looking for films in {arguments.videos}"):
        found, rejects = discovery.find(arguments.videos, chosen.schemes)
    if arguments.repo and not arguments.i_have_the_rights:
        from pipeline.dataset import hub

        hub.check_licenses({film.id: film.license for film in found})  # before hours of work
    preflight.check_force(arguments.force, [video.id for video in found])
    detectors.check(chosen.keyframes, found)
    chosen = preflight.checked(chosen, with_keys=not arguments.dry_run)
    preflight.check_out(arguments.out)
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


def _sample(arguments: argparse.Namespace) -> int:
    from pipeline import sample
    from pipeline.runtime import progress

    preflight.check_sample(arguments.folder)
    began = time.monotonic()

    def drawn(name: str, done: int, total: int) -> None:
        progress.advance("sample")
        rest = progress.left(time.monotonic() - began, done / total)
        progress.say(f"{name} is drawn, {done} of {total}{f', {rest} left' * (done < total)}")

    with progress.display({"sample": arguments.episodes}, "drawing"):
        paths = sample.draw(
            arguments.folder,
            arguments.episodes,
            arguments.seed,
            variant=arguments.variant,
            drawn=drawn,
        )
    for path in paths:
        print(path)
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    chosen = config.load(arguments.config, _settings_given(arguments))
    from pipeline import doctor

    lacking = False
    for finding in doctor.examine(chosen, arguments.videos, arguments.out):
        print(escaped(str(finding)), flush=True)
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
    from pipeline.dataset import manifest, report

    manifest.read_manifest(arguments.out)  # says what to do if there is none
    report.write(arguments.out)
    print(f"{arguments.out}/{layout.REPORT}")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from pipeline.dataset import storystream_folder, verify
    from pipeline.runtime import progress

    if storystream_folder.is_one(arguments.out):
        whole = storystream_folder.verify(arguments.out, lambda line: print(escaped(line)))
        return int(not whole)
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
    from pipeline.dataset.exports import clips, documents
    from pipeline.runtime import progress

    manifest.read_manifest(arguments.out)  # says what to do if there is none
    stories, pictures, size = documents.story_pictures(arguments.out)
    if not stories:
        raise ValueError(f"{arguments.out} has no stories: there is nothing to export")
    if arguments.format == "clips":
        if not arguments.videos:
            raise ValueError("clips are cut from the films: name them with --videos")
        with progress.display({}, "looking for the films"):
            paths = clips.export(arguments.out, arguments.to, arguments.videos, progress.say)
    else:
        what = f"{stories} stories with {pictures} pictures of {size / 1e6:.1f} MB"
        print(f"{what} go to {arguments.to}", file=sys.stderr)
        with progress.display({"export": stories}):
            paths = exports.FORMATS[arguments.format](arguments.out, arguments.to)
    for path in paths:
        print(path)
    return 0


def _push(arguments: argparse.Namespace) -> int:
    from pipeline.dataset import hub
    from pipeline.runtime import progress

    with progress.display({}, "looking at the dataset and the repository"):
        address = hub.push(
            arguments.out,
            arguments.repo,
            arguments.i_have_the_rights,
            lambda line: progress.say(escaped(line)),
        )
    print(address)
    return 0


def _adopt(arguments: argparse.Namespace) -> int:
    from pipeline.dataset import storystream_folder

    written = storystream_folder.adopt(arguments.folder, lambda line: print(escaped(line)))
    print(f"{len(written)} shards in {arguments.folder}/{layout.SHARDS}")
    return 0


def _review(arguments: argparse.Namespace) -> int:
    try:
        from pipeline.review import serve
    except ModuleNotFoundError as error:
        if error.name not in ("fastapi", "starlette", "uvicorn"):
            raise
        raise ValueError(
            f"the package {error.name} is not installed: pip install 'storystream[review]' adds it"
        ) from None
    serve.serve(
        arguments.out,
        arguments.videos,
        arguments.host,
        arguments.port,
        arguments.share,
        arguments.by,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
