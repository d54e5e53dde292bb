"""A window of six pictures, and good texts for them in two languages."""

from __future__ import annotations

from typing import Any

LOOKS = {"Tilda": "a small hedgehog in a blue apron", "Bruno": "a large badger with a red scarf"}
FORMS = {name: [name] for name in LOOKS}


def caption(sentence: str, *who: str, place: str = "") -> dict[str, Any]:
    return {
        "sentence": sentence,
        "characters": [LOOKS[name] for name in who],
        "who": {LOOKS[name]: name for name in who},
        "place": place,
        "action": "",
        "objects": [],
    }


CAPTIONS = [
    caption("A small hedgehog in a blue apron waters tall sunflowers.", "Tilda"),
    caption("A badger with a red scarf searches wooden boxes in a shed.", "Bruno"),
    caption("The badger sits on the doorstep and cries.", "Bruno"),
    caption("An old owl with round glasses points with one wing."),
    caption("An old windmill stands on a grassy hill under a purple sky."),
    caption("Mice sit around a lantern, reading a book."),
]
TEXTS = {
    "en": [
        "Tilda gave the sunflowers a long, cool drink.",
        "Bruno turned over one box after another.",
        "Two fat tears rolled down Bruno's nose.",
        "The owl pushed up her glasses and lifted a wing.",
        "And there, on the hill, the old mill was waiting.",
        "Mice! They had his lantern, and they were reading.",
    ],
    "de": [
        "Tilda gab den Sonnenblumen zu trinken.",
        "Bruno riss eine Kiste nach der anderen auf.",
        "Da weinte Bruno dicke Tränen.",
        "Die alte Eule rückte ihre Brille zurecht und hob einen Flügel.",
        "Oben auf dem Hügel stand die alte Windmühle.",
        "Eine Mäusefamilie las beim Schein der Laterne ein Buch.",
    ],
}
