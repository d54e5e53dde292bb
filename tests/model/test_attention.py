import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, DynamicCache

from model import attention, generate
from model.attention import Role
from model.config import AttentionConfig, ConfigError
from model.reading import Reading, roles_of
from tests.model.test_generate import GREEDY, begin, paint
from tests.model.tiny import STORY, TEXTS, TOKENS, WIDTH, story

SMALL = AttentionConfig(window=2, start=3, boi=(2, 1), eoi=(1, 2), budget=1000)
WORDS = [1, 0, 0, 0]  # the roles of a text: punctuation and words


def roles(pictures, text=WORDS, tokens=3):
    """Those of a story of so many pictures and one whose BoI is the last token."""
    turn = [*text, Role.BOI, *[Role.IMAGE] * tokens, Role.EOI]
    return torch.tensor([Role.WORD, *turn * pictures, *text, Role.BOI], dtype=torch.uint8)


def kept(policy, pictures, config=SMALL):
    return torch.where(attention.stays(roles(pictures), policy, config))[0].tolist()


def test_each_policy_keeps_what_it_says():
    # 0: BoS; texts at 1, 10, 19, 28 (punctuation first); BoI at 5, 14, 23, 32; EoI at 9, 18, 27
    window = list(range(19, 33))
    assert kept("dense", 3) == list(range(33))
    assert kept("window", 3) == kept("recompute", 3) == window
    assert kept("sink", 3) == [0, 1, 2, *window]
    around = [3, 4, 5, 8, 9, 10, 12, 13, 14, 17, 18]
    assert kept("multimodal", 3) == [0, 1, 2, *around, *window]
    commas = SMALL.model_copy(update={"punctuation": True, "start": 0})
    assert kept("multimodal", 3, commas) == [1, *around, *window]
    for policy in ("window", "sink", "multimodal", "recompute"):
        assert kept(policy, 1) == list(range(15))  # two pictures: the window


def test_a_budget_lets_go_of_the_oldest_pictures_first():
    for budget, around in [
        (0, []),
        (4, []),
        (5, [12, 13, 14, 17, 18]),
        (10, [12, 13, 14, 17, 18]),
        (11, [3, 4, 5, 8, 9, 10, 12, 13, 14, 17, 18]),
    ]:
        few = SMALL.model_copy(update={"budget": budget})
        assert kept("multimodal", 3, few) == [0, 1, 2, *around, *range(19, 33)]


@pytest.mark.parametrize("policy", ["window", "sink", "multimodal"])
@pytest.mark.parametrize("punctuation", [False, True])
def test_what_stays_is_judged_alike_again(policy, punctuation):
    config = SMALL.model_copy(update={"punctuation": punctuation})
    once = roles(6)[attention.stays(roles(6), policy, config)]
    assert attention.stays(once, policy, config).all()
    # Picture by picture is the same as all at once.
    story = roles(2)
    for _ in range(4):
        story = torch.cat([story[attention.stays(story, policy, config)], roles(1)[6:]])
    assert torch.equal(story[attention.stays(story, policy, config)], once)


# Reading -----------------------------------------------------------------------------------------


def parts(**architecture):
    """A tokenizer, vocabulary and model, of one layer where that is said, in float64."""
    config = STORY.model_copy(update={"architecture": {**STORY.architecture, **architecture}})
    tokenizer, vocabulary, model, texts = story(config)
    return tokenizer, vocabulary, model.double().eval(), texts


def reading(model, tokenizer, vocabulary, stories=1, policy="multimodal", config=SMALL):
    return Reading(model, roles_of(tokenizer, vocabulary), stories, policy, config)


def pictures(number, seed=0):
    dice = torch.Generator().manual_seed(seed)
    return torch.randn(number, TOKENS, WIDTH, generator=dice, dtype=torch.float64)


@torch.no_grad()
def told(one, vocabulary, texts, turns, seed=0):
    """Reads stories of so many pictures; `texts` are those of each. The last hidden states."""
    rows = len(texts)
    one.read([[vocabulary.bos, *text[0], vocabulary.boi] for text in texts])
    last = None
    for at in range(1, turns):
        one.evict()
        seen = torch.stack([pictures(turns, seed + row)[at - 1] for row in range(rows)])
        last = one.read(
            [
                [vocabulary.eoi, *vocabulary.turn, *text[at % len(text)], vocabulary.boi]
                for text in texts
            ],
            seen,
        )
    return last


