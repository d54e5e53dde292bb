"""Speech recognition, for films without subtitles: their dialogue, transcribed by Whisper.

The sound is read in blocks of five minutes, cut where it is quiet, so that memory does not grow
with the film. Silero's voice detector finds the spans with speech, and Whisper transcribes each of
them alone: music and silence between them can neither lengthen a line nor make Whisper invent one.
Uncertain lines are left out: wrong words harm a story more than none do. faster-whisper does both
and is optional: `pip install 'storystream[speech]'`.
"""

from __future__ import annotations

import bisect
import dataclasses
import functools
import importlib.util
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import av
import numpy as np
import pysubs2
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Discard, Disposition
from numpy.typing import NDArray

from pipeline.ingest.languages import two_letters
from pipeline.ingest.subtitle_lines import Line, clean
from pipeline.ingest.video import VideoError, decoded, first_frame, open_video, video_stream
from pipeline.runtime.progress import Tick
from schemas.rows import Video

if TYPE_CHECKING:
    from faster_whisper.transcribe import Segment

RATE = 16_000  # samples per second, Whisper's input
_BLOCK = 300 * RATE  # samples
_TAIL = 60 * RATE  # samples at the end of a block in which the cut is searched for
_GAP = 0.2  # seconds that the sound may be off its time stamps before a new block begins

# Whisper's own thresholds (openai/whisper, transcribe.py). Where it would sample again, which gives
# other words each time, or keep what does not sound like speech, the line is left out.
_NO_SPEECH = 0.6
_UNSURE = -1.0  # mean log probability of a token
_LOOPS = 2.4  # compression ratio: text that repeats itself
_SURE_LANGUAGE = 0.5  # probability of a language, above which it is kept for the next blocks
_LOOP_SECONDS = 10.0  # within which the same words right after themselves are a loop
_SHORTEST = 250  # milliseconds of a span of speech

# What Whisper transcribes from music and silence, learnt from the credits of the subtitles it was
# trained on; in lower case. None of it belongs in a story, even where somebody says it.
_CREDITS = re.compile(
    r"\bthank(s| you)( all)?( so much| very much)? for (watching|viewing)\b"
    r"|\bsubscribe (to|for) (my|our|the|more)\b|\b(like|please|and) subscribe\b"
    r"|amara\.org|\bopensubtitles\b|\bwww\.\w"
    r"|^(subtitles?|subtitled|captions?|captioned|captioning|transcription|transcribed|translated)"
    r" (are |made |provided |sponsored )*by\b"
    r"|^sous-titr(es|age)\b|^untertitel(ung)?\b.*\b(von|im auftrag|der|des)\b"
    r"|^subt[ií]tulos\b.* (por|de la)\b|^sottotitoli\b.*\b(di|a cura)\b"
    r"|^legendas\b.*\b(por|pela)\b|^ondertitel(d|ing|s)\b.*\b(door|van)\b"
    r"|^napisy\b.*\b(przez|od)\b|^altyazı\b"
    r"|^(субтитры|редактор субтитров)\b|спасибо за просмотр|подписывайтесь"
    r"|ご視聴ありがとうございました|チャンネル登録|시청해\s*주셔서 감사합니다"
    r"|字幕(by|由|志愿者|製作|制作|提供)|请不吝点赞|谢谢(观看|收看)|謝謝(觀看|收看)"
)


class SpeechError(ValueError):
    """A film's speech cannot be recognised; the message says why."""


def check(model: str) -> None:
    """Raises ValueError, with what to do, where a model cannot be loaded.

    model: the folder of a converted model, or the name or hub id of one for faster-whisper to
    download.
    """
    if importlib.util.find_spec("faster_whisper") is None:
        raise ValueError(
            "recognising speech needs faster-whisper: pip install 'storystream[speech]'"
        )
    if os.path.isdir(model):
        # Where the tokenizer is missing, faster-whisper would download another one.
        missing = [
            name
            for name in ("model.bin", "config.json", "tokenizer.json")
            if not os.path.isfile(os.path.join(model, name))
        ]
        if missing:
            raise ValueError(
                f"{model} is not a Whisper model of faster-whisper (it lacks "
                f"{', '.join(missing)}): make one with ct2-transformers-converter --copy_files "
                "tokenizer.json preprocessor_config.json"
            )
        return
    from faster_whisper import available_models

    if model not in available_models() and not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", model):
        raise ValueError(
            f"{model}: no such folder, and no model of that name; there are "
            f"{', '.join(available_models())}, and any id of the form owner/name"
        )


