"""Do the pictures of a story belong together, and is it not the same picture again and again?

Every measure is a margin: how much liker pairs of panels are that should be alike than pairs of the
same story that need not be. So no measure is won by pictures that are all alike (one picture
repeated, noise, a painter with one colour), nor by true pictures in disorder: they have about 0.

    scene       neighbours against panels far apart, by early statistics (style) and late features
    character   the same main character against different ones, always in different places
    place       the same place against different ones, always with different main characters

Beside them stand the share of near copies and how varied the panels are: a margin alone would not
show a story of two pictures. The first picture of a story is given, so no pair has it. Likeness to
that first picture and raw likeness of neighbours (CLIP-I) are not measured: in true stories the
former is no higher than in shuffled ones, and the latter is highest for noise and copies.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.metrics import embeddings
from benchmarks.metrics.embeddings import Embedder
from benchmarks.metrics.truth import illustrates
from benchmarks.readback import Truth
from benchmarks.results import Cell, Column, Figure, Table
from benchmarks.statistics import mean
from benchmarks.stories import Pictures, Story, pictures
from pipeline.inference.builtin import efficientnet
from pipeline.keyframes.near_duplicates import (
    HASH_BITS,
    distance_blocks,
    pack_hashes,
    perceptual_hash,
)

Floats = NDArray[np.floating]
Flags = NDArray[np.bool_]
Hashes = NDArray[np.uint64]  # [n, 4]: 256 bits each

APART = 5  # panels: no neighbours any more
COPY = 0.85  # share of equal hash bits; true panels of a story have up to 0.68, blurred copies 0.91
EARLY = (0, 2, 4)  # blocks of EfficientNet-Lite0: strides of 2, 4 and 8 pixels
CENTRE = np.s_[1:6, 3:9]  # of 7 x 12 cells: where figures are

STYLE = Column("scene, style", "higher")
SCENE = Column("scene, EfficientNet-Lite0", "higher")
CHARACTER, PLACE = Column("character", "higher"), Column("place", "higher")
COPIES = Column("copies of an earlier panel", "lower", "%", 1)
MEMORISED = Column("copies of a training picture", "lower", "%", 1)
DIVERSITY = Column("diversity beside the true story", "", "", 2)


def likeness(features: Floats) -> Floats:
    """How alike a story's panels are, [n, n]: products of their features [n, width] less what
    grows in a straight line from panel to panel. For features of length 1, their differences are
    those of cosines.

    Without that line, a painter whose pictures become ever softer would have the most consistent
    stories: neighbours are equally soft.
    """
    steps = np.linspace(-1, 1, len(features))
    line = np.stack([np.ones_like(steps), steps], axis=1)
    left = features - line @ np.linalg.lstsq(line, features, rcond=None)[0]
    return left @ left.T


def margins(alike: Floats, same: Flags, other: Flags) -> Floats:
    """For each panel, its mean likeness to those of `same` minus its mean likeness to `other`.

    All are [n, n]; gives [n], nan where a panel has no pair of either kind.
    """

    def of(chosen: Flags) -> Floats:
        count = chosen.sum(1)
        return np.where(count, (alike * chosen).sum(1) / np.maximum(count, 1), np.nan)

    return of(same) - of(other)


def neighbours(count: int) -> tuple[Flags, Flags]:
    """Which pairs of a story's panels stand side by side and which at least APART, [n, n] each."""
    steps = np.abs(np.subtract.outer(np.arange(count), np.arange(count)))
    return steps == 1, steps >= APART


def pairs(labels: Sequence[str | None]) -> tuple[Flags, Flags]:
    """Which pairs of panels have the same label and which have different ones, [n, n] each; a panel
    without a label is in no pair, and none is with itself."""
    known = np.array([one is not None for one in labels], bool)
    both = np.logical_and.outer(known, known) & ~np.eye(len(labels), dtype=bool)
    equal = np.array([[one == other for other in labels] for one in labels], bool)
    equal = equal.reshape(both.shape)
    return both & equal, both & ~equal


def hashes(seen: Pictures) -> Hashes:
    """Perceptual hashes of pictures [n, size, size, 3]."""
    return pack_hashes(perceptual_hash(cv2.cvtColor(one, cv2.COLOR_RGB2GRAY)) for one in seen)


def near_copies(some: Hashes, others: Hashes) -> Flags:
    """Which of n and m pictures are near copies, [n, m].

    A blur, noise, a tint or JPEG leave a copy one; a shift or crop by 2 % does not, so a copy with
    a moved camera is missed. Source: the DCT hash of C. Zauner (2010), as the pipeline has it.
    """
    copies = np.zeros((len(some), len(others)), bool)
    for start, apart in distance_blocks(some, others):
        copies[start : start + len(apart)] = 1 - apart / HASH_BITS >= COPY
    return copies


def spread(features: Floats) -> float:
    """The mean distance, 1 - cosine, of two panels of a story: features [n, width] of length 1.

    nan for fewer than two.
    """
    n = len(features)
    return float((1 - features @ features.T).sum() / (n * (n - 1))) if n > 1 else math.nan


