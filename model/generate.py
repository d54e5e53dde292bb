"""Tells stories: from a picture and a sentence, the next sentence, its picture, and so on.

    load        a trained run: what tells, what looks at pictures, what paints them
    beginning   the picture and the sentences that stories begin with
    tell        a batch of stories, moment by moment, as a stream

A moment takes two steps. The text is sampled word by word until BoI. Then all tokens of the picture
are read in one pass, since there is no choice among them, and their last hidden states become the
features. These tokens are forgotten again, and the features are read in their place, as a picture
that is given, as in training. All else stays in the cache, as far as its policy keeps it; nothing
is computed twice.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    PreTrainedTokenizerBase,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

from model import checkpoints, config, data, precision, runs, vision
from model.config import AttentionConfig
from model.detokenizer import Detokenizer
from model.reading import Reading, roles_of
from model.runs import NotTrained, Run
from model.story_lm import StoryLM
from model.tokens import Vocabulary

Paint = Callable[[Tensor], Tensor]  # features [B, tokens, width] to pictures uint8 [B, H, W, 3]


class NoStart(ValueError):
    """A story cannot begin: what is missing or cannot be read, and what would do."""


@dataclass(frozen=True)
class Sampling:
    """How words are chosen."""

    temperature: float = 0.7  # 0 takes the likeliest
    top_p: float = 0.9  # the likeliest words that make up this share; 1 for all
    longest_text: int = 120  # tokens


@dataclass(frozen=True)
class Moment:
    """A sentence and its picture."""

    story: int  # of the batch, from 0
    number: int  # 0 is what the story begins with
    text: str
    ids: list[int]  # the text's tokens
    features: Tensor  # float32 [tokens, width]
    picture: np.ndarray  # uint8 RGB [H, W, 3], a square; of moment 0 as it was given


# Which token may come next -----------------------------------------------------------------------


class PictureTokens(LogitsProcessor):
    """Leaves the tokens that a story can go on with, for `tell` and for plain `llm.generate`.

    After BoI come the picture's tokens in their order and EoI; after EoI `[INST]` or EoS; then a
    text of 1 to `longest_text` tokens, in which words alone can stand; BoI ends it. A prompt that
    is given as vectors, so that there are no ids yet, ends where a text begins.
    """

    def __init__(self, vocabulary: Vocabulary, words: int, longest_text: int) -> None:
        """`words` is the tokenizer's length; ids beyond are padding of the embedding matrix."""
        special = {*vocabulary.added, vocabulary.bos, vocabulary.eos}
        if len(vocabulary.turn) == 1:
            special.update(vocabulary.turn)
        self.words = torch.tensor([token for token in range(words) if token not in special])
        self.words_or_end = torch.cat([self.words, torch.tensor([vocabulary.boi])])
        block = [vocabulary.boi, *vocabulary.image, vocabulary.eoi]
        self.inside = dict(itertools.pairwise(block))
        self.vocabulary, self.longest_text = vocabulary, longest_text

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Ids so far [B, n], scores [B, words]: with -inf for what cannot come next."""
        reach = 1 + len(self.vocabulary.turn) + self.longest_text
        allowed = torch.zeros_like(scores, dtype=torch.bool)
        for row, ids in zip(allowed, input_ids[:, -reach:].tolist(), strict=True):
            row[self._after(ids).to(scores.device)] = True
        return scores.masked_fill(~allowed, -torch.inf)

    def _after(self, ids: list[int]) -> Tensor:
        """The ids that can follow these, the last ones of a story."""
        if ids and ids[-1] in self.inside:
            return torch.tensor([self.inside[ids[-1]]])
        turn, begins = self.vocabulary.turn, 0
        for at, token in enumerate(ids):
            if token == self.vocabulary.bos:
                begins = at + 1
            elif token == self.vocabulary.eoi:
                begins = at + 1 + len(turn)
        if begins > len(ids):
            done = len(ids) + len(turn) - begins
            return torch.tensor([turn[done]] if done else [turn[0], self.vocabulary.eos])
        if begins == len(ids):
            return self.words
        if len(ids) - begins >= self.longest_text:
            return torch.tensor([self.vocabulary.boi])
        return self.words_or_end


# Telling -----------------------------------------------------------------------------------------


@torch.no_grad()
def tell(
    model: StoryLM,
    tokenizer: PreTrainedTokenizerBase,
    vocabulary: Vocabulary,
    starts: Sequence[Moment],
    paint: Paint,
    count: int,
    *,
    sampling: Sampling,
    seeds: Sequence[int],
    texts: Sequence[Sequence[str]] = (),
    policy: str = "dense",
    attention: AttentionConfig | None = None,
) -> Iterator[list[Moment]]:
    """Moments 1 to `count` of all stories, each as soon as it is painted.

    `seeds` are one a story, and so are `texts`: the sentences of its moments 1, 2, ...; where there
    is none, or an empty one, the model writes it. `policy` is one of `model.attention`. Raises
    ConfigError where it cannot be used with the language model.
    """
    dice = [torch.Generator().manual_seed(seed) for seed in seeds]
    reading = Reading(model, roles_of(tokenizer, vocabulary), len(starts), policy, attention)
    reading.read([[vocabulary.bos, *start.ids, vocabulary.boi] for start in starts])
    features = torch.stack([start.features for start in starts])
    begin = [vocabulary.eoi, *vocabulary.turn]
    for number in range(1, count + 1):
        reading.evict()
        ids = [
            tokenizer.encode(given[number - 1], add_special_tokens=False)
            if number <= len(given)
            else []
            for given in texts or [()] * len(starts)
        ]
        last = reading.read([[*begin, *given] for given in ids], features)[:, -1]
        _write(
            ids,
            reading,
            last,
            PictureTokens(vocabulary, len(tokenizer), sampling.longest_text),
            sampling,
            dice,
        )
        hidden = reading.read([[vocabulary.boi, *vocabulary.image]] * len(starts))[:, 1:]
        reading.forget(len(vocabulary.image))
        features = model.painted(hidden).float()
        yield [
            Moment(story, number, tokenizer.decode(one).strip(), one, seen, picture)
            for story, (one, seen, picture) in enumerate(
                zip(ids, features, paint(features).cpu().numpy(), strict=True)
            )
        ]


def _write(
    ids: Sequence[list[int]],
    reading: Reading,
    last: Tensor,
    grammar: PictureTokens,
    sampling: Sampling,
    dice: Sequence[torch.Generator],
) -> None:
    """Puts words into the texts that are empty; `last` are the hidden states before, [B, hidden].

    The words have been read then, the BoI that ends each text has not.
    """
    choices = LogitsProcessorList([grammar])
    if sampling.temperature > 0:
        choices += [TemperatureLogitsWarper(sampling.temperature), TopPLogitsWarper(sampling.top_p)]
    end = grammar.vocabulary.boi
    so_far = torch.empty(len(ids), 0, dtype=torch.long)
    going = [not text for text in ids]
    while any(going):
        scores = choices(so_far, reading.model.llm.get_output_embeddings()(last).float().cpu())
        chosen = [
            _chosen(row, sampling, die) if goes else end
            for row, die, goes in zip(scores, dice, going, strict=True)
        ]
        going = [token != end for token in chosen]
        words = [[token] if goes else [] for token, goes in zip(chosen, going, strict=True)]
        for text, word in zip(ids, words, strict=True):
            text += word
        so_far = torch.cat([so_far, torch.tensor(chosen)[:, None]], dim=1)
        if any(going):
            last = reading.read(words)[:, -1]


def _chosen(scores: Tensor, sampling: Sampling, dice: torch.Generator) -> int:
    if sampling.temperature == 0:
        return int(scores.argmax())
    return int(torch.multinomial(scores.softmax(0), 1, generator=dice))


# A trained run, and what a story begins with -----------------------------------------------------


@dataclass(frozen=True)
class Teller:
    """All of a run that telling needs."""

    run: Run
    model: StoryLM
    tokenizer: PreTrainedTokenizerBase
    vocabulary: Vocabulary
    tower: nn.Module
    painter: Detokenizer
    blank: Tensor  # features [tokens, width]
    painter_stage: str  # which stage has made the painter
    painter_setting: str  # the `train.precision` of that stage


def load(folder: Path, settings: Sequence[str] = ()) -> Teller:
    """A trained run, on the GPU where there is one; `settings` as those of `config.read`.

    Paints with the de-tokenizer that was adapted to predicted features, or, where that stage has
    not been trained, with the one before. Raises NotTrained, config.ConfigError.
    """
    if not (folder / "preset" / "model.yaml").is_file():
        raise NotTrained(
            f"{folder} is not the folder of a run; `python -m model train tiny --run "
            f"{folder}` makes one"
        )
    run = Run(folder, config.read(str(folder / "preset"), settings))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tower, model = runs.tower(run).to(device), runs.story(run).to(device)
    setting = run.stage("story")[1].train.precision
    if device.type == "cuda" and precision.in_use(setting, device) == "bf16":
        for one in model.parameters():  # not the buffers: rotary frequencies need their digits
            one.data = one.data.bfloat16()
    kind = "adaptation"
    try:
        run.result(kind)
    except NotTrained:
        kind = "detokenizer"
    return Teller(
        run,
        model,
        *runs.tokenizer(run),
        tower,
        runs.detokenizer(run, kind).to(device),
        runs.blank(run, tower),
        run.stage(kind)[0],
        run.stage(kind)[1].train.precision,
    )


def painting(teller: Teller, seeds: Sequence[int]) -> Paint:
    """Paints all stories of a batch together, in the precision of this device.

    The noise is each story's own, so a story's pictures depend on the others by rounding alone.
    """
    device = teller.painter.device
    dice = [torch.Generator(device).manual_seed(seed) for seed in seeds]

    def paint(features: Tensor) -> Tensor:
        with precision.autocast(teller.painter_setting, device):
            return teller.painter.generate(features.to(device), teller.blank.to(device), dice)

    return paint


def about(teller: Teller) -> dict[str, str | int | float]:
    """What a story is told with: the stages, each with the digest of all that it depends on."""
    folder, stages = teller.run.folder, [teller.run.stage("story")[0], teller.painter_stage]
    story, painter = (f"{name} {checkpoints.about(folder / name)['key']}" for name in stages)
    return {
        "run": str(folder),
        "story_model": story,
        "painter": painter,
        "guidance": teller.painter.config.guidance,
        "steps": teller.painter.config.steps,
        "precision": precision.in_use(teller.painter_setting, teller.painter.device),
    }


@torch.no_grad()
def start(teller: Teller, story: int, picture: np.ndarray, text: str) -> Moment:
    """Moment 0 of a story; the picture is uint8 RGB [H, W, 3]."""
    settings = teller.run.preset.model.vision
    square = cv2.resize(picture, (settings.image_size,) * 2, interpolation=cv2.INTER_AREA)
    features = vision.features(teller.tower, square[None], settings.tokens)[0].float()
    ids = teller.tokenizer.encode(text, add_special_tokens=False)
    return Moment(story, 0, text, ids, features, picture)


def beginning(
    image: str | None, texts: Sequence[str], dataset: str
) -> tuple[np.ndarray, list[str], str]:
    """The first picture, uint8 RGB [H, W, 3], and first sentence of each story, and where from.

    What is not given is taken from the first moment of the dataset's validation. Raises NoStart.
    """
    if not all(text.strip() for text in texts):
        raise NoStart("--text is empty: it is the sentence that the story begins with")
    if image:
        if not texts:
            raise NoStart(f"--image {image} needs a --text: the sentence that a story begins with")
        said = f"the story begins with {image}"
        return _opened(image, f"--image {image}"), [text.strip() for text in texts], said
    try:
        raw = next(iter(data.once(data.shards(dataset, "val"), dict)))
    except data.DataError as error:
        raise NoStart(f"{error}; or begin a story with --image and --text") from error
    key = raw["__key__"]
    picture = _opened(io.BytesIO(raw["00.jpg"]), f"the first picture of {key}")
    said = f"no --image: the story begins like {key} of {dataset}'s validation"
    return picture, [text.strip() for text in texts] or data.texts(raw)[:1], said


def read_texts(path: str) -> list[str]:
    """The lines of a text file. Raises NoStart."""
    try:
        return [line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise NoStart(
            f"--texts {path} cannot be read: {error}; it is a UTF-8 text file with a "
            "sentence a line"
        ) from error


def _opened(file: str | io.BytesIO, name: str) -> np.ndarray:
    try:
        with Image.open(file) as image:
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise NoStart(f"{name} cannot be read: {error}; JPEG, PNG and WebP can") from error
