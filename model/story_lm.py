"""The story model: a causal language model that reads texts and pictures and predicts both.

A given picture is its features, resampled to the model's width, between BoI and EoI. Of a picture
that is predicted, the tokens are learned queries: their last hidden states, resampled to the visual
tokenizer's width, are the predicted features. Source:
SEED-Story, `ContinuousLVLM`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers.cache_utils import Cache
from transformers.pytorch_utils import Conv1D

from model import checkpoints, precision, sequence, smollm, vision
from model.config import ConfigError, LoraConfig, StoryConfig, naming
from model.resampler import Resampler
from model.tokens import Vocabulary


@dataclass
class Output:
    """The result of a forward pass."""

    loss: Tensor  # text + image
    text: Tensor  # mean cross-entropy of the supervised tokens, nats
    image: Tensor  # mean of 1 - cosine of the predicted features
    features: Tensor  # [pictures asked for, tokens, width], in order


class StoryLM(nn.Module):
    """A language model with a resampler of features to its inputs, and one of its outputs to
    features."""

    def __init__(self, llm: PreTrainedModel, config: StoryConfig, width: int, tokens: int) -> None:
        """`width` and `tokens` are those of the visual tokenizer's features."""
        super().__init__()
        hidden, heads = llm.config.get_text_config().hidden_size, config.resampler_heads
        self.llm = llm
        self.input_tokens = config.input_tokens
        self.image_tokens = config.image_tokens
        epsilon = config.resampler_epsilon
        self.reader = Resampler(math.isqrt(config.image_tokens), hidden, heads, width, epsilon)
        self.painter = Resampler(math.isqrt(tokens), width, heads, hidden, epsilon)

    def forward(self, layout: sequence.Layout, features: Tensor) -> Output:
        """Computes loss and predictions of a batch of stories with the `features` of all their
        pictures, [N, tokens, width].

        Means are over all supervised tokens and all pictures asked for in the batch.
        """
        hidden = self.hidden(
            self.embedded(layout.ids, layout.given, features),
            sequence.mask(layout.turn),
            layout.positions,
        )
        counted = layout.targets != sequence.IGNORED
        text = functional.cross_entropy(
            self.scores(hidden[counted]).float(), layout.targets[counted]
        )
        asked = layout.asked >= 0
        predicted = self.painted(hidden[asked].unflatten(0, (-1, self.image_tokens)))
        wanted = features[layout.asked[asked][:: self.image_tokens]]
        image = distance(predicted, wanted).mean()
        return Output(text + image, text, image, predicted)

    def embedded(self, ids: Tensor, given: Tensor, features: Tensor) -> Tensor:
        """Embeds tokens, with the resampled features of given pictures in their places.

        ids and given: int [B, L], features: [N, tokens, width] -> [B, L, hidden]
        """
        vectors = self.words(ids)
        here = given >= 0
        if not here.any():
            return vectors
        read = self.read(features)[given[here][:: self.image_tokens]]
        return vectors.masked_scatter(here[..., None], read.to(vectors.dtype))

    def words(self, ids: Tensor) -> Tensor:
        """Embeds tokens, int [B, L] -> [B, L, hidden], in float32 as all between the layers."""
        vectors: Tensor = self.llm.get_input_embeddings()(ids)
        return vectors.to(self.painter.queries.dtype)

    def read(self, features: Tensor) -> Tensor:
        """Resamples features [N, tokens, width] to inputs [N, image_tokens, hidden]."""
        with precision.of(self):
            return self.reader(vision.pooled(features, self.input_tokens))

    def painted(self, hidden: Tensor) -> Tensor:
        """Resamples hidden states [N, image_tokens, hidden] to features [N, tokens, width]."""
        with precision.of(self):
            return self.painter(hidden)

    def hidden(
        self,
        vectors: Tensor,
        visible: Tensor | None,
        positions: Tensor,
        cache: Cache | None = None,
        places: Tensor | None = None,
    ) -> Tensor:
        """Computes the last hidden states [B, L, hidden] of embeddings, as `decoded` does.

        They are in the dtype of the matrix of the output layer.
        """
        with precision.of(self):
            states = decoded(self.llm, vectors, visible, positions, cache, places)
        return states.to(self.llm.get_output_embeddings().weight.dtype)

    def scores(self, hidden: Tensor) -> Tensor:
        """Computes the scores of all tokens to come next, [..., words], of hidden states."""
        with precision.of(self):
            return scored(self.llm, hidden)


def decoded(
    llm: Any,
    vectors: Tensor,
    visible: Tensor | None,
    positions: Tensor,
    cache: Cache | None = None,
    places: Tensor | None = None,
) -> Tensor:
    """Computes the last hidden states [B, L, hidden] of a language model for embeddings.

    `visible`, bool [B, 1, L, keys], says which keys a query may attend to, `positions`, int [B, L],
    where the embeddings stand and `places`, int [B, keys], where all keys do, where `cache` holds
    more of them; it is appended to.
    """
    if visible is None:
        given = None
    else:
        given = masks(
            llm, visible, positions, positions if places is None else places, vectors.dtype
        )
    states: Tensor = llm.get_decoder()(
        inputs_embeds=vectors,
        attention_mask=given,
        position_ids=positions,
        past_key_values=cache,
        use_cache=cache is not None,
    ).last_hidden_state
    return states


