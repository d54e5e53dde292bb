"""Names: who the captioner's "brown monkey" is, and which names in a story nobody has given.

A series has a bible of its characters. A captioner seldom knows a name and says what it sees;
`resolve` finds the one character that fits. A writer may then call a character by another name
(`unknown`), or by its look where it has a name (`misnamed`). In doubt none of them speaks up: a
wrong name spoils a story, a missing one does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import simplemma

from pipeline.annotation import words as w
from schemas.rows import Character

_ARTICLES = frozenset(("a", "an", "the"))
_TITLES = w.listed("""
    mr mrs ms miss mister madam dr doctor professor prof captain king queen prince princess sir lady
    lord uncle aunt auntie grandma grandpa granny mom mum mommy mummy dad daddy mama papa mother
    father grandmother grandfather officer chef saint st
    """)
# What may be capitalised in English and is nobody's name.
_NO_NAMES = _TITLES | w.listed("""
    monday tuesday wednesday thursday friday saturday sunday january february march april may june
    july august september october november december christmas easter halloween thanksgiving
    valentine birthday new year earth sun moon mars god english french german spanish italian
    chinese japanese american african european tv ok
    """)
_NOUNS_CAPITALISED = frozenset(("de", "deu", "ger", "lb", "ltz"))

_SEVERAL = w.listed("""
    two three four five six several many some few both other another second group pair crowd
    family""")

_TOKEN = re.compile(r"(?<![\w'’-])[^\W\d_]+(?:['’-][^\W\d_]+)*")
_ENDING = re.compile(r"['’](?:s|m|d|t|ll|re|ve)$")
_OPENING = "\"“„‘'«»‹›「『([¿¡"
_CLOSING = "\"”“’'»«›‹」』)]"
_ENDS = ".!?:…。！？"
_ABBREVIATED = re.compile(r"(?:^|[^\w])(?:mr|mrs|ms|dr|prof|st|jr|sr|[a-hj-z])\.$", re.IGNORECASE)
_DETERMINERS = w.listed("a an the this that his her their my your our its")


def resolve(descriptors: Sequence[str], characters: Sequence[Character]) -> list[str]:
    """The descriptors in their order, each as the bible's name where it fits exactly one character.

    What equals a name or what a character is called, or holds the name ("George the monkey"), is
    that character. Otherwise its noun must be one that the bible has for the character, and at
    least half of its words must be in the bible's: "a brown monkey" is George, who is "a small
    brown monkey", and "a white monkey" is not. Several at once ("two monkeys") are nobody.
    """
    return [_who(descriptor, characters) or descriptor for descriptor in descriptors]


def unknown(
    text: str, characters: Iterable[Character], grounds: str, language: str = "en"
) -> list[str]:
    """The capitalised words of a text that neither the bible nor `grounds` has, each once.

    `grounds` is all that a name may come from: captions, dialogue, title. The first word of a
    sentence is capitalised anyway: it counts only if it is so within a sentence too or if, in
    English, no dictionary has it. Languages that capitalise every noun have none.
    """
    if re.split(r"[-_]", language.casefold())[0] in _NOUNS_CAPITALISED:
        return []
    english = language.casefold().startswith("en")
    given = set(_parts(grounds)) | _NO_NAMES
    for known in characters:
        given.update(_parts(" ".join([known.name, known.look, known.role, *known.called])))
    found: dict[str, None] = {}
    tokens = list(_TOKEN.finditer(text))
    for number, token in enumerate(tokens):
        name = _ENDING.sub("", token[0])
        if not name[:1].isupper() or name == "I" or (len(name) > 1 and name.isupper()):
            continue  # all capitals are shouted
        if all(_is_given(part, given) for part in _parts(name)):
            continue
        if _opens(text[: token.start()]):
            if not english or not _says_who(name, text[token.end() :]):
                continue
        elif english and _is_a_thing(tokens, number):
            continue
        found[name] = None
    return list(found)


def misnamed(
    text: str, descriptors: Iterable[str], characters: Sequence[Character]
) -> dict[str, str]:
    """The descriptors that a text uses for characters whose name it does not say: {words: name}.

    Only descriptors of several words count ("brown monkey"): to say "the monkey" of George now and
    then is good style. What is said in quotation marks is the characters' own affair.
    """
    told = f" {' '.join(_key(w.unquoted(text)))} "
    wrong = {}
    for descriptor in descriptors:
        name = _who(descriptor, characters)
        key = _key(descriptor)
        if name and len(key) > 1 and f" {' '.join(key)} " in told and not says(text, name):
            wrong[re.sub(r"^(?:an?|the)\s+", "", descriptor.strip(), flags=re.IGNORECASE)] = name
    return wrong


def says(text: str, name: str) -> bool:
    """Whether a text says a name, or a word of it that is a name by itself: Quint for Mr. Quint."""
    if f" {' '.join(_key(name))} " in f" {' '.join(_key(text))} ":
        return True
    own = [
        word
        for word in re.findall(r"[^\W_]+", name)
        if word[:1].isupper() and word.casefold() not in _TITLES | _ARTICLES
    ]
    return any(re.search(rf"\b{re.escape(word)}\b", text) for word in own)


def _key(text: str) -> list[str]:
    return [word for word in w.words(text) if word not in _ARTICLES]


def _only(names: Iterable[str]) -> str:
    """The one name among them, "" where there are none or several."""
    distinct = set(names)
    return distinct.pop() if len(distinct) == 1 else ""


def _who(descriptor: str, characters: Sequence[Character]) -> str:
    key = _key(descriptor)
    named = [known.name for known in characters if _key(known.name) == key]
    called = [known.name for known in characters if key in map(_key, known.called)]
    if named or called:
        return _only(named or called)
    if not key or key[_around(key) :][:1] in (["and"], ["or"]):
        return ""
    held = [known.name for known in characters if _holds(descriptor, known.name)]
    return _only(held) if held else _alike(descriptor, characters)


def _around(key: Sequence[str]) -> int:
    """How many words of a descriptor come before "with", "in" and the like."""
    return next((place for place, word in enumerate(key) if word in w.AROUND), len(key))


def _holds(descriptor: str, name: str) -> bool:
    """Whether a descriptor is of this name: "Curious George" and "George the monkey" of George.

    "George's friend" and "a man with George" are not.
    """
    key, wanted = _key(descriptor), _key(name)
    if _untitled(key) == _untitled(wanted) != []:
        return True  # "Mister Quint" is Mr. Quint
    if re.search(rf"\b{re.escape(name)}['’]s\b", descriptor, re.IGNORECASE):
        return False
    return any(key[start : start + len(wanted)] == wanted for start in range(_around(key)))


def _untitled(key: Sequence[str]) -> list[str]:
    return [word for word in key if word not in _TITLES]


def _phrases(known: Character) -> list[str]:
    """The bible's descriptions of a character, cut where a new one begins."""
    return [
        part
        for text in (known.name, known.look, known.role, *known.called)
        for part in re.split(r"[,;.:]", text)
        if part.strip()
    ]


