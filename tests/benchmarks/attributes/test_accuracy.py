"""Accuracy of answers."""

import numpy as np

from benchmarks.attributes import accuracy, labels
from benchmarks.attributes.labels import Labels


class _Says:
    """A network that gives the same answers whatever it sees."""

    def __init__(self, **answers):
        self.answers = {
            name: np.eye(len(known))[[known.index(answer) for answer in answers[name]]]
            for name, known in labels.CLASSES.items()
        }

    def predict(self, seen):
        return self.answers


def test_the_main_character_alone_is_right_and_others_who_are_there_count_apart():
    true = [
        Labels("", "E", 0, "val", "pond", ("Pip", "Momo"), "wide", "walks"),
        Labels("", "E", 1, "val", "pond", ("Pip", "Momo"), "wide", "runs"),
        Labels("", "E", 2, "val", "forest", ("Otto",), "wide", "runs"),
        Labels("", "E", 3, "val", "beach", ("Pip",), "wide", "runs"),
    ]
    network = _Says(
        main=["Pip", "Momo", "Pip", "Pip"],
        place=["pond", "pond", "forest", "pond"],
        action=["walks", "walks", "runs", "digs"],
        count=[2, 2, 2, 1],
    )
    right = accuracy.correct_answers(network, np.zeros((4, 1, 1, 3), np.uint8), true)
    assert right["main"].tolist() == [True, False, False, True]
    assert right["there"].tolist() == [True, True, False, True]
    assert right["place"].tolist() == [True, True, True, False]
    assert right["action"].tolist() == [True, False, True, False]
    assert right["count"].tolist() == [True, True, False, True]
    constant = accuracy.majority_baseline(true)
    assert {name: constant[name].sum() for name in ("main", "there", "place")} == {
        "main": 3,
        "there": 3,
        "place": 2,
    }
    assert constant["action"].tolist() == [False, True, True, True]
    assert constant["count"].sum() == 2
    assert all(len(flags) == 0 for flags in accuracy.majority_baseline([]).values())
