"""Finds the names in a story that nobody has, and tells them from places, things and words.

In doubt none is found: a stranger who gets in costs less than a good story that is refused.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence

import simplemma
from anyascii import anyascii

from pipeline.annotation import concepts, name_forms, words
from pipeline.annotation.checks import listed_names, patterns, place_names
from pipeline.annotation.checks import persons as persons_names
from pipeline.annotation.checks.capitals import OPENING, TOKEN, base, may_open_sentence
from pipeline.annotation.checks.described_characters import TITLES, says
from pipeline.annotation.checks.place_names import NAMES_OF
from pipeline.runtime import word_lists
from schemas.rows import Character

# Words that are capitalised in English and are nobody's name.
_NO_NAMES = TITLES.union(word_lists.read(__package__, "capitalised_words.txt"))
# Languages that capitalise every noun.
CAPITALISED_NOUNS = frozenset(("de", "deu", "ger", "lb", "ltz"))
_NAMES_THAT_ARE_WORDS = word_lists.by_language(__package__, "names_that_are_words.txt")
_INTRODUCTIONS = word_lists.by_language(__package__, "introductions.txt")
_BEFORE_GIVEN_NAMES = frozenset(("don", "doña", "dona", "donna", "dom"))
_UMLAUTS = {"a": "ä", "o": "ö", "u": "ü"}

# Languages whose dictionary has the most frequent names as such, not in lower case or not at all;
# measured by five of each.
_DICTIONARIES_WITH_NAMES = frozenset(
    "ca cs da de el es et fi fr hr hu hy is lt lv mk pl ro ru sk sl sv uk".split()  # noqa: SIM905
)
_NEIGHBOURS = {"mk": "hr", "sl": "hr"}  # whose dictionary has more of their names
# What stands after the name of somebody who acts, in Japanese; other foreign words are things.
_ACTS = r"(?:は|が|も|くん|ちゃん|さん|さま|様|[、！!…「」])"
_SHORT_TRANSLITERATION = 3  # characters that Chinese may have by chance
_ADJECTIVE = re.compile(r"\b[a-zäöüß]+(?:e|en|er|es|em)\s$")  # German
_DETERMINERS = frozenset(
    ("a", "an", "the", "this", "that", "his", "her", "their", "my", "your", "our", "its")
)
_PERSONAL_ARTICLES = {
    "ca": frozenset(("en", "na", "n", "l", "el", "la")),
    "el": frozenset(("ο", "η", "τον", "την", "τη", "του", "της", "στον", "στην", "στη")),
    "pt": frozenset(("o", "a", "ao", "à", "do", "da", "no", "na", "pelo", "pela")),
}
_FOREIGN_DETERMINERS = {
    code: frozenset(listed.split())
    for code, listed in word_lists.by_language(__package__, "determiners.txt").items()
}


def unknown(
    text: str,
    characters: Iterable[Character],
    grounds: str,
    language: str = "en",
    *,
    persons: bool = False,
) -> list[str]:
    """Finds the names in a text that neither `characters` nor `grounds` has, each once.

    A name is a capitalised word, or a foreign one in Chinese or Japanese. `grounds` is all that a
    name may come from: captions, dialogue, title. The first word of a sentence, or of a line of
    verse, is capitalised anyway: it counts only if it is so within a sentence too or if, in
    English, no dictionary has it. In languages that capitalise every noun none is found.
    With `persons` things that storybooks capitalise are left out ("Old Owl"), and in languages that
    capitalise every noun those are found that may be names.
    """
    code = concepts.code(language)
    english, capitalised = code == "en", code in CAPITALISED_NOUNS
    if capitalised and not persons:
        return []
    characters = list(characters)
    given = set(place_names.parts(grounds)) | _NO_NAMES
    if persons:
        given |= place_names.geographic(code)
    names: set[str] = set()
    for character in characters:
        descriptions = [character.name, character.look, character.role, *character.called]
        given.update(place_names.parts(" ".join((*descriptions, *character.names))))
        written = " ".join((character.name, *character.names))
        names.update(part for part in re.findall(r"[^\W_]+", written) if len(part) > 2)
    found: dict[str, None] = {}
    tokens = list(TOKEN.finditer(text))
    verse = not capitalised and any(
        _is_line_start(text, token, language)
        for token in tokens
        if not any(name_forms.is_form(token[0], name) for name in names)
        and not _is_titled(token[0], text)
        and token[0].casefold() not in TITLES
    )
    for number, token in enumerate(tokens):
        name, opens = base(token[0]), may_open_sentence(text[: token.start()])
        if name != token[0] and not token[0][:1].isupper():
            opens = False  # κυρα-Λένη
        if len(name) < 2 or not name[:1].isupper() or name.isupper():
            continue  # a letter, as in "the key of G"; a word in capitals is shouted
        if any(name_forms.is_respelt(name, given_name) for given_name in names):
            continue
        if all(_is_given(part, given) for part in place_names.parts(name)) or (
            not english
            and any(
                name_forms.is_form(form, given_name)
                for form in {name, re.split("['’]", name)[0]}  # Turkish: Bruno'nun
                for given_name in names
            )
        ):
            continue
        after_name = number > 0 and tokens[number - 1][0][:1].isupper()
        street = place_names.is_street(name) and after_name
        of_place = place_names.is_of_place(tokens, number) and not _is_known_name(name, language)
        if persons and (street or of_place):
            continue
        known = _is_word(name, language)
        if opens:
            if not (
                _can_only_be_name(name, text[token.end() :])
                if english
                else (_is_known_name(name, language) or persons_names.is_foreign(name, language))
                and not capitalised
                and name.casefold() not in concepts.function_words(code)
            ):
                continue
        else:
            titled = (
                _is_title_case(tokens, number)
                if english
                else _has_determiner(tokens, number, code) and not _is_known_name(name, language)
            )
            thing = persons and _is_thing(text, tokens, number, language)
            if titled or (known and (verse or thing)):
                continue
            if capitalised and _ADJECTIVE.search(text[: token.start()]):
                continue  # which names seldom have
        found[name] = None
    if persons and not english:
        found = {
            name: None
            for name in found
            if not (place_names.is_declined_place(name, code) or place_names.is_people(name, code))
        }
    listed = listed_names.all_given_names(code) - given
    others = listed_names.without_names(text, names, code) if listed else ""
    for given_name in listed:
        if code == "th" and not listed_names.acts(given_name, [text], code):
            continue  # any run of letters may be a name: มานะ is "come, dear" too
        if listed_names.has_word(others, given_name, code) and not any(
            name_forms.is_form(given_name, name) for name in names
        ):
            found[given_name] = None
    for word in listed_names.names_of_words(code) - given:
        if word in text and listed_names.acts(word, [text], code, surely=True):
            found[word] = None
    for called in (
        *listed_names.called(text, code),
        *listed_names.addressed(text, code),
        *((*introduced(text, language), *persons_names.named(text, language)) if persons else ()),
    ):
        if (
            called not in grounds
            and not _is_given(called.casefold(), given)
            and not any(name_forms.is_form(called, name) for name in names)
        ):
            found[called] = None
    for word in listed_names.international(text, language) - given:
        if not any(name_forms.is_form(word, name) for name in names):
            found[word] = None
    if code in ("zh", "ja"):
        given_text = grounds.casefold()
        heard = (part for part in given - _NO_NAMES if part.isascii())
        loans = {part for part in heard if len(part) > _SHORT_TRANSLITERATION}
        for match in name_forms.transliterated(text):
            if (
                len(match[0]) > 2
                and match[0] not in given_text
                and match[0] not in concepts.lexicon(language)
                and not any(name_forms.sounds_alike(match[0], part) for part in loans)
                and not any(name_forms.is_form(match[0], name) for name in names)
            ):
                found[match[0]] = None
    return list(found)


def titled(
    texts: Sequence[str], characters: Iterable[Character], grounds: str, language: str
) -> list[str]:
    """Returns the strangers that have a title in one text and act without it in another, in
    languages without capitals; `grounds` as those of `unknown`."""
    code = concepts.code(language)
    names = {
        part
        for character in characters
        for name in (character.name, *character.names)
        for part in re.findall(r"[^\W_]+", name)
    }
    return [
        name
        for name in listed_names.titled(texts, code)
        if name not in grounds and not any(name_forms.is_form(name, known) for known in names)
    ]


def is_surely_name(name: str, texts: Sequence[str], language: str) -> bool:
    """Returns whether a word is a name even if one text alone has it.

    It is where it is called so or has a title, and where it is capitalised within a sentence and no
    dictionary has it in lower case. A first word counts in English, and elsewhere if the dictionary
    has it as a name; in Chinese a long transliteration does. A rare name or one that is a word too,
    in languages without capitals, is one where somebody of that name acts.
    """
    code = concepts.code(language)
    titled = code != "en" and any(_is_titled(name, text) for text in texts)
    if titled or any(
        name
        in (
            *listed_names.called(text, code),
            *listed_names.addressed(text, code),
            *introduced(text, language),
            *persons_names.named(text, language),
        )
        for text in texts
    ):
        return True
    if name in listed_names.doubtful_names(code) | listed_names.names_of_words(code):
        surely = code != "ar" or name in listed_names.names_of_words(
            code
        )  # whose adverbs have an ending
        return listed_names.acts(name, texts, code, surely=surely)
    if name in listed_names.rare_names(code):
        return listed_names.acts(name, texts, code)
    if name in listed_names.given_names(code):
        return True
    if listed_names.is_international(name, code):
        return True
    if code in ("zh", "ja"):
        return code == "zh" and len(name) > _SHORT_TRANSLITERATION
    within = any(
        not may_open_sentence(text[: token.start()])
        for text in texts
        for token in TOKEN.finditer(text)
        if base(token[0]) == name
    )
    if _is_word(name, language):
        return within and name in _names_that_are_words(code)
    return code == "en" or within or _is_known_name(name, language)


@functools.cache
def _names_that_are_words(code: str) -> frozenset[str]:
    """Returns given names that are words too, which a capital within a sentence tells apart."""
    return frozenset(_NAMES_THAT_ARE_WORDS.get(code, "").split())


def may_be_name(name: str, language: str) -> bool:
    """Returns whether a word that may be a stranger's name is one in some dictionary, or no word:
    polite forms ("Twojej"), God and Mother have capitals too."""
    code = concepts.code(language)
    if code in CAPITALISED_NOUNS and _is_inflected_noun(name):
        return False
    return (
        code not in _DICTIONARIES_WITH_NAMES
        or not name[:1].isupper()
        or not _is_word(name, language)
        or name in _names_that_are_words(code)
        or concepts.is_entry(name, code)
        or concepts.is_entry(str(anyascii(name)), _NEIGHBOURS.get(code, NAMES_OF))  # Вера
    )


def with_article(text: str, language: str) -> set[str]:
    """Returns the capitalised words of a text that an article or a pronoun comes before, as before
    things and seldom before names: ein Busch, mein Bruder."""
    tokens = list(TOKEN.finditer(text))
    code = concepts.code(language)
    return {
        token[0]
        for number, token in enumerate(tokens)
        if token[0][0].isupper() and _has_determiner(tokens, number, code)
    }


def is_lone_capital(name: str, text: str, language: str) -> bool:
    """Returns whether a word is capitalised within a sentence, where words beside it are not.

    Never in English, which capitalises more than names, nor where all nouns are.
    """
    if concepts.code(language) in ("en", *CAPITALISED_NOUNS) or not name[:1].isupper():
        return False
    tokens = list(TOKEN.finditer(text))
    for number, token in enumerate(tokens):
        if base(token[0]) == name and not may_open_sentence(text[: token.start()]):
            beside = tokens[max(0, number - 1) : number] + tokens[number + 1 : number + 2]
            return not any(
                other[0][0].isupper() and not may_open_sentence(text[: other.start()])
                for other in beside
            )
    return False


def _is_titled(name: str, text: str) -> bool:
    """Returns whether a title stands before a capitalised word, or after it: Mrs. Pringle."""
    if not name[:1].isupper():
        return False
    beside = re.findall(rf"(\w+)\.?[ -]{re.escape(name)}\b", text)
    beside += re.findall(rf"\b{re.escape(name)} (\w+)", text)
    return any(word.casefold() in TITLES for word in beside)


def is_given_name(name: str, texts: Sequence[str]) -> bool:
    """Returns whether some text has a word after a title that only given names have: doña
    Remedios, who is no medicine."""
    before = (re.findall(rf"(\w+) {re.escape(name)}\b", text) for text in texts)
    return any(word.casefold() in _BEFORE_GIVEN_NAMES for found in before for word in found)


def is_only_addressed(name: str, texts: Sequence[str]) -> bool:
    """Returns whether texts have a name only as that of a listener to whom the narrator speaks, at
    the beginning of a sentence at least once: "Well, Jim, that was a fall. Poor rider, Jim."

    Elsewhere a name between commas may be an apposition: "a neighbour, Jim, came in".
    """
    found = [match for text in texts for match in re.finditer(rf"\b{re.escape(name)}\b", text)]
    begins = [
        re.search(r"(?:^|[.!?…]\s+)(?:\w+,\s*)?$", match.string[: match.start()])
        and match.string.startswith(",", match.end())
        for match in found
    ]
    return any(begins) and all(
        re.search(r"(?:^|[,;:.!?…—–-]\s*)$", match.string[: match.start()])
        and re.match(r"\s*[,;:.!?…—–]", match.string[match.end() :])
        for match in found
    )


def introduced(text: str, language: str) -> list[str]:
    """Returns whom a text says to be called so, by a capitalised word that is no title: "a certain
    Janosch"."""
    code = concepts.code(language)
    said = _introduction(code)
    if not said:
        return []
    found = (base(match[1] or match[2]) for match in said.finditer(text))
    return [
        name
        for name in found
        if name[:1].isupper()
        and (code not in CAPITALISED_NOUNS or not persons_names.is_german_noun(name))
    ]


