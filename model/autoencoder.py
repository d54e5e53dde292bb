"""The autoencoder between pictures and latents: its use, and its loss where it is made anew.

The de-tokenizer paints latents, a small picture of many channels, that the autoencoder turns to
pixels (Rombach et al. 2022, arXiv 2112.10752). It is diffusers' AutoencoderKL. One that takes
3 * p * p channels is given squares of p x p pixels as one place of a grid: far less to compute in
its first and last layers, which are most of the work on a CPU.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from diffusers import AutoencoderKL
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor, nn
from torch.nn import functional

# Weights in the loss, beside 1 for the pixels. So much KL costs no sharpness here, and a decoder
# that has seen that much noise forgives a de-tokenizer's errors.
EDGES, KL = 1.0, 1e-2


def make(settings: Mapping[str, Any]) -> AutoencoderKL:
    """A new autoencoder of diffusers' config, whose residual blocks begin by adding nothing: it is
    almost linear at first (arXiv 1901.09321)."""
    vae = AutoencoderKL.from_config(dict(settings))
    for module in vae.modules():
        if isinstance(module, ResnetBlock2D):
            nn.init.zeros_(module.conv2.weight)
            nn.init.zeros_(module.conv2.bias)
    return vae.to(memory_format=torch.channels_last)


def losses(vae: nn.Module, pictures: Tensor) -> dict[str, Tensor]:
    """The training loss of uint8 pictures [B, H, W, 3]: scalars "loss", "pixels", "edges", "kl".

    Pixels count by their distance and its square, on a scale from -1 to 1. Edges are the
    differences between neighbours: they ask for lines, where large autoencoders have an adversary
    and a perceptual network.
    """
    true = _squares(pictures, vae)
    seen = vae.encode(true).latent_dist
    made, true = _pixels(vae.decode(seen.sample()).sample.float(), vae), _pixels(true, vae)
    pixels = functional.l1_loss(made, true) + functional.mse_loss(made, true)
    edges = sum(functional.l1_loss(made.diff(dim=side), true.diff(dim=side)) for side in (2, 3))
    mean, logvar = seen.mean.float(), seen.logvar.float()
    kl = (mean.square() + logvar.exp() - 1 - logvar).mean() / 2
    return {"loss": pixels + EDGES * edges + KL * kl, "pixels": pixels, "edges": edges, "kl": kl}


@torch.no_grad()
def scale(vae: AutoencoderKL, pictures: Tensor) -> None:
    """Sets `scaling_factor` so that the latents of these pictures have a deviation of 1."""
    latents = torch.cat(
        [vae.encode(_squares(part, vae)).latent_dist.mean.float() for part in pictures.split(32)]
    )
    vae.register_to_config(scaling_factor=float(1 / latents.std()))


@torch.no_grad()
def encode(vae: AutoencoderKL, pictures: Tensor) -> Tensor:
    """uint8 [B, H, W, 3] to scaled latents [B, channels, h, w]: their means, without noise."""
    return vae.encode(_squares(pictures, vae)).latent_dist.mean * vae.config.scaling_factor


@torch.no_grad()
def decode(vae: AutoencoderKL, latents: Tensor) -> Tensor:
    """Scaled latents [B, channels, h, w] to uint8 [B, H, W, 3]."""
    made = vae.decode(latents.to(vae.dtype) / vae.config.scaling_factor).sample
    made = ((_pixels(made.float(), vae) + 1) * 127.5).round().clamp(0, 255)
    return made.to(torch.uint8).permute(0, 2, 3, 1)


def rebuilt(vae: AutoencoderKL, pictures: Tensor) -> Tensor:
    """Pictures as they come back, both uint8 [B, H, W, 3]."""
    return decode(vae, encode(vae, pictures))


def shrinks(vae: AutoencoderKL) -> int:
    """How many pixels the side of one place of the latents is."""
    return _side(vae) * 2 ** (len(vae.config.block_out_channels) - 1)


def _side(vae: nn.Module) -> int:
    """Of the squares of pixels that are one place of the autoencoder's grid."""
    return math.isqrt(vae.config.in_channels // 3)


def _squares(pictures: Tensor, vae: nn.Module) -> Tensor:
    values = pictures.to(vae.device).permute(0, 3, 1, 2).to(vae.dtype) / 127.5 - 1
    return functional.pixel_unshuffle(values, _side(vae)).contiguous(
        memory_format=torch.channels_last
    )


def _pixels(values: Tensor, vae: nn.Module) -> Tensor:
    return functional.pixel_shuffle(values, _side(vae))
