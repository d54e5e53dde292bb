"""The tokenizer of a language model, with tokens for pictures added.

A picture is begin-of-image (BoI), a token for each of its positions, end-of-image (EoI); a turn of
a story begins with `[INST]`. The texts of these tokens are those of SEED-Story.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from model.config import ConfigError

TURN, BOI, EOI = "[INST]", "<img>", "</img>"


@dataclass(frozen=True)
class Vocabulary:
    """The ids of the special tokens."""

    bos: int
    eos: int
    boi: int
    eoi: int
    image: list[int]  # one per position
    turn: list[int]  # `[INST]`, which may be several tokens
    joined: bool = False  # whether `[INST]` and the text after it are tokenised together

    @property
    def added(self) -> list[int]:
        """The tokens for pictures."""
        return [self.boi, self.eoi, *self.image]


def train(texts: Iterable[str], size: int) -> PreTrainedTokenizerFast:
    """Trains a byte-level BPE tokenizer of at most `size` tokens on the texts."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=size,
            special_tokens=["<s>", "</s>", TURN],
            show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        ),
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")


def with_pictures(
    tokenizer: PreTrainedTokenizerBase, image_tokens: int, joined: bool = False
) -> Vocabulary:
    """Adds the tokens for pictures of `image_tokens` to the tokenizer, and returns their ids.

    Without a token for the begin of a text, as Qwen's and SmolLM3's are, that for its end begins
    it too. Raises ConfigError where it has none for the end.
    """
    eos = tokenizer.eos_token_id
    if eos is None:
        raise ConfigError(
            f"the tokenizer {tokenizer.name_or_path} has no eos_token; set it in its "
            "tokenizer_config.json"
        )
    positions = [f"<img_{number:05d}>" for number in range(image_tokens)]
    tokenizer.add_special_tokens(
        {"additional_special_tokens": [BOI, EOI, *positions]}, replace_extra_special_tokens=False
    )
    boi, eoi, *image = tokenizer.convert_tokens_to_ids([BOI, EOI, *positions])
    return Vocabulary(
        eos if tokenizer.bos_token_id is None else tokenizer.bos_token_id,
        eos,
        boi,
        eoi,
        image,
        tokenizer.encode(TURN, add_special_tokens=False),
        joined,
    )


def encoded(
    tokenizer: PreTrainedTokenizerBase, vocabulary: Vocabulary, texts: Sequence[str], first: int = 0
) -> list[list[int]]:
    """Tokenises consecutive texts of a story, of which the first is number `first`, without the
    `[INST]` that all but text 0 follow.

    Where they are joined, a text has the tokens that it has behind `[INST]`: no space before its
    first word. Where a tokenizer merges that with the bracket, which Llama's does for a quotation
    mark, the text has the tokens that it has alone.
    """
    apart: list[list[int]] = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    if not vocabulary.joined:
        return apart
    turn = vocabulary.turn
    behind = tokenizer([TURN + text for text in texts], add_special_tokens=False)["input_ids"]
    return [
        ids[len(turn) :] if number > 0 and ids[: len(turn)] == turn else alone
        for number, (ids, alone) in enumerate(zip(behind, apart, strict=True), first)
    ]
