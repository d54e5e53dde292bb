"""Checks that the characters of a window have their own names, not each other's.

A text tells in several ways who is in its picture: whom it names where the caption shows one of
two alone, whom it names first where it shows both, to whom a text says belongs what the caption, or
the list of characters, says is the other's ("Tilda in a red scarf"). Who says "I" is in the picture
too, whether or not the text says the name. None is sure: good texts tell of a picture in an order
of their own. So each is weighed by how much more often good texts speak for the names than against
them, as a logarithm (naive Bayes), and what a window says together decides. The weights are those
of the tales of `benchmarks.story_checks`, rounded towards zero.
"""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pipeline.annotation import concepts, name_forms, words
from pipeline.runtime import word_lists

_FEW = 3  # texts that tell of swapped names
_LEAST = -2.0  # what a window says for the names, below which they are swapped
# What speaks for or against two names where a caption shows one of them alone ...
_ONE_NAMED, _ONE_BESIDE_NARRATOR, _NARRATOR_ALONE, _ONE_ADDRESSED = 3.0, 1.5, 0.3, 1.2
# ... where it shows both ...
_BOTH_IN_ORDER, _FIRST_BESIDE_ADDRESSED, _FIRST, _SPEAKS_TO_OTHER = 1.25, 0.8, 0.6, 1.5
# ... and by what a text says of them, up to twice.
_WEARS, _DOES, _NARRATOR_DOES, _MOST = 1.0, 0.7, 0.5, 2

_ONE_THING = 4  # emoji of a word at most
_NARRATES = 1 / 3  # of a window's texts, in which a narrator says "I"
_SURE_SPELLING = 3  # times that tell how a name is spelt
_SIGNATURE = 4  # words at the end of a letter, at most
_BEGINNING = 3  # characters of a name

_SENTENCE_START = re.compile(r"(?:^|(?<=[.!?…。！？؟।\n]))\s*(?=\S)")
_SENTENCE_END = re.compile(r"(?<=[.!?…。！？؟।\n])")
_BEFORE_CALL, _AFTER_CALL = re.compile(r"[,，、،]\s*$"), re.compile(r"\S+?\s?[!?.,！？，。،…]")
_LABEL = re.compile(r"[^\s:：]+\s?(?:[:：]|\])")  # "TILDA: Well?" and "[Tilda] Well?"
_TOLD = ("told", "speaks", "called")
_FIRST_PERSON = word_lists.by_language(__package__, "first_person.txt")


_How = Literal["told", "speaks", "called", "signs", "quoted"]


class _Mention(NamedTuple):
    place: int
    name: str
    how: _How


def swapped(
    texts: Sequence[str],
    captions: Sequence[Mapping[str, Any]],
    looks: Mapping[str, str],
    forms: Mapping[str, Sequence[str]],
    language: str,
) -> str:
    """Returns the fault of texts in which two characters have each other's name, "" for none.

    `looks` and the known `forms` of their names are the characters' by name.
    """
    if len(texts) < _FEW:
        return ""
    texts = [unicodedata.normalize("NFC", text) for text in texts]
    mentions = _as_usual(texts, [_mentions(text, forms, language) for text in texts])
    for pair in itertools.combinations(looks, 2):
        of_pair = [[mention for mention in found if mention.name in pair] for found in mentions]
        narrator = _narrator(texts, of_pair, pair, language)
        worn = _things({name: looks[name] for name in pair})
        evidence = [
            _of_persons(text, caption, found, pair, narrator, language)
            + _of_things(text, caption, found, pair, narrator, worn, language)
            for text, caption, found in zip(texts, captions, of_pair, strict=True)
        ]
        if sum(map(bool, evidence)) > 1 and sum(evidence) <= _LEAST:
            caption = captions[evidence.index(min(evidence))]
            called = ", ".join(f"{look!r} is {name}" for look, name in caption["who"].items())
            return f"{pair[0]} and {pair[1]} have each other's names: {called}"
    return ""


