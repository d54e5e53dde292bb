"""A run is copied for others, and the copy is a run."""

import subprocess

import pytest
import torch
import yaml

from model import __main__ as command
from model import checkpoints, config, runs
from model.runs import Run
from tests.model.seed_story import released


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of imported weights, in which one stage was trained."""
    folder = tmp_path_factory.mktemp("exporting")
    paths = released.write(folder / "files")
    assert command.main(released.arguments(paths, folder / "run")) == 0
    made = Run(folder / "run", config.read(str(folder / "run" / "preset")))
    story = runs.story(made, trained=False)
    weights = {name: weight + 1e-3 for name, weight in checkpoints.trained(story).items()}
    checkpoints.save(folder / "run" / "2-story", weights, {"key": "abc", "steps": 5})
    for left in ("features", "logs", "2-story.checkpoint"):
        (folder / "run" / left).mkdir()
    return folder / "run"


def test_a_copy_has_the_weights_and_is_a_run(run, tmp_path):
    out = tmp_path / "tales"
    assert command.main(["export", str(run), str(out)]) == 0

    names = {path.name for path in out.iterdir()}
    assert names == {"preset", "tokenizer", "imported", "2-story", "README.md", "SHA256SUMS"}
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=out, check=True)
    first, second = (
        runs.story(Run(folder, config.read(str(folder / "preset")))) for folder in (run, out)
    )
    for some, others in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(some, others)


def test_the_card_says_what_it_is_and_what_it_needs(run, tmp_path):
    out = tmp_path / "tales"
    assert command.main(["export", str(run), str(out)]) == 0
    _, head, text = (out / "README.md").read_text().split("---\n", 2)
    sdxl = str(run.parent / "files" / "sdxl")
    assert "base_model" not in yaml.safe_load(head)  # that is for names of the hub
    assert f"It needs `{sdxl}` besides." in text
    assert "| 2-story | 5 | abc |" in text
    assert "--run tales" in text


def test_what_cannot_be_exported_is_named(run, tmp_path, capsys):
    assert command.main(["export", str(tmp_path), str(tmp_path / "out")]) == 2
    assert f"{tmp_path} is not the folder of a run" in capsys.readouterr().err
    assert command.main(["export", str(run), str(tmp_path)]) == 2
    assert f"{tmp_path} is there already" in capsys.readouterr().err
    runs.write_preset(Run(tmp_path / "empty", config.read("tiny")))
    assert command.main(["export", str(tmp_path / "empty"), str(tmp_path / "out")]) == 2
    assert "has no 2-story yet" in capsys.readouterr().err
