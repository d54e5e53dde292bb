"""The dialogue stage: what is said in a film, read from subtitles or else recognised from sound.

Subtitles come from a file beside the film or from a track inside it. Recognition takes hours on
many films, so it is asked for by a setting, and only for films that have no subtitles.
"""

from __future__ import annotations

from typing import Any

from pipeline.ingest import speech, subtitles
from pipeline.ingest.fingerprint import fingerprint, model_fingerprint
from pipeline.runtime import isolation, storage
from pipeline.runtime.stage_inputs import Inputs, Job
from pipeline.runtime.stage_outputs import AnyRow
from schemas.rows import Keyframe, Reject, Spoken


def files(film: Inputs, job: Job) -> Any:
    """Returns digests of the files that the dialogue depends on: the subtitles beside the film and
    the model that recognises speech."""
    sidecar = film.video.subtitles
    return [
        sidecar and _digest(sidecar),
        job.config.speech and (model_fingerprint(job.config.speech) or job.config.speech),
    ]


def _digest(path: str) -> str:
    try:
        return fingerprint(path)
    except OSError as error:
        if storage.is_unavailable(path, error):
            raise
        return "gone"


def find_dialogue(film: Inputs, job: Job) -> list[AnyRow]:
    """Returns the film's lines of dialogue, and a reject where they cannot be read."""
    if not film.rows("text", Keyframe):  # nothing to say anything over
        return []
    video = film.video
    where, rejects = video.subtitles or video.uri, []
    found = subtitles.Subtitles()
    try:
        found = isolation.call(subtitles.read, video, size=video.size)
        if found.left_out:
            rejects.append(Reject("subtitles", where, "left out", found.left_out, video.id))
        if found.other_tracks:
            rejects.append(Reject("subtitles", where, "other track", found.other_tracks, video.id))
    except (subtitles.SubtitlesError, isolation.Crashed, OSError) as error:
        if storage.is_unavailable(where, error):
            raise
        rejects.append(Reject("subtitles", where, "unreadable", str(error), video.id))
    written = [Spoken(video.id, line.start, line.end, line.text) for line in found.lines]
    if written or not job.config.speech:  # written lines and recognised ones are never mixed
        return [*written, *rejects]
    return [*_recognised(film, job), *rejects]


def _recognised(film: Inputs, job: Job) -> list[AnyRow]:
    """The lines that are recognised from a film's sound, or why there are none."""
    video = film.video
    try:
        # In a process of its own first: where it crashes, it does not do so here.
        isolation.call(speech.check_sound, video, size=video.size)
        return [
            Spoken(video.id, line.start, line.end, line.text, recognised=True)
            for line in speech.recognise(
                video, job.config.speech, video.language, job.threads, job.tick
            )
        ]
    except (speech.SpeechError, isolation.Crashed, OSError) as error:
        return [Reject("speech", video.uri, "unreadable", str(error), video.id)]
