"""The de-tokenizer: features to pictures, by latent diffusion.

A perceiver maps features to what conditions a UNet of Stable Diffusion XL in place of a text:
prompt embeddings for its cross-attention and a pooled vector for its time embedding. UNet,
autoencoder and noise schedules are diffusers'. Source: SEED-Story (arXiv 2407.08683), whose
de-tokenizer is an IP-Adapter without the text (arXiv 2308.06721).
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from diffusers import (
    DDPMScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    UNet2DConditionModel,
)
from diffusers.guiders.guider_utils import rescale_noise_cfg
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor, nn
from torch.nn import functional

from model import autoencoder, checkpoints, precision, vision
from model.config import ConfigError, DetokenizerConfig, naming
from model.resampler import grid_positions

# The noise of Stable Diffusion XL; `schedule` in a config changes single values.
SCHEDULE = {
    "num_train_timesteps": 1000,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "steps_offset": 1,
    "timestep_spacing": "leading",
    "prediction_type": "epsilon",
}


class Perceiver(nn.Module):
    """Maps features [B, n, feature_width] to prompt embeddings [B, queries, sum of streams] and,
    with `pooled_width`, to a pooled vector [B, pooled_width] (else None).

    Source: Flamingo's perceiver resampler (arXiv 2204.14198), as IP-Adapter and SEED-Story have it.
    """

    positions: Tensor

    def __init__(
        self,
        feature_width: int,
        width: int,
        depth: int,
        heads: int,
        queries: int,
        streams: list[int],
        pooled_width: int | None,
        local: bool = False,
        normalise: str = "width",
    ) -> None:
        super().__init__()
        self.local, self.normalise = local, normalise
        self.queries = nn.Parameter(torch.randn(queries, width) / width**0.5)
        # Each query belongs to a position of the picture, so that attention can find positions.
        self.register_buffer(
            "positions", grid_positions(math.isqrt(queries), width), persistent=False
        )
        self.project_in = nn.Linear(feature_width, width)
        self.layers = nn.ModuleList(_Layer(width, heads) for _ in range(depth))
        self.norm_out = nn.LayerNorm(width)
        self.streams = nn.ModuleList(nn.Linear(width, stream) for stream in streams)
        self.pool = _Pool(width, heads, queries, pooled_width) if pooled_width else None

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor | None]:
        values = self.project_in(self._normalised(features))
        queries = self.queries + self.positions.to(self.queries.dtype)
        queries = (
            queries + vision.pooled(values, len(queries))
            if self.local
            else queries.expand(len(values), -1, -1)
        )
        for layer in self.layers:
            queries = layer(queries, values)
        queries = self.norm_out(queries)
        prompt = torch.cat([stream(queries) for stream in self.streams], dim=-1)
        return prompt, None if self.pool is None else self.pool(queries)

    def _normalised(self, features: Tensor) -> Tensor:
        if self.normalise == "tokens":  # SEED-Story's code, whose weights are trained so
            return functional.normalize(features, dim=1)
        # Only directions count: the story model is trained for the cosine of its predictions, so
        # their norms mean nothing. Components then have a deviation of about 1, whatever the width.
        return functional.normalize(features, dim=-1) * features.shape[-1] ** 0.5


class _Layer(nn.Module):
    """A layer of the perceiver: queries attend to features and queries, then a feed-forward
    network."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_values, self.norm_queries = nn.LayerNorm(width), nn.LayerNorm(width)
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_kv = nn.Linear(width, 2 * width, bias=False)
        self.to_out = nn.Linear(width, width, bias=False)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 4 * width, bias=False),
            nn.GELU(),
            nn.Linear(4 * width, width, bias=False),
        )

    def forward(self, queries: Tensor, values: Tensor) -> Tensor:
        normed = self.norm_queries(queries)
        k, v = self.to_kv(torch.cat([self.norm_values(values), normed], dim=1)).chunk(2, dim=-1)
        q, k, v = (
            heads.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for heads in (self.to_q(normed), k, v)
        )
        attended = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        queries = queries + self.to_out(attended)
        return queries + self.feed_forward(queries)


