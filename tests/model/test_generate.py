import itertools
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import LogitsProcessorList

from model import generate, sequence
from model.generate import Panel, PictureTokens, Sampling, StartError
from tests.model.tiny import TOKENS, WIDTH, story

GREEDY, WILD = Sampling(0.0, 1.0, 12), Sampling(1.5, 0.95, 12)
TALE = ["Pip sang.", "Rosa danced there all day and then she went home.", "It was late"]


@pytest.fixture(scope="module")
def parts():
    """The model, its tokenizer and vocabulary, in float64 so that equal means equal.

    Its words are more decided than random weights have it, so that texts end at different lengths.
    """
    tokenizer, vocabulary, model, _ = story()
    scores = model.llm.get_output_embeddings().weight.data
    scores *= 25
    scores[vocabulary.boi] *= 4
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # for layers this small, threads wait for each other
    yield model.double().eval(), tokenizer, vocabulary
    torch.set_num_threads(threads)


def begin(parts, *texts):
    """Panel 0 of stories with these texts, each with its own picture."""
    encode = parts[1].encode
    return [
        Panel(at, 0, text, encode(text, add_special_tokens=False), features(text), None)
        for at, text in enumerate(texts)
    ]


def features(text):
    dice = torch.Generator().manual_seed(len(text))
    return torch.randn(TOKENS, WIDTH, generator=dice, dtype=torch.float64)


def paint(features):
    """A grey picture of each, whose brightness says what was painted."""
    return (
        (features.mean((1, 2)).abs() * 1000)
        .clamp(max=255)
        .byte()[:, None, None, None]
        .expand(-1, 2, 2, 3)
    )


def tell(parts, starts, count, **settings):
    settings = {"sampling": GREEDY, "seeds": [0] * len(starts)} | settings
    return list(generate.tell(*parts, starts, paint, count, **settings))


def from_scratch(parts, panels):
    """One pass over a whole story as training lays it out: features, and logits by token."""
    model, _, vocabulary = parts
    layout = sequence.together(
        [sequence.lay_out([one.ids for one in panels], vocabulary, range(1, len(panels)))],
        [len(panels)],
    )
    given = torch.stack([one.features for one in panels]).double()
    hidden = model.hidden(
        model.embedded(layout.ids, layout.given, given),
        sequence.mask(layout.turn),
        layout.positions,
    )
    return model(layout, given).features, model.scores(hidden)[0], layout


def test_the_cache_gives_what_a_pass_over_the_whole_story_gives(parts):
    [start] = begin(parts, "Momo said hello.")

    told = [panels[0] for panels in tell(parts, [start], 3)]

    wanted, logits, layout = from_scratch(parts, [start, *told])
    assert torch.allclose(torch.stack([one.features for one in told]).double(), wanted, atol=1e-6)
    # Greedy words are the likeliest among what may come next.
    _, tokenizer, vocabulary = parts
    words = PictureTokens(vocabulary, len(tokenizer), 12).words
    targets = layout.targets[0]
    chosen = [at for at in range(len(targets)) if targets[at] in words and layout.turn[0, at] == 0]
    assert sum(len(one.ids) for one in told) == len(chosen) > 3
    for at in chosen:
        may_end = targets[at - 1] not in vocabulary.turn  # a text has one word at least
        among = torch.cat([words, torch.tensor([vocabulary.boi])]) if may_end else words
        assert among[logits[at, among].argmax()] == targets[at]


@pytest.mark.parametrize("sampling", [GREEDY, WILD], ids=["greedy", "sampled"])
def test_a_story_in_a_batch_is_what_it_is_alone(parts, sampling):
    starts = begin(parts, "Pip.", "Momo went to the beach and Rosa danced there.", "It was")
    seeds = [5, 6, 7]

    together = tell(parts, starts, 3, sampling=sampling, seeds=seeds)

    lengths = [len(one.ids) for panels in together for one in panels]
    assert len(set(lengths)) > 3  # rows have waited for each other
    for at, (start, seed) in enumerate(zip(starts, seeds, strict=True)):
        alone = tell(parts, [start], 3, sampling=sampling, seeds=[seed])
        for panels, [one] in zip(together, alone, strict=True):
            assert panels[at].ids == one.ids
            assert torch.allclose(panels[at].features, one.features, atol=1e-6)
            assert (panels[at].picture == one.picture).all()