@pytest.mark.parametrize("policy", ["window", "sink", "multimodal", "recompute"])
def test_where_nothing_leaves_every_policy_is_dense(policy):
    tokenizer, vocabulary, model, texts = parts()
    wide = SMALL.model_copy(update={"window": 5})
    dense = told(reading(model, tokenizer, vocabulary, policy="dense"), vocabulary, [texts], 5)
    same = told(
        reading(model, tokenizer, vocabulary, policy=policy, config=wide), vocabulary, [texts], 5
    )
    short = told(reading(model, tokenizer, vocabulary, policy=policy), vocabulary, [texts], 5)
    assert torch.allclose(dense, same, atol=1e-5)
    assert not torch.allclose(dense, short, atol=1e-3)


@pytest.mark.parametrize("policy", ["window", "sink", "multimodal"])
def test_after_eviction_one_layer_reads_as_if_only_what_stayed_had_been_there(policy, monkeypatch):
    # With more layers, what stayed still knows of what has left: that is what a cache is for.
    tokenizer, vocabulary, model, texts = parts(num_hidden_layers=1)
    stayed = torch.zeros(1, 0, 32, dtype=torch.float64)
    hidden, keep = type(model).hidden, attention.evict
    turned = []

    def reads(self, vectors, *more):
        nonlocal stayed
        stayed = torch.cat([stayed, vectors], dim=1)
        return hidden(self, vectors, *more)

    def keeps(cache, slots, moved, rotate):
        nonlocal stayed
        stayed = stayed[:, slots[0]]
        turned.append(moved.abs().max().item())
        keep(cache, slots, moved, rotate)

    one = reading(model, tokenizer, vocabulary, policy=policy)
    with monkeypatch.context() as patch:
        patch.setattr(type(model), "hidden", reads)
        patch.setattr(attention, "evict", keeps)
        got = told(one, vocabulary, [texts], 7)

    assert len(turned) == 4 and min(turned) > 0
    assert stayed.shape[1] == one.seen.shape[1]
    wanted = model.hidden(stayed, None, torch.arange(stayed.shape[1])[None])
    assert torch.allclose(got[:, -1], wanted[:, -1], atol=1e-6)
    original = reading(
        model,
        tokenizer,
        vocabulary,
        policy=policy,
        config=SMALL.model_copy(update={"positions": "original"}),
    )
    same = torch.allclose(told(original, vocabulary, [texts], 7)[:, -1], wanted[:, -1], atol=1e-6)
    assert same == (policy == "window")  # whose tokens all move alike


def language_model(model_type, **more):
    torch.manual_seed(0)
    sizes = (
        dict(
            hidden_size=32,
            num_hidden_layers=3,
            num_attention_heads=4,
            vocab_size=50,
            max_position_embeddings=256,
        )
        | more
    )
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(model_type, **sizes)).eval()


LLAMA = dict(intermediate_size=64, num_key_value_heads=2)
ROTARY = [
    ("llama", LLAMA),
    ("qwen2", LLAMA),
    ("gpt_neox", dict(intermediate_size=64)),
    (
        "llama",
        LLAMA
        | {
            "rope_parameters": {
                "rope_type": "yarn",
                "rope_theta": 10000.0,
                "factor": 4.0,
                "original_max_position_embeddings": 64,
            }
        },
    ),
    # each kind of layer has its own frequencies
    (
        "gemma3_text",
        LLAMA | {"head_dim": 8, "layer_types": ["sliding_attention"] * 2 + ["full_attention"]},
    ),
    (
        "smollm3",
        LLAMA | {"pad_token_id": 0, "no_rope_layers": [1, 0, 1]},
    ),  # one layer knows no positions
]


@pytest.mark.parametrize(
    "model_type, more", ROTARY, ids=["llama", "qwen2", "gpt_neox", "yarn", "gemma3", "smollm3"]
)
@torch.no_grad()
def test_turned_keys_are_those_of_the_new_positions_in_every_layer(model_type, more):
    llm = language_model(model_type, **more)
    first, second, third = torch.randint(50, (3, 1, 6))
    decoder, cache = llm.get_decoder(), DynamicCache()
    at = torch.arange(18)[None]
    decoder(input_ids=first, position_ids=at[:, :6], past_key_values=cache, use_cache=True)
    unseen = torch.cat([torch.zeros(6, 6), torch.ones(6, 6).tril()], dim=1).bool()[None, None]
    decoder(
        input_ids=second,
        position_ids=at[:, 6:12],
        past_key_values=cache,
        use_cache=True,
        attention_mask=unseen,
    )  # so that what stays knows nothing of what leaves

    attention.evict(
        cache, torch.arange(6, 12)[None], torch.full((1, 6), -6), attention.rotation(llm)
    )

    got = decoder(
        input_ids=third,
        position_ids=at[:, 6:12],
        past_key_values=cache,
        use_cache=True,
        attention_mask=torch.ones(6, 12).tril(6).bool()[None, None],
    )
    wanted = decoder(input_ids=torch.cat([second, third], dim=1))
    assert torch.allclose(got.last_hidden_state, wanted.last_hidden_state[:, 6:], atol=1e-5)


