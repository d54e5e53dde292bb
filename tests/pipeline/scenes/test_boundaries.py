import numpy as np

from pipeline.scenes import boundaries, colours


def begins(*pictures, price=None, monkeypatch=None):
    """Where scenes begin among pictures of a colour each, given as grey levels."""
    spreads = np.array(
        [colours.spread(np.full((28, 48, 3), level, np.uint8)) for level in pictures]
    )
    return boundaries.find(colours.distances(spreads, spreads))


DAY, NIGHT, FACE = 220, 20, 120


def test_a_scene_ends_where_the_place_or_its_light_changes():
    assert begins(DAY, DAY, DAY, NIGHT, NIGHT, NIGHT) == [0, 3]
    assert begins(DAY, DAY, DAY) == [0]
    assert begins(DAY) == [0]


def test_one_picture_of_something_else_ends_no_scene():
    assert begins(*[DAY] * 4, FACE, *[DAY] * 4) == [0]
    assert begins(DAY, DAY, FACE, DAY, FACE, DAY, DAY, *[NIGHT] * 3) == [0, 7]


def best_cost(distances, begin):
    """The cost of one way to cut, as the module states it."""
    ends = [*begin[1:], len(distances)]
    return sum(
        np.triu(distances[first:end, first:end]).sum() / (end - first) + boundaries.PRICE
        for first, end in zip(begin, ends, strict=True)
    )


def test_no_other_way_to_cut_costs_less():
    random = np.random.default_rng(0)
    for _ in range(20):
        half = np.triu(random.random((7, 7)), 1)
        distances = half + half.T
        found = best_cost(distances, boundaries.find(distances))
        for inner in range(2**6):
            other = [0, *(at + 1 for at in range(6) if inner >> at & 1)]
            assert found <= best_cost(distances, other) + 1e-9


def test_long_films_are_cut_too(monkeypatch):
    monkeypatch.setattr(boundaries, "_LONGEST", 5)
    assert begins(*[DAY] * 12) == [0, 2, 7]
