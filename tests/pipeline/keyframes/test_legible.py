"""What is told of the text on images: no letters read in stairs, all of titles and signs."""

from __future__ import annotations

import pytest

from pipeline.keyframes.legible import legible
from pipeline.keyframes.ocr import Line, ScreenText


def screen(*lines: tuple[str, float]) -> ScreenText:
    """An image on which these texts are read with these confidences."""
    return ScreenText(
        [Line(text, 0.5, 0.5, 0.2, 0.1, 0.02, sure) for text, sure in lines], 0.3, 0.5
    )


def test_titles_and_signs_are_told():
    assert legible([screen(("An unlucky bird", 0.96)), screen(("BAKERY", 0.9))]) == [
        ["An unlucky bird"],
        ["BAKERY"],
    ]


@pytest.mark.parametrize("read", [("NN", 0.95), ("毛主", 0.7), ("20", 0.65), ("BORKSY", 0.71)])
def test_what_is_read_in_stairs_and_leaves_is_not(read):
    assert legible([screen(read), screen(("Pip and Momo", 0.98))]) == [[], ["Pip and Momo"]]


def test_a_doubtful_line_is_told_if_it_is_read_again():
    first, again = screen(("Librairie", 0.7)), screen(("Librairle", 0.66))
    assert legible([first, screen(), again]) == [["Librairie"], [], ["Librairle"]]
    assert legible([first, screen()]) == [[], []]


def test_two_chinese_characters_are_a_word_in_a_chinese_film():
    sign, title = screen(("学校", 0.93)), screen(("小红的学校", 0.97))
    assert legible([sign, title]) == [["学校"], ["小红的学校"]]
    assert legible([sign, screen(("The School", 0.97))]) == [[], ["The School"]]
