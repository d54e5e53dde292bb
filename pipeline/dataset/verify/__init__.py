"""Verifies a finished dataset folder: is it whole, and consistent? Here, or wherever it was copied.

First the files: each that `dataset.json` names, with its size and digest, and no other. Then the
tables against each other and against their pictures, then what is derived from them: the JSONL, the
shards, the split. Nothing is taken from the stages that made it but the formats and the perceptual
hash, so that a fault of theirs shows.

Each check is a generator of problems. Tables, shards and pictures are read a piece at a time: only
ids and digests stay in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from pipeline.dataset.manifest import read_manifest
from pipeline.dataset.verify.captions import check_captions
from pipeline.dataset.verify.cast import check_cast
from pipeline.dataset.verify.counts import check_counts
from pipeline.dataset.verify.files import check_files
from pipeline.dataset.verify.index import Index
from pipeline.dataset.verify.jsonl import check_jsonl
from pipeline.dataset.verify.keyframes import check_keyframes
from pipeline.dataset.verify.leaks import check_leaks
from pipeline.dataset.verify.problems import Problem
from pipeline.dataset.verify.rejects import check_rejects
from pipeline.dataset.verify.scenes import check_scenes
from pipeline.dataset.verify.shards import check_shards
from pipeline.dataset.verify.stories import check_stories
from pipeline.dataset.verify.table_schemas import check_table_schemas
from pipeline.dataset.verify.unexplained import check_unexplained
from pipeline.dataset.verify.unknown_files import check_unknown_files
from pipeline.dataset.verify.videos import check_videos
from pipeline.runtime import progress
from pipeline.runtime.counted import counted, plural
from schemas import layout

SHOWN = 20  # problems of a kind that are written out


class Verdict(NamedTuple):
    """All that is wrong with a dataset."""

    problems: list[Problem]  # the first SHOWN of each kind
    counts: Counter[str]  # how many there are of each kind
    summary: str  # what was checked


def steps(out: str) -> int:
    """Returns how many steps `verify` reports as done: files and pictures of keyframes.

    Raises ValueError where the folder is not a finished dataset.
    """
    manifest = read_manifest(out)
    return len(manifest.files) + manifest.counts.get("keyframes", 0)


def verify(out: str) -> Verdict:
    """Checks the dataset in the folder `out`.

    Raises ValueError where the folder is not a finished dataset.
    """
    manifest = read_manifest(out)
    sources = {
        film.id: {"license": film.license, "attribution": film.attribution}
        for film in manifest.videos
    }
    index = Index(out, manifest, {film.id: film.split for film in manifest.videos}, sources)
    problems: list[Problem] = []
    counts: Counter[str] = Counter()
    for problem in _problems(index):
        counts[problem.kind] += 1
        if counts[problem.kind] <= SHOWN:
            problems.append(problem)
    pictures = len(index.pictures) + sum(
        not image.startswith(f"{layout.IMAGES}/") for image in index.reject_images
    )
    contents = ", ".join(
        counted(manifest.counts.get(plural(noun), 0), noun).replace("video", "film")
        for noun in ("video", "keyframe", "story", "chunk", "reject")
    )
    files = counted(len(manifest.files) + pictures + 1, "file")
    return Verdict(problems, counts, f"{files}, {contents}")


def describe(verdict: Verdict) -> str:
    """Describes a verdict: a line for each problem, and how many there are."""
    lines = []
    for kind, count in verdict.counts.items():
        lines += [
            f"{kind}: {problem.where}: {problem.what}; {problem.remedy}"
            for problem in verdict.problems
            if problem.kind == kind
        ]
        if count > SHOWN:
            lines.append(f"{kind}: and {count - SHOWN} more")
    total = verdict.counts.total()
    end = f"{counted(total, 'problem')} in" if total else "verified:"
    return "\n".join([*lines, f"{end} {verdict.summary}"])


def _problems(index: Index) -> Iterator[Problem]:
    bad_files = yield from check_files(index)
    if (yield from check_table_schemas(index, bad_files)):
        yield from check_videos(index)
        keyframes = yield from check_keyframes(index)
        progress.doing("verify", "the tables")
        rejects = yield from check_rejects(index)
        yield from check_cast(index)
        yield from check_scenes(index)
        yield from check_captions(index)
        stories = yield from check_stories(index)
        yield from check_counts(index, keyframes, rejects, stories)
        yield from check_unexplained(index)
        yield from check_jsonl(index, bad_files)
        progress.doing("verify", "the shards")
        yield from check_shards(index, bad_files)
        progress.doing("verify", "near-duplicates of train in val")
        yield from check_leaks(index)
        yield from check_unknown_files(index)
