from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmarks.long_stories import cost, policies, prediction, run, tables
from benchmarks.long_stories.policies import PolicyVariant
from benchmarks.long_stories.prediction import Predictions
from benchmarks.results.tables import Figure, format_cell
from benchmarks.story_model import attention_map
from model import attention
from model.attention import Role
from model.config import AttentionConfig
from tests.model.tiny import TOKENS, WIDTH, story

LENGTH = 12


@pytest.fixture(scope="module")
def teller():
    tokenizer, vocabulary, model, _ = story()
    preset = SimpleNamespace(
        model=SimpleNamespace(
            attention=AttentionConfig(boi=(2, 1), eoi=(1, 2), budget=10),
            vision=SimpleNamespace(tokens=TOKENS),
        )
    )
    return SimpleNamespace(
        model=model.eval(),
        tokenizer=tokenizer,
        vocabulary=vocabulary,
        run=SimpleNamespace(preset=preset),
        blank=torch.zeros(TOKENS, WIDTH),
    )


@pytest.fixture
def stories(teller):
    dice = torch.Generator().manual_seed(1)
    ids = [
        [
            torch.randint(3, 200, (3 + (row + at) % 4,), generator=dice).tolist()
            for at in range(LENGTH)
        ]
        for row in range(2)
    ]
    return SimpleNamespace(ids=ids, features=torch.randn(2, LENGTH, TOKENS, WIDTH, generator=dice))


def test_dense_at_ten_pictures_is_what_training_has(teller, stories):
    told = prediction.predict_stories(
        teller, stories, PolicyVariant("dense", "dense", {}), own=False
    )
    fresh = prediction.predict_as_last_of_chunk(teller, stories, [9, 11])

    assert told.nats[:, 9] == pytest.approx(fresh.nats[:, 9], rel=1e-5)
    assert told.cosine[:, 9] == pytest.approx(fresh.cosine[:, 9], abs=1e-4)
    assert (
        told.words[:, 9].tolist()
        == fresh.words[:, 9].tolist()
        == [len(ids[9]) for ids in stories.ids]
    )
    assert told.nats[:, 11] != pytest.approx(fresh.nats[:, 11], rel=1e-4)
    assert prediction.perplexity_ratio(told, fresh, slice(9, 10))[0] == pytest.approx(1, abs=1e-4)
    assert prediction.perplexity(told, slice(1, LENGTH)) == pytest.approx(200, rel=0.9)


def test_true_pictures_or_its_own_are_read_on(teller, stories):
    dense = PolicyVariant("dense", "dense", {})
    given, own = (
        prediction.predict_stories(teller, stories, dense, own=own) for own in (False, True)
    )
    assert torch.equal(given.features[:, :2], own.features[:, :2])
    assert not torch.allclose(given.features[:, 2], own.features[:, 2], atol=1e-5)


def test_cost_grows_with_dense_attention_alone(teller):
    sizes = {
        policy: [
            cost.measure_cost(teller, PolicyVariant("", policy, {}), length).megabytes
            for length in (20, 40)
        ]
        for policy in ("dense", "window", "multimodal")
    }
    assert sizes["dense"][1] > 1.8 * sizes["dense"][0]
    assert sizes["window"][0] == sizes["window"][1] < sizes["dense"][0]
    assert sizes["multimodal"][0] == sizes["multimodal"][1] < sizes["dense"][0]


def test_ratio_of_perplexities():
    words = np.full((4, 6), 10.0)
    worse, better = (Predictions(words * nats, words, words, torch.zeros(1)) for nats in (0.5, 0.3))
    assert prediction.perplexity_ratio(worse, better, slice(0, 6)) == pytest.approx(
        [np.exp(0.2)] * 3
    )
    assert prediction.perplexity(worse, slice(2, 4)) == pytest.approx(np.exp(0.5))


def _cells(table, row):
    return [format_cell(table.cells[row][column.name], column) for column in table.columns]


