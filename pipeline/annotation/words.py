"""Words of English and what they have in common: what `names`, `grounding` and `checks` compare by.

A caption says "a boy runs across a field", a story "the lad dashed through the grass". To see that
these are one, a text becomes its `content`: the lemmas of its words, without those that any text
has. `senses` adds to a lemma the groups of like words it belongs to, so that "dash" meets "run".
The groups are short and made for what children's films show; they are no dictionary. `bare` and
`unquoted` work in any language: words without case and punctuation, a text without what is said
in it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence

import simplemma

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_POSSESSIVE = re.compile(r"['’]s$")
_QUOTED = re.compile(
    r'"[^"]*"|“[^“”]*”|„[^„“”]*[“”]|«[^«»]*»|»[^«»]*«|「[^」]*」|『[^』]*』'
    r"|(?<!\w)['‘](?=\w).+?[^\w\s]?['’](?!\w)"
)  # 'I can't swim,' ends where no letter follows


def listed(text: str) -> frozenset[str]:
    """The words of a table."""
    return frozenset(text.split())


def any_of(*patterns: str) -> re.Pattern[str]:
    """One pattern for several, whatever the case; ^ and $ are those of a line."""
    return re.compile("|".join(patterns), re.IGNORECASE | re.MULTILINE)


# Words that say nothing of a picture: any two texts share some.
STOP = listed("""
    a an the this that these those some any all each every both no not nor none
    i you he she it we they me him her us them my your his its our their mine yours hers ours theirs
    himself herself itself themselves myself yourself who whom whose which what one ones another
    other others someone something somebody nothing anything everything
    be am is are was were been being have has had having do does did doing done will would shall
    should can could may might must cannot
    and or but if then than so as because while when where why how until though although
    of in on at by for with without about against between into through during before after above
    below to from up down out off over under again further once onto upon toward towards along
    across around behind beside besides near next inside outside within beyond past among amid via
    here there now just also too very only even still yet more most much many few such own same
    quite rather almost back away ever never always soon suddenly finally
    thing way lot kind sort bit
    picture image scene frame shot camera view background foreground cartoon character animated
    animation close-up closeup illustration
    """)

COLOURS = listed("""
    black grey gray white red pink orange brown beige yellow green blue purple golden gold silver
    blond blonde ginger tan""")

# Words that many pictures share: looks, times, verbs of little meaning. Two are worth one other.
WEAK = COLOURS | listed("""
    colourful colorful dark light bright pale
    big small little large tiny huge tall short long wide old young new good bad nice great round
    left right side top bottom front middle end
    day time moment morning afternoon evening today world place
    go come get take make put turn move start begin seem appear show try keep let stay leave use
    want feel wear know think find bring continue happen two three several
    """)

# Where the words for somebody end and those for what is around them begin.
AROUND = listed("""
    with in on of from at by near next beside behind under over and or who that which to dressed
    seen named called""")

# A line, a group. What stands in two groups meets the words of both.
ALIKE = """
    small little tiny
    big large huge
    boy child kid lad son youngster brother
    girl child kid lass daughter sister
    baby toddler infant
    man gentleman fellow guy father dad daddy grandfather grandpa
    woman lady mother mom mum mommy mummy grandmother grandma
    person people everyone everybody crowd friend group
    dog puppy pup hound doggy
    cat kitten kitty
    rabbit bunny hare
    bird chick fledgling pigeon dove sparrow crow robin parrot seagull owl
    squirrel chipmunk rodent
    animal creature beast
    insect bug bee butterfly ladybug beetle
    bear cub
    duck duckling
    pig piglet
    sheep lamb
    chicken hen rooster
    nut acorn
    suitcase bag luggage backpack
    cow calf
    monkey ape chimp chimpanzee
    mouse rat rodent
    run dash race rush hurry sprint chase scamper bolt speed scurry dart gallop zoom zip
    walk stroll wander stride march trot step trudge pace tiptoe amble hike
    jump leap hop bounce bound skip
    look watch gaze stare peer peek glance observe study eye examine admire inspect see notice spot
    hold carry grip clutch grasp cradle
    hug embrace cuddle squeeze
    lift raise hoist
    smile grin beam laugh giggle chuckle laughter
    talk speak say tell ask chat whisper explain call shout exclaim cry reply answer murmur
    cry weep sob tear
    climb scramble clamber scale
    eat munch nibble chew bite gobble taste chomp feast
    drink sip gulp
    sleep asleep doze nap snooze slumber snore dream rest
    sit perch seat settle rest
    lie rest sprawl
    fall tumble drop slip trip topple crash
    fly soar glide flutter hover swoop float
    throw toss hurl fling cast pitch
    drive ride steer cycle pedal
    swim paddle dive float splash
    stand wait pause
    play frolic game
    push shove nudge
    pull tug drag haul yank
    close shut
    give hand offer pass
    take grab snatch seize pick catch
    reach stretch
    wave greet hello goodbye
    hide crouch sneak creep crawl
    build make construct
    paint draw colour color sketch
    cook bake
    clean wash scrub sweep wipe
    dance twirl spin whirl sway
    sing hum
    shake shook tremble shiver
    worry worried worriedly concern anxious afraid scare scared frighten frightened fear nervous
    happy happily cheerful joy joyful delight glad
    sad sadly upset unhappy
    angry angrily cross mad furious
    surprise astonish amaze shock startle
    house home cottage hut building
    forest wood tree grove jungle
    field meadow grass lawn pasture
    road street path lane trail sidewalk pavement
    sea ocean water wave
    river stream brook creek water
    beach shore sand
    hill mountain slope peak
    boat ship
    car vehicle automobile
    bike bicycle
    store shop market
    rock stone boulder
    night moon moonlight dark
    rain rainy storm
    snow snowy
    sky cloud air
    food meal dinner breakfast lunch supper
    city town village
    couch sofa
    phone telephone
    flower blossom bloom rose daisy tulip
    smell sniff scent
    pond lake water
    hole burrow den
    parade march
    """


def words(text: str) -> list[str]:
    """The words of a text in lower case, without a possessive 's: "George's hat" -> george, hat."""
    return [_POSSESSIVE.sub("", word).casefold().replace("’", "'") for word in _WORD.findall(text)]


