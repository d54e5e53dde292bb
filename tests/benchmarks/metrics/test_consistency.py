import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.attributes.labels import Labels
from benchmarks.generators import baselines
from benchmarks.metrics import consistency, consistency_features, near_copies
from benchmarks.metrics.encoders import ImageEncoder
from benchmarks.stories import Story, make_opening
from tests.benchmarks import toy

SIDE, LENGTH = 96, 13


WHO, WHERE = ("Ann", "Bob", "Cat"), ("wood", "sea", "town")


MARGINS = (
    consistency.STYLE.name,
    consistency.SCENE.name,
    consistency.CHARACTER.name,
    consistency.PLACE.name,
)


def test_margins_are_means_over_pairs():
    alike = np.arange(16.0).reshape(4, 4)
    same, other = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    same[0, [1, 2]] = other[0, 3] = same[1, 0] = other[2, 0] = True
    np.testing.assert_array_equal(
        consistency.margins(alike, same, other), [1.5 - 3, np.nan, np.nan, np.nan]
    )


def test_pairs_of_labels():
    same, other = consistency.labelled_pairs(["a", None, "a", "b"])
    assert np.argwhere(same).tolist() == [[0, 2], [2, 0]]
    assert np.argwhere(other).tolist() == [[0, 3], [2, 3], [3, 0], [3, 2]]
    assert consistency.labelled_pairs([])[0].shape == (0, 0)
    near, far = consistency.adjacent_pairs(7)
    assert near.sum() == 12 and np.argwhere(far).tolist() == [
        [0, 5],
        [0, 6],
        [1, 6],
        [5, 0],
        [6, 0],
        [6, 1],
    ]


def test_a_linear_trend_is_no_similarity():
    steps = np.arange(12)[:, None]
    drifting = 2 + steps * np.ones((1, 3))
    assert consistency.panel_similarity(drifting) == pytest.approx(np.zeros((12, 12)), abs=1e-9)
    content = np.random.default_rng(0).normal(size=(12, 3))
    np.testing.assert_allclose(
        consistency.panel_similarity(content + drifting),
        consistency.panel_similarity(content),
        atol=1e-9,
    )
    # By numpy's own fit of a line
    line = np.stack(
        [np.polyval(np.polyfit(steps[:, 0], column, 1), steps[:, 0]) for column in content.T],
        axis=1,
    )
    np.testing.assert_allclose(
        consistency.panel_similarity(content), (content - line) @ (content - line).T, atol=1e-9
    )


def test_mean_distance_is_that_of_pairs():
    features = np.array([[1.0, 0], [0, 1], [0.6, 0.8]])
    assert consistency.mean_distance(features) == pytest.approx((1 + 0.4 + 0.2) / 3)
    assert consistency.mean_distance(features[[0, 0, 0]]) == pytest.approx(0)
    assert np.isnan(consistency.mean_distance(features[:1]))


def picture(who, where, dice):
    """RGB [96, 96, 3]: a pattern for the place, a figure in the middle, none twice the same."""
    x, y = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    shift = dice.uniform(0, 2 * np.pi)
    wave = {
        "wood": np.sin(x / 2.5 + shift),
        "sea": np.sin(y / 7 + shift + x / 30),
        "town": np.sign(np.sin(x / 5 + shift) * np.sin(y / 5 + shift)),
    }[where]
    colour = {"wood": (60, 130, 50), "sea": (60, 110, 190), "town": (190, 150, 120)}[where]
    seen = np.clip(np.array(colour) + 45 * wave[..., None], 0, 255).astype(np.uint8)
    left, top = (int(offset) for offset in dice.integers(22, 38, 2))
    area = slice(top, top + 40), slice(left, left + 36)
    figure = np.zeros((40, 36, 3), np.uint8)
    if who == "Ann":
        figure[:] = (230, 40, 40)
        cv2.circle(figure, (18, 14), 10, (255, 240, 220), -1)
    elif who == "Bob":
        figure[:] = (250, 220, 40)
        figure[::6] = figure[1::6] = (20, 20, 20)
    else:
        cv2.ellipse(figure, (18, 20), (17, 19), 0, 0, 360, (240, 240, 255), -1)
        cv2.putText(figure, "X", (4, 33), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (120, 0, 140), 4)
    seen[area] = figure
    return seen


