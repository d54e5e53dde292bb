"""Released weights imported as a run: what it says and paints is what the weights say by hand."""

from __future__ import annotations

import json
import re
import shutil
from fractions import Fraction

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from PIL import Image
from safetensors.torch import load_file, save_file

from benchmarks.story_model.trained_model import load_trained_model
from model import __main__ as command
from model import checkpoints, config, generate, precision, runs, sequence, tokens, vision
from model.config import ConfigError
from model.generate import PictureTokens, Sampling
from model.seed_story import files
from tests.model.seed_story import arithmetic, released
from tests.model.test_chain import place as dataset  # noqa: F401 (a fixture)
from tests.model.tiny import TEXTS


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the released files, and the run that is made of them."""
    folder = tmp_path_factory.mktemp("seed-story")
    paths = released.write(folder)
    assert command.main(released.arguments(paths, folder / "run")) == 0
    return folder


@pytest.fixture(scope="module")
def weights(place):
    """The released weights by name of their file."""
    return {name: torch.load(place / f"{name}.bin") for name in ("agent", "detokenizer", "vit")}


@pytest.fixture(scope="module")
def teller(place):
    return generate.load(place / "run")


@pytest.fixture(scope="module")
def picture():
    return np.random.default_rng(0).integers(
        0, 256, (released.PICTURE, released.PICTURE, 3), np.uint8
    )


def test_features_are_those_of_the_visual_tokenizer(teller, weights, picture):
    with torch.no_grad():
        found = vision.features(teller.tower, picture[None], 256)
    wanted = arithmetic.features(weights["vit"], arithmetic.normalised(picture[None]))
    assert found.shape == (1, 256, released.OUT)
    assert (found - wanted).abs().max() <= 2e-6
    zeros = torch.zeros(1, 3, released.PICTURE, released.PICTURE)
    assert (teller.blank - arithmetic.features(weights["vit"], zeros)[0]).abs().max() <= 2e-6


def told_by_hand(place, weights, teller, picture, text, count, longest):
    """The texts, features and pictures of a story, without a cache: each from all that is before
    it."""
    agent = arithmetic.Agent(weights["agent"], load_file(place / "llm" / "model.safetensors"))
    vocabulary, tokenizer = teller.vocabulary, teller.tokenizer
    words = PictureTokens(vocabulary, len(tokenizer), longest).words
    seen = arithmetic.features(weights["vit"], arithmetic.normalised(picture[None]))
    start = [vocabulary.bos, *tokenizer.encode(text, add_special_tokens=False), vocabulary.boi]
    vectors = [agent.words(start)[None], agent.read(seen)]
    unet = UNet2DConditionModel.from_pretrained(place / "sdxl" / "unet")
    unet.load_state_dict(arithmetic.below(weights["detokenizer"], "unet."))
    vae = AutoencoderKL.from_pretrained(place / "sdxl" / "vae")
    zeros = torch.zeros(1, 3, released.PICTURE, released.PICTURE)
    blank, dice = arithmetic.features(weights["vit"], zeros), torch.Generator().manual_seed(3)
    panels = []
    for _ in range(count):
        vectors.append(agent.words([vocabulary.eoi, *vocabulary.turn])[None])
        ids = []
        while len(ids) < longest:
            scores = agent.scores(torch.cat(vectors, 1))
            among = torch.cat([words, torch.tensor([vocabulary.boi])]) if ids else words
            token = int(among[scores[among].argmax()])
            if token == vocabulary.boi:
                break
            ids.append(token)
            vectors.append(agent.words([token])[None])
        vectors.append(agent.words([vocabulary.boi])[None])
        asked = torch.cat([*vectors, agent.words(vocabulary.image)[None]], 1)
        made = agent.painted(agent.hidden(asked)[:, -len(vocabulary.image) :])
        inside = arithmetic.below(weights["detokenizer"], "resampler.")
        painted = arithmetic.picture(inside, unet, vae, made, blank, 16, 3, 7.5, dice)
        panels.append((ids, made[0], painted))
        vectors.append(agent.read(made))
    return panels


@torch.no_grad()
def test_a_story_has_the_texts_features_and_pictures_of_the_released_weights(
    place, weights, teller, picture
):
    text, count, longest = "Pip went to the beach.", 3, 12
    told = generate.tell(
        teller.model,
        teller.tokenizer,
        teller.vocabulary,
        [generate.start(teller, 0, picture, text)],
        generate.painting(teller, [3]),
        count,
        sampling=Sampling(0.0, 1.0, longest),
        seeds=[0],
    )
    wanted = told_by_hand(place, weights, teller, picture, text, count, longest)
    for [panel], (ids, features, painted) in zip(told, wanted, strict=True):
        assert panel.ids == ids and len(set(ids)) > 1
        assert (panel.features - features).abs().max() <= 2e-6
        assert np.abs(panel.picture - painted.numpy()).max() <= 0.5 + 1e-3


def test_texts_are_tokenised_together_with_the_turn_before_them(place, teller):
    """SEED-Story encodes `[INST]` and the text after it as one text."""
    assert teller.vocabulary.joined
    other = config.read(str(place / "run" / "preset"), ["model.story.joined=false"])
    assert not runs.tokenizer(runs.Run(place / "run", other))[1].joined


def test_a_run_says_where_its_weights_are_from(place, teller):
    told = json.loads((place / "run" / "imported" / "sources.json").read_text())
    read = {path.rpartition("/")[2] for path in told["read"]}
    assert {"agent.bin", "detokenizer.bin", "vit.bin", "model.safetensors"} <= read
    tower = "imported/tower/model-00001.safetensors"
    assert told["written"][tower] == files.digest(place / "run" / tower)
    about = generate.about(teller)
    key = json.loads((place / "run" / "imported" / "story" / "about.json").read_text())["key"]
    assert (about["story_model"], about["painter"]) == (
        f"imported/story {key}",
        f"imported/detokenizer {key}",
    )


@pytest.mark.parametrize("layout", ["without the base model", "of later versions of peft"])
def test_the_agent_is_read_in_all_layouts_that_peft_saves(layout, place, tmp_path):
    paths = released.paths(place)
    weights = torch.load(paths["agent"])
    if layout == "without the base model":
        plain = [
            name
            for name in weights
            if f"{name.removesuffix('weight')}lora_A.default.weight" in weights
        ]
        weights = {name: weight for name, weight in weights.items() if name not in plain}
        weights = {n: w for n, w in weights.items() if "original_module" not in n}
    else:
        adapted = {name.partition(".lora_A")[0] for name in weights if ".lora_A" in name}
        weights = {
            f"{stem}.base_layer.weight"
            if (stem := name.removesuffix(".weight")) in adapted
            else name: weight
            for name, weight in weights.items()
        }
    torch.save(weights, tmp_path / "agent.bin")
    paths["agent"] = tmp_path / "agent.bin"

    assert command.main(released.arguments(paths, tmp_path / "run")) == 0

    merged = "imported/llm/model-00001.safetensors"
    ours, wanted = (load_file(folder / merged) for folder in (tmp_path / "run", place / "run"))
    assert ours.keys() == wanted.keys()
    assert all(torch.equal(ours[name], wanted[name]) for name in wanted)


def changed(weights, **renamed):
    """Weights with some of another name, or without those whose name is None."""
    kept = {name: weight for name, weight in weights.items() if name not in renamed}
    return kept | {new: weights[name] for name, new in renamed.items() if new}


DOWN = "llm.base_model.model.model.layers.0.mlp.up_proj.lora_A.default.weight"
FAULTS = {
    "agent": [
        (lambda w: changed(w, **{DOWN: None}), f"agent.bin lacks {DOWN}: give the pytorch_model"),
        (lambda w: w | {"llm.x": torch.zeros(1)}, "agent.bin has unknown llm.x"),
        (
            lambda w: changed(w, **{"input_resampler.query": "input_resampler.queries"}),
            "lacks input_resampler.query; it has unknown input_resampler.queries",
        ),
        (
            lambda w: w | {"output_resampler.pos_embed": w["output_resampler.pos_embed"].flip(0)},
            "output_resampler.pos_embed are not the sines and cosines",
        ),
        (lambda w: w | {"head.weight": torch.zeros(1)}, "agent.bin has unknown head.weight"),
        (lambda w: {"state": w}, "agent.bin holds more than weights by name"),
        (lambda w: {"code": Fraction(1, 2)}, "agent.bin cannot be read as weights"),
    ],
    "detokenizer": [
        (
            lambda w: changed(w, **{"resampler.latents": None}),
            "detokenizer.bin lacks resampler.latents: give",
        ),
        (
            lambda w: w | {"unet.conv_in.weight": w["unet.conv_in.weight"] + 1},
            "1 weights of the UNet that SEED-Story does not train, such as conv_in.weight, are not",
        ),
        (
            lambda w: {name: one for name, one in w.items() if not name.endswith("to_k.weight")},
            r"detokenizer.bin lacks unet.*to_k.weight",
        ),
    ],
    "vit": [
        (
            lambda w: changed(w, **{"ln_pre.weight": "ln_first.weight"}),
            r"vit.bin lacks ln_pre.weight; it has unknown ln_first.weight: save the state_dict",
        ),
        (
            lambda w: w | {"class_embedding": torch.zeros(1)},
            "vit.bin has unknown class_embedding",
        ),
    ],
}


@pytest.mark.parametrize("file", FAULTS)
def test_what_is_not_the_released_layout_is_refused_by_name(file, place, tmp_path, capsys):
    paths = released.paths(place)
    weights = torch.load(paths[file])
    paths[file] = tmp_path / f"{file}.bin"
    for change, said in FAULTS[file]:
        torch.save(change(weights), paths[file])
        assert command.main(released.arguments(paths, tmp_path / "run")) == 2
        assert re.search(said, capsys.readouterr().err), said
        assert sorted(path.name for path in tmp_path.iterdir()) == [f"{file}.bin"]


def test_a_wrong_call_is_refused_before_anything_is_written(place, tmp_path, capsys):
    paths = released.paths(place)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "file").write_text("mine")
    assert command.main(released.arguments(paths, tmp_path / "here")) == 2
    assert "here is there already: give a new folder" in capsys.readouterr().err
    gone = paths | {"vit": tmp_path / "gone.pt"}
    assert command.main(released.arguments(gone, tmp_path / "run")) == 2
    assert f"--vit {tmp_path}/gone.pt is no file" in capsys.readouterr().err
    other = tokens.train(TEXTS * 5, 400)
    other.add_tokens(["one more"])
    other.save_pretrained(tmp_path / "tokenizer")
    assert (
        command.main(
            released.arguments(paths | {"tokenizer": tmp_path / "tokenizer"}, tmp_path / "run")
        )
        == 2
    )
    assert "give the tokenizer that it was trained with" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_stages_and_generation_go_on_from_the_imported_weights(
    place,
    dataset,  # noqa: F811
    tmp_path,
    capsys,
):
    run = tmp_path / "run"
    short = ["steps=1", "batch=1", "accumulate=1", "warmup=0", "ema=0", "workers=0"]
    stages = ("1-detokenizer", "2-story", "3-adaptation")
    settings = [
        *released.SETTINGS,
        *(f"{stage}.train.{setting}" for stage in stages for setting in short),
        "2-story.train.learning_rate=1e-12",
    ]
    assert command.main(released.arguments(released.paths(place), run, settings)) == 0
    data = ["--run", str(run), "--data", str(dataset / "data")]

    assert command.main(["train", str(run / "preset"), *data]) == 0

    assert (run / "2-story").is_dir() and (run / "3-adaptation").is_dir()
    trained = load_file(run / "2-story" / "model.safetensors")  # a step of next to no length
    imported = load_file(run / "imported" / "story" / "model.safetensors")
    for name, weight in imported.items():
        assert torch.allclose(trained[name], weight, rtol=0, atol=1e-10)
    capsys.readouterr()
    assert command.main(["train", str(run / "preset"), *data]) == 0
    assert capsys.readouterr().out.count("up to date") == 3
    book = ["--images", "2", "--attention", "multimodal", "--out", str(tmp_path / "book")]
    assert command.main(["generate", *data, *book]) == 0
    assert "pictures by 3-adaptation" in capsys.readouterr().out
    with Image.open(tmp_path / "book" / "01.jpg") as painted:
        assert painted.width == painted.height  # in its own aspect, though those of data are not


def test_the_benchmark_loads_a_run_that_is_only_imported(place):
    model = load_trained_model(str(place / "run"))
    seen = np.zeros((2, released.PICTURE, released.PICTURE, 3), np.uint8)
    features = model.features(seen)
    predicted = model.predict(TEXTS[:2], features)
    assert predicted.shape == (1, 256, released.OUT)
    assert model.paint_predicted(predicted).shape == (1, 16, 16, 3)


def test_what_was_saved_in_16_bits_stays_so(tmp_path):
    paths = released.write(tmp_path / "files", dtype=torch.float16)
    assert command.main(released.arguments(paths, tmp_path / "run")) == 0
    for part in ("tower", "llm", "story"):
        assert checkpoints.saved_dtype(tmp_path / "run" / "imported" / part) == torch.float16
    tower = runs.tower(runs.Run(tmp_path / "run", config.read(str(tmp_path / "run" / "preset"))))
    low = torch.bfloat16 if precision.has_bf16(torch.device("cpu")) else torch.float32
    assert (tower.project.weight.dtype, tower.norm_out.weight.dtype) == (low, torch.float32)


def test_a_story_model_that_another_version_has_trained_is_refused(place, tmp_path):
    """Positions of resamplers were other ones then: its weights would be misread."""
    start = place / "run" / "imported" / "story"
    shutil.copytree(start, tmp_path / "story")
    weights = load_file(start / "model.safetensors")
    weights["reader.query"] = weights.pop("reader.queries")
    save_file(weights, tmp_path / "story" / "model.safetensors")
    settings = [f"model.story.start={tmp_path / 'story'}"]
    run = runs.Run(place / "run", config.read(str(place / "run" / "preset"), settings))
    with pytest.raises(ConfigError, match="holds the weights of another model: 1 are missing"):
        runs.story(run)


@torch.no_grad()
def test_adapters_that_are_kept_give_what_merged_ones_give(place, teller, picture, tmp_path):
    paths = released.paths(place)
    assert command.main([*released.arguments(paths, tmp_path / "run"), "--keep-lora"]) == 0
    start = load_file(tmp_path / "run" / "imported" / "story" / "model.safetensors")
    assert sum(".lora_" in name for name in start) == 2 * 7 * released.LAYERS

    kept = runs.story(runs.Run(tmp_path / "run", config.read(str(tmp_path / "run" / "preset"))))

    ids = tokens.encoded(teller.tokenizer, teller.vocabulary, TEXTS)
    layout = sequence.together([sequence.lay_out(ids, teller.vocabulary, [1, 2, 3])], [len(ids)])
    seen = vision.features(teller.tower, np.stack([picture] * len(ids)), 256)
    ours, wanted = kept(layout, seen), teller.model(layout, seen)
    assert (ours.features - wanted.features).abs().max() <= 5e-6
    assert float(ours.text) == pytest.approx(float(wanted.text), abs=1e-5)
