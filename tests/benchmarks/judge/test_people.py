"""People as judges: pairs that do not say who made them, and their answers in the tables."""

import dataclasses
import json
from pathlib import Path

import pytest

from benchmarks.judge import run as judge_run
from benchmarks.judge.client import JudgeSettings
from benchmarks.judge.questions import CRITERIA
from pipeline.runtime import decisions
from tests.benchmarks.judge.test_run import stories


@pytest.fixture
def told(tmp_path):
    return stories(tmp_path / "told", openings=4, levels={"bright": 9, "dim": 3})


def judged(told, folder):
    tables = judge_run.run(told, [f"human:{folder}"], JudgeSettings(folder=str(folder / "bench")))
    return {table.name: table for table in tables}


def pairs(folder):
    return [json.loads(line) for line in (folder / "pairs.jsonl").read_text().splitlines()]


def answer(folder, by, better):
    """Answers every pair by a function of texts and pictures of a side."""
    for pair in pairs(folder):
        sides = {side: better(pair[side]) for side in ("first", "second")}
        choice = max(sides, key=sides.get) if len(set(sides.values())) == 2 else "tie"
        answers = dict.fromkeys(pair["criteria"], choice)
        values = {"what": "prefer", "pair": pair["id"], "answers": answers}
        decisions.append(str(folder), values, by, lambda *_: None)


def of_bright(told, folder):
    """Tells a side by what it shows: the generator's name is nowhere in the folder."""
    bright = {Path(image).read_bytes() for story in told["bright"] for image in story.images}
    return lambda side: int((folder / side["images"][0]).read_bytes() in bright)


def test_pairs_do_not_say_who_made_them(told, tmp_path):
    found = judged(told, tmp_path / "people")
    assert len(pairs(tmp_path / "people")) == 4
    text = (tmp_path / "people" / "pairs.jsonl").read_text()
    assert "bright" not in text and "dim" not in text
    assert set(pairs(tmp_path / "people")[0]["criteria"]) == set(CRITERIA)
    better = of_bright(told, tmp_path / "people")
    assert 0 < sum(better(pair["first"]) for pair in pairs(tmp_path / "people")) < 4  # drawn
    (row,) = found["judge-cost"].cells.values()
    assert row["not asked"].value == 8
    asked = [table.text for table in found.values() if "pairs wait" in table.text]
    assert asked and "4 of 4 pairs wait: storystream review" in asked[0]


def test_answers_of_people_become_tables_and_agreement(told, tmp_path):
    folder = tmp_path / "people"
    judged(told, folder)
    better = of_bright(told, folder)
    answer(folder, "Ann", better)
    answer(folder, "Bob", lambda side: -better(side))
    found = judged(told, folder)
    ratings = found["judge-ratings"]
    assert "a person, Ann" in ratings.title
    agreed = next(iter(found["judge-agreement"].cells.values()))
    assert agreed["same preference"].value == 0
    names = list(found)
    assert not any("scores" in name or "order" in name for name in names), names
    answer(folder, "Bob", better)  # he thinks again: the last answer counts
    agreed = next(iter(judged(told, folder)["judge-agreement"].cells.values()))
    assert agreed["same preference"].value == 1


def judged_pictures(told, folder):
    settings = JudgeSettings(folder=str(folder / "bench"))
    tables = judge_run.run(told, [f"human-pictures:{folder}", f"human:{folder}-all"], settings)
    return {table.name: table for table in tables}


def test_single_pictures_are_compared_in_the_same_tables(tmp_path):
    told = stories(tmp_path / "told", openings=4, levels={"bright": 9, "dim": 3})
    same = told["bright"][0]  # both begin the first story with the same two panels
    other = told["dim"][0]
    told["dim"][0] = dataclasses.replace(
        other,
        texts=(*same.texts[:2], *other.texts[2:]),
        images=(*same.images[:2], *other.images[2:]),
    )
    folder = tmp_path / "people"
    judged_pictures(told, folder)
    asked = pairs(folder)
    assert {pair["kind"] for pair in asked} == {"picture"} and len(asked) == 4
    assert all(len(pair[side]["images"]) == 1 for pair in asked for side in ("first", "second"))
    (begun,) = [pair for pair in asked if pair["before"]]
    assert begun["before"]["texts"] == list(same.texts[:2])
    text = (folder / "pairs.jsonl").read_text()
    assert "bright" not in text and "dim" not in text
    assert "better what its text tells" in text  # asked of pictures, not of stories
    better = of_bright(told, folder)
    answer(folder, "Ann", better)
    answer(folder, "Bob", better)
    found = judged_pictures(told, folder)
    assert "a person, Ann, of single pictures" in found["judge-ratings"].title
    (preferred,) = [
        row for name, row in found["judge-pairs-engagement"].cells.items() if name == "bright / dim"
    ]
    assert (preferred["first"].value, preferred["first"].n) == (1, 4)
    assert preferred["first"].low is not None
    assert "one picture with its text" in found["judge-pairs-style-consistency"].text
    names = list(found["judge-agreement"].cells)
    assert names and all("Ann" in name and "Bob" in name for name in names), names
    assert judged_pictures(told, folder)["judge-agreement"].cells == found["judge-agreement"].cells
