"""Tells names of places, peoples and streets from those of persons, in many languages."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

import langcodes

from pipeline.annotation import concepts, words
from pipeline.annotation.checks import listed_names
from pipeline.runtime import word_lists

_PLACE_PREPOSITIONS = word_lists.by_language(__package__, "place_prepositions.txt")
_STREETS_AFTER, _STREETS_BEFORE = (
    frozenset(line.split()) for line in word_lists.read(__package__, "streets.txt")
)
_TERRITORIES = """
001 002 003 005 009 011 013 014 015 017 018 019 021 029 030 034 035 039 053 054 057 061 142 143 145
150 151 154 155 202 419 AE AF AL AM AR AT AU AZ BA BD BE BG BO BR BY CA CH CL CN CO CR CU CY CZ DE
DK DO DZ EC EE EG ES ET FI FR GB GE GH GR GT HK HN HR HU ID IE IL IN IQ IR IS IT JM JO JP KE KH KP
KR KW KZ LA LB LT LU LV LY MA MD ME MG MK MM MN MT MX MY NG NI NL NO NP NZ OM PA PE PH PK PL PS PT
PY QA RO RS RU SA SD SE SG SI SK SN SV SY TH TN TR TW TZ UA UG US UY UZ VE VN YE ZA ZM ZW
""".split()  # noqa: SIM905  # regions of the world (UN M49) and countries
_LANGUAGES = """
ar bg bn ca cs da de el en es et eu fa fi fr ga gl he hi hr hu hy id is it ja ka ko lt lv mk mn ms
nb nl pl pt ro ru sk sl sq sr sv sw ta te th tr uk ur vi zh
""".split()  # noqa: SIM905
NAMES_OF = "pl"  # the language whose dictionary has the names of many countries
_SHORTEST_STEM, _LONGEST_ENDING = 3, 5
_SOFT_BEFORE_I = {"ка": "ц", "га": "з", "ха": "с"}  # of Ukrainian: в Африці


def is_of_place(tokens: Sequence[re.Match[str]], number: int) -> bool:
    """Returns whether a word is of the name of a place: Butterpot of Butterpot Hill, Lepic of the
    rue Lepic."""
    before, after = tokens[number - 1 : number], tokens[number + 1 : number + 2]
    return any(token[0].casefold() in _STREETS_BEFORE for token in before) or any(
        token[0][:1].isupper() and is_street(token[0]) for token in after
    )


def is_street(word: str) -> bool:
    """Returns whether a word makes the one before it the name of a place: Hill, Lane."""
    return word.casefold() in _STREETS_AFTER


@functools.cache
def geographic(code: str) -> frozenset[str]:
    """Returns the words of the names of continents, regions and countries in a language."""
    names = [langcodes.get(f"und-{of}").territory_name(code) for of in _TERRITORIES]
    names += [langcodes.get(of).language_name(code) for of in _LANGUAGES]
    found = {part for name in names for part in parts(name) if len(part) > 2}
    return frozenset(found - concepts.function_words(code))


@functools.cache
def is_people(name: str, code: str) -> bool:
    """Returns whether a word is of a people, as its language tells: İngiliz of İngilizce."""
    word = name.casefold()
    return len(word) > _SHORTEST_STEM and any(
        language.startswith(word) and len(language) - len(word) <= _LONGEST_ENDING
        for language in _language_names(code)
    )


@functools.cache
def _language_names(code: str) -> frozenset[str]:
    """Returns the names of languages in a language."""
    return frozenset(langcodes.get(of).language_name(code).casefold() for of in _LANGUAGES)


@functools.cache
def _places(code: str) -> frozenset[str]:
    """Returns continents and countries whose name is one word: a part of Черна гора is any word."""
    names = (langcodes.get(f"und-{of}").territory_name(code).casefold() for of in _TERRITORIES)
    return frozenset(name for name in names if name.isalpha() and len(name) > _SHORTEST_STEM + 1)


def is_declined_place(name: str, code: str) -> bool:
    """Returns whether a word is a continent or a country with an ending, and no known name:
    Afrikában, but not Indira."""
    word = name.casefold()
    if name in listed_names.given_names("international") | listed_names.rare_names("international"):
        return False
    return not concepts.is_entry(name, NAMES_OF) and any(
        word.startswith((place[:-1], place[:-2] + _SOFT_BEFORE_I.get(place[-2:], place[-2:])))
        and len(word) - len(place) <= _LONGEST_ENDING
        for place in _places(code)
    )


def is_only_place(name: str, texts: Sequence[str], language: str) -> bool:
    """Returns whether texts have a name only after "in" or "from", as that of a place: z Kolína."""
    prepositions = _PLACE_PREPOSITIONS.get(concepts.code(language), "").split()
    before = [
        found for text in texts for found in re.findall(rf"(\w*)\W*\b{re.escape(name)}\b", text)
    ]
    return bool(before) and all(word.casefold() in prepositions for word in before)


def parts(text: str) -> list[str]:
    """Returns the words of a text, and the parts of those with an apostrophe or a hyphen."""
    return [
        part for word in words.tokenize(text.replace("-", " ")) for part in (word, *word.split("'"))
    ]
