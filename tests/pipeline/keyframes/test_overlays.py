import cv2

from pipeline.keyframes.ocr import Line, ScreenText, read
from pipeline.keyframes.overlays import without_overlays
from pipeline.keyframes.title_cards import title_cards
from pipeline.testing.films import drawing


def line(text, x, y, width=0.12, height=0.06):
    return Line(text, x, y, width, height, width * height)


def texts(*screens):
    """The texts that are left on images with a detailed ground."""
    rest = without_overlays([ScreenText(list(lines), 0.3, 0.8) for lines in screens])
    return [[each.text for each in screen.lines] for screen in rest]


def test_a_logo_is_left_out_wherever_it_is_and_however_it_is_read():
    readings = ["TOON", "TOON", "T00N", "TO0N", "TOON"]
    for x, y in ((0.1, 0.08), (0.9, 0.08), (0.5, 0.93), (0.88, 0.9)):
        screens = [(line(text, x + 0.005 * i, y),) for i, text in enumerate(readings)]
        screens[2] += (line("BAKERY", 0.4, 0.4),)
        assert texts(*screens) == [[], [], ["BAKERY"], [], []]


def test_a_clock_is_left_out_and_so_is_a_logo_in_letters_that_are_read_differently():
    clock = [(line(f"12:4{minute}", 0.9, 0.08),) for minute in range(5)]
    assert texts(*clock) == [[]] * 5
    unknown = [(line(text, 0.9, 0.08),) for text in ("", "Hy", "noro", "", "WAn")]
    assert texts(*unknown) == [[]] * 5


def test_a_logo_that_is_read_in_part_is_left_out():
    screens = [(line("KIDS TV", 0.1, 0.08),)] * 4 + [(line("TV", 0.14, 0.08, width=0.04),)]
    assert texts(*screens) == [[]] * 5


def test_subtitles_and_signs_stay():
    said = ["Where is it?", "I do not know.", "Look over there!", "My balloon!", "Thank you."]
    lines = [(line(text, 0.5, 0.9, 0.02 * len(text)),) for text in said]
    assert texts(*lines) == [[text] for text in said]
    signs = [(line("BAKERY", 0.3 + 0.1 * i, 0.4),) for i in range(5)]
    assert texts(*signs) == [["BAKERY"]] * 5


def test_a_card_that_comes_back_stays():
    card = ScreenText([line("Meanwhile", 0.5, 0.5, 0.4)], 0.0, 0.0)
    picture = ScreenText([], 0.3, 0.8)
    screens = [card, picture, card, picture, card]
    assert without_overlays(screens) == screens


def test_a_cartoon_with_a_logo_keeps_its_pictures_and_loses_the_logo_from_their_text(tmp_path):
    for number in range(6):
        picture = drawing(number)
        cv2.putText(picture, "TOON", (520, 50), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (255,) * 3, 5)
        if number == 3:
            cv2.putText(picture, "BAKERY", (60, 120), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (0,) * 3, 3)
        cv2.imwrite(str(tmp_path / f"{number}.jpg"), picture[..., ::-1])
    screens = without_overlays(read([str(tmp_path / f"{number}.jpg") for number in range(6)]))
    assert [screen.texts for screen in screens] == [[], [], [], ["BAKERY"], [], []]
    assert not any(title_cards(screens, range(0, 12, 2), 12.0))
