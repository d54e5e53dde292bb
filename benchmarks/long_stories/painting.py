"""Paints the pictures that were predicted under each policy, and scores them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch

from benchmarks.array_types import Pictures
from benchmarks.attributes import accuracy, labels
from benchmarks.attributes.classifier import AttributeClassifier
from benchmarks.attributes.labels import Labels
from benchmarks.long_stories.prediction import JoinedStories, Predictions
from benchmarks.long_stories.tables import moments_at
from benchmarks.metrics.fid_kid_cmmd import frechet_distance
from benchmarks.results.confidence_intervals import bootstrap_mean
from benchmarks.results.tables import Figure
from model import precision
from model.generate import Teller


@torch.no_grad()
def score_painted(
    teller: Teller,
    stories: JoinedStories,
    own: dict[str, Predictions],
    lengths: Sequence[int],
    known: dict[str, Labels],
    dataset: str,
    classifier: AttributeClassifier,
) -> dict[tuple[str, int], dict[str, Figure]]:
    """Paints the predicted pictures and scores them, by policy and length.

    "main" and "place" are the accuracies of the attributes they show, "frechet" is the Frechet
    distance to all held-out pictures; the row "true" has the same of the true pictures.
    """
    from pipeline.inference.builtin import efficientnet

    size = teller.run.preset.model.detokenizer.image_size
    everything = labels.read_keyframes(dataset, sorted(set(itertools.chain(*stories.images))), size)
    wanted = efficientnet.features(list(everything))
    found = {}
    for length in lengths:
        moments = moments_at(length)
        images = [image for story in stories.images for image in story[moments]]
        pictures: dict[str, Pictures] = {"true": labels.read_keyframes(dataset, images, size)}
        for name, told in own.items():
            features = told.features[:, moments].flatten(0, 1)
            dice = torch.Generator(teller.painter.device).manual_seed(length)  # the same for all
            with precision.autocast(teller.painter_setting, teller.painter.device):
                pictures[name] = teller.painter.generate(features, teller.blank, dice).cpu().numpy()
        here: list[Labels] = [known[image] for image in images if image in known]
        seen = [at for at, image in enumerate(images) if image in known]
        each = len(images) // len(stories.images)
        groups = [str(at // each) for at in seen]  # the story
        for name, made in pictures.items():
            right = accuracy.correct_answers(classifier, made[seen], here)
            found[name, length] = {
                **{
                    what: bootstrap_mean(right[what].tolist(), groups) for what in ("main", "place")
                },
                "frechet": Figure(
                    frechet_distance(efficientnet.features(list(made)), wanted), len(made)
                ),
            }
    return found
