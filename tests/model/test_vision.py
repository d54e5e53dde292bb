import json

import numpy as np
import open_clip
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from model import vision
from model.config import ConfigError, VisionConfig

TOWERS = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 32, "patch_size": 8, "width": 16, "layers": 2, "head_width": 8},
    "text_cfg": {"context_length": 8, "vocab_size": 50, "width": 16, "heads": 2, "layers": 1},
}


@pytest.fixture
def pictures():
    return np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)


def test_features_are_the_patches_after_the_last_norm(pictures):
    tower = vision.make(TOWERS).visual.eval()

    found = vision.features(tower, pictures, 16)

    values = (
        torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255
        - torch.tensor(open_clip.OPENAI_DATASET_MEAN).view(3, 1, 1)
    ) / torch.tensor(open_clip.OPENAI_DATASET_STD).view(3, 1, 1)
    patches = tower.conv1(values).flatten(2).transpose(1, 2)
    row = torch.cat([tower.class_embedding.expand(2, 1, -1), patches], dim=1)
    row = tower.ln_pre(row + tower.positional_embedding)
    wanted = tower.ln_post(tower.transformer(row))[:, 1:]
    assert torch.allclose(found, wanted, atol=1e-5)
    assert vision.width(tower) == 16


def test_a_blank_picture_is_grey_or_of_the_mean_colour():
    tower = vision.make(TOWERS).visual.eval()
    mean = torch.tensor(open_clip.OPENAI_DATASET_MEAN)
    deviation = torch.tensor(open_clip.OPENAI_DATASET_STD)
    for kind, colour in (("grey", (128 / 255 - mean) / deviation), ("zeros", 0 * mean)):
        found = vision.blank(tower, kind, 32, 16)

        patch = torch.einsum("ochw,c->o", tower.conv1.weight, colour)
        row = torch.cat([tower.class_embedding[None], patch.expand(16, -1)])
        row = tower.ln_pre(row + tower.positional_embedding)[None]
        wanted = tower.ln_post(tower.transformer(row))[0, 1:]
        assert torch.allclose(found, wanted, atol=1e-5)


def test_fewer_tokens_are_the_means_of_squares(pictures):
    tower = vision.make(TOWERS).visual.eval()

    all_of_them = vision.features(tower, pictures, 16).reshape(2, 2, 2, 2, 2, 16)  # y in y, x in x
    assert torch.allclose(
        vision.features(tower, pictures, 4), all_of_them.mean((2, 4)).reshape(2, 4, 16), atol=1e-6
    )
    with pytest.raises(ValueError, match="a grid of 4 x 4 features cannot be pooled to 9 tokens"):
        vision.features(tower, pictures, 9)


def test_a_tower_comes_back_from_its_folder_frozen(tmp_path, pictures):
    pair = vision.make(TOWERS)
    (tmp_path / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": TOWERS, "preprocess_cfg": {}})
    )
    save_file(pair.state_dict(), tmp_path / "open_clip_model.safetensors")

    loaded = vision.load(VisionConfig(model=f"local-dir:{tmp_path}", image_size=32, tokens=16))

    assert torch.allclose(
        vision.features(loaded, pictures, 16),
        vision.features(pair.visual.eval(), pictures, 16),
        atol=1e-6,
    )
    assert not any(one.requires_grad for one in loaded.parameters())


def saved(folder, model_cfg, preprocess_cfg):
    """Saves a tower with random weights as open_clip's `local-dir:` reads it; returns its config
    and its image tower."""
    torch.manual_seed(0)
    name = f"test-{folder.name}"
    (folder / f"{name}.json").write_text(json.dumps(model_cfg))
    open_clip.add_model_config(folder / f"{name}.json")
    pair = open_clip.create_model(name, load_weights=False)
    save_file(pair.state_dict(), folder / "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": model_cfg, "preprocess_cfg": preprocess_cfg})
    )
    return VisionConfig(model=f"local-dir:{folder}", image_size=32, tokens=4), pair.visual.eval()


HALF = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
TIMM = {
    "SigLIP": ("vit_tiny_patch16_224", "map", "none"),
    "EVA02": ("eva02_tiny_patch14_224", "token", None),
}


def timm_backed(name, pool, proj):
    """open_clip's config of a tower of timm, as those of SigLIP and EVA02 are."""
    image = {"image_size": 32, "timm_model_name": name, "timm_pool": pool, "timm_proj": proj}
    return {**TOWERS, "vision_cfg": image, "custom_text": True}


def test_pictures_are_normalised_as_the_weights_want_them(tmp_path, pictures):
    config, _ = saved(tmp_path, TOWERS, HALF)
    tower = vision.load(config)
    wanted = torch.from_numpy(pictures).permute(0, 3, 1, 2) / 127.5 - 1
    assert torch.allclose(vision.normalised(pictures, tower), wanted, atol=1e-6)


@pytest.mark.parametrize("family", TIMM)
def test_features_of_a_tower_of_timm_are_its_patches_after_the_last_norm(
    family, tmp_path, pictures
):
    config, own = saved(tmp_path, timm_backed(*TIMM[family]), HALF)
    size = own.trunk.patch_embed.patch_size[0] * 2
    tower = vision.load(config.model_copy(update={"image_size": size}))
    seen = pictures[:, :size, :size]

    found = vision.features(tower, seen, 4)

    with torch.no_grad():
        wanted = tower.trunk.forward_features(vision.normalised(seen, tower))
    assert torch.allclose(found, wanted[:, tower.trunk.num_prefix_tokens :], atol=1e-5)
    assert found.shape == (2, 4, vision.width(tower)) == (2, 4, 192)


@pytest.mark.parametrize("kind", ["ResNet", "ConvNeXt"])
def test_a_tower_without_patches_is_refused_by_name(kind, tmp_path):
    image = {
        "ResNet": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 8},
        "ConvNeXt": timm_backed("convnext_atto", "", "linear")["vision_cfg"],
    }[kind]
    config, _ = saved(tmp_path, {**TOWERS, "vision_cfg": image}, {})
    with pytest.raises(ConfigError, match=f"model.vision.model: {config.model} has no features"):
        vision.load(config)


def test_a_tower_without_weights_is_refused_and_not_random(tmp_path):
    with pytest.raises(ValidationError, match="which weights of ViT-B-32: a file, or a tag"):
        VisionConfig(model="ViT-B-32")

    config, _ = saved(tmp_path, TOWERS, {})
    (tmp_path / "open_clip_model.safetensors").unlink()
    with pytest.raises(ConfigError, match=r"model.vision.model: local-dir:.* cannot be loaded"):
        vision.load(config)


def test_sizes_are_read_without_a_warning_that_no_weights_were(tmp_path, caplog):
    config, _ = saved(tmp_path, TOWERS, {})
    caplog.clear()
    assert vision.width(vision.empty(config)) == 16
    assert not caplog.records