@pytest.mark.parametrize(
    "model_type, more", [("gpt2", dict(n_embd=32, n_layer=2, n_head=4)), ("cohere", LLAMA)]
)
def test_a_language_model_whose_keys_cannot_be_turned_is_refused(model_type, more):
    with pytest.raises(ConfigError, match=f"{model_type}.*--attention dense"):
        attention.rotation(language_model(model_type, **more))


@pytest.mark.parametrize("policy", ["window", "multimodal", "recompute"])
def test_stories_of_unequal_length_are_in_a_batch_what_they_are_alone(policy):
    tokenizer, vocabulary, model, texts = parts()
    stories = [texts, texts[1:] + texts[:1], [texts[2]]]
    together = told(reading(model, tokenizer, vocabulary, 3, policy), vocabulary, stories, 6)
    for row, one in enumerate(stories):
        alone = told(reading(model, tokenizer, vocabulary, 1, policy), vocabulary, [one], 6, row)
        assert torch.allclose(together[row, -1], alone[0, -1], atol=1e-6)


@pytest.mark.parametrize("policy", ["multimodal", "recompute"])
def test_a_reading_goes_on_from_what_was_saved(policy, tmp_path):
    tokenizer, vocabulary, model, texts = parts()
    one = reading(model, tokenizer, vocabulary, policy=policy)
    told(one, vocabulary, [texts], 5)
    torch.save(one.state(), tmp_path / "half.pt")
    another = reading(model, tokenizer, vocabulary, policy=policy)
    another.restore(torch.load(tmp_path / "half.pt", weights_only=True))

    for last in (one, another):
        last.evict()
    end = [[vocabulary.eoi, *vocabulary.turn, *texts[0]]]
    with torch.no_grad():
        assert torch.equal(one.read(end, pictures(1)), another.read(end, pictures(1)))


@pytest.mark.parametrize("policy", ["window", "sink", "multimodal", "recompute"])
def test_a_cache_and_its_positions_stay_as_short_however_long_the_story(policy):
    tokenizer, vocabulary, model, texts = parts()
    few = SMALL.model_copy(update={"budget": 12})
    lengths = []
    for turns in (8, 40):
        one = reading(model, tokenizer, vocabulary, policy=policy, config=few)
        told(one, vocabulary, [texts[:1]], turns)
        assert int(one.positions.max()) == one.seen.shape[1] - 1
        lengths.append((one.seen.shape[1], one.cache.get_seq_length(), one.vectors.shape[1]))
    assert lengths[0] == lengths[1]


def test_stories_are_told_by_a_policy():
    tokenizer, vocabulary, model, _ = parts()
    starts = begin((model, tokenizer), "Pip.", "Momo went to the beach.")

    def features(policy, starts=starts):
        return [
            [one.features for one in panels]
            for panels in generate.tell(
                model,
                tokenizer,
                vocabulary,
                starts,
                paint,
                6,
                sampling=GREEDY,
                seeds=[0] * len(starts),
                texts=[TEXTS * 2] * len(starts),
                policy=policy,
                attention=SMALL,
            )
        ]

    dense, sink = features("dense"), features("multimodal")
    for number in range(6):
        same = torch.allclose(dense[number][0], sink[number][0], atol=1e-6)
        assert same == (number < 2)  # the window is two pictures
        [alone] = features("multimodal", starts[:1])[number]
        assert torch.allclose(sink[number][0], alone, atol=1e-6)


def test_tokens_that_are_punctuation_are_known():
    tokenizer, vocabulary, *_ = parts()
    found = roles_of(tokenizer, vocabulary)
    ids = tokenizer.encode("Momo said hello.")
    assert found[ids].tolist() == [Role.WORD] * (len(ids) - 1) + [Role.PUNCTUATION]
    assert found[vocabulary.added].tolist() == [Role.BOI, Role.EOI, *[Role.IMAGE] * 4]
    assert found[[vocabulary.bos, *vocabulary.turn]].tolist() == [Role.WORD] * 2