@functools.cache
def _introduction(code: str) -> re.Pattern[str] | None:
    """Compiles what tells a name in a language; None for a language without a line."""
    if code not in _INTRODUCTIONS:
        return None
    phrases = [re.escape(phrase.strip()) for phrase in _INTRODUCTIONS[code].split("|")]
    before = "|".join(phrase for phrase in phrases if not phrase.startswith("…"))
    after = "|".join(phrase[1:] for phrase in phrases if phrase.startswith("…")) or "(?!)"
    titles = "|".join(map(re.escape, sorted(TITLES, key=len, reverse=True)))
    name = r"([^\W\d_][\w'’-]+)"
    return re.compile(rf"\b(?i:{before}):? (?:(?i:{titles})\.? )*{name}|\b{name}(?i:{after})\b")


def recurs(name: str, texts: Sequence[str], language: str) -> bool:
    """Returns whether two texts or more have a name, in any form.

    In languages that capitalise every noun, and if the name is a word too in one without capitals,
    one of them must also begin a sentence with it; in Japanese, somebody of that name act.
    """
    code = concepts.code(language)
    if name in listed_names.all_given_names(code):
        sentences = [patterns.sentences(text) for text in texts]
        had = [
            any(listed_names.has_word(said, name, code) for said in parts) for parts in sentences
        ]
        opens = name not in listed_names.doubtful_names(code) or any(
            listed_names.has_word(_beginning(said, name, code), name, code)
            for parts in sentences
            for said in parts
        )
        return sum(had) > 1 and opens
    found = [
        [token for token in TOKEN.finditer(text) if name_forms.is_form(token[0], name)]
        if code not in ("zh", "ja")
        else list(re.finditer(re.escape(name), text))
        for text in texts
    ]
    if code == "ja" and not re.search(re.escape(name) + _ACTS, "\n".join(texts)):
        return False
    opens = code not in CAPITALISED_NOUNS or any(
        may_open_sentence(text[: token.start()])
        for text, tokens in zip(texts, found, strict=True)
        for token in tokens
    )
    return sum(map(bool, found)) > 1 and opens


