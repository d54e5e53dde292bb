"""The image autoencoder: pictures to latents and back, and its training loss.

The de-tokenizer generates latents, a small picture of many channels, that the autoencoder decodes
to pixels (Rombach et al. 2022, arXiv 2112.10752). It is diffusers' AutoencoderKL. If it takes
3 * p * p channels, pixels are unshuffled first: a patch of p x p pixels becomes a position of its
grid. That saves most of its first and last layers, which are most of the work on a CPU.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from diffusers import AutoencoderKL, ModelMixin
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor, nn
from torch.nn import functional

from model import precision

Part = TypeVar("Part", bound=ModelMixin)

# Weights in the loss, beside 1 for the pixels. So much KL costs no sharpness here, and a decoder
# that was trained with that much noise tolerates a de-tokenizer's errors.
EDGES, KL = 1.0, 1e-2


def make(settings: Mapping[str, Any]) -> AutoencoderKL:
    """Returns a new autoencoder of diffusers' config, its residual blocks initialised to zero, so
    that it is almost linear at first (arXiv 1901.09321)."""
    vae = AutoencoderKL.from_config(dict(settings))
    for module in vae.modules():
        if isinstance(module, ResnetBlock2D):
            nn.init.zeros_(module.conv2.weight)
            nn.init.zeros_(module.conv2.bias)
    return vae.to(memory_format=torch.channels_last)


def saved(kind: type[Part], model: str, part: str, dtype: torch.dtype | None = None) -> Part:
    """Loads a part, "unet" or "vae", of a folder or hub id in the layout of diffusers, in float32
    or another dtype.

    Where it has no weights but those of the variant fp16, it loads these. Raises OSError.
    """
    how = {"subfolder": part, "use_safetensors": True, "torch_dtype": dtype}
    try:
        return kind.from_pretrained(model, **how)
    except OSError:
        try:
            return kind.from_pretrained(model, **how, variant="fp16")
        except (OSError, ValueError):
            pass
        raise


def losses(vae: AutoencoderKL, pictures: Tensor) -> dict[str, Tensor]:
    """Computes the training loss of uint8 pictures [B, H, W, 3]: scalars "loss", "pixels", "edges"
    and "kl".

    "pixels" is the sum of the absolute and the squared error, of values from -1 to 1. "edges" is
    the absolute error of differences between neighbours: it asks for lines, where large
    autoencoders have an adversary and a perceptual network.
    """
    true = _to_patches(pictures, vae)
    posterior = vae.encode(true).latent_dist
    decoded = _to_pixels(vae.decode(posterior.sample()).sample.float(), vae)
    true = _to_pixels(true, vae)
    pixels = functional.l1_loss(decoded, true) + functional.mse_loss(decoded, true)
    edges = sum(functional.l1_loss(decoded.diff(dim=side), true.diff(dim=side)) for side in (2, 3))
    mean, logvar = posterior.mean.float(), posterior.logvar.float()
    kl = (mean.square() + logvar.exp() - 1 - logvar).mean() / 2
    return {"loss": pixels + EDGES * edges + KL * kl, "pixels": pixels, "edges": edges, "kl": kl}


@torch.no_grad()
def scale(vae: AutoencoderKL, pictures: Tensor) -> None:
    """Sets `scaling_factor` so that the latents of these pictures have a deviation of 1."""
    latents = torch.cat(
        [vae.encode(_to_patches(part, vae)).latent_dist.mean.float() for part in pictures.split(32)]
    )
    vae.register_to_config(scaling_factor=float(1 / latents.std()))


@torch.no_grad()
def encode(vae: AutoencoderKL, pictures: Tensor) -> Tensor:
    """Encodes uint8 [B, H, W, 3] to scaled latents [B, channels, h, w], without noise."""
    with precision.of(vae):
        return vae.encode(_to_patches(pictures, vae)).latent_dist.mean * vae.config.scaling_factor


@torch.no_grad()
def decode(vae: AutoencoderKL, latents: Tensor) -> Tensor:
    """Decodes scaled latents [B, channels, h, w] to uint8 [B, H, W, 3]."""
    with precision.of(vae):
        decoded = vae.decode(latents.to(vae.dtype) / vae.config.scaling_factor).sample
    decoded = ((_to_pixels(decoded.float(), vae) + 1) * 127.5).round().clamp(0, 255)
    return decoded.to(torch.uint8).permute(0, 2, 3, 1)


def rebuilt(vae: AutoencoderKL, pictures: Tensor) -> Tensor:
    """Returns the reconstructions of pictures, both uint8 [B, H, W, 3]."""
    return decode(vae, encode(vae, pictures))


def downsampling(vae: AutoencoderKL) -> int:
    """Returns the downsampling factor: how many pixels a position of the latents is wide."""
    return _patch_side(vae) * 2 ** (len(vae.config.block_out_channels) - 1)


def _patch_side(vae: AutoencoderKL) -> int:
    """Returns the side, in pixels, of the patches that are unshuffled before the first layer."""
    return math.isqrt(vae.config.in_channels // 3)


def _to_patches(pictures: Tensor, vae: AutoencoderKL) -> Tensor:
    values = pictures.to(vae.device).permute(0, 3, 1, 2).to(vae.dtype) / 127.5 - 1
    return functional.pixel_unshuffle(values, _patch_side(vae)).contiguous(
        memory_format=torch.channels_last
    )


def _to_pixels(values: Tensor, vae: nn.Module) -> Tensor:
    return functional.pixel_shuffle(values, _patch_side(vae))