def test_tables_have_a_line_a_policy_and_a_column_a_length():
    words = np.full((4, 30), 10.0)
    some, other = (
        Predictions(words * nats, words, words / 20, torch.zeros(1)) for nats in (0.5, 0.4)
    )
    beside, itself, cosine = tables.prediction_tables({"dense": some}, other, [10, 15], {}, "x.png")
    assert [column.name for column in beside.columns] == ["10 pictures", "15 pictures"]
    assert _cells(beside, "dense") == ["1.11 (1.11-1.11)"] * 2
    assert _cells(itself, "dense") == ["1.65"] * 2
    assert _cells(cosine, "dense") == ["0.500 (0.500-0.500)"] * 2
    assert [figure.n for figure in beside.cells["dense"].values()] == [
        4,
        20,
    ]  # the 10th is the first

    figures = {
        "main": Figure(0.3, 40, 0.18, 0.45),
        "place": Figure(0.75, 40, 0.6, 0.86),
        "frechet": Figure(1.25, 40),
    }
    painted = {("dense", 10): figures}
    character, place, frechet = tables.painted_tables(painted, [10], {})
    assert _cells(character, "dense") == ["30 % (18-45)"]
    assert _cells(place, "dense") == ["75 % (60-86)"]
    assert _cells(frechet, "dense") == ["1.250"]


def test_costs_are_beside_the_windows_in_the_same_round():
    spent = {
        (name, length): [
            cost.Cost(seconds * length * (1 + more), 300, 5.0) for more in (0.0, 0.2, 0.1)
        ]
        for name, seconds in (("dense", 0.02), ("window", 0.01))
        for length in (10, 20)
    }
    ratio, seconds, cached, memory = tables.cost_tables(spent, [10, 20], {})
    assert _cells(ratio, "dense") == ["2.00 (2.00-2.00)"] * 2
    assert "50% is what the length beyond 10 adds" in ratio.text
    assert _cells(seconds, "dense") == ["0.220 (0.200-0.240)", "0.440 (0.400-0.480)"]
    assert _cells(cached, "window") == ["300"] * 2 and _cells(memory, "window") == ["5.0"] * 2
    endless = tables.unlimited_cost_table(spent, {})
    assert _cells(endless, "window") == [
        "0.110 (0.100-0.120), 5.0 MB",
        "0.220 (0.200-0.240), 5.0 MB",
    ]


def test_what_cannot_be_measured_is_named(teller, tmp_path):
    with pytest.raises(ValueError, match="9 pictures are fewer than the 10 of training"):
        run.run("", "", "", "", [9, 15])
    with pytest.raises(ValueError, match=r"val_stories.jsonl is missing"):
        prediction.JoinedStories(teller, str(tmp_path), 20, range(1))


def test_every_variant_is_a_policy_with_settings_there_are():
    for variant in policies.VARIANTS:
        AttentionConfig(**variant.changes)
        attention.stays(torch.tensor([Role.BOI]), variant.policy, AttentionConfig())


def test_kinds_of_tokens():
    word, comma, boi, image, eoi = Role.WORD, Role.PUNCTUATION, Role.BOI, Role.IMAGE, Role.EOI
    roles = torch.tensor(
        [
            word,
            word,
            comma,
            word,
            boi,
            image,
            image,
            image,
            image,
            eoi,
            word,
            comma,
            word,
            word,
            boi,
        ]
    )
    found = attention_map.token_kinds(roles, AttentionConfig(start=1, boi=(1, 2), eoi=(1, 2)))
    assert [attention_map.KINDS[kind] for kind in found] == [
        "first tokens",
        "other words",
        "punctuation",
        "beside BoI",
        "beside BoI",
        "beside BoI",
        "inside pictures",
        "inside pictures",
        "beside EoI",
        "beside EoI",
        "beside EoI",
        "punctuation",
        "other words",
        "beside BoI",
        "beside BoI",
    ]


def test_attention_is_shared_out_whole(teller, monkeypatch):
    dice = torch.Generator().manual_seed(0)
    monkeypatch.setattr(attention_map, "read_keyframes", lambda dataset, images, size: images)
    monkeypatch.setattr(
        attention_map.vision,
        "features",
        lambda tower, seen, tokens: torch.randn(len(seen), TOKENS, WIDTH, generator=dice),
    )
    teller.run.preset.model.vision.image_size, teller.tower = 8, None
    chunk = SimpleNamespace(
        images=["a", "b", "c"], captions=["Pip. It was late", "Momo said. It was", "It was"]
    )

    found, could = attention_map.attention_shares(teller, "", [chunk])

    assert found.shape == (2, 4, len(attention_map.KINDS)) and found.min() > 0
    assert found.sum(-1) == pytest.approx(np.ones((2, 4)), abs=1e-5)
    assert could.sum() == pytest.approx(1, abs=1e-6)
    # Untrained attention has hardly any preference.
    assert found.mean((0, 1)) == pytest.approx(could, abs=0.03)
