import numpy as np
import pytest

from benchmarks.attributes import labels, tables
from benchmarks.attributes.labels import CLASSES
from benchmarks.results import markdown
from benchmarks.stories import Story
from tests.benchmarks import toy

SIZE = 32


class Eyes:
    """Reads a toy picture by its colours; of how many there are it always says one."""

    def predict(self, seen):
        main = seen[:, :8, 4].mean(1).argmax(1)
        main, place = 2 - main, 2 - seen[:, :8, -4].mean(1).argmax(1)  # RGB
        said = {"main": main, "place": place, "action": main + 3, "count": np.zeros_like(main)}
        return {name: np.eye(len(CLASSES[name]))[found] for name, found in said.items()}


class Blind:
    """Always says the same."""

    def predict(self, seen):
        return {name: np.eye(len(known))[[0] * len(seen)] for name, known in CLASSES.items()}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    dataset, sample = toy.make(tmp_path_factory.mktemp("toy"), held_out=2)
    reference = [
        Story(
            film,
            tuple(f"{film} {at}" for at in range(10)),
            tuple(f"{dataset}/images/{film}/{at}.jpg" for at in range(10)),
        )
        for film in ("E2", "E3")
    ]
    return dataset, labels.read_labels(dataset, sample), reference


def retold(reference, panels, texts=None):
    """The stories with other pictures: `panels` gives (story, number) for story and number."""
    return [
        Story(
            story.id,
            texts or story.texts,
            (
                story.images[0],
                *(
                    reference[source].images[number]
                    for source, number in (panels(at, number) for number in range(1, 10))
                ),
            ),
        )
        for at, story in enumerate(reference)
    ]


def test_each_panel_is_held_against_the_true_one_of_its_number(made):
    dataset, known, reference = made
    stories = {
        "ground truth": reference,
        "copy of the first": retold(reference, lambda story, number: (story, 0)),
        "shuffled": retold(reference, lambda story, number: (1 - story, number - 1)),
        "own texts": retold(reference, lambda story, number: (story, 0), ("x",) * 10),
    }
    table, by_length = tables.tables(stories, reference, known, dataset, SIZE, Eyes())
    assert (table.name, by_length.name) == ("attributes", "attributes-by-position")

    def values(row):
        return [table.cells[row][column.name].value for column in table.columns]

    assert values("ground truth") == [1, 1, 1, 1, None]
    assert values(tables.CEILING)[:4] == [1, 1, 1, 1]
    # Shots 3, 6 and 9 have the main character of shot 0 and its place; it is in 1, 3, 6, 8 and 9
    assert values("copy of the first") == pytest.approx([3 / 9, 5 / 9, 3 / 9, 3 / 9, None])
    # The panel before, of the other film: another character; the place is one on or the same
    assert values("shuffled") == pytest.approx([0, 3 / 9, 0.5, 0, None])
    assert table.cells["own texts"]["main character"].note == "no panels"
    assert table.cells["ground truth"]["main character"].n == 18
    # Four of twelve shots are the same character's, six of the twelve have the one who is in most
    assert values(tables.CHANCE)[0] == pytest.approx(4 / 12)
    assert table.bounds == (tables.CEILING, tables.CHANCE, "ground truth")

    copied = by_length.cells["copy of the first"]
    found = [copied[f"main character, panels {part}"].value for part in ("2-5", "6-10", "11-20")]
    assert found == [pytest.approx(1 / 4), pytest.approx(2 / 5), None]
    assert copied["place, panels 6-10"].n == 10
    assert copied["place, panels 21-30"].note == "no panels"


def test_what_the_reader_cannot_read_is_no_score(made):
    dataset, known, reference = made
    table, by_length = tables.tables(
        {"ground truth": reference}, reference, known, dataset, SIZE, Blind()
    )
    assert {cell.note for cell in table.cells["ground truth"].values()} == {"not classifiable"}
    assert {cell.value for cell in by_length.cells["ground truth"].values()} == {None}
    assert table.cells[tables.CEILING]["place"].value is not None
    assert "here: main character, any character present, place, action, count." in table.text
    assert "- (not classifiable)" in markdown.table_to_markdown(table)
    table, _ = tables.tables({"ground truth": reference}, reference, known, dataset, SIZE, Eyes())
    assert "Not classifiable here: count." in table.text  # always one


def test_a_dataset_without_held_out_films_is_an_error_with_a_remedy(made):
    dataset, known, reference = made
    learned = {image: label for image, label in known.items() if label.split == "train"}
    with pytest.raises(ValueError, match="no held-out episodes: make one of more films"):
        tables.tables({}, reference, learned, dataset, SIZE, Eyes())


def test_panels_that_show_nobody_are_not_asked_for(made):
    dataset, known, reference = made
    fewer = {image: label for image, label in known.items() if not image.endswith("/4.jpg")}
    assert tables.labels_of_stories(reference, fewer, dataset)["E2"][4] is None
    table, _ = tables.tables({"ground truth": reference}, reference, fewer, dataset, SIZE, Eyes())
    assert table.cells["ground truth"]["place"].n == 16


def test_a_story_illustrates_the_texts_that_it_has():
    true = Story("a", ("one", "two", "three"), ("1", "2", "3"))
    assert tables.has_true_texts(Story("a", ("one", "two"), ("x", "y")), true)
    assert not tables.has_true_texts(Story("a", ("one", "three"), ("x", "y")), true)
    assert not tables.has_true_texts(true, None)