def _beginning(sentence: str, name: str, code: str) -> str:
    """Returns the words of a sentence where its subject stands: the first or, in Arabic, two."""
    opening = sentence.lstrip(OPENING + " —–")
    if code == "ar":
        return " ".join(words.tokenize(opening)[:2])
    return opening[: len(name) + 4]


def mentions(text: str, names: Sequence[str], language: str) -> bool:
    """Returns whether a text has one of a character's names; in languages other than English, in
    any form or alphabet."""
    if concepts.code(language) == "en":
        return any(says(text, name) for name in names)
    return any(says(text, name) or name_forms.find(text, name) for name in names)


def _is_given(part: str, given: set[str]) -> bool:
    return part in given or part.removesuffix("s") in given  # the Smiths


@functools.lru_cache(maxsize=50_000)
def _is_word(name: str, language: str) -> bool:
    """Returns whether a capitalised word may be another word than a name.

    It may if its language's dictionary has it in lower case, as dictionaries have names too. Where
    all nouns are capitalised, one that the dictionary of names has as a name only is none.
    """
    code, lower = concepts.code(language), name.casefold()
    if code in CAPITALISED_NOUNS:
        if _is_inflected_noun(name):
            return True
        if concepts.is_entry(name, NAMES_OF) and not concepts.is_entry(lower, NAMES_OF):
            return concepts.is_entry(lower, code) or lower in concepts.lexicon(language)
        ends = [name, *(name[start:] for start in range(3, len(name) - 3))]
        return any(
            simplemma.is_known(form, lang="de") for end in ends for form in (end, end.title())
        ) or any(
            _is_noun(name[:start]) and _is_noun(name[start:]) for start in range(3, len(name) - 2)
        )  # Honigruf
    return concepts.is_entry(lower, code) or lower in concepts.lexicon(language)


