import math

import pytest
import torch
from torch.nn import functional

from model import precision, sequence, story_lm
from model.config import ConfigError, LoraConfig
from model.reading import Reading, roles_of
from tests.model.tiny import STORY, TOKENS, WIDTH, story

COUNT = 4  # pictures of the story


@pytest.fixture
def features():
    return torch.randn(COUNT, TOKENS, WIDTH, generator=torch.Generator().manual_seed(1))


def told(vocabulary, texts, turns):
    return sequence.together([sequence.lay_out(texts, vocabulary, turns)], [COUNT])


def test_the_losses_are_cross_entropy_and_cosine_of_a_pass_that_is_made_by_hand(features):
    _, vocabulary, model, texts = story()
    out = model(told(vocabulary, texts, [1]), features)

    def vectors(tokens):
        return model.llm.get_input_embeddings()(torch.tensor(tokens))

    squares = features[0].reshape(2, 2, 2, 2, WIDTH).mean((1, 3)).reshape(1, 4, WIDTH)
    read = model.reader(squares)[0]  # 16 features are read as the means of 4
    row = torch.cat(
        [
            vectors([vocabulary.bos, *texts[0], vocabulary.boi]),
            read,
            vectors([vocabulary.eoi]),
            vectors(vocabulary.turn),
            vectors(texts[1]),
            vectors([vocabulary.boi, *vocabulary.image, vocabulary.eoi]),
        ]
    )
    plain = model.llm(inputs_embeds=row[None], output_hidden_states=True)
    words = [*vocabulary.turn, *texts[1], vocabulary.boi]
    before = 2 + len(texts[0]) + len(read)  # where the end of the first picture is
    logits = torch.cat([plain.logits[0, before : before + len(words)], plain.logits[0, -1:]])
    text = torch.nn.functional.cross_entropy(logits, torch.tensor([*words, vocabulary.eos]))
    hidden = plain.hidden_states[-1][0, -5:-1]
    predicted = model.painter(hidden[None])[0]
    cosine = (predicted * features[1]).sum(-1) / predicted.norm(dim=-1) / features[1].norm(dim=-1)
    assert out.text.item() == pytest.approx(text.item(), rel=1e-5)
    assert out.image.item() == pytest.approx(1 - cosine.mean().item(), rel=1e-5)
    assert out.loss.item() == pytest.approx((out.text + out.image).item())
    assert torch.allclose(out.features[0], predicted, atol=1e-5)


def test_every_turn_in_one_pass_has_the_gradients_of_a_pass_for_each(features):
    _, vocabulary, model, texts = story()
    model.double()
    features = features.double()

    def backward(turns):
        layout = told(vocabulary, texts, turns)
        out = model(layout, features)
        words = (layout.targets != sequence.IGNORED).sum()
        (out.text * words + out.image * len(turns)).backward()  # sums, so that they add up
        return out

    together = backward([1, 2, 3])
    gradients = {name: one.grad.clone() for name, one in model.named_parameters()}
    model.zero_grad()
    alone = [backward([turn]) for turn in (1, 2, 3)]

    assert torch.allclose(together.features, torch.cat([one.features for one in alone]))
    for name, one in model.named_parameters():
        assert torch.allclose(gradients[name], one.grad, atol=1e-6), name


def test_pictures_of_a_batch_do_not_get_mixed_up(features):
    _, vocabulary, model, texts = story()
    other = torch.randn(2, TOKENS, WIDTH)
    alone = model(told(vocabulary, texts, [1, 2, 3]), features)

    batch = sequence.together(
        [
            sequence.lay_out(texts[:2], vocabulary, [1]),
            sequence.lay_out(texts, vocabulary, [1, 2, 3]),
        ],
        [2, COUNT],
    )
    out = model(batch, torch.cat([other, features]))

    assert torch.allclose(out.features[1:], alone.features, atol=1e-5)


def test_lora_trains_adapters_norms_and_the_tokens_of_pictures_alone(features):
    tokenizer, vocabulary, model, texts = story(STORY.model_copy(update={"lora": LoraConfig()}))

    model(told(vocabulary, texts, [1, 2, 3]), features).loss.backward()

    trained = {name for name, one in model.named_parameters() if one.grad is not None}
    assert trained == {name for name, one in model.named_parameters() if one.requires_grad}
    inside = {name for name in trained if name.startswith("llm")}
    assert all("lora_" in name or "norm" in name or "trainable_tokens" in name for name in inside)
    projections = {name.split(".lora_")[0] for name in inside if "lora_" in name}
    assert len(projections) == 2 * 7  # layers, projections
    rows = [one for name, one in model.named_parameters() if "trainable_tokens" in name]
    assert [len(one) for one in rows] == [len(vocabulary.added)] * 2  # input and output
    assert len(vocabulary.added) == 2 + STORY.image_tokens < len(tokenizer)


