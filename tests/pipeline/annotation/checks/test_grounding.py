"""Grounding: who and what a caption shows is still in the text, in whatever words."""

from __future__ import annotations

import pytest

from pipeline.annotation.checks.grounding import grounding, ungrounded

MONKEY = (
    ["a brown monkey"],
    ["George"],
    "climbs a tree",
    "A small brown monkey climbs a tall tree in a sunny park.",
)
MAN = (
    ["a man in a yellow hat"],
    ["The Man with the Yellow Hat"],
    "talks on the phone",
    "A man in a yellow suit and hat talks on the phone in a kitchen.",
)
KITE = (
    ["a boy", "a girl"],
    [],
    "flying a kite",
    "A boy and a girl are flying a red kite on a grassy hill under a blue sky.",
)
RUN = (
    ["a boy in a red shirt"],
    [],
    "runs across a field",
    "A boy in a red shirt runs across a green field.",
)
CASTLE = (
    ["a girl with pigtails"],
    ["Betsy"],
    "is building a sandcastle",
    "A girl with pigtails is building a sandcastle on the beach.",
)
DOG = (
    ["a dachshund"],
    ["Hundley"],
    "sleeps on a rug",
    "A brown dachshund sleeps on a rug in a lobby.",
)
HILLS = ([], [], "", "Green hills lie under a bright blue sky with white clouds.")
BOAT = (
    ["two children", "an old man"],
    [],
    "sit in a rowing boat",
    "Two children and an old man sit in a rowing boat on a calm lake at sunset.",
)
SMILE = (["a monkey"], ["George"], "smiling", "A monkey is smiling at the camera.")
CAKE = (
    ["a woman"],
    [],
    "holds a chocolate cake",
    "A woman with dark hair holds a chocolate cake in a bakery.",
)
FACE = (
    ["a monkey"],
    ["George"],
    "looks surprised",
    "A close-up of a monkey who looks surprised, his eyes wide open.",
)


@pytest.mark.parametrize(
    ("caption", "text", "before"),
    [
        (MONKEY, "George scrambled up the tallest tree he could find.", ""),
        (MONKEY, "Up he climbed, branch after branch.", "George saw something shiny."),
        (MONKEY, "The little monkey had never seen a park from so high up.", ""),
        (
            MAN,
            "The Man with the Yellow Hat picked up the telephone and spoke for a long while.",
            "",
        ),
        (MAN, '"Hello?" the man said into the phone.', ""),
        (KITE, "The children laughed as their kite danced high above them.", ""),
        (
            KITE,
            "They held on tight, for the wind pulled at the kite.",
            "The two friends met outside. They were happy.",
        ),
        (RUN, "The lad dashed through the tall grass.", ""),
        (RUN, "Off he sprinted, faster than the wind.", "The boy heard the bell."),
        (CASTLE, "Betsy knelt in the sand and built the finest castle on the whole beach.", ""),
        (CASTLE, "Down by the shore, she patted the walls of her sandcastle.", "Betsy had a plan."),
        (DOG, "Hundley was fast asleep, and nothing could wake him.", ""),
        (DOG, "Meanwhile, the sleepy dachshund snored on his favorite rug.", ""),
        (HILLS, "Beyond the village the hills rolled on, green and quiet.", ""),
        (HILLS, "Not a cloud moved above them.", "They came to a wide valley."),
        (BOAT, "The old man rowed the children out onto the lake as the sun went down.", ""),
        (SMILE, "George grinned from ear to ear.", ""),
        (CAKE, "The lady carried out a cake that smelled of chocolate.", ""),
        (FACE, "George's eyes grew wide. What was that?", ""),
        (FACE, "He was astonished.", "Suddenly George heard a bang."),
    ],
)
def test_a_paraphrase_is_grounded(caption, text, before):
    assert ungrounded(text, *caption, before) == ""
    assert 0 < grounding(text, *caption, before) <= 1


@pytest.mark.parametrize(
    ("caption", "text", "before", "missing"),
    [
        (MONKEY, "And so the day went on.", "George woke up.", "who and what they do"),
        (MONKEY, "The cat curled up by the fire.", "", "who and what they do"),
        (MONKEY, "George ate a bowl of cereal in the kitchen.", "", "what they do"),
        (MONKEY, "A farmer climbed a tree to pick apples.", "", "who"),
        (MONKEY, "He climbed a tree.", "", "who"),  # nobody has been named that he could be
        (MAN, "It was the most wonderful adventure of all.", "", "who and what they do"),
        (
            KITE,
            "Little did they know what would happen next.",
            "The boy and the girl met.",
            "what they do",
        ),
        (RUN, "The boy in the red shirt was very brave.", "", "what they do"),
        (CASTLE, "Betsy sang a song about the stars.", "", "what they do"),
        (DOG, "Hundley chased the mailman down the street.", "", "what they do"),
        (HILLS, "The train pulled into the station.", "", "what is seen"),
        (HILLS, "And so the day went on.", "", "what is seen"),
        (BOAT, "The queen danced all night in her palace.", "", "who and what they do"),
        (CAKE, "George and his friend washed the car.", "", "who and what they do"),
    ],
)
def test_another_story_is_not(caption, text, before, missing):
    sentence = caption[3]
    assert ungrounded(text, *caption, before) == (
        f"the description's {sentence!r} is not in it: say {missing}"
    )


def test_what_is_said_in_the_film_is_what_goes_on():
    text = '"Good morning, Pip! Did you see my hat?" asked George.'
    assert ungrounded(text, *MONKEY).endswith("say what they do")
    assert ungrounded(text, *MONKEY, dialogue=["Momo: Good morning, Pip!"]) == ""
    assert (
        ungrounded(
            "George wondered where his hat was this morning.",
            *MONKEY,
            dialogue=["Good morning!", "Did you see my hat?"],
        )
        == ""
    )
    assert ungrounded(text, *MONKEY, dialogue=["Off we go!"]).endswith("say what they do")


def test_a_caption_of_nothing_holds_with_any_text():
    assert ungrounded("And so the day went on.", [], [], "", "") == ""
    assert grounding("And so the day went on.", [], [], "", "") == 1.0


def test_the_share_of_a_caption_that_is_kept():
    caption = (["a boy"], [], "runs", "A boy runs across a green field.")
    assert grounding("The boy ran across the green field.", *caption) == 1.0
    assert grounding("The lad dashed over the lawn.", *caption) == pytest.approx(3 / 3.5)
    assert grounding("He ran.", *caption, "The boy woke up.") == pytest.approx(2 / 3.5)
    assert grounding("The green boy.", *caption) == pytest.approx(1.5 / 3.5)
    assert grounding("The queen danced.", *caption) == 0.0
