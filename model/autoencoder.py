"""The image autoencoder: pictures to latents and back, and its training loss.

The de-tokenizer generates latents, a small picture of many channels, that the autoencoder decodes
to pixels (Rombach et al. 2022, arXiv 2112.10752). It is diffusers' AutoencoderKL where it is
downloaded. Where it is trained here, in a minute and on a CPU, it is a `PatchAutoencoder`.
"""

from __future__ import annotations

from typing import Any, TypeAlias, TypeVar

import torch
from diffusers import AutoencoderKL, ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.autoencoders.vae import DecoderOutput, IdentityDistribution
from diffusers.models.modeling_outputs import AutoencoderKLOutput
from torch import Tensor, nn
from torch.nn import functional

from model import checkpoints, precision

Part = TypeVar("Part", bound=ModelMixin)

EDGES = 1.0  # weight in the loss, beside 1 for the pixels


class PatchAutoencoder(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """An autoencoder of patches, squares of `patch` pixels that become a position of the latents.

    The latents are linear in a patch, and so is what they are decoded to, beside what a small
    convolutional network adds. `begin` sets the linear maps to principal components, of which 16
    give clearer pictures at once than an AutoencoderKL learns to give in a thousand steps. It has
    the interface of AutoencoderKL.
    """

    @register_to_config
    def __init__(
        self,
        patch: int = 8,
        latent_channels: int = 16,
        width: int = 192,
        depth: int = 2,
        noise: float = 0.3,
        scaling_factor: float = 1.0,
    ) -> None:
        """`width` and `depth` are those of the decoder's network: channels, and residual blocks.

        `noise` is that of the latents in training, as a share of their deviation.
        """
        super().__init__()
        values = 3 * patch * patch
        self.encoder = nn.Conv2d(values, latent_channels, 1)
        self.linear = nn.Conv2d(latent_channels, values, 1)
        self.network = nn.Sequential(
            nn.Conv2d(latent_channels, width, 3, padding=1),
            *(_Residual(width) for _ in range(depth)),
            nn.SiLU(),
            nn.Conv2d(width, values, 1),
        )
        _set_to_zero(self.network[-1])
        self.to(memory_format=torch.channels_last)

    @torch.no_grad()
    def begin(self, pictures: Tensor) -> None:
        """Sets the linear maps to the principal components of the patches of pictures, uint8
        [B, H, W, 3].

        The latents' deviation is 1, and that of a channel goes with the root of its component's:
        if all were alike, noise would hide a picture's colours as soon as its finest lines.
        """
        patches = self._to_patches(_to_values(pictures, self)).movedim(1, -1).flatten(0, 2).double()
        mean, count = patches.mean(0), self.config.latent_channels
        variances, components = torch.linalg.eigh((patches - mean).T @ (patches - mean))
        deviations = (variances.flip(0)[:count] / len(patches)).clamp(min=1e-8).sqrt()
        scales = (deviations * deviations.mean()).sqrt()
        components = components.flip(1)[:, :count]  # eigh gives the least first
        # The sign of a component is that of its largest value: else it would be the library's whim
        largest = components.gather(0, components.abs().argmax(0, keepdim=True))
        components = components * largest.sign()
        for layer, weight, bias in (
            (self.encoder, (components / scales).T, -(mean @ components) / scales),
            (self.linear, components * scales, mean),
        ):
            layer.load_state_dict({"weight": weight[..., None, None], "bias": bias})

    def encode(self, values: Tensor) -> AutoencoderKLOutput:
        """Encodes float [B, 3, H, W], from -1 to 1, to latents without a distribution."""
        latents = self.encoder(self._to_patches(values))
        return AutoencoderKLOutput(latent_dist=IdentityDistribution(latents))

    def decode(self, latents: Tensor) -> DecoderOutput:
        """Decodes latents [B, channels, h, w] to float [B, 3, H, W]."""
        patches = self.linear(latents) + self.network(latents)
        return DecoderOutput(sample=functional.pixel_shuffle(patches, self.config.patch))

    def _to_patches(self, values: Tensor) -> Tensor:
        return functional.pixel_unshuffle(values, self.config.patch).contiguous(
            memory_format=torch.channels_last
        )


class _Residual(nn.Module):
    """A residual block that adds nothing at first (arXiv 1901.09321)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1),
        )
        _set_to_zero(self.inner[-1])

    def forward(self, values: Tensor) -> Tensor:
        added: Tensor = self.inner(values)
        return values + added


Autoencoder: TypeAlias = AutoencoderKL | PatchAutoencoder


def _set_to_zero(layer: Any) -> None:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)


def saved(kind: type[Part], model: str, part: str, dtype: torch.dtype | None = None) -> Part:
    """Loads a part, "unet" or "vae", of a folder or hub id in the layout of diffusers, in float32
    or another dtype.

    Where it has no weights but those of the variant fp16, it loads these. Raises OSError, also
    where some are missing.
    """
    how = {"subfolder": part, "use_safetensors": True, "torch_dtype": dtype}
    try:
        return checkpoints.pretrained(kind, model, **how)
    except OSError:
        try:
            return checkpoints.pretrained(kind, model, **how, variant="fp16")
        except (OSError, ValueError):
            pass
        raise


def losses(vae: PatchAutoencoder, pictures: Tensor) -> dict[str, Tensor]:
    """Computes the training loss of uint8 pictures [B, H, W, 3]: scalars "loss", "pixels" and
    "edges".

    "pixels" is the sum of the absolute and the squared error, of values from -1 to 1. "edges" is
    the absolute error of differences between neighbours: it asks for lines, where large
    autoencoders have an adversary and a perceptual network.
    """
    true = _to_values(pictures, vae)
    latents = vae.encode(true).latent_dist.mode().float()
    noise = (
        vae.config.noise * latents.std() * torch.randn_like(latents)
    )  # growing latents gain nothing
    decoded = vae.decode(latents + noise).sample.float()
    pixels = functional.l1_loss(decoded, true) + functional.mse_loss(decoded, true)
    rows, columns = (
        functional.l1_loss(decoded.diff(dim=side), true.diff(dim=side)) for side in (2, 3)
    )
    edges = rows + columns
    return {"loss": pixels + EDGES * edges, "pixels": pixels, "edges": edges}


@torch.no_grad()
def scale(vae: PatchAutoencoder, pictures: Tensor) -> None:
    """Sets `scaling_factor` so that the latents of these pictures have a deviation of 1."""
    latents = torch.cat(
        [
            vae.encode(_to_values(part, vae)).latent_dist.mode().float()
            for part in pictures.split(32)
        ]
    )
    vae.register_to_config(scaling_factor=float(1 / latents.std()))


@torch.no_grad()
def encode(vae: Autoencoder, pictures: Tensor) -> Tensor:
    """Encodes uint8 [B, H, W, 3] to scaled latents [B, channels, h, w], without noise."""
    with precision.of(vae):
        latents = vae.encode(_to_values(pictures, vae)).latent_dist.mode()
        return latents * vae.config.scaling_factor


@torch.no_grad()
def decode(vae: Autoencoder, latents: Tensor) -> Tensor:
    """Decodes scaled latents [B, channels, h, w] to uint8 [B, H, W, 3]."""
    with precision.of(vae):
        decoded = vae.decode(latents.to(vae.dtype) / vae.config.scaling_factor).sample
    decoded = ((decoded.float() + 1) * 127.5).round().clamp(0, 255)
    return decoded.to(torch.uint8).permute(0, 2, 3, 1)


def rebuilt(vae: Autoencoder, pictures: Tensor) -> Tensor:
    """Returns the reconstructions of pictures, both uint8 [B, H, W, 3]."""
    return decode(vae, encode(vae, pictures))


def downsampling(vae: Autoencoder) -> int:
    """Returns the downsampling factor: how many pixels a position of the latents is wide."""
    if isinstance(vae, PatchAutoencoder):
        return int(vae.config.patch)
    return 2 ** (len(vae.config.block_out_channels) - 1)


def _to_values(pictures: Tensor, vae: Autoencoder) -> Tensor:
    """Returns uint8 [B, H, W, 3] as [B, 3, H, W] from -1 to 1, on the device and in the dtype of
    the autoencoder."""
    values = pictures.to(vae.device).permute(0, 3, 1, 2).to(vae.dtype)
    return (values / 127.5 - 1).contiguous(memory_format=torch.channels_last)
