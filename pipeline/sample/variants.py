"""Variants of the sample with a cast that is harder to tell apart: what they say and where is the
same, some of the figures look otherwise. The usual sample is not changed by them."""

from __future__ import annotations

from dataclasses import replace

from pipeline.sample.script import Shot

LOOK_ALIKES, COSTUMES = "look-alikes", "costumes"
VARIANTS = ("", LOOK_ALIKES, COSTUMES)

# Of `figures.LOOKS`: how who is called so looks instead.
_ANOTHER_FOX = {"Hugo": "another fox"}
_CHANGED = {name: f"{name}, changed" for name in ("Pip", "Momo", "Rosa", "Hugo")}


def apply(shots: tuple[Shot, ...], variant: str) -> tuple[Shot, ...]:
    """Returns the shots of an episode as a variant has them.

    look-alikes: Hugo is a fox like Pip with another scarf. costumes: from the middle of the episode
    on, everybody with clothes wears others.
    """
    if variant == LOOK_ALIKES:
        return tuple(_looking(shot, _ANOTHER_FOX) for shot in shots)
    if variant == COSTUMES:
        middle = len(shots) // 2
        return (*shots[:middle], *(_looking(shot, _CHANGED) for shot in shots[middle:]))
    return shots


def _looking(shot: Shot, looks: dict[str, str]) -> Shot:
    actors = tuple(replace(actor, look=looks.get(actor.name, "")) for actor in shot.actors)
    return replace(shot, actors=actors)
