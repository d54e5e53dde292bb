"""Is a dataset folder whole and does it hold together? Here, or wherever it was copied to.

First the files: each that `dataset.json` names, with its bytes and digest, and none that nothing
explains. Then the tables against each other and against their pictures, then what is made of them:
the JSONL, the shards, the split. Nothing is taken from the stages that made it but the formats and
the measure of likeness, so that a fault of theirs shows.

Each check is a generator of what is wrong. Tables, shards and pictures are read a piece at a time:
what stays in memory is ids and digests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from pipeline.dataset.manifest import read_manifest
from pipeline.dataset.verify.counts import check_counts
from pipeline.dataset.verify.files import check_files, check_strays
from pipeline.dataset.verify.keyframes import check_captions, check_keyframes
from pipeline.dataset.verify.known import Known
from pipeline.dataset.verify.leaks import check_leaks
from pipeline.dataset.verify.lines import check_lines
from pipeline.dataset.verify.problems import Problem
from pipeline.dataset.verify.rejects import check_left_out, check_rejects
from pipeline.dataset.verify.shards import check_shards
from pipeline.dataset.verify.stories import check_stories
from pipeline.dataset.verify.tables import check_schemas
from schemas.storystream import IMAGES

SHOWN = 20  # problems of a kind that are written out


class Verdict(NamedTuple):
    """All that is wrong with a dataset."""

    problems: list[Problem]  # the first SHOWN of each kind
    counts: Counter[str]  # how many there are of each kind
    summary: str  # what was looked at


def verify(out: str) -> Verdict:
    """What is wrong with the dataset in the folder `out`.

    Raises ValueError where the folder is no finished dataset.
    """
    manifest = read_manifest(out)
    known = Known(out, manifest, {film.id: film.split for film in manifest.videos})
    problems: list[Problem] = []
    counts: Counter[str] = Counter()
    for problem in _problems(known):
        counts[problem.kind] += 1
        if counts[problem.kind] <= SHOWN:
            problems.append(problem)
    pictures = len(known.pictures) + sum(
        not image.startswith(f"{IMAGES}/") for image in known.reject_images
    )
    shown = ", ".join(
        f"{manifest.counts.get(name, 0)} {label}"
        for name, label in (
            ("videos", "films"),
            ("keyframes", "keyframes"),
            ("stories", "stories"),
            ("chunks", "chunks"),
            ("rejects", "rejects"),
        )
    )
    return Verdict(problems, counts, f"{len(manifest.files) + pictures + 1} files, {shown}")


def describe(verdict: Verdict) -> str:
    """A verdict in words: a line a problem, and how many there are."""
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
    end = f"{total} problem{'s' * (total != 1)} in" if total else "verified:"
    return "\n".join([*lines, f"{end} {verdict.summary}"])


def _problems(known: Known) -> Iterator[Problem]:
    bad = yield from check_files(known)
    if (yield from check_schemas(known, bad)):
        keyframes = yield from check_keyframes(known)
        yield from check_captions(known)
        rejects = yield from check_rejects(known)
        stories = yield from check_stories(known)
        yield from check_counts(known, keyframes, rejects, stories)
        yield from check_left_out(known)
        yield from check_lines(known, bad)
        yield from check_shards(known, bad)
        yield from check_leaks(known)
        yield from check_strays(known)