def masks(llm: Any, visible: Tensor, queries: Tensor, keys: Tensor, dtype: torch.dtype) -> Any:
    """Returns `visible`, bool [B, 1, L, keys], as a language model's layers take it, by their kind
    where they differ.

    Layers that attend to the last `sliding_window` positions alone are given a mask that says so:
    transformers leaves masks of four axes as they are. `queries` and `keys` are positions.
    """

    def given(mask: Tensor) -> Tensor:
        if llm.config._attn_implementation != "eager":
            return mask
        # That adds the mask to the scores: of a boolean one, every key would be seen.
        lowest = torch.finfo(dtype).min
        return torch.zeros_like(mask, dtype=dtype).masked_fill(~mask, lowest)

    config = llm.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["sliding_attention"])
    window = getattr(config, "sliding_window", None)
    if not window or "sliding_attention" not in kinds:
        return given(visible)
    near = (queries[:, :, None] - keys[:, None, :] < window)[:, None]
    if kinds == {"sliding_attention"}:
        return given(visible & near)
    return {"full_attention": given(visible), "sliding_attention": given(visible & near)}


def scored(llm: Any, hidden: Tensor) -> Tensor:
    """Computes a language model's scores of all tokens, [..., words], of last hidden states."""
    config, scores = llm.config.get_text_config(), llm.get_output_embeddings()(hidden)
    scores = scores * (getattr(config, "logit_scale", None) or 1.0)  # Cohere's
    scores = scores / getattr(config, "logits_scaling", 1.0)  # Granite's
    cap = getattr(config, "final_logit_softcapping", None)  # Gemma's
    return scores if cap is None else torch.tanh(scores / cap) * cap


@torch.no_grad()
def check_attention(llm: PreTrainedModel) -> None:
    """Checks, on a few random embeddings, that a language model attends to what it is told to.

    Some implementations of transformers add masks that others combine, or ignore masks or
    positions. Raises ConfigError, which names the model, where a state depends on a token that its
    mask hides, such as a later one, or does not depend on a visible one or on positions, and where
    plain text does not have the scores that the language model itself gives it.
    """
    count, own = 6, 2
    table = llm.get_input_embeddings().weight
    if table.is_meta:
        return
    generator = torch.Generator().manual_seed(0)
    width = table.shape[1]
    first, other = (
        (torch.randn(1, count, width, generator=generator) * table.float().std().cpu()).to(table)
        for _ in range(2)
    )
    past = torch.ones(count, count, dtype=torch.bool, device=table.device).tril()
    visible = past.clone()
    visible[own + 1 :, own] = False  # the tokens of a predicted picture are hidden from later ones
    positions = torch.arange(count, device=table.device)[None]

    def states(changed: int | None, positions: Tensor = positions) -> Tensor:
        vectors = first.clone()
        if changed is not None:
            vectors[:, changed] = other[:, changed]
        return decoded(llm, vectors, visible[None, None], positions)[0].float()

    def moved(some: Tensor, others: Tensor) -> list[bool]:
        return [
            not torch.allclose(one, two, rtol=1e-5, atol=1e-5)
            for one, two in zip(some, others, strict=True)
        ]

    training = llm.training
    llm.eval()
    try:
        plain = states(None)
        sees = torch.tensor([moved(plain, states(key)) for key in range(count)]).T  # query by key
        placed = moved(plain, states(None, positions * 7))
        with _window_of(llm, count // 2):
            scores = scored(llm, decoded(llm, first, past[None, None], positions)).float()
            wanted = llm(inputs_embeds=first, use_cache=False).logits.float()
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        fault = f"cannot be given embeddings with their own mask and positions ({error})"
    else:
        if (sees & ~visible.cpu()).any():
            fault = "attends to tokens that its mask hides, so it would see what it has to predict"
        elif not sees[-1][visible[-1].cpu()].all():
            fault = "does not attend to tokens that its mask shows"
        elif not any(placed):
            fault = "ignores the positions that it is given"
        elif not (scores - wanted).abs().mean() <= 0.1 * wanted.std():
            fault = "gives plain text other scores with a mask of its own than without"
        else:
            return
    finally:
        llm.train(training)
    raise ConfigError(
        f"model.story.model: {llm.config.model_type}, with {llm.config._attn_implementation} "
        f"attention, {fault}; take another language model, such as Llama, Qwen or SmolLM"
    )


@contextmanager
def _window_of(llm: Any, count: int) -> Iterator[None]:
    """Narrows the sliding window of a language model, if it has one, in its context."""
    config = llm.config.get_text_config()
    before = getattr(config, "sliding_window", None)
    if before:
        config.sliding_window = count
    try:
        yield
    finally:
        if before:
            config.sliding_window = before


def distance(predicted: Tensor, wanted: Tensor) -> Tensor:
    """Computes 1 - cosine of features, [N, tokens, width] twice -> [N, tokens], float32."""
    return 1 - functional.cosine_similarity(predicted.float(), wanted.float(), dim=-1)


def contrast(
    predicted: Tensor, true: Tensor, own: Tensor, mean: Tensor, temperature: float = 0.07
) -> Tensor:
    """Computes the cross-entropy, a scalar, of finding each picture that is predicted among all of
    a batch.

    predicted: [N, tokens, width], true: [M, tokens, width], own: int [N], which of M each is. The
    likeness of two pictures is the mean cosine of their tokens, of what differs from the `mean`
    [tokens, width] of many: what all pictures share tells none from another, and the cosine alone
    is nearly as good for the mean of what may come as for one of it (InfoNCE, arXiv 1807.03748).
    """

    def differing(features: Tensor) -> Tensor:
        return functional.normalize(functional.normalize(features.float(), dim=-1) - mean, dim=-1)

    alike = differing(predicted).flatten(1) @ differing(true).flatten(1).T / len(mean)
    return functional.cross_entropy(alike / temperature, own)


def build(
    config: StoryConfig,
    vocabulary: Vocabulary,
    words: int,
    width: int,
    tokens: int,
    download: bool = True,
) -> StoryLM:
    """Builds the story model before training; a language model that has a name has its weights.

    `words` is the tokenizer's length with its tokens for pictures, `width` and `tokens` are those
    of the visual tokenizer's features. Without `download`, only `config.architecture` is used.
    Raises ConfigError where the language model cannot be loaded or used.
    """
    if config.model and download:
        with naming("model.story.model", config.model):
            llm = checkpoints.pretrained(
                AutoModelForCausalLM, smollm.found(config.model), trust_remote_code=False
            )
    else:
        assert config.architecture is not None
        llm = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config.architecture))
    check_attention(llm)
    known = words - len(vocabulary.added)
    if words > llm.get_input_embeddings().weight.shape[0]:
        llm.resize_token_embeddings(words, mean_resizing=False)
    if config.model and download and not config.start:
        _draw_rows(llm, vocabulary.added, known)
    if config.lora:
        llm = _with_adapters(llm, config.lora, vocabulary)
    return StoryLM(llm, config, width, tokens)


