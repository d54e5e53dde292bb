"""Generates stories: from a picture and a sentence, the next sentence, its picture, and so on.

    load        loads the models of a trained run
    beginning   reads the picture and the sentences that stories begin with
    tell        generates a batch of stories, panel by panel, as a stream

A panel takes two steps. The text is sampled token by token until BoI. Then all tokens of the
picture are read in one pass, since there is no choice among them, and their last hidden states
become the features. These tokens are removed from the cache, and the features are read in their
place, as a given picture, as in training. All else stays in the cache, as far as its policy keeps
it; nothing is computed twice.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

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

from model import checkpoints, config, data, precision, runs, tokens, vision
from model.config import AttentionConfig
from model.detokenizer import Detokenizer
from model.reading import Reading, roles_of
from model.runs import NotTrained, Run
from model.story_lm import StoryLM
from model.tokens import Vocabulary

Paint = Callable[[Tensor], Tensor]  # features [B, tokens, width] to pictures uint8 [B, H, W, 3]


class StartError(ValueError):
    """What a story begins with is missing or cannot be read; the message says what to do."""


@dataclass(frozen=True)
class Sampling:
    """How tokens are sampled."""

    temperature: float = 0.7  # 0 for greedy decoding
    top_p: float = 0.9  # the most probable tokens that make up this share; 1 for all
    longest_text: int = 120  # tokens


@dataclass(frozen=True)
class Panel:
    """A sentence of a story and its picture."""

    story: int  # index in the batch
    number: int  # in the story; 0 is given
    text: str
    ids: list[int]  # the text's tokens
    features: Tensor  # float32 [tokens, width]
    picture: np.ndarray  # uint8 RGB [H, W, 3], a square; of panel 0 the given one


# Which token may come next -----------------------------------------------------------------------


class PictureTokens(LogitsProcessor):
    """Masks the tokens that cannot come next in a story, in `tell` or in plain `llm.generate`.

    After BoI come the picture's tokens in their order and EoI; after EoI `[INST]` or EoS; then a
    text of 1 to `longest_text` tokens, none of them special; BoI ends it. A prompt of embeddings,
    which has no ids, ends where a text begins.
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
        """Returns the scores [B, words], -inf for what cannot follow the ids so far [B, n]."""
        reach = 1 + len(self.vocabulary.turn) + self.longest_text
        allowed = torch.zeros_like(scores, dtype=torch.bool)
        for row, ids in zip(allowed, input_ids[:, -reach:].tolist(), strict=True):
            row[self._after(ids).to(scores.device)] = True
        return scores.masked_fill(~allowed, -torch.inf)

    def _after(self, ids: list[int]) -> Tensor:
        """Returns the ids that can follow these, the last ones of a story."""
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


# Generating --------------------------------------------------------------------------------------


@torch.no_grad()
def tell(
    model: StoryLM,
    tokenizer: PreTrainedTokenizerBase,
    vocabulary: Vocabulary,
    starts: Sequence[Panel],
    paint: Paint,
    count: int,
    *,
    sampling: Sampling,
    seeds: Sequence[int],
    texts: Sequence[Sequence[str]] = (),
    policy: str = "dense",
    attention: AttentionConfig | None = None,
) -> Iterator[list[Panel]]:
    """Yields panels 1 to `count` of all stories, each as soon as its picture is generated.

    `seeds` are one per story, and so are `texts`: the sentences of its panels 1, 2, ...; where one
    is missing or empty, the model generates it. `policy` is one of `model.attention`. Raises
    ConfigError where it cannot be used with the language model.
    """
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    reading = Reading(model, roles_of(tokenizer, vocabulary), len(starts), policy, attention)
    reading.read([[vocabulary.bos, *start.ids, vocabulary.boi] for start in starts])
    features = torch.stack([start.features for start in starts])
    begin = [vocabulary.eoi, *vocabulary.turn]
    for number in range(1, count + 1):
        reading.evict()
        ids = [
            tokens.encoded(tokenizer, vocabulary, [given[number - 1]], number)[0]
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
            generators,
        )
        hidden = reading.read([[vocabulary.boi, *vocabulary.image]] * len(starts))[:, 1:]
        reading.forget(len(vocabulary.image))
        features = model.painted(hidden).float()
        pictures = paint(features).cpu().numpy()
        yield [
            Panel(story, number, tokenizer.decode(tokens).strip(), tokens, predicted, picture)
            for story, (tokens, predicted, picture) in enumerate(
                zip(ids, features, pictures, strict=True)
            )
        ]


def _write(
    ids: Sequence[list[int]],
    reading: Reading,
    last: Tensor,
    grammar: PictureTokens,
    sampling: Sampling,
    generators: Sequence[torch.Generator],
) -> None:
    """Fills the texts that are empty with sampled tokens; `last` are the hidden states before them,
    [B, hidden].

    `reading` has read the tokens then, but not the BoI that ends each text.
    """
    choices = LogitsProcessorList([grammar])
    if sampling.temperature > 0:
        choices += [TemperatureLogitsWarper(sampling.temperature), TopPLogitsWarper(sampling.top_p)]
    end = grammar.vocabulary.boi
    so_far = torch.empty(len(ids), 0, dtype=torch.long)
    going = [not text for text in ids]
    while any(going):
        scores = choices(so_far, reading.model.scores(last).float().cpu())
        chosen = [
            _chosen(row, sampling, generator) if goes else end
            for row, generator, goes in zip(scores, generators, going, strict=True)
        ]
        going = [token != end for token in chosen]
        words = [[token] if goes else [] for token, goes in zip(chosen, going, strict=True)]
        for text, word in zip(ids, words, strict=True):
            text += word
        so_far = torch.cat([so_far, torch.tensor(chosen)[:, None]], dim=1)
        if any(going):
            last = reading.read(words)[:, -1]


