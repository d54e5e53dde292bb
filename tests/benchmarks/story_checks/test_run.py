"""The benchmark of the checks: tales that are good, and corruptions that are not."""

from __future__ import annotations

import json
import random

import pytest

from benchmarks.judge.client import JudgeSettings
from benchmarks.story_checks import run
from benchmarks.story_checks.corruptions import KINDS, corrupt
from benchmarks.story_checks.tales import Tale, read_tales
from pipeline.annotation import story_scores
from pipeline.annotation.checks import character_names
from pipeline.config import QualityConfig
from pipeline.testing.model_server import serving
from pipeline.testing.replies import completion, texts_and_pictures

TALES = read_tales()


def tale(style: str) -> Tale:
    return next(tale for tale in TALES if tale.style == style)


def test_the_tales_are_in_many_languages_and_films_are_held_out_whole():
    assert len(TALES) >= 120
    assert len({tale.language for tale in TALES}) >= 37
    held_out = {tale.film for tale in TALES if tale.held_out}
    assert held_out.isdisjoint(tale.film for tale in TALES if not tale.held_out)


def test_every_tale_has_a_text_for_each_picture():
    assert all(len(tale.texts) == len(tale.frames) for tale in TALES)
    assert all(all(text.strip() for text in tale.texts) for tale in TALES)


@pytest.mark.parametrize("style", ["pronouns", "noir, first person", "German", "Russian"])
@pytest.mark.parametrize("size", run.SIZES)
def test_good_windows_pass(style, size):
    good = tale(style)
    for start in run.windows(len(good.texts), size):
        assert run.fault(good, start, good.texts[start : start + size]) == ""


@pytest.mark.parametrize("style", ["sitcom", "Vietnamese, warm", "Hebrew, dry"])
def test_a_letter_a_colour_and_a_noun_are_nobody(style):
    good = tale(style)
    assert run.fault(good, 0, good.texts) == ""


# Words are joined in Hebrew and Arabic, and Swahili's function words are in no dictionary.
@pytest.mark.parametrize("language", ["he", "ar", "sw"])
def test_no_good_tale_is_dropped_by_the_defaults_of_quality(language):
    for good in (tale for tale in TALES if tale.language == language):
        names = [name for forms in good.names.values() for name in forms]
        scores = story_scores.score(
            good.texts,
            language=language,
            names=[*names, *good.names],
            strangers=[
                character_names.unknown(text, good.characters, "", language) for text in good.texts
            ],
        )
        assert story_scores.gate(scores, QualityConfig()) == [], good.film


@pytest.mark.parametrize(
    ("kind", "style", "says"),
    [
        ("shuffled", "pronouns", "not about their pictures"),
        ("shifted by one", "German", "not about their pictures"),
        ("swapped names", "dialogue", "have each other's names"),
        ("a stranger", "French, dashes", "nobody is called"),
        ("an invented companion", "picture book, past", "which no picture shows"),
        ("another place", "Russian", "which no picture shows"),
        ("refusal", "German", "refusal"),
    ],
)
def test_corrupted_windows_do_not(kind, style, says):
    good = tale(style)
    bad = corrupt(kind, good, 0, 10, TALES, random.Random(4))
    assert bad is not None and bad != good.texts[:10]
    assert says in run.fault(good, 0, bad)


def test_each_kind_changes_a_window():
    good = tale("picture book, past")
    for kind in KINDS:
        bad = corrupt(kind, good, 0, 10, TALES, random.Random(1))
        assert bad is not None and len(bad) == 10 and bad != good.texts[:10], kind


def test_windows_cover_a_tale_and_end_with_it():
    assert run.windows(12, 10) == [0, 2]
    assert run.windows(8, 10) == [0]
    assert run.windows(8, 3) == [0, 3, 5]


async def judging(question, server):
    """Calls good what begins no text with a placeholder or an advertisement."""
    prompt = "\n".join(texts_and_pictures(question)[0])
    texts = [json.loads(line.split(": ", 1)[1]) for line in prompt.splitlines() if "Text " in line]
    good = all(len(text) > 15 and not text.startswith("Buy") for text in texts)
    answer = {"reason": "as scripted", "good": good}
    return completion(question, {"role": "assistant", "content": json.dumps(answer)})


def test_a_judge_model_is_asked_about_the_same_windows(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "any word")
    monkeypatch.setattr(run, "read_tales", lambda: [tale("German"), tale("Russian")])
    with serving(judging) as server:
        settings = JudgeSettings(folder=str(tmp_path))
        tables = {
            table.name: table for table in run.run(0, [f"openai:scripted@{server.url}"], settings)
        }
    found = {kind: row["scripted"] for kind, row in tables["story-checks-judge"].cells.items()}
    assert {kind: cell.value for kind, cell in found.items()} == {
        "good: windows of 10": 0,  # refused
        **dict.fromkeys(KINDS, 1),  # accepted: this judge knows no better
        "placeholder": 0,
        "order obeyed": 0,
    }
    assert {cell.n for cell in found.values()} == {4}
    assert tables["story-checks-judge-cost"].cells["scripted"]["questions"].value == 4 * 11


def test_a_judge_may_be_asked_about_a_few_tales_and_then_about_more(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "any word")
    tales = [tale("German"), tale("Russian"), tale("picture book, past")]
    monkeypatch.setattr(run, "read_tales", lambda: tales)
    settings = JudgeSettings(folder=str(tmp_path))
    asked = []
    with serving(judging) as server:
        for count in (1, 2, None):
            *_, cost = run.run(0, [f"openai:scripted@{server.url}"], settings, count)
            asked.append(cost.cells["scripted"]["questions"].value)
    windows = [len(run.windows(len(each.texts), 10)) * 11 for each in tales]
    assert asked[-1] == sum(windows) == len(server.asked)  # nothing was asked twice
    assert asked[0] in windows and asked[0] < asked[1] < asked[2]
