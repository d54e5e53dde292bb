"""Tells scenes and quotes as the sentences of a story, by rule.

Which wordings there are for a picture depends on what came before: who was in the story already is
"the grey animal" and there "again", surroundings are told as they change, an unseen speaker speaks
in them. Of all ways to tell a picture the one is taken that repeats the least of the story so far;
the picture's number decides among equals. So thirty pictures that show much the same do not become
thirty equal sentences, and nothing is said but what is seen and heard.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import product

from pipeline.inference.builtin import wordings
from pipeline.inference.builtin.quotes import Quote
from pipeline.inference.builtin.scene import Scene
from pipeline.runtime import word_lists
from schemas.rows import CHUNK_LENGTH

_RUN = 3  # words in a row that count as a repetition
_STEP = 5  # from the first wording of a picture to that of the next
_CONNECTED = re.compile(
    r"\"|(?:then|now|next|after|again|once more|still|this time|and|here|as)\b|.*\bnow\b",
    re.IGNORECASE,
)
_OWN_CONNECTIVE = re.compile(r"^(?:now|then|next|after that),? ")
_LOWERCASE = frozenset(word_lists.read(__package__, "lowercase_openers.txt"))
_LEVELS_OF_NIGHT = ("dark", "dim")


class Story:
    """What has been told in words, and what the pictures of this window have shown."""

    def __init__(self, so_far: str) -> None:
        self.scenes: list[Scene | None] = []
        self._text = ""
        self._seen: set[str] = set()
        self._runs: Counter[tuple[str, ...]] = Counter()
        self._tell(so_far)

    def add(self, text: str, scene: Scene | None) -> None:
        """Adds the text of a picture and what the picture shows."""
        self._tell(text)
        self.scenes.append(scene)
        if scene:
            self._seen.update((scene.who, scene.ground, scene.sky, *scene.names))

    def _tell(self, text: str) -> None:
        self._text += f" {text.casefold()}"
        self._runs.update(_runs(text))

    def has(self, thing: str) -> bool:
        """Returns whether a thing is in the story already."""
        whole = "(?:an?|the) " if thing.endswith(" figure") else ""  # not in "third grey figure"
        found = re.search(rf"\b{whole}{re.escape(thing.casefold())}\b", self._text)
        return thing in self._seen or bool(found)

    def knows(self, scene: Scene) -> bool:
        """Returns whether all who are in a scene are in the story already."""
        return all(self.has(who) for who in scene.names or (scene.who,))

    def repeated(self, text: str) -> int:
        """Counts how often the story has the runs of words of a text."""
        return sum(self._runs[run] for run in _runs(text))

    @property
    def last(self) -> Scene:
        """The scene of the picture before, an empty one if that is not known."""
        return (self.scenes[-1] if self.scenes else None) or Scene()


def tell(scene: Scene, quotes: Sequence[Quote], frame: int, story: Story, repeat: int = 0) -> str:
    """Returns the text of a picture: a sentence or two, with what is said.

    `repeat` is how often other words were asked for: the next best ones follow.
    """
    clauses = _filled(_wordings(scene, story), scene, story)
    if quotes:
        ways = _with_quotes(clauses, scene, quotes, story)
    else:
        ways = [clause + tail for clause in clauses for tail in _tails(scene, story)]
    start = frame * _STEP % len(ways)
    ways = [*ways[start:], *ways[:start]]
    if frame % 3 == 2 and frame % CHUNK_LENGTH:  # a window's first text gets its own
        word = wordings.CONNECTIVES[frame // 3 % len(wordings.CONNECTIVES)]
        ways = [way if _CONNECTED.match(way) else f"{word} {lowered(way)}" for way in ways]
    ways = sorted(ways, key=story.repeated)
    return _sentence(ways[repeat % len(ways)])


def stated(text: str, quotes: Sequence[Quote], frame: int) -> str:
    """Returns a given sentence with what is said."""
    sentence, said = _sentence(text), _leading(quotes)
    return (f"{said} {sentence}" if frame % 3 == 1 else f"{sentence} {said}").strip()


def unconnected(text: str) -> str:
    """Returns a text as it goes on after other words, without a connective of its own."""
    return _OWN_CONNECTIVE.sub("", lowered(text))


def lowered(text: str) -> str:
    """Returns a text with a small letter first, unless it begins with a name or a quote."""
    first = text.split(maxsplit=1)[0].rstrip(",") if text.split() else ""
    return text[:1].lower() + text[1:] if first.casefold() in _LOWERCASE else text


# --- what is seen ------------------------------------------------------------------------------


def _wordings(scene: Scene, story: Story) -> Sequence[str]:
    if not scene.who:
        return _of_surroundings(scene, story)
    return _of_motion(scene, story.last) if scene.motion else _of_rest(scene, story)


def _of_rest(scene: Scene, story: Story) -> Sequence[str]:
    last = story.last
    if scene.close:
        return wordings.CLOSER if last.who == scene.who and not last.close else wordings.CLOSE
    if last.who != scene.who:
        return wordings.BACK if story.knows(scene) else wordings.NEW
    return (
        wordings.STILL_THERE
        if _surroundings(last) == _surroundings(scene)
        else (wordings.ELSEWHERE)
    )


def _of_motion(scene: Scene, last: Scene) -> Sequence[str]:
    if scene.close:
        return wordings.MOVING_CLOSE
    if last.who == scene.who and last.motion:
        return wordings.MOVING_ON if last.motion == scene.motion else wordings.MOVING_ELSEWHERE
    if scene.motion.startswith("quickly"):
        return [wording for wording in wordings.MOVING if not wording.startswith("{motion}")]
    return wordings.MOVING


def _of_surroundings(scene: Scene, story: Story) -> Sequence[str]:
    last = story.last
    if scene.lettering:
        return wordings.LETTERING
    if scene.ground and scene.sky:
        if last.sky and last.sky != scene.sky:
            return wordings.SKY_TURNED
        same = _surroundings(last) == _surroundings(scene)
        return wordings.SAME_GROUND_AND_SKY if same else wordings.GROUND_AND_SKY
    if last.colours and not last.who and _colours(last) == _colours(scene):
        ways: Sequence[str] = wordings.SAME_COLOURS
    elif any(other and _colours(other) == _colours(scene) for other in story.scenes):
        ways = wordings.COLOURS_AGAIN
    else:
        ways = wordings.OTHER_COLOURS if story.scenes else wordings.COLOURS
    return [*ways, *wordings.OVER_GROUND] if scene.ground else ways


def _filled(ways: Sequence[str], scene: Scene, story: Story) -> list[str]:
    """Returns the wordings filled in, without those that need what was not seen."""
    filled: dict[str, None] = {}
    for way, where in product(ways, _wheres(scene, story)):
        if len(scene.names) > 1 and "{who}" in way:
            way = re.sub(r"\bwas\b", "were", way)
        if ("{front}" in way and not where) or ("{side}" in way and not scene.side):
            continue
        text = way.format(
            who=_who(scene, story),
            motion=scene.motion,
            side=scene.side,
            where=where,
            there=where if where.startswith((" on", " under", " among")) else f" there{where}",
            front=where.strip(),
            amid=f", among {scene.colours}" if scene.colours else "",
            ground=f"the {scene.ground}" if story.has(scene.ground) else scene.ground,
            sky=_the(scene.sky, story),
            new_ground=scene.ground,
            new_sky=f"a {scene.sky}",
            hue=scene.sky.removesuffix(" sky"),
            colours=scene.colours,
            were="were" if " and " in scene.colours else "was",
        )
        filled[re.sub(r"\ba (?=[aeiou])", "an ", text)] = None
    return list(filled)


def _wheres(scene: Scene, story: Story) -> list[str]:
    ground = f"the {scene.ground}" if story.has(scene.ground) else scene.ground
    place = (f" on {ground}" if scene.ground else "") + (
        f" under {_the(scene.sky, story)}" if scene.sky else ""
    )
    if place or not scene.colours:
        return [place]
    return [f" among {scene.colours}", f" with {scene.colours} around"]


def _who(scene: Scene, story: Story) -> str:
    if scene.names:
        return _listed([_character(name, story) for name in scene.names])
    return scene.who if scene.who.startswith("something") else _the(scene.who, story)


def _character(name: str, story: Story) -> str:
    """Returns a name, or a description with its article."""
    return name if name[:1].isupper() else _the(name, story)


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _the(thing: str, story: Story) -> str:
    """Returns a thing with its article."""
    return f"the {thing}" if story.has(thing) else f"a {thing}"


def _tails(scene: Scene, story: Story) -> list[str]:
    """Returns what can be added of the light, or of a moving camera."""
    level, _, warmth = scene.light.partition(" and ")
    night_before = story.last.light.startswith(_LEVELS_OF_NIGHT)
    if scene.motion or not level:
        return [""]
    if level in _LEVELS_OF_NIGHT:
        if story.last.light and not night_before:
            return [", and it was darker"]
        return [f", and it was {level}", f", and the light was {level}"]
    if night_before:
        return [", and it was light again"]
    if scene.pans:
        return [", and more and more of it came into view", ", and there was more and more to see"]
    tails = ["", f", and the light was {scene.light}"]
    return (
        tails
        if scene.who
        else [*tails, f" in the {', '.join(filter(None, [level, warmth]))} light"]
    )


def _surroundings(scene: Scene) -> tuple[str, str, frozenset[str]]:
    return scene.ground, scene.sky, _colours(scene)


def _colours(scene: Scene) -> frozenset[str]:
    return frozenset(filter(None, scene.colours.split(" and ")))


# --- what is said ------------------------------------------------------------------------------


def _with_quotes(
    clauses: Sequence[str], scene: Scene, quotes: Sequence[Quote], story: Story
) -> list[str]:
    """Returns ways to tell what is seen and what is said together."""
    leading, trailing = quotes[0].leading(), quotes[0].trailing()
    rest = _leading(quotes[1:])
    more = f" {rest}" if rest else ""
    ways = []
    for clause in clauses:
        seen = _sentence(clause)
        ways += [
            f"{trailing}.{more} {seen}",
            f"{seen} {_sentence(leading)}{more}",
            f"{clause}, and {leading}{more}",
            f"{seen} {trailing}.{more}",
        ]
    if scene.motion:
        for clause in _filled(wordings.MOVING[:2], scene, story):
            ways += [f"as {clause}, {leading}{more}", f"{trailing}, while {clause}.{more}"]
    if not scene.who:
        for place in _filled(_places(scene, story.last), scene, story):
            comma = "" if place.startswith(("in ", "under ")) else ","
            ways += [f"{place}, {leading}{more}", f"{trailing}{comma} {place}.{more}"]
    return ways


def _places(scene: Scene, last: Scene) -> Sequence[str]:
    """Returns wordings of where somebody speaks who is not seen."""
    same = not last.who and _surroundings(last) == _surroundings(scene)
    if scene.sky:
        return wordings.STILL_UNDER_SKY if same else wordings.UNDER_SKY
    if scene.lettering or not scene.colours:
        return ()
    return wordings.IN_SAME_COLOURS if same else wordings.IN_COLOURS


def _leading(quotes: Sequence[Quote]) -> str:
    return " ".join(_sentence(quote.leading()) for quote in quotes)


def _sentence(text: str) -> str:
    stop = "" if text.endswith((".", "!", "?", '."', '!"', '?"', '…"')) else "."
    return f"{text[:1].upper()}{text[1:]}{stop}"


def _runs(text: str) -> list[tuple[str, ...]]:
    words = re.findall(r"[a-z']+", text.casefold())
    return [tuple(words[at : at + _RUN]) for at in range(len(words) - _RUN + 1)]