def _of_persons(
    text: str,
    caption: Mapping[str, Any],
    mentions: Sequence[_Mention],
    pair: tuple[str, str],
    narrator: str,
    language: str,
) -> float:
    """Returns what a text says for or against two names by whom it names."""
    told = list(dict.fromkeys(name for _, name, how in mentions if how in ("told", "speaks")))
    others = (name for _, name, how in mentions if name not in told and how != "signs")
    called = list(dict.fromkeys(others))
    places = {name: _place(look, caption) for look, name in caption["who"].items() if name in pair}
    shown = sorted(places, key=lambda name: places[name])
    narrates = bool(_first_persons(text, language))
    if len(shown) == 1:
        if len(told) == 1:
            weight = _ONE_BESIDE_NARRATOR if narrates and told != [narrator] else _ONE_NAMED
            return weight if told == shown else -weight
        if not told and narrates and narrator:
            return _NARRATOR_ALONE if shown == [narrator] else -_NARRATOR_ALONE
        if not told and len(called) == 1:
            return _ONE_ADDRESSED if called == shown else -_ONE_ADDRESSED
        return 0.0
    spoken = any(mention.how == "speaks" for mention in mentions)  # in turn, whoever acts
    if len(shown) < 2 or min(places.values()) < 0 or spoken:
        return 0.0
    if narrates and len(told) == 1:
        return 0.0  # "I" may stand before and after
    if told:
        weight = _BOTH_IN_ORDER if len(told) == 2 else _FIRST_BESIDE_ADDRESSED if called else _FIRST
        return weight if told[0] == shown[0] else -weight
    if len(called) == 1:  # who speaks to whom is hardly told by chance
        return _SPEAKS_TO_OTHER if called[0] != shown[0] else -_SPEAKS_TO_OTHER
    return 0.0


def _of_things(
    text: str,
    caption: Mapping[str, Any],
    mentions: Sequence[_Mention],
    pair: tuple[str, str],
    narrator: str,
    worn: Mapping[str, frozenset[str]],
    language: str,
) -> float:
    """Returns what a text says for or against two names by the things it says of them."""
    persons = {mention.place: mention.name for mention in mentions if mention.how in _TOLD}
    persons |= dict.fromkeys(_first_persons(text, language), narrator)
    persons = dict(sorted(persons.items()))
    found = _WEARS * _attributed(text, persons, pair, worn, language)
    if any(mention.how == "speaks" for mention in mentions):
        return found  # of others as often as of themselves
    weight = _NARRATOR_DOES if _first_persons(text, language) else _DOES
    return found + weight * _attributed(text, persons, pair, _done(caption, pair), language)


def _attributed(
    text: str,
    persons: Mapping[int, str],
    pair: tuple[str, str],
    things: Mapping[str, frozenset[str]],
    language: str,
) -> int:
    """Returns how many more words for things a text has with their owner than with the other of a
    pair: with who is named last before the word in its sentence, or first after it."""
    if not persons or not any(things.values()):
        return 0
    ends = [0, *(match.start() for match in _SENTENCE_END.finditer(text)), len(text)]
    known = concepts.lexicon(language)
    score = 0
    for word, place in concepts.located(text, language):
        owners = [name for name in pair if not things[name].isdisjoint(known[word])]
        is_person = any(place <= at < place + len(word) for at in persons)
        if len(known[word]) > _ONE_THING or len(owners) != 1 or is_person:
            continue
        start, stop = max(end for end in ends if end <= place), min(e for e in ends if e > place)
        before = [name for at, name in persons.items() if start <= at < place]
        after = [name for at, name in persons.items() if place < at < stop]
        of = before[-1] if before else after[0] if after else ""
        if of:  # and is no unknown narrator
            score += 1 if of == owners[0] else -1
    return max(-_MOST, min(_MOST, score))


