"""Runs that are killed, starved and tampered with: does the next run make the same dataset?

A `Bench` is a few films, a scripted model server and what an undisturbed run makes of them. Each of
`disturbances` does something bad to a run into a folder, or to what lies there. After it nothing
may be half-written (`unsound`), and `finish` runs the command once more: it must end well,
make the very same bytes, do only what was missing and ask no question whose answer is kept.

The films of a bench have what makes the graph busy: subtitles with a name, shots that both have, a
black one, a film that cannot be read. Runs are real processes of `python -m pipeline dataset`. Some
disturbances want its worker processes and strike when they may; others make it one process, so that
a seed says exactly where it dies.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil

from benchmarks.faults.tables import table
from benchmarks.model_server import Behaviour, Reply, Server, answering, completion, serving
from pipeline.graph.stages import names as stage_names
from pipeline.inference import response_cache
from pipeline.runtime import stage_outputs
from tests.films import make_film, moving, scene, still

RECORD = {"run.json", "report.html"}  # of the dataset folder, what tells of the run itself
HEADS = (
    "disturbance",
    "times",
    "sound after it",
    "finished",
    "identical",
    "did only what was missing",
    "parts reused",
    "median s of the last run",
)
IN_ONE_PROCESS = "--direct_running_mode=in_memory"
LONGEST = 200.0  # seconds after which a run counts as hanging
GRACE = 15.0  # seconds that what a run has started may outlive it


class Ended(NamedTuple):
    """How a run ended."""

    code: int  # minus the signal that ended it
    said: str  # on standard error
    seconds: float
    left: int  # processes it had started that had to be killed


class Bench(NamedTuple):
    """What is run and what it makes when nothing happens."""

    films: Path
    server: Server
    home: Path  # folders to run into go here
    whole: Path  # the undisturbed dataset
    changes: int  # that the undisturbed run made to files and folders
    seconds: float  # that it took


class Finished(NamedTuple):
    """What the run after a disturbance did."""

    ended: Ended
    wrong: list[str]  # how the dataset differs from the undisturbed one
    again: list[str]  # what was made or asked that was there, or not made that was missing
    reused: float  # share of the parts that were there


@contextlib.contextmanager
def bench(home: Path) -> Iterator[Bench]:
    """A bench in a folder of its own, until the block ends."""
    films = home / "films"
    _draw(films)
    with serving(_naming_ada()) as server:
        found = Bench(films, server, home, home / "undisturbed", 0, 0.0)
        count = home / "changes"
        ended = end(start(found, found.whole, IN_ONE_PROCESS, dying=str(count)))
        if ended.code:
            raise RuntimeError(f"the undisturbed run ended with {ended.code}:\n{ended.said}")
        yield found._replace(changes=int(count.read_text()), seconds=ended.seconds)


def _draw(folder: Path) -> None:
    folder.mkdir()
    both = moving(scene(1), 16) + moving(scene(2), 16)
    black = still(np.zeros_like(scene(1)), 16)
    for episode in (1, 2):
        make_film(
            folder / f"S01E0{episode}.mp4",
            both
            + black
            + [
                frame for number in range(10) for frame in moving(scene(episode * 100 + number), 16)
            ],
        )
        (folder / f"S01E0{episode}.srt").write_text(
            f"1\n00:00:02,000 --> 00:00:04,000\nAda: Hello, number {episode}!\n"
        )
    (folder / "S01E03.mp4").write_bytes(b"no film" * 100)


def _naming_ada() -> Behaviour:
    """Answers well, and knows a character, so that there is a file of them."""
    normal = answering()
    cast = json.dumps(
        {
            "characters": [
                {
                    "name": "Ada",
                    "look": "a girl in a red coat",
                    "role": "a friend",
                    "called": ["a girl in a red coat"],
                }
            ]
        }
    )

    async def behaviour(question: dict[str, Any], server: Server) -> Reply:
        if question["response_format"]["json_schema"]["name"] == "characters":
            return completion(question, {"role": "assistant", "content": cast})
        return await normal(question, server)

    return behaviour


def start(
    bench: Bench, out: Path, *more: str, dying: str = "", before: Sequence[str] = ()
) -> subprocess.Popen[str]:
    """Begins a run into `out`; `dying` is what `faults.dying` wants to know, `before` what the
    command is put behind."""
    program = ["benchmarks.faults.dying", dying, str(out)] if dying else ["pipeline"]
    command = [
        *before,
        sys.executable,
        "-m",
        *program,
        "dataset",
        "--videos",
        str(bench.films),
        "--out",
        str(out),
        "--captioner",
        f"openai:eyes@{bench.server.url}",
        "--writer",
        f"openai:pen@{bench.server.url}",
        *more,
    ]
    return subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "OPENAI_API_KEY": "any word"},
    )


def end(process: subprocess.Popen[str], began: list[psutil.Process] | None = None) -> Ended:
    """The end of a run, and of those it `began`; one that does not end is killed and says so."""
    started = time.monotonic()
    try:
        _, said = process.communicate(timeout=LONGEST)
    except subprocess.TimeoutExpired:
        began = [*(began or []), *below(process)]
        process.kill()
        said = f"{process.communicate()[1]}\nit hung: killed after {LONGEST:.0f} s"
    _, left = psutil.wait_procs(began or [], timeout=GRACE)
    for one in left:
        one.kill()
    return Ended(process.returncode, said, time.monotonic() - started, len(left))


def below(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The processes that a run has started, and those that these have."""
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def finish(bench: Bench, out: Path, *more: str) -> Finished:
    """Runs the command once more and compares what it made, and did, with what it should have."""
    there, asked = parts_there(bench, out), len(bench.server.asked)
    missing = sum(not _kept(out, name) for name in answers(bench.whole))
    ended = end(start(bench, out, *(more or [IN_ONE_PROCESS])))
    if ended.code:
        return Finished(ended, [f"exit code {ended.code}: {ended.said[-500:]}"], [], 0.0)
    again = []
    did = {stage["name"]: stage for stage in json.loads((out / "run.json").read_text())["stages"]}
    for name, stage in ((name, did[name]) for name in stage_names()):
        wanted = len(part_names(bench.whole, name))
        if (stage["done"], stage["reused"]) != (wanted - there[name], there[name]):
            again.append(
                f"{name}: {there[name]} of {wanted} parts were there, {stage['done']} "
                f"were made and {stage['reused']} reused"
            )
    asked = len(bench.server.asked) - asked
    if asked > missing:
        again.append(f"{asked} questions were asked, {missing} answers were missing")
    return Finished(
        ended,
        different(bench.whole, out),
        again,
        there.total() / sum(len(part_names(bench.whole, name)) for name in stage_names()),
    )


