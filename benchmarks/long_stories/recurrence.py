"""Scores what comes back: a character or place that was last seen some pictures ago.

A memory matters where something returns that has left the window. For each moment of the joined
stories, the recurrence gap of an attribute is the number of pictures since its value was last seen:
1 where the picture before has it, 20 where it comes back after 19 pictures without it. The pictures
that were predicted under each policy, after true texts and pictures, are painted and classified;
accuracy is by gap. Moments that come after fewer pictures than training has are left out, since
policies hardly differ there.

A text may name who returns. What then has to be remembered is how they look, which the weights know
as well: the sample's films share their cast and places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from benchmarks.array_types import Pictures
from benchmarks.attributes import accuracy, labels
from benchmarks.attributes.classifier import AttributeClassifier
from benchmarks.attributes.labels import Labels
from benchmarks.long_stories.prediction import JoinedStories, Predictions
from benchmarks.metrics import recurrence
from benchmarks.metrics.recurrence import gap_name
from benchmarks.results.confidence_intervals import bootstrap_mean
from benchmarks.results.tables import Column, Figure, Table
from model import precision
from model.generate import Teller
from schemas.rows import CHUNK_LENGTH

ATTRIBUTES = {"main": "Main character", "place": "Place"}
MOST = 80  # moments of a column that are painted, drawn at random
_PAINTED_AT_ONCE = 64

Moment = tuple[int, int]  # story, and number of the picture in it


def recurrence_gaps(shown: Sequence[Labels | None], attribute: str) -> list[int | None]:
    """Returns for each picture of a story how many pictures ago its main character, or its place,
    was last seen: 0 for never before, None for a picture without labels.

    A character is seen wherever it is among those that are there.
    """
    last: dict[str, int] = {}
    found: list[int | None] = []
    for at, label in enumerate(shown):
        if label is None:
            found.append(None)
            continue
        wanted = getattr(label, attribute)
        found.append(at - last[wanted] if wanted in last else 0)
        last.update(dict.fromkeys(label.characters if attribute == "main" else [label.place], at))
    return found


COLUMNS = (*recurrence.COLUMNS, recurrence.NEW)


def moments_by_gap(
    shown: Sequence[Sequence[Labels | None]], attribute: str, most: int = MOST
) -> dict[str, list[Moment]]:
    """Returns the moments of the stories by the column of their gap, at most `most` of each."""
    found: dict[str, list[Moment]] = {name: [] for name in COLUMNS}
    for story, pictures in enumerate(shown):
        for at, gap in enumerate(recurrence_gaps(pictures, attribute)):
            if gap is not None and at >= CHUNK_LENGTH:
                found[gap_name(gap)].append((story, at))
    dice = np.random.default_rng(0)
    return {
        name: [moments[at] for at in sorted(dice.permutation(len(moments))[:most])]
        for name, moments in found.items()
    }


@torch.no_grad()
def score_recurrence(
    teller: Teller,
    stories: JoinedStories,
    given: Mapping[str, Predictions],
    known: Mapping[str, Labels],
    dataset: str,
    classifier: AttributeClassifier,
    most: int = MOST,
) -> dict[str, dict[str, dict[str, Figure]]]:
    """Paints and classifies the predicted pictures; returns accuracy by attribute, policy and
    column. The row "true" has that of the true pictures."""
    shown = [[known.get(image) for image in story] for story in stories.images]
    chosen = {what: moments_by_gap(shown, what, most) for what in ATTRIBUTES}
    moments = sorted(
        {at for columns in chosen.values() for some in columns.values() for at in some}
    )
    row = {moment: number for number, moment in enumerate(moments)}
    wanted = [known[stories.images[story][at]] for story, at in moments]
    size = teller.run.preset.model.detokenizer.image_size
    pictures: dict[str, Pictures] = {
        "true": labels.read_keyframes(
            dataset, [stories.images[story][at] for story, at in moments], size
        )
    }
    for name, told in given.items():
        pictures[name] = _painted(
            teller, torch.stack([told.features[story, at] for story, at in moments])
        )
    found: dict[str, dict[str, dict[str, Figure]]] = {what: {} for what in ATTRIBUTES}
    for name, made in pictures.items():
        correct = accuracy.correct_answers(classifier, made, wanted)
        for what, columns in chosen.items():
            found[what][name] = {
                column: bootstrap_mean(
                    [float(correct[what][row[moment]]) for moment in some],
                    [str(story) for story, _ in some],
                )
                for column, some in columns.items()
            }
    return found


def _painted(teller: Teller, features: torch.Tensor) -> Pictures:
    """Paints features [n, tokens, width], with the same noise under each policy."""
    dice = torch.Generator(teller.painter.device).manual_seed(0)
    with precision.autocast(teller.painter_setting, teller.painter.device):
        return np.concatenate(
            [
                teller.painter.generate(part, teller.blank, dice).cpu().numpy()
                for part in features.split(_PAINTED_AT_ONCE)
            ]
        )


def recurrence_tables(
    found: Mapping[str, Mapping[str, Mapping[str, Figure]]], about: Mapping[str, Any]
) -> list[Table]:
    """Makes a table of accuracy by policy and gap for each attribute."""
    return [
        Table(
            f"long-stories-recurrence-{what}",
            f"{ATTRIBUTES[what]}, by how many pictures ago it was last seen; pictures painted "
            "after true texts and pictures",
            "policy",
            tuple(Column(name, "higher", "%", 0) for name in COLUMNS),
            rows,
            "What was last seen more pictures ago than the window has can be known from sinks, "
            "from the text and from the weights alone.",
            {
                **about,
                "n": f"moments from picture {CHUNK_LENGTH + 1} on, at most {MOST} per column",
                "interval": "95 %, bootstrap over stories",
            },
            bounds=("true",),
        )
        for what, rows in found.items()
    ]
