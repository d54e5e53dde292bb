"""Checks that a text is grounded in its picture's caption: who is in it, and what happens.

A writer may say "he", a name for a look, or "dashed" for "runs"; it may not tell of somebody else
somewhere else, or of nothing at all. So a caption has two parts: the characters, of which the text
must keep a name, a noun or a pronoun with an antecedent, and the scene, of which it must keep a
word, or a word of the same subject. English only. A text far from its caption's words ("the bunny
enjoyed the sun" of a rabbit by its burrow) can be refused although it is right.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.annotation import words
from pipeline.annotation.checks.described_characters import says
from pipeline.runtime import word_lists

_PRONOUNS = frozenset(word_lists.read(__package__, "pronouns.txt"))
_SUBJECTS = words.SYNONYMS + word_lists.read(__package__, "subjects.txt")
_SPEAKER = re.compile(r"^[^:\"]{1,30}: ")


def ungrounded(
    text: str,
    entities: Sequence[str],
    names: Sequence[str],
    action: str,
    sentence: str,
    before: str = "",
    *,
    dialogue: Sequence[str] = (),
) -> str:
    """Returns what a text leaves out of its caption, for the model to read; "" if it is grounded.

    `entities` are those the caption sees ("a brown monkey") and `names` what they are called,
    `action` and `sentence` are the caption's own. `before` is the text that this one follows, whose
    characters may be "he" now. A text that quotes the film's `dialogue` needs no other action.
    """
    keeps_characters = _keeps_characters(text, entities, names, before)
    scene = _scene(entities, names, action, sentence)
    kept = _kept_weight(text, scene, _SUBJECTS)
    enough = min(1.0, sum(map(words.weight, scene)))
    keeps_scene = kept >= enough or _quotes(text, dialogue)
    if keeps_characters and keeps_scene:
        return ""
    if not entities and not names:
        missing = "what is seen"
    else:
        missing = " and ".join(
            ["who"] * (not keeps_characters) + ["what they do"] * (not keeps_scene)
        )
    return f"the description's {sentence.strip()!r} is not in it: say {missing}"


def grounding(
    text: str,
    entities: Sequence[str],
    names: Sequence[str],
    action: str,
    sentence: str,
    before: str = "",
) -> float:
    """Returns the share of a caption that a text keeps, 0..1: characters, and words of the scene.

    Words that many pictures share count half. A good story keeps a part of a caption, not all of
    it: use the score to compare stories. Arguments as in `ungrounded`.
    """
    scene = _scene(entities, names, action, sentence)
    characters = float(bool(entities or names))
    total = characters + sum(map(words.weight, scene))
    if not total:
        return 1.0
    kept_characters = characters * _keeps_characters(text, entities, names, before)
    return (kept_characters + _kept_weight(text, scene, words.SYNONYMS)) / total


def _nouns(entities: Sequence[str]) -> list[str]:
    """Returns the lemmas of the entities' nouns: "boy" of "a small boy holding a kite"."""
    nouns = []
    for entity in entities:
        lemmas = [words.lemma(word) for word in words.head(entity)]
        nouns += [word for word in lemmas if word not in words.COMMON_WORDS] or lemmas
    return nouns


def _keeps_characters(
    text: str, entities: Sequence[str], names: Sequence[str], before: str
) -> bool:
    nouns = words.with_synonyms(_nouns(entities))
    if not nouns and not names:
        return True  # nobody is in the picture

    def mentioned(text: str) -> bool:
        return any(says(text, name) for name in names) or not nouns.isdisjoint(
            words.with_synonyms(words.content(text))
        )

    # The text before may itself say "he": it passed this check too.
    return mentioned(text) or (
        not _PRONOUNS.isdisjoint(words.tokenize(text))
        and (mentioned(before) or not _PRONOUNS.isdisjoint(words.tokenize(before)))
    )


def _scene(entities: Sequence[str], names: Sequence[str], action: str, sentence: str) -> list[str]:
    """Returns the lemmas of a caption without its characters and their looks."""
    looks = set(words.content(" ".join(entities))) - set(words.content(action))
    characters = looks.union(_nouns(entities), *(words.content(name) for name in names))
    return [word for word in words.content(f"{action} . {sentence}") if word not in characters]


def _kept_weight(text: str, scene: Sequence[str], groups: tuple[str, ...]) -> float:
    """Returns the weight of the scene's words that a text has, or of which it has a synonym."""
    found = words.with_synonyms(words.content(text), groups)
    return sum(
        words.weight(word)
        for word in scene
        if not found.isdisjoint(words.with_synonyms([word], groups))
    )


def _quotes(text: str, dialogue: Sequence[str]) -> bool:
    lines = [_SPEAKER.sub("", line) for line in dialogue]
    padded = f" {words.normalize(text)} "
    return any(
        words.normalize(line) and f" {words.normalize(line)} " in padded for line in lines
    ) or (len(set(words.content(text)).intersection(words.content(" ".join(lines)))) >= 2)
