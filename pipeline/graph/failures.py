"""Keeps an unexpected error of a stage with the film it came from, so that the run goes on.

The film gets a reject in place of the stage's rows, in an output that no later run reuses: each
tries again. What every other film would meet as well still stops the run: a request to stop, a
folder that cannot be written, storage that does not respond, a package that is not installed.
"""

from __future__ import annotations

import traceback

from pipeline.graph.stages import Stage
from pipeline.runtime import stage_outputs, storage
from pipeline.runtime.stage_inputs import UndeclaredRead
from pipeline.runtime.stage_outputs import AnyRow, Film
from schemas import layout
from schemas.rows import Reject

_LONGEST = 500  # characters of an error's message in a reject; the log has all of it


def stops_run(error: Exception, film: Film, out: str) -> bool:
    """Returns whether an error that a stage raised for a film is to end the whole run."""
    if hasattr(error, "exit_code"):  # such as Stop and CannotWrite
        return True
    if isinstance(error, ImportError | UndeclaredRead):
        return True
    if not isinstance(error, OSError):
        return False
    of_dataset = (
        isinstance(error.filename, str)
        and error.filename.startswith((storage.join(out, ""), storage.join(film.work, "")))
        and error.filename not in (film.video.uri, film.video.subtitles)
    )
    return (
        of_dataset
        or storage.is_full(error)
        or any(storage.is_unavailable(path, error) for path in (film.video.uri, out))
    )


def rows(stage: Stage, film: Film, error: Exception) -> list[AnyRow]:
    """Returns what stands for the rows of a stage that failed on a film."""
    kind = stage.rejects or stage.name
    text = " ".join(f"{type(error).__name__}: {error}".split()).encode(errors="backslashreplace")
    reject = Reject(
        kind,
        film.video.uri if kind == "video" else film.video.id,
        stage_outputs.FAILED,
        f"the stage {stage.name} met an error that it does not know: {text.decode()[:_LONGEST]}; "
        f"{layout.WORK}/{layout.FAILURES} has all of it, and the next run tries again",
        film.video.id,
    )
    # Later stages find what is known of every film in the rows of the first one.
    return [film.video, reject] if not film.outputs else [reject]


def log(stage: Stage, film: Film, error: Exception) -> None:
    """Writes the traceback of an error into `work`. Raises CannotWrite."""
    text = "".join(traceback.format_exception(error))
    name = f"{stage.name}-{film.video.id}.txt"
    storage.write_bytes(
        storage.join(film.work, layout.FAILURES, name), text.encode(errors="backslashreplace")
    )


def clear_log(work: str) -> None:
    """Deletes the tracebacks of earlier runs."""
    folder = storage.join(work, layout.FAILURES)
    storage.remove([path for path, _ in storage.find_in(folder, "*")])
