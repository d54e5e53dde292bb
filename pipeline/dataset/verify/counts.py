"""The counts: what `dataset.json` says there is, and what is there."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from pipeline.dataset.verify.known import Known
from pipeline.dataset.verify.problems import RUN, Problem


def check_counts(
    known: Known, keyframes: Counter[str], rejects: int, stories: dict[str, Counter[str]]
) -> Iterator[Problem]:
    """The numbers in the manifest against the tables."""
    manifest = known.manifest

    def differ(what: str, said: int | None, found: int) -> Iterator[Problem]:
        if said != found:
            yield Problem("count", "dataset.json", f"says {said} {what}, there are {found}", RUN)

    found = {
        "videos": len(manifest.videos),
        "keyframes": keyframes.total(),
        "stories": sum(one["stories"] for one in stories.values()),
        "chunks": sum(one["chunks"] for one in stories.values()),
        "rejects": rejects,
    }
    for name, number in found.items():
        yield from differ(name, manifest.counts.get(name), number)
    sides: dict[str, Counter[str]] = defaultdict(Counter)
    for film in manifest.videos:
        yield from differ(f"keyframes of {film.id}", film.keyframes, keyframes[film.id])
        yield from differ(
            f"stories of {film.id}", film.stories, stories.get(film.id, Counter())["stories"]
        )
        if film.id in stories:
            sides[film.split].update(videos=1, **stories[film.id])
    for side in sorted({*sides, *manifest.splits}):
        for name in ("videos", "stories", "chunks"):
            yield from differ(
                f"{name} in {side}", manifest.splits.get(side, {}).get(name), sides[side][name]
            )
    for name, number in Counter(film.id for film in manifest.videos).items():
        if number > 1:
            yield Problem("manifest", "dataset.json", f"has {number} films {name}", RUN)
