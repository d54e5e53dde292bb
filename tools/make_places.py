"""Makes the word lists of `pipeline/annotation/places/` from OpenStreetMap's iD tagging schema.

`npm pack @openstreetmap/id-tagging-schema`, unpack it, and `python tools/make_places.py SCHEMA`.
`places/kinds.txt` says which presets and emoji are which kind of place. Each line of a language's
file is a kind and its words, between commas: the names of its presets up to a bracket, slash or
comma, the emoji's names of `concepts/`, and other terms of the presets that are of no other kind.
Words that name something else too (the German Bank is a bench) are left out. Licence of the
schema: ISC.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import repeat
from pathlib import Path

import stopwordsiso

from pipeline.annotation import concepts, place_words
from tools.make_concepts import LANGUAGES

OUT = Path(__file__).parents[1] / "pipeline" / "annotation" / "places"
SOURCES = {"nb": "no", "fil": "tl", "bs": "bs"}
ALIKE, ALIKE_LEAST = 0.6, 4  # of a term that is a variant of a title: share, letters
LONGEST = 3  # words of a name
_ENDS = re.compile(r"[(/,،、;:–（／\[]| - ")
Words = dict[str, set[str]]  # kinds by word


def main(schema: str) -> None:
    """Writes a file for each language that has words."""
    for language in LANGUAGES:
        presets = _presets(Path(schema), SOURCES.get(language, language))
        lines = [
            ",".join((kind, *sorted(names)))
            for kind, names in _words(presets, language).items()
            if names
        ]
        text = "\n".join(lines).encode()
        (OUT / f"{language}.txt.gz").write_bytes(gzip.compress(text, mtime=0))


def _presets(schema: Path, language: str) -> dict[str, dict[str, str]]:
    file = schema / "dist" / "translations" / f"{language}.json"
    if not file.is_file():
        return {}
    found: dict[str, dict[str, str]] = (
        json.loads(file.read_text())[language].get("presets", {}).get("presets", {})
    )
    return found


def _words(presets: Mapping[str, Mapping[str, str]], language: str) -> dict[str, set[str]]:
    """Returns the words of each kind of place."""
    kinds = place_words.kinds()
    listed = {preset for kind in kinds.values() for preset in kind.presets}
    titles, terms = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
    own = defaultdict[str, Counter[str]](Counter)  # how often a kind's presets have a word
    for preset, entry in presets.items():
        kind = _kind(preset)
        for name in _names(entry.get("name", "")):
            titles[name].add(kind)
            own[kind][name] += 1
        for term in entry.get("terms", "").split(","):
            for name in _names(term):
                terms[name].add(kind)
                own[kind][name] += preset in listed
    titles_of = defaultdict[str, set[str]](set)
    for title, of in titles.items():
        for kind in of:
            titles_of[kind].add(title)
    emoji = concepts.titles(language)
    found: dict[str, set[str]] = {}
    for name, place in kinds.items():
        words = {word for symbol in place.named for word in emoji.get(symbol, ())}
        for word, presets_of in own[name].items():
            others = (titles[word] | terms[word]) - {name}
            if name in titles[word]:
                good = titles[word] == {name}
            else:
                good = len(others) < presets_of and any(map(_akin, titles_of[name], repeat(word)))
            if good:
                words.add(word)
        found[name] = {word for word in words if _is_good(word, language)}
    return found


def _kind(preset: str) -> str:
    """Returns the kind of place that a preset is, or else what it is: its key and value."""
    for name, kind in place_words.kinds().items():
        if any(f"{preset}/".startswith(f"{above}/") for above in kind.presets):
            return name
    return "/".join(preset.split("/")[:2])


def _names(text: str) -> Iterator[str]:
    """Yields the names before a bracket and those between slashes."""
    text = unicodedata.normalize("NFC", re.sub(r"\([^)]*\)|（[^）]*）", "", text))
    for part in _ENDS.split(text):
        name = " ".join(part.replace("\u200e", "").casefold().split()).strip(" .'\"")
        if name and len(name.split()) <= LONGEST:
            yield name


def _akin(title: str, term: str) -> bool:
    """Returns whether a term has much of a title, as Krankenhaus of Krankenhausgelände."""
    least = max(ALIKE_LEAST if title[0] < "\u0e00" else 2, int(len(term) * ALIKE))
    parts = {term[start : start + least] for start in range(len(term) - least + 1)}
    return " " not in term and any(part in title for part in parts)


def _is_good(word: str, language: str) -> bool:
    listed = {"fil": "tl", "nb": "no"}.get(language, language)
    stops = stopwordsiso.stopwords(listed) if stopwordsiso.has_lang(listed) else ()
    shortest = 2 if "\u0e00" <= word[0] <= "\u0eff" or word[0] >= "\u1100" else 3
    return (
        len(word) >= shortest
        and word not in stops
        and word not in place_words.ambiguous(language)
        and not any(map(str.isdigit, word))
    )


if __name__ == "__main__":
    main(sys.argv[1])
