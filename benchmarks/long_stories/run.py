"""Runs the benchmark of long stories: what each policy for the cache costs, and what it loses.

How well does a model that was trained on 10 pictures predict the 100th? Held-out stories are
joined, in a random order for each seed, to stories of 100 pictures. Under each policy of
`model.attention` the model reads them twice:

- with the true texts and pictures: how well it predicts the next text (perplexity of its words) and
  the next picture (cosine of its features). Beside it the same moments as the last of 10 pictures,
  read as in training: a policy that loses nothing has a perplexity ratio of 1 at any length.
- with the true texts and the pictures that it predicts itself, which is how the paper's script
  generates long stories. Those of the last five moments up to each length are painted and
  classified.

Figures at a length are those of the five moments that end there. What comes back after some
pictures is scored apart, by how long ago it was last seen (`recurrence`). Cost is measured
separately, with texts that are read word by word as in generation, on stories of random words:
content has no cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.attributes import labels
from benchmarks.attributes.classifier import train_classifier
from benchmarks.long_stories.cost import ROUNDS, measure_costs
from benchmarks.long_stories.painting import score_painted
from benchmarks.long_stories.policies import VARIANTS
from benchmarks.long_stories.prediction import (
    JoinedStories,
    predict_as_last_of_chunk,
    predict_stories,
)
from benchmarks.long_stories.recurrence import recurrence_tables, score_recurrence
from benchmarks.long_stories.tables import (
    MOMENTS_PER_LENGTH,
    cost_tables,
    moments_at,
    painted_tables,
    plot_predictions,
    prediction_tables,
    unlimited_cost_table,
)
from benchmarks.results.tables import Table
from model import generate
from schemas.rows import CHUNK_LENGTH

LENGTHS = (10, 15, 25, 50, 100)


def run(
    folder: str,
    dataset: str,
    sample: str,
    report: str | Path,
    lengths: Sequence[int] = LENGTHS,
    seeds: int = 8,
    longest: int = 1000,
    rounds: int = ROUNDS,
) -> list[Table]:
    """Measures the run in `folder`; the plot goes to the folder of the `report`.

    Stories of `longest` pictures are only timed. Raises ValueError where something does not fit or
    is not trained yet.
    """
    if min(lengths) < CHUNK_LENGTH:
        raise ValueError(
            f"{min(lengths)} pictures are fewer than the {CHUNK_LENGTH} of training: "
            f"give lengths from {CHUNK_LENGTH}"
        )
    teller = generate.load(Path(folder))
    stories = JoinedStories(teller, dataset, max(lengths), range(seeds))
    given = {
        variant.name: predict_stories(teller, stories, variant, own=False) for variant in VARIANTS
    }
    reference = predict_as_last_of_chunk(
        teller,
        stories,
        sorted(
            {
                at
                for length in lengths
                for at in range(*moments_at(length).indices(length))
                if at >= CHUNK_LENGTH - 1
            }
        ),
    )
    own = {
        variant.name: predict_stories(teller, stories, variant, own=True)
        for variant in VARIANTS
        if variant.painted
    }
    classifier = train_classifier(dataset, sample, teller.run.preset.model.detokenizer.image_size)
    known = labels.read_labels(dataset, sample)
    painted = score_painted(teller, stories, own, lengths, known, dataset, classifier)
    returned = score_recurrence(
        teller,
        stories,
        {variant.name: given[variant.name] for variant in VARIANTS if variant.painted},
        known,
        dataset,
        classifier,
    )
    spent = measure_costs(
        teller, [variant for variant in VARIANTS if variant.painted], lengths, rounds
    )
    picture = Path(report, "long-stories.png")
    plot_predictions(given, own, picture)
    about = {
        "model": generate.about(teller)["story_model"],
        "stories": f"held-out ones, joined in {seeds} orders (seeds 0 to {seeds - 1})",
        "n": f"the {MOMENTS_PER_LENGTH} moments that end at a length, of each story",
    }
    tables = [
        *prediction_tables(given, reference, lengths, about, picture.name),
        *painted_tables(painted, lengths, about),
        *recurrence_tables(returned, about),
        *cost_tables(spent, lengths, about),
    ]
    if longest:
        tables.append(
            unlimited_cost_table(
                measure_costs(
                    teller,
                    [
                        variant
                        for variant in VARIANTS
                        if variant.policy in ("window", "sink", "multimodal")
                        and not variant.changes
                    ],
                    [25, 100, longest],
                    rounds,
                ),
                about,
            )
        )
    return tables
