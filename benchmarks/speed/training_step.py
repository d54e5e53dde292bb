"""What a training step of the story stage costs, and a turn that it supervises.

A chunk of 10 moments has 9 turns to learn from. Three ways to do so, on the same model:

- every turn in one pass over the chunk (`model.sequence`), which is ours;
- one pass a turn, whose gradients added up are the same;
- one turn a step, drawn at random, and the moments before it: the released loader.

What is compared is the time that a supervised turn takes. Ours computes attention through PyTorch's
fused kernel; the same steps with it spelled out in matrices, as stages train on a CPU, stand
beside. The model has random weights and the chunks are made up: what they say costs nothing.
"""

from __future__ import annotations

import itertools
import random
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.results.tables import Cell, Column, Table
from benchmarks.timing import about, clocked, ratio, spread, timed
from model import config, precision, runs, sequence, stages, story_lm, vision
from model.config import Preset
from model.features import Chunk
from model.story_lm import StoryLM
from model.tokens import Vocabulary
from schemas.rows import CHUNK_LENGTH

WORDS = 24  # tokens of a text
_STEPS = 3  # with a random turn, a round: a late turn takes far longer than an early one
OURS, EACH, RELEASED = (
    "every turn in one pass",
    "one pass a turn",
    "one random turn (the released loader)",
)
SPELLED_OUT = "every turn in one pass, attention spelled out"
_PEERS = {
    "one pass a turn": EACH,
    "the released loader": RELEASED,
    "attention spelled out": SPELLED_OUT,
}
Batch = tuple[sequence.Layout, Tensor]  # and the features of all pictures


def run(preset: str = "tiny", rounds: int = 3, batch: int = 0, peak: float = 0.0) -> list[Table]:
    """Measures the story stage of a preset, on the GPU where there is one.

    `batch` is in chunks, 0 for the preset's; `peak` is the device's in TFLOP/s at the preset's
    precision, to show the share of it that is used, 0 to leave that out.
    """
    settings = config.read(preset)
    train = next(stage for stage in settings.stages.values() if stage.stage == "story").train
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model, vocabulary, width = build(settings)
    model.to(device).train()
    optimizer = torch.optim.AdamW(
        [weights for weights in model.parameters() if weights.requires_grad], lr=1e-6, fused=True
    )
    chunks = made_up(batch or train.batch, width, settings.model.vision.tokens)
    drawn = itertools.cycle(random.Random(0).sample(range(1, CHUNK_LENGTH), CHUNK_LENGTH - 1))
    computes_in = precision.chosen(train.precision, device)

    def every() -> Iterable[Batch]:
        """Yields one pass that supervises every turn."""
        return [stages.laid_out(chunks, vocabulary, "every", device)]

    def one_by_one() -> Iterable[Batch]:
        """Yields a pass per turn."""
        return (
            ending(chunks, [turn] * len(chunks), vocabulary, device)
            for turn in range(1, CHUNK_LENGTH)
        )

    def any_one() -> Iterable[Batch]:
        """Yields a pass with one random turn per chunk."""
        return [ending(chunks, [next(drawn) for _ in chunks], vocabulary, device)]

    def step(passes: Callable[[], Iterable[Batch]]) -> Callable[[], None]:
        """Returns a training step of the passes."""

        def one() -> None:
            for layout, features in passes():
                with torch.autocast(device.type, torch.bfloat16, enabled=computes_in == "bf16"):
                    loss = model(layout, features).loss
                loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), train.clip)
            optimizer.step()
            optimizer.zero_grad()
            if device.type == "cuda":
                torch.cuda.synchronize()

        return one

    def spelled_out() -> None:
        """Runs a step with attention as matrix products."""
        with sdpa_kernel(SDPBackend.MATH):
            step(every)()

    def several() -> None:
        """Runs several steps with random turns."""
        for _ in range(_STEPS):
            step(any_one)()

    tools = {OURS: step(every), EACH: step(one_by_one), RELEASED: several, SPELLED_OUT: spelled_out}
    seconds = timed({name: clocked(tool) for name, tool in tools.items()}, rounds)
    seconds[RELEASED] = [time / _STEPS for time in seconds[RELEASED]]
    moment = len(vocabulary.turn) + WORDS + len(vocabulary.image) + 2  # tokens
    turns = {name: len(chunks) * (1 if name == RELEASED else CHUNK_LENGTH - 1) for name in tools}
    with FlopCounterMode(display=False) as counter:
        tools[OURS]()
    each = {name: [time / turns[name] for time in found] for name, found in seconds.items()}
    cells: dict[str, dict[str, Cell]] = {
        name: {
            "step": spread(seconds[name]),
            "pictures/s": spread([1 / time for time in each[name]]),
            "tokens/s": spread([turns[name] * moment / time for time in seconds[name]]),
        }
        for name in tools
    }
    cells[OURS] |= {
        f"time per turn relative to {peer}": ratio(each[OURS], each[name])
        for peer, name in _PEERS.items()
    }
    flops = [counter.get_total_flops() / time / 1e12 for time in seconds[OURS]]
    cells[OURS]["TFLOP/s"] = spread(flops)
    if peak and device.type == "cuda":
        cells[OURS]["of the device's peak"] = spread([rate / peak for rate in flops])
    columns = [
        Column("step", unit="s"),
        Column("pictures/s", digits=1),
        Column("tokens/s", digits=0),
        *(Column(f"time per turn relative to {peer}", "lower", digits=2) for peer in _PEERS),
        Column("TFLOP/s"),
        Column("of the device's peak", "higher", "%", 0),
    ]
    shown = tuple(column for column in columns if any(column.name in row for row in cells.values()))
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    return [
        Table(
            "training-step",
            f"A training step of {preset}'s story stage, {len(chunks)} chunks",
            "turns",
            shown,
            cells,
            "Pictures and tokens are those that are learned: of supervised turns, and once "
            "each, however often a pass reads them as the past of others. The released loader "
            "pads every story to 1,280 tokens, which is not counted against it here. Turns of "
            "one chunk are less varied than turns of many: the ratio is of time, not of "
            "learning. FLOPs are those of matrices and attention, forward and backward, as "
            "PyTorch counts them.",
            about(
                "torch",
                "transformers",
                preset=preset,
                device=name,
                chunks=len(chunks),
                words=f"{WORDS} tokens per text",
                precision=computes_in,
            ),
        )
    ]


