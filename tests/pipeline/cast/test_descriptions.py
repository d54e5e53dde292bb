"""Who has no name is called by its colour, and told from others of that colour in words."""

from __future__ import annotations

from pipeline.cast import descriptions, features
from pipeline.inference.builtin import colour_names
from schemas.rows import Figure

GREY, PINK = [55.0, 0.0, 0.0], [78.0, 28.0, -3.0]  # CIE Lab


def figure(lab: list[float], height: float = 0.5, **shares: float) -> Figure:
    """A figure of a mean colour, with shares of other colours."""
    roots = [shares.get(name, 0.0) ** 0.5 for name in colour_names.NAMES]
    return Figure("k", "film", [0.2, 0.1, 0.4, 0.1 + height], 0.1, 1.0, [*roots, *lab])


def described(*groups: Figure) -> list[str]:
    found = descriptions.describe(range(len(groups)), [list(groups)], [list(range(len(groups)))])
    return list(found.values())


def test_looks_end_in_shares_of_colours_and_the_mean_colour():
    assert len(figure(GREY).look) == features.COLOURS


def test_each_colour_is_a_description():
    assert described(figure(GREY), figure(PINK)) == ["grey figure", "pink figure"]


def test_a_second_colour_tells_two_of_one_colour():
    rabbit, bird = figure(GREY, grey=1.0), figure(GREY, grey=0.7, orange=0.2, brown=0.1)
    assert described(rabbit, bird) == ["grey figure", "grey-orange figure"]


def test_size_tells_two_of_the_same_colours():
    others = figure(GREY, 0.8, grey=1.0), figure(GREY, 0.2, grey=1.0)
    assert described(figure(GREY, 0.4, grey=1.0), *others) == [
        "grey figure",
        "large grey figure",
        "small grey figure",
    ]


def test_else_they_are_counted_and_none_is_called_as_another():
    names = described(*[figure(GREY, grey=1.0)] * 11)
    assert names[:3] == ["grey figure", "second grey figure", "third grey figure"]
    assert names[-2:] == ["10th grey figure", "11th grey figure"]
    assert len(set(names)) == 11


def test_who_comes_later_changes_no_earlier_description():
    first = [figure(GREY, grey=1.0), figure(GREY, grey=0.8, orange=0.2)]
    assert described(*first, figure(GREY, orange=0.9))[:2] == described(*first)