def write(folder, name, seen):
    path = str(folder / f"{name}.png")
    cv2.imwrite(path, seen[..., ::-1])
    return path


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Three true stories of three scenes each, what they show, and a folder for others."""
    folder = tmp_path_factory.mktemp("stories")
    dice = np.random.default_rng(0)
    stories, shown = [], {}
    for number in range(3):
        images, texts, truths = [], [], []
        for at in range(LENGTH):
            who, where = WHO[(at * (at + 3) // 2 + number) % 3], WHERE[(at // 5 + number) % 3]
            images.append(write(folder, f"{number}-{at}", picture(who, where, dice)))
            texts.append(f"Then {who} came to the {where}.")
            truths.append(Labels("", "E", at, "val", where, (who,), "wide"))
        stories.append(Story(f"story {number}", tuple(texts), tuple(images)))
        shown[f"story {number}"] = truths
    return folder, stories, shown


@pytest.fixture(scope="module")
def all_tables(world):
    folder, reference, shown = world
    openings = [make_opening(story, True) for story in reference]
    dice = np.random.default_rng(1)

    noise = [
        write(folder, f"noise {at}", dice.integers(0, 256, (SIDE, SIDE, 3), np.uint8))
        for at in range(1, LENGTH)
    ]
    stories = {
        "ground truth": reference,
        "shuffled": [baselines.shuffle(reference)(opening) for opening in openings],
        "copy of the first": [baselines.repeat_first(opening) for opening in openings],
        "noise": [replace(story, images=(story.images[0], *noise)) for story in reference],
    }
    return consistency.tables(stories, reference, SIDE, shown, cache=folder / "cache")


@pytest.fixture(scope="module")
def compared(all_tables):
    return all_tables[0]


@pytest.mark.parametrize("name", MARGINS)
def test_true_stories_are_the_most_consistent(compared, name):
    true = compared.cells["ground truth"][name]
    assert true.low > 0
    for other in ("shuffled", "copy of the first", "noise"):
        found = compared.cells[other][name]
        assert found.value < true.value / 3 and found.value < true.low
    assert compared.cells["copy of the first"][name].value == pytest.approx(0, abs=1e-9)


def test_one_picture_again_and_again_is_seen_as_that(compared):
    def shares(name):
        return [row[name].value for row in compared.cells.values()]

    assert shares(consistency.COPIES.name) == [0, 0, 1, 0]
    true, shuffled, copy, noise = shares(consistency.DIVERSITY.name)
    assert true == 1 and copy == pytest.approx(0, abs=1e-5)
    assert 0.7 < shuffled < 1.5 and noise < 0.3
    assert compared.bounds == ("ground truth",)
    assert consistency.MEMORISED not in compared.columns


def test_a_picture_for_each_character_and_place_gains_nothing(world):
    folder, reference, shown = world
    first = {}
    for story in reference:
        for what, image in zip(shown[story.id], story.images, strict=True):
            first.setdefault((what.main, what.place), image)
    again = [
        replace(
            story,
            images=(
                story.images[0],
                *(first[what.main, what.place] for what in shown[story.id][1:]),
            ),
        )
        for story in reference
    ]
    table, *_ = consistency.tables(
        {"ground truth": reference, "again": again}, reference, SIDE, shown, cache=folder / "cache"
    )
    true, found = table.cells["ground truth"], table.cells["again"]
    assert all(found[name].value < true[name].value for name in MARGINS)
    assert found[consistency.COPIES.name].value > 0.2


def test_who_comes_back_looks_as_before_in_true_stories_only(all_tables):
    _, character, place = all_tables
    assert character.name == "consistency-recurrence-character"
    assert [column.name for column in place.columns] == ["1"]  # each place is one scene here
    rows = {name: cells["2 to 4"] for name, cells in character.cells.items()}
    assert rows["ground truth"].low > 0
    for other in ("shuffled", "copy of the first", "noise"):
        assert rows[other].value < rows["ground truth"].value / 2
    assert character.bounds == ("ground truth",)


def test_without_truth_texts_say_who_and_nobody_says_where(world):
    folder, reference, shown = world
    own = [
        replace(story, texts=tuple(f"Soon {text}" for text in story.texts)) for story in reference
    ]
    for known in (None, shown):  # texts of its own: the truth's numbers are not theirs
        table, *_ = consistency.tables(
            {"own texts": own}, reference, SIDE, known, cache=folder / "cache"
        )
        assert table.cells["own texts"]["place"].note == "places are not known"
        assert table.cells["own texts"]["character"].low > 0
        assert ("No ground truth is known" in table.text) == (known is None)


def test_scenes_by_other_features_and_stories_that_are_too_short(world):
    folder, reference, _ = world
    flat = ImageEncoder("flat", "clip", "1", lambda seen: np.full((len(seen), 2), 0.5, np.float32))
    short = [Story(story.id, story.texts[:2], story.images[:2]) for story in reference]
    table, *_ = consistency.tables(
        {"ground truth": reference, "short": short, "none": []},
        reference,
        SIDE,
        embedders=[flat],
        cache=folder / "cache",
    )
    assert table.cells["ground truth"]["scene, flat"].value == pytest.approx(0, abs=1e-9)
    assert table.cells["short"]["scene, flat"].note == "too few panels"
    assert table.cells["short"][consistency.COPIES.name].n == 3
    assert table.cells["none"] == {}


def test_near_copies_survive_what_painters_do_but_not_a_move():
    dice = np.random.default_rng(3)
    seen = np.stack(
        [
            cv2.GaussianBlur(dice.integers(0, 256, (SIDE, SIDE, 3), np.uint8), (0, 0), 4)
            for _ in range(4)
        ]
    )
    seen = (255.0 * (seen - seen.min()) / np.ptp(seen)).astype(np.uint8)
    marks = near_copies.picture_hashes(seen)
    assert near_copies.find_near_copies(marks, marks).tolist() == np.eye(4, dtype=bool).tolist()
    soft = np.stack([cv2.GaussianBlur(seen_picture, (0, 0), 2) for seen_picture in seen])
    grainy = np.clip(0.8 * seen + dice.normal(10, 6, seen.shape), 0, 255).astype(np.uint8)
    for changed in (soft, grainy):
        assert (
            near_copies.find_near_copies(near_copies.picture_hashes(changed), marks)
            .diagonal()
            .all()
        )
    assert not near_copies.find_near_copies(
        near_copies.picture_hashes(np.roll(seen, 12, 2)), marks
    ).any()
    assert near_copies.find_near_copies(marks[:0], marks).shape == (0, 4)


def test_pictures_of_the_training_films_are_known(tmp_path):
    dataset, _ = toy.make(tmp_path)
    known = near_copies.read_training_hashes(dataset)
    assert known.shape == (36, 4)
    story = Story("E3", ("",) * 2, (f"{dataset}/images/E3/0.jpg", f"{dataset}/images/E0/1.jpg"))
    table, *_ = consistency.tables({"retrieval": [story]}, [story], 32, training=known)
    assert table.cells["retrieval"][consistency.MEMORISED.name].value == 1
    manifest = json.loads(Path(dataset, "dataset.json").read_text())
    Path(dataset, "dataset.json").write_text(json.dumps(manifest | {"videos": []}))
    assert near_copies.read_training_hashes(dataset).shape == (0, 4)
    with pytest.raises(ValueError, match="is no finished dataset"):
        near_copies.read_training_hashes(tmp_path)


def test_features_are_three_of_unit_length_that_depend_on_the_picture_alone():
    seen = np.stack([picture("Ann", where, np.random.default_rng(0)) for where in WHERE[:2]])
    both, second = (
        consistency_features.consistency_encoder().embed(some) for some in (seen, seen[1:])
    )
    np.testing.assert_array_equal(both[1:], second)
    style, whole, centre = consistency_features.split_features(both)
    assert style.shape == (2, 160) and whole.shape == centre.shape == (2, 1280)
    for part in (style, whole, centre):
        np.testing.assert_allclose(np.linalg.norm(part, axis=1), 1, rtol=1e-5)
    # Style does not know what is where
    turned = consistency_features.split_features(
        consistency_features.consistency_encoder().embed(seen[:1, :, ::-1].copy())
    )[0]
    assert turned[0] @ style[0] > 0.995 > turned[0] @ style[1]
