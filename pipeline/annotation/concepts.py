"""Compares texts across languages by the things that they name.

The words of a text are looked up in Unicode's emoji annotations, which name some 1,200 things in
64 languages: an owl is 🦉, "Eule", "сова" and "猫头鹰". A text becomes a vector of emoji, and texts
of any two languages are compared by the cosine of theirs (explicit semantic analysis, Gabrilovich
and Markovitch 2007). The lists are short: most words are in none, and a metaphor counts as its
thing. The lists of `concepts/` are written by `tools/make_concepts.py`; `more.txt` adds names.
"""

from __future__ import annotations

import functools
import gzip
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from importlib import resources

import simplemma
import stopwordsiso
from simplemma.strategies import DictionaryLookupStrategy

from pipeline.annotation import words
from pipeline.runtime import word_lists

_TOO_MANY = 40  # emoji of a word that says nothing: "animal", "face"
_SHORTEST = 3  # letters of a stem
_LONGEST_ENDING = 4
_LONGEST_PHRASE = 4  # words
_LONGEST_WORD = 10  # characters of a word in a script without spaces
_NO_SPACES = frozenset(("zh", "ja", "th", "km", "lo", "my"))
_JOINING = ("ta", "te", "ml", "kn")  # which join "and", "of", "with" to a word
_PREFIXES = {
    "ar": ("ال", "وال", "بال", "فال", "كال", "لل", "و", "ف", "ب", "ل", "ك"),
    "he": ("ה", "ו", "ב", "ל", "מ", "ש", "כ", "וה", "שה", "מה", "כש"),
}
# Endings of nouns that stand for an article: ulven of ulv.
_DEFINITE = {
    "da": ("en", "et", "n", "t", "ene", "erne"),
    "nb": ("en", "et", "a", "n", "t", "ene"),
    "sv": ("en", "et", "n", "t", "na"),
}
# Endings of nouns before a postposition, and those that dictionaries have: طوطے of طوطا.
_OBLIQUE = {"ur": {"ے": "اہ"}, "hi": {"े": "ा"}}
_ELIDING = frozenset(("fr", "it", "ca"))  # languages with l'orso, d'un ours
_MARKED = frozenset(("ar", "fa", "ur", "he"))  # where vowels are marks, mostly left out
_MARKS = re.compile("[\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670]")
_JOINTS = re.compile("[-\u200c\u05f3]")  # where words of a text are split: lumba-lumba, t-rex
_BEFORE, _AFTER = "のはがもをにとでへやなうるたいか", "はがもをにのとでへやかだよねさく"
_FEW_EMOJI = 6  # of a word that means one thing
_FACES = frozenset("🐭🐮🐯🐰🐱🐶🐴🐺🦊🦁🐻🐼🐸🐷🐲🦄🐹🐨🐵")
_MANY_FACES = 3  # whose names have a word that is "face", or what counts animals
# Sloth, skunk, villain, vampire and zombie are called by what they are like: lazy, bad, undead.
_SAME = 0.6  # of a word that is another form of a name
# What stands before an animal in Chinese: a measure word, or what it is like.
_COUNTED = re.compile("(?:[只隻头頭匹条條][^，。！？、]{0,3}|[小大老白黑灰花金银红青野幼那这])$")
_PRONOUNS = frozenset(("彼女", "彼女たち"))  # Japanese: she and they, in which there is no 女
_KOREAN_SUBJECT = re.compile("^.[가이은는을를도]$")
_CALLED_BY_NATURE = frozenset("🦥🦨🦹🧛🧟")

_DICTIONARIES = DictionaryLookupStrategy()

BEINGS = frozenset(word_lists.read(__package__, "concepts/beings.txt"))
ANIMALS = frozenset(word_lists.read(__package__, "concepts/animals.txt"))
CHILDREN = frozenset("👶🧒👦👧")
PERSONS = frozenset(word_lists.read(__package__, "concepts/persons.txt"))
_GENERIC_MASCULINE = frozenset(("es", "it", "pt", "ca"))
_NAMED_ONLY = ANIMALS | {"🧞"}  # a lamp is no genie
_KINDS_OF_ANIMALS = frozenset(
    " ".join(word_lists.read(__package__, "concepts/kinds_of_animals_en.txt")).split()
)

