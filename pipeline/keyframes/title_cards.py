"""Title cards: tells images of titles and credits from images that have some text on them.

On a card the text is the subject: it is alone on a plain ground, or there are many lines of it.
Text over a picture is a title near the film's ends or beside other cards; anywhere else it is a
sign, a shirt, a letter: part of the picture. The thresholds were set on "Big Buck Bunny" and its
trailer, the sample cartoon, and flat drawings with logos, signs and cards in seven scripts.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.keyframes.ocr import Line, ScreenText

_PLAIN = 0.08  # of the blocks crossed by outlines at most; a flat drawing has 0.29 or more
_SOFT = 0.005  # of the pixels are edges at most, as on a ground that is out of focus
_NOTHING = 0.001  # an aeroplane in the sky has more
_CARD_COVERAGE = 0.01
_MIDDLE = 0.3  # shares of the image: a line so near to its centre is not in a corner
_CREDITS = 5  # lines that are credits, where they cover
_CREDITS_COVERAGE = 0.04
_CREDITS_DETAIL = 0.12  # and there is little beside them; the plainest tenth of images has 0.2
_TITLE_COVERAGE = 0.04  # of two lines or more that are large or in the middle of the image
_TITLE_HEIGHT = 0.07  # of the image: lines of a sign in a street are smaller
_LOGO_COVERAGE = 0.1  # so much that it hides the image
_HIDDEN = 0.2  # so much that nothing is left of it
_EDGE = 120.0  # seconds at a film's ends with titles over pictures,
_EDGE_SHARE = 0.2  # each at most this share of it


def shows_nothing(screen: ScreenText) -> bool:
    """Returns whether there is nothing on an image outside of its text, such as a logo on black."""
    return bool(screen.texts) and screen.outlines == 0 and screen.detail <= _NOTHING


def title_cards(
    screens: Sequence[ScreenText], times: Sequence[float], duration: float
) -> list[bool]:
    """Returns which of a film's images are title cards or credits, in the order of their times."""
    certain = [is_card(screen) for screen in screens]
    edge = min(_EDGE, _EDGE_SHARE * duration)
    cards = []
    for number, (screen, time) in enumerate(zip(screens, times, strict=True)):
        beside = any(certain[max(0, number - 1) : number + 2])
        cards.append(
            certain[number]
            or (beside and _is_plain(screen))
            or ((beside or min(time, duration - time) <= edge) and _is_title(screen))
        )
    return cards


def is_card(screen: ScreenText) -> bool:
    """Returns whether an image shows text and nothing else, wherever it is in the film."""
    lines = _not_subtitles(screen)
    readable = [line for line in lines if line.text]
    if (
        len(lines) >= _CREDITS
        and sum(line.area for line in lines) >= _CREDITS_COVERAGE
        and (screen.detail < _CREDITS_DETAIL or screen.outlines <= _PLAIN)
    ):
        return True
    if readable and screen.coverage >= _HIDDEN:
        return True
    in_middle = any(max(abs(line.x - 0.5), abs(line.y - 0.5)) <= _MIDDLE for line in lines)
    # A single line that cannot be read may be an aeroplane in the sky.
    return (bool(readable) or len(lines) > 1) and in_middle and _is_plain(screen)


def _is_plain(screen: ScreenText) -> bool:
    """Returns whether there is text on a plain ground, subtitles alone aside."""
    plain = screen.outlines <= _PLAIN or screen.detail <= _SOFT
    area = sum(line.area for line in screen.lines)
    return plain and area >= _CARD_COVERAGE and bool(_not_subtitles(screen))


def _is_title(screen: ScreenText) -> bool:
    """Returns whether the text over a picture hides it, or has several lines that are large or in
    the middle."""
    lines = [line for line in _not_subtitles(screen) if line.text]
    if not lines:
        return False
    if screen.coverage >= _LOGO_COVERAGE:
        return True
    title = [line for line in lines if abs(line.x - 0.5) < 0.1 or line.height >= _TITLE_HEIGHT]
    return len(title) >= 2 and screen.coverage >= _TITLE_COVERAGE


def _not_subtitles(screen: ScreenText) -> list[Line]:
    """Returns the lines other than subtitles: those in the middle of the lowest quarter, larger
    than rolling credits are."""
    return [
        line
        for line in screen.lines
        if not (line.y > 0.75 and abs(line.x - 0.5) < 0.2 and line.height > 0.05)
    ]
