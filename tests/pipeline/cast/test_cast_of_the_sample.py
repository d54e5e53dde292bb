"""The sample's cast is its seven characters, all called by their names, and nobody else.

One frame of each shot of two episodes is drawn, without making films of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from pipeline.cast import features, figures, stages
from pipeline.sample.figures import CAST
from pipeline.sample.film import filmed
from pipeline.sample.script import write
from schemas.rows import Appearance, CastMember, Figure, Keyframe, Spoken
from tests.pipeline import rows

EPISODES, SEED = (1, 2), 103
JOB = SimpleNamespace(
    config=SimpleNamespace(characters="", cast=SimpleNamespace(figures="embedded")),
    out="",
    decisions="",
)


class Episode:
    """What the cast is found from: the rows of an episode's earlier stages, and the truth."""

    def __init__(self, number: int) -> None:
        self.film = SimpleNamespace(video=SimpleNamespace(id=f"S01E{number:02}"))
        self.video = SimpleNamespace(series="Pip and Momo")
        self.found: dict[type, list] = {Keyframe: [], Spoken: [], Figure: []}
        self.there: dict[str, set[str]] = {}  # who is in each picture
        measured, begins = [], 0.0
        shots = [shot for shot in write(SEED, number, None).shots if shot.actors]
        for at, shot in enumerate(shots):
            keyframe = rows.keyframe(
                self.film.video.id,
                begins + shot.seconds / 2,
                shot=at,
                shot_start=begins,
                shot_end=begins + shot.seconds,
                width=640,
                height=360,
            )
            self.found[Keyframe].append(keyframe)
            self.found[Spoken] += [
                Spoken(
                    keyframe.video,
                    begins + line.start,
                    begins + line.end,
                    f"{line.speaker}: {line.text}",
                )
                for line in shot.lines
            ]
            self.there[keyframe.id] = {actor.name for actor in shot.actors}
            measured.append(features.measure(filmed(shot)(shot.seconds / 2)))
            begins += shot.seconds
        for keyframe, of_picture in zip(self.found[Keyframe], figures.find(measured), strict=True):
            self.found[Figure] += [
                Figure(
                    keyframe.id,
                    keyframe.video,
                    list(figure.box),
                    figure.share,
                    figure.score,
                    figure.look,
                )
                for figure in of_picture
            ]

    def rows(self, stage: str, kind: type) -> list:
        return self.found[kind]


@pytest.fixture(scope="module")
def episodes() -> list[Episode]:
    return [Episode(number) for number in EPISODES]


@pytest.fixture(scope="module")
def cast(episodes) -> list:
    return [row for of_film in stages.find_cast(episodes, JOB) for row in of_film]


def test_it_is_the_seven_who_are_drawn(cast):
    members = {row.name: row.named for row in cast if isinstance(row, CastMember)}
    assert members == dict.fromkeys(CAST, True)


def seen(episodes: list[Episode], cast: list) -> Iterator[tuple[set[str], set[str]]]:
    """Who is said to be in each picture, and who is."""
    for episode in episodes:
        for keyframe, there in episode.there.items():
            yield (
                {
                    row.character
                    for row in cast
                    if isinstance(row, Appearance) and row.keyframe == keyframe
                },
                there,
            )


def test_they_are_found_in_most_of_their_pictures_and_seldom_where_they_are_not(episodes, cast):
    pictures = list(seen(episodes, cast))
    right = sum(len(said & there) for said, there in pictures)
    assert right / sum(len(said) for said, _ in pictures) > 0.95
    assert right / sum(len(there) for _, there in pictures) > 0.93
