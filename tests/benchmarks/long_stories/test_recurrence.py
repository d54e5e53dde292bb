"""What comes back after some pictures."""

from types import SimpleNamespace

import numpy as np
import torch

from benchmarks.attributes.labels import Labels
from benchmarks.long_stories import recurrence
from benchmarks.results.tables import format_cell
from schemas.rows import CHUNK_LENGTH


def label(place, *characters):
    return Labels("a.jpg", "E1", 0, "val", place, characters, "wide")


def test_a_gap_is_the_number_of_pictures_since_it_was_last_seen():
    story = [
        label("pond", "Momo"),
        label("pond", "Pip", "Rosa"),
        None,
        label("beach", "Momo"),
        label("beach", "Rosa"),
        label("pond", "Rosa"),
    ]
    # Rosa was there, though not as the main character, three pictures before she is it.
    assert recurrence.recurrence_gaps(story, "main") == [0, 0, None, 3, 3, 1]
    assert recurrence.recurrence_gaps(story, "place") == [0, 1, None, 0, 1, 4]


def test_moments_within_the_length_of_training_are_left_out():
    story = [label("pond", "Momo")] * CHUNK_LENGTH + [label("beach", "Pip"), label("pond", "Pip")]
    found = recurrence.moments_by_gap([story, story], "place")
    first, second = CHUNK_LENGTH, CHUNK_LENGTH + 1
    assert {name: moments for name, moments in found.items() if moments} == {
        "never before": [(0, first), (1, first)],
        "2 to 4": [(0, second), (1, second)],
    }
    assert len(recurrence.moments_by_gap([story] * 9, "place", most=4)["2 to 4"]) == 4


def test_a_policy_that_paints_what_returns_is_right_at_every_gap(monkeypatch):
    """Features and pictures are the number of the place here, so accuracies can be counted."""
    places = ["pond"] * CHUNK_LENGTH + ["beach", "pond", "pond"]  # pond returns after 2, then 1
    images = [[f"{at}.jpg" for at in range(len(places))]] * 2
    known = {f"{at}.jpg": label(place, "Momo") for at, place in enumerate(places)}
    number = {"pond": 1, "beach": 2}
    truth = torch.tensor([[number[place] for place in places]] * 2)
    forgets = truth.clone()
    forgets[0, CHUNK_LENGTH + 1] = 2  # in one of two stories, it stays at the beach
    monkeypatch.setattr(
        recurrence.labels,
        "read_keyframes",
        lambda dataset, some, size: np.array([number[known[image].place] for image in some]),
    )
    monkeypatch.setattr(recurrence, "_painted", lambda teller, features: features.numpy())
    monkeypatch.setattr(
        recurrence.accuracy,
        "correct_answers",
        lambda classifier, made, wanted: {
            "main": np.ones(len(made), bool),
            "place": made == [number[label.place] for label in wanted],
        },
    )
    detokenizer = SimpleNamespace(image_size=8)
    teller = SimpleNamespace(
        run=SimpleNamespace(preset=SimpleNamespace(model=SimpleNamespace(detokenizer=detokenizer)))
    )

    found = recurrence.score_recurrence(
        teller,
        SimpleNamespace(images=images),
        {
            "sink": SimpleNamespace(features=truth),
            "window": SimpleNamespace(features=forgets),
        },
        known,
        "",
        None,
    )
    main, place = recurrence.recurrence_tables(found, {})

    shown = {
        row: {
            column.name: format_cell(cells[column.name], column)
            for column in place.columns
            if cells[column.name].n
        }
        for row, cells in place.cells.items()
    }
    assert shown["true"] == shown["sink"]
    assert shown["sink"]["2 to 4"] == "100 % (100-100)"
    assert shown["window"] == shown["sink"] | {"2 to 4": "50 % (0-100)"}
    assert set(shown["sink"]) == {"never before", "2 to 4", "1"}
    assert main.cells["window"]["1"].value == 1
    assert place.bounds == ("true",)