def different(one: Path, other: Path) -> list[str]:
    """How the files of another dataset differ from those of one."""
    wanted, made = _digests(one), _digests(other)
    return [
        f"{name} {'differs' if name in wanted and name in made else 'is missing'}"
        if name in wanted
        else f"{name} is too much"
        for name in sorted(wanted.keys() | made.keys())
        if wanted.get(name) != made.get(name)
    ]


def _digests(out: Path) -> dict[str, str]:
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in out.rglob("*")
        if path.is_file() and path.relative_to(out).parts[0] not in {"work", *RECORD}
    }


def part_names(out: Path, stage: str) -> list[str]:
    """The parts of a stage, relative to `out`."""
    return sorted(f"work/{stage}/{path.name}" for path in (out / "work" / stage).glob("*.jsonl"))


def parts_there(bench: Bench, out: Path) -> Counter[str]:
    """How many parts of each stage the next run into `out` finds done."""
    return Counter(
        {
            stage: sum(
                same(bench.whole / name, out / name)
                and (
                    stage != "keyframes"
                    or _with_pictures(
                        bench.whole / "work" / "pictures" / Path(name).stem,
                        out / "work" / "pictures" / Path(name).stem,
                    )
                )
                for name in part_names(bench.whole, stage)
            )
            for stage in stage_names()
        }
    )


def same(one: Path, other: Path) -> bool:
    """Whether two files are there and have the same content."""
    return other.exists() and one.read_bytes() == other.read_bytes()


def _with_pictures(folder: Path, other: Path) -> bool:
    return all(same(path, other / path.relative_to(folder)) for path in folder.rglob("*.jpg"))


