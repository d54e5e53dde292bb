"""Title cards: tells images of titles and credits from images that have some text on them.

The thresholds were set on "Big Buck Bunny" and its trailer, a frame per second: they find each
title and credit card and nothing else.
"""

from __future__ import annotations

from pipeline.keyframes.ocr import Box, ScreenText

_CARD_DETAIL = 0.05  # less: nothing to see but the text; the plainest tenth of images has 0.2
_CARD_COVERAGE = 0.01
_TITLE_COVERAGE = 0.04  # of two lines or more that are large or in the middle of the image
_TITLE_HEIGHT = 0.07  # of the image: lines of a sign in a street are smaller
_LOGO_COVERAGE = 0.1  # so much that it hides the image


def is_title_card(screen: ScreenText) -> bool:
    """Whether an image is a title card or credits, and not one with a sign or a subtitle in it.

    It is where the text hides the image, where there is nothing to see but the text, or where
    several lines are large or in the middle. Subtitles do not count.
    """
    if all(_is_subtitle(box) for box in screen.boxes):
        return False
    if screen.coverage >= _LOGO_COVERAGE:
        return True
    if screen.detail < _CARD_DETAIL and screen.coverage >= _CARD_COVERAGE:
        return True
    title = [
        box
        for box in screen.boxes
        if not _is_subtitle(box) and (abs(box.x - 0.5) < 0.1 or box.height >= _TITLE_HEIGHT)
    ]
    return len(title) >= 2 and screen.coverage >= _TITLE_COVERAGE


def _is_subtitle(box: Box) -> bool:
    """A line in the middle of the lowest quarter, larger than rolling credits are."""
    return box.y > 0.75 and abs(box.x - 0.5) < 0.2 and box.height > 0.05
