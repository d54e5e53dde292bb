"""All benchmarks under one command: what it does with failures, comparisons and a README."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import __main__ as command
from benchmarks import compared_stories, suite
from benchmarks.generators import baselines, trained_run
from benchmarks.results import results_json
from benchmarks.results.tables import Column, Figure, Table
from benchmarks.settings import Settings


def _table(value: float) -> Table:
    return Table(
        "fast",
        "Fast",
        "tool",
        (Column("ratio", "higher"),),
        {"ours": {"ratio": Figure(value, 3, value - 0.1, value + 0.1)}},
    )


@pytest.fixture
def dataset(tmp_path: Path) -> str:
    """Two held-out stories and two of training, of three pictures each."""
    folder = tmp_path / "dataset"
    (folder / "images").mkdir(parents=True)
    for split, names in (("val", "ab"), ("train", "cd")):
        lines = []
        for name in names:
            images = [f"{name}{at}.jpg" for at in range(3)]
            for at, image in enumerate(images):
                Image.fromarray(np.full((9, 16, 3), 80 * at, np.uint8)).save(
                    folder / "images" / image
                )
            lines.append(
                json.dumps(
                    {
                        "id": name,
                        "images": images,
                        "captions": [f"{name} does thing {at}" for at in range(3)],
                    }
                )
            )
        (folder / "images" / f"{split}_stories.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "dataset.json").write_text("{}")
    return str(folder)


@pytest.fixture
def settings(dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A model is not the point here: the run repeats the first picture."""
    monkeypatch.setattr(compared_stories, "load_run", lambda run: None)
    monkeypatch.setattr(suite, "describe_run", lambda settings: {"seed": settings.seed})
    monkeypatch.setattr(
        trained_run,
        "tell_stories",
        lambda teller, policy, openings, *_: [
            baselines.repeat_first(opening) for opening in openings
        ],
    )
    for cached in (compared_stories.true_stories, compared_stories.compared_stories):
        cached.cache_clear()
    return Settings(("runs/tiny",), dataset, "", str(tmp_path / "bench"))


def test_stories_of_all_generators_are_told_of_the_same_openings(
    settings: Settings,
) -> None:
    illustrated, told = (
        compared_stories.compared_stories(settings, illustrate) for illustrate in (True, False)
    )
    assert list(illustrated) == [
        compared_stories.GROUND_TRUTH,
        "tiny, multimodal",
        "tiny, dense",
        compared_stories.RETRIEVED,
        compared_stories.COPIED,
        compared_stories.SHUFFLED,
    ]
    assert list(told) == [
        compared_stories.GROUND_TRUTH,
        *(
            f"{name}, told"
            for name in (
                "tiny, multimodal",
                compared_stories.RETRIEVED,
                compared_stories.COPIED,
                compared_stories.SHUFFLED,
            )
        ),
    ]
    assert all([story.id for story in row] == ["a", "b"] for row in (illustrated | told).values())
    true = illustrated[compared_stories.GROUND_TRUTH]
    assert all(
        story.texts == known.texts
        for row in illustrated.values()
        for story, known in zip(row, true, strict=True)
    )
    assert told["tiny, multimodal, told"][0].texts == ("a does thing 0",) * 3


def test_stories_of_others_are_a_row_and_what_they_lack_is_said(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "theirs.jsonl"
    file.write_text(
        json.dumps({"id": "b", "texts": ["b does thing 0"], "images": ["dataset/images/b0.jpg"]})
    )
    told = compared_stories.compared_stories(
        dataclasses.replace(settings, told=(("theirs", str(file)),)), False
    )
    assert [story.id for story in told["theirs, told"]] == ["b"]
    assert "theirs.jsonl lacks 1 of 2 stories and 2 pictures" in capsys.readouterr().err


def test_a_benchmark_that_fails_costs_none_of_the_others(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(settings: Settings) -> list[Table]:
        raise ValueError("no weights there")

    monkeypatch.setattr(
        suite,
        "BENCHMARKS",
        {"broken": ("", broken), "attributes": ("", broken), "fast": ("", lambda _: [_table(2.0)])},
    )
    assert suite.run(settings, ["broken", "attributes", "fast"]) == 1
    said = capsys.readouterr().err
    assert "broken: not measured: no weights there" in said
    assert "attributes: left out, it needs the sample's ground truth" in said
    [kept], about = results_json.read_results(Path(settings.out, "results.json"))
    assert kept == _table(2.0) and about == {"seed": 0}
    page = Path(settings.out, "report.html").read_text()
    assert "Fast" in page and "stories/001.html" in page
    with pytest.raises(ValueError, match="no weights there"):
        suite.run(settings, ["broken"])


def test_what_was_measured_before_ctrl_c_is_a_report(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(settings: Settings) -> list[Table]:
        raise KeyboardInterrupt

    monkeypatch.setattr(
        suite,
        "BENCHMARKS",
        {"fast": ("", lambda _: [_table(2.0)]), "slow": ("", stopped), "never": ("", stopped)},
    )
    assert suite.run(settings, ["fast", "slow", "never"]) == 130
    assert results_json.read_results(Path(settings.out, "results.json"))[0] == [_table(2.0)]


def test_worse_than_before_is_an_exit_code(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    old = tmp_path / "old.json"
    results_json.write_results([_table(2.0)], {}, old)
    for value, code in ((2.05, 0), (1.5, 1), (2.5, 0)):
        monkeypatch.setattr(
            suite, "BENCHMARKS", {"fast": ("", lambda _, value=value: [_table(value)])}
        )
        assert suite.run(settings, ["fast"], compare_with=old) == code
    assert "worse" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"gone.json"):
        suite.run(settings, ["fast"], compare_with=tmp_path / "gone.json")


def test_tables_go_to_their_places_in_a_readme(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "README.md"
    file.write_text("Ours.\n\n<!-- results: fast -->\n<!-- /results -->\n\nEnd.\n")
    other = dataclasses.replace(_table(1.0), name="other")
    monkeypatch.setattr(suite, "BENCHMARKS", {"fast": ("", lambda _: [_table(2.0), other])})
    assert suite.run(settings, ["fast"], readme_file=file) == 0
    assert "| ours | 3 | 2.000 (1.900-2.100) |" in file.read_text()
    assert file.read_text().startswith("Ours.\n") and file.read_text().endswith("\nEnd.\n")


def test_a_wrong_call_names_the_remedy(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert command.main(["texts", "--told", "theirs"]) == 2
    assert "theirs: write NAME=PATH" in capsys.readouterr().err
    assert (
        command.main(["judge", "--judge", "openai:one", "openai:two", "--judge-price", "1", "2"])
        == 2
    )
    assert "2 judges and 1 prices: give --judge-price IN OUT once for each" in (
        capsys.readouterr().err
    )
    assert (
        command.main(
            [
                "fid",
                "--data",
                str(tmp_path),
                "--run",
                str(tmp_path),
                "--out",
                str(tmp_path / "out"),
            ]
        )
        == 2
    )
    assert f"{tmp_path} is not the folder of a run" in capsys.readouterr().err