def build(settings: Preset) -> tuple[StoryLM, Vocabulary, int]:
    """Builds a preset's story model, with random weights unless it names a language model; also
    returns the vocabulary and the width of the image encoder's features."""
    seen = settings.model.vision
    with tempfile.TemporaryDirectory(prefix="storystream-bench-") as folder:
        run = runs.Run(Path(folder), settings)
        runs.make_tokenizer(run, ["Pip and Momo walk to the old mill by the river."])
        tokenizer, vocabulary = runs.tokenizer(run)
    torch.manual_seed(0)
    encoder: Any = vision.make(seen.towers).visual if seen.towers else vision.load(seen)
    width = vision.width(encoder)
    return (
        story_lm.build(settings.model.story, vocabulary, len(tokenizer), width, seen.tokens),
        vocabulary,
        width,
    )


def made_up(count: int, width: int, tokens: int) -> list[Chunk]:
    """Makes chunks whose texts are random words and whose pictures have random features."""
    dice = torch.Generator().manual_seed(0)
    return [
        Chunk(
            "",
            [],
            torch.randint(3, 200, (CHUNK_LENGTH, WORDS), generator=dice).tolist(),
            torch.randn(CHUNK_LENGTH, tokens, width, generator=dice),
            torch.empty(0),
            torch.empty(0),
        )
        for _ in range(count)
    ]


def ending(
    chunks: Sequence[Chunk], turns: Sequence[int], vocabulary: Vocabulary, device: torch.device
) -> Batch:
    """Returns chunks up to a turn each, which alone is supervised."""
    layouts = [
        sequence.lay_out(chunk.ids, vocabulary, [turn])
        for chunk, turn in zip(chunks, turns, strict=True)
    ]
    seen = [chunk.features[: turn + 1] for chunk, turn in zip(chunks, turns, strict=True)]
    return sequence.together(layouts, list(map(len, seen))).to(device), torch.cat(seen).to(device)
