"""Fuzzes the pipeline with small films of many formats, mutated by a seeded generator.

Each mutated film goes through the pipeline's own steps (keyframes, subtitles) in a process of its
own with the same limits of time and memory. Counted is what must never happen: an exception that
escapes, a process that dies, a limit that is exceeded, a file written outside its folder. Films
that cause that are kept under their number, from which the same seed makes them.
"""

from __future__ import annotations

import collections
import concurrent.futures
import os
import re
import shutil
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from benchmarks.fault_injection.markdown import rows_to_markdown
from benchmarks.fault_injection.mutations import make_films, mutate_film
from pipeline.config import load
from pipeline.ingest import discovery, subtitles
from pipeline.keyframes.extract import extract_film
from pipeline.runtime import isolation, stage_outputs
from schemas.rows import Keyframe, Reject, Video

FAILURES = Path("bench/fuzz")  # where films that caused a failure are kept
_PROCESSES = 2
_Table: TypeAlias = tuple[str, Sequence[str], Sequence[Sequence[Any]]]  # title, heads, rows


class Outcome(NamedTuple):
    """The outcome of one film."""

    kind: str  # "read", "rejected", or what must not happen: "escaped", "outside", "crashed"
    detail: str  # the reason of a reject, the trace of an exception, why a process died
    keyframes: int = 0
    subtitles: str = ""  # "read", "none" or why they are not
    seconds: float = 0.0  # CPU
    memory: float = 0.0  # MB, the most that the process had


def process_film(path: str, out: str, here: str) -> Outcome:
    """Processes a film as the pipeline does, its work under `out`. For `isolation.call`, on Linux.

    `here` is an empty folder that becomes the working and the temporary folder of the process.
    """
    os.chdir(here)
    tempfile.tempdir = here
    Path("/proc/self/clear_refs").write_text("5")  # from here on, the most memory counts anew
    started = time.process_time()
    try:
        kind, detail, count, said = _process(path, out)
    except Exception:
        kind, detail, count, said = "escaped", traceback.format_exc(), 0, ""
    finally:
        tempfile.tempdir = None  # the folder is removed, and the process used again
    most = re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())
    return Outcome(
        kind,
        detail,
        count,
        said,
        time.process_time() - started,
        int(most[1]) / 1024 if most else 0.0,
    )


def _process(path: str, out: str) -> tuple[str, str, int, str]:
    videos, rejects = discovery.find(path)
    if rejects:
        return "rejected", rejects[0].reason, 0, ""
    rows = extract_film(
        videos[0],
        load().keyframes,
        os.path.join(out, "pictures"),
        os.path.join(out, "segments"),
        1,
        lambda share: None,
    )
    try:
        said = "read" if subtitles.read(stage_outputs.only(Video, rows)[0]).lines else "none"
    except (subtitles.SubtitlesError, OSError):
        said = "rejected"
    whole = [reject for reject in stage_outputs.only(Reject, rows) if reject.stage == "video"]
    found = len(stage_outputs.only(Keyframe, rows))
    if bool(found) == bool(whole):
        raise AssertionError(f"{found} keyframes and these rejects of the film: {whole}")
    if not whole:
        return "read", "", found, said
    # Without the path and what else differs from film to film.
    detail = re.sub(r"\[Errno \d+\] |: '.*", "", whole[0].detail, flags=re.DOTALL)
    detail = re.sub(r"\d+(\.\d+)?", "N", detail)
    return "rejected", f"{whole[0].reason}: {detail}", 0, said


def run_film(name: str, data: bytes, folder: Path) -> Outcome:
    """Returns the outcome of one film, in a process of its own. `folder` is created for it and
    removed."""
    out, here = folder / "out", folder / "here"
    here.mkdir(parents=True)
    film = folder / f"film{Path(name).suffix}"
    film.write_bytes(data)
    try:
        outcome = isolation.call(process_film, str(film), str(out), str(here), size=len(data))
    except RuntimeError as error:  # isolation.Crashed, or killed by the system
        return Outcome("crashed", str(error))
    else:
        strange = [
            *here.iterdir(),
            *(
                path
                for path in folder.rglob("*")
                if path.is_file() and path != film and out not in path.parents
            ),
            *out.rglob("*.tmp"),
        ]
        if strange or film.read_bytes() != data:
            return Outcome("outside", f"{[str(path) for path in strange]} or the film's own bytes")
        return outcome
    finally:
        shutil.rmtree(folder)


