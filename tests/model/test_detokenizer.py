"""Features to pictures: the perceiver, what trains, the loss, guidance, the sizes of the paper."""

from __future__ import annotations

import pytest
import torch
from diffusers import AutoencoderKL
from pydantic import ValidationError
from torch.nn import functional

from model import autoencoder
from model.config import DetokenizerConfig
from model.detokenizer import Detokenizer, Perceiver, weighted_mean
from model.resampler import grid_positions

PATCHES = dict(patch=4, latent_channels=4, width=8, depth=1)
VAE = dict(
    latent_channels=4,
    block_out_channels=[8, 8, 16],
    down_block_types=["DownEncoderBlock2D"] * 3,
    up_block_types=["UpDecoderBlock2D"] * 3,
    norm_num_groups=4,
    scaling_factor=0.5,
)
UNET = dict(
    in_channels=4,
    out_channels=4,
    block_out_channels=[8, 16],
    layers_per_block=1,
    down_block_types=["DownBlock2D", "CrossAttnDownBlock2D"],
    up_block_types=["CrossAttnUpBlock2D", "UpBlock2D"],
    norm_num_groups=4,
    cross_attention_dim=20,
    attention_head_dim=8,
)
POOLED = dict(
    addition_embed_type="text_time",
    addition_time_embed_dim=8,
    projection_class_embeddings_input_dim=6 * 8 + 10,
)
SMALL = dict(
    vae=PATCHES, image_size=16, width=16, depth=1, heads=2, queries=4, streams=[8, 12], steps=3
)

SDXL = dict(
    sample_size=128,
    in_channels=4,
    out_channels=4,
    block_out_channels=[320, 640, 1280],
    down_block_types=["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    up_block_types=["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    layers_per_block=2,
    cross_attention_dim=2048,
    attention_head_dim=[5, 10, 20],
    transformer_layers_per_block=[1, 2, 10],
    use_linear_projection=True,
    addition_embed_type="text_time",
    addition_time_embed_dim=256,
    projection_class_embeddings_input_dim=2816,
)
SDXL_VAE = dict(
    block_out_channels=[128, 256, 512, 512],
    layers_per_block=2,
    latent_channels=4,
    down_block_types=["DownEncoderBlock2D"] * 4,
    up_block_types=["UpDecoderBlock2D"] * 4,
)


def small(unet=UNET | POOLED, **changes) -> Detokenizer:
    torch.manual_seed(0)
    config = DetokenizerConfig(**(SMALL | {"unet": unet} | changes))
    return Detokenizer(config, 6, AutoencoderKL.from_config(VAE))


def batch(count=3):
    dice = torch.Generator().manual_seed(5)
    return (
        torch.randn(count, 4, 4, 4, generator=dice),
        torch.randn(count, 9, 6, generator=dice),
        torch.randn(9, 6, generator=dice),
    )


def recorded(model: Detokenizer, monkeypatch) -> list[dict]:
    """What the UNet is given from here on."""
    calls, real = [], model.unet.forward

    def forward(noisy, times, prompt, added_cond_kwargs=None):
        out = real(noisy, times, prompt, added_cond_kwargs=added_cond_kwargs)
        calls.append(
            dict(noisy=noisy, times=times, prompt=prompt, added=added_cond_kwargs, out=out.sample)
        )
        return out

    monkeypatch.setattr(model.unet, "forward", forward)
    return calls


@pytest.mark.parametrize(
    ("normalise", "wanted"),
    [
        ("width", [[1.0, 1.0], [1.4, 0.2]]),  # each feature has a mean square of 1
        ("tokens", [[0.2**0.5, 0.6], [0.8**0.5, 0.8]]),  # each component, a sum of squares of 1
    ],
)
def test_features_are_normalised_before_they_are_projected(normalise, wanted):
    perceiver = Perceiver(2, 8, 1, 2, 1, [4], None, normalise=normalise)
    given = {"width": [[3.0, 3.0], [7.0, 1.0]], "tokens": [[1.0, 3.0], [2.0, 4.0]]}
    seen = []
    perceiver.project_in.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][0]))

    perceiver(torch.tensor([given[normalise]]))

    torch.testing.assert_close(seen[0], torch.tensor(wanted))