def runs(words: Sequence[str], length: int) -> set[str]:
    """All that stands in a row in these words: "a b", "b c" of a, b, c for a length of two."""
    return {" ".join(words[start : start + length]) for start in range(len(words) - length + 1)}


def bare(text: str) -> str:
    """A text without case, punctuation and the space between lines, to compare it with another."""
    return " ".join(words(text))


def unquoted(text: str) -> str:
    """A text without what stands in quotation marks: what the teller says, not the characters."""
    return _QUOTED.sub(" ", text)


@functools.lru_cache(maxsize=50_000)
def lemma(word: str) -> str:
    """The dictionary form of an English word in lower case: "dashed" -> "dash"."""
    found = simplemma.lemmatize(word, lang="en").casefold()
    if found.endswith("ing") and len(found) > 6:  # "building" is also a verb
        stem = found[:-3]
        verbs = [stem, stem + "e", *([stem[:-1]] if stem[-1] == stem[-2] else [])]
        return next((verb for verb in verbs if simplemma.is_known(verb, lang="en")), found)
    return found


def content(text: str) -> list[str]:
    """The lemmas of the words of an English text that mean something, each once, in order."""
    lemmas = (lemma(word) for word in words(text) if word not in STOP)
    return list(dict.fromkeys(word for word in lemmas if word not in STOP))


def head(phrase: str) -> list[str]:
    """The words that say who or what: "small", "boy" of "a small boy holding a kite in a park"."""
    found: list[str] = []
    for word in words(phrase):
        if found and (word in AROUND or (word.endswith("ing") and found[-1] not in WEAK)):
            break  # but "a big flying squirrel" is one
        if word not in STOP:
            found.append(word)
    return found


@functools.cache
def grouped(table: str) -> dict[str, frozenset[str]]:
    """The groups that each word of a table is in; a line of the table is a group."""
    groups: dict[str, set[str]] = {}
    for line in table.strip().splitlines():
        for word in line.split():
            groups.setdefault(word, set()).add(f"like {line.strip()}")
    return {word: frozenset(names) for word, names in groups.items()}


def senses(lemmas: Iterable[str], table: str = ALIKE) -> frozenset[str]:
    """These lemmas and the groups of like words that they belong to."""
    groups = grouped(table)
    return frozenset(sense for word in lemmas for sense in (word, *groups.get(word, ())))


def weight(word: str) -> float:
    """What a lemma says: 1, or half for one that many pictures share."""
    return 0.5 if word in WEAK else 1.0
