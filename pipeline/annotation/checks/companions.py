"""Finds animals, beings of tales and children that texts of a window tell of and nobody sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from pipeline.annotation import concepts, words
from pipeline.runtime import word_lists

# Of whom a text may say "the boy": anybody so called, and a person who is little.
_CHILDREN = frozenset(" ".join(word_lists.read(__package__, "children.txt")).split())
_LITTLE = frozenset(("young", "small", "little", "tiny", "teenage"))
_SEXES = "👦👧"
_OF_SEX = word_lists.by_language(__package__, "sexes.txt")
_HORSES, _BICYCLES = frozenset("🐴🐎"), frozenset("🚲🛵🏍")  # an iron horse


def unseen(
    narrations: Sequence[str],
    seen: Set[str],
    looks: Sequence[str],
    language: str,
    said: Set[str] = frozenset(),
) -> str:
    """Returns the word for a being that two texts or more tell of and nothing shows, "" for none.

    `narrations` are texts without quotations and names, `seen` the emoji of all that is shown or
    was said before, `looks` what captions and lists say of the characters, in English, `said` the
    emoji of the children of whom was said before. One text must surely tell of the being; in
    another its name may mean something else too: the German for a dragon is also a kite. Children
    count where no character may be one, a boy and a girl where no character may be a boy or a girl.
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
        absent = [
            sex for sex in _SEXES if sex not in said and not any(_may_be(sex, look) for look in looks)
        ]
        met = [
            {word: child for word, child in children.items() if len(child.intersection(_SEXES)) == 1}
            for children in met
        ]
        met = [
            {word: child for word, child in children.items() if not child.isdisjoint(absent)}
            for children in met
        ]
    ages = [frozenset().union(*children.values()) for children in met]
    return next(
        (word for children in met for word, child in children.items() if _told(child, ages) > 1),
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


def _may_be(sex: str, look: str) -> bool:
    """Returns whether a look may be a boy's (👦) or a girl's (👧)."""
    lemmas = {words.lemma(token) for token in words.tokenize(look)}
    own, other = (
        set(_OF_SEX[name].split()) for name in (sex, _SEXES.replace(sex, ""))
    )
    return bool(lemmas & own) or (_may_be_child(look) and not lemmas & other)
