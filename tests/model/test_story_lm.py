import pytest
import torch

from model import sequence
from model.config import LoraConfig
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
