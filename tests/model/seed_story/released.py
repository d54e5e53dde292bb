"""Files in the layout in which SEED-Story's weights are released, small and with random weights."""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import AutoConfig, AutoModelForCausalLM

from model import tokens
from model.resampler import grid_positions
from tests.model.test_detokenizer import POOLED, UNET, VAE
from tests.model.tiny import TEXTS

PICTURE, PATCH = 64, 2  # pixels; 32 x 32 patches, as in 448 pixels of 14
VIT, BLOCKS, INNER, OUT = 208, 2, 64, 256  # two heads of 104, two of 128 in the pool
HIDDEN, LAYERS, HEADS = 64, 2, 4
IMAGE_TOKENS, RESAMPLER_HEADS, RANK = 4, 4, 2
WIDTH, DEPTH, QUERIES, STREAMS, POOLED_WIDTH = 128, 2, 4, [8, 12], 10
PROJECTIONS = {
    "self_attn": ["q_proj", "k_proj", "v_proj", "o_proj"],
    "mlp": ["gate_proj", "up_proj", "down_proj"],
}
SETTINGS = [
    f"model.vision.image_size={PICTURE}",
    f"model.story.resampler_heads={RESAMPLER_HEADS}",
    "model.detokenizer.image_size=16",
    "model.detokenizer.steps=3",
    "1-detokenizer.train.precision=fp32",
    "2-story.train.precision=fp32",
    "3-adaptation.train.precision=fp32",
]


class Dice:
    """Draws weights."""

    def __init__(self, seed=0):
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, *shape, scale=None):
        scale = shape[-1] ** -0.5 if scale is None else scale
        return torch.randn(*shape, generator=self.generator) * scale

    def norm(self, name, width, bias=True):
        ends = {f"{name}.weight": 1 + self(width, scale=0.1)}
        return ends | ({f"{name}.bias": self(width, scale=0.1)} if bias else {})

    def linear(self, name, out, width):
        return {f"{name}.weight": self(out, width), f"{name}.bias": self(out, scale=0.1)}


def resampler(dice, prefix, side, width, kv):
    named = {
        "pos_embed": grid_positions(side, width),
        "query": dice(side * side, width, scale=0.5),
        "attn.in_proj_weight": dice(3 * width, width),
        "attn.in_proj_bias": dice(3 * width, scale=0.1),
        "attn.out_proj.weight": dice(width, width, scale=0.3 * width**-0.5),
        "attn.out_proj.bias": dice(width, scale=0.1),
        **dice.norm("ln_q", width),
        **dice.norm("ln_kv", width),
    }
    if kv != width:
        named["kv_proj.weight"] = dice(width, kv)
    return {prefix + name: weight for name, weight in named.items()}


def vit():
    dice = Dice(1)
    found = {
        "positional_embedding": dice(256, VIT, scale=0.3),
        "conv1.weight": dice(VIT, 3, PATCH, PATCH, scale=0.3),
        "proj": dice(OUT, OUT, scale=0.02),
        **dice.norm("ln_pre", VIT),
        **dice.norm("ln_post", OUT),
        **resampler(dice, "attn_pool.", 16, OUT, VIT),
    }
    for number in range(BLOCKS):
        block = f"transformer.resblocks.{number}."
        found |= dice.norm(f"{block}ln_1", VIT) | dice.norm(f"{block}ln_2", VIT)
        found |= dice.linear(f"{block}attn.in_proj", 3 * VIT, VIT)
        found |= dice.linear(f"{block}attn.out_proj", VIT, VIT)
        found |= dice.linear(f"{block}mlp.c_fc", INNER, VIT)
        found |= dice.linear(f"{block}mlp.c_proj", VIT, INNER)
    return found


def agent(llm, words, base=True):
    """The agent's state_dict, as peft 0.4 names it, for a language model's own."""
    dice, root = Dice(2), "llm.base_model.model."
    found = {}
    for name, weight in llm.items():
        stem = root + name.removesuffix(".weight")
        if name in ("model.embed_tokens.weight", "lm_head.weight"):
            found[root + name] = dice(words, HIDDEN, scale=0.3)
        elif "norm" in name:
            found[f"{stem}.original_module.weight"] = weight
            found[f"{stem}.modules_to_save.default.weight"] = 1 + dice(HIDDEN, scale=0.1)
        else:
            if base:
                found[f"{stem}.weight"] = weight
            found[f"{stem}.lora_A.default.weight"] = dice(RANK, weight.shape[1])
            found[f"{stem}.lora_B.default.weight"] = dice(weight.shape[0], RANK, scale=0.02)
    for number in range(LAYERS):
        found[f"{root}model.layers.{number}.self_attn.rotary_emb.inv_freq"] = torch.ones(8)
    found |= resampler(dice, "input_resampler.", 2, HIDDEN, OUT)
    return found | resampler(dice, "output_resampler.", 16, OUT, HIDDEN)


