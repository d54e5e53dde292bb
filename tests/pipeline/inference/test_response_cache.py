"""The response cache: answers found again by their request, and whole or not there."""

from pathlib import Path

import pytest

from pipeline.inference import response_cache
from pipeline.inference.protocol import Answer

ANSWER = Answer('{"sentence": "Größe 10 😀"}', "tiny", 12, 34)


def test_a_cached_answer_is_found_again(tmp_path):
    key = response_cache.digest({"model": "tiny", "prompt": "why?"})
    assert response_cache.load(str(tmp_path), key) is None
    response_cache.save(str(tmp_path), key, ANSWER, "caption", 0.25)
    assert response_cache.load(str(tmp_path), key) == ANSWER
    (file,) = (path for path in Path(tmp_path).rglob("*") if path.is_file())
    assert file == tmp_path / "answers" / key[:2] / f"{key}.json"


def test_half_an_emoji_in_an_answer_or_a_question_is_kept_as_it_is(tmp_path):
    key = response_cache.digest({"prompt": "why \ud83c?"})
    answer = Answer('{"sentence": "Ben \ud83c"}', "tiny")
    response_cache.save(str(tmp_path), key, answer, "caption", 0.0)
    assert response_cache.load(str(tmp_path), key) == answer


def test_the_digest_is_of_what_is_asked_and_not_of_the_order_it_is_written_in():
    digest = response_cache.digest({"model": "m", "prompt": "ä", "pictures": ["1", "2"]})
    assert digest == response_cache.digest({"pictures": ["1", "2"], "prompt": "ä", "model": "m"})
    assert digest != response_cache.digest({"model": "m", "prompt": "ä", "pictures": ["2", "1"]})


def test_what_was_spent_is_the_sum_over_all_cached_answers(tmp_path):
    assert response_cache.spent(str(tmp_path)) == 0.0
    for number, cost in enumerate((0.5, 0.25, 0.0)):
        response_cache.save(
            str(tmp_path), response_cache.digest({"n": number}), ANSWER, "link", cost
        )
    # The first once more, and what a crash left.
    response_cache.save(str(tmp_path), response_cache.digest({"n": 0}), ANSWER, "link", 0.5)
    (tmp_path / "answers" / "ab.tmp").write_bytes(b"{")
    assert response_cache.spent(str(tmp_path)) == 0.75


def test_the_tokens_of_a_task_are_means_over_what_one_model_was_asked(tmp_path):
    cached = [
        ("caption", Answer("", "a", 100, 10)),
        ("caption", Answer("", "a", 300, 20)),
        ("link", Answer("", "a", 7, 8)),
        ("caption", Answer("", "b", 9000, 9000)),
    ]
    for number, (task, answer) in enumerate(cached):
        response_cache.save(str(tmp_path), response_cache.digest({"n": number}), answer, task, 0.0)
    assert response_cache.mean_tokens(str(tmp_path), "a") == {
        "caption": (200.0, 15.0),
        "link": (7.0, 8.0),
    }


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: b"[]",
        lambda data: data.replace(b"A cat", b"A bat"),
    ],
)
def test_an_answer_that_is_not_as_it_was_written_is_none(tmp_path, damage):
    key, other = response_cache.digest({"n": 1}), response_cache.digest({"n": 2})
    response_cache.save(str(tmp_path), key, Answer("A cat", "m", 1, 2), "caption", 0.5)
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    stranger = tmp_path / "answers" / other[:2] / f"{other}.json"
    stranger.parent.mkdir(exist_ok=True)
    stranger.write_bytes(file.read_bytes())  # the answer to another question
    assert response_cache.load(str(tmp_path), other) is None
    stranger.unlink()
    file.write_bytes(damage(file.read_bytes()))
    assert response_cache.load(str(tmp_path), key) is None
    assert response_cache.spent(str(tmp_path)) == 0.0
