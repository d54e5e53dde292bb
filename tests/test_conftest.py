"""The rules of tests/conftest.py, held over a few tests in a folder of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")
SKIPS = """
import pytest

def test_that_needs_a_superuser():
    pytest.skip("mounting a small disk takes a superuser")

@pytest.mark.skipif(True, reason="needs a model")
def test_that_needs_a_model():
    pass
"""
STUCK = """
import threading

def test_that_waits_for_ever():
    threading.Event().wait()

def test_that_ends():
    pass
"""


def run(
    folder: Path, tests: str, *options: str, longest: float = 300, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Runs pytest on these tests under the conftest, as on a terminal of a developer or of CI."""
    (folder / "conftest.py").write_text(
        CONFTEST.read_text().replace("LONGEST = 300", f"LONGEST = {longest}")
    )
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_some.py").write_text(tests)
    outside = {
        name: value
        for name, value in os.environ.items()
        if name != "CI" and not name.startswith("PYTEST_")
    }
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", *options],
        cwd=folder,
        env=outside | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_skips_are_shown_and_one_that_ci_does_not_expect_is_a_failure(tmp_path):
    here, in_ci = run(tmp_path, SKIPS), run(tmp_path, SKIPS, CI="true")
    assert here.returncode == 0 and "2 skipped" in here.stdout
    assert "needs a model" in here.stdout
    assert in_ci.returncode == 1 and "1 skipped, 1 error" in in_ci.stdout
    assert "needs a model: this skip is not expected in CI" in in_ci.stdout


@pytest.mark.parametrize("options", [[], ["-n", "2", "--dist", "worksteal"]])
def test_a_test_that_stands_still_ends_the_run_and_says_where(tmp_path, options):
    ended = run(tmp_path, STUCK, *options, longest=1)
    assert ended.returncode != 0
    assert "test_that_waits_for_ever has taken 1 s; the run ends." in ended.stderr
    assert "test_some.py:5 test_that_waits_for_ever" in ended.stderr