def _is_noun(part: str) -> bool:
    """Returns whether a part of a German compound is a word and not only a name."""
    forms = {part, part.lower(), part.title()}
    name = concepts.is_entry(part.title(), NAMES_OF) and not concepts.is_entry(
        part.lower(), NAMES_OF
    )
    return not name and any(concepts.is_entry(form, "de") for form in forms)


def _is_inflected_noun(name: str) -> bool:
    """Returns whether a German word is a noun that names are not: a form of another word, as Kinder
    of Kind, or one with a plural, as Brüder of Bruder. Names have a genitive only."""
    if name in listed_names.given_names("international"):
        return False
    singular = simplemma.lemmatize(name, lang="de")
    if singular != name and concepts.is_entry(name, "de") and singular + "s" != name:
        return True
    broad = re.sub("([aou])(?!.*[aou])", lambda found: _UMLAUTS[found[0]], name.replace("au", "äu"))
    plurals = [name + ending for ending in ("e", "en", "er")]
    plurals += [broad + ending for ending in ("", "e", "er") if broad != name]
    plurals += [name + "n"] * name.endswith(("e", "er", "el"))
    return any(simplemma.lemmatize(form, lang="de") == name for form in plurals)


def _is_known_name(name: str, language: str) -> bool:
    """Returns whether a dictionary has a word as a name, and as nothing else."""
    code = concepts.code(language)
    return concepts.is_entry(name, code) and not _is_word(name, language)