class _Pool(nn.Module):
    """CLIP's attention pool (arXiv 2103.00020) from [B, n, width] to [B, out]."""

    def __init__(self, width: int, heads: int, count: int, out: int) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.randn(count + 1, width) / width**0.5)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.attention.out_proj = nn.modules.linear.NonDynamicallyQuantizableLinear(width, out)

    def forward(self, values: Tensor) -> Tensor:
        values = torch.cat([values.mean(1, keepdim=True), values], dim=1) + self.positions
        return self.attention(values[:, :1], values, values, need_weights=False)[0][:, 0]


class Detokenizer(nn.Module):
    """A perceiver and a UNet that are trained, and a frozen autoencoder."""

    def __init__(
        self, config: DetokenizerConfig, feature_width: int, vae: autoencoder.Autoencoder
    ) -> None:
        """`feature_width` is the visual tokenizer's. Raises ConfigError where parts do not fit."""
        super().__init__()
        self.config = config
        if config.unet:
            self.unet = UNet2DConditionModel.from_config(config.unet)
        else:
            with naming("model.detokenizer.model", config.model):
                # In the dtype that it is saved in: float32 would be twice the memory, for a while
                dtype = checkpoints.saved_dtype(Path(config.model, "unet"))
                self.unet = autoencoder.saved(UNet2DConditionModel, config.model, "unet", dtype)
        self.vae = vae.requires_grad_(False)
        wide = self.unet.config.cross_attention_dim
        if sum(config.streams) != wide:
            raise ConfigError(
                f"the UNet reads prompt embeddings of width {wide}, and streams "
                f"{config.streams} make {sum(config.streams)}: change streams"
            )
        self.perceiver = Perceiver(
            feature_width,
            config.width,
            config.depth,
            config.heads,
            config.queries,
            config.streams,
            self._pooled_width(),
            config.local,
            config.normalise,
        )
        schedule = SCHEDULE | config.schedule
        with torch.device("cpu"):  # tables, which are needed even where weights are not
            self.noise = DDPMScheduler.from_config(schedule)
            self.sampler = (
                EulerAncestralDiscreteScheduler if config.ancestral else EulerDiscreteScheduler
            ).from_config(schedule)
        extra = self.unet.config.in_channels - vae.config.latent_channels
        # A new UNet with more input channels than latents have is given the prompt there too, each
        # embedding at its query's position, so that it need not learn where to look. This is ours.
        self.layout = nn.Linear(wide, extra) if extra else None

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return self.unet.device

    def trainable(self, everything: bool) -> Detokenizer:
        """Sets which parameters are trained, and returns itself: the perceiver and the projections
        to keys and values in the UNet, as in SEED-Story, or `everything`, for a new UNet."""
        self.requires_grad_(True)
        self.vae.requires_grad_(False)
        if not everything:
            self.unet.requires_grad_(False)
            for name, module in self.unet.named_modules():
                if name.endswith((".to_k", ".to_v")):
                    module.requires_grad_(True)
        return self

    def loss(
        self,
        latents: Tensor,
        features: Tensor,
        blank: Tensor,
        generator: torch.Generator | None = None,
        weights: Tensor | None = None,
    ) -> Tensor:
        """Computes the mean squared error, a scalar, of the predicted noise (or velocity, if the
        schedule says so) for latents [B, c, h, w] and features [B, n, width].

        `weights` [B, h, w] are those of the places of a picture, as for `weighted_mean`.

        Each sample has noise of a random step, and with probability `dropped` the features `blank`
        [n, width] of a picture without content, for classifier-free guidance.
        """
        latents, count = latents.float(), len(latents)

        def random(*shape: int) -> Tensor:
            return torch.rand(shape, generator=generator, device=latents.device)

        keep = random(count, 1, 1) >= self.config.dropped
        times = (random(count) * self.noise.config.num_train_timesteps).long()
        noise = torch.randn(latents.shape, generator=generator, device=latents.device)
        noisy = self.noise.add_noise(latents, noise, times)
        target = (
            self.noise.get_velocity(latents, noise, times)
            if self.noise.config.prediction_type == "v_prediction"
            else noise
        )
        with precision.of(self):
            prompt, pooled = self.perceiver(torch.where(keep, features, blank))
        errors = (self.predicted(noisy, times, prompt, pooled).float() - target) ** 2
        return errors.mean() if weights is None else weighted_mean(errors, weights)

    # accelerate and DistributedDataParallel only follow what goes through `forward`
    forward = loss

    @torch.no_grad()
    def generate(
        self,
        features: Tensor,
        blank: Tensor,
        generator: torch.Generator | list[torch.Generator] | None = None,
    ) -> Tensor:
        """Generates pictures, uint8 [B, H, W, 3], of features [B, n, width], by Euler's method.

        Guidance: blank + scale * (conditioned - blank), of predictions (arXiv 2207.12598); a scale
        of 1 needs no pass for blank. `guidance_rescale` corrects overexposure (arXiv 2305.08891,
        section 3.4). The noise comes from `generator`, one for all or one per picture; `ancestral`
        sampling adds noise again at each step.
        """
        self.sampler.set_timesteps(self.config.steps, device=self.device)
        scale = self.config.guidance
        guided = torch.cat([features, blank.expand_as(features)]) if scale != 1 else features
        with precision.of(self):
            prompt, pooled = self.perceiver(guided.to(self.perceiver.queries.dtype))
        side = self.config.image_size // autoencoder.downsampling(self.vae)
        latents = randn_tensor(
            (len(features), self.vae.config.latent_channels, side, side),
            generator=generator,
            device=self.device,
        )
        latents = latents * self.sampler.init_noise_sigma
        for time in self.sampler.timesteps:
            noisy = self.sampler.scale_model_input(latents, time)
            predicted = self.predicted(
                noisy.repeat(len(guided) // len(features), 1, 1, 1), time, prompt, pooled
            ).float()
            if scale != 1:
                conditioned, unconditioned = predicted.chunk(2)
                predicted = rescale_noise_cfg(
                    unconditioned + scale * (conditioned - unconditioned),
                    conditioned,
                    self.config.guidance_rescale,
                )
            latents = self.sampler.step(predicted, time, latents, generator=generator).prev_sample
        return self.decode(latents)

    def decode(self, latents: Tensor) -> Tensor:
        """Decodes latents [B, c, h, w] to uint8 [B, H, W, 3]."""
        return autoencoder.decode(self.vae, latents)

    def predicted(
        self, noisy: Tensor, times: Tensor, prompt: Tensor, pooled: Tensor | None
    ) -> Tensor:
        """Predicts the noise, or velocity, of noisy latents [B, c, h, w] at steps of the schedule,
        [B] or a scalar, from the perceiver's outputs."""
        with precision.of(self):
            return self._noise_of(noisy, times, prompt, pooled)

    def _noise_of(
        self, noisy: Tensor, times: Tensor, prompt: Tensor, pooled: Tensor | None
    ) -> Tensor:
        if self.layout is not None:
            grid = math.isqrt(self.config.queries)
            placed = self.layout(prompt).transpose(1, 2).unflatten(2, (grid, grid))
            noisy = torch.cat([noisy, functional.interpolate(placed, noisy.shape[2:])], dim=1)
        noisy, prompt = noisy.to(self.unet.dtype), prompt.to(self.unet.dtype)
        added = None
        if pooled is not None:
            size = self.config.image_size  # original size, place of the crop, size to paint
            added = {
                "text_embeds": pooled.to(self.unet.dtype),
                "time_ids": torch.tensor(
                    [size, size, 0, 0, size, size], device=noisy.device
                ).expand(len(noisy), -1),
            }
        return self.unet(noisy, times, prompt, added_cond_kwargs=added).sample

    def _pooled_width(self) -> int | None:
        """Returns the width of the pooled vector that the UNet adds to its time embedding, together
        with six embedded numbers; None where it adds none."""
        config = self.unet.config
        if config.addition_embed_type != "text_time":
            return None
        return config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim


def weighted_mean(errors: Tensor, weights: Tensor) -> Tensor:
    """Computes the mean, a scalar, of errors [B, c, h, w] whose places have weights [B, h, w].

    Weights count relative to one another within a picture, so all pictures count alike.
    """
    return (errors * (weights / weights.mean((1, 2), keepdim=True))[:, None]).mean()