def looks() -> Embedder:
    """Three features of a picture, each of length 1, of one pass through EfficientNet-Lite0: style,
    the whole picture, its centre. `split` takes them apart.

    Style is the mean and deviation of each channel over the picture in early layers, which is what
    style transfer matches: it knows textures, lines and colours, and not what is where. Sources:
    Huang and Belongie 2017 (arXiv 1703.06868), after Gatys et al. 2015 (arXiv 1508.06576).
    """
    return Embedder(
        "EfficientNet-Lite0: style, whole, centre",
        "imagenet",
        embeddings.digest(efficientnet.network()),
        _look,
    )


def _look(seen: Pictures) -> Floats:
    layers: list[Any] = []
    hooks = [
        efficientnet.network()
        ._blocks[at]
        .register_forward_hook(lambda _, __, made: layers.append(made[0].flatten(1)))
        for at in EARLY
    ]
    try:
        rows = []
        for picture in seen:
            layers.clear()
            cells = efficientnet.cells(picture)
            style = [
                _unit(np.concatenate([one.mean(1).numpy(), one.std(1).numpy()])) for one in layers
            ]
            rows.append(
                np.concatenate(
                    [
                        _unit(np.concatenate(style)),
                        _unit(cells.mean((0, 1))),
                        _unit(cells[CENTRE].mean((0, 1))),
                    ]
                )
            )
        return np.stack(rows).astype(np.float32)
    finally:
        for hook in hooks:
            hook.remove()


def _unit(values: Floats) -> Floats:
    return values / max(float(np.linalg.norm(values)), 1e-12)


def split(features: Floats) -> tuple[Floats, Floats, Floats]:
    """Style, whole and centre of `looks` [n, width]."""
    style, whole = (
        features.shape[1] - 2 * efficientnet.FEATURES,
        features.shape[1] - efficientnet.FEATURES,
    )
    return features[:, :style], features[:, style:whole], features[:, whole:]


def training_hashes(dataset: str | Path) -> Hashes:
    """Of the keyframes of the training films, as the pipeline has computed them.

    Raises ValueError for a folder that it has not made.
    """
    manifest, table = Path(dataset, "dataset.json"), Path(dataset, "keyframes.parquet")
    if not manifest.exists() or not table.exists():
        raise ValueError(
            f"no {manifest} or {table}: give a dataset that `make dataset` has "
            "finished, or measure without training pictures"
        )
    videos = json.loads(manifest.read_text(encoding="utf-8"))["videos"]
    films = {one["id"] for one in videos if one["split"] == "train"}
    rows = pq.read_table(table, columns=["video", "phash"]).to_pylist()
    return pack_hashes(row["phash"] for row in rows if row["video"] in films)


def recurring_names(texts: Iterable[str], least: int = 3) -> list[str]:
    """Words that at least so many texts write with a capital inside a sentence, and none without:
    names, in a language that gives capitals to names alone."""
    texts = list(texts)
    inside = Counter(
        word for text in texts for word in set(re.findall(r"(?<=[\w,;:] )[A-Z]\w+", text))
    )
    small = {word for text in texts for word in re.findall(r"\b[a-z]\w*", text)}
    return sorted(
        word for word, times in inside.items() if times >= least and word.lower() not in small
    )


def first_named(text: str, names: Iterable[str]) -> str | None:
    """The name that a text says first."""
    found = [
        (match.start(), name)
        for name in names
        if (match := re.search(rf"\b{re.escape(name)}\b", text))
    ]
    return min(found)[1] if found else None


def _labels(
    story: Story,
    true: Story | None,
    shown: Mapping[str, Sequence[Truth | None]],
    names: Sequence[str],
) -> tuple[list[str | None], list[str | None]]:
    """Who should be in front and where, of each panel but the first: by the truth where the story
    has the true story's texts, else who is named first, and no place."""
    count = len(story.images)
    if story.id in shown and illustrates(story, true):
        known = shown[story.id][1:count]
        return (
            [one.main if one else None for one in known],
            [one.place if one else None for one in known],
        )
    return [first_named(text, names) for text in story.texts[1:]], [None] * (count - 1)


def measured(
    looks: Floats,
    copies: Flags,
    who: Sequence[str | None],
    where: Sequence[str | None],
    others: Mapping[str, Floats],
) -> dict[str, Floats]:
    """The margins of a story's panels but the first, by column: of `looks` [n, width], near copies
    [n + 1, n + 1] among all panels, labels, and `others`, the features [n, width] of embedders.

    Pairs of near copies say nothing and are left out; a panel that copies an earlier one counts 0,
    or repeating one picture for each character would be best.
    """
    style, whole, centre = map(likeness, split(looks))
    near, far = neighbours(len(looks))
    (same_who, other_who), (same_where, other_where) = pairs(who), pairs(where)
    asked = {
        STYLE.name: (style, near, far),
        SCENE.name: (whole, near, far),
        **{f"scene, {name}": (likeness(one), near, far) for name, one in others.items()},
        CHARACTER.name: (centre, same_who & ~same_where, other_who & ~same_where),
        PLACE.name: (whole, same_where & ~same_who, other_where & ~same_who),
    }
    news = ~copies[1:, 1:]
    copied = np.tril(copies, -1)[1:].any(axis=1)
    known = {PLACE.name: any(where), CHARACTER.name: any(who)}
    found = {}
    for name, (alike, same, other) in asked.items():
        values = margins(alike, same & news, other & news)
        found[name] = np.where(copied & known.get(name, True), 0.0, values)
    return found


