"""All stages on a dataset of noise, with models of a few thousand weights."""

import io
import json

import numpy as np
import pytest
import torch
import webdataset
import yaml
from PIL import Image
from torch.utils._python_dispatch import TorchDispatchMode

from model import __main__ as command
from model import chain, checkpoints, config, features, precision, runs, sequence, stages
from model.data import once
from model.runs import Run

SIZE, CHUNK = 16, 3

MODEL = {
    "vision": {
        "image_size": SIZE,
        "tokens": 16,
        "towers": {
            "embed_dim": 8,
            "vision_cfg": {
                "image_size": SIZE,
                "patch_size": 4,
                "width": 16,
                "layers": 1,
                "head_width": 8,
            },
            "text_cfg": {
                "context_length": 16,
                "vocab_size": 400,
                "width": 16,
                "heads": 2,
                "layers": 1,
                "pool_type": "eos",
                "eos_id": 1,
            },
        },
    },
    "story": {
        "architecture": {
            "model_type": "llama",
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "vocab_size": 300,
            "bos_token_id": 0,
            "eos_token_id": 1,
        },
        "vocabulary": 300,
        "image_tokens": 4,
        "input_tokens": 4,
        "resampler_heads": 2,
        "longest": 200,
    },
    "detokenizer": {
        "vae": {"patch": 2, "latent_channels": 4, "width": 8, "depth": 1},
        "unet": {
            "sample_size": 8,
            "in_channels": 4,
            "out_channels": 4,
            "block_out_channels": [8],
            "layers_per_block": 1,
            "cross_attention_dim": 16,
            "attention_head_dim": 2,
            "norm_num_groups": 4,
            "down_block_types": ["CrossAttnDownBlock2D"],
            "up_block_types": ["CrossAttnUpBlock2D"],
        },
        "image_size": SIZE,
        "width": 16,
        "depth": 1,
        "heads": 2,
        "queries": 16,
        "streams": [16],
        "steps": 2,
        "guidance": 1.5,
    },
}
STAGES = {
    "0a-towers": "towers",
    "0b-autoencoder": "autoencoder",
    "1-detokenizer": "detokenizer",
    "2-story": "story",
    "3-adaptation": "adaptation",
}
LATER = "features 1-detokenizer 2-story predictions 3-adaptation"  # than stage 0
TRAIN = {"steps": 2, "batch": 2, "learning_rate": 1e-3, "precision": "fp32"}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a preset and a dataset of four chunks, one of them held out."""
    folder = tmp_path_factory.mktemp("chain")
    (folder / "preset").mkdir()
    (folder / "preset" / "model.yaml").write_text(yaml.safe_dump(MODEL))
    for name, kind in STAGES.items():
        (folder / "preset" / f"{name}.yaml").write_text(
            yaml.safe_dump({"stage": kind, "train": TRAIN, "everything": True, "contrast": 0.1})
        )
    (folder / "data" / "shards").mkdir(parents=True)
    (folder / "data" / "dataset.json").write_text("{}")
    rng = np.random.default_rng(0)
    for split, count in (("train", 3), ("val", 1)):
        with webdataset.TarWriter(f"{folder}/data/shards/{split}-00000-of-00001.tar") as tar:
            for number in range(count):
                sample = {
                    "__key__": f"{split}{number}",
                    "json": {
                        "captions": [f"{split} {number} goes {at}" for at in range(CHUNK)],
                        "images": [f"{split}/{at}.jpg" for at in range(CHUNK)],
                    },
                }
                for at in range(CHUNK):
                    file = io.BytesIO()
                    noise = rng.integers(0, 256, (SIZE, 24, 3), np.uint8)
                    Image.fromarray(noise).save(file, "JPEG")
                    sample[f"{at:02d}.jpg"] = file.getvalue()
                tar.write(sample)
    return folder


def train(place, *more):
    return command.main(
        [
            "train",
            str(place / "preset"),
            "--data",
            str(place / "data"),
            "--run",
            str(place / "run"),
            *more,
        ]
    )


def test_a_preset_is_trained_and_trained_again_only_where_it_changed(place, capsys):
    assert train(place) == 0
    first = {name: checkpoints.about(place / "run" / name)["key"] for name in STAGES}
    assert "3-adaptation: done" in capsys.readouterr().out

    assert train(place) == 0
    assert capsys.readouterr().out.split("\n")[:-1] == [f"{name}: up to date" for name in STAGES]

    assert (
        train(place, "--set", "model.attention.window=2", "--set", "model.detokenizer.steps=3") == 0
    )  # what only stories are told with
    assert capsys.readouterr().out.split("\n")[:-1] == [f"{name}: up to date" for name in STAGES]

    assert train(place, "--set", "2-story.train.steps=3") == 0
    said = capsys.readouterr().out
    assert "1-detokenizer: up to date" in said and "2-story: up to date" not in said
    then = {name: checkpoints.about(place / "run" / name)["key"] for name in STAGES}
    assert [name for name in STAGES if then[name] != first[name]] == ["2-story", "3-adaptation"]
    assert (place / "run" / "samples" / "3-adaptation-000002.png").exists()


@pytest.mark.parametrize(
    ("setting", "again"),
    [
        ("0a-towers.train.steps=3", "0a-towers " + LATER),
        ("0b-autoencoder.train.steps=3", "0b-autoencoder " + LATER),
        ("1-detokenizer.train.steps=3", "1-detokenizer 3-adaptation"),
        ("model.story.resampler_heads=1", "2-story predictions 3-adaptation"),
        ("model.story.longest=150", LATER),
        ("model.story.vocabulary=290", "0a-towers " + LATER),
        ("model.detokenizer.depth=2", "1-detokenizer 3-adaptation"),
        ("model.vision.tokens=4", "0a-towers " + LATER),
        ("2-story.contrast=0", "2-story predictions 3-adaptation"),
        ("model.detokenizer.guidance=2", ""),
        ("model.detokenizer.guidance_rescale=0.5", ""),
        ("model.detokenizer.ancestral=true", ""),
    ],
)
def test_a_setting_changes_what_depends_on_it_and_nothing_else(setting, again, place):
    kinds = {**STAGES, "features": "features", "predictions": "predictions"}
    old, new = (
        Run(place / "run", config.read(str(place / "preset"), more)) for more in ((), (setting,))
    )
    assert {
        name
        for name, kind in kinds.items()
        if chain.key_of(old, kind, "data") != chain.key_of(new, kind, "data")
    } == set(again.split())


def test_what_was_trained_tells_a_story(place):
    train(place)
    book = place / "book"

    assert (
        command.main(
            [
                "generate",
                "--run",
                str(place / "run"),
                "--data",
                str(place / "data"),
                "--images",
                "3",
                "--out",
                str(book),
            ]
        )
        == 0
    )

    told = json.loads((book / "story.json").read_text())
    assert len(told["texts"]) == 1 + 3
    assert told["texts"][0] == "val 0 goes 0"
    assert (book / "story.html").exists() and (book / "panels.jpg").exists()


def test_a_story_longer_than_those_of_training_has_an_attention_sink_unless_told_otherwise(
    place, capsys
):
    train(place)
    for more, policy in (
        (["9"], "dense"),
        (["10"], "multimodal"),
        (["10", "--attention", "window"], "window"),
    ):
        capsys.readouterr()
        assert (
            command.main(
                [
                    "generate",
                    "--run",
                    str(place / "run"),
                    "--data",
                    str(place / "data"),
                    "--out",
                    str(place / "book"),
                    "--steps",
                    "1",
                    "--images",
                    *more,
                ]
            )
            == 0
        )
        assert json.loads((place / "book" / "story.json").read_text())["attention"] == policy
        said = "11 pictures are more than the 10 of training" in capsys.readouterr().out
        assert said == (policy == "multimodal")


def test_features_and_latents_are_those_of_the_parts(place):
    train(place)
    run = Run(place / "run", config.read(str(place / "run" / "preset")))
    (chunk,) = once(features.shards(run, "val"), features.read)

    tokenizer, _ = runs.tokenizer(run)
    assert tokenizer.decode(chunk.ids[1]) == chunk.texts[1] == "val 0 goes 1"
    assert chunk.features.shape == (CHUNK, 16, 16) and chunk.latents.shape == (CHUNK, 4, 8, 8)
    tower = runs.tower(run)
    from model import autoencoder, data, vision

    (raw,) = once(data.shards(str(place / "data"), "val"), dict)
    pictures = data.pictures(raw, SIZE)
    assert np.allclose(chunk.features, vision.features(tower, pictures, 16), atol=1e-2)
    latents = autoencoder.encode(runs.autoencoder(run), torch.from_numpy(pictures))
    assert np.allclose(chunk.latents, latents, atol=1e-2)


def test_predictions_are_of_each_turn_as_the_last_one_of_its_story(place):
    train(place)
    run = Run(place / "run", config.read(str(place / "run" / "preset")))
    (true,) = once(features.shards(run, "val"), features.read)
    (chunk,) = once(features.shards(run, "val", "predictions"), features.read)

    assert (chunk.key, chunk.texts, chunk.ids) == (true.key, true.texts[1:], true.ids[1:])
    assert (chunk.latents == true.latents[1:]).all()
    _, vocabulary = runs.tokenizer(run)
    teller = runs.story(run)
    for turn in range(1, CHUNK):
        layout = sequence.together([sequence.lay_out(true.ids, vocabulary, [turn])], [CHUNK])
        alone = teller(layout, true.features).features[0]
        assert np.allclose(chunk.features[turn - 1], alone, atol=1e-2)
    assert len(list(once(features.shards(run, "train", "predictions"), features.read))) == 3


def test_the_adaptation_learns_from_what_is_predicted(place):
    train(place)
    run = Run(place / "run", config.read(str(place / "run" / "preset")))
    for name, source in (("1-detokenizer", "features"), ("3-adaptation", "predictions")):
        stage = stages.build(run, name, str(place / "data"))
        seen, latents, _ = next(iter(stage.batches(0)))
        assert len(seen) == len(latents) == 2 * (CHUNK - (source == "predictions"))
        known = torch.cat(
            [one.features for one in once(features.shards(run, "train", source), features.read)]
        )
        assert all((known == one).all((1, 2)).any() for one in seen)


def test_new_weights_depend_on_the_seed_of_their_stage_alone(place):
    train(place)
    run = Run(place / "run", config.read(str(place / "run" / "preset")))
    for name in STAGES:
        built = []
        for before in (1, 2):
            torch.manual_seed(before)
            built.append(stages.build(run, name, str(place / "data")).model.state_dict())
        assert all(torch.equal(built[0][part], built[1][part]) for part in built[0]), name


class Dtypes(TorchDispatchMode):
    """Notes the dtypes of what products of matrices and convolutions give, forward and backward."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        if function.overloadpacket.__name__ in (
            "mm",
            "addmm",
            "bmm",
            "baddbmm",
            "convolution",
            "convolution_backward",
        ):
            self.seen |= {
                one.dtype for one in (out if isinstance(out, tuple) else (out,)) if one is not None
            }
        return out


