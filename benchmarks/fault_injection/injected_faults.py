"""Faults that `crashes` injects: kills and signals, missing space and permissions, damaged files.

A fault takes an experiment, a folder to run into and a random generator. It runs into the folder
and disturbs the run, or it damages what lies there, and returns what it did and what was wrong with
how the run reacted. It raises NotPossibleHere, with the reason, where this machine does not allow
it. `remove_folder` removes a folder that faults were injected into.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import psutil

from benchmarks.fault_injection import pipeline_runs, resume_checks
from benchmarks.fault_injection.pipeline_runs import IN_ONE_PROCESS, Experiment, RunEnd

# What makes permissions bind the superuser too.
BOUND_BY_PERMISSIONS = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
UNCHANGED = 28  # changes to files, about, of a run that has little to do


class Injected(NamedTuple):
    """What a fault did."""

    what: str
    wrong: list[str]  # with how the run took it


Fault: TypeAlias = Callable[[Experiment, Path, random.Random], Injected]


class NotPossibleHere(Exception):
    """Raised for a fault that this machine does not allow, with the reason."""


def remove_folder(out: Path) -> None:
    """Removes a folder, and the disk that `disk_full` may have mounted there."""
    if os.path.ismount(out):
        subprocess.run(["umount", "--lazy", str(out)], check=True)
    shutil.rmtree(out, ignore_errors=True)


# Killed.
def killed_at_a_change(experiment: Experiment, out: Path, chance: random.Random) -> Injected:
    """Kills a run in one process (SIGKILL) before one of its changes to files and folders."""
    return _run_and_kill(experiment, out, str(chance.randint(1, experiment.changes)))


def killed_while_changing(experiment: Experiment, out: Path, chance: random.Random) -> Injected:
    """Kills a run that changes a finished dataset, of fewer films or of other frames: at a random
    change, or between two of the files that a manifest names."""
    copy_reference(experiment, out)
    other = chance.choice(
        [
            ["--videos", str(sorted(experiment.films.glob("*.mp4"))[0])],
            ["--set", "keyframes.tolerance=0.3"],
        ]
    )
    if chance.random() < 0.5:  # from the other to this one, else from this one to the other
        pipeline_runs.wait_for_end(pipeline_runs.start_run(experiment, out, IN_ONE_PROCESS, *other))
        other = []
    return _run_and_kill(
        experiment,
        out,
        chance.choice(
            [str(chance.randint(1, UNCHANGED)), "before:README.md", "before:dataset.json"]
        ),
        *other,
    )


def _run_and_kill(experiment: Experiment, out: Path, change: str, *more: str) -> Injected:
    ended = pipeline_runs.wait_for_end(
        pipeline_runs.start_run(experiment, out, IN_ONE_PROCESS, *more, dying=change)
    )
    return Injected(
        f"killed before change {change}, ended with {ended.code}",
        [] if ended.code in (0, -signal.SIGKILL) else [f"it ended with {_describe_end(ended)}"],
    )


def driver_killed(experiment: Experiment, out: Path, chance: random.Random) -> Injected:
    """Kills the driver; its workers must end by themselves."""
    return _send_signal(experiment, out, chance, signal.SIGKILL, "")


def worker_killed(experiment: Experiment, out: Path, chance: random.Random) -> Injected:
    """Kills one worker process, often a young one; the driver must end, and say so."""
    return _send_signal(
        experiment,
        out,
        chance,
        signal.SIGKILL,
        "-m pipeline.graph.worker",
        codes=(1,),
        said="a worker process died",
        within=chance.choice([0.02, 1.0]),
    )


def decoder_killed(experiment: Experiment, out: Path, chance: random.Random) -> Injected:
    """Kills a process that decodes a film, as the kernel does where memory is short."""
    return _send_signal(
        experiment,
        out,
        chance,
        signal.SIGKILL,
        "pipeline.runtime import isolation",
        codes=(1,),
        within=0.15,
    )


def interrupted(experiment: Experiment, out: Path, chance: random.Random) -> Injected:
    """Sends SIGINT (Ctrl-C) to the driver."""
    return _send_signal(experiment, out, chance, signal.SIGINT, "", codes=(130, -signal.SIGINT))


def terminated(experiment: Experiment, out: Path, chance: random.Random) -> Injected:
    """Sends SIGTERM to the driver, as batch systems do."""
    return _send_signal(experiment, out, chance, signal.SIGTERM, "", codes=(130, -signal.SIGTERM))


def _send_signal(
    experiment: Experiment,
    out: Path,
    chance: random.Random,
    blow: signal.Signals,
    victim: str,
    codes: Sequence[int] = (-signal.SIGKILL,),
    said: str = "",
    within: float = 1.0,
) -> Injected:
    """Sends a signal to the driver, or to a process whose command contains `victim`, when a random
    number of files is written, from the first share `within` of all, and a random moment later."""
    files = chance.randint(1, round(within * _files(experiment.whole)))
    more = chance.choice([0.0, chance.uniform(0, 2)])  # files come in bursts, with much between
    run = pipeline_runs.start_run(experiment, out)
    late = time.monotonic() + pipeline_runs.TIMEOUT  # `wait_for_end` reports what hangs
    while run.poll() is None and _files(out) < files and time.monotonic() < late:
        time.sleep(0.01)
    time.sleep(more)
    hit: Sequence[Any] = []
    while run.poll() is None and not hit and time.monotonic() < late:
        hit = _processes_with(victim, run) if victim else [run]
        time.sleep(0.01)
    began = pipeline_runs.child_processes(run)
    before = run.poll()
    if before is None and hit:
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended by itself
            chance.choice(hit).send_signal(blow)
    ended = pipeline_runs.wait_for_end(run, began)
    what = f"{blow.name} to {victim or 'the driver'} after {files} files, ended with {ended.code}"
    if before is not None:
        return Injected(
            f"{what} before", [] if before == 0 else [f"it ended with {_describe_end(ended)}"]
        )
    fine = ended.code == 0 or (ended.code in codes and said in ended.said)
    wrong = [] if fine else [f"it ended with {_describe_end(ended)}"]
    if ended.left:
        wrong.append(f"{ended.left} of its processes did not end")
    if "Traceback" in ended.said:
        wrong.append(f"a traceback: {ended.said}")
    return Injected(what, wrong)


def _processes_with(word: str, run: subprocess.Popen[str]) -> list[psutil.Process]:
    """Finds the processes of a run whose command contains a word, except shells that start
    others."""
    found = []
    for process in pipeline_runs.child_processes(run):
        with contextlib.suppress(psutil.NoSuchProcess):
            if word in " ".join(process.cmdline()) and process.name() != "sh":
                found.append(process)
    return found


def _files(out: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(out))


# Not allowed to write.
def disk_full(experiment: Experiment, out: Path, chance: random.Random) -> Injected:
    """Runs onto a disk that is too small, by little or by much; the next run has a larger one."""
    files = {
        file.stat().st_ino: file.stat() for file in experiment.whole.rglob("*") if file.is_file()
    }
    size = chance.randint(4096, sum(file.st_blocks * 512 for file in files.values()) * 9 // 10)
    out.mkdir()
    disk = ["mount", "-t", "tmpfs", "-o"]
    if subprocess.run(
        [*disk, f"size={size}", "none", str(out)], capture_output=True, check=False
    ).returncode:
        raise NotPossibleHere("mounting a small disk takes a superuser")
    ended = pipeline_runs.wait_for_end(pipeline_runs.start_run(experiment, out, IN_ONE_PROCESS))
    subprocess.run([*disk, "remount,size=1g", "none", str(out)], check=True)
    return Injected(
        f"a disk of {size // 1024} kB, ended with {ended.code}",
        _check_refusal(ended, "No space left", str(out)),
    )


def not_permitted(experiment: Experiment, out: Path, chance: random.Random) -> Injected:
    """Makes a folder read-only: the dataset's, or that of the stage outputs."""
    before = BOUND_BY_PERMISSIONS if os.geteuid() == 0 else []
    if before and not shutil.which(before[0]):
        raise NotPossibleHere("permissions do not bind a superuser, and there is no setpriv")
    start = chance.randint(20, experiment.changes // 2)
    _run_and_kill(experiment, out, str(start))
    closed = chance.choice([out, out / "work"])
    folders = [closed, *(path for path in closed.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    ended = pipeline_runs.wait_for_end(
        pipeline_runs.start_run(experiment, out, IN_ONE_PROCESS, before=before)
    )
    for folder in folders:
        folder.chmod(0o755)
    return Injected(
        f"{closed.name} closed after {start} changes, ended with {ended.code}",
        _check_refusal(
            ended, "ermission", str(out)
        ),  # denied when written to, or found missing before
    )


def _check_refusal(ended: RunEnd, *words: str) -> list[str]:
    if (
        ended.code == 2
        and all(word in ended.said for word in words)
        and ("Traceback" not in ended.said)
    ):
        return []
    return [f"it ended with {_describe_end(ended)}"]


def _describe_end(ended: RunEnd) -> str:
    return f"{ended.code} and said: {ended.said[-700:].strip()}"


# Tampered with.
def copy_reference(experiment: Experiment, out: Path) -> None:
    """Copies the undisturbed dataset there, its links too, unless something is there already."""
    if not out.exists():
        subprocess.run(["cp", "-a", str(experiment.whole), str(out)], check=True)


def _truncated(data: bytes, chance: random.Random, other: bytes) -> bytes:
    return data[: chance.randrange(len(data))]


def _emptied(data: bytes, chance: random.Random, other: bytes) -> bytes:
    return b""


def _flipped(data: bytes, chance: random.Random, other: bytes) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def _zeroed(data: bytes, chance: random.Random, other: bytes) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + bytes(len(data) - at)


def _another(data: bytes, chance: random.Random, other: bytes) -> bytes:
    return other


_SHORTER = (_truncated, _emptied)
_ANYHOW = (*_SHORTER, _flipped, _zeroed, _another)


def _damage_files(
    experiment: Experiment,
    out: Path,
    chance: random.Random,
    pattern: str,
    ways: Sequence[Callable[[bytes, random.Random, bytes], bytes]],
    number: int = 2,
) -> Injected:
    """Damages or removes a few files, in place: links to them are damaged too."""
    copy_reference(experiment, out)
    files = [
        path
        for path in sorted(out.glob(pattern))
        if path.is_file() and path.name not in resume_checks.RUN_RECORDS
    ]
    told = []
    for path in chance.sample(files, min(number, len(files))):
        way = chance.choice([*ways, None])
        told.append(f"{path.relative_to(out)} {way.__name__[1:] if way else 'removed'}")
        if way is None:
            path.unlink()
            continue
        others = [other for other in files if other != path and other.suffix == path.suffix]
        other = chance.choice(others or [path]).read_bytes()
        data = path.read_bytes()
        with open(path, "wb") as file:
            file.write(way(data, chance, other) if data else b"\0")
    return Injected(", ".join(told), [])


def stage_outputs_damaged(experiment: Experiment, out: Path, chance: random.Random) -> Injected:
    """Damages or removes stage outputs."""
    return _damage_files(experiment, out, chance, "work/*/*.jsonl", _ANYHOW)


def cached_answers_damaged(experiment: Experiment, out: Path, chance: random.Random) -> Injected:
    """Damages or removes cached answers, and removes the stage outputs that are made of them."""
    done = _damage_files(experiment, out, chance, "work/answers/*/*.json", _ANYHOW)
    for stage in ("captions", "characters", "stories"):
        shutil.rmtree(out / "work" / stage, ignore_errors=True)
    return done


def pictures_damaged(experiment: Experiment, out: Path, chance: random.Random) -> Injected:
    """Truncates or removes pictures, in the dataset or where the stages store them. One of
    unchanged size is for `verify` to find."""
    return _damage_files(
        experiment,
        out,
        chance,
        chance.choice(["work/pictures/*/*.jpg", "images/*/*.jpg"]),
        _SHORTER,
    )


def dataset_damaged(experiment: Experiment, out: Path, chance: random.Random) -> Injected:
    """Damages tables, lines, the manifest or the card, truncates shards, removes the characters."""
    pattern, ways = chance.choice(
        [
            ("*.*", _ANYHOW),
            ("images/*.jsonl", _ANYHOW),
            ("shards/*", _SHORTER),
            ("characters/*", ()),
        ]
    )
    return _damage_files(experiment, out, chance, pattern, ways)


FAULTS: dict[str, Fault] = {
    "kill -9 before a change": killed_at_a_change,
    "kill -9 before a change, of another dataset": killed_while_changing,
    "kill -9 of the driver": driver_killed,
    "kill -9 of a worker": worker_killed,
    "kill -9 of a decoder": decoder_killed,
    "Ctrl-C": interrupted,
    "SIGTERM": terminated,
    "disk full": disk_full,
    "permission denied": not_permitted,
    "stage outputs damaged": stage_outputs_damaged,
    "answers damaged": cached_answers_damaged,
    "pictures damaged": pictures_damaged,
    "dataset damaged": dataset_damaged,
}
DAMAGING = {
    kind for kind in FAULTS if kind.endswith("damaged")
}  # what lies there is then not sound
KILLS = [kind for kind in FAULTS if kind.startswith("kill -9") and "another" not in kind]