def test_texts_that_are_given_are_illustrated_and_empty_ones_are_told(parts):
    starts = begin(parts, "Pip.", "Momo went to the beach.")
    texts = [TALE, [TALE[2], "", TALE[0]]]

    told = tell(parts, starts, 3, texts=texts)

    assert [panels[0].text for panels in told] == TALE
    assert [panels[1].text for panels in told][::2] == [TALE[2], TALE[0]]
    assert told[1][1].ids
    for at in range(2):
        panels = [starts[at], *(panels[at] for panels in told)]
        wanted, _, _ = from_scratch(parts, panels)
        got = torch.stack([one.features for one in panels[1:]]).double()
        assert torch.allclose(got, wanted, atol=1e-6)


def test_only_the_new_tokens_are_read_again(parts, monkeypatch):
    model, _, vocabulary = parts
    passes = []
    hidden = type(model).hidden

    def counted(self, vectors, *rest):
        passes.append(vectors.shape[1])
        return hidden(self, vectors, *rest)

    monkeypatch.setattr(type(model), "hidden", counted)
    starts = begin(parts, "Momo said hello.")
    told = tell(parts, starts, 2)

    pictures = model.image_tokens
    assert passes == [2 + len(starts[0].ids)] + [
        slots
        for [one] in told
        for slots in [pictures + 1 + len(vocabulary.turn), *[1] * len(one.ids), 1 + pictures]
    ]


def test_padding_sees_at_least_itself(parts, monkeypatch):
    hidden, sees = type(parts[0]).hidden, []

    def watched(self, vectors, visible, *rest):
        sees.append(visible.any(-1).all())
        return hidden(self, vectors, visible, *rest)

    monkeypatch.setattr(type(parts[0]), "hidden", watched)
    tell(parts, begin(parts, "Pip.", "Momo went to the beach."), 2)

    assert sees and all(sees)


def test_panels_come_as_soon_as_they_are_painted(parts):
    painted = []

    def slowly(features):
        painted.append(len(features))
        return paint(features)

    stream = generate.tell(*parts, begin(parts, "Pip."), slowly, 5, sampling=GREEDY, seeds=[0])

    assert [one.number for panels in itertools.islice(stream, 2) for one in panels] == [1, 2]
    assert painted == [1, 1]


def test_texts_hold_words_alone_and_end_in_time(parts):
    _, tokenizer, vocabulary = parts
    told = tell(
        parts, begin(parts, "Pip.", "Momo"), 4, sampling=Sampling(5.0, 1.0, 7), seeds=[1, 2]
    )

    texts = [one.ids for panels in told for one in panels]
    assert all(1 <= len(ids) <= 7 for ids in texts)
    assert max(map(len, texts)) == 7
    no_words = {*vocabulary.added, *vocabulary.turn, vocabulary.bos, vocabulary.eos}
    assert not no_words & set(itertools.chain(*texts))
    assert all(one.text == tokenizer.decode(one.ids).strip() for [one, _] in told)


def test_a_seed_gives_the_same_story_and_another_one_another(parts):
    starts = begin(parts, "Pip.")

    def words(seed):
        return [one.ids for [one] in tell(parts, starts, 3, sampling=WILD, seeds=[seed])]

    assert words(3) == words(3) != words(4)


def chosen(parts, sampling, scores, times=400):
    """How often each word comes first in a text, where the model gives these scores to words."""
    _, tokenizer, vocabulary = parts
    words = PictureTokens(vocabulary, len(tokenizer), 1).words

    def fixed(hidden):
        logits = torch.full((len(hidden), len(tokenizer)), -50.0)
        logits[:, words[: len(scores)]] = torch.tensor(scores).log()
        return logits

    class Reading:
        model = SimpleNamespace(scores=fixed)

        def read(self, ids):
            return torch.zeros(len(ids), 1, 1)

    ids = [[] for _ in range(times)]
    generate._write(
        ids,
        Reading(),
        torch.zeros(times, 1),
        PictureTokens(vocabulary, len(tokenizer), 1),
        sampling,
        [torch.Generator().manual_seed(seed) for seed in range(times)],
    )
    counts = Counter(words.tolist().index(one[0]) for one in ids)
    return [counts[at] / times for at in range(len(scores))]


