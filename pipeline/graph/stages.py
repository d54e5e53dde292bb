"""Declares the stages of the pipeline, each once.

Everything else about stages is derived from this list: their order, the names of their outputs,
their inputs, `--until` and `--force`, the progress display, the estimate and the record of a run.
To add a stage, write a function from rows to rows and declare it here.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal

from pipeline.annotation import expected_calls
from pipeline.annotation import stages as annotation
from pipeline.cast import stages as cast
from pipeline.config import DatasetConfig
from pipeline.ingest import dialogue
from pipeline.keyframes import stages as keyframes
from pipeline.review import stages as review
from pipeline.runtime.stage_inputs import Inputs
from pipeline.runtime.stage_outputs import AnyRow, Film
from pipeline.scenes import stages as scenes
from schemas.rows import (
    Appearance,
    Caption,
    CastMember,
    Character,
    Figure,
    Keyframe,
    Reference,
    Reject,
    Renamed,
    Scene,
    Spoken,
    Story,
    Video,
)


@dataclasses.dataclass(frozen=True)
class Segmented:
    """The first part of a stage's work on a film, which several workers share by segments."""

    split: Callable[..., list[Any]]  # (Inputs, Job, seconds per segment) -> segments
    process: Callable[..., None]  # (Inputs, Job, all segments, number): saves what `run` reads
    share: float  # of the stage's time


@dataclasses.dataclass(frozen=True)
class Stage:
    """A stage: a function from rows to rows, with everything that its output depends on.

    `run` takes the `Inputs` of a film and a `Job` and returns rows. If the scope is a series, it
    takes the inputs of all its films and returns the rows of each; if it is the source, those of
    all films of the run. If the stage asks a model (`role`), it is a coroutine. It can read only
    what is declared here, and the name of its output contains a digest of all of that, so an output
    is never stale.
    """

    name: str
    run: Callable[..., Any] | None  # None for DATASET_STEPS, which have transforms of their own
    version: int = 1  # to be increased when its code gives another output for the same inputs
    scope: Literal["film", "series", "source", "dataset"] = "film"
    reads: Mapping[str, tuple[type[AnyRow], ...]] = dataclasses.field(default_factory=dict)
    video: tuple[str, ...] = ()  # fields of the film's Video row, as it was discovered
    settings: tuple[str, ...] = ()  # dotted paths in DatasetConfig
    files: Callable[..., Any] | None = None  # returns digests of the files that it reads, as JSON
    file_settings: tuple[str, ...] = ()  # settings that name those files; not in the key
    role: Literal["", "captioner", "writer"] = ""
    prompts: tuple[str, ...] = ()
    expected_calls: Callable[..., list[expected_calls.ExpectedCalls]] | None = None
    segmented: Segmented | None = None
    intact: Callable[[Film, str, list[AnyRow]], bool] | None = None  # checks its image files
    publish: Callable[..., None] | None = None  # copies files into the dataset folder
    rejects: str = ""  # kind of the reject of a film that it fails on; "": its own name
    seconds: float = 0.001  # CPU seconds per keyframe or minute, as measured (docs/scale.md)
    per: Literal["keyframe", "minute"] = "keyframe"

    def inputs(self, film: Film) -> Inputs:
        """Returns the stage's inputs from a film."""
        return Inputs(film, self.reads, self.video)


