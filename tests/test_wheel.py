"""What is installed with pip has all that a checkout has: modules, prompts, presets, templates."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("pipeline", "model", "benchmarks", "schemas")


@pytest.mark.slow
def test_every_file_of_the_packages_is_in_the_wheel(tmp_path):
    pytest.importorskip("setuptools")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    files = [file for file in listed.stdout.splitlines() if (ROOT / file).exists()]
    if not files:
        pytest.skip("not a git checkout")
    for file in files:  # a copy, as building leaves folders behind
        target = tmp_path / "source" / file
        if file.startswith(PACKAGES) or "/" not in file:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(ROOT / file)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", tmp_path, tmp_path / "source"], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    wanted = {file for file in files if file.partition("/")[0] in PACKAGES}
    assert wanted <= packed and "storystream.py" in packed
    assert not [name for name in packed if name.startswith("tests/")]
