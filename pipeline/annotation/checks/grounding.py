"""Whether a text still tells what its picture shows: who is in it, and what goes on.

A writer may say "he", give the name for the look and "dashed" for "runs"; it may not tell of
somebody else somewhere else, or of nothing at all. So a caption is two things: who, of which a
name, a noun or a pronoun that has somebody to stand for must be left, and the scene, of which one
word must be left, or one on its subject. It is for English. A text far from its caption's words
("the bunny enjoyed the sun" of a rabbit by its burrow) can be refused although it is right.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.annotation import words as w
from pipeline.annotation.checks.character_names import says

_PRONOUNS = w.listed("""
    he she it they him her them his hers its their theirs himself herself itself themselves both
    everyone everybody we us our""")
# What goes with what: a text about blossoms is of a picture of a garden. A line, a subject.
_SUBJECTS = (
    w.ALIKE
    + """
    kitchen cook chef stove oven pot pan stir bake bowl sauce soup dough recipe
    eat food hungry meal breakfast lunch dinner snack treat fruit banana apple sandwich delicious
    cake cookie pie bakery sweet frosting candy chocolate
    pizza spaghetti pasta noodle restaurant chef
    water pond lake river sea ocean swim sail boat fish splash wet raft
    fish supper catch hook net
    beach sand sandcastle shore seashell wave
    tree branch forest wood trunk leaf bark treetop
    flower blossom petal garden smell scent sniff bloom bouquet
    garden plant seed vegetable dig soil grow
    farm barn cow pig chicken hen hay corn farmer tractor feed
    sleep bed pillow blanket dream yawn tired sleepy asleep awake wake
    read book newspaper news page library story
    write letter pencil pen paper draw
    paint brush colour color artist canvas picture
    street road city car traffic sidewalk truck bus drive taxi
    train track station railway
    bicycle bike ride pedal wheel scooter skate
    fly sky cloud air wing glide soar high above airplane plane balloon
    kite wind string sky
    space rocket star planet moon spaceship astronaut
    night moon star dark evening lantern
    music song sing band drum guitar piano trumpet parade dance
    hug embrace love together cuddle kiss
    door doorway open enter entrance lobby hall knock
    window pane curtain
    stair staircase step upstairs downstairs
    winter snow cold ice sled snowman mitten
    rain storm wet puddle umbrella thunder cloud
    fire flame smoke hot burn
    phone telephone ring hello
    school teacher class classroom lesson question answer learn
    doctor hospital nurse sick ill
    clean wash soap bath tub bubble dirty mess mud
    build hammer nail saw wood block tower
    ball throw catch kick game team
    hurt cry tear sad pain ouch
    smile happy laugh glad joy fun
    surprise shock wide stare gasp eye
    fear scared frighten afraid tremble shake hide scream
    think wonder idea puzzle curious confuse frown
    angry frown shout mad glare
    box package gift present wrap ribbon
    hat cap head wear
    store shop buy market supermarket shelf aisle cart money sell
    museum dinosaur bone statue exhibit
    clock watch hour noon minute late early o'clock
    suitcase pack travel trip journey luggage
    secret hide bush peek spy sneak
    map treasure path search explore find lost
    """
)
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
    """What a text leaves out of its caption, for the model to read; "" where it holds.

    `entities` are who the caption sees ("a brown monkey") and `names` what they are called,
    `action` and `sentence` are the caption's own. `before` is the text that this one follows: who
    is in it may be "he" now. A text that quotes the film's `dialogue` needs no other action.
    """
    who = _who_is_left(text, entities, names, before)
    scene = _scene(entities, names, action, sentence)
    left = _left(text, scene, _SUBJECTS)
    goes_on = left >= min(1.0, sum(map(w.weight, scene))) or _quotes(text, dialogue)
    if who and goes_on:
        return ""
    if not entities and not names:
        missing = "what is seen"
    else:
        missing = " and ".join(["who"] * (not who) + ["what they do"] * (not goes_on))
    return f"the description's {sentence.strip()!r} is not in it: say {missing}"


def grounding(
    text: str,
    entities: Sequence[str],
    names: Sequence[str],
    action: str,
    sentence: str,
    before: str = "",
) -> float:
    """The share of a caption that a text keeps, 0..1: who is seen, and each word of the scene.

    Words that many pictures share count half. A good story keeps a part of a caption, not all of
    it: compare stories by it.
    """
    scene = _scene(entities, names, action, sentence)
    somebody = float(bool(entities or names))
    total = somebody + sum(map(w.weight, scene))
    if not total:
        return 1.0
    who = somebody * _who_is_left(text, entities, names, before)
    return (who + _left(text, scene, w.ALIKE)) / total


def _nouns(entities: Sequence[str]) -> list[str]:
    """The lemmas that say who: "boy" of "a small boy holding a kite"."""
    nouns = []
    for entity in entities:
        lemmas = [w.lemma(word) for word in w.head(entity)]
        nouns += [word for word in lemmas if word not in w.WEAK] or lemmas
    return nouns


def _who_is_left(text: str, entities: Sequence[str], names: Sequence[str], before: str) -> bool:
    nouns = w.senses(_nouns(entities))
    if not nouns and not names:
        return True  # nobody is in the picture

    def mentioned(told: str) -> bool:
        return any(says(told, name) for name in names) or not nouns.isdisjoint(
            w.senses(w.content(told))
        )

    # The text before may itself say "he": it was held to this too.
    return mentioned(text) or (
        not _PRONOUNS.isdisjoint(w.words(text))
        and (mentioned(before) or not _PRONOUNS.isdisjoint(w.words(before)))
    )


def _scene(entities: Sequence[str], names: Sequence[str], action: str, sentence: str) -> list[str]:
    """The lemmas of a caption without who is in it, and without their looks."""
    looks = set(w.content(" ".join(entities))) - set(w.content(action))
    who = looks.union(_nouns(entities), *(w.content(name) for name in names))
    return [word for word in w.content(f"{action} . {sentence}") if word not in who]


def _left(text: str, scene: Sequence[str], table: str) -> float:
    """The weight of the scene's words that a text has, or has others like them."""
    told = w.senses(w.content(text), table)
    return sum(w.weight(word) for word in scene if not told.isdisjoint(w.senses([word], table)))


def _quotes(text: str, dialogue: Sequence[str]) -> bool:
    lines = [_SPEAKER.sub("", line) for line in dialogue]
    told = f" {w.bare(text)} "
    return any(w.bare(line) and f" {w.bare(line)} " in told for line in lines) or (
        len(set(w.content(text)).intersection(w.content(" ".join(lines)))) >= 2
    )