def run_films(
    sound: dict[str, bytes], seed: int, count: int, folder: Path
) -> Iterator[tuple[str, Outcome]]:
    """Yields name and outcome of each of `count` mutated films, in their order."""

    def run(number: int) -> tuple[str, Outcome]:
        """Mutates and processes the film of a number."""
        name, data = mutate_film(sound, seed, number)
        outcome = run_film(name, data, folder / str(number))
        if outcome.kind not in ("read", "rejected"):
            FAILURES.mkdir(parents=True, exist_ok=True)
            (FAILURES / f"seed-{seed}-{name}").write_bytes(data)
        return name, outcome

    with concurrent.futures.ThreadPoolExecutor(_PROCESSES) as pool:
        yield from pool.map(run, range(count))


def run(count: int = 2000, seed: int = 0) -> tuple[str, int]:
    """Runs `count` mutated films; returns the tables and the number of failures."""
    with tempfile.TemporaryDirectory(prefix="storystream-fuzz-") as name:
        folder = Path(name)
        sound = make_films(folder)
        whole = {ending: run_film(ending, data, folder / "sound") for ending, data in sound.items()}
        if lost := {film: outcome for film, outcome in whole.items() if outcome.kind != "read"}:
            raise RuntimeError(f"unmutated films are not read: {lost}")
        started = time.monotonic()
        found = list(run_films(sound, seed, count, folder))
        wall = time.monotonic() - started
        left = [path.name for path in folder.iterdir()]
    bad = [(film, outcome) for film, outcome in found if outcome.kind not in ("read", "rejected")]
    tables = [
        rows_to_markdown(*content)
        for content in (
            _outcome_table(found, whole),
            _reason_table(found),
            _figure_table(found, wall, left),
        )
    ]
    return "\n\n".join(
        [*tables, *(f"{film}: {outcome.kind}: {outcome.detail}" for film, outcome in bad)]
    ), len(bad) + len(left)


def _original_name(film: str, whole: dict[str, Outcome]) -> str:
    """Returns the original that a mutated film is made of."""
    return max(
        (
            name
            for name in whole
            if film[6:].startswith(os.path.splitext(name)[0] + "-")
            and film.endswith(os.path.splitext(name)[1])
        ),
        key=len,
    )


def _outcome_table(found: list[tuple[str, Outcome]], whole: dict[str, Outcome]) -> _Table:
    rows: list[list[Any]] = []
    for name in sorted(whole):
        of = [outcome for film, outcome in found if _original_name(film, whole) == name]
        kinds = collections.Counter(outcome.kind for outcome in of)
        fewer = sum(
            outcome.kind == "read" and outcome.keyframes < whole[name].keyframes for outcome in of
        )
        rows.append(
            [
                name,
                len(of),
                kinds["read"] - fewer,
                fewer,
                kinds["rejected"],
                kinds["crashed"],
                kinds["escaped"],
                kinds["outside"],
            ]
        )
    rows.append(["all", *(sum(row[i] for row in rows) for i in range(1, 8))])
    return (
        "Mutated films",
        [
            "made of",
            "films",
            "read",
            "read with fewer keyframes",
            "rejected",
            "process died or passed a limit",
            "exception escaped",
            "wrote elsewhere",
        ],
        rows,
    )


def _reason_table(found: list[tuple[str, Outcome]]) -> _Table:
    reasons = collections.Counter(
        outcome.detail.partition("\n")[0]
        for _, outcome in found
        if outcome.kind in ("rejected", "crashed")
    )
    return ("Why they were rejected", ["reason", "films"], reasons.most_common())


def _figure_table(found: list[tuple[str, Outcome]], wall: float, left: list[str]) -> _Table:
    slow = max(found, key=lambda item: item[1].seconds)
    large = max(found, key=lambda item: item[1].memory)
    said = collections.Counter(outcome.subtitles for _, outcome in found if outcome.subtitles)
    return (
        "Figures",
        ["what", "figure"],
        [
            ["films per second", f"{len(found) / wall:.1f}"],
            ["slowest", f"{slow[1].seconds:.2f} s of CPU, {slow[0]}"],
            ["most memory", f"{large[1].memory:.0f} MB, {large[0]}"],
            ["subtitles", ", ".join(f"{kind}: {number}" for kind, number in sorted(said.items()))],
            ["left in the temporary folder", ", ".join(left) or "nothing"],
        ],
    )