Vector = Mapping[str, float]


def code(language: str) -> str:
    """Returns the language of a BCP 47 tag as its word list is named: "pt" of "pt-BR"."""
    primary = language.replace("_", "-").partition("-")[0].lower()
    return {"no": "nb", "nn": "nb", "tl": "fil"}.get(primary, primary)


@functools.cache
def _dictionary(language: str) -> str:
    """Returns the code of simplemma's dictionary of a language, which several may share."""
    return {"fil": "tl", "hr": "hbs", "bs": "hbs", "sr": "hbs"}.get(code(language), code(language))


@functools.cache
def lexicon(language: str) -> Mapping[str, frozenset[str]]:
    """Maps the words and phrases of a language to emoji; empty for an unknown language."""
    found: dict[str, set[str]] = {}
    for line in _lines(language):
        emoji, *names = line.split(",")
        for name in names:
            found.setdefault(name, set()).add(emoji)
            if code(language) == "ja" and len(name) >= _SHORTEST:  # キツネ is also きつね
                found.setdefault(_hiragana(name), set()).add(emoji)
    for emoji, name in _more(language):
        found.setdefault(name, set()).add(emoji)
    return {name: frozenset(emoji) for name, emoji in found.items() if len(emoji) <= _TOO_MANY}


@functools.cache
def _more(language: str) -> tuple[tuple[str, str], ...]:
    """Returns names that a language's list lacks, with their emoji: 🧙, zauberer."""
    lines = (line.split() for line in word_lists.read(__package__, "concepts/more.txt"))
    return tuple(
        (emoji, _JOINTS.sub(" ", unicodedata.normalize("NFC", name)).casefold())
        for of, emoji, *names in lines
        if of == code(language)
        for name in names
    )


@functools.cache
def titles(language: str) -> Mapping[str, frozenset[str]]:
    """Maps emoji to their names, which keywords are not: 🏰 to castle."""
    found: dict[str, set[str]] = {}
    for line in _lines(language):
        emoji, title = line.split(",")[:2]
        found.setdefault(emoji, set()).add(title)
    for emoji, name in _more(language):
        found.setdefault(emoji, set()).add(name)
    return {emoji: frozenset(names) for emoji, names in found.items()}


@functools.lru_cache(maxsize=50_000)
def lemma(word: str, language: str) -> str:
    """Returns the dictionary form of a word, or the word in a language without a dictionary."""
    try:
        return simplemma.lemmatize(_as_spelt(word, language), lang=_dictionary(language)).casefold()
    except ValueError:
        return word


@functools.lru_cache(maxsize=4_000)
def named_things(text: str, language: str) -> tuple[str, ...]:
    """Finds the words and phrases of a text that the lexicon has, as it has them, each once."""
    return tuple(dict.fromkeys(name for name, _ in _found(text, language)))


@functools.lru_cache(maxsize=4_000)
def located(text: str, language: str) -> tuple[tuple[str, int], ...]:
    """Finds the words and phrases of a text that the lexicon has, as it has them, with the places
    of their first characters in the text, composed (NFC)."""
    found = tuple(_found(text, language))
    if code(language) in _NO_SPACES:
        return found
    places = [place for _, place in words.located(text)]
    return tuple((name, places[number]) for name, number in found)


@functools.lru_cache(maxsize=4_000)
def named_in_any_form(text: str, language: str) -> tuple[str, ...]:
    """Returns `named_things`, and the dictionary forms of those that are a form of another entry
    too: έρημο is "lonely" and the accusative of "desert"."""
    found = named_things(text, language)
    lemmas = (lemma(name, language) for name in found if " " not in name)
    return tuple(dict.fromkeys((*found, *(name for name in lemmas if name in lexicon(language)))))


@functools.lru_cache(maxsize=4_000)
def means(text: str, language: str, most: int = _FEW_EMOJI) -> frozenset[str]:
    """Returns the emoji of the words of a text that have at most so many: not those of "animal"."""
    known = lexicon(language)
    return frozenset(
        emoji
        for name in named_things(text, language)
        if len(known[name]) <= most
        for emoji in known[name]
    )


