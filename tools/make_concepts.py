"""Makes `pipeline/annotation/concepts/` from Unicode's emoji annotations (CLDR).

`npm pack cldr-annotations-full emojibase-data`, unpack both, and
`python tools/make_concepts.py CLDR EMOJIBASE`. Each line of a language's file is an emoji, its
name, and the words and phrases that mean it, between commas. `beings.txt` has the emoji of animals
and of persons in a role, `persons.txt` those of an age. Flags, skin tones and symbols are left out.
Licence of CLDR: Unicode License v3.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

LANGUAGES = """
ar bg bn bs ca cs cy da de el en es et eu fa fi fil fr ga gl gu he hi hr hu hy id is it ja
ka kk km kn ko lt lv mk ml mr ms nb nl pa pl pt ro ru sk sl sq sr sv sw ta te th tr uk ur
uz vi zh zu
""".split()  # noqa: SIM905
OUT = Path(__file__).parents[1] / "pipeline" / "annotation" / "concepts"
BEINGS = """
person-role person-fantasy animal-mammal animal-bird
animal-amphibian animal-reptile animal-marine animal-bug
""".split()  # noqa: SIM905
MORE_BEINGS = ["🤖", "👻", "🏴‍☠"]
# What persons may be, and wings, coral and germs.
NO_BEINGS = ["🤰", "🫃", "🫄", "🤱", "🧑‍🍼", "🪽", "🪸", "🦠"]
PERSONS = ("person", "family")
MORE_PERSONS = ["👯"]  # friends, whatever ears they wear
# Faces of cats and monkeys are gestures.
NO_THINGS = """
cat-face monkey-face
skin-tone hair-style arrow zodiac av-symbol gender math punctuation currency other-symbol keycap
alphanum geometric flag country-flag subdivision-flag transport-sign warning religion
""".split()  # noqa: SIM905
_VARIATION = "\ufe0f"


def main(cldr: str, emojibase: str) -> None:
    """Writes a file for each language, and the list of beings."""
    data = json.loads(Path(emojibase, "en", "data.json").read_text())
    groups = json.loads(Path(emojibase, "meta", "groups.json").read_text())["subgroups"]
    kind = {
        entry["emoji"].replace(_VARIATION, ""): groups[str(entry["subgroup"])]
        for entry in data
        if "subgroup" in entry
    }
    things = {symbol for symbol, group in kind.items() if group not in NO_THINGS}
    # Of persons with a sex only the one without: the others repeat its words.
    things = {symbol for symbol in things if not {"\u2642", "\u2640"}.intersection(symbol)}
    things = {symbol for symbol in things if len(symbol) == 1 or symbol[0] not in "👨👩"}
    OUT.mkdir(exist_ok=True)
    for name, title, kinds, more in (
        ("beings", "Emoji of animals, of persons in a role and of tales.", BEINGS, MORE_BEINGS),
        ("animals", "Emoji of animals.", [kind for kind in BEINGS if "animal" in kind], []),
        ("persons", "Emoji of persons of an age, and of families.", PERSONS, MORE_PERSONS),
    ):
        found = [symbol for symbol in kind if symbol in things and kind[symbol] in kinds] + more
        found = [symbol for symbol in found if symbol not in NO_BEINGS]
        (OUT / f"{name}.txt").write_text(f"# {title}\n" + "\n".join(found) + "\n")
    for language in LANGUAGES:
        source = "no" if language == "nb" else language
        file = Path(cldr, "annotations", source, "annotations.json")
        entries = json.loads(file.read_text())["annotations"]["annotations"]
        lines = []
        for symbol, entry in entries.items():
            symbol = symbol.replace(_VARIATION, "")
            if symbol not in things:
                continue
            words = [
                " ".join(word.casefold().replace(",", " ").split())
                for word in (*entry.get("tts", ()), *sorted(entry.get("default", ())))
            ]
            lines.append(",".join((symbol, *filter(None, dict.fromkeys(words)))))
        text = "\n".join(lines).encode()
        (OUT / f"{language}.txt.gz").write_bytes(gzip.compress(text, mtime=0))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
