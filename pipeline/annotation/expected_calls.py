"""Calls and tokens that the stages asking models will take, by their prompts as they are.

Answers are taken to be as long as they are asked for, every answer to be right the first time, and
a token to be four characters. Pictures are counted by the model's rule (`picture_tokens`). What a
model was seen to take is better (`pipeline.cost.estimate`).
"""

from __future__ import annotations

from typing import NamedTuple

from pipeline import model_specs
from pipeline.annotation import prompts
from pipeline.cast import montage
from pipeline.config import DatasetConfig
from pipeline.inference import picture_tokens
from schemas.rows import STORY_LENGTH, Video

CHARACTERS_PER_TOKEN = 4.0
_CAPTION, _DIALOGUE = 30, 8  # tokens of a caption's sentence, of what is said over a keyframe
_CAPTION_ANSWER = 95  # tokens of a caption with its fields
_BOXES = 60  # tokens of an answer with the boxes of a picture
_CHARACTER, _CHARACTERS = 45, 6  # tokens of an entry, and entries of a series
_TOLD = 110  # tokens of what is said of a picture of them
_KEYFRAMES_SHOWN = 60  # of a series, to the model that drafts its characters
_WORD, _JSON = 1.35, 8  # tokens per word, and of the JSON around a text


class ExpectedCalls(NamedTuple):
    """Calls of one kind."""

    prompt: str
    calls: int
    input_tokens: float  # of each
    output_tokens: float


def of_figures(config: DatasetConfig, video: Video, keyframes: int) -> list[ExpectedCalls]:
    """Returns the calls for the boxes of figures in a film of so many keyframes."""
    tokens = _prompt("figures", config) + _picture(config, video)
    return [ExpectedCalls("figures", keyframes, tokens, _BOXES)]


def of_captions(config: DatasetConfig, video: Video, keyframes: int) -> list[ExpectedCalls]:
    """Returns the calls for the captions of a film of so many keyframes."""
    images = 1 + 2 * config.captions.neighbours
    tokens = _prompt("caption", config) + _DIALOGUE + images * _picture(config, video)
    if config.captions.references:
        tokens += _TOLD + _scaled(config, *montage.size(_CHARACTERS))
    return [ExpectedCalls("caption", keyframes, tokens, _CAPTION_ANSWER)]


def of_characters(config: DatasetConfig, video: Video, keyframes: int) -> list[ExpectedCalls]:
    """Returns the calls for the characters of a series with a film of so many keyframes."""
    shown = min(keyframes, _KEYFRAMES_SHOWN) * (_CAPTION + _DIALOGUE)
    tokens = _prompt("characters", config) + shown
    return [ExpectedCalls("characters", 1, tokens, _CHARACTERS * _CHARACTER)]


def of_stories(config: DatasetConfig, video: Video, keyframes: int) -> list[ExpectedCalls]:
    """Returns the calls for the stories of a film of so many keyframes."""
    settings = config.stories
    text = settings.words * _WORD
    calls = []
    for start in range(0, keyframes, STORY_LENGTH):
        length = min(STORY_LENGTH, keyframes - start)
        if length < settings.shortest:
            break
        for first in range(0, length, settings.window):
            asked = min(settings.window, length - first)
            tokens = (
                _prompt("narrate", config) + first * (text + 5) + asked * (_CAPTION + _DIALOGUE + 8)
            )
            calls.append(ExpectedCalls("narrate", 1, tokens, asked * (text + _JSON)))
        tokens = _prompt("link", config) + length * (_CAPTION + text + 6)
        calls.append(ExpectedCalls("link", 1, tokens, length * (text + _JSON)))
    return calls


def _picture(config: DatasetConfig, video: Video) -> float:
    """Tokens of a picture of a film."""
    return _scaled(config, video.width, video.height)


def _scaled(config: DatasetConfig, width: int, height: int) -> float:
    """Tokens of a picture of that size, as the captioner is sent it."""
    scale = min(1.0, config.calls.longest_side / max(width, height, 1))
    return picture_tokens.count(
        model_specs.parse(config.captioner).model,
        round(width * scale),
        round(height * scale),
        config.calls.detail,
    )


def _prompt(name: str, config: DatasetConfig) -> float:
    """Tokens of a prompt without what is filled in, which its blanks are about as long as."""
    return prompts.length(name, config.prompts) / CHARACTERS_PER_TOKEN