@functools.cache
def _load(model: str, threads: int) -> Any:
    check(model)
    import ctranslate2
    from faster_whisper import WhisperModel  # takes a second: imported where it is used

    cuda = ctranslate2.get_cuda_device_count() > 0
    return WhisperModel(
        model,
        device="cuda" if cuda else "cpu",
        compute_type="float16" if cuda else "int8",
        cpu_threads=threads,
    )


def recognise(
    video: Video, model: str, language: str, threads: int = 1, tick: Tick = lambda share: None
) -> list[Line]:
    """Transcribes a film's dialogue, in order; a film without sound or speech gives no lines.

    model: as `check` takes it. language: a code such as "en", "" to detect it. tick: progress
    callback, takes the share that is done. The same film and model give the same lines on the same
    kind of device. Memory: about 0.4 GB beside the model, however long the film. Raises SpeechError
    where the film cannot be read or the model does not know the language, ValueError where there is
    no such model, and OSError where storage fails.
    """
    check(model)
    spoken = two_letters(language).partition("-")[0]
    dialogue: list[Line] = []
    try:
        for offset, samples in _blocks(video, spoken):
            segments, detected = _transcribe(samples, model, spoken, threads)
            dialogue += lines(segments, offset)
            spoken = spoken or detected
            if video.duration > 0:
                tick(min(max(offset + len(samples) / RATE, 0) / video.duration, 1))
    except (av.FFmpegError, VideoError) as error:
        raise SpeechError(f"its sound cannot be read: {error}") from error
    return dialogue


def check_sound(video: Video) -> None:
    """Decodes a film's sound without using it. Raises SpeechError where it cannot be read."""
    try:
        for _ in _blocks(video, ""):
            pass
    except (av.FFmpegError, VideoError) as error:
        raise SpeechError(f"its sound cannot be read: {error}") from error


def _transcribe(
    samples: NDArray[np.float32], model: str, language: str, threads: int
) -> tuple[list[Segment], str]:
    """Transcribes a block; returns segments, in seconds from its start, and their language, ""
    where that is not certain."""
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    spans = [
        (span["start"] / RATE, span["end"] / RATE)
        for span in get_speech_timestamps(samples, VadOptions(min_speech_duration_ms=_SHORTEST))
    ]
    if not spans:
        return [], ""
    whisper = _load(model, threads)
    if language and language not in whisper.supported_languages:
        raise SpeechError(f"{model} does not know the language {language!r}")
    segments, info = whisper.transcribe(
        samples,
        language=language or None,
        beam_size=5,
        temperature=0.0,
        condition_on_previous_text=False,
        clip_timestamps=[time for span in spans for time in span],
    )
    # The first words of a film may be a shout: no uncertain language is kept for the next block.
    return list(_clipped(segments, spans)), (
        info.language if info.language_probability > _SURE_LANGUAGE else ""
    )


def _clipped(
    segments: Iterable[Segment], spans: Sequence[tuple[float, float]]
) -> Iterator[Segment]:
    """Ends segments where their span of speech does; Whisper's times may run on into the silence
    that it fills its window with."""
    ends = [end for _, end in spans]
    for segment in segments:
        window = segment.seek / 100  # the start of Whisper's input, in frames of 10 ms
        end = ends[min(bisect.bisect_right(ends, window), len(ends) - 1)]
        if segment.start < end:
            yield dataclasses.replace(segment, end=min(segment.end, end))


