"""Finds animals, beings of tales and children that texts of a window tell of and nobody sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from pipeline.annotation import concepts, words
from pipeline.runtime import word_lists

# Of whom a text may say "the boy": anybody so called, and a person who is little.
_CHILDREN = frozenset(" ".join(word_lists.read(__package__, "children.txt")).split())
_LITTLE = frozenset(("young", "small", "little", "tiny", "teenage"))


def unseen(narrations: Sequence[str], seen: Set[str], looks: Sequence[str], language: str) -> str:
    """Returns the word for a being that two texts or more tell of and nothing shows, "" for none.

    `narrations` are texts without quotations and names, `seen` the emoji of all that is shown or
    was said before, `looks` what captions and lists call the characters, in English. One text must
    surely tell of the being; in another its name may mean something else too: the German for a
    dragon is also a kite. Children count where no character may be one.
    """
    lexicon = concepts.lexicon(language)
    possible = [concepts.possible_beings(text, language) for text in narrations]
    for text in narrations:
        for word in concepts.beings(text, language):
            living = lexicon[word] & concepts.BEINGS
            if seen.isdisjoint(living) and _told(living, possible) > 1:
                return word
    if not concepts.CHILDREN.isdisjoint(seen) or any(map(_may_be_child, looks)):
        return ""
    met: list[Mapping[str, frozenset[str]]]
    met = [concepts.children(text, language) for text in narrations]
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
