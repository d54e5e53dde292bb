"""Films: finding them, naming them, opening them, and what their headers tell.

`find` turns a source (file, folder, glob, storage prefix, manifest) into `Video` rows and rejects
without opening a film. `probe` opens one and fills in what only its content tells. `open_video` and
`video_stream` are how every other module gets at a film's pictures.
"""

from __future__ import annotations

import csv
import dataclasses
import glob
import hashlib
import io
import json
import os
import re
import stat
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import av
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pipeline import storage
from schemas.rows import Reject, Video

ENDINGS = (  # what is taken for a film in a folder; FFmpeg decides later
    "3g2", "3gp", "amv", "asf", "avi", "divx", "dv", "f4v", "flv", "gif", "gxf", "ivf", "m2t",
    "m2ts", "m4v", "mk3d", "mkv", "mov", "mp4", "mpe", "mpeg", "mpg", "mts", "mxf", "nsv", "nut",
    "ogm", "ogv", "qt", "rm", "rmvb", "roq", "ts", "vob", "webm", "wmv", "wtv", "y4m")
SUBTITLES = (".srt", ".vtt", ".ass", ".ssa")
MANIFESTS = ("manifest.csv", "manifest.jsonl")
COLUMNS = ("uri", "series", "season", "episode", "language", "license", "attribution", "subtitles",
           "title")

_ID_LENGTH = 80  # characters; with the rest of an image's name, short of what file systems take
_ID_BYTES = 200
_SAMPLE = 1 << 20  # bytes of a film's start and of its end that its fingerprint covers
_BLOCK = 1 << 16  # bytes of each of the blocks between them
_BLOCKS = 14
_COVER = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image

_SEASON = re.compile(r"(?:season|series|staffel|saison)[ ._-]*(\d+)", re.IGNORECASE)
_EPISODE = re.compile(r"(?<![a-z])(?:episode|folge|ep|e)[ ._-]*(\d+)(?![a-z\d])", re.IGNORECASE)
_BOTH = re.compile(r"(?<![a-z\d])(?:s(\d{1,3})[ ._-]*e(\d{1,4})|(\d{1,2})x(\d{2,3}))(?!\d)",
                   re.IGNORECASE)
_NOT_TITLE = re.compile(r"\[[^\]]*\]|(?<!\w)(?:480|576|720|1080|2160)[pi](?!\w).*$", re.IGNORECASE)
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*", re.IGNORECASE)
_SUBTITLE_KINDS = {"forced", "sdh", "cc"}  # tags of a subtitle file that are no language
# ISO 639-2 codes as containers and file names have them -> BCP 47; others stay as they are.
_TWO_LETTERS = {
    "ara": "ar", "ces": "cs", "cze": "cs", "chi": "zh", "zho": "zh", "dan": "da", "deu": "de",
    "ger": "de", "dut": "nl", "nld": "nl", "ell": "el", "gre": "el", "eng": "en", "fin": "fi",
    "fra": "fr", "fre": "fr", "heb": "he", "hin": "hi", "hun": "hu", "ind": "id", "ita": "it",
    "jpn": "ja", "kor": "ko", "nor": "no", "pol": "pl", "por": "pt", "ron": "ro", "rum": "ro",
    "rus": "ru", "spa": "es", "swe": "sv", "tha": "th", "tur": "tr", "ukr": "uk", "vie": "vi",
}


class VideosError(ValueError):
    """The source names no films, or its manifest cannot be read."""


class VideoError(ValueError):
    """One film cannot be used; the message says why."""


@dataclasses.dataclass(frozen=True)
class _File:
    """A film file of the source, before it is looked at."""

    uri: str
    relative: str  # its path relative to the source, "/" between the parts
    root: str  # the name of the source's folder: the series of films that lie directly in it
    row: dict[str, str] = dataclasses.field(default_factory=dict)  # of a manifest


# --- finding -------------------------------------------------------------------------------------


