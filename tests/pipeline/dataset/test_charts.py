import re

import numpy as np
import pytest

from pipeline.dataset.charts import histogram


def test_a_limit_is_drawn_where_it_is_on_the_scale():
    chart = histogram("Share", "of one", np.array([0.1] * 12), 0.25, "A note.", (0, 1))
    assert chart["says"] == "All 12 are 0.1. A note."
    (line,) = re.findall(r'<path d="M ([\d.]+) [^"]*"[^>]*stroke-dasharray', chart["svg"])
    left, width = 0.09 * 3.9 * 72, 0.89 * 3.9 * 72  # of the axes, in points
    assert (float(line) - left) / width == pytest.approx(0.25, abs=1e-3)
