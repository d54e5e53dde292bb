"""`storystream VERB ...`: one command for `python -m pipeline`, `model` and `benchmarks`.

Says which of the three has which verb and hands the command line on. Those parse it; nothing of
them is imported before the verb is known, so that `storystream --help` is quick. It lies beside the
packages since it may import all of them and none of them may import it.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from importlib import metadata

VERBS = {  # verb: the package that has it, the extra that it needs, what it does
    "dataset": ("pipeline", "models", "make a dataset of a folder of films"),
    "sample": ("pipeline", "", "draw the sample cartoon"),
    "doctor": ("pipeline", "", "say what is installed, what is missing and what to do"),
    "plan": ("pipeline", "", "what so many hours of film would take"),
    "settings": ("pipeline", "", "print all settings of a dataset, as a file for --config"),
    "report": ("pipeline", "", "draw the report of a dataset again"),
    "verify": ("pipeline", "", "check that a dataset is whole and holds together"),
    "rebuild": ("pipeline", "", "make the pictures of a dataset that was shared without them"),
    "export": ("pipeline", "", "write a dataset in a format that trainers read"),
    "push": ("pipeline", "hub", "push a dataset to a repository on the Hugging Face hub"),
    "adopt": ("pipeline", "models", "make a downloaded StoryStream one that can be trained on"),
    "review": ("pipeline", "review", "open pages to curate a dataset by hand"),
    "train": ("model", "train", "train the story model on a dataset"),
    "import": ("model", "train", "make a run of weights that others have released"),
    "generate": ("model", "train", "tell a story that begins with a picture and a sentence"),
    "bench": ("benchmarks", "bench", "measure a dataset, a trained model and their speed"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one verb and returns its exit code; 2 stands for a wrong call or a missing package."""
    words = list(sys.argv[1:] if argv is None else argv)
    verb = _parser().parse_args(words[:1]).verb
    package, extra, _ = VERBS[verb]
    try:
        door = importlib.import_module(f"{package}.__main__")
        if verb == "bench":  # whose own verbs follow
            return int(door.main(words[1:], prog="storystream bench"))
        return int(door.main(words, prog="storystream"))
    except ModuleNotFoundError as error:
        if verb == "doctor":
            print(f"missing: package {error.name or error} - pip install storystream")
            return 1
        if not extra:
            raise
        print(
            f"storystream {verb}: the package {error.name or error} is not installed; "
            f"it comes with pip install 'storystream[{extra}]'",
            file=sys.stderr,
        )
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="storystream",
        description="Animated films in, a dataset of illustrated stories out, "
        "and a story model on it.",
        epilog="storystream VERB --help says what follows a verb.",
    )
    parser.add_argument(
        "--version", action="version", version=f"storystream {metadata.version('storystream')}"
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB", dest="verb")
    for verb, (_, _, text) in VERBS.items():
        verbs.add_parser(verb, help=text, add_help=False)
    return parser


if __name__ == "__main__":
    sys.exit(main())