def _noun(phrase: str) -> str:
    """What a phrase is about: "monkey" in "a small monkey in bed"; "" where it is of several."""
    head = w.head(phrase)
    if (
        not head
        or not _SEVERAL.isdisjoint(w.words(phrase))
        or not w.lemma(head[-1]).startswith(head[-1])
    ):
        return ""  # "monkeys", "men", but "hippo" for a hippopotamus is one
    return head[-1]


def _colours(phrases: Iterable[str]) -> dict[str, set[str]]:
    """The colours of things: "a brown monkey in a red cap" -> {monkey: {brown}, cap: {red}}."""
    colours: dict[str, set[str]] = {}
    for phrase in phrases:
        waiting: set[str] = set()
        for word in w.words(phrase):
            if word in w.COLOURS:
                waiting.add(word)
            elif word not in w.WEAK and word not in w.STOP:
                colours.setdefault(w.lemma(word), set()).update(waiting)
                waiting = set()
    return colours


def _alike(descriptor: str, characters: Sequence[Character]) -> str:
    """The one character that a descriptor fits best, "" where there is none or several."""
    noun = _noun(descriptor)
    if not noun or noun in w.WEAK:
        return ""
    said, coloured = w.content(descriptor), _colours([descriptor])
    owners = re.findall(r"(\w+)['’]s\b", descriptor.casefold())
    scores: dict[str, float] = {}
    for known in characters:
        phrases = _phrases(known)
        has = w.senses(w.content(" ".join(phrases)))
        colours = _colours(phrases)
        if (
            not w.senses([noun]) & w.senses(map(_noun, phrases))
            or not has.issuperset(owners)
            or any(
                of and colours.get(thing) and not of & colours[thing]
                for thing, of in coloured.items()
            )
        ):
            continue  # another kind, another's friend, a white monkey where George is brown
        shared = sum(w.weight(word) for word in said if w.senses([word]) & has)
        if 2 * shared >= sum(map(w.weight, said)):
            scores[known.name] = shared
    best = max(scores.values(), default=0.0)
    return _only(name for name, score in scores.items() if score == best)


def _parts(text: str) -> list[str]:
    return [part for word in w.words(text.replace("-", " ")) for part in (word, *word.split("'"))]


def _is_given(part: str, given: set[str]) -> bool:
    return part in given or part.removesuffix("s") in given  # the Smiths


def _opens(before: str) -> bool:
    """Whether a word after this text may be the first of a sentence."""
    if not before.strip() or before[-1] in _OPENING or "\n" in before[len(before.rstrip()) :]:
        return True
    rest = before.rstrip().rstrip(_CLOSING).rstrip()
    if not rest:
        return True
    return rest[-1] in _ENDS and _ABBREVIATED.search(rest) is None


def _says_who(name: str, after: str) -> bool:
    """Whether a word that opens an English sentence can only be a name: "Timmy ran", no "Whee!"."""
    return (
        "-" not in name
        and re.match(r" [a-z]|['’]s ", after) is not None
        and not simplemma.is_known(name.casefold(), lang="en")
    )


def _is_a_thing(tokens: Sequence[re.Match[str]], number: int) -> bool:
    """Whether English capitals are for show: the Big Kite Contest."""
    while number >= 0 and tokens[number][0][0].isupper():
        word = tokens[number][0].casefold()
        if word in _DETERMINERS or not simplemma.is_known(word, lang="en"):
            return word in _DETERMINERS
        number -= 1
    return number >= 0 and tokens[number][0] in _DETERMINERS
