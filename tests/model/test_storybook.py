import base64
import json
import re

import numpy as np
import pytest
from PIL import Image

from model import storybook
from model.generate import Panel

TEXTS = ["Pip & Momo met.", "They went <home>.", "Night fell."]
COLOURS = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]


def told(stories=1, shape=(36, 64)):
    """Panels of three sentences; the first picture has a shape of its own, the others are squares
    of one colour."""
    for number, (text, colour) in enumerate(zip(TEXTS, COLOURS, strict=True)):
        picture = np.full((*(shape if number == 0 else (32, 32)), 3), colour, np.uint8)
        yield [
            Panel(story, number, f"{text}{story or ''}", [], None, picture)
            for story in range(stories)
        ]


def write(folder, panels, *about):
    return list(storybook.write(folder, panels, about or [{"seed": 7}]))


def middle(path):
    with Image.open(path) as image:
        return image.size, image.convert("RGB").getpixel((image.width // 2, image.height // 2))


def test_a_story_is_json_pictures_panels_and_a_page(tmp_path):
    given = write(tmp_path, told(), {"seed": 7, "top_p": 0.9})

    names = ["00.jpg", "01.jpg", "02.jpg"]
    assert [paths for _, paths in given] == [[tmp_path / name] for name in names]
    assert {path.name for path in tmp_path.iterdir()} == {
        *names,
        "story.json",
        "panels.jpg",
        "story.html",
    }
    assert json.loads((tmp_path / "story.json").read_text()) == {
        "texts": TEXTS,
        "images": names,
        "seed": 7,
        "top_p": 0.9,
    }
    for name, colour in zip(names, COLOURS, strict=True):
        assert middle(tmp_path / name)[1] == pytest.approx(colour, abs=3)


@pytest.mark.parametrize(
    "shape, stretched",
    [((36, 64), (57, 32)), ((64, 36), (32, 57)), ((50, 50), (32, 32)), ((1800, 3200), (57, 32))],
)
def test_pictures_have_the_shape_of_the_first(tmp_path, shape, stretched):
    write(tmp_path, told(shape=shape))

    first = (1280, 720) if shape[0] == 1800 else shape[::-1]  # a large one is made smaller
    assert [middle(tmp_path / f"0{at}.jpg")[0] for at in range(3)] == [first, stretched, stretched]


def test_the_page_is_one_file_with_the_pictures_in_it(tmp_path):
    write(tmp_path, told())
    page = (tmp_path / "story.html").read_text()

    sources = re.findall(r'src="([^"]*)"', page)
    pictures = [base64.b64decode(one.removeprefix("data:image/jpeg;base64,")) for one in sources]
    assert pictures == [(tmp_path / f"0{at}.jpg").read_bytes() for at in range(3)]
    assert re.findall(r"<figcaption[^>]*>(.*?)</figcaption>", page) == [
        "Pip &amp; Momo met.",
        "They went &lt;home&gt;.",
        "Night fell.",
    ]
    assert "http" not in page
    assert "seed: 7" in page


def test_several_stories_have_a_folder_each_and_one_page(tmp_path):
    write(tmp_path, told(2), {"seed": 1}, {"seed": 1})

    for at in range(2):
        book = json.loads((tmp_path / str(at + 1) / "story.json").read_text())
        assert book["texts"] == [f"{text}{at or ''}" for text in TEXTS]
        assert (tmp_path / str(at + 1) / "panels.jpg").exists()
    page = (tmp_path / "story.html").read_text()
    assert page.count("<article>") == 2 and page.count("<figure") == 6
    assert page.index("Night fell.<") < page.index("They went &lt;home&gt;.1")


def test_panels_show_every_picture_in_its_place(tmp_path):
    write(tmp_path, told())

    with Image.open(tmp_path / "panels.jpg") as sheet:
        cell, high = 320 + 20, round(320 * 36 / 64)
        assert sheet.width == 3 * cell + 20
        for at, colour in enumerate(COLOURS):
            for inside in (20, 300):  # pixels from the left of 320
                assert sheet.getpixel((20 + at * cell + inside, 20 + high // 2)) == pytest.approx(
                    colour, abs=3
                )
            below = np.asarray(
                sheet.crop((20 + at * cell, 20 + high + 5, (at + 1) * cell, sheet.height)).convert(
                    "L"
                )
            )
            assert below.min() < 100  # ink


def test_long_texts_are_wrapped_and_words_without_an_end_are_cut():
    font = storybook.ImageFont.load_default(15)
    lines = storybook._wrapped("Pip ran home and " + "o" * 60, font, 100)

    assert "".join(lines).replace(" ", "") == "Piprunhomeand".replace("u", "a") + "o" * 60
    assert len(lines) > 5
    assert all(font.getlength(line) <= 100 for line in lines)
    assert lines[0] == "Pip ran home"


def test_each_panel_is_on_disk_before_the_next_is_told(tmp_path):
    stream = storybook.write(tmp_path, told(), [{}])
    next(stream)
    next(stream)

    assert json.loads((tmp_path / "story.json").read_text())["images"] == ["00.jpg", "01.jpg"]
    assert (tmp_path / "01.jpg").exists() and not (tmp_path / "02.jpg").exists()


def test_a_story_that_is_stopped_is_a_whole_book(tmp_path):
    def stopped():
        yield from list(told())[:2]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, stopped())

    assert (tmp_path / "story.html").read_text().count("<figure") == 2
    assert (tmp_path / "panels.jpg").exists()


def test_a_new_story_takes_the_place_of_the_old_and_of_nothing_else(tmp_path):
    write(tmp_path, told(2), {}, {})
    write(tmp_path, told())
    (tmp_path / "99.jpg").write_bytes(b"mine")

    write(tmp_path, list(told())[:2])

    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "00.jpg",
        "01.jpg",
        "99.jpg",
        "panels.jpg",
        "story.html",
        "story.json",
    ]
