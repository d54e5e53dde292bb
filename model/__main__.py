"""`python -m model`: trains the story model, plans its memory, and generates stories with it."""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from model.config import POLICIES
from model.terminal import left, print_anywhere, telling


def main(argv: Sequence[str] | None = None, prog: str = "python -m model") -> int:
    """Runs one command and returns its exit code; 2 for a wrong call, 130 for Ctrl-C. `prog`
    is how usage lines call this program."""
    print_anywhere()
    arguments = _parser(prog).parse_args(argv)
    warnings.filterwarnings("ignore", category=FutureWarning)
    from model.config import ConfigError
    from model.data import DataError
    from model.generate import StartError
    from model.ranks import FailedElsewhere, ProcessLost
    from model.runs import Busy, NotTrained
    from model.train import Interrupted, TrainingStopped

    try:
        return int(arguments.command(arguments))
    except (Busy, ConfigError, DataError, NotTrained, StartError) as error:
        print(error, file=sys.stderr)
        return 2
    except FailedElsewhere:  # which has said why
        return 1
    except (ProcessLost, TrainingStopped) as error:
        print(error, file=sys.stderr)
        return 1
    except Interrupted as message:
        print(message, file=sys.stderr)
        return 130


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    train = commands.add_parser("train", help="trains the stages of a preset in order")
    train.set_defaults(command=_train)
    train.add_argument("preset", help="tiny, pretrained, small, paper, or a folder of such files")
    train.add_argument(
        "--data", default="data/dataset", help="folder of `make dataset`, or its s3:// or gs://"
    )
    train.add_argument("--run", default="data/run", help="folder for all that is trained")
    train.add_argument("--stage", help="only this stage, by its file: 2-story")
    train.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FILE.NAME=VALUE",
        help="a setting, such as 2-story.train.steps=100",
    )
    plan = commands.add_parser(
        "plan", help="computes the memory that each stage of a preset takes, without its weights"
    )
    plan.set_defaults(command=_plan)
    plan.add_argument("preset", help="as for train")
    plan.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FILE.NAME=VALUE",
        help="a setting, such as 2-story.train.batch=1",
    )
    generate = commands.add_parser(
        "generate", help="generates a story from a picture and a sentence, as a storybook"
    )
    generate.set_defaults(command=_generate)
    generate.add_argument("--run", default="data/run", help="folder of a trained run")
    generate.add_argument(
        "--image",
        help="the first picture; by default, that of the first held-out chunk of the dataset",
    )
    generate.add_argument(
        "--text",
        action="append",
        default=[],
        help="the first sentence; several give as many stories, with the same first picture",
    )
    generate.add_argument(
        "--texts",
        metavar="FILE",
        help="the sentences that follow, one per "
        "line, to be illustrated; empty or missing ones are generated",
    )
    generate.add_argument(
        "--data",
        default="data/dataset",
        help="folder of `make dataset`, for stories without --image",
    )
    generate.add_argument(
        "--images",
        type=_within(int, 1),
        help="pictures to generate (default: "
        "one per line of --texts, else 9: with the first, 10 as in training)",
    )
    generate.add_argument("--out", default="data/story", help="folder for the storybook")
    generate.add_argument("--seed", type=int, default=0, help="the same for all stories")
    generate.add_argument(
        "--temperature",
        type=_within(float, 0),
        default=0.7,
        help="of sampling tokens; 0 for greedy decoding",
    )
    generate.add_argument(
        "--top-p",
        type=_within(float, 0, 1),
        default=0.9,
        help="nucleus sampling: share of the most probable tokens",
    )
    generate.add_argument("--guidance", type=float, help="scale of classifier-free guidance")
    generate.add_argument("--steps", type=_within(int, 1), help="sampling steps of a picture")
    generate.add_argument(
        "--attention",
        choices=("auto", *POLICIES),
        default="auto",
        help="policy "
        "for the cache of a long story: multimodal (auto, for more pictures than "
        "in training), dense (auto, otherwise), window, sink, recompute",
    )
    export = commands.add_parser(
        "export", help="copies a run without what only training needs, with a model card"
    )
    export.set_defaults(command=_export)
    export.add_argument("run", type=Path, metavar="RUN", help="folder of a run")
    export.add_argument("out", type=Path, metavar="OUT", help="folder that is made, a run as well")
    imported = commands.add_parser("import", help="makes a run of another project's weights")
    projects = imported.add_subparsers(required=True, metavar="PROJECT")
    seed = projects.add_parser("seed-story", help="SEED-Story, as it was released")
    seed.set_defaults(command=_import_seed_story)
    for name, text in {
        "agent": "pytorch_model.bin of the story model",
        "detokenizer": "pytorch_model.bin of the de-tokenizer",
        "vit": "state_dict of Qwen-VL's visual tokenizer, of its reload_qwen_vit.py",
        "llm": "folder of Llama-2-7b-hf",
        "sdxl": "folder of stable-diffusion-xl-base-1.0",
        "tokenizer": "folder of cvlm_llama2_tokenizer",
    }.items():
        seed.add_argument(f"--{name}", required=True, type=Path, metavar="PATH", help=text)
    seed.add_argument("out", type=Path, metavar="OUT", help="folder of the run that is made")
    seed.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FILE.NAME=VALUE",
        help="a setting of the preset seed-story, such as model.detokenizer.steps=30",
    )
    seed.add_argument(
        "--keep-lora",
        action="store_true",
        help="keep the adapters of the language model apart (default: merged into it)",
    )
    return parser