@pytest.mark.parametrize("bf16", [False, True])
def test_bf16_is_computed_in_where_the_cpu_has_instructions_for_it_and_nowhere_else(
    bf16, place, monkeypatch, capsys
):
    monkeypatch.setattr(precision, "has_bf16", lambda device: bf16)
    folder = ["--run", str(place / f"run-{bf16}")]
    auto = [
        f"--set={name}.train.{setting}"
        for name in STAGES
        for setting in ("precision=auto", "muon=0.01", "steps=1")
    ]
    for name in STAGES:
        with Dtypes() as products:
            assert train(place, *folder, *auto, "--stage", name) == 0
        assert (torch.bfloat16 in products.seen) == bf16, name
        assert torch.float32 in products.seen
    with Dtypes() as products:
        assert (
            command.main(
                [
                    "generate",
                    *folder,
                    "--data",
                    str(place / "data"),
                    "--images",
                    "1",
                    "--out",
                    str(place / "book"),
                ]
            )
            == 0
        )
    assert (torch.bfloat16 in products.seen) == bf16
    used = "bf16" if bf16 else "fp32"
    assert json.loads((place / "book" / "story.json").read_text())["precision"] == used
    assert all(
        checkpoints.about(place / f"run-{bf16}" / name)["precision"] == {used: 1} for name in STAGES
    )

    capsys.readouterr()
    monkeypatch.setattr(precision, "has_bf16", lambda device: not bf16)
    assert train(place, *folder, *auto) == 0  # what another kind of machine has trained stays
    assert capsys.readouterr().out.split("\n")[:-1] == [f"{name}: up to date" for name in STAGES]


def test_chunks_that_are_too_long_are_said(place, capsys):
    assert train(place, "--set", "model.story.longest=9") == 2
    said = capsys.readouterr().err
    assert "all chunks of train are longer than 9 tokens: set model.story.longest" in said


def test_wrong_calls_say_what_would_do(place, capsys):
    assert command.main(["train", "tiny", "--data", str(place / "nothing")]) == 2
    assert "make dataset" in capsys.readouterr().err
    assert train(place, "--stage", "9-more") == 2
    assert "--stage 9-more: this preset has 0a-towers, 0b-autoencoder" in capsys.readouterr().err
    assert train(place, "--set", "2-story.train.precision=fp16") == 2
    assert "train.precision=fp16 needs a GPU: give auto" in capsys.readouterr().err
    assert command.main(["generate", "--run", str(place / "nothing")]) == 2
