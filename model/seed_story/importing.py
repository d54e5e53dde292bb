"""Makes a run of SEED-Story's released weights.

    OUT/preset/, OUT/tokenizer/      as in any run
    OUT/imported/tower/              the visual tokenizer
    OUT/imported/llm/                the language model, adapters merged, with its tokenizer
    OUT/imported/story/              the resamplers on its two sides, and adapters that are kept
    OUT/imported/detokenizer/        the perceiver, and the keys and values of SD-XL's UNet
    OUT/imported/sources.json        digests of what was read and of what was written

SD-XL stays where it is: the preset names its folder. Weights keep the dtype that they have, merged
ones that of the language model.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, LlamaTokenizer, PreTrainedTokenizerBase

from model import checkpoints, config, qwen_vl, runs, tokens
from model.config import ConfigError, naming
from model.detokenizer import SCHEDULE
from model.runs import Run
from model.seed_story import files, language, painter, tower

PRESET = "seed-story"
IMPORTED = "imported"


@dataclass(frozen=True)
class Released:
    """Where the released weights are."""

    agent: Path
    detokenizer: Path
    vit: Path
    llm: Path  # folders from here on
    sdxl: Path
    tokenizer: Path


def run(
    sources: Released,
    out: Path,
    settings: Sequence[str] = (),
    keep_lora: bool = False,
    say: Callable[[str], None] = print,
) -> None:
    """Makes the run in the folder `out`, which must not be there yet, with `settings` of the preset
    as those of `config.read`; adapters of the language model are merged into it or kept apart.

    Raises ConfigError where a file is not what it should be; then nothing is left.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} is there already: give a new folder, or remove it")
    config.read(PRESET, settings)  # a setting that cannot be is said before the work
    fresh = out.with_name(f".{out.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        _make(sources, fresh, settings, keep_lora, say)
        checkpoints.replace(out, fresh)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    say(f"{out}: `python -m model generate --run {out} --image FILE --text TEXT` tells a story")


def _make(
    sources: Released,
    out: Path,
    settings: Sequence[str],
    keep_lora: bool,
    say: Callable[[str], None],
) -> None:
    imported = out / IMPORTED
    say("digests of the files")
    digests = _digests(sources)
    key = checkpoints.key(sorted(digests.values()))

    say(f"visual tokenizer: {sources.vit}")
    weights, sizes = tower.converted(sources.vit)
    files.write(imported / "tower", weights, weights)
    (imported / "tower" / qwen_vl.SIZES).write_text(json.dumps(sizes))

    say(f"language model: {sources.agent} and {sources.llm}")
    described = language.config_of(sources.llm, sources.agent)
    llm = language.LanguageModel(sources.agent, sources.llm, described, keep_lora)
    described.dtype = llm.dtype
    tokenizer = _tokenizer(sources.tokenizer)
    weights, counts = language.resamplers(sources.agent)
    tokens.with_pictures(tokenizer, counts["image_tokens"])
    if len(tokenizer) != described.vocab_size:
        raise ConfigError(
            f"{sources.tokenizer} has {len(tokenizer)} tokens with {counts['image_tokens']} for a "
            f"picture, and {sources.agent} has embeddings of {described.vocab_size}: give the "
            "tokenizer that it was trained with, cvlm_llama2_tokenizer"
        )
    files.write(imported / "llm", llm, llm)
    described.save_pretrained(imported / "llm")
    tokenizer.save_pretrained(imported / "llm")
    adapters = llm.adapters() if keep_lora else {}
    about = {"key": key, "adapters": keep_lora}
    checkpoints.save(imported / "story", weights | adapters, about)
    lora = {"rank": llm.rank(), "alpha": language.ALPHA} if keep_lora else None

    say(f"de-tokenizer: {sources.detokenizer} and {sources.sdxl}")
    weights, painted = painter.converted(sources.detokenizer, sources.sdxl)
    checkpoints.save(imported / "detokenizer", weights, {"key": key})

    made = Run(
        out,
        config.read(
            PRESET,
            [
                f"model.vision.tokens={counts['tokens']}",
                f"model.story.image_tokens={counts['image_tokens']}",
                f"model.story.input_tokens={counts['tokens']}",
                f"model.story.vocabulary={described.vocab_size}",
                f"model.story.lora={json.dumps(lora)}",
                f"model.detokenizer.model={json.dumps(str(sources.sdxl.resolve()))}",
                f"model.detokenizer.schedule={json.dumps(_schedule(sources.sdxl))}",
                *(f"model.detokenizer.{name}={value}" for name, value in painted.items()),
                *settings,
            ],
        ),
    )
    runs.write_preset(made)
    runs.make_tokenizer(made, [])
    written = sorted(path for path in imported.rglob("*.safetensors"))
    told = {
        "read": digests,
        "written": {str(path.relative_to(out)): files.digest(path) for path in written},
    }
    (imported / "sources.json").write_text(json.dumps(told, indent=1))


def _digests(sources: Released) -> dict[str, str]:
    """Returns the digests of all files with weights that are read, by path.

    Raises ConfigError where one is missing.
    """
    paths = []
    for name, path in vars(sources).items():
        single = name in ("agent", "detokenizer", "vit")
        if not (path.is_file() if single else path.is_dir()):
            raise ConfigError(f"--{name} {path} is no {'file' if single else 'folder'}")
        if single:
            paths.append(path)
    paths += files.paths(sources.llm)
    paths += files.paths(sources.sdxl / "unet")
    return {str(path): files.digest(path) for path in paths}


def _tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Loads a tokenizer in the layout of transformers, or Llama's with no more than sentencepiece's
    tokenizer.model. Raises ConfigError."""
    with naming("--tokenizer", str(folder)):
        if (folder / "tokenizer.json").is_file():
            return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        if not (folder / "tokenizer.model").is_file():
            raise OSError("it has neither a tokenizer.json nor a tokenizer.model")
        about = folder / "tokenizer_config.json"
        said = json.loads(about.read_text()) if about.is_file() else {}
        # Earlier versions of transformers, which SEED-Story's is, take this for granted: a space
        # before each text between special tokens
        legacy = said.get("legacy", True)
        tokenizer = LlamaTokenizer.from_pretrained(folder, legacy=legacy)
        tokenizer.init_kwargs["legacy"] = legacy  # else it is not saved
        return tokenizer


def _schedule(sdxl: Path) -> dict[str, Any]:
    """Returns what a folder's noise schedule says other than SD-XL's."""
    path = sdxl / "scheduler" / "scheduler_config.json"
    said = json.loads(path.read_text()) if path.is_file() else {}
    return {
        name: said[name] for name in SCHEDULE if said.get(name, SCHEDULE[name]) != SCHEDULE[name]
    }