def _things(texts: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """Returns the emoji of the things that the English text of one has and no other has, by name;
    not of persons and animals, who may be there too."""
    left_out = concepts.BEINGS | concepts.PERSONS
    all_of = {
        name: concepts.means(text, "en", _ONE_THING) - left_out for name, text in texts.items()
    }
    return {
        name: things.difference(*(other for of, other in all_of.items() if of != name))
        for name, things in all_of.items()
    }


def _done(caption: Mapping[str, Any], pair: tuple[str, str]) -> dict[str, frozenset[str]]:
    """Returns the emoji of what a caption says of each of two, from where it names one to where it
    names another: of "A pushes the gear while B turns a crank", the gear is A's."""
    sentence = str(caption["sentence"]).casefold()
    cuts = sorted(
        (place, look) for look in caption["characters"] if (place := _place(look, caption)) >= 0
    )
    said = dict.fromkeys(pair, "")
    for number, (place, look) in enumerate(cuts):
        name = caption["who"].get(look)
        stop = cuts[number + 1][0] if number + 1 < len(cuts) else len(sentence)
        if name in said:
            said[name] = sentence[place if number else 0 : stop]
    return _things(said)


def _place(look: str, caption: Mapping[str, Any]) -> int:
    """Returns where a caption's sentence names who looks so, by a word that others do not share;
    -1 for nowhere."""
    sentence = str(caption["sentence"]).casefold()
    head = words.head(look)
    others = {
        word for other in caption["characters"] if other != look for word in words.head(other)
    }
    whole = re.sub(r"^(?:an?|the) ", "", look.casefold())
    for phrase in (whole, " ".join(head), *(word for word in head[::-1] if word not in others)):
        if phrase and (found := re.search(rf"\b{re.escape(phrase)}\b", sentence)):
            return found.start()
    return -1


def _narrator(
    texts: Sequence[str],
    mentions: Sequence[Sequence[_Mention]],
    pair: tuple[str, str],
    language: str,
) -> str:
    """Returns who of two says "I" in the texts, "" for neither: the one that signs them, or that
    they hardly name."""
    signed = {name for found in mentions for _, name, how in found if how == "signs"}
    if len(signed) == 1:
        return signed.pop()
    narrated = sum(bool(_first_persons(text, language)) for text in texts)
    if narrated < max(2, _NARRATES * len(texts)):
        return ""
    named = Counter(
        name
        for found in mentions
        for name in {name for _, name, how in found if how in ("told", "called")}
    )
    for name, other in (pair, pair[::-1]):
        if named[other] > 1 and named[name] * 2 < named[other]:
            return name
    return ""


def _mentions(text: str, forms: Mapping[str, Sequence[str]], language: str) -> list[_Mention]:
    """Finds the names in a text: told of, as the label of a speech, called, below a letter or in a
    quotation."""
    quotations = words.quotations(text)
    *before, last = [match.start() for match in _SENTENCE_START.finditer(text)] or [0]
    is_letter = before and _first_persons(text, language) and not concepts.is_unspaced(language)
    is_letter = is_letter and len(words.tokenize(text[last:])) <= _SIGNATURE
    signature = last if is_letter else len(text)
    found = []
    for name, written in forms.items():
        for place in sorted(
            {place for form in written for place in _places_of(text, form, language)}
        ):
            how: _How = "told"
            if any(start <= place < stop for start, stop in quotations):
                how = "quoted"
            elif _LABEL.match(text[place:]):
                how = "speaks"
            elif place >= signature:
                how = "signs"
            elif _BEFORE_CALL.search(text[:place]) and _AFTER_CALL.match(text[place:]):
                how = "called"
            found.append(_Mention(place, name, how))
    return sorted(found)


def _as_usual(texts: Sequence[str], mentions: Sequence[Sequence[_Mention]]) -> list[list[_Mention]]:
    """Leaves out words that are not spelt as a name mostly is, where words are easily taken for
    it, as in scripts without most vowels: صغير (small) sounds like Suri."""
    spelt: dict[str, Counter[str]] = {}
    for text, found in zip(texts, mentions, strict=True):
        for place, name, _ in found:
            spelt.setdefault(name, Counter())[_spelling(text, place)] += 1

    def is_usual(spelling: str, name: str) -> bool:
        usual, times = spelt[name].most_common(1)[0]
        return (
            not name_forms.is_doubtful(spelling)
            or times < _SURE_SPELLING
            or usual in spelling
            or spelt[name][spelling] * _SURE_SPELLING > times
        )

    return [
        [mention for mention in found if is_usual(_spelling(text, mention.place), mention.name)]
        for text, found in zip(texts, mentions, strict=True)
    ]


def _spelling(text: str, place: int) -> str:
    """Returns the word at a place or, where nothing tells where it ends, its first characters."""
    word = words.first(text[place:])
    return word[:_BEGINNING] if name_forms.is_unspaced(word) else word


def _places_of(text: str, name: str, language: str) -> list[int]:
    """Returns where a text has a name in any form.

    Πέρα (far) is no Pebble, though it sounds so; Тильда is Tilda, though it is a word (tilde); and
    a name that is spelt as "to him" is tells nothing.
    """
    found = []
    for place in name_forms.find(text, name):
        word = words.first(text[place:])
        lower = word.lower()
        if lower in concepts.function_words(language):
            continue
        if (
            lower == word
            or word.startswith(name)
            or name_forms.is_spelt_alike(word, name)
            or not concepts.is_entry(lower, language)
        ):
            found.append(place)
    return found


@functools.lru_cache(maxsize=4_000)
def _first_persons(text: str, language: str) -> tuple[int, ...]:
    """Returns where the narration of a text says "I", "me" or "my"."""
    code = concepts.code(language)
    pronouns = frozenset(_FIRST_PERSON.get(code, "").split())
    if concepts.is_unspaced(code):
        found = {match.start() for word in pronouns for match in re.finditer(word, text)}
    else:
        found = {
            place
            for word, place in words.located(text)
            if word in pronouns or word.partition("'")[0] in pronouns
        }
    quotations = words.quotations(text)
    return tuple(
        place
        for place in sorted(found)
        if not any(start <= place < stop for start, stop in quotations)
    )
