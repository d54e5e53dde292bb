import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

from benchmarks.metrics import encoders, feature_cache
from model import config, runs, vision
from model.runs import NotTrained, Run
from pipeline.inference.builtin import efficientnet
from tests.model.tiny import TEXTS

TOWERS = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 32, "patch_size": 8, "width": 16, "layers": 2, "head_width": 8},
    "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


def test_a_digest_knows_every_weight():
    layer = torch.nn.Linear(2, 2)
    before = encoders.weights_digest(layer)
    assert before == encoders.weights_digest(layer) and len(before) == 16
    with torch.no_grad():
        layer.bias[1] += 1e-6
    assert encoders.weights_digest(layer) != before
    assert encoders.weights_digest(layer.half()) != encoders.weights_digest(layer.float())


def test_efficientnet_is_the_pipelines(paths):
    embedder = encoders.efficientnet()
    seen = feature_cache.read_pictures(paths, 64)
    assert np.array_equal(embedder.embed(seen), efficientnet.features(seen))
    assert embedder.version == efficientnet.version()[:16]


@pytest.fixture
def random_inception(monkeypatch):
    """Its weights as they are before training."""
    from torch_fidelity import feature_extractor_inceptionv3 as module

    made = module.FeatureExtractorInceptionV3
    with monkeypatch.context() as without:
        without.setattr(module, "load_state_dict_from_url", lambda *_, **__: {})
        without.setattr(made, "load_state_dict", lambda *_: None)
        torch.manual_seed(0)
        return made("inception-v3-compat", ["2048"]).state_dict()


def test_inception_is_torchmetrics(tmp_path, paths, random_inception):
    from torchmetrics.image.fid import NoTrainInceptionV3

    torch.save(random_inception, tmp_path / "weights.pth")
    save_file(random_inception, tmp_path / "weights.safetensors")
    seen = feature_cache.read_pictures(paths, 64)

    embedder = encoders.inception(str(tmp_path / "weights.pth"))
    found = embedder.embed(seen)

    network = NoTrainInceptionV3("inception-v3-compat", ["2048"], str(tmp_path / "weights.pth"))
    with torch.no_grad():
        wanted = network(torch.from_numpy(seen).permute(0, 3, 1, 2)).numpy()
    assert found == pytest.approx(wanted, abs=1e-5) and found.shape == (3, 2048)
    assert (embedder.name, embedder.kind, embedder.missing) == ("Inception", "inception", "")
    other = encoders.inception(str(tmp_path / "weights.safetensors"))
    assert other.version == embedder.version
    assert other.embed(seen[:1]) == pytest.approx(found[:1], abs=1e-5)


def test_inception_without_weights_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    embedder = encoders.inception()
    assert "pth into checkpoints/ of torch hub's folder" in embedder.missing
    assert str(tmp_path) not in embedder.missing  # it stands in a report
    with pytest.raises(ValueError, match="Inception's weights are missing: put http"):
        embedder.embed(np.zeros((1, 8, 8, 3), np.uint8))

    def unreachable(*_):
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    assert "cannot be downloaded (no route to host)" in encoders.inception("hub").missing
    with pytest.raises(ValueError, match=r"absent\.pth is not there: give a file with"):
        encoders.inception(str(tmp_path / "absent.pth"))


class Evil:
    """What a stranger's file may do when it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


def evil(path, touched):
    thing = Evil()
    thing.path = str(touched)
    torch.save({"weight": thing}, path)


def test_no_file_of_weights_is_unpickled(tmp_path):
    evil(tmp_path / "weights.pth", tmp_path / "touched")
    with pytest.raises(ValueError, match=r"weights\.pth is not a file of weights only"):
        encoders.inception(str(tmp_path / "weights.pth"))
    evil(tmp_path / "open_clip_pytorch_model.bin", tmp_path / "touched")
    (tmp_path / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": TOWERS, "preprocess_cfg": {}})
    )
    with pytest.raises(ValueError, match="is not a file of weights only"):
        encoders.load_open_clip(f"local-dir:{tmp_path}")
    assert not (tmp_path / "touched").exists()


def written(folder, settings):
    torch.manual_seed(0)
    pair = vision.make(settings).eval()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": settings, "preprocess_cfg": {}})
    )
    save_file(
        {name: weights.contiguous() for name, weights in pair.state_dict().items()},
        folder / "open_clip_model.safetensors",
    )
    return pair


def test_an_open_clip_model_sees_and_reads_by_its_own_rules(tmp_path, paths):
    from open_clip import get_tokenizer

    pair = written(tmp_path / "clip", TOWERS)
    name = f"local-dir:{tmp_path / 'clip'}"

    towers = encoders.load_open_clip(name)

    assert (towers.pictures.name, towers.pictures.kind) == (name, "clip")
    assert towers.pictures.version == encoders.weights_digest(pair)
    seen = feature_cache.read_pictures(paths, 32)
    with torch.no_grad():
        wanted = functional.normalize(pair.encode_image(vision.normalised(seen, pair.visual)))
        said = functional.normalize(pair.encode_text(get_tokenizer(name)(TEXTS)))
    assert towers.pictures.embed(seen) == pytest.approx(wanted.numpy(), abs=1e-5)
    assert towers.texts(TEXTS) == pytest.approx(said.numpy(), abs=1e-5)
    assert towers.texts(TEXTS * 20).shape == (80, 8)


def test_an_open_clip_model_that_cannot_be_had(tmp_path):
    with pytest.raises(ValueError, match="ViT-B-32 without weights knows nothing"):
        encoders.load_open_clip("ViT-B-32")
    with pytest.raises(ValueError, match="cannot be loaded"):
        encoders.load_open_clip("ViT-B-32", "no-such-weights")
    with pytest.raises(ValueError, match="cannot be loaded"):
        encoders.load_open_clip(f"local-dir:{tmp_path}/nothing")


def test_a_runs_encoders_prepare_as_in_training(tmp_path, paths):
    run = Run(tmp_path / "run", config.read("tiny"))
    runs.write_preset(run)
    runs.make_tokenizer(run, TEXTS * 3)
    with pytest.raises(NotTrained, match="has no 0a-towers yet"):
        encoders.load_run_encoders(run.folder)
    pair = written(run.folder / "0a-towers", run.preset.model.vision.towers)

    towers = encoders.load_run_encoders(run.folder)

    assert (towers.pictures.name, towers.pictures.kind) == (
        "sample-trained encoders",
        "sample-trained",
    )
    tokenizer, vocabulary = runs.tokenizer(run)
    long = "Momo said hello. " * 40
    rows = []
    for text in (TEXTS[0], long):
        ids = [*tokenizer(text, add_special_tokens=False)["input_ids"][:63], vocabulary.eos]
        rows.append(ids + [0] * (64 - len(ids)))
    seen = feature_cache.read_pictures(paths, 128)
    with torch.no_grad():
        said = functional.normalize(pair.encode_text(torch.tensor(rows)))
        wanted = functional.normalize(pair.encode_image(vision.normalised(seen, pair.visual)))
    assert towers.texts([TEXTS[0], long]) == pytest.approx(said.numpy(), abs=1e-5)
    assert towers.pictures.embed(seen) == pytest.approx(wanted.numpy(), abs=1e-5)
    assert np.linalg.norm(
        towers.pictures.embed(feature_cache.read_pictures(paths, 40)), axis=1
    ) == (pytest.approx(1))