def detokenizer(unet):
    dice = Dice(3)
    inner = {
        "latents": dice(1, QUERIES, WIDTH, scale=0.5),
        **dice.linear("proj_in", WIDTH, OUT),
        **dice.norm("norm_out", WIDTH),
        **dice.linear("unet_proj_1", STREAMS[0], WIDTH),
        **dice.linear("unet_proj_2", STREAMS[1], WIDTH),
        "unet_attnpool.positional_embedding": dice(QUERIES + 1, WIDTH),
        **dice.linear("unet_attnpool.k_proj", WIDTH, WIDTH),
        **dice.linear("unet_attnpool.q_proj", WIDTH, WIDTH),
        **dice.linear("unet_attnpool.v_proj", WIDTH, WIDTH),
        **dice.linear("unet_attnpool.c_proj", POOLED_WIDTH, WIDTH),
    }
    for number in range(DEPTH):
        layer = f"layers.{number}."
        inner |= dice.norm(f"{layer}0.norm1", WIDTH) | dice.norm(f"{layer}0.norm2", WIDTH)
        inner |= dice.norm(f"{layer}1.0", WIDTH)
        inner |= {
            f"{layer}0.to_q.weight": dice(WIDTH, WIDTH),
            f"{layer}0.to_kv.weight": dice(2 * WIDTH, WIDTH),
            f"{layer}0.to_out.weight": dice(WIDTH, WIDTH),
            f"{layer}1.1.weight": dice(4 * WIDTH, WIDTH),
            f"{layer}1.3.weight": dice(WIDTH, 4 * WIDTH),
        }
    trained = (".to_k.weight", ".to_v.weight")
    return {f"resampler.{name}": weight for name, weight in inner.items()} | {
        f"unet.{name}": weight + dice(*weight.shape) * name.endswith(trained)
        for name, weight in unet.items()
    }


def write(folder, base=True, dtype=torch.float32):
    """Writes all files and folders; returns them as arguments of the import, by name."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = tokens.train(TEXTS * 5, 400)
    plain = len(tokenizer)
    tokens.with_pictures(tokenizer, IMAGE_TOKENS)
    tokenizer.save_pretrained(folder / "tokenizer")
    torch.manual_seed(0)
    sizes = dict(
        hidden_size=HIDDEN,
        intermediate_size=96,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        vocab_size=plain,
        rms_norm_eps=1e-5,
        max_position_embeddings=4096,
        initializer_range=0.12,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    llm = AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", **sizes)).to(dtype)
    llm.save_pretrained(folder / "llm")
    unet = UNet2DConditionModel.from_config(UNET | POOLED)
    unet.save_pretrained(folder / "sdxl" / "unet")
    vae = AutoencoderKL.from_config(VAE | {"in_channels": 3, "out_channels": 3})
    vae.save_pretrained(folder / "sdxl" / "vae")
    files = {
        "agent": agent(llm.state_dict(), len(tokenizer), base),
        "detokenizer": detokenizer(unet.state_dict()),
        "vit": vit(),
    }
    for name, weights in files.items():
        torch.save(
            {key: weight.to(dtype) for key, weight in weights.items()}, folder / f"{name}.bin"
        )
    return paths(folder)


def paths(folder):
    """Returns the arguments of the import of a folder that was written, by name."""
    files = {name: folder / f"{name}.bin" for name in ("agent", "detokenizer", "vit")}
    return files | {name: folder / name for name in ("llm", "sdxl", "tokenizer")}


def arguments(paths, out, settings=SETTINGS):
    """The command line of an import."""
    given = [text for name, path in paths.items() for text in (f"--{name}", str(path))]
    chosen = [text for setting in settings for text in ("--set", setting)]
    return ["import", "seed-story", *given, *chosen, str(out)]
