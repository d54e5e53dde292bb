"""Finds animals, beings of tales and children that texts of a window tell of and nobody sees."""

from __future__ import annotations

from collections.abc import Sequence, Set

from pipeline.annotation import concepts, words
from pipeline.runtime import word_lists

# Of whom a text may say "the boy": anybody so called, and a person who is little.
_CHILDREN = frozenset(" ".join(word_lists.read(__package__, "children.txt")).split())
_LITTLE = frozenset(("young", "small", "little", "tiny", "teenage"))
_SEXES = {"👦": "boy", "👧": "girl"}
_OF_SEX = {
    name: frozenset(listed.split())
    for name, listed in word_lists.by_language(__package__, "sexes.txt").items()
}
_OF_ANY_SEX = _CHILDREN - _OF_SEX["boy"] - _OF_SEX["girl"]
_HORSES, _BICYCLES = frozenset("🐴🐎"), frozenset("🚲🛵🏍")  # an iron horse


def unseen(
    narrations: Sequence[str],
    seen: Set[str],
    looks: Sequence[str],
    language: str,
    children: Set[str] = frozenset(),
) -> str:
    """Returns the word for a being that two texts or more tell of and nothing shows, "" for none.

    `narrations` are texts without quotations and names, `seen` the emoji of all that is shown or
    was said before, `looks` what captions and lists call the characters, in English, `children` the
    emoji of the boys and girls of whom captions or earlier texts may tell. One text must surely
    tell of the being; in another its name may mean something else too: the German for a dragon is
    also a kite. Children count where no character may be one; where one may be a girl only, boys.
    """
    lexicon = concepts.lexicon(language)
    if not _BICYCLES.isdisjoint(seen):
        seen = seen | _HORSES
    possible = [concepts.possible_beings(text, language) for text in narrations]
    for text in narrations:
        for word in concepts.beings(text, language):
            living = lexicon[word] & concepts.BEINGS
            if seen.isdisjoint(living) and _told(living, possible) > 1:
                return word
    met = [concepts.children(text, language) for text in narrations]
    if not concepts.CHILDREN.isdisjoint(seen) or any(map(_may_be_child, looks)):
        absent = set(_SEXES).difference(
            children, *([sex for sex in _SEXES if _may_be(sex, look)] for look in looks)
        )
        met = [
            {
                word: child
                for word, child in found.items()
                if (sexes := child.intersection(_SEXES)) and sexes <= absent
            }
            for found in met
        ]
    ages = [frozenset().union(*found.values()) for found in met]
    return next(
        (word for found in met for word, child in found.items() if _told(child, ages) > 1),
        "",
    )


def _told(being: frozenset[str], texts: Sequence[frozenset[str]]) -> int:
    """Returns how many texts, by the emoji of their beings, tell of one."""
    return sum(not being.isdisjoint(others) for others in texts)


def _may_be_child(look: str) -> bool:
    tokens = words.tokenize(look)
    return not _CHILDREN.isdisjoint(tokens) or not (
        _LITTLE.isdisjoint(tokens) or concepts.shown(look) & concepts.ANIMALS
    )


def children(description: str) -> frozenset[str]:
    """Returns the emoji of a boy and a girl, as far as an English description tells of a child that
    may be one."""
    lemmas = {words.lemma(token) for token in words.tokenize(description)}
    return frozenset(sex for sex, name in _SEXES.items() if lemmas & (_OF_ANY_SEX | _OF_SEX[name]))


def _may_be(sex: str, look: str) -> bool:
    """Returns whether a look may be a boy's (👦) or a girl's (👧)."""
    lemmas = {words.lemma(token) for token in words.tokenize(look)}
    if lemmas & _OF_SEX[_SEXES[sex]]:
        return True
    other = next(name for symbol, name in _SEXES.items() if symbol != sex)
    return _may_be_child(look) and not lemmas & (_OF_SEX[other] | _OF_SEX[f"no {_SEXES[sex]}"])