def find(source: str) -> tuple[list[Video], list[Reject]]:
    """The films of a source, sorted by their path in it, and what looked like one but cannot be.

    source: a film, a folder (walked with its subfolders, hidden files apart), a glob, a storage
    prefix such as "gs://bucket/films", or a manifest (CSV or JSONL with the columns COLUMNS).
    A folder with a manifest.csv or manifest.jsonl is read by it. In folders a film is known by its
    ending; a file that is named, by a path, a glob or a manifest, is taken whatever its ending.

    Raises VideosError where nothing is found or a manifest is wrong.
    """
    files = sorted(_files(source), key=lambda file: (file.relative, file.uri))
    rejects = []
    sound: list[tuple[_File, int]] = []
    seen: set[str] = set()
    for file in files:
        size, reason, detail = _state(file.uri)
        if not reason and file.uri in seen:
            reason, detail = "duplicate", "the source names it twice"
        seen.add(file.uri)
        if reason:
            rejects.append(Reject("video", _printable(file.uri), reason, detail))
        else:
            sound.append((file, size))
    ids = video_ids([file.relative for file, _ in sound])
    listing = _Listing()
    videos = []
    for (file, size), name in zip(sound, ids, strict=True):
        video, missing = _video(file, name, size, listing)
        videos.append(video)
        rejects += missing
    return videos, rejects


def _files(source: str) -> list[_File]:
    if "://" in source:
        return _remote_files(source)
    if os.path.isdir(source):
        return _folder_files(source)
    if os.path.lexists(source):
        if source.lower().endswith((".csv", ".jsonl")):
            return _manifest_files(source)
        stem = os.path.splitext(os.path.basename(source))[0]
        return [_File(source, os.path.basename(source), stem)]
    if glob.has_magic(source):
        return _glob_files(source)
    raise VideosError(f"{source!r} does not exist: give a film, a folder, a glob, a gs:// or s3:// "
                      "prefix, or a manifest")


def _folder_files(folder: str) -> list[_File]:
    for name in MANIFESTS:
        if os.path.isfile(os.path.join(folder, name)):
            return _manifest_files(os.path.join(folder, name))
    root = os.path.basename(os.path.abspath(folder))
    files = [_File(path, os.path.relpath(path, folder).replace(os.sep, "/"), root)
             for path in _walk(folder) if _is_film_name(path)]
    if not files:
        raise VideosError(f"no films in {folder!r} or the folders in it: looked for files ending "
                          f"in {_endings()}; a film with another ending can be named itself, or "
                          f"in a {MANIFESTS[0]}")
    return files


def _walk(folder: str) -> Iterator[str]:
    """Paths of all files below a folder that are not hidden; a link to a folder seen is passed."""
    seen = set()
    for path, folders, names in os.walk(folder, followlinks=True):
        status = os.stat(path)
        if (status.st_dev, status.st_ino) in seen:  # a link upwards, or a second way to a folder
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (os.path.join(path, name) for name in sorted(names) if not name.startswith("."))


def _glob_files(pattern: str) -> list[_File]:
    base = os.path.dirname(re.split(r"[*?[]", pattern, maxsplit=1)[0])
    root = os.path.basename(os.path.abspath(base))
    files = []
    for path in glob.glob(pattern, recursive=True):
        inside = ([found for found in _walk(path) if _is_film_name(found)]
                  if os.path.isdir(path) else [path])
        files += [_File(found, os.path.relpath(found, base or ".").replace(os.sep, "/"), root)
                  for found in inside]
    if not files:
        raise VideosError(f"no file matches {pattern!r}: '*' stays within a folder, '**' crosses "
                          "folders; quote the glob so that the shell leaves it alone")
    return list({file.uri: file for file in files}.values())  # `**` matches a folder and its files


def _remote_files(source: str) -> list[_File]:
    if source.lower().endswith((".csv", ".jsonl")):
        return _manifest_files(source)
    wild = glob.has_magic(source)
    if not wild and not source.endswith("/") and storage.exists(source):
        name = source.rpartition("/")[2]
        if storage.find(source):  # a folder exists too, on a storage that knows folders
            return [_File(source, name, os.path.splitext(name)[0])]
    prefix = re.split(r"[*?[]", source, maxsplit=1)[0]
    base = prefix.rpartition("/")[0] + "/" if wild else prefix.rstrip("/") + "/"
    paths = [path for path, _ in storage.find(source if wild else base + "**")]
    for name in () if wild else MANIFESTS:
        if base + name in paths:
            return _manifest_files(base + name)
    root = base.rstrip("/").rpartition("/")[2]
    files = [_File(path, path.removeprefix(base), root) for path in paths
             if wild or _is_film_name(path)]
    if not files:
        raise VideosError(f"no films at {source!r}: "
                          + ("no file matches" if wild else
                             f"looked under {base!r} for files ending in {_endings()}"))
    return files


