"""Figures of publications: that they are whole and agree with themselves."""

from __future__ import annotations

import pytest

from benchmarks import published_results


def test_preferences_are_counts_of_stories():
    # Each share is that of a whole number of stories, to a tenth of a percent, and none is missing.
    for preference in published_results.PREFERENCES.values():
        counts = preference.counts()
        assert sum(counts) == preference.stories == 180
        for count, share in zip(
            counts, (preference.first, preference.second, preference.tie), strict=True
        ):
            assert count / preference.stories == pytest.approx(share, abs=0.0006)
    assert published_results.PREFERENCES["style consistency"].counts() == (22, 29, 129)
    assert published_results.PREFERENCES["engagement"].counts() == (64, 93, 23)
    assert published_results.PREFERENCES["image-text coherence"].counts() == (31, 86, 63)


def test_the_judged_models_are_those_with_a_distance():
    assert set(published_results.PREFERENCE_BETWEEN) == set(published_results.FID)
    assert set(published_results.GPT4_SCORES) == set(published_results.PREFERENCES)
    assert all(0 <= score <= 10 for score in published_results.GPT4_SCORES.values())


def test_storystream_has_the_images_of_its_stories():
    dataset = published_results.DATASETS["StoryStream"]
    assert dataset.stories * dataset.length == dataset.images
    assert dataset.width > dataset.height  # of films, which are wide
