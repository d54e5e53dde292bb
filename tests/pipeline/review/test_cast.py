"""The cast page shows who is who as the next run makes it."""

from __future__ import annotations

import pytest

from pipeline.cast import crops
from pipeline.review.cast import members_view
from schemas.rows import CastMember
from tests.pipeline.cast import sequences
from tests.pipeline.cast.sequences import BOXES, KEYFRAMES, SERIES


def member(name: str, keyframes: list[str]) -> CastMember:
    paths = [crops.path(SERIES, name, keyframe) for keyframe in keyframes]
    ends = keyframes[0], keyframes[-1]
    return CastMember(SERIES, name, True, "", len(keyframes), ["forest"], *ends, [], [], paths)


def shown(decisions, applied: int) -> dict[str, str]:
    """Who is in each picture of a card, by its keyframe, as the page has it after a run with the
    first decisions."""
    run, _ = sequences.seen(decisions[:applied])
    pictures: dict[str, list[str]] = {}
    for name, keyframe in zip(run, KEYFRAMES, strict=True):
        if name:
            pictures.setdefault(name, []).append(keyframe.id)
    cards = members_view(
        [member(name, keyframes) for name, keyframes in pictures.items()],
        {
            (keyframe.id, name): box
            for name, keyframe, box in zip(run, KEYFRAMES, BOXES, strict=True)
        },
        sequences.of_series(decisions),
        {row.id for row in sequences.of_series(decisions[:applied])},
    )
    out = {card["name"] for card in cards if card["ignored"]}
    found = {}
    for card in cards:
        for crop in card["crops"]:
            name = crop["moved"] or card["name"]
            found[crop["keyframe"]] = "" if name in out else name
    return found


@pytest.mark.parametrize("what", sequences.SEQUENCES)
def test_what_the_page_shows_is_what_the_next_run_makes(what):
    decisions = sequences.decisions(sequences.SEQUENCES[what][0])
    names, _ = sequences.seen(decisions)
    made = {keyframe.id: name for keyframe, name in zip(KEYFRAMES, names, strict=True)}
    for applied in range(len(decisions)):
        then = sequences.of_series(decisions[:applied])
        if all(row in sequences.of_series(decisions) for row in then):  # none was taken back since
            page = shown(decisions, applied)
            assert page == {keyframe: made[keyframe] for keyframe in page}