def test_loss_is_the_error_of_the_noise_at_the_steps_drawn(monkeypatch):
    model = small(dropped=0.0)
    calls = recorded(model, monkeypatch)
    latents, features, blank = batch()
    loss = model.loss(latents, features, blank, torch.Generator().manual_seed(3))
    times = calls[0]["times"]
    # SD-XL's noise, written out
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    left = (1 - betas).cumprod(0)[times].view(-1, 1, 1, 1)
    noise = (calls[0]["noisy"] - left.sqrt() * latents) / (1 - left).sqrt()
    assert torch.isclose(loss, (calls[0]["out"] - noise).square().mean(), rtol=1e-4)
    dice = torch.Generator().manual_seed(3)
    torch.rand(3, 1, 1, generator=dice), torch.rand(3, generator=dice)
    torch.testing.assert_close(noise, torch.randn(3, 4, 4, 4, generator=dice), rtol=0, atol=1e-3)


def test_places_count_by_their_weight_and_pictures_alike():
    errors = torch.tensor([[[[1.0, 2.0]]], [[[4.0, 0.0]]]])
    weights = torch.tensor([[[3.0, 1.0]], [[1.0, 1.0]]])
    # (3 * 1 + 1 * 2) / 4 = 1.25 and (4 + 0) / 2 = 2
    assert weighted_mean(errors, weights).item() == pytest.approx(1.625)


def test_a_loss_is_weighted_where_it_is_told():
    model = small(dropped=0.0)
    latents, features, blank = batch()

    def loss(weights):
        return model.loss(latents, features, blank, torch.Generator().manual_seed(3), weights)

    everywhere = torch.full((3, 4, 4), 5.0)
    assert torch.isclose(loss(everywhere), loss(None))
    left = everywhere.clone()
    left[:, :, 2:] = 0
    right = everywhere - left
    assert torch.isclose((loss(left) + loss(right)) / 2, loss(None))
    assert not torch.isclose(loss(left), loss(right))


def test_velocity_is_the_target_where_the_schedule_says_so(monkeypatch):
    model = small(schedule={"prediction_type": "v_prediction"})
    calls = recorded(model, monkeypatch)
    latents, features, blank = batch()
    loss = model.loss(latents, features, blank, torch.Generator().manual_seed(3))
    left = model.noise.alphas_cumprod[calls[0]["times"]].view(-1, 1, 1, 1)
    noise = (calls[0]["noisy"] - left.sqrt() * latents) / (1 - left).sqrt()
    velocity = left.sqrt() * noise - (1 - left).sqrt() * latents
    assert torch.isclose(loss, (calls[0]["out"] - velocity).square().mean(), rtol=1e-4)


@pytest.mark.parametrize("dropped", [0.0, 1.0])
def test_dropped_samples_train_with_the_features_of_a_blank_picture(dropped, monkeypatch):
    model = small(dropped=dropped)
    calls = recorded(model, monkeypatch)
    latents, features, blank = batch()
    model.loss(latents, features, blank)
    expected = model.perceiver(blank.expand(3, -1, -1) if dropped else features)[0]
    torch.testing.assert_close(calls[0]["prompt"], expected)


