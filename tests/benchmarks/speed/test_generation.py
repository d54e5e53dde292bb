"""What is kept costs less than what is read again, counted in tokens that the model passes."""

from types import SimpleNamespace

import pytest
import torch

from benchmarks.long_stories.cost import WORDS
from benchmarks.speed import generation
from model.config import AttentionConfig
from tests.model.tiny import STORY, TOKENS, WIDTH, story

MOMENT = WORDS + STORY.image_tokens + 2  # and [INST], where it is a token
WAYS = (generation.DENSE, generation.SINK, generation.WINDOW, generation.ALL)


@pytest.fixture
def teller(monkeypatch):
    tokenizer, vocabulary, model, _ = story()
    preset = SimpleNamespace(
        model=SimpleNamespace(
            attention=AttentionConfig(window=3, boi=(2, 1), eoi=(1, 2), budget=10),
            vision=SimpleNamespace(tokens=TOKENS),
        )
    )
    monkeypatch.setattr(generation.generate, "about", lambda teller: {"story_model": "toy"})
    monkeypatch.setattr(
        generation.generate,
        "painting",
        lambda teller, seeds: lambda features: torch.zeros(len(features), 8, 8, 3),
    )
    return SimpleNamespace(
        model=model.eval(),
        tokenizer=tokenizer,
        vocabulary=vocabulary,
        run=SimpleNamespace(preset=preset),
        blank=torch.zeros(TOKENS, WIDTH),
        painter=SimpleNamespace(config=SimpleNamespace(steps=20)),
    )


@pytest.mark.parametrize(
    ("length", "way", "again"),
    [
        (10, generation.DENSE, 0),
        (10, generation.SINK, 0),
        (10, generation.WINDOW, 3),
        (10, generation.ALL, 9),
        (20, generation.WINDOW, 3),
        (20, generation.ALL, 19),
    ],
)
def test_so_many_pictures_are_read_again_for_the_last_one(teller, monkeypatch, length, way, again):
    passes = []
    hidden = teller.model.hidden

    def counted(vectors, *more):
        passes.append(vectors.shape[1])
        return hidden(vectors, *more)

    teller.model.hidden = counted
    generation._way(teller, way, length)()
    words = len(teller.vocabulary.turn) + 1 + STORY.image_tokens  # EoI, [INST], the picture before
    last = passes[-WORDS - 3 :]
    assert last[-WORDS - 2 :] == [words, *[1] * WORDS, 1 + STORY.image_tokens]
    moment = MOMENT + len(teller.vocabulary.turn)
    # At first there is a text without a picture; the BoI of the picture to come is read as well.
    assert (last[0] if again else 0) == pytest.approx(again * moment, abs=moment)


def test_ratios_are_of_ours_beside_both_others(teller, monkeypatch):
    taken = {name: [value, 2 * value] for name, value in zip(WAYS, (1, 2, 4, 8), strict=True)}
    monkeypatch.setattr(generation, "timed", lambda tools, rounds: taken)
    table = generation._told(teller, [10, 25], 2)
    assert list(table.cells) == list(WAYS)
    for length in (10, 25):
        cells = {
            name: row[f"picture {length}, relative to whole story read again"].value
            for name, row in table.cells.items()
            if f"picture {length}, relative to whole story read again" in row
        }
        assert cells == {generation.DENSE: 1 / 8, generation.SINK: 1 / 4}
        assert (
            table.cells[generation.SINK][f"picture {length}, relative to window read again"].value
            == 0.5
        )
        assert table.cells[generation.ALL][f"picture {length}"].value == 12


def test_the_shares_of_telling_and_painting_are_all(teller):
    table = generation._painted(teller, 10, 1)
    assert sum(row["share"].value for row in table.cells.values()) == pytest.approx(1)
    assert all(row["per picture"].value > 0 for row in table.cells.values())
    assert "20 steps" in table.title
