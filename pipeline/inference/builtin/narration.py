"""Tells scenes and quotes as the sentences of a story, by rule.

Every fact can be worded in several ways. Which ways there are depends on what came before: who was
in the story already is "the grey animal" and there "again", surroundings are told when they change,
an unseen speaker speaks in them. Of all ways to tell a picture the one is taken that repeats the
least of the story so far; rotation by the picture's number decides among equals. So thirty pictures
that show much the same do not become thirty equal sentences, and nothing is said but what is seen
and heard.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import product

from pipeline.inference.builtin.quotes import Quote
from pipeline.inference.builtin.scene import Scene
from schemas.rows import CHUNK_LENGTH

_RUN = 3  # words in a row that count as a repetition
_STEP = 5  # of the rotation: neighbours get ways that differ
_CONNECTIVES = ("then", "now", "after that,", "next,", "a moment later,")
_CONNECTED = re.compile(
    r"\"|(?:then|now|next|after|again|once more|still|this time|and|here|as)\b", re.IGNORECASE
)
_VOWEL = re.compile(r"[aeiou]")


class Story:
    """What has been told, and what the picture before showed."""

    def __init__(self, so_far: str) -> None:
        self.text = ""
        self.scenes: list[Scene | None] = []  # of this window
        self._known: set[str] = set()
        self._runs: Counter[tuple[str, ...]] = Counter()
        self.add(so_far)

    def add(self, text: str) -> None:
        """Adds a text to the story."""
        self.text += f" {text.casefold()}"
        self._runs.update(_runs(text))

    def see(self, scene: Scene | None) -> None:
        """Notes what the picture shows whose text was added last."""
        self.scenes.append(scene)
        if scene:
            self._known.update((scene.who, scene.ground, scene.sky))

    def has(self, words: str) -> bool:
        """Returns whether the story has the words already."""
        return words in self._known or (
            re.search(rf"\b{re.escape(words.casefold())}\b", self.text) is not None
        )

    def repeated(self, text: str) -> int:
        """Counts how often the runs of words of a text are in the story."""
        return sum(self._runs[run] for run in _runs(text))

    @property
    def last(self) -> Scene | None:
        """The scene of the picture before, if it is known."""
        return self.scenes[-1] if self.scenes else None


def tell(scene: Scene, quotes: Sequence[Quote], frame: int, story: Story) -> str:
    """Returns the text of a picture: one sentence or two, with what is said."""
    told = _pictures(scene, story, alone=not quotes)
    ways = list(dict.fromkeys(_with_quotes(told, scene, quotes, story) if quotes else told))
    start = frame * _STEP % len(ways)
    ways = [*ways[start:], *ways[:start]]
    if (
        frame % 3 == 2 and frame % CHUNK_LENGTH
    ):  # every third text begins with a connective, as listeners like it
        connective = _CONNECTIVES[frame // 3 % len(_CONNECTIVES)]
        ways = [
            way
            if _CONNECTED.match(way) or re.search(r"\bnow\b", way)
            else f"{connective} {lower(way)}"
            for way in ways
        ]
    best = min(ways, key=story.repeated)
    return _sentence(best)


def plain(text: str, quotes: Sequence[Quote], frame: int) -> str:
    """Returns a sentence that is given, with what is said."""
    parts = [_sentence(text), *_said(quotes)]
    return " ".join(parts if frame % 3 != 1 else [*parts[1:], parts[0]])


def unconnected(text: str) -> str:
    """Returns a text as it goes on after other words, without a connective of its own."""
    return re.sub(r"^(?:now|then|next|after that),? ", "", lower(text))


def lower(text: str) -> str:
    """Returns a text with a small letter first, unless it begins with a name or a quote."""
    first = text.split(maxsplit=1)[0].rstrip(",") if text.split() else ""
    return text[:1].lower() + text[1:] if first.casefold() in _OPENERS else text


# --- what is seen ------------------------------------------------------------------------------


def _pictures(scene: Scene, story: Story, alone: bool) -> list[str]:
    """Returns ways to say what is seen, as clauses that begin in lower case."""
    if scene.who:
        ways = _moving(scene, story) if scene.motion else _resting(scene, story)
    else:
        ways = _surroundings(scene, story)
    tails = _tails(scene, story) if alone and not scene.motion else [""]
    return [f"{way}{tail}" for way in ways for tail in tails]


def _resting(scene: Scene, story: Story) -> list[str]:
    """Returns ways to say that somebody is there, who may be new, back or still there."""
    who, last, wheres = _who(scene, story), story.last, _wheres(scene, story)
    before = last is not None and last.who == scene.who
    if scene.close:
        ways = ["{who} was close by{amid}", "close by was {who}{amid}", "very near was {who}{amid}"]
        if before and last is not None and not last.close:
            ways = ["now {who} was nearer{amid}", "{who} was closer now{amid}"]
    elif before and last is not None and _same_place(scene, last):
        ways = ["{who} was still there", "{who} was there still{where}",
                "{who} was still to be seen{where}", "{side} {who} was still to be seen"]  # fmt: skip
    elif before:
        ways = ["now {who} was{there}", "this time {who} was{there}", "then {who} was{there}",
                "now {who} was {side}{where}", "{side} was {who} now{where}"]  # fmt: skip
    elif story.has(scene.who):
        ways = ["{who} was there again{where}", "once more {who} was{there}",
                "again there was {who}{where}", "and there was {who} again{where}",
                "here was {who} once more{where}", "{front} was {who} again",
                "{front} {who} was to be seen again", "{side} was {who} again{where}",
                "{who} was back{where}"]  # fmt: skip
    else:
        ways = ["there was {who}{where}", "{who} was{there}", "here was {who}{where}",
                "{front} was {who}", "{front} there was {who}", "{front} one could see {who}",
                "{side} was {who}{where}", "{side} one could see {who}{where}"]  # fmt: skip
    return _filled(ways, scene, who, wheres)


def _moving(scene: Scene, story: Story) -> list[str]:
    """Returns ways to say that somebody moves."""
    last = story.last
    if last is not None and last.who == scene.who and last.motion:
        again = "again" if last.motion == scene.motion else "this time"
        ways = [f"{{who}} moved {{motion}} {again}", f"{{who}} went {{motion}} {again}",
                "then {who} moved {motion}{where}"]  # fmt: skip
    else:
        ways = ["{who} moved {motion}{where}", "{who} went {motion}{where}",
                "{motion} went {who}{where}", "{front}, {who} moved {motion}",
                "{front}, {who} went {motion}", "{side}, {who} moved {motion}{where}"]  # fmt: skip
    if "quickly" in scene.motion:
        ways = [way for way in ways if not way.startswith("{motion}")]
    if scene.close:
        ways = [f"close by, {way}" for way in ways if not way.startswith(("{front}", "{side}"))]
    return _filled(ways, scene, _who(scene, story), _wheres(scene, story))


def _filled(ways: Sequence[str], scene: Scene, who: str, wheres: Sequence[str]) -> list[str]:
    """Fills in who, which way and where; a way that needs what is not known is left out."""
    filled = []
    for way in ways:
        for where in wheres or [""]:
            if ("{front}" in way and not where) or ("{side}" in way and not scene.side):
                continue
            filled.append(
                way.format(
                    who=who,
                    motion=scene.motion,
                    where=where,
                    there=f" there{where}" if where.startswith(" with") else where or " there",
                    front=where.strip(),
                    side=scene.side,
                    amid=f", among {scene.colours}" if scene.colours else "",
                )
            )
    return list(dict.fromkeys(filled))


def _surroundings(scene: Scene, story: Story) -> list[str]:
    ground, sky, colours = _the(scene.ground, story), _the(scene.sky, story, article=True), (
        scene.colours
    )  # fmt: skip
    last = story.last
    if scene.lettering:
        return [f"there were words on {colours}", f"words stood on {colours}"]
    if scene.ground and scene.sky:
        if last is not None and _same_place(scene, last) and not last.colours:
            return [f"there was still {ground} under {sky}", f"still {ground} lay under {sky}",
                    f"{ground} still lay under {sky}", f"{sky} was still over {ground}"]  # fmt: skip
        new = f"{_article(scene.sky)} {scene.sky}"
        ways = [f"{ground} lay under {sky}", f"under {sky} lay {ground}",
                f"over {ground} was {new}", f"there was {scene.ground} below and {new} above",
                f"{sky} was over {ground}", f"below was {scene.ground}, and above was {new}",
                f"under {sky} there was {scene.ground}"]  # fmt: skip
        if last is not None and last.sky and last.sky != scene.sky:
            colour = scene.sky.removesuffix(" sky")
            ways = [f"now the sky over {ground} was {colour}",
                    f"the sky was {colour} now, and below was {scene.ground}"]  # fmt: skip
        return ways
    if last is not None and not last.who and _colour_set(last) == _colour_set(scene):
        ways = [f"all was still {colours}", f"everything was still {colours}",
                f"{colours} {_was(colours)} still all around", f"it was still {colours} everywhere",
                f"there was still {colours} to be seen", f"and still {colours} filled the place"]  # fmt: skip
    elif any(other and _colour_set(other) == _colour_set(scene) for other in story.scenes):
        ways = [f"once more all was {colours}", f"again everything was {colours}",
                f"{colours} filled the place once more", f"all around was {colours} again",
                f"everywhere there was {colours} again"]  # fmt: skip
    elif last is not None:
        ways = [f"now all was {colours}", f"then came a place that was {colours}",
                f"now everything around was {colours}", f"next all around was {colours}",
                f"after that, everything was {colours}", f"then there was {colours} everywhere",
                f"here all was {colours}", f"now {colours} {_was(colours)} all around",
                f"this place was filled with {colours}"]  # fmt: skip
    else:
        ways = [f"all was {colours}", f"everything around was {colours}",
                f"everywhere there was {colours}", f"the place was filled with {colours}",
                f"all around was {colours}", f"{colours} {_was(colours)} all around",
                f"wherever one looked there was {colours}"]  # fmt: skip
    if scene.ground:
        ways += [f"over {ground} all was {colours}", f"{ground} lay there, and all was {colours}"]
    return ways


def _tails(scene: Scene, story: Story) -> list[str]:
    """Returns what can be said of the light, or of what a camera shows that moves."""
    if not scene.light:
        return [""]
    level, _, warmth = scene.light.partition(" and ")
    last = story.last
    if level in ("dark", "dim"):  # the light that one notices
        changed = last is not None and last.light.split(" ")[0] not in (level, "dark", "dim", "")
        return [", and it was darker now"] if changed else [f", and it was {level}",
                f", and the light was {level}"]  # fmt: skip
    if last is not None and last.light.split(" ")[0] in ("dark", "dim"):
        return [", and it was light again"]
    if scene.pans:
        return [", and more and more of it came into view", ", and there was more and more to see"]
    if scene.who:
        return ["", f", and the light was {scene.light}"]
    light = ", ".join(filter(None, [level, warmth]))
    return ["", f" in the {light} light", f", and the light was {scene.light}"]


# --- what is said ------------------------------------------------------------------------------


def _with_quotes(
    told: Sequence[str], scene: Scene, quotes: Sequence[Quote], story: Story
) -> list[str]:
    """Returns ways to tell what is seen and what is said together."""
    first, rest = quotes[0], " ".join(_said(quotes[1:]))
    more = f" {rest}" if rest else ""
    ways = []
    for clause in told:
        ways += [
            f"{first.trailing()}. {_sentence(f'{rest} ' if rest else '')}{_sentence(clause)}".replace(
                "  ", " "
            ),
            f"{_sentence(clause)} {_capital(first.leading())}{more}",
            f"{clause}, and {first.leading()}{more}",
            f"{_sentence(clause)} {first.trailing()}.{more}",
        ]
    if scene.motion:
        who = _who(scene, story)
        for verb, where in product(("moved", "went"), _wheres(scene, story) or [""]):
            ways += [f"as {who} {verb} {scene.motion}{where}, {first.leading()}{more}",
                     f"{first.trailing()}, while {who} {verb} {scene.motion}{where}.{more}"]  # fmt: skip
    if not scene.who:
        for place in _places(scene, story):
            comma = "" if place.startswith(("in", "under")) else ","
            ways += [
                f"{place}, {first.leading()}{more}",
                f"{first.trailing()}{comma} {place}.{more}",
            ]
    return ways


def _places(scene: Scene, story: Story) -> list[str]:
    """Returns where somebody speaks who is not seen: "under the pink sky"."""
    last = story.last
    same = last is not None and not last.who and _same_place(scene, last)
    if scene.sky:
        return [f"{'still ' if same else ''}under {_the(scene.sky, story, article=True)}"]
    if scene.lettering or not scene.colours:
        return []
    if same:
        return [f"in the same {scene.colours} place", f"still among {scene.colours}"]
    return [f"in {_article(scene.colours)} {scene.colours} place", f"where all was {scene.colours}",
            f"with {scene.colours} all around"]  # fmt: skip


def _said(quotes: Sequence[Quote]) -> list[str]:
    """Returns quotes as sentences."""
    return [_sentence(quote.leading()) for quote in quotes]


# --- words -------------------------------------------------------------------------------------

_OPENERS = frozenset(
    ["a", "all", "among", "an", "after", "again", "and", "as", "at", "below", "beige", "black", "blue", "brown", "by", "close", "dark", "down", "everything", "everywhere", "far", "gold", "green", "grey", "here", "in", "it", "light", "next", "now", "on", "once", "one", "orange", "over", "pink", "purple", "red", "next", "now", "silver", "something", "someone", "still", "the", "then", "there", "this", "turquoise", "under", "up", "very", "where", "wherever", "white", "with", "yellow", "words", "to"]
)


def _who(scene: Scene, story: Story) -> str:
    if scene.who.startswith("something"):
        return scene.who
    return f"the {scene.who}" if story.has(scene.who) else f"{_article(scene.who)} {scene.who}"


def _wheres(scene: Scene, story: Story) -> list[str]:
    """Returns ways to say where: " on green grass under a light blue sky"; none if unknown."""
    ground, sky = _the(scene.ground, story), _the(scene.sky, story, article=True)
    place = (f" on {ground}" if ground else "") + (f" under {sky}" if sky else "")
    if place or not scene.colours:
        return [place] if place else []
    return [f" among {scene.colours}", f" with {scene.colours} around"]


def _the(thing: str, story: Story, article: bool = False) -> str:
    if not thing:
        return ""
    if story.has(thing):
        return f"the {thing}"
    return f"{_article(thing)} {thing}" if article else thing


def _article(words: str) -> str:
    return "an" if _VOWEL.match(words) else "a"


def _was(colours: str) -> str:
    return "were" if " and " in colours else "was"


def _same_place(scene: Scene, other: Scene) -> bool:
    return (scene.ground, scene.sky, _colour_set(scene)) == (
        other.ground,
        other.sky,
        _colour_set(other),
    )


def _colour_set(scene: Scene) -> frozenset[str]:
    return frozenset(filter(None, scene.colours.split(" and ")))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _sentence(text: str) -> str:
    text = _capital(text)
    return (
        text if not text or text.endswith((".", "!", "?", '."', '!"', '?"', '…"')) else f"{text}."
    )


def _runs(text: str) -> Iterable[tuple[str, ...]]:
    words = re.findall(r"[a-z']+", text.casefold())
    return [tuple(words[at : at + _RUN]) for at in range(len(words) - _RUN + 1)]
