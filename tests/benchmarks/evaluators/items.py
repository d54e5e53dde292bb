"""Small data of other benchmarks, in their layouts."""

import json
from pathlib import Path

from PIL import Image

from benchmarks.stories import Opening, Story


def picture(path: Path, colour="teal", size=(16, 9)) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return str(path)


def told(openings: list[Opening], folder: Path) -> list[Story]:
    """Stories as a generator tells them: panel 0 is the opening."""
    return [
        Story(
            opening.id,
            (
                opening.text,
                *(opening.following or (f"Text {at}." for at in range(1, opening.length))),
            ),
            (
                opening.image,
                *(
                    picture(folder / opening.id / f"{at:02d}.jpg", (20 * at, 99, 0))
                    for at in range(1, opening.length)
                ),
            ),
        )
        for opening in openings
    ]


def vistory(folder: Path) -> Path:
    """Two stories of three shots; Momo is red and Pip is blue."""
    for number in ("01", "02"):
        shots = [
            {
                "index": at,
                "Shot Perspective Design": {"en": f"Wide {at}", "ch": "远"},
                "Plot Correspondence": {"en": f"Plot {at}", "ch": "情节"},
                "Static Shot Description": {"en": f"Script {at}", "ch": "描述"},
                "Setting Description": {"en": f"Scene {at}", "ch": "场景"},
                "Characters Appearing": {"en": names, "ch": names},
            }
            for at, names in ((1, []), (2, ["Momo", "Pip"]), (3, ["Momo", "nobody"]))
        ]
        characters = {
            name: {
                "name_en": name,
                "name_ch": name,
                "prompt_en": f"a {colour} one",
                "prompt_ch": "",
            }
            for name, colour in (("Momo", "red"), ("Pip", "blue"))
        }
        (folder / number).mkdir(parents=True)
        (folder / number / "story.json").write_text(
            json.dumps({"Shots": shots, "Characters": characters}), encoding="utf-8-sig"
        )
        for name, colour in (("Momo", "red"), ("Pip", "blue")):
            picture(folder / number / "image" / name / "00.jpg", colour, (64, 64))
    return folder