def tables(
    stories: Mapping[str, Sequence[Story]],
    reference: Sequence[Story],
    size: int,
    shown: Mapping[str, Sequence[Truth | None]] | None = None,
    names: Sequence[str] = (),
    training: Hashes | None = None,
    embedders: Sequence[Embedder] = (),
    seed: int = 0,
    cache: str | Path | None = None,
) -> list[Table]:
    """How consistent each generator's stories are, beside the true ones `reference`.

    `shown` is what the panels of the true stories show, by story (`metrics.truth.shown`). Where it
    is not known, or a generator tells its own texts, a panel's character is the first of `names`
    in its text (without names, words with a capital that recur), and places are unknown. All
    pictures are squashed to `size` pixels first, so that a sharp one gains nothing.
    """
    true = {one.id: one for one in reference}
    names = names or recurring_names(text for one in reference for text in one.texts)
    rows = [[path for one in row for path in one.images] for row in (reference, *stories.values())]
    seen, *more = (embeddings.by_path(by, rows, size, cache) for by in (looks(), *embedders))
    hashed = {path: hashes(pictures([path], size))[0] for path in seen}

    def row(told: Sequence[Story]) -> dict[str, Cell]:
        told = [one for one in told if len(one.images) > 1]
        found: dict[str, tuple[list[float], list[str]]] = {}

        def add(name: str, values: Sequence[float], story: Story) -> None:
            kept, groups = found.setdefault(name, ([], []))
            kept += [value for value in values if math.isfinite(value)]
            groups += [story.id] * (len(kept) - len(groups))

        for story in told:
            marks = np.stack([hashed[path] for path in story.images])
            copies = near_copies(marks, marks)
            features = _of(seen, story.images[1:])
            others = {
                by.name: _of(known, story.images[1:])
                for by, known in zip(embedders, more, strict=True)
            }
            labels = _labels(story, true.get(story.id), shown or {}, names)
            for name, values in measured(features, copies, *labels, others).items():
                add(name, values.tolist(), story)
            add(COPIES.name, np.tril(copies, -1)[1:].any(axis=1).tolist(), story)
            if training is not None:
                add(MEMORISED.name, near_copies(marks[1:], training).any(axis=1).tolist(), story)
            if story.id in true:
                ours, theirs = (
                    spread(split(_of(seen, one.images[1:]))[1])
                    for one in (
                        story,
                        Story(story.id, (), true[story.id].images[: len(story.images)]),
                    )
                )
                add(DIVERSITY.name, [ours / theirs if theirs else math.nan], story)
        return {
            name: mean(*one, seed) if one[0] else Figure(None, note=_missing(name))
            for name, one in found.items()
        }

    columns = (
        STYLE,
        SCENE,
        *(Column(f"scene, {one.name}", "higher") for one in embedders),
        CHARACTER,
        PLACE,
        COPIES,
        *([MEMORISED] if training is not None else []),
        DIVERSITY,
    )
    return [
        Table(
            "consistency",
            "Consistency within a story",
            "generator",
            columns,
            {name: row(told) for name, told in stories.items()},
            _text(bool(shown)),
            {
                "pixels": size,
                "seed": seed,
                "style, scene, character, place, diversity": f"EfficientNet-Lite0 {looks().version}",
                **{one.name: one.version for one in embedders},
                "near copy": f"{COPY:.0%} of 256 hash bits",
                "interval": "95 %, bootstrap over stories",
            },
            bounds=tuple(name for name, told in stories.items() if list(told) == list(reference)),
        )
    ]


def _of(known: Mapping[str, Floats], paths: Sequence[str]) -> Floats:
    return np.stack([known[path] for path in paths])


def _missing(name: str) -> str:
    return {PLACE.name: "places are not known", CHARACTER.name: "no two panels to compare"}.get(
        name, "too few panels"
    )


def _text(known: bool) -> str:
    said = (
        "How much liker panels of a story are that should be alike, as differences of cosines: "
        f"neighbours against panels {APART} or more apart (scene), the same main character against "
        "others, seen in different places (character), the same place against others, with "
        "different main characters (place). A shuffled story, a repeated picture and noise have "
        "about 0 or less. The true stories' figure is what to reach; beyond it, more is no better. "
        "What changes steadily through the story is taken out first, or ever softer pictures would "
        "be consistent.\n\n"
        "Read them with the near copies and the diversity (the mean distance of two panels beside "
        "that of the true story: 1 is right, 0 is one picture): a copy that is shifted by more "
        "than 2 % is not seen as one."
    )
    if not known:
        said += (
            " No truth is known here, so a panel's character is the first that its text "
            "names, in whatever place, and places are not measured."
        )
    return said