@torch.no_grad()
def _draw_rows(llm: PreTrainedModel, added: Sequence[int], known: int) -> None:
    """Draws the embeddings of added tokens, in and out, like those of the `known` words before
    them: normal, with their mean and deviation in each dimension.

    Where a checkpoint pads its vocabulary, the rows of added tokens are those of the padding, which
    may be zeros: all tokens of a picture would begin as the same one.
    """
    matrices = {part.weight for part in (llm.get_input_embeddings(), llm.get_output_embeddings())}
    for matrix in matrices:
        rows = matrix[:known].float()
        drawn = torch.randn(len(added), rows.shape[1]).to(rows) * rows.std(0) + rows.mean(0)
        matrix[added] = drawn.to(matrix.dtype)


def _with_adapters(llm: PreTrainedModel, config: LoraConfig, vocabulary: Vocabulary) -> Any:
    """Adds LoRA to the projections; norms and the tokens for pictures are trained in full.

    Raises ConfigError for a target that the language model does not have.
    """
    import peft

    ends = {name.rpartition(".")[2]: type(part).__name__ for name, part in llm.named_modules()}
    unknown = sorted(set(config.targets) - set(ends))
    if unknown:
        raise ConfigError(
            f"model.story.lora.targets: {llm.config.model_type} has no {', '.join(unknown)}; leave "
            "targets out for every linear layer"
        )
    norms = sorted(end for end, kind in ends.items() if kind.endswith("Norm"))
    linear = [
        name
        for name, part in llm.named_modules()
        if isinstance(part, nn.Linear | Conv1D) and part is not llm.get_output_embeddings()
    ]
    embedding = _name_of(llm, llm.get_input_embeddings())
    output = _name_of(llm, llm.get_output_embeddings())
    tied = llm.get_output_embeddings().weight is llm.get_input_embeddings().weight
    rows = {name: vocabulary.added for name in ([embedding] if tied else [embedding, output])}
    return peft.get_peft_model(
        llm,
        peft.LoraConfig(
            task_type="CAUSAL_LM",
            r=config.rank,
            lora_alpha=config.alpha,
            lora_dropout=config.dropout,
            target_modules=config.targets or linear,
            modules_to_save=norms,
            trainable_token_indices=rows,
        ),
    )


def _name_of(model: nn.Module, part: nn.Module) -> str:
    return next(name.rpartition(".")[2] for name, module in model.named_modules() if module is part)