def _is_film_name(path: str) -> bool:
    name = path.rpartition("/")[2]
    return not name.startswith(".") and name.rpartition(".")[2].lower() in ENDINGS and "." in name


def _endings() -> str:
    return ", ".join(f".{ending}" for ending in ENDINGS)


def _state(uri: str) -> tuple[int, str, str]:
    """Size in bytes and, where a file cannot be a film, the reason and its detail."""
    try:
        uri.encode()
    except UnicodeEncodeError:  # rows are UTF-8
        return 0, "name", "its name is not UTF-8: rename it"
    if "://" in uri:
        found = storage.find(uri)
        size, reason = (found[0][1], "") if found else (0, "missing")
    else:
        try:
            status = os.stat(uri)
        except (OSError, ValueError):  # ValueError: a NUL in the name
            return 0, "missing", "there is no such file"
        if not stat.S_ISREG(status.st_mode):
            return 0, "not a file", "a folder, pipe or device where a film was expected"
        size, reason = status.st_size, ""
    if reason:
        return 0, reason, "there is no such file"
    return (size, "", "") if size else (0, "empty", "the file has no bytes")


def _printable(uri: str) -> str:
    return uri.encode(errors="backslashreplace").decode()


# --- manifests -----------------------------------------------------------------------------------


def _manifest_files(manifest: str) -> list[_File]:
    folder = manifest.rpartition("/")[0] if "/" in manifest else ""
    rows = list((_csv_rows if manifest.lower().endswith(".csv") else _json_rows)(manifest))
    if not rows:
        raise VideosError(f"{manifest}: no rows; it needs the column uri and may have "
                          f"{', '.join(COLUMNS[1:])}")
    root = (folder if "://" in manifest else os.path.abspath(folder or ".")).rpartition("/")[2]
    files = []
    for line, row in rows:
        _check(f"{manifest}, line {line}", row)
        uri = _beside(folder, row["uri"])
        if row.get("subtitles"):
            row = row | {"subtitles": _beside(folder, row["subtitles"])}
        relative = os.path.normpath(row["uri"]).replace(os.sep, "/")
        if "://" in row["uri"] or relative.startswith(("/", "..")):  # not below the manifest
            relative = relative.rpartition("/")[2]
        files.append(_File(uri, relative, root, row))
    return files


def _csv_rows(manifest: str) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(io.StringIO(_text(manifest), newline=""), skipinitialspace=True)
    for row in reader:
        if None in row:
            raise VideosError(f"{manifest}, line {reader.line_num}: more cells than the header has "
                              "columns; put a value with a comma in double quotes")
        yield reader.line_num, {(key or "").strip(): (value or "").strip()
                                for key, value in row.items()}