def _within(kind: type, low: float, high: float = math.inf) -> Callable[[str], Any]:
    def number(text: str) -> Any:
        value = kind(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not between {low} and {high}")
        return value

    return number


def _plan(arguments: argparse.Namespace) -> int:
    from model import config, plan

    preset = config.read(arguments.preset, arguments.set)
    with telling(lambda: "tracing a step of each stage"):
        found = list(plan.needs(preset))
    print(plan.report(arguments.preset, found))
    return 0


def _train(arguments: argparse.Namespace) -> int:
    from model import chain, config, ranks

    with ranks.joined():
        preset = config.read(arguments.preset, arguments.set)
        chain.train(Path(arguments.run), preset, arguments.data, arguments.stage)
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from model import exporting

    exporting.export(arguments.run, arguments.out)
    return 0


def _import_seed_story(arguments: argparse.Namespace) -> int:
    from model.seed_story import importing

    sources = importing.Released(
        arguments.agent,
        arguments.detokenizer,
        arguments.vit,
        arguments.llm,
        arguments.sdxl,
        arguments.tokenizer,
    )
    importing.run(sources, arguments.out, arguments.set, arguments.keep_lora)
    return 0


def _generate(arguments: argparse.Namespace) -> int:
    from model import generate, remote, storybook
    from schemas.layout import VAL
    from schemas.rows import CHUNK_LENGTH

    following = generate.read_texts(arguments.texts) if arguments.texts else []
    dataset = arguments.data
    if not arguments.image:
        dataset = remote.copied(dataset, Path(arguments.run) / "dataset", [VAL])
    picture, texts, origin = generate.beginning(arguments.image, arguments.text, dataset)
    print(origin)
    with telling(lambda: "loading the model"):
        teller = generate.load(
            Path(arguments.run),
            [
                f"model.detokenizer.{name}={value}"
                for name in ("guidance", "steps")
                if (value := getattr(arguments, name)) is not None
            ],
        )
    sampling = generate.Sampling(arguments.temperature, arguments.top_p)
    seeds, count = [arguments.seed] * len(texts), arguments.images or len(following) or 9
    facts = generate.about(teller) | {
        "seed": arguments.seed,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
    }
    if arguments.texts:
        facts["sentences"] = arguments.texts
    print(f"texts and features by {facts['story_model']}, pictures by {facts['painter']}")
    policy = arguments.attention
    if policy == "auto":
        policy = "multimodal" if 1 + count > CHUNK_LENGTH else "dense"
        if policy != "dense":
            print(
                f"{1 + count} pictures are more than the {CHUNK_LENGTH} of training: a "
                "multimodal attention sink keeps the cache as short as in training (--attention "
                "dense keeps all of it)"
            )
    facts["attention"] = policy
    starts = [generate.start(teller, at, picture, text) for at, text in enumerate(texts)]
    stories = generate.tell(
        teller.model,
        teller.tokenizer,
        teller.vocabulary,
        starts,
        generate.painting(teller, seeds),
        count,
        sampling=sampling,
        seeds=seeds,
        texts=[following] * len(texts),
        policy=policy,
        attention=teller.run.preset.model.attention,
    )
    out, began = Path(arguments.out), time.monotonic()
    stream = storybook.write(out, itertools.chain([starts], stories), [facts] * len(texts))
    done = 0

    def describe() -> str:
        rest = f", {left(time.monotonic() - began, done / count)} left" if done else ""
        return f"picture {done + 1} of {count}{rest}"

    try:
        with telling(describe):
            for panels, paths in stream:
                done = panels[0].number
                for panel, path in zip(panels, paths, strict=True):
                    print(f"{panel.number}/{count}  {path}  {panel.text}", flush=True)
    except KeyboardInterrupt:
        print(f"stopped; {out}/story.html has the panels until then", file=sys.stderr)
        return 130
    print(f"{out}/story.html: {count} pictures in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