@functools.lru_cache(maxsize=4_000)
def shown(text: str) -> frozenset[str]:
    """Returns the emoji of an English description, of animals only those that it names, or whose
    kind it names: "two" is said of a camel, and "talk" of a parrot."""
    known = lexicon("en")
    of_animals = _names_of_beings("en") | _KINDS_OF_ANIMALS
    named = {
        emoji
        for word in named_in_any_form(text, "en")
        if word in of_animals
        for emoji in known[word]
    }
    return (means(text, "en") - _NAMED_ONLY) | (_NAMED_ONLY & named)


@functools.lru_cache(maxsize=4_000)
def beings(text: str, language: str) -> tuple[str, ...]:
    """Finds the words of a text that mean an animal or somebody in a role, as a noun, each once.

    A story may always speak of a mother or a child: persons of an age do not count. Words that are
    mostly something else ("fly", "seal") count after an article only, in English; in other
    languages those of `ambiguous.txt` never count, words of one character do not, and stems only
    where little is cut off.
    """
    never = ambiguous(language) | function_words(language)
    tokens = words.tokenize(text)
    english = code(language) == "en"
    found: dict[str, None] = {}
    for name, start in _found(text, language):
        if name in never or name not in _names_of_beings(language):
            continue
        # A character of Chinese may be a part of any word; an animal is counted or small.
        sure = any(name == more and emoji in BEINGS for emoji, more in _more(language))
        sure = sure or (len(name) == 1 and _COUNTED.search(text[:start]) is not None)
        if not sure and (len(name) < _shortest(name) or not _is_being(name, language)):
            continue
        if not english and _is_cut(name, tokens, start, language):
            continue
        if code(language) == "ko" and tokens[start] == name and _KOREAN_SUBJECT.search(name):
            continue  # 화가 is a painter, and anger with the particle of a subject
        if english and words.DETERMINERS.isdisjoint(tokens[max(0, start - 3) : start]):
            continue
        found[name] = None
    return tuple(found)


@functools.lru_cache(maxsize=4_000)
def children(text: str, language: str) -> Mapping[str, frozenset[str]]:
    """Returns the words of a text that mean a child, in English after an article only, with those
    emoji of children that have them as a name."""
    titled, spelt, of = names(language), words.located(text), code(language)
    tokens = [token for token, _ in spelt]
    text = unicodedata.normalize("NFC", text)
    found: dict[str, frozenset[str]] = {}
    for name, start in _found(text, language):
        emoji = frozenset(symbol for symbol in CHILDREN if name in titled.get(symbol, ()))
        before = tokens[max(0, start - 3) : start]
        if not emoji or (of == "en" and words.DETERMINERS.isdisjoint(before)):
            continue
        if of == "de" and text[spelt[start][1]].islower():
            continue  # jung, no Junge
        if of in _GENERIC_MASCULINE and "👦" in emoji and name != bare(tokens[start], language):
            emoji = frozenset("🧒")  # niños are boys and girls
        found[name] = found.get(name, frozenset()) | emoji
    return found


@functools.lru_cache(maxsize=4_000)
def possible_beings(text: str, language: str) -> frozenset[str]:
    """Returns the emoji of all beings that a text may name, among other things: a dragon in German
    may be a kite. In English those that `beings` finds, as most names of animals are verbs too."""
    known, of_beings = lexicon(language), _names_of_beings(language)
    if code(language) == "en":
        found = frozenset(beings(text, language))
    else:
        left_out = ambiguous(language) | function_words(language)
        things = named_in_any_form(text, language)
        # Drachen are kites, and more than one Drache.
        stems = (name[:-cut] for name in things for cut in (1, 2) if len(name) - cut > _SHORTEST)
        found = of_beings.intersection((*things, *stems)) - left_out
    return frozenset().union(*(known[name] & BEINGS for name in found))


