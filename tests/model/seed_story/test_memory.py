"""Released weights are imported, and the run is loaded, without a second copy of the weights."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """What each step takes, in bytes: the most of its own and in all; weights come last."""
    folder = str(tmp_path_factory.mktemp("measured"))

    def run(step):
        script = [sys.executable, "-m", "tests.model.seed_story.measured", step, folder]
        said = subprocess.run(script, check=True, capture_output=True, text=True).stdout
        return [int(word) for word in said.split()]

    return {step: run(step) for step in ("write", "import", "load")}


def test_loading_takes_hardly_more_memory_than_the_weights(measured):
    _, peak, held = measured["load"]
    assert held > 100e6
    assert peak < 1.2 * held


def test_importing_holds_a_few_files_of_weights_at_a_time(measured):
    """Files of 15 MB are written here: one is held, and copied as it is written."""
    own, peak = measured["import"]
    *_, held = measured["load"]
    assert own < 0.8 * held
    assert peak < held  # with the pages of mapped files, which are all of the weights