def answers(out: Path) -> list[str]:
    """The files of all answers that are kept, relative to `out`."""
    return sorted(str(path.relative_to(out)) for path in out.glob("work/answers/*/*.json"))


def _kept(out: Path, answer: str) -> bool:
    return response_cache.load(str(out / "work"), Path(answer).stem) is not None


def unsound(out: Path) -> list[str]:
    """What is half-written in a folder: parts, answers, and files that a manifest vouches for."""
    found = []
    for path in out.glob("work/*/*.jsonl"):
        try:
            stage_outputs.load(str(path))
        except ValueError as error:
            found.append(str(error))
    found += [f"{name} is damaged" for name in answers(out) if not _kept(out, name)]
    if (out / "dataset.json").exists():
        for file in json.loads((out / "dataset.json").read_bytes())["files"]:
            path = out / file["path"]
            if not path.exists() or file["sha256"] != hashlib.sha256(path.read_bytes()).hexdigest():
                found.append(f"{path} is not what dataset.json says")
    return found


def disturb(
    bench: Bench, out: Path, kinds: Sequence[str], chance: random.Random
) -> tuple[list[str], list[str], Finished]:
    """Disturbs a folder by each of some kinds, and finishes it.

    Returns what was done and what was wrong before the last run. Raises
    `disturbances.Impossible` where this machine does not allow a kind.
    """
    from benchmarks.faults import disturbances  # which need a bench

    did, wrong = [], []
    try:
        for kind in kinds:
            done = disturbances.KINDS[kind](bench, out, chance)
            did.append(f"{kind}: {done.what}")
            wrong += done.wrong
            if not disturbances.SPOILING.intersection(kinds):  # these leave what is not sound
                wrong += unsound(out)
        return did, wrong, finish(bench, out)
    finally:
        disturbances.clear(out)


def run(times: int = 50, seed: int = 0, show: Callable[[str], None] = print) -> tuple[str, int]:
    """Disturbs so many folders; returns the tables and how many of them did not come out right.

    The kinds take turns. Every third folder is disturbed twice or thrice before its last run, and
    counts for the first of its kinds. `show` is told of each folder.
    """
    from benchmarks.faults import disturbances

    rows: dict[str, list[_Row]] = {kind: [] for kind in disturbances.KINDS}
    bad, left_out = 0, {}
    with tempfile.TemporaryDirectory(prefix="storystream-bench-") as folder:
        home = Path(folder)
        home.chmod(0o755)  # for the run of somebody who may not write
        with bench(home) as each:
            for number, kind in zip(range(times), itertools.cycle(rows), strict=False):
                chance = random.Random(f"{seed}-{number}")
                more = chance.sample(disturbances.KILLS, chance.choice([0, 0, 1, 2]))
                try:
                    did, wrong, finished = disturb(each, home / str(number), [kind, *more], chance)
                except disturbances.Impossible as error:
                    left_out[kind] = str(error)
                    continue
                rows[kind].append(_Row(not wrong, finished))
                faults = [*wrong, *finished.wrong, *finished.again]
                bad += bool(faults)
                show(f"{number}: {'; '.join(did)}: {'; '.join(faults) or 'as it should be'}")
    return "\n".join(
        [
            table(
                f"{times} folders disturbed, seed {seed}; an undisturbed run takes "
                f"{each.seconds:.1f} s",
                HEADS,
                [[kind, *_figures(found)] for kind, found in rows.items() if found],
            ),
            *(f"left out: {kind}: {why}" for kind, why in left_out.items()),
        ]
    ), bad


class _Row(NamedTuple):
    sound: bool
    finished: Finished


def _figures(rows: Sequence[_Row]) -> list[Any]:
    ends = [row.finished for row in rows]
    return [
        len(rows),
        sum(row.sound for row in rows),
        sum(end.ended.code == 0 for end in ends),
        sum(not end.wrong for end in ends),
        sum(not end.again for end in ends),
        f"{100 * statistics.mean(end.reused for end in ends):.0f} %",
        f"{statistics.median(end.ended.seconds for end in ends):.1f}",
    ]