@functools.cache
def names(language: str) -> Mapping[str, frozenset[str]]:
    """Maps emoji to the words that are their name, or a form of it: not what is only said of them,
    as "web" is of the spider and "small" of the airplane.

    Of what has a name of several words, here or in English ("polar bear", "person in a turban"),
    that is the whole, as its parts may be anything; but of a fox's face the fox, and of two kinds
    of camels the camel.
    """
    lines = [line.split(",") for line in _lines(language)]
    faces = Counter(
        word for emoji, title, *_ in lines if emoji in _FACES for word in set(title.split())
    )
    left_out = function_words(language) | {
        word for word, titles in faces.items() if titles >= _MANY_FACES
    }
    kinds = Counter(
        word for emoji, title, *_ in lines if emoji in BEINGS for word in set(title.split())
    )
    found: dict[str, set[str]] = {}
    for emoji, title, *others in lines:
        of = found.setdefault(emoji, {title})
        parts = [word for word in title.split() if word not in left_out] or [title]
        if emoji in compounds() | _CALLED_BY_NATURE:
            continue
        if len(parts) == 1:
            of.update(name for name in others if _is_variant(name, parts[0]))
        elif emoji in BEINGS:
            of.update(name for name in others if name in parts and kinds[name] > 1)
    if code(language) == "ja":
        for of in found.values():
            of.update(map(_hiragana, tuple(of)))
    for emoji, name in _more(language):
        found.setdefault(emoji, set()).add(name)
    return {emoji: frozenset(of) for emoji, of in found.items()}


@functools.cache
def compounds() -> frozenset[str]:
    """Returns the emoji whose English name has several words: "small airplane"."""
    return frozenset(line.split(",")[0] for line in _lines("en") if " " in line.split(",")[1])


@functools.cache
def _names_of_beings(language: str) -> frozenset[str]:
    found = {name for emoji, of in names(language).items() if emoji in BEINGS for name in of}
    if code(language) == "en":
        found.update(" ".join(word_lists.read(__package__, "concepts/beings_en.txt")).split())
    return frozenset(found)


def _is_variant(name: str, title: str) -> bool:
    """Returns whether a word is a name with another ending or more words, or the last part of a
    compound: lisek and lisa of lis, con khỉ of khỉ, Bär of Eisbär."""
    stem = name[: max(_shortest(name), int(len(name) * _SAME) + 1)]
    return (
        title.startswith(stem)
        or title.endswith(name)
        or name.startswith(title)
        or title in name.split()
    )


def _lines(language: str) -> list[str]:
    """Reads a language's file: lines of an emoji, its name and other words; none for no file."""
    file = resources.files(__package__).joinpath("concepts", f"{code(language)}.txt.gz")
    if not file.is_file():
        return []
    text = unicodedata.normalize("NFC", gzip.decompress(file.read_bytes()).decode())
    return (text if code(language) in _NO_SPACES else _JOINTS.sub(" ", text)).splitlines()


def _is_cut(name: str, tokens: Sequence[str], start: int, language: str) -> bool:
    """Returns whether an entry is a word of the text without many of its letters."""
    if code(language) in _NO_SPACES or " " in name:
        return False
    token = bare(tokens[start], language)
    if name == lemma(token, language) or name in _without_diminutive(token, language):
        return False
    most = (
        4
        if code(language) in _JOINING
        else 2
        if len(name) > _SHORTEST or _shortest(name) < _SHORTEST
        else 0
    )
    return len(token) - len(name) > most


def _is_being(name: str, language: str) -> bool:
    """Returns whether an entry means an animal or a person: all of its emoji do or, if it is the
    name of one, half of them or several."""
    emoji = lexicon(language)[name]
    living = emoji & BEINGS
    named = code(language) == "en" or any(
        name in titles(language).get(symbol, ()) for symbol in living
    )
    return len(emoji) <= _FEW_EMOJI and (
        living == emoji or (named and (2 * len(living) >= len(emoji) or len(living) > 1))
    )


@functools.lru_cache(maxsize=4_000)
def vector(text: str, language: str) -> Vector:
    """Returns the emoji of a text's words; each word weighs 1, whatever the number of its emoji."""
    known, weights = lexicon(language), Counter[str]()
    for word in named_things(text, language):
        for emoji in known[word]:
            weights[emoji] += 1 / len(known[word])  # type: ignore[assignment]
    return weights


def cosine(first: Vector, second: Vector) -> float:
    """Returns the cosine of two vectors, 0..1; 0 if one is empty."""
    product = sum(weight * second[emoji] for emoji, weight in first.items() if emoji in second)
    if not product:
        return 0.0
    return product / math.sqrt(
        math.fsum(weight**2 for weight in first.values())
        * math.fsum(weight**2 for weight in second.values())
    )


