"""Makes `pipeline/annotation/checks/more_given_names.txt` from the names of Faker.

`pip download --no-deps faker wordfreq`, unpack both into a folder, and
`python tools/make_given_names.py FOLDER` (needs msgpack). How frequent a name is among all words,
by wordfreq, tells whether it may be another word as well: those behind `?` may, and the most
frequent ones are left out. Licence of Faker: MIT.
"""

from __future__ import annotations

import gzip
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import msgpack  # type: ignore[import-untyped]

from pipeline.annotation import concepts
from pipeline.runtime import word_lists

SOURCES = {
    "ar": ["ar_AA", "ar_PS", "ar_SA"],
    "bn": ["bn_BD"],
    "fa": ["fa_IR"],
    "gu": ["gu_IN"],
    "he": ["he_IL"],
    "hi": ["hi_IN"],
    "ja": ["ja_JP"],
    "ka": ["ka_GE"],
    "ko": ["ko_KR"],
    "ta": ["ta_IN"],
    "th": ["th_TH"],
    "zh": ["zh_CN"],
}
SHORTEST = {"th": 6, "ka": 4, "ta": 4, "ja": 2, "ko": 2, "zh": 2}  # characters; three elsewhere
A_NAME, A_WORD = 3.5, 4.2  # on wordfreq's scale of Zipf: at most
CHECKS = Path(__file__).parents[1] / "pipeline" / "annotation" / "checks"
_HEAD = "# More given names, by tools/make_given_names.py: those after `?` are words too."


def main(folder: str) -> None:
    """Writes the names of each language, without those of `given_names.txt` and known words."""
    sys.path.insert(0, folder)
    written = word_lists.read("pipeline.annotation.checks", "given_names.txt")
    known = {line.partition(":")[0]: set(line.split()) for line in written}
    lines = [_HEAD]
    for language, locales in SOURCES.items():
        names = {name for locale in locales for name in _names(locale)}
        names -= known[language] | concepts.lexicon(language).keys()
        names -= concepts.function_words(language)
        shortest = SHORTEST.get(language, 3)
        zipf = _frequencies(folder, language)
        rare = {name: zipf.get(name, 0.0) for name in sorted(names) if len(name) >= shortest}
        if not zipf:
            rare = dict.fromkeys(rare, A_NAME)
        sure = [name for name, frequency in rare.items() if frequency < A_NAME]
        doubtful = [name for name, frequency in rare.items() if A_NAME <= frequency < A_WORD]
        lines.append(" ".join((f"{language}:", *sure, "?", *doubtful)))
    (CHECKS / "more_given_names.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _names(locale: str) -> Iterator[str]:
    """Yields the given names of a locale, in its own script and without marks of vowels."""
    provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
    for attribute in dir(provider):
        values = getattr(provider, attribute)
        if attribute.startswith("first_name") and "romanized" not in attribute:
            for name in () if callable(values) else values:
                text = name if isinstance(name, str) else name[0]
                if not re.search(r"[a-zA-Z ,'\u064b-\u0652]", text):
                    yield text


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
