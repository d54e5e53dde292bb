"""Bad things that happen to runs, for `crashes`.

A disturbance takes a bench, a folder to run into and a random generator. It runs into the folder
and spoils the run, or it spoils what lies there, and tells what it did and what was wrong with how
the run took it. It raises Impossible, with the reason, where this machine does not let it. `clear`
removes a folder that disturbances have worked on.
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

from benchmarks.faults import crashes
from benchmarks.faults.crashes import IN_ONE_PROCESS, Bench, Ended

# What makes permissions bind the superuser too.
BOUND = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
UNCHANGED = 28  # changes to files, about, of a run that has little to do


class Done(NamedTuple):
    """What a disturbance did."""

    what: str
    wrong: list[str]  # with how the run took it


Disturbance: TypeAlias = Callable[[Bench, Path, random.Random], Done]


class Impossible(Exception):
    """What this machine does not allow, and why."""


def clear(out: Path) -> None:
    """Removes a folder, and the disk that `full_disk` may have put there."""
    if os.path.ismount(out):
        subprocess.run(["umount", "--lazy", str(out)], check=True)
    shutil.rmtree(out, ignore_errors=True)


# Killed.


def killed_at_a_change(bench: Bench, out: Path, chance: random.Random) -> Done:
    """kill -9 of a run in one process, before one of its changes to files and folders."""
    return _die(bench, out, str(chance.randint(1, bench.changes)))


def killed_while_changing(bench: Bench, out: Path, chance: random.Random) -> Done:
    """The same where another dataset is finished there already, of fewer films or of other frames:
    somewhere, or between two of the files that a manifest names."""
    copy(bench, out)
    other = chance.choice(
        [
            ["--videos", str(sorted(bench.films.glob("*.mp4"))[0])],
            ["--set", "keyframes.tolerance=0.3"],
        ]
    )
    if chance.random() < 0.5:  # from the other to this one, else from this one to the other
        crashes.end(crashes.start(bench, out, IN_ONE_PROCESS, *other))
        other = []
    return _die(
        bench,
        out,
        chance.choice(
            [str(chance.randint(1, UNCHANGED)), "before:README.md", "before:dataset.json"]
        ),
        *other,
    )


def _die(bench: Bench, out: Path, change: str, *more: str) -> Done:
    ended = crashes.end(crashes.start(bench, out, IN_ONE_PROCESS, *more, dying=change))
    return Done(
        f"killed before change {change}, ended with {ended.code}",
        [] if ended.code in (0, -signal.SIGKILL) else [f"it ended with {_how(ended)}"],
    )


def driver_killed(bench: Bench, out: Path, chance: random.Random) -> Done:
    """kill -9 of the driver; its workers must end by themselves."""
    return _strike(bench, out, chance, signal.SIGKILL, "")


def worker_killed(bench: Bench, out: Path, chance: random.Random) -> Done:
    """kill -9 of one worker process, often a young one; the driver must end, and say so."""
    return _strike(
        bench,
        out,
        chance,
        signal.SIGKILL,
        "-m pipeline.graph.worker",
        codes=(1,),
        said="a worker process died",
        within=chance.choice([0.02, 1.0]),
    )


def decoder_killed(bench: Bench, out: Path, chance: random.Random) -> Done:
    """kill -9 of a process that decodes a film, as the kernel does where memory is short."""
    return _strike(
        bench,
        out,
        chance,
        signal.SIGKILL,
        "pipeline.runtime import isolation",
        codes=(1,),
        within=0.15,
    )


def interrupted(bench: Bench, out: Path, chance: random.Random) -> Done:
    """Ctrl-C."""
    return _strike(bench, out, chance, signal.SIGINT, "", codes=(130, -signal.SIGINT))


def terminated(bench: Bench, out: Path, chance: random.Random) -> Done:
    """SIGTERM of the driver, as batch systems send it."""
    return _strike(bench, out, chance, signal.SIGTERM, "", codes=(130, -signal.SIGTERM))


def _strike(
    bench: Bench,
    out: Path,
    chance: random.Random,
    blow: signal.Signals,
    victim: str,
    codes: Sequence[int] = (-signal.SIGKILL,),
    said: str = "",
    within: float = 1.0,
) -> Done:
    """A signal to the driver, or to a process whose command holds `victim`, once there are so many
    files, of the first share `within` of all, and a moment more."""
    files = chance.randint(1, round(within * _files(bench.whole)))
    more = chance.choice([0.0, chance.uniform(0, 2)])  # files come in bursts, with much between
    run = crashes.start(bench, out)
    late = time.monotonic() + crashes.LONGEST  # what hangs is told of by `crashes.end`
    while run.poll() is None and _files(out) < files and time.monotonic() < late:
        time.sleep(0.01)
    time.sleep(more)
    hit: Sequence[Any] = []
    while run.poll() is None and not hit and time.monotonic() < late:
        hit = _called(victim, run) if victim else [run]
        time.sleep(0.01)
    began = crashes.below(run)
    before = run.poll()
    if before is None and hit:
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended by itself
            chance.choice(hit).send_signal(blow)
    ended = crashes.end(run, began)
    what = f"{blow.name} to {victim or 'the driver'} after {files} files, ended with {ended.code}"
    if before is not None:
        return Done(f"{what} before", [] if before == 0 else [f"it ended with {_how(ended)}"])
    fine = ended.code == 0 or (ended.code in codes and said in ended.said)
    wrong = [] if fine else [f"it ended with {_how(ended)}"]
    if ended.left:
        wrong.append(f"{ended.left} of its processes did not end")
    if "Traceback" in ended.said:
        wrong.append(f"a traceback: {ended.said}")
    return Done(what, wrong)


def _called(word: str, run: subprocess.Popen[str]) -> list[psutil.Process]:
    """The processes of a run whose command holds a word, but for shells that start others."""
    found = []
    for process in crashes.below(run):
        with contextlib.suppress(psutil.NoSuchProcess):
            if word in " ".join(process.cmdline()) and process.name() != "sh":
                found.append(process)
    return found


def _files(out: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(out))


# Not allowed to write.


def disk_full(bench: Bench, out: Path, chance: random.Random) -> Done:
    """A disk that is too small, by little or by much; a larger one is there for the next run."""
    files = {file.stat().st_ino: file.stat() for file in bench.whole.rglob("*") if file.is_file()}
    size = chance.randint(4096, sum(one.st_blocks * 512 for one in files.values()) * 9 // 10)
    out.mkdir()
    disk = ["mount", "-t", "tmpfs", "-o"]
    if subprocess.run(
        [*disk, f"size={size}", "none", str(out)], capture_output=True, check=False
    ).returncode:
        raise Impossible("mounting a small disk takes a superuser")
    ended = crashes.end(crashes.start(bench, out, IN_ONE_PROCESS))
    subprocess.run([*disk, "remount,size=1g", "none", str(out)], check=True)
    return Done(
        f"a disk of {size // 1024} kB, ended with {ended.code}",
        _refused(ended, "No space left", str(out)),
    )


def not_permitted(bench: Bench, out: Path, chance: random.Random) -> Done:
    """A folder that must not be written to: the dataset's, or that of the parts."""
    before = BOUND if os.geteuid() == 0 else []
    if before and not shutil.which(before[0]):
        raise Impossible("permissions do not bind a superuser, and there is no setpriv")
    start = chance.randint(20, bench.changes // 2)
    _die(bench, out, str(start))
    closed = chance.choice([out, out / "work"])
    folders = [closed, *(path for path in closed.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    ended = crashes.end(crashes.start(bench, out, IN_ONE_PROCESS, before=before))
    for folder in folders:
        folder.chmod(0o755)
    return Done(
        f"{closed.name} closed after {start} changes, ended with {ended.code}",
        _refused(ended, "Permission denied", str(out)),
    )


def _refused(ended: Ended, *words: str) -> list[str]:
    if (
        ended.code == 2
        and all(word in ended.said for word in words)
        and ("Traceback" not in ended.said)
    ):
        return []
    return [f"it ended with {_how(ended)}"]


def _how(ended: Ended) -> str:
    return f"{ended.code} and said: {ended.said[-700:].strip()}"


# Tampered with.


def copy(bench: Bench, out: Path) -> None:
    """Puts the undisturbed dataset there, its links too, unless something is there already."""
    if not out.exists():
        subprocess.run(["cp", "-a", str(bench.whole), str(out)], check=True)


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


def _spoil(
    bench: Bench,
    out: Path,
    chance: random.Random,
    pattern: str,
    ways: Sequence[Callable[[bytes, random.Random, bytes], bytes]],
    number: int = 2,
) -> Done:
    """Damages or removes a few files, in place: links to them are damaged too."""
    copy(bench, out)
    files = [
        path
        for path in sorted(out.glob(pattern))
        if path.is_file() and path.name not in crashes.RECORD
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
    return Done(", ".join(told), [])


def parts_spoiled(bench: Bench, out: Path, chance: random.Random) -> Done:
    """Part files damaged or removed."""
    return _spoil(bench, out, chance, "work/*/*.jsonl", _ANYHOW)


def answers_spoiled(bench: Bench, out: Path, chance: random.Random) -> Done:
    """Kept answers damaged or removed, and the parts that are made of them removed."""
    done = _spoil(bench, out, chance, "work/answers/*/*.json", _ANYHOW)
    for stage in ("captions", "characters", "stories"):
        shutil.rmtree(out / "work" / stage, ignore_errors=True)
    return done


def pictures_spoiled(bench: Bench, out: Path, chance: random.Random) -> Done:
    """Pictures cut short or removed, in the dataset or where the stages keep them. One that is as
    long as it was is for `verify` to find."""
    return _spoil(
        bench, out, chance, chance.choice(["work/pictures/*/*.jpg", "images/*/*.jpg"]), _SHORTER
    )


def dataset_spoiled(bench: Bench, out: Path, chance: random.Random) -> Done:
    """Tables, lines, the manifest or the card damaged, shards cut short, who is who removed."""
    pattern, ways = chance.choice(
        [
            ("*.*", _ANYHOW),
            ("images/*.jsonl", _ANYHOW),
            ("shards/*", _SHORTER),
            ("characters/*", ()),
        ]
    )
    return _spoil(bench, out, chance, pattern, ways)


KINDS: dict[str, Disturbance] = {
    "kill -9 before a change": killed_at_a_change,
    "kill -9 before a change, of another dataset": killed_while_changing,
    "kill -9 of the driver": driver_killed,
    "kill -9 of a worker": worker_killed,
    "kill -9 of a decoder": decoder_killed,
    "Ctrl-C": interrupted,
    "SIGTERM": terminated,
    "disk full": disk_full,
    "permission denied": not_permitted,
    "parts spoiled": parts_spoiled,
    "answers spoiled": answers_spoiled,
    "pictures spoiled": pictures_spoiled,
    "dataset spoiled": dataset_spoiled,
}

SPOILING = {kind for kind in KINDS if kind.endswith("spoiled")}  # what lies there is then not sound
KILLS = [kind for kind in KINDS if kind.startswith("kill -9") and "another" not in kind]
