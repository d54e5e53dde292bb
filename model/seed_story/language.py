"""The language model with SEED-Story's adapters merged into it, and its two resamplers.

The agent's file has the adapters, the norms and both embeddings, which were trained, and the base
model or not. Names are those of peft: `base_layer` and `default` may be in them or not, by its
version.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM

from model.config import ConfigError, naming
from model.seed_story import files, names

ALPHA = 32  # of the adapters: their product is scaled by ALPHA / rank
_LLM = "llm.base_model.model."
_RESAMPLERS = {"reader": "input_resampler.", "painter": "output_resampler."}
_DROPPED = re.compile(r".*(\.original_module\..*|\.rotary_emb\.inv_freq)")


class LanguageModel(Mapping[str, Tensor]):
    """The weights of the language model by name, each merged with its adapter when it is asked
    for, unless adapters are kept.

    Files are mapped again after as many bytes as a file that is written has: the pages that were
    read would stay in memory until the system is short of it.
    """

    def __init__(self, agent: Path, folder: Path, config: Any, keep: bool = False) -> None:
        """Raises ConfigError where names are missing or unknown in the agent's file or the folder
        of the language model."""
        self.agent, self.folder, self.keep = agent, folder, keep
        with torch.device("meta"):
            empty = AutoModelForCausalLM.from_config(config)
        self.shapes = {name: weight.shape for name, weight in empty.named_parameters()}
        self._map()
        names.check(
            folder,
            self.frozen,
            self.shapes,
            "give the folder of the language model that it was trained from, Llama-2-7b-hf",
        )
        self.dtype = next(iter(self.frozen.values())).dtype
        self._check(empty)

    def _map(self) -> None:
        self.trained = _kept(names.below(_LLM, files.read(self.agent)))
        self.frozen = _kept(files.read_folder(self.folder))
        self.given = 0  # bytes

    def __len__(self) -> int:
        return len(self.shapes)

    def __iter__(self) -> Iterator[str]:
        return iter(self.shapes)

    def __getitem__(self, name: str) -> Tensor:
        if self.given > files.LARGEST:
            self._map()
        stem = name.removesuffix(".weight")
        weight = next(
            (self.trained[key] for key in _keys(stem) if key in self.trained), self.frozen[name]
        )
        down, up = (self.trained.get(key) for key in _adapters(stem))
        if down is not None and up is not None and not self.keep:
            scale = ALPHA / len(down)
            weight = weight.float() + scale * (up.float() @ down.float())
        if weight.shape != self.shapes[name]:
            raise ConfigError(
                f"{self.agent}: {name} has the shape {list(weight.shape)}, that of the language "
                f"model is {list(self.shapes[name])}: give the folder that it was trained from"
            )
        weight = weight.to(self.dtype)
        self.given += weight.nbytes
        return weight

    def adapters(self) -> dict[str, Tensor]:
        """Returns the adapters, by the names that they have in our story model."""
        return {_LLM + name: weight for name, weight in self.trained.items() if ".lora_" in name}

    def rank(self) -> int:
        """Returns the rank of the adapters."""
        return next(len(weight) for name, weight in self.trained.items() if ".lora_A." in name)

    def _check(self, empty: Any) -> None:
        """Checks the names of the agent's file: both embeddings, all norms and all adapters have to
        be there, the rest of the base model may."""
        wanted, allowed = set(), set()
        output = empty.get_output_embeddings()
        for stem, part in empty.named_modules():
            if f"{stem}.weight" not in self.shapes:
                continue
            have = [key for key in _keys(stem) if key in self.trained]
            if isinstance(part, torch.nn.Linear) and part is not output:
                wanted.update(_adapters(stem))
                allowed.update(have)
            else:  # the last of them is what was trained: a norm may be there before training too
                wanted.add(have[0] if have else f"{stem}.weight")
                allowed.update(have)
        names.check(
            self.agent,
            [_LLM + name for name in self.trained],
            [_LLM + name for name in wanted | (allowed & set(self.trained))],
            "give the pytorch_model.bin of an agent of SEED-Story, with its adapters",
        )


def _kept(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: weight for name, weight in weights.items() if not _DROPPED.fullmatch(name)}


def _keys(stem: str) -> list[str]:
    """Returns the names that a weight may have, the trained one first."""
    return [f"{stem}.modules_to_save.default.weight", f"{stem}.base_layer.weight", f"{stem}.weight"]


def _adapters(stem: str) -> list[str]:
    return [f"{stem}.lora_{part}.default.weight" for part in "AB"]


def config_of(folder: Path, agent: Path) -> Any:
    """Reads the config of a folder with a language model, for as many words as the agent has.

    Raises ConfigError.
    """
    with naming("--llm", str(folder)):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    embedding = files.read(agent).get(f"{_LLM}model.embed_tokens.weight")
    if embedding is None:
        raise ConfigError(
            f"{agent} has no {_LLM}model.embed_tokens.weight: give the pytorch_model.bin of an "
            "agent of SEED-Story"
        )
    config.vocab_size, config.tie_word_embeddings = len(embedding), False
    return config


def resamplers(agent: Path) -> tuple[dict[str, Tensor], dict[str, int]]:
    """Reads the agent's resamplers; returns our weights by name, and the numbers of tokens of
    `model.story` and `model.vision`.

    Raises ConfigError for names that are missing or unknown.
    """
    theirs = {
        name: weight for name, weight in files.read(agent).items() if not name.startswith(_LLM)
    }
    ours = {
        f"{part}.{name}": weight
        for part, prefix in _RESAMPLERS.items()
        for name, weight in names.resampler(agent, prefix, theirs).items()
    }
    known = [name for name in theirs if name.startswith(tuple(_RESAMPLERS.values()))]
    names.check(agent, theirs, known, "this is no agent of SEED-Story")
    return ours, {
        "image_tokens": len(ours["reader.queries"]),
        "tokens": len(ours["painter.queries"]),
    }