def _chosen(scores: Tensor, sampling: Sampling, generator: torch.Generator) -> int:
    if sampling.temperature == 0:
        return int(scores.argmax())
    return int(torch.multinomial(scores.softmax(0), 1, generator=generator))


# A trained run, and what a story begins with -----------------------------------------------------


@dataclass(frozen=True)
class Teller:
    """The models of a run that generation needs."""

    run: Run
    model: StoryLM
    tokenizer: PreTrainedTokenizerBase
    vocabulary: Vocabulary
    tower: nn.Module
    painter: Detokenizer
    blank: Tensor  # features [tokens, width]
    painter_stage: str  # the stage whose result the painter is, or what was imported
    painter_setting: str  # the `train.precision` of that stage


def load(folder: Path, settings: Sequence[str] = ()) -> Teller:
    """Loads a trained run, on the GPU where there is one; `settings` as those of `config.read`.

    The painter is the de-tokenizer that was adapted to predicted features, or, where that stage has
    not been trained, the one before, or the one that was imported. Raises NotTrained,
    config.ConfigError.
    """
    if not (folder / "preset" / "model.yaml").is_file():
        raise NotTrained(
            f"{folder} is not the folder of a run; `python -m model train tiny --run "
            f"{folder}` makes one"
        )
    run = Run(folder, config.read(str(folder / "preset"), settings))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tower, model = runs.tower(run).to(device), runs.story(run).to(device)
    kind = "adaptation" if run.has("adaptation") else "detokenizer"
    return Teller(
        run,
        model,
        *runs.tokenizer(run),
        tower,
        runs.detokenizer(run, kind).to(device),
        runs.blank(run, tower),
        run.stage(kind)[0] if run.has(kind) else run.preset.model.detokenizer.start,
        run.stage(kind)[1].train.precision,
    )


def painting(teller: Teller, seeds: Sequence[int]) -> Paint:
    """Returns what generates the pictures of a batch of stories, in the precision of this device.

    Each story has its own noise, so its pictures depend on the other stories by rounding alone.
    """
    device = teller.painter.device
    generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]

    def paint(features: Tensor) -> Tensor:
        with precision.autocast(teller.painter_setting, device):
            return teller.painter.generate(features.to(device), teller.blank.to(device), generators)

    return paint


def about(teller: Teller) -> dict[str, str | int | float]:
    """Returns what a story is generated with: the stages, each with its key, and settings."""
    parts = teller.run.preset.model
    story, painter = (
        f"{name} {checkpoints.about(teller.run.folder / name)['key']}"
        for name in (
            teller.run.stage("story")[0] if teller.run.has("story") else parts.story.start,
            teller.painter_stage,
        )
    )
    return {
        "run": str(teller.run.folder),
        "story_model": story,
        "painter": painter,
        "guidance": teller.painter.config.guidance,
        "steps": teller.painter.config.steps,
        "precision": precision.in_use(teller.painter_setting, teller.painter.device),
    }


@torch.no_grad()
def start(teller: Teller, story: int, picture: np.ndarray, text: str) -> Panel:
    """Returns panel 0 of a story, of a given picture, uint8 RGB [H, W, 3], and text.

    Where pictures are painted in their own aspect, its middle is shown, a square as theirs.
    """
    settings = teller.run.preset.model.vision
    square = data.to_square(picture, settings.image_size)
    features = vision.features(teller.tower, square[None], settings.tokens)[0].float()
    [ids] = tokens.encoded(teller.tokenizer, teller.vocabulary, [text])
    own = teller.run.preset.model.detokenizer.aspect == "own"
    return Panel(story, 0, text, ids, features, data.middle(picture) if own else picture)


def beginning(
    image: str | None, texts: Sequence[str], dataset: str
) -> tuple[np.ndarray, list[str], str]:
    """Returns the first picture, uint8 RGB [H, W, 3], the first sentence of each story, and a line
    that says where they are from.

    What is not given is that of the first held-out chunk of the dataset. Raises StartError.
    """
    if not all(text.strip() for text in texts):
        raise StartError("--text is empty: it is the sentence that the story begins with")
    if image:
        if not texts:
            raise StartError(
                f"--image {image} needs a --text: the sentence that a story begins with"
            )
        origin = f"the story begins with {image}"
        return _opened(image, f"--image {image}"), [text.strip() for text in texts], origin
    try:
        raw = next(iter(data.once(data.shards(dataset, "val"), dict)))
    except data.DataError as error:
        raise StartError(f"{error}; or begin a story with --image and --text") from error
    key = raw["__key__"]
    picture = _opened(io.BytesIO(raw["00.jpg"]), f"the first picture of {key}")
    origin = f"no --image: the story begins like {key} of {dataset}'s validation"
    return picture, [text.strip() for text in texts] or data.texts(raw)[:1], origin


def read_texts(path: str) -> list[str]:
    """Reads the lines of a text file. Raises StartError."""
    try:
        return [line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(
            f"--texts {path} cannot be read: {error}; it is a UTF-8 text file with a "
            "sentence a line"
        ) from error


def _opened(file: str | io.BytesIO, name: str) -> np.ndarray:
    try:
        with Image.open(file) as image:
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise StartError(f"{name} cannot be read: {error}; JPEG, PNG and WebP can") from error