def _found(text: str, language: str) -> Iterator[tuple[str, int]]:
    """Yields the entries of the lexicon in a text, the longest first, with their places: numbers of
    words, or of characters in a script without spaces."""
    known = lexicon(language)
    if code(language) in _NO_SPACES:
        yield from _longest_matches(text, known, _PRONOUNS)
        return
    tokens, start = words.tokenize(text), 0
    while start < len(tokens):
        for length in range(min(_LONGEST_PHRASE, len(tokens) - start), 0, -1):
            if name := entry(tokens[start : start + length], language, known):
                yield name, start
                start += length - 1
                break
        start += 1


def is_unspaced(language: str) -> bool:
    """Returns whether a language is written without spaces between words."""
    return code(language) in _NO_SPACES


def entry(tokens: Sequence[str], language: str, known: Container[str]) -> str:
    """Returns the entry of words: as they are, as their lemmas or, of one word, a stem; else ""."""
    if len(tokens) > 1:
        return next((phrase for phrase in _phrases(tokens, language) if phrase in known), "")
    word = bare(tokens[0], language)
    if code(language) == "en" and word in words.STOP_WORDS:
        return ""
    if word in function_words(language):  # no form of another word: Swedish skulle is no skola
        return word if word in known else ""
    forms = [tokens[0], word]
    for plain in (*without_prefix(word, language), word):  # הילדה is the girl, no form of ילד
        forms += [plain, lemma(plain, language), *_without_diminutive(plain, language)]
    forms += [word[:-1] + ending for ending in _OBLIQUE.get(code(language), {}).get(word[-1:], "")]
    forms += [
        word.removesuffix(ending)
        for ending in _DEFINITE.get(code(language), ())
        if word.endswith(ending) and len(word) - len(ending) > _SHORTEST
    ]
    if not is_word(word, language):  # a form that the dictionary lacks
        shortest = max(_shortest(word), len(word) - _LONGEST_ENDING)
        forms += [word[:length] for length in range(len(word) - 1, shortest - 1, -1)]
    return next((form for form in forms if form in known), "")


def _phrases(tokens: Sequence[str], language: str) -> Iterator[str]:
    """Yields a phrase as it is, with its last word as the dictionary has it, and in Arabic and
    Hebrew without articles: الرجل الآلي is رجل آلي."""
    yield " ".join(tokens)
    yield " ".join((*tokens[:-1], lemma(tokens[-1], language)))
    if prefixes := _PREFIXES.get(code(language)):
        article = prefixes[0]
        plain = [token.removeprefix(article) for token in tokens[1:]]
        for first in (tokens[0], *without_prefix(tokens[0], language)):
            yield " ".join((first, *plain))
    if code(language) == "fa":  # لک‌لکی is a stork, لک‌لک
        yield " ".join(tokens).removesuffix("ی")


def bare(word: str, language: str) -> str:
    """Returns a word without what an apostrophe joins to it and without vowel marks: orso of
    l'orso, Ayşe of Ayşe'nin, جمل of جملٌ."""
    of = code(language)
    if of in _MARKED:
        return _MARKS.sub("", word) or word
    if "'" in word and of == "tr":
        return word.partition("'")[0]
    return word.rpartition("'")[2] if of in _ELIDING else word


@functools.lru_cache(maxsize=50_000)
def _without_diminutive(word: str, language: str) -> tuple[str, ...]:
    """Returns what a word may be a small one of: vosje of vos, zorrito of zorro, Füchslein."""
    found: dict[str, None] = {}
    for line in word_lists.read(__package__, "concepts/diminutives.txt"):
        of, *endings = line.split()
        for ending in endings if of == code(language) else ():
            stem = word.removesuffix(ending)
            if stem != word and len(stem) >= _SHORTEST:
                plain = unicodedata.normalize("NFD", stem).replace("\u0308", "")
                found.update(dict.fromkeys((stem, plain, *(stem + vowel for vowel in "oaei"))))
    return tuple(found)


