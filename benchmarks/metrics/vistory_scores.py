"""The scores of ViStoryBench: CIDS (cross and self), CSD, OCCM and copy-paste, by their definition.

They are functions of features, so any detector and encoder will do; the benchmark's own are
GroundingDINO with CLIP, or with a mix of face networks for realistic people, and CSD's for style.
Features have length 1; rows are pictures.

    CIDS cross   similarity of a character's figures to its references, mean over characters
    CIDS self    similarity of a character's figures to each other, likewise
    OCCM         how well the number of figures is that of the characters of a shot, of 100
    copy-paste   whether figures are more similar to the reference than to its mirror image
    CSD          similarity of style, of shots to references and of shots to each other

Source: Zhuang et al. 2025 (arXiv 2505.24862) and `vistorybench/bench/content/cids_evaluator.py`,
`vistorybench/bench/style/csd_evaluator.py` of github.com/ViStoryBench/vistorybench, whose means are
not rounded here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.array_types import Floats

TEMPERATURE = 0.01  # of copy-paste


@dataclass(frozen=True)
class SeenShot:
    """A shot: who it should show, by key, and the features [n, width] of the figures found in it.

    `figures` None stands for a shot that was not drawn.
    """

    expected: tuple[str, ...]
    figures: Floats | None


@dataclass(frozen=True)
class CharacterScores:
    """The scores of a story. Copy-paste is None where no character was found."""

    cross: float
    self_similarity: float
    occm: float
    copy_paste: float | None


def assign_figures(
    expected: Sequence[str], figures: Floats, references: Mapping[str, Floats]
) -> dict[str, int]:
    """Assigns figures [n, width] to the characters of a shot, such that the sum of similarities to
    the most similar reference [r, width] of each is the largest: the Hungarian method.

    Where there are fewer figures than characters, some characters have none.
    """
    from scipy.optimize import linear_sum_assignment

    if not len(figures) or not expected:
        return {}
    alike = np.stack([(figures @ references[name].T).max(1) for name in expected])
    rows, columns = linear_sum_assignment(alike, maximize=True)
    return {
        expected[row]: int(column)
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
    }


def onstage_count(expected: int, found: int) -> float:
    """Computes OCCM of a shot: 100 exp(-|found - expected| / expected)."""
    return 100 * math.exp(-abs(found - expected) / (1e-6 + expected))


def copy_paste(figures: Floats, reference: Floats, mirrored: Floats) -> float:
    """Computes how much figures [n, width] prefer a reference [width] to its mirror image: 0.5
    where they do not, 1 where they have copied it. The mean of a softmax over both similarities."""
    pair = np.clip(figures @ np.stack([reference, mirrored]).T, -1, 1)
    return float(np.mean(1 / (1 + np.exp((pair[:, 1] - pair[:, 0]) / TEMPERATURE))))


def mean_of_pairs(features: Floats) -> float | None:
    """Computes the mean similarity of each two of some features [n, width], None for fewer than
    two."""
    n = len(features)
    if n < 2:
        return None
    return float((features @ features.T)[np.triu_indices(n, 1)].mean())


def score_characters(
    shots: Sequence[SeenShot],
    references: Mapping[str, Floats],
    mirrored: Mapping[str, Floats],
) -> CharacterScores:
    """Computes the scores of a story's characters.

    `references` [r, width] are those of every character of the story, `mirrored` [width] is the
    first of each as its mirror image. A character without a figure counts 0 for CIDS, and one with
    a single figure 1 for self-similarity, as in the benchmark. A shot without characters, or one
    that was not drawn, does not count.
    """
    found: dict[str, list[Floats]] = {name: [] for name in references}
    counts = []
    for shot in shots:
        if shot.figures is None or not shot.expected:
            continue
        counts.append(onstage_count(len(shot.expected), len(shot.figures)))
        for name, at in assign_figures(shot.expected, shot.figures, references).items():
            found[name].append(shot.figures[at])
    cross, own, copied = [], [], []
    for name, rows in found.items():
        if not rows:
            cross.append(0.0)
            own.append(0.0)
            continue
        figures = np.stack(rows)
        cross.append(float((figures @ references[name].T).mean()))
        pairs = mean_of_pairs(figures)
        own.append(1.0 if pairs is None else pairs)
        copied.append(copy_paste(figures, references[name][0], mirrored[name]))
    return CharacterScores(
        float(np.mean(cross)) if cross else 0.0,
        float(np.mean(own)) if own else 0.0,
        float(np.mean(counts)) if counts else 0.0,
        float(np.mean(copied)) if copied else None,
    )


def style_to_references(
    shots: Sequence[tuple[Sequence[str], Floats]], references: Mapping[str, Floats]
) -> float | None:
    """Computes CSD cross of a story: the mean over its shots, each who it shows and the style
    [width] of its picture, of the mean similarity to the first reference of each character.

    A shot of nobody, or of somebody without a reference, is compared with the first character that
    has one. `references` are the styles [width] of first references, in the order of the story's
    characters. None where there are none.
    """
    if not references or not shots:
        return None
    first = next(iter(references.values()))
    scores = []
    for shown, style in shots:
        wanted = [references.get(name, first) for name in shown] or [first]
        scores.append(float(np.mean([style @ reference for reference in wanted])))
    return float(np.mean(scores))