@pytest.mark.parametrize(("scale", "rescale"), [(4.0, 0.0), (4.0, 0.7), (1.0, 0.7)])
def test_guidance_leads_away_from_the_blank_picture(scale, rescale, monkeypatch):
    model = small(
        guidance=scale, guidance_rescale=rescale, steps=1, schedule={"timestep_spacing": "trailing"}
    )
    calls = recorded(model, monkeypatch)
    _, features, blank = batch()
    monkeypatch.setattr(model, "decode", lambda latents: latents)
    latents = model.generate(features, blank, torch.Generator().manual_seed(1))
    prompts = [model.perceiver(one)[0] for one in (features, blank.expand(3, -1, -1))]
    if scale == 1:  # blank would count nothing, and is not asked
        prompts, noise = prompts[:1], calls[0]["out"]
    else:
        seen, unseen = calls[0]["out"].chunk(2)
        noise = unseen + scale * (seen - unseen)
        spread = [
            (one - one.mean((1, 2, 3), keepdim=True)).square().sum((1, 2, 3), keepdim=True).sqrt()
            for one in (seen, noise)
        ]
        noise = rescale * noise * spread[0] / spread[1] + (1 - rescale) * noise
    # One Euler step from the largest sigma to none takes all of the noise away.
    sigma = ((1 - model.noise.alphas_cumprod[-1]) / model.noise.alphas_cumprod[-1]).sqrt()
    start = torch.randn(3, 4, 4, 4, generator=torch.Generator().manual_seed(1)) * sigma
    torch.testing.assert_close(latents, start - sigma * noise, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(calls[0]["prompt"], torch.cat(prompts))


@pytest.mark.parametrize("ancestral", [False, True])
def test_ancestral_sampling_puts_noise_in_again(ancestral, monkeypatch):
    model = small(
        guidance=1.0, steps=2, ancestral=ancestral, schedule={"timestep_spacing": "trailing"}
    )
    calls = recorded(model, monkeypatch)
    _, features, blank = batch()
    monkeypatch.setattr(model, "decode", lambda latents: latents)
    latents = model.generate(features, blank, torch.Generator().manual_seed(1))
    dice = torch.Generator().manual_seed(1)
    start, new = (torch.randn(3, 4, 4, 4, generator=dice) for _ in range(2))
    kept = model.noise.alphas_cumprod[[999, 499]]
    high, low = ((1 - kept) / kept).sqrt()
    put_in = low * (1 - (low / high) ** 2).sqrt() if ancestral else torch.tensor(0.0)
    middle = start * high + ((low**2 - put_in**2).sqrt() - high) * calls[0]["out"] + put_in * new
    torch.testing.assert_close(latents, middle - low * calls[1]["out"], rtol=1e-3, atol=1e-3)


def test_pictures_are_bytes_and_the_same_for_the_same_seed():
    model = small()
    _, features, blank = batch(2)
    first, again, other = (
        model.generate(features, blank, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert first.shape == (2, 16, 16, 3) and first.dtype == torch.uint8
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_keys_values_and_the_perceiver_train_and_nothing_else():
    model = small().trainable(everything=False)
    model(*batch()).backward()
    moved = {name for name, one in model.named_parameters() if one.grad is not None}
    assert {name for name in moved if name.startswith("unet.")} == {
        name
        for name, _ in model.named_parameters()
        if name.startswith("unet.") and (".to_k." in name or ".to_v." in name)
    }
    assert {name for name in moved if not name.startswith("unet.")} == {
        f"perceiver.{name}" for name, _ in model.perceiver.named_parameters()
    }


def test_everything_but_the_autoencoder_trains_where_asked():
    model = small().trainable(everything=True)
    model(*batch()).backward()
    assert {name.split(".")[0] for name, one in model.named_parameters() if one.grad is None} == {
        "vae"
    }
    assert all(one.grad is not None for one in model.unet.parameters())


def test_a_unet_shaped_like_sd_xl_is_given_a_pooled_vector_and_sizes(monkeypatch):
    model = small().trainable(everything=True)
    calls = recorded(model, monkeypatch)
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    losses = []
    for _ in range(5):
        losses.append(model.loss(*batch(), torch.Generator().manual_seed(0)))
        losses[-1].backward()
        optimiser.step()
        optimiser.zero_grad()
    assert losses[-1] < losses[0]
    assert calls[0]["prompt"].shape == (3, 4, 8 + 12)
    assert calls[0]["added"]["text_embeds"].shape == (3, 10)
    assert calls[0]["added"]["time_ids"].tolist() == [[16, 16, 0, 0, 16, 16]] * 3


def test_a_unet_without_a_pooled_vector_is_given_none(monkeypatch):
    model = small(UNET)
    calls = recorded(model, monkeypatch)
    model.loss(*batch())
    assert model.perceiver.pool is None and calls[0]["added"] is None


def test_channels_that_the_latents_lack_hold_the_prompt_at_its_places(monkeypatch):
    model = small(UNET | {"in_channels": 12}, dropped=0.0)
    calls = recorded(model, monkeypatch)
    latents, features, blank = batch()
    model.loss(latents, features, blank)
    # Queries are a grid of 2 x 2 on latents of 4 x 4: row 2, column 1 lies in the third.
    third = model.layout(model.perceiver(features)[0][1, 2])
    torch.testing.assert_close(calls[0]["noisy"][1, 4:, 2, 1], third)


def test_local_queries_start_from_the_features_at_their_places():
    torch.manual_seed(0)
    perceiver = Perceiver(6, 16, 1, 2, 4, [8], None, local=True)
    perceiver.layers = torch.nn.ModuleList()
    features = torch.randn(1, 16, 6)
    unit = features / features.norm(dim=-1, keepdim=True) * 6**0.5
    below = unit[:, [8, 9, 12, 13]].mean(1)  # the lower left quarter of a grid of 4 x 4
    start = perceiver.queries[2] + grid_positions(2, 16)[2] + perceiver.project_in(below)
    torch.testing.assert_close(
        perceiver(features)[0][:, 2], perceiver.streams[0](perceiver.norm_out(start))
    )


def test_only_the_direction_of_a_feature_counts():
    perceiver = small().perceiver
    features = batch()[1]
    longer = features * torch.rand(3, 9, 1, generator=torch.Generator().manual_seed(0)) * 9
    for one, other in zip(perceiver(features), perceiver(longer), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_a_layer_of_the_perceiver_attends_to_features_and_queries():
    layer = Perceiver(6, 16, 1, 2, 4, [8], None).layers[0]
    queries, values = torch.randn(1, 4, 16), torch.randn(1, 9, 16)
    asking = layer.norm_queries(queries)
    key, value = layer.to_kv(torch.cat([layer.norm_values(values), asking], 1)).chunk(2, -1)
    query, found = layer.to_q(asking), []
    for head in (slice(0, 8), slice(8, 16)):
        weights = functional.softmax(query[0, :, head] @ key[0, :, head].T / 8**0.5, dim=-1)
        found.append(weights @ value[0, :, head])
    after = queries[0] + layer.to_out(torch.cat(found, -1))
    torch.testing.assert_close(layer(queries, values)[0], after + layer.feed_forward(after))


def test_sizes_of_the_paper():
    with torch.device("meta"):
        config = DetokenizerConfig(unet=SDXL, vae=PATCHES)
        model = Detokenizer(config, 4096, AutoencoderKL.from_config(SDXL_VAE)).trainable(False)
    assert sum(one.numel() for one in model.unet.parameters()) == 2_567_463_684
    width = 1024
    layer = 2 * 2 * width + (1 + 2 + 1) * width**2 + 2 * width + 2 * 4 * width**2
    pool = 65 * width + 3 * (width**2 + width) + width * 1280 + 1280
    perceiver = (
        64 * width
        + 4096 * width
        + width
        + 4 * layer
        + 2 * width
        + (width + 1) * (768 + 1280)
        + pool
    )
    assert sum(one.numel() for one in model.perceiver.parameters()) == perceiver == 61_245_696


def test_streams_that_the_unet_does_not_read_are_named():
    with pytest.raises(ValueError, match=r"width 20, and streams \[8\] make 8: change streams"):
        small(streams=[8])


def test_a_model_is_either_loaded_or_made():
    with pytest.raises(ValidationError, match="either a model to load or both unet and vae"):
        DetokenizerConfig(model="here", unet=UNET, vae=PATCHES)


def test_a_saved_unet_and_autoencoder_are_loaded(tmp_path):
    made = small()
    made.unet.save_pretrained(tmp_path / "unet")
    config = DetokenizerConfig(**{**SMALL, "model": str(tmp_path), "vae": None})
    loaded = Detokenizer(config, 6, made.vae)
    for name, one in loaded.unet.state_dict().items():
        assert torch.equal(one, made.unet.state_dict()[name]), name


def patches(pictures=None, **changes) -> autoencoder.PatchAutoencoder:
    torch.manual_seed(0)
    vae = autoencoder.PatchAutoencoder(**(PATCHES | changes))
    if pictures is not None:
        vae.begin(pictures)
    return vae


def noise(count, seed=0):
    """Pictures of noise, smooth enough for a few principal components to say much of it."""
    coarse = torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    smooth = functional.interpolate(coarse, (16, 16), mode="bilinear")
    return (smooth * 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def test_the_autoencoders_loss_counts_pixels_and_edges():
    pictures = noise(2)
    vae = patches(noise(40))
    torch.manual_seed(0)
    losses = autoencoder.losses(vae, pictures)
    torch.manual_seed(0)
    true = pictures.permute(0, 3, 1, 2) / 127.5 - 1
    latents = vae.encode(true).latent_dist.mode()
    noisy = latents + 0.3 * latents.std() * torch.randn_like(latents)
    off = vae.decode(noisy).sample - true
    edges = (off[:, :, 1:] - off[:, :, :-1]).abs().mean() + (
        off[..., 1:] - off[..., :-1]
    ).abs().mean()
    assert torch.isclose(losses["pixels"], off.abs().mean() + (off**2).mean())
    assert torch.isclose(losses["edges"], edges)
    assert torch.isclose(losses["loss"], losses["pixels"] + edges)


def test_a_new_autoencoder_is_the_principal_components_of_patches():
    pictures = noise(40)
    vae = patches(pictures)
    true = pictures.permute(0, 3, 1, 2) / 127.5 - 1
    squares = true.reshape(40, 3, 4, 4, 4, 4).permute(0, 2, 4, 1, 3, 5).reshape(-1, 48)
    mean = squares.mean(0)
    _, _, components = torch.linalg.svd(squares - mean, full_matrices=False)
    kept = mean + (squares - mean) @ components[:4].T @ components[:4]
    with torch.no_grad():
        latents = vae.encode(true).latent_dist.mode()
        made = vae.decode(latents).sample
    made = made.reshape(40, 3, 4, 4, 4, 4).permute(0, 2, 4, 1, 3, 5).reshape(-1, 48)
    assert torch.allclose(made, kept, atol=1e-4)
    assert latents.square().mean() == pytest.approx(1, abs=1e-2)
    deviations = ((squares - mean) @ components[:4].T).std(0)
    ratio = latents.std((0, 2, 3)) / deviations.sqrt()
    assert torch.allclose(ratio, ratio.mean(), rtol=1e-2)
    again = patches(pictures)  # signs too
    assert torch.equal(again.encoder.weight, vae.encoder.weight)


def test_as_many_components_as_pixels_lose_nothing():
    pictures = noise(40)
    vae = patches(pictures, latent_channels=48)
    off = autoencoder.rebuilt(vae, pictures).int() - pictures.int()
    assert off.abs().max() <= 1


def test_latents_have_a_deviation_of_one_and_come_back():
    pictures = noise(40)
    vae = patches(pictures)
    with torch.no_grad():
        vae.encoder.weight *= 3  # as if by training
    autoencoder.scale(vae, pictures)
    latents = autoencoder.encode(vae, pictures)
    assert latents.shape == (40, 4, 4, 4) and autoencoder.downsampling(vae) == 4
    assert latents.std() == pytest.approx(1, abs=1e-3)
    with torch.no_grad():
        plain = vae.decode(latents[:1] / vae.config.scaling_factor).sample
    made = autoencoder.decode(vae, latents[:1])
    expected = ((plain[0, :, 4:8, 8:12] + 1) * 127.5).round().clamp(0, 255)
    assert made[0, 4:8, 8:12].permute(2, 0, 1).tolist() == expected.tolist()
    assert torch.equal(autoencoder.rebuilt(vae, pictures[:1]), made)


def test_an_autoencoder_comes_back_from_its_folder(tmp_path):
    pictures = noise(40)
    vae = patches(pictures)
    autoencoder.scale(vae, pictures)
    vae.save_pretrained(tmp_path)
    loaded = autoencoder.PatchAutoencoder.from_pretrained(tmp_path, use_safetensors=True)
    assert torch.equal(autoencoder.encode(loaded, pictures), autoencoder.encode(vae, pictures))
    assert torch.equal(autoencoder.rebuilt(loaded, pictures), autoencoder.rebuilt(vae, pictures))


def test_an_autoencoder_learns_what_is_not_linear():
    pictures = noise(40)
    vae = patches(pictures)
    adam = torch.optim.Adam(vae.parameters(), 3e-3)
    before = autoencoder.losses(vae, pictures)["loss"]
    for _ in range(30):
        loss = autoencoder.losses(vae, pictures)["loss"]
        adam.zero_grad()
        loss.backward()
        adam.step()
    assert loss < before