def without_prefix(word: str, language: str) -> list[str]:
    """Returns what may be left of a word without the "and", "in" or "the" that Arabic and Hebrew
    write before it: desert of במדבר."""
    return [
        word.removeprefix(prefix)
        for prefix in _PREFIXES.get(code(language), ())
        if word.startswith(prefix) and len(word) - len(prefix) >= _SHORTEST
    ]


def _longest_matches(
    text: str, known: Mapping[str, frozenset[str]], others: Container[str]
) -> Iterator[tuple[str, int]]:
    """Yields known words and their places; other words are passed over."""
    start = 0
    while start < len(text):
        parts = (text[start : start + size] for size in range(_LONGEST_WORD, 0, -1))
        part = next((part for part in parts if part in known or part in others), "")
        # เลย กระรอก is no ยก: a longer word that begins in a word is the one.
        if any(
            text[inside:stop] in known
            for inside in range(start + 1, start + len(part))
            for stop in range(inside + len(part) + 1, min(inside + _LONGEST_WORD, len(text)) + 1)
        ):
            part = ""
        if part in known and is_apart(text, start, start + len(part)):
            yield part, start
        start += len(part) or 1


def is_apart(text: str, start: int, stop: int) -> bool:
    """Returns whether characters are no part of a longer word, as far as is known: short ones in
    hiragana must stand between particles, ちょうど is no ちょう; katakana end where katakana do,
    ワニ is no part of ワニス (varnish); and Thai letters with their marks, หมู is no part of หมู่."""
    found, before, after = text[start:stop], text[max(0, start - 1) : start], text[stop : stop + 1]
    if after and unicodedata.category(after) == "Mn":
        return False
    if all(map(_is_katakana, found)):
        return not (before and _is_katakana(before)) and not (after and _is_katakana(after))
    if stop - start > _SHORTEST or not all("\u3041" <= char <= "\u3096" for char in found):
        return True
    return all(
        not "\u3041" <= char <= "\u3096" or char in particles
        for char, particles in ((before, _BEFORE), (after, _AFTER))
        if char
    )


def _is_katakana(char: str) -> bool:
    return "\u30a1" <= char <= "\u30fa" or char == "ー"


@functools.lru_cache(maxsize=50_000)
def is_word(word: str, language: str) -> bool:
    """Returns whether the language's dictionary has a form of a word."""
    try:
        return bool(simplemma.is_known(_as_spelt(word, language), lang=_dictionary(language)))
    except ValueError:
        return False


def _as_spelt(word: str, language: str) -> str:
    """Returns a word in lower case as dictionaries have it, where case folding spells it otherwise:
    θεός is folded to θεόσ, İnek to i̇nek and groß to gross."""
    if word.endswith("σ"):
        return word[:-1] + "ς"
    if "i\u0307" in word:
        return word.replace("i\u0307", "i")
    if "ss" in word and code(language) == "de" and not simplemma.is_known(word, lang="de"):
        return word.replace("ss", "ß")
    return word


@functools.cache
def function_words(language: str) -> frozenset[str]:
    """Returns pronouns, question words, prepositions and the like of a language, in lower case."""
    listed = {"fil": "tl"}.get(code(language), code(language))
    return frozenset(stopwordsiso.stopwords(listed) if stopwordsiso.has_lang(listed) else ())


def is_entry(word: str, language: str) -> bool:
    """Returns whether the language's dictionary has a word, with these capitals."""
    try:
        spelt = _as_spelt(word, language)
        return bool(_DICTIONARIES.is_dictionary_member(spelt, _dictionary(language)))
    except ValueError:
        return False


def _shortest(word: str) -> int:
    """Returns the letters that a stem needs at least; a letter of Hangul is a syllable."""
    return 2 if "\u3000" <= word[:1] <= "\ud7ff" else _SHORTEST


@functools.cache
def ambiguous(language: str) -> frozenset[str]:
    """Returns the words of a language that are seldom the animal or place that they may mean."""
    listed = word_lists.by_language(__package__, "ambiguous.txt")
    return frozenset(listed.get(code(language), "").split())


def _hiragana(text: str) -> str:
    return "".join(chr(ord(char) - 0x60) if "\u30a1" <= char <= "\u30f6" else char for char in text)
