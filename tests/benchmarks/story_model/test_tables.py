"""Tables of the story model's evaluation."""

import dataclasses

from benchmarks.results.tables import Figure
from benchmarks.story_model import evaluation, tables


def test_tables_name_what_is_missed():
    def scores(main, place):
        return {
            "main": Figure(main, 100, main - 0.1, main + 0.1),
            "there": Figure(0.95, 100),
            "place": Figure(place, 100),
        }

    guess = evaluation.FeatureScores(Figure(0.5, 100, 0.4, 0.6), Figure(0.25, 100, 0.2, 0.3))
    result = evaluation.Result(
        100,
        12,
        4,
        3,
        0.795,
        32.0,
        1 / 32,
        {evaluation.PREDICTED: guess},
        {
            evaluation.PAINTED_TRUE: scores(0.79, 0.8),
            evaluation.PAINTED_PREDICTED: scores(0.6, 0.61),
            evaluation.MAJORITY: scores(0.4, 0.2),
        },
        {"all": scores(0.95, 0.99)},
    )
    near, read, ceilings = tables.tables(result, {})
    assert near.cells[evaluation.PREDICTED] == {"cosine": guess.cosine, "recall@1": guess.recall}
    assert near.cells["chance"]["recall@1"].value == 1 / 32
    true, predicted = (
        read.cells[name] for name in (evaluation.PAINTED_TRUE, evaluation.PAINTED_PREDICTED)
    )
    assert true["main character"] == Figure(0.79, 100, 0.79 - 0.1, 0.79 + 0.1)
    assert (true["target"], true["target met"]) == ("80%", "missed: main character")
    assert (predicted["target"], predicted["target met"]) == ("60%", "yes")
    assert "target" not in read.cells[evaluation.MAJORITY]
    assert ceilings.cells["all"]["place"].value == 0.99
    assert "3 more moments show nobody" in near.text
    assert "name the main character in 79.5%" in near.text
    assert "some episodes have fewer" not in near.text
    short, *_ = tables.tables(dataclasses.replace(result, candidates=30.5), {})
    assert "some episodes have fewer: 30.5 on average" in short.text
