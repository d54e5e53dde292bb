"""The sign test."""

import pytest
from scipy import stats

from benchmarks import published_results
from benchmarks.judge import sign_test


@pytest.mark.parametrize(
    "wins, losses",
    [(0, 0), (1, 0), (5, 5), (8, 2), (0, 12), (22, 29), (64, 93), (31, 86), (400, 500)],
)
def test_the_sign_test_is_scipys_binomial_test(wins, losses):
    expected = stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert sign_test.sign_test(wins, losses) == pytest.approx(expected, rel=1e-9)


def test_the_papers_style_preference_is_not_significant_and_the_others_are():
    p = {
        name: sign_test.sign_test(*preference.counts()[:2])
        for name, preference in published_results.PREFERENCES.items()
    }
    assert published_results.PREFERENCES["style consistency"].counts() == (22, 29, 129)
    assert p["style consistency"] == pytest.approx(stats.binomtest(22, 51).pvalue)
    assert p["style consistency"] > 0.4
    assert p["engagement"] < 0.03 and p["image-text coherence"] < 1e-6
