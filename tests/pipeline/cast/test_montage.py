"""One picture shows a captioner all characters of a series."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from pipeline.cast import montage
from schemas.rows import Reference

COLOURS = {"Pip": (58, 112, 240), "Momo": (224, 159, 95)}  # BGR


def references(folder: Path) -> list[Reference]:
    """Two pictures of each character, which fills the left half of them."""
    rows = []
    for name, colour in COLOURS.items():
        for number in range(2):
            image = f"images/film/{name}{number}.jpg"
            picture = np.full((180, 320, 3), 255, np.uint8)
            picture[:, :160] = colour
            (folder / image).parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / image), picture)
            rows.append(Reference("series", name, image, "0" * 64, [0, 0, 160, 180]))
    return rows


def test_each_character_has_a_number_and_its_colours(tmp_path):
    made = montage.save(references(tmp_path), str(tmp_path), str(tmp_path / "work"))
    assert made.names == {"1": "Pip", "2": "Momo"}
    picture = cv2.imread(made.picture.path)
    assert picture.shape[:2][::-1] == montage.size(2)
    half = picture.shape[1] // 2
    for name, part in zip(COLOURS, (picture[:, :half], picture[:, half:]), strict=True):
        middle = part[80, [40, 150]]  # of its two pictures
        assert np.abs(middle - np.array(COLOURS[name])).max() < 12


def test_the_same_characters_have_the_same_file(tmp_path):
    rows = references(tmp_path)
    first, second = (
        montage.save(rows, str(tmp_path), str(tmp_path / work)) for work in ("one", "two")
    )
    assert first.picture.sha256 == second.picture.sha256
    assert Path(first.picture.path).read_bytes() == Path(second.picture.path).read_bytes()


def test_no_cast_has_no_picture(tmp_path):
    assert montage.save([], str(tmp_path), str(tmp_path / "work")) is None


def test_a_large_cast_is_cut_to_those_seen_most(tmp_path):
    rows = references(tmp_path)
    many = [
        Reference("series", f"Extra {number}", rows[0].image, "0" * 64, rows[0].box)
        for number in range(30)
    ]
    made = montage.save([*rows, *many], str(tmp_path), str(tmp_path / "work"))
    assert len(made.names) == 15 and made.names["1"] == "Pip"
    width, height = montage.size(32)
    assert max(width, height) <= 768  # no server scales it down
