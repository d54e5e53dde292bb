"""Finds counts in `dataset.json` that are not those of the tables."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from pipeline.dataset.verify.index import Index
from pipeline.dataset.verify.problems import RUN, Problem
from schemas.layout import MANIFEST


def check_counts(
    index: Index, keyframes: Counter[str], rejects: int, stories: dict[str, Counter[str]]
) -> Iterator[Problem]:
    """Checks the numbers in the manifest, given those of the tables.

    `keyframes` are counted by film; `stories` has for each film its "stories" and "chunks".
    """
    manifest = index.manifest

    def compare(what: str, stated: int | None, found: int) -> Iterator[Problem]:
        if stated != found:
            yield Problem("count", MANIFEST, f"says {stated} {what}, there are {found}", RUN)

    totals = {
        "videos": len(manifest.videos),
        "keyframes": keyframes.total(),
        "stories": sum(counts["stories"] for counts in stories.values()),
        "chunks": sum(counts["chunks"] for counts in stories.values()),
        "rejects": rejects,
    }
    for name, number in totals.items():
        yield from compare(name, manifest.counts.get(name), number)
    of_split: dict[str, Counter[str]] = defaultdict(Counter)
    for film in manifest.videos:
        yield from compare(f"keyframes of {film.id}", film.keyframes, keyframes[film.id])
        yield from compare(
            f"stories of {film.id}", film.stories, stories.get(film.id, Counter())["stories"]
        )
        if film.id in stories:
            of_split[film.split].update(videos=1, **stories[film.id])
    for split in sorted({*of_split, *manifest.splits}):
        for name in ("videos", "stories", "chunks"):
            yield from compare(
                f"{name} in {split}",
                manifest.splits.get(split, {}).get(name),
                of_split[split][name],
            )
    for name, number in Counter(film.id for film in manifest.videos).items():
        if number > 1:
            yield Problem("manifest", MANIFEST, f"has {number} films {name}", RUN)