def _json_rows(manifest: str) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(_text(manifest).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise VideosError(f"{manifest}, line {number}: not JSON: {error}") from error
        if not isinstance(row, dict):
            raise VideosError(f"{manifest}, line {number}: not a JSON object")
        yield number, {key: "" if value is None else str(value).strip()
                       for key, value in row.items()}


def _text(manifest: str) -> str:
    try:
        return storage.read_bytes(manifest).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise VideosError(f"{manifest}: not UTF-8 text: {error}") from error
    except OSError as error:
        raise VideosError(f"{manifest}: cannot be read: {error}") from error


def _check(where: str, row: dict[str, str]) -> None:
    unknown = sorted(set(row) - set(COLUMNS))
    if unknown:
        raise VideosError(f"{where}: unknown column {unknown[0]!r}; known are {', '.join(COLUMNS)}")
    if not row.get("uri"):
        raise VideosError(f"{where}: no uri")
    for column in ("season", "episode"):
        if row.get(column) and not row[column].isdecimal():
            raise VideosError(f"{where}: {column} is {row[column]!r}, not a whole number")


def _beside(folder: str, uri: str) -> str:
    """A uri that may be relative to a folder."""
    if "://" in uri or os.path.isabs(uri) or not folder:
        return uri
    return f"{folder}/{uri}" if "://" in folder else os.path.normpath(os.path.join(folder, uri))


# --- naming --------------------------------------------------------------------------------------


def video_ids(relatives: Sequence[str]) -> list[str]:
    """An id for each path: safe as a folder name and unique among these, in their order.

    Word characters of any script and "-" are kept; a dot is not, as a WebDataset key ends at it.
    Of paths with one id (in whatever case), each but the first gets a hash of its path, so that a
    film keeps its id when others are added after it.
    """
    taken: set[str] = set()
    ids = []
    for relative in relatives:
        name, hashed = _safe(relative), relative
        while name.casefold() in taken:
            name = _shortened(_safe(relative), hashed)
            hashed += "/"  # films from outside a manifest's folder may share their whole path
        taken.add(name.casefold())
        ids.append(name)
    return ids


def _safe(relative: str) -> str:
    stem = re.sub(r"(?<=[^/])\.\w{1,5}$", "", unicodedata.normalize("NFC", relative))
    name = re.sub(r"[^\w-]+", "-", stem)
    name = re.sub(r"-{2,}", "-", name).strip("-") or "video"
    long = len(name) > _ID_LENGTH or len(name.encode()) > _ID_BYTES
    return _shortened(name, relative) if long else name


def _shortened(name: str, hashed: str) -> str:
    """A name cut to the length of an id, with 8 hex digits of the hash of its path."""
    digest = hashlib.sha256(hashed.encode(errors="surrogateescape")).hexdigest()[:8]
    cut = name[:_ID_LENGTH - 9].encode()[:_ID_BYTES - 9].decode(errors="ignore")
    return f"{cut.rstrip('-')}-{digest}"


def _video(file: _File, name: str, size: int, listing: _Listing) -> tuple[Video, list[Reject]]:
    """The row of a film, and a reject where the manifest names subtitles that are not there."""
    row = file.row
    series, season, episode, title = describe(file.relative, file.root)
    subtitles, rejects = row.get("subtitles", ""), []
    if subtitles and (reason := _state(subtitles)[1]):
        rejects.append(Reject("subtitles", _printable(subtitles), reason,
                              "named by the manifest", name))
        subtitles = ""
    elif not subtitles:
        subtitles = sidecar(file.uri, listing.beside(file.uri), row.get("language", ""))
    return Video(
        id=name, uri=file.uri, size=size, subtitles=subtitles,
        series=row.get("series") or series, title=row.get("title") or title,
        season=int(row["season"]) if row.get("season") else season,
        episode=int(row["episode"]) if row.get("episode") else episode,
        language=row.get("language") or _sidecar_tags(file.uri, subtitles)[0],
        license=row.get("license", ""), attribution=row.get("attribution", "")), rejects


def describe(relative: str, root: str) -> tuple[str, int | None, int | None, str]:
    """Series, season, episode and title as the path of a film tells them.

    "Pip/Season 1/Pip - S01E02 - The Kite.mkv" is ("Pip", 1, 2, "The Kite"). A film that lies
    directly in the source has the series `root`.
    """
    *folders, name = relative.split("/")
    stem = re.sub(r"(?<=.)\.\w{1,5}$", "", name)
    season = next((int(match[1]) for part in [stem, *reversed(folders)]
                   if (match := _SEASON.search(part))), None)
    while folders and _SEASON.fullmatch(folders[-1].strip()):
        folders.pop()
    series = folders[-1] if folders else root
    both = _BOTH.search(stem)
    if both:
        numbers = [int(number) for number in both.groups() if number is not None]
        return series, numbers[0], numbers[1], _title(stem, both)
    match = _EPISODE.search(stem)
    return series, season, int(match[1]) if match else None, _title(stem, match)


def _title(stem: str, marker: re.Match[str] | None) -> str:
    """The words of a stem: those after the episode's number, else those before it, else all."""
    candidates = [stem[marker.end():], stem[:marker.start()]] if marker else []
    for text in [*candidates, stem]:
        words = re.sub(r"[._\s]+", " ", _NOT_TITLE.sub("", text)).strip(" -–,:")
        if words:
            return words
    return stem


class _Listing:
    """The names beside a film, each folder listed once."""

    def __init__(self) -> None:
        self._names: dict[str, list[str]] = {}

    def beside(self, uri: str) -> list[str]:
        """The uris of the regular files in the folder of `uri`, sorted."""
        folder = uri.rpartition("/")[0]
        if folder not in self._names:
            self._names[folder] = (
                [path for path, _ in storage.find(f"{folder}/*")] if "://" in uri else
                sorted(os.path.join(os.path.dirname(uri), entry.name)
                       for entry in os.scandir(os.path.dirname(uri) or ".") if entry.is_file()))
        return self._names[folder]


def sidecar(uri: str, beside: Collection[str], language: str) -> str:
    """The subtitle file that belongs to a film, "" where none of the files beside it does.

    It has the film's stem and one of the endings SUBTITLES; between them may be a language and
    "forced", "sdh" or "cc". Of several, the film's language goes first, then English, then those
    without a language; forced subtitles go last, as they leave most of the dialogue out.
    """
    wanted = two_letters(language)

    def rank(path: str) -> tuple[bool, int, bool, str]:
        tag, kinds = _sidecar_tags(uri, path)
        order = [wanted, "", "en"] if wanted else ["en", ""]
        near = [tag, tag.partition("-")[0]]
        place = next((i for i, one in enumerate(order) if one in near), len(order))
        return "forced" in kinds, place, bool(kinds), path

    stem = os.path.splitext(uri)[0]
    mine = [path for path in beside
            if path.lower().endswith(SUBTITLES) and path.startswith(stem + ".")
            and _sidecar_tags(uri, path)[0] != "?"]
    return min(mine, key=rank, default="")


def _sidecar_tags(uri: str, path: str) -> tuple[str, set[str]]:
    """The language ("" for none, "?" for what is no tag) and the kinds in a subtitle's name."""
    stem = os.path.splitext(uri)[0]
    if not path.startswith(stem + "."):
        return "", set()
    tags = os.path.splitext(path)[0][len(stem):].lower().split(".")[1:]
    kinds = set(tags) & _SUBTITLE_KINDS
    rest = [tag for tag in tags if tag not in kinds]
    if not rest:
        return "", kinds
    known = len(rest) == 1 and _LANGUAGE.fullmatch(rest[0])
    return (two_letters(rest[0]) if known else "?"), kinds


def two_letters(language: str) -> str:
    """A language code in lower case, in its two-letter form where it has one: "ENG" is "en"."""
    code, _, region = language.lower().replace("_", "-").partition("-")
    code = _TWO_LETTERS.get(code, "" if code == "und" else code)
    return f"{code}-{region}" if region else code


# --- opening -------------------------------------------------------------------------------------


@contextmanager
def _bytes_of(uri: str) -> Iterator[Any]:
    with FileSystems.open(uri, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        yield file


@contextmanager
def open_video(uri: str) -> Iterator[InputContainer]:
    """A film, open for demuxing and decoding, closed when the block ends.

    Raises OSError where there is no such file and av.FFmpegError where FFmpeg does not know it.
    """
    if "://" not in uri:
        # A path such as "concat:a|b" or "-" would mean something else to FFmpeg.
        with av.open("file:" + uri, metadata_errors="replace") as container:
            yield container
        return
    with _bytes_of(uri) as file, av.open(file, metadata_errors="replace") as container:
        yield container


def video_stream(container: InputContainer) -> VideoStream:
    """The track that is the film: the largest picture, cover art and thumbnails left aside.

    The order is that of FFmpeg's own choice of a video track. Raises VideoError where none is left.
    """
    real = [stream for stream in container.streams.video
            if not stream.disposition & _COVER and stream.codec_context is not None]
    if not real:
        raise VideoError("no video track")
    # A single picture has no frame rate: Matroska keeps covers as tracks without marking them.
    return max(real, key=lambda stream: (bool(stream.average_rate), stream.width * stream.height,
                                         bool(stream.disposition & Disposition.default),
                                         -stream.index))


def fingerprint(uri: str) -> str:
    """A hex digest that tells one film's content from another without reading all of it.

    SHA-256 over the size in bytes, the first and last MiB and 14 blocks of 64 KiB evenly spaced
    between them; over everything where the file is no larger than that. Raises OSError.
    """
    digest = hashlib.sha256()
    with _bytes_of(uri) as file:
        file.seek(0, os.SEEK_END)
        size = file.tell()
        digest.update(str(size).encode())
        for start, length in _sampled(size):
            file.seek(start)
            digest.update(file.read(length))
    return digest.hexdigest()


def _sampled(size: int) -> list[tuple[int, int]]:
    """Start and length of each part of a file that its fingerprint covers."""
    if size <= 2 * _SAMPLE + _BLOCKS * _BLOCK:
        return [(0, size)]
    step = (size - 2 * _SAMPLE) / (_BLOCKS + 1)
    middle = [(round(_SAMPLE + step * (i + 1)) - _BLOCK // 2, _BLOCK) for i in range(_BLOCKS)]
    return [(0, _SAMPLE), *middle, (size - _SAMPLE, _SAMPLE)]


# --- probing -------------------------------------------------------------------------------------


def probe(video: Video) -> Video:
    """The row with what only the film's content tells: size, fingerprint, duration, picture.

    Decodes one frame. Raises VideoError where it has no video track or FFmpeg cannot read it, and
    OSError where there is no such file.
    """
    digest = fingerprint(video.uri)
    try:
        with open_video(video.uri) as container:
            stream = video_stream(container)
            frame = first_frame(container, stream)
            rotation = -frame.rotation % 360  # PyAV counts counterclockwise
            width, height = _square_pixels(frame.width, frame.height, stream.sample_aspect_ratio)
            if rotation in (90, 270):
                width, height = height, width
            seconds = _duration(container, stream, frame.time)
            rate = stream.average_rate or stream.guessed_rate or 0
        if seconds is None:
            seconds = _measured(video.uri)
    except (av.FFmpegError, EOFError) as error:
        raise VideoError(f"cannot be read as video: {error}") from error
    return dataclasses.replace(
        video, size=video.size or _size(video.uri), fingerprint=digest, duration=round(seconds, 6),
        width=width, height=height, fps=round(float(rate), 6), rotation=rotation)


def _size(uri: str) -> int:
    with _bytes_of(uri) as file:
        return int(file.seek(0, os.SEEK_END))


def first_frame(container: InputContainer, stream: VideoStream) -> VideoFrame:
    """The first frame of a film just opened: its time is where all times of ours start.

    Raises VideoError where none can be decoded.
    """
    for packet in container.demux(stream):
        try:
            for frame in packet.decode():
                if frame.pts is not None:
                    return frame
        except av.error.InvalidDataError:  # a damaged start costs its own frames only
            continue
    raise VideoError("no frame can be decoded")


def _square_pixels(width: int, height: int, aspect: Fraction | None) -> tuple[int, int]:
    """The size as displayed: a film with narrow or wide pixels is stretched across."""
    return (round(width * aspect), height) if aspect else (width, height)


def _duration(container: InputContainer, stream: VideoStream, start: float) -> float | None:
    """Seconds from the first frame, at `start`, on: as the track or the file says, if one does."""
    # Matroska counts from zero, the others from the film's first frame.
    zero = start if "matroska" in container.format.name else 0.0
    if stream.duration:
        return float(stream.duration * (stream.time_base or 1)) - zero
    return container.duration / av.time_base - zero if container.duration else None


def _measured(uri: str) -> float:
    """Seconds from the first packet's time to the last one's end, all packets read."""
    with open_video(uri) as container:
        stream = video_stream(container)
        spans = [(packet.pts, packet.pts + (packet.duration or 0))
                 for packet in container.demux(stream) if packet.pts is not None]
        ticks = max(end for _, end in spans) - min(start for start, _ in spans) if spans else 0
        return float(ticks * (stream.time_base or 1))
