import pytest

from pipeline.dataset.report.formatting import size, span


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.42, "0.4 s"), (59.6, "1 min"), (200, "3 min 20 s"), (3600, "1 h"), (7500, "2 h 5 min")],
)
def test_lengths_of_time(seconds, said):
    assert span(seconds) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [(812, "812 bytes"), (1_200_000, "1.2 MB"), (999_960, "1.0 MB"), (3.2e12, "3.2 TB")],
)
def test_sizes(count, said):
    assert size(count) == said