def test_temperature_and_top_p_apply(parts):
    scores = [0.5, 0.3, 0.15, 0.05]

    assert chosen(parts, Sampling(1.0, 1.0, 1), scores) == pytest.approx(scores, abs=0.06)
    half = np.square(scores) / np.square(scores).sum()
    assert chosen(parts, Sampling(0.5, 1.0, 1), scores) == pytest.approx(half, abs=0.06)
    assert chosen(parts, Sampling(1.0, 0.7, 1), scores) == pytest.approx(
        [0.625, 0.375, 0, 0], abs=0.06
    )
    assert chosen(parts, Sampling(0.0, 1.0, 1), scores) == [1, 0, 0, 0]


def test_plain_generation_gives_whole_pictures_in_order_and_nothing_of_them_elsewhere(parts):
    model, tokenizer, vocabulary = parts
    grammar = PictureTokens(vocabulary, len(tokenizer), 6)
    prompt = torch.tensor([[vocabulary.bos, *tokenizer.encode("Pip sang")]] * 2)
    torch.manual_seed(0)

    out = model.llm.generate(
        prompt,
        do_sample=True,
        max_new_tokens=120,
        top_k=0,
        logits_processor=LogitsProcessorList([grammar]),
        pad_token_id=vocabulary.eos,
        eos_token_id=vocabulary.eos,
    )

    block = [vocabulary.boi, *vocabulary.image, vocabulary.eoi]
    for row in out.tolist():
        told = row[: row.index(vocabulary.eos)] if vocabulary.eos in row else row
        parted = " ".join(map(str, told)).split(" ".join(map(str, block)))
        assert len(parted) > 2
        for number, text in enumerate(parted[:-1]):
            ids = list(map(int, text.split()))
            lead = vocabulary.turn if number else [vocabulary.bos]
            assert ids[: len(lead)] == lead
            assert 1 <= len(ids) - len(lead) <= 6
            assert not {*vocabulary.added, vocabulary.bos, *vocabulary.turn} & set(ids[len(lead) :])


def test_a_turn_of_several_tokens_is_written_out(parts):
    from dataclasses import replace

    vocabulary = replace(parts[2], turn=[20, 21, 22])
    grammar = PictureTokens(vocabulary, 60, 3)

    def after(*ids):
        scores = grammar(torch.tensor([ids], dtype=torch.long), torch.zeros(1, 500))
        return set(torch.where(scores[0] == 0)[0].tolist())

    words = set(grammar.words.tolist())
    assert words == set(range(60)) - {vocabulary.bos, vocabulary.eos}
    assert after(vocabulary.eoi) == {20, vocabulary.eos}
    assert after(vocabulary.eoi, 20) == {21}
    assert after(vocabulary.eoi, 20, 21, 22) == after() == after(vocabulary.bos) == words
    assert after(vocabulary.eoi, 20, 21, 22, 9, 9) == words | {vocabulary.boi}
    assert after(vocabulary.eoi, 20, 21, 22, 9, 9, 9) == {vocabulary.boi}


def test_what_cannot_begin_a_story_is_named(tmp_path):
    Image.new("RGB", (6, 4), "red").save(tmp_path / "red.png")
    (tmp_path / "torn.jpg").write_bytes(b"no picture")

    picture, texts, said = generate.beginning(str(tmp_path / "red.png"), [" Pip. ", "Momo."], "")
    assert picture.shape == (4, 6, 3) and picture[0, 0].tolist() == [255, 0, 0]
    assert texts == ["Pip.", "Momo."] and "red.png" in said
    for image, texts, dataset, words in [
        (tmp_path / "torn.jpg", ["Pip."], "", "torn.jpg cannot be read.*JPEG"),
        (tmp_path / "none.jpg", ["Pip."], "", "none.jpg cannot be read.*No such file"),
        (tmp_path / "red.png", [], "", "red.png needs a --text"),
        (tmp_path / "red.png", ["Pip.", " "], "", "--text is empty"),
        (None, [], str(tmp_path), "make dataset.*or begin a story with --image and --text"),
    ]:
        with pytest.raises(StartError, match=words):
            generate.beginning(image and str(image), texts, dataset)
    with pytest.raises(StartError, match=r"gone.*cannot be read"):
        generate.read_texts(str(tmp_path / "gone.txt"))


def test_a_folder_that_is_no_run_is_named(tmp_path):
    with pytest.raises(generate.NotTrained, match=f"{tmp_path}.*model train"):
        generate.load(tmp_path)