def _is_thing(text: str, tokens: Sequence[re.Match[str]], number: int, language: str) -> bool:
    """Returns whether a word is in the name of a thing, which storybooks capitalise: Old Owl."""
    while number + 1 < len(tokens) and tokens[number + 1][0][0].isupper():
        after = text[tokens[number].end() : tokens[number + 1].start()]
        if after != " " or tokens[number + 1][0].casefold() in TITLES:  # Nebahat Hanım
            break
        number += 1
    word, known = tokens[number][0].casefold(), concepts.lexicon(language)
    if concepts.code(language) == "vi":  # whose words are syllables, and so are its names
        return bool(concepts.beings(word, language))
    return word in known or concepts.lemma(word, language) in known


def _is_line_start(text: str, token: re.Match[str], language: str) -> bool:
    """Returns whether a word is capitalised in mid-sentence as lines of verse are: ", And"."""
    word = token[0].casefold()
    if not token[0][:1].isupper() or token[0] == "I" or may_open_sentence(text[: token.start()]):
        return False
    after_break = text[: token.start()].rstrip()[-1:] in ",;–—-/"
    if concepts.code(language) == "en":
        return word in words.STOP_WORDS
    return after_break and _is_word(word, language)


def _has_determiner(tokens: Sequence[re.Match[str]], number: int, code: str) -> bool:
    """Returns whether an article comes before a capitalised word: la Chouette, the Old Owl.

    That which Catalan, Greek and Portuguese put before names tells nothing: en Guifré.
    """
    personal = _PERSONAL_ARTICLES.get(code, frozenset())
    before = number - 1
    while before >= 0 and tokens[before][0][0].isupper():
        before -= 1
    return before >= 0 and tokens[before][0].casefold() in (
        _FOREIGN_DETERMINERS.get(code, frozenset()) - personal
    )


def _can_only_be_name(name: str, after: str) -> bool:
    """Returns whether a word that opens an English sentence is a name: "Timmy ran", not "Whee!"."""
    return (
        "-" not in name
        and name.casefold() not in words.STOP_WORDS
        and re.match(r" [a-z]|['’]s ", after) is not None
        and not simplemma.is_known(name.casefold(), lang="en")
    )


def _is_title_case(tokens: Sequence[re.Match[str]], number: int) -> bool:
    """Returns whether an English word is in a capitalised title: the Big Kite Contest."""
    while number >= 0 and tokens[number][0][0].isupper():
        word = tokens[number][0].casefold()
        if word in _DETERMINERS or not simplemma.is_known(word, lang="en"):
            return word in _DETERMINERS
        number -= 1
    return number >= 0 and tokens[number][0] in _DETERMINERS
