"""SEED-Story computed from the released weights by name, by hand: what an import has to equal.

Written from the papers and the published layout, in formulas that differ from the project's: no
module of it, adapters beside their matrices, no cache, attention as sums.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from tests.model.seed_story import released

MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def norm(values, weights, name, epsilon):
    width = weights[f"{name}.weight"].shape
    ends = (weights[f"{name}.weight"], weights[f"{name}.bias"])
    return functional.layer_norm(values, width, *ends, epsilon)


def linear(values, weights, name):
    out = values @ weights[f"{name}.weight"].T
    return out + weights[f"{name}.bias"] if f"{name}.bias" in weights else out


def attend(q, k, v, heads, mask=None):
    """[B, n, width] each -> [B, n, width]"""
    q, k, v = (part.unflatten(-1, (heads, -1)) for part in (q, k, v))
    scores = torch.einsum("bihd,bjhd->bhij", q, k) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return torch.einsum("bhij,bjhd->bihd", scores.softmax(-1), v).flatten(2)


def sines(side, width):
    """Positions, column first: [side * side, width]."""
    wave = torch.arange(width // 4).double() / (width // 4)
    angle = torch.arange(side).double()[:, None] / 10000**wave
    line = torch.cat([angle.sin(), angle.cos()], 1).float()
    return torch.cat([line.repeat(side, 1), line.repeat_interleave(side, 0)], 1)


def stretched(table, count):
    old, new = math.isqrt(len(table)), math.isqrt(count)
    square = table.reshape(1, old, old, -1).permute(0, 3, 1, 2)
    wide = functional.interpolate(square, size=(new, new), mode="bicubic", align_corners=False)
    return wide.permute(0, 2, 3, 1).flatten(0, 2)


def resampled(weights, values, heads, epsilon):
    queries = norm(weights["query"], weights, "ln_q", epsilon)
    table = sines(math.isqrt(len(queries)), queries.shape[1])
    if "kv_proj.weight" in weights:
        values = values @ weights["kv_proj.weight"].T
    values = norm(values, weights, "ln_kv", epsilon)
    q, k, v = (
        part @ matrix.T + bias
        for part, matrix, bias in zip(
            (
                (queries + table).expand(len(values), -1, -1),
                values + stretched(table, values.shape[1]),
                values,
            ),
            weights["attn.in_proj_weight"].chunk(3),
            weights["attn.in_proj_bias"].chunk(3),
            strict=True,
        )
    )
    return linear(attend(q, k, v, heads), weights, "attn.out_proj")


def below(weights, prefix):
    return {n.removeprefix(prefix): w for n, w in weights.items() if n.startswith(prefix)}


def features(vit, pictures):
    """Encodes normalised pictures [B, 3, H, W]."""
    values = functional.conv2d(pictures, vit["conv1.weight"], stride=released.PATCH)
    values = values.flatten(2).transpose(1, 2)
    values = values + stretched(vit["positional_embedding"], values.shape[1])
    values = norm(values, vit, "ln_pre", 1e-6)
    heads = released.VIT // 104
    for number in range(released.BLOCKS):
        block = below(vit, f"transformer.resblocks.{number}.")
        mixed = linear(norm(values, block, "ln_1", 1e-6), block, "attn.in_proj")
        each = mixed.unflatten(-1, (heads, 3, 104))  # a head's query, key and value lie together
        q, k, v = (each[..., part, :].flatten(2) for part in range(3))
        values = values + linear(attend(q, k, v, heads), block, "attn.out_proj")
        inner = functional.gelu(linear(norm(values, block, "ln_2", 1e-6), block, "mlp.c_fc"))
        values = values + linear(inner, block, "mlp.c_proj")
    pooled = resampled(below(vit, "attn_pool."), values, released.OUT // 128, 1e-6)
    return norm(pooled, vit, "ln_post", 1e-6) @ vit["proj"]


def normalised(pictures):
    """uint8 [B, H, W, 3] -> [B, 3, H, W]"""
    values = torch.as_tensor(pictures).permute(0, 3, 1, 2) / 255
    return (values - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(DEVIATION).view(3, 1, 1)


class Agent:
    """The story model."""

    def __init__(self, weights, base):
        """`weights` of the agent, `base` of the language model that it was trained from."""
        self.weights = weights
        self.llm = below(weights, "llm.base_model.model.")
        self.base = base

    def words(self, ids):
        return self.llm["model.embed_tokens.weight"][ids]

    def read(self, pictures):
        inside = below(self.weights, "input_resampler.")
        return resampled(inside, pictures, released.RESAMPLER_HEADS, 1e-5)

    def painted(self, hidden):
        inside = below(self.weights, "output_resampler.")
        return resampled(inside, hidden, released.RESAMPLER_HEADS, 1e-5)

    def projected(self, values, name):
        down, up = (self.llm[f"{name}.lora_{part}.default.weight"] for part in "AB")
        return values @ self.base[f"{name}.weight"].T + (values @ down.T) @ up.T * (
            32 / released.RANK
        )

    def rms(self, values, name):
        scale = self.llm[f"{name}.modules_to_save.default.weight"]
        return scale * values / (values.square().mean(-1, keepdim=True) + 1e-5).sqrt()

    def hidden(self, vectors):
        """[1, n, hidden] -> the last hidden states"""
        count, size = vectors.shape[1], released.HIDDEN // released.HEADS
        angle = torch.arange(count)[:, None] / 10000 ** (torch.arange(0, size, 2) / size)
        turn = torch.polar(torch.ones_like(angle), angle)[None, :, None]

        def rotated(values):
            first, second = values.unflatten(-1, (released.HEADS, -1)).chunk(2, -1)
            both = torch.complex(first, second) * turn
            return torch.cat([both.real, both.imag], -1).flatten(2)

        mask = torch.ones(count, count, dtype=torch.bool).tril()
        for number in range(released.LAYERS):
            at = f"model.layers.{number}."
            normed = self.rms(vectors, f"{at}input_layernorm")
            q, k, v = (self.projected(normed, f"{at}self_attn.{part}_proj") for part in "qkv")
            seen = attend(rotated(q), rotated(k), v, released.HEADS, mask)
            vectors = vectors + self.projected(seen, f"{at}self_attn.o_proj")
            normed = self.rms(vectors, f"{at}post_attention_layernorm")
            gate, up = (self.projected(normed, f"{at}mlp.{part}_proj") for part in ("gate", "up"))
            inner = functional.silu(gate) * up
            vectors = vectors + self.projected(inner, f"{at}mlp.down_proj")
        return self.rms(vectors, "model.norm")

    def scores(self, vectors):
        """Of the next token, [words]."""
        return self.hidden(vectors)[0, -1] @ self.llm["lm_head.weight"].T


def prompt(weights, values):
    """The perceiver: prompt embeddings and the pooled vector of features [B, n, OUT]."""
    heads = released.WIDTH // 64
    values = values / values.square().sum(1, keepdim=True).sqrt()  # over the tokens
    values = linear(values, weights, "proj_in")
    latents = weights["latents"].expand(len(values), -1, -1)
    for number in range(released.DEPTH):
        layer = below(weights, f"layers.{number}.")
        normed = norm(latents, layer, "0.norm2", 1e-5)
        both = torch.cat([norm(values, layer, "0.norm1", 1e-5), normed], 1)
        k, v = linear(both, layer, "0.to_kv").chunk(2, -1)
        seen = attend(linear(normed, layer, "0.to_q"), k, v, heads)
        latents = latents + linear(seen, layer, "0.to_out")
        inner = linear(norm(latents, layer, "1.0", 1e-5), layer, "1.1")
        latents = latents + linear(functional.gelu(inner), layer, "1.3")
    latents = norm(latents, weights, "norm_out", 1e-5)
    both = torch.cat([linear(latents, weights, f"unet_proj_{part}") for part in (1, 2)], -1)
    pool = below(weights, "unet_attnpool.")
    seen = torch.cat([latents.mean(1, keepdim=True), latents], 1) + pool["positional_embedding"]
    q, k, v = (linear(seen, pool, f"{part}_proj") for part in "qkv")
    return both, linear(attend(q, k, v, heads), pool, "c_proj")[:, 0]


def picture(weights, unet, vae, values, blank, size, steps, guidance, generator):
    """Paints features [1, n, OUT] with diffusers' UNet and autoencoder, by Euler's method."""
    beta = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    kept = (1 - beta).cumprod(0)
    noise_of = ((1 - kept) / kept).sqrt()
    times = [1 + 1000 // steps * number for number in reversed(range(steps))]
    sigmas = [float(noise_of[time]) for time in times] + [0.0]
    text, pooled = prompt(weights, torch.cat([blank, values]))
    side = size // 2 ** (len(vae.config.block_out_channels) - 1)
    latents = torch.randn(1, vae.config.latent_channels, side, side, generator=generator)
    latents = latents * math.sqrt(sigmas[0] ** 2 + 1)
    sizes = torch.tensor([[size, size, 0, 0, size, size]] * 2)
    for at, time in enumerate(times):
        scaled = (latents / math.sqrt(sigmas[at] ** 2 + 1)).expand(2, -1, -1, -1)
        given = {"text_embeds": pooled, "time_ids": sizes}
        empty, full = unet(scaled, time, text, added_cond_kwargs=given).sample.chunk(2)
        predicted = empty + guidance * (full - empty)
        latents = latents + predicted * (sigmas[at + 1] - sigmas[at])
    decoded = vae.decode(latents / vae.config.scaling_factor).sample[0]
    return ((decoded / 2 + 0.5).clamp(0, 1) * 255).permute(1, 2, 0)