STAGES: tuple[Stage, ...] = (
    Stage(
        "keyframes",
        keyframes.find_keyframes,
        version=10,
        files=keyframes.content,
        settings=("keyframes",),
        segmented=Segmented(keyframes.segments, keyframes.scan_segment, keyframes.SCAN_SHARE),
        intact=keyframes.pictures_intact,
        rejects="video",
        seconds=1.4,
        per="minute",
    ),
    Stage(
        "text",
        keyframes.read_text,
        version=3,
        reads={"keyframes": (Keyframe,)},
        rejects="video",
        seconds=0.1,
    ),
    Stage(
        "copies",
        keyframes.find_copies,
        scope="source",
        reads={"keyframes": (Video,), "text": (Keyframe,)},
        settings=("selection.recurring_edge",),
        rejects="video",
        seconds=0.0005,
    ),
    Stage(
        "dialogue",
        dialogue.find_dialogue,
        version=2,
        reads={"keyframes": (Video,), "text": (Keyframe,)},
        video=("language",),
        files=dialogue.files,
        file_settings=("speech",),
        rejects="subtitles",
    ),
    Stage(
        "selection",
        keyframes.select_keyframes,
        version=6,
        scope="series",
        reads={
            "keyframes": (Video,),
            "text": (Keyframe,),
            "copies": (Reject,),
            "dialogue": (Spoken,),
        },
        video=("series",),
        settings=("selection",),
        publish=keyframes.place_pictures,
        rejects="video",
    ),
    Stage(
        "figures",
        cast.find_figures,
        version=9,
        reads={"selection": (Keyframe,)},
        settings=("cast",),
        files=cast.weights,
        prompts=("figures",),  # where the captioner finds them
        seconds=0.022,
    ),
    Stage(
        "cast",
        cast.find_cast,
        version=10,
        scope="series",
        reads={"figures": (Figure,), "selection": (Keyframe,), "dialogue": (Spoken,)},
        video=("series",),
        settings=("cast.figures",),
        files=cast.given_corrections,
        file_settings=("characters",),
        publish=functools.partial(cast.save_crops, "cast"),
        seconds=0.002,
    ),
    Stage(
        "scenes",
        scenes.find_scenes,
        reads={"selection": (Keyframe,)},
        files=scenes.decided_boundaries,
        seconds=0.005,
    ),
    Stage(
        "places",
        scenes.find_places,
        scope="series",
        reads={"scenes": (Scene,)},
        video=("series",),
        seconds=0.001,
    ),
    Stage(
        "captions",
        annotation.write_captions,
        version=3,
        reads={"selection": (Keyframe,), "cast": (Appearance, Renamed)},
        settings=("captions",),
        role="captioner",
        prompts=("caption",),
        expected_calls=expected_calls.of_captions,
        rejects="caption",
        seconds=0.026,
    ),
    Stage(
        "characters",
        annotation.name_characters,
        version=3,
        scope="series",
        reads={"captions": (Caption,), "selection": (Keyframe,), "cast": (CastMember, Renamed)},
        video=("series", "title"),
        files=annotation.given_characters,
        file_settings=("characters",),
        settings=("stories.language",),
        role="writer",
        prompts=("characters",),
        expected_calls=expected_calls.of_characters,
        publish=annotation.save_characters,
    ),
    Stage(
        "named",
        annotation.name_cast,
        version=7,
        scope="series",
        reads={
            "figures": (Figure,),
            "selection": (Keyframe,),
            "dialogue": (Spoken,),
            "captions": (Caption,),
            "characters": (Character,),
        },
        video=("series",),
        settings=("cast.figures",),
        files=cast.given_corrections,
        file_settings=("characters",),
        publish=functools.partial(cast.save_crops, "named", after="cast"),
        rejects="cast",
        seconds=0.002,
    ),
    Stage(
        "stories",
        annotation.write_stories,
        version=10,
        reads={
            "captions": (Caption,),
            "selection": (Keyframe,),
            "cast": (Renamed,),
            "named": (Appearance,),
            "scenes": (Scene,),
            "characters": (Character,),
        },
        video=("title",),
        settings=("stories",),
        role="writer",
        prompts=("narrate", "link"),
        expected_calls=expected_calls.of_stories,
        rejects="story",
        seconds=0.002,
    ),
    Stage(
        "review",
        review.review_stories,
        reads={
            "stories": (Story,),
            "captions": (Caption,),
            "selection": (Keyframe,),
            "keyframes": (Video,),
        },
        files=review.concerning,
        intact=review.pictures_intact,
        publish=review.place_pictures,
    ),
    Stage(
        "quality",
        annotation.score_stories,
        version=9,
        reads={
            "review": (Story, Keyframe, Caption),
            "captions": (Caption,),
            "selection": (Keyframe,),
            "cast": (Renamed,),
            "named": (Appearance,),
            "characters": (Character,),
        },
        video=("title",),
        settings=("quality", "stories.language"),
        files=annotation.scoring_files,
    ),
)


def of(config: DatasetConfig) -> tuple[Stage, ...]:
    """Returns the stages as a configuration has them: `figures` may ask the captioner, and
    `captions` may show it the characters, whose pictures its key must then contain."""
    changed: dict[str, dict[str, Any]] = {}
    if config.cast.figures == "captioner":
        changed["figures"] = {
            "run": annotation.ask_for_figures,
            "role": "captioner",
            "expected_calls": expected_calls.of_figures,
        }
    if annotation.shows_references(config):
        (captions,) = [stage for stage in STAGES if stage.name == "captions"]
        seen = (*captions.reads["cast"], Reference)
        changed["captions"] = {"reads": {**captions.reads, "cast": seen}}
    return tuple(dataclasses.replace(stage, **changed.get(stage.name, {})) for stage in STAGES)


# Steps after the stages: they are recorded and planned like stages, but have no output per film.
DATASET_STEPS = (
    Stage("shards", None, scope="dataset", seconds=0.01),
    Stage("publish", None, scope="dataset"),
)


def steps(config: DatasetConfig | None = None) -> tuple[Stage, ...]:
    """Returns the stages and the steps after them, as a run is recorded and planned."""
    return (*(of(config) if config else STAGES), *DATASET_STEPS)


def names() -> tuple[str, ...]:
    """Returns the names of the stages, in order."""

    return tuple(stage.name for stage in STAGES)
