"""An imported run is loaded without a second copy of its weights, in the dtype that they have."""

import subprocess
import sys

import pytest


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_loading_takes_hardly_more_memory_than_the_weights(tmp_path):
    script = [sys.executable, "-m", "tests.model.seed_story.measured", str(tmp_path)]
    said = subprocess.run(script, check=True, capture_output=True, text=True).stdout
    peak, held = map(int, said.split()[-2:])
    assert held > 100e6
    assert peak < 1.2 * held
