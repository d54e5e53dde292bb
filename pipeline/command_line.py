"""The command line of `python -m pipeline`: its commands, their options and what `--help` says."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

from pipeline.graph import stages
from schemas import layout

_BACKENDS = (
    "embedded (the default), openai:MODEL, openai:MODEL@URL for a server of your own, or "
    "transformers:FOLDER_OR_ID"
)


def parser(
    prog: str, description: str | None, functions: Mapping[str, Callable[[argparse.Namespace], int]]
) -> argparse.ArgumentParser:
    """Returns the parser of all commands. `functions` has for each what runs it, by its name."""
    parser = argparse.ArgumentParser(prog=prog, description=description)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    dataset = commands.add_parser(
        "dataset",
        help="make a dataset from films",
        description="Makes a dataset from films. Run again, it continues where it stopped, "
        "processes films that are new or changed and reuses the rest. Options that are not listed "
        "are passed to Beam, such as --runner=DataflowRunner.",
    )
    dataset.set_defaults(command=functions["dataset"], repo="")
    dataset.add_argument(
        "--videos",
        required=True,
        metavar="SOURCE",
        help="a film, a folder of films, a glob pattern in quotes, a gs:// or s3:// prefix, or "
        "a manifest of films (CSV, TSV, JSON, JSONL, or TXT with a path on each line)",
    )
    dataset.add_argument(
        "--out",
        required=True,
        metavar="FOLDER",
        help="folder of the dataset, may be gs:// or s3://; hf://OWNER/NAME makes it in "
        "data/hub/OWNER/NAME and pushes it to that repository, as the command push does",
    )
    _add_rights(dataset)
    _add_settings(dataset)
    dataset.add_argument(
        "--force",
        action="append",
        default=[],
        metavar="STAGE|FILM",
        help=f"run a stage ({', '.join(stages.names())}), or all stages of the film with this id, "
        "even if their outputs are there; model calls are still answered from the cache; may be "
        "repeated",
    )
    dataset.add_argument(
        "--until",
        default="",
        metavar="STAGE",
        choices=stages.names(),
        help="stop after this stage, with a report of what there is; one of "
        + ", ".join(stages.names()),
    )
    dataset.add_argument(
        "--metrics",
        default="",
        metavar="FILE",
        help="also write the figures of the run to this file, for Prometheus",
    )
    dataset.add_argument(
        "--dry-run",
        action="store_true",
        help="only estimate the films, model calls, tokens, cost and minutes of each stage",
    )
    dataset.add_argument("-v", "--verbose", action="store_true", help="show Beam's log")

    sample = commands.add_parser(
        "sample",
        help="draw the sample cartoon",
        description="Draws the sample cartoon: films with subtitles, to try the pipeline with.",
    )
    sample.set_defaults(command=functions["sample"])
    sample.add_argument("folder", metavar="FOLDER", help="folder for the films")
    sample.add_argument(
        "--episodes", type=int, default=4, metavar="N", help="number of films (default: 4)"
    )
    sample.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of the random stories (default: 0)"
    )
    sample.add_argument(
        "--variant",
        default="",
        choices=("look-alikes", "costumes"),
        help="a cast that is harder to tell apart, to measure with: two foxes, or other clothes "
        "from the middle of each episode on",
    )

    doctor = commands.add_parser(
        "doctor",
        help="say what is installed, what is missing and what to do",
        description="Examines the installation, the machine and the models that the settings name, "
        "and prints a line for each: ok or missing, with the remedy. Servers get three short "
        "questions each. Exits with 0 if the dataset can be made, else with 1.",
    )
    doctor.set_defaults(command=functions["doctor"])
    doctor.add_argument("--videos", default="", metavar="SOURCE", help="films of the dataset")
    doctor.add_argument("--out", default="data/dataset", metavar="FOLDER", help="of the dataset")
    _add_settings(doctor)

    settings = commands.add_parser(
        "settings",
        help="print all settings, as a file for --config",
        description="Prints all settings with defaults and descriptions, as a YAML file for "
        "--config.",
    )
    settings.set_defaults(command=functions["settings"])

    plan = commands.add_parser(
        "plan",
        help="estimate the time, cost and storage for many hours of film",
        description="Prints core hours, hours of servers or GPUs, model calls, tokens, cost and "
        "hours for each stage, GB for each folder, and the assumptions. Reads no films.",
    )
    plan.set_defaults(command=functions["plan"])
    plan.add_argument("--hours", required=True, type=float, metavar="HOURS", help="hours of film")
    plan.add_argument(
        "--from",
        dest="dataset",
        default="",
        metavar="FOLDER",
        help="a dataset to take settings from and measure rates on, instead of the built-in ones",
    )
    plan.add_argument("--films-minutes", type=float, metavar="MINUTES", help="minutes per film")
    plan.add_argument("--size", metavar="WIDTHxHEIGHT", help="frame size of the films in pixels")
    plan.add_argument(
        "--workers",
        type=int,
        nargs="+",
        default=[10, 100, 1000],
        metavar="N",
        help="numbers of workers to plan for, of one core each (default: 10 100 1000)",
    )
    plan.add_argument(
        "--servers",
        type=int,
        default=1,
        metavar="N",
        help="number of model servers behind each address (default: 1)",
    )
    _add_settings(plan)

    report = commands.add_parser(
        "report",
        help="write the report of a dataset again",
        description="Writes report.html of a dataset again.",
    )
    report.set_defaults(command=functions["report"])
    report.add_argument("out", metavar="FOLDER", help="the dataset")

    verify = commands.add_parser(
        "verify",
        help="check that a dataset is complete and consistent",
        description="Checks a dataset, also a copy of one: its files, tables, images, shards and "
        "split. Exits with 1 if it finds a problem.",
    )
    verify.set_defaults(command=functions["verify"])
    verify.add_argument("out", metavar="FOLDER", help="the dataset")

    rebuild = commands.add_parser(
        "rebuild",
        help="make the images of a dataset that was shared without them",
        description="Makes the images and shards of a dataset again from its films, in the "
        "folder of its manifest. Run again, it continues where it stopped. Exits with 1 if an "
        "image cannot be made.",
    )
    rebuild.set_defaults(command=functions["rebuild"])
    rebuild.add_argument(
        "manifest", metavar="MANIFEST", help=f"path of the dataset's {layout.MANIFEST}"
    )
    rebuild.add_argument(
        "--videos",
        required=True,
        metavar="SOURCE",
        help="the films, as for the command dataset; their names may differ",
    )

    export = commands.add_parser(
        "export",
        help="export a dataset in a format that trainers read",
        description="Exports the stories of a dataset. interleaved: documents of images and texts "
        "in tars of MINT-1T's format, which NeMo Curator reads; bagel: Parquet of BAGEL's "
        "interleaved data; conversations: JSON of LLaVA, for Qwen-VL, LLaMA-Factory and ms-swift "
        "too; image-edits: JSONL of DiffSynth-Studio, for Qwen-Image-Edit and FLUX.2 klein; emu: "
        "stories in Emu3.5's files; parquet: a row per story with its pictures, for "
        "datasets.load_dataset; characters: a folder per character, for sd-scripts, musubi-tuner "
        "and OneTrainer; clips: a clip per shot with its caption, cut from the films.",
    )
    export.set_defaults(command=functions["export"])
    export.add_argument("out", metavar="FOLDER", help="the dataset")
    export.add_argument("--to", required=True, metavar="FOLDER", help="an empty or new folder")
    export.add_argument(
        "--format",
        default="interleaved",
        choices=(
            *("interleaved", "bagel", "conversations", "image-edits"),
            *("emu", "parquet", "characters", "clips"),
        ),
        help="default: interleaved",
    )
    export.add_argument(
        "--videos", default="", metavar="SOURCE", help="the films, which clips are cut from"
    )

    push = commands.add_parser(
        "push",
        help="push a dataset to a repository on the Hugging Face hub",
        description="Pushes a dataset to a dataset repository, which is made, private, where it is "
        "not there: the dataset without work/, its stories with their pictures in Parquet, which "
        "the hub's viewer shows, and Croissant metadata. Run again, it continues where it "
        "stopped. HF_TOKEN is the token, HF_ENDPOINT another server than huggingface.co.",
    )
    push.set_defaults(command=functions["push"])
    push.add_argument("out", metavar="FOLDER", help="the dataset")
    push.add_argument("repo", metavar="REPO", help="OWNER/NAME of the repository")
    _add_rights(push)

    adopt = commands.add_parser(
        "adopt",
        help="make a downloaded StoryStream one that can be trained on",
        description="Writes shards, JSONL and dataset.json into the folder of a downloaded "
        "StoryStream, the published dataset of SEED-Story, once its archives are unpacked. Chunks "
        "with a picture that is missing are left out and counted. `verify` only counts.",
    )
    adopt.set_defaults(command=functions["adopt"])
    adopt.add_argument("folder", metavar="FOLDER", help="with JSONL files and pictures")

    review = commands.add_parser(
        "review",
        help="open pages to curate a dataset by hand",
        description="Serves pages to look through the stories of a dataset, to accept, reject and "
        "edit them. What is decided is added to decisions.jsonl in its folder, and the next run of "
        "the command dataset applies it.",
    )
    review.set_defaults(command=functions["review"])
    review.add_argument("out", metavar="FOLDER", help="the dataset")
    review.add_argument(
        "--videos",
        default="",
        metavar="SOURCE",
        help="the films, if they are no longer where the dataset was made of them",
    )
    review.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: 127.0.0.1); others than this machine's own demand a "
        "token",
    )
    review.add_argument(
        "--port", type=int, default=8710, help="default: 8710; 0 takes one that is free"
    )
    review.add_argument("--by", default="", metavar="NAME", help="your name (default: the user's)")
    review.add_argument(
        "--share",
        default="",
        metavar="PART/PARTS",
        help="list one share of the stories only, such as 2/5 for the second of five people",
    )
    return parser


def _add_rights(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--i-have-the-rights",
        action="store_true",
        help="push to a hub though the licence of a film does not let anybody share its pictures",
    )


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        default="",
        metavar="FILE",
        help="YAML file of settings, as the command settings prints it",
    )
    parser.add_argument(
        "--captioner", metavar="BACKEND", help=f"model that captions keyframes: {_BACKENDS}"
    )
    parser.add_argument("--writer", metavar="BACKEND", help="model that writes stories, likewise")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting, such as keyframes.every=3; may be repeated",
    )