SMALL = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, vocab_size=8)
LLAMA = SMALL | dict(intermediate_size=64, num_key_value_heads=2, pad_token_id=0)
GPT = dict(n_embd=32, n_layer=2, n_head=4, vocab_size=8)
ARCHITECTURES = {
    "llama": LLAMA,
    "mistral": LLAMA,
    "mixtral": LLAMA | dict(num_local_experts=2),
    "qwen2": LLAMA,
    "qwen3": LLAMA | dict(head_dim=8),
    "gemma": LLAMA | dict(head_dim=8),
    "gemma2": LLAMA | dict(head_dim=8),
    "gemma3_text": LLAMA | dict(head_dim=8),
    "phi": LLAMA,
    "phi3": LLAMA,
    "smollm3": LLAMA,
    "olmo2": LLAMA,
    "granite": LLAMA,
    "starcoder2": LLAMA,
    "gpt_oss": LLAMA | dict(head_dim=8, num_local_experts=2, num_experts_per_tok=1),
    "gpt_neox": SMALL | dict(intermediate_size=64),
    "opt": SMALL | dict(ffn_dim=64, word_embed_proj_dim=32),
    "gpt2": GPT,
    "gptj": GPT | dict(rotary_dim=4),
    "codegen": GPT | dict(rotary_dim=4),
}


EAGER_ALONE = ("gemma2", "gpt_oss", "gptj", "codegen")  # transformers has no other attention


@pytest.mark.parametrize(
    ("architecture", "attention"),
    [
        (name, attention)
        for name in ARCHITECTURES
        for attention in (("eager",) if name in EAGER_ALONE else ("eager", "sdpa"))
    ],
)
@torch.no_grad()
def test_a_prediction_does_not_depend_on_later_pictures(architecture, attention, features):
    sizes = ARCHITECTURES[architecture] | {"model_type": architecture}
    _, vocabulary, model, texts = story(STORY.model_copy(update={"architecture": sizes}))
    model.llm.set_attn_implementation(attention)
    model.eval()

    def predicted(seen):
        return model(told(vocabulary, texts, [1, 2, 3]), seen).features

    plain, changed = predicted(features), predicted(torch.cat([features[:2], -features[2:]]))
    assert torch.equal(plain[:2], changed[:2])  # of the second and the third picture
    assert not torch.equal(plain[2], changed[2])


NEAR = {"sliding_window": 4}  # positions that a layer sees
HALF_NEAR = NEAR | {"layer_types": ["sliding_attention", "full_attention"]}
OWN_WAYS = {  # of attending and of scaling scores
    "mistral": NEAR,
    "phi3": NEAR,
    "gemma2": NEAR | {"final_logit_softcapping": 1.0},
    "gemma3_text": HALF_NEAR,
    "gpt_oss": HALF_NEAR,
    "qwen3": NEAR | {"use_sliding_window": True, "max_window_layers": 1},
    "smollm3": {"no_rope_layers": [1, 0]},
    "granite": {"embedding_multiplier": 12.0, "logits_scaling": 8.0},
    "cohere2": LLAMA | HALF_NEAR | {"logit_scale": 0.0625},
}


@pytest.mark.parametrize("architecture", OWN_WAYS)
@torch.no_grad()
def test_plain_text_has_the_scores_that_the_language_model_gives_it(architecture):
    sizes = ARCHITECTURES.get(architecture, {}) | OWN_WAYS[architecture]
    sizes |= {"model_type": architecture, "initializer_range": 0.5}
    tokenizer, vocabulary, model, texts = story(STORY.model_copy(update={"architecture": sizes}))
    model.eval()
    ids = torch.tensor([[token for text in texts for token in text]])
    length = ids.shape[1]
    assert length > 3 * NEAR["sliding_window"]
    wanted = model.llm(ids).logits[0]

    causal = torch.ones(length, length, dtype=torch.bool).tril()[None, None]
    hidden = model.hidden(model.words(ids), causal, torch.arange(length)[None])
    assert torch.allclose(model.scores(hidden)[0], wanted, atol=1e-4)

    reading = Reading(model, roles_of(tokenizer, vocabulary), 1)
    by_piece = [model.scores(reading.read([text]))[0] for text in texts]
    assert torch.allclose(torch.cat(by_piece), wanted, atol=1e-4)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@torch.no_grad()
