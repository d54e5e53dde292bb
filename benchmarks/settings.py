"""Settings of a run of the benchmarks: what is measured, on what, and how thoroughly."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

POLICIES = ("multimodal", "dense")  # the first also generates freely


@dataclass(frozen=True)
class Settings:
    """What is measured, on what, and how thoroughly."""

    runs: tuple[str, ...]  # folders of trained runs
    data: str  # dataset
    sample: str  # that it was made from; "" for other films, without ground truth
    out: str  # the report's folder
    seed: int = 0
    policies: tuple[str, ...] = POLICIES
    illustrated: tuple[tuple[str, str], ...] = ()  # name and folder of other generators' stories
    told: tuple[tuple[str, str], ...] = ()
    datasets: tuple[str, ...] = ()  # more of them, for the table of datasets
    clip: str = ""  # open_clip's MODEL[:WEIGHTS], beside the sample-trained encoders
    inception: str = ""  # file with its weights, or "hub"
    language_model: str = ""  # "" for the embedded one
    judges: tuple[str, ...] = ()  # lines of backends
    judge_prices: tuple[tuple[float, ...], ...] = ()  # a million tokens in and out, of each
    budget: float | None = None
    repeats: int = 1
    tales: int | None = None  # of story-checks that judges are asked about, all by default
    thorough: bool = False  # long stories and speed as in the docs: an hour
    peak: float = 0.0  # of the device, TFLOP/s, 0 where it is not known
    film: str = ""  # that keyframes are timed on, else the sample's

    @property
    def cache(self) -> str:
        """Folder of features of pictures, for later runs."""
        return str(Path(self.data, ".benchmarks"))
