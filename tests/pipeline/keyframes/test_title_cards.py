import pytest

from pipeline.keyframes.ocr import Line, ScreenText
from pipeline.keyframes.title_cards import is_card, shows_nothing, title_cards


def screen(places, area, detail, outlines) -> ScreenText:
    """The text of an image: x, y and height of each line, and the area of all together."""
    each = area / max(len(places), 1)
    lines = [Line("text", x, y, each / height, height, each) for x, y, height in places]
    return ScreenText(lines, detail, outlines)


# Lines, coverage, detail and outlines as measured on frames of "Big Buck Bunny" and its trailer.
OPENING = screen([(0.49, 0.46, 0.067), (0.49, 0.54, 0.058)], 0.0431, 0.263, 0.62)
NAME = screen([(0.51, 0.39, 0.417)], 0.2032, 0.708, 1.0)
ROLLING = screen([(0.5, 0.42, 0.058), (0.5, 0.53, 0.075)], 0.0439, 0.019, 0.06)
FIRST_CREDITS = screen([(0.47, 0.93, 0.058), (0.52, 0.97, 0.039)], 0.0142, 0.017, 0.05)
LINE_OVER_SCENE = screen([(0.5, 0.5, 0.083)], 0.0486, 0.555, 0.94)
SUBTITLE = screen([(0.5, 0.86, 0.08), (0.5, 0.94, 0.08)], 0.09, 0.3, 0.7)
SUBTITLE_ON_PLAIN = screen([(0.5, 0.9, 0.08)], 0.04, 0.01, 0.0)
SIGNS = screen([(0.2, 0.4, 0.05), (0.8, 0.5, 0.05)], 0.05, 0.4, 0.8)
NO_TEXT = screen([], 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("what", "shown", "card"),
    [
        ("opening credit over the sky", OPENING, True),
        ("the film's name over its first scene", NAME, True),
        ("rolling credits beside a drawing", ROLLING, True),
        ("one line over a scene", LINE_OVER_SCENE, False),
        ("a subtitle of two lines", SUBTITLE, False),
        ("a subtitle over a plain picture", SUBTITLE_ON_PLAIN, False),
        ("two signs far apart", SIGNS, False),
        ("no text", NO_TEXT, False),
    ],
)
def test_title_cards_and_credits_are_told_from_signs_and_subtitles(what, shown, card):
    assert title_cards([shown], [10.0], 600.0) == [card], what


def test_credits_that_roll_in_are_told_by_those_after_them():
    assert title_cards([NO_TEXT, FIRST_CREDITS, ROLLING], [290, 295, 300], 600) == [
        False,
        True,
        True,
    ]
    assert not is_card(FIRST_CREDITS)


def test_text_over_a_picture_is_a_title_near_the_ends_of_a_film_or_beside_a_card():
    shop = screen([(0.5, 0.3, 0.1), (0.5, 0.42, 0.1)], 0.06, 0.05, 0.4)
    screens = [shop, NO_TEXT, shop, NO_TEXT, shop, ROLLING]
    times = [5, 200, 300, 350, 400, 405]
    assert title_cards(screens, times, 600) == [True, False, False, False, True, True]


def test_a_logo_in_the_corner_of_a_plain_picture_is_not_its_subject():
    assert not is_card(screen([(0.92, 0.07, 0.07)], 0.012, 0.001, 0.0))
    assert is_card(screen([(0.5, 0.5, 0.07)], 0.012, 0.001, 0.0))


def test_a_single_line_that_cannot_be_read_may_be_an_aeroplane():
    unread = Line("", 0.5, 0.4, 0.3, 0.08, 0.024)
    assert not is_card(ScreenText([unread], 0.01, 0.0))
    below = Line("", 0.5, 0.6, 0.3, 0.08, 0.024)
    assert is_card(ScreenText([unread, below], 0.01, 0.0))


def test_a_black_image_with_a_logo_shows_nothing():
    assert shows_nothing(screen([(0.92, 0.07, 0.07)], 0.012, 0.0, 0.0))
    assert not shows_nothing(screen([(0.92, 0.07, 0.07)], 0.012, 0.02, 0.03))
    assert not shows_nothing(NO_TEXT)