def test_a_language_model_saved_in_16_bits_reads_and_writes_in_bf16(
    architecture, features, monkeypatch
):
    monkeypatch.setattr(precision, "has_bf16", lambda device: True)
    sizes = ARCHITECTURES[architecture] | {"model_type": architecture}
    tokenizer, vocabulary, model, texts = story(STORY.model_copy(update={"architecture": sizes}))
    model.llm.half()
    precision.settle(model.eval().requires_grad_(False), "auto", torch.device("cpu"))
    out = model(told(vocabulary, texts, [1]), features)
    reading = Reading(model, roles_of(tokenizer, vocabulary), 1)
    reading.read([[vocabulary.bos, *texts[0], vocabulary.boi]])
    hidden = reading.read(
        [[vocabulary.eoi, *vocabulary.turn, *texts[1], vocabulary.boi, *vocabulary.image]],
        features[:1],
    )
    assert torch.allclose(model.painted(hidden[:, -4:]).float(), out.features.float(), atol=0.05)
    assert model.llm.get_output_embeddings()(hidden).dtype == torch.bfloat16


@pytest.mark.parametrize(
    "architecture, sizes, fault",
    [
        ("mpt", dict(d_model=32, n_layers=2, n_heads=4, vocab_size=8), "ignores the positions"),
        ("bloom", SMALL, "cannot be given embeddings with their own mask and positions"),
        ("llama4_text", LLAMA, "cannot be given embeddings with their own mask and positions"),
    ],
)
def test_a_language_model_that_cannot_be_used_is_refused_by_name(architecture, sizes, fault):
    sizes = sizes | {"model_type": architecture}
    with pytest.raises(ConfigError, match=f"model.story.model: {architecture}, .* {fault}"):
        story(STORY.model_copy(update={"architecture": sizes}))


def test_a_language_model_that_sees_the_future_is_refused_by_name(monkeypatch):
    def adds_booleans(llm, vectors, visible, positions):
        return llm.get_decoder()(
            inputs_embeds=vectors, attention_mask=visible, position_ids=positions
        ).last_hidden_state

    monkeypatch.setattr(story_lm, "decoded", adds_booleans)
    sizes = ARCHITECTURES["gemma2"] | {"model_type": "gemma2"}
    with pytest.raises(ConfigError, match="gemma2, with eager attention, attends to tokens that"):
        story(STORY.model_copy(update={"architecture": sizes}))


def test_a_language_model_whose_scores_are_not_reproduced_is_refused_by_name(monkeypatch):
    monkeypatch.setattr(story_lm, "scored", lambda llm, hidden: llm.lm_head(hidden))
    sizes = ARCHITECTURES["granite"] | {"model_type": "granite", "logits_scaling": 8.0}
    with pytest.raises(ConfigError, match=r"granite, .* gives plain text other scores with a mask"):
        story(STORY.model_copy(update={"architecture": sizes}))


LLAMA_LAYERS = "down_proj gate_proj k_proj o_proj q_proj up_proj v_proj"


@pytest.mark.parametrize(
    "architecture, adapted, norms",
    [
        ("llama", LLAMA_LAYERS, "input_layernorm norm post_attention_layernorm"),
        ("phi3", "down_proj gate_up_proj o_proj qkv_proj", "input_layernorm norm"),
        ("phi", "dense fc1 fc2 k_proj q_proj v_proj", "final_layernorm input_layernorm"),
        ("gpt2", "c_attn c_fc c_proj", "ln_1 ln_2 ln_f"),
    ],
)
def test_lora_adapts_every_linear_layer_and_trains_every_norm(architecture, adapted, norms):
    sizes = ARCHITECTURES[architecture] | {"model_type": architecture}
    settings = STORY.model_copy(update={"architecture": sizes, "lora": LoraConfig()})
    _, _, model, _ = story(settings)
    trained = [name for name, one in model.llm.named_parameters() if one.requires_grad]
    adapters = {
        name.split(".lora_")[0].rpartition(".")[2]
        for name in trained
        if ".lora_" in name and "trainable_tokens" not in name
    }
    assert adapters == set(adapted.split())
    whole = {name.split(".modules_to_save")[0].rpartition(".")[2] for name in trained}
    assert set(norms.split()) <= whole

    wrong = LoraConfig(targets=["query_key_value"])
    with pytest.raises(ConfigError, match=f"{architecture} has no query_key_value"):
        story(settings.model_copy(update={"lora": wrong}))


def test_contrast_is_the_cross_entropy_of_finding_the_picture_among_those_of_the_batch():
    true = torch.eye(4)[:3].reshape(3, 1, 4)  # three pictures of a token each
    own, nothing = torch.tensor([0, 2]), torch.zeros(1, 4)
    found = story_lm.contrast(5 * true[own], true, own, nothing, temperature=0.5)
    assert found.item() == pytest.approx(math.log(1 + 2 * math.exp(-2)))

    # What all pictures have in common tells none from another
    common = functional.normalize(true + 3 * torch.eye(4)[3], dim=-1)
    mean = torch.tensor([[0.0, 0.0, 0.0, 3 / math.sqrt(10)]])
    again = story_lm.contrast(common[own], common, own, mean, temperature=0.5)
    assert again.item() == pytest.approx(found.item())