def lines(segments: Iterable[Segment], offset: float) -> list[Line]:
    """Turns Whisper's segments into lines, `offset` seconds later, without likely inventions.

    Those are segments that it is unsure of or does not take for speech, words in a loop, and
    credits known from its training. Sounds, [Music] and ♪ songs are left out as of subtitles.
    """
    events: list[pysubs2.SSAEvent] = []
    last, until = "", -_LOOP_SECONDS
    for segment in segments:
        if (
            segment.no_speech_prob > _NO_SPEECH
            or segment.avg_logprob < _UNSURE
            or segment.compression_ratio > _LOOPS
            or _CREDITS.search(segment.text.strip().lower())
        ):
            continue
        words = "".join(filter(str.isalnum, segment.text.casefold()))
        is_loop = words == last and segment.start - until < _LOOP_SECONDS
        last, until = words, segment.end
        if not is_loop:
            events.append(
                pysubs2.SSAEvent(
                    round(segment.start * 1000), round(segment.end * 1000), segment.text.strip()
                )
            )
    return clean(events, -offset)


# --- sound ---------------------------------------------------------------------------------------


def _blocks(video: Video, language: str) -> Iterator[tuple[float, NDArray[np.float32]]]:
    """Yields a film's sound, mono at RATE, in blocks, each with its time from the first frame.

    A block also ends where the time stamps leave a gap or go back, so that the sound after it keeps
    its time.
    """
    with open_video(video.uri) as container:
        zero = first_frame(container, video_stream(container)).time
    with open_video(video.uri) as container:
        track = _track(container, language)
        if track is None:
            return
        for stream in container.streams:
            if stream.index != track.index:
                stream.discard = Discard.all  # lets the demuxer seek past the pictures
        start, held = 0.0, np.zeros(0, np.float32)
        pieces: list[NDArray[np.float32]] = []
        count = 0  # samples in `held` and `pieces`
        for time, piece in _resampled(cast(Iterator[AudioFrame], decoded(container.demux(track)))):
            if count and abs(time - zero - (start + count / RATE)) > _GAP:
                yield start, np.concatenate([held, *pieces])
                held, pieces, count = held[:0], [], 0
            if not count:
                start = time - zero
            pieces.append(piece)
            count += len(piece)
            if count >= _BLOCK:
                held = np.concatenate([held, *pieces])
                at = _quiet_place(held)
                yield start, held[:at]
                start += at / RATE
                held, pieces, count = held[at:], [], count - at
        if count:
            yield start, np.concatenate([held, *pieces])


def _track(container: InputContainer, language: str) -> AudioStream | None:
    """Chooses the sound in a language, else the default, else the first; commentary last."""
    tracks = [stream for stream in container.streams.audio if stream.codec_context is not None]

    def rank(stream: AudioStream) -> tuple[bool, bool, bool, int]:
        spoken = two_letters(stream.language or "").partition("-")[0]
        commentary = Disposition.comment | Disposition.visual_impaired
        return (
            bool(stream.disposition & commentary),
            not language or spoken != language,
            not stream.disposition & Disposition.default,
            stream.index,
        )

    return min(tracks, key=rank, default=None)


def _resampled(frames: Iterable[AudioFrame]) -> Iterator[tuple[float, NDArray[np.float32]]]:
    """Yields the samples of frames at RATE, mixed down to mono, with the time of the first."""
    kind: Any = None
    resampler: av.AudioResampler | None = None
    for frame in frames:
        # Broadcasts change from stereo to surround and back, which no resampler takes.
        if resampler is None or kind != (frame.format.name, frame.layout.name, frame.sample_rate):
            kind = frame.format.name, frame.layout.name, frame.sample_rate
            if resampler is not None:
                yield from _samples(resampler.resample(None))
            resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
        yield from _samples(resampler.resample(frame))
    if resampler is not None:
        yield from _samples(resampler.resample(None))


def _samples(frames: Iterable[AudioFrame]) -> Iterator[tuple[float, NDArray[np.float32]]]:
    for frame in frames:
        if frame.samples and frame.time is not None:
            yield frame.time, frame.to_ndarray()[0]


def _quiet_place(samples: NDArray[np.float32]) -> int:
    """Finds the middle of the quietest half second in the last minute: a cut harms no word."""
    half = RATE // 2
    tail = samples[len(samples) - _TAIL :]
    loudness = np.square(tail[: len(tail) // half * half].reshape(-1, half)).mean(axis=1)
    return len(samples) - len(tail) + int(loudness.argmin()) * half + half // 2
