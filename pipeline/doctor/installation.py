"""Finds the packages that are installed, those of each extra, and those that do not load."""

from __future__ import annotations

import importlib
import importlib.metadata
import platform
import re
from collections.abc import Iterator

from pipeline.doctor.finding import INSTALL, Finding

_PACKAGE = "storystream"
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


def packages() -> Iterator[Finding]:
    """Yields the versions of what a dataset needs, and each package of it that is missing."""
    python = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    yield Finding(True, f"{_PACKAGE} {_version(_PACKAGE) or '(not installed)'} on {python}")
    required = _required("") or _SHOWN
    for name in required:
        if not _version(name):
            yield Finding(False, f"package {name}", INSTALL)
        elif fault := _fault(_LOADED.get(name, "")):
            yield Finding(
                False, f"{name}, which does not load: {fault}", f"reinstall it: {INSTALL}"
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
