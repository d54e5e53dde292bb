"""Says which files of a source are neither films nor subtitles: a reject for each kind of them.

Nothing in a folder is passed over in silence, and a folder of ten thousand pictures is one line.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from pipeline.ingest.source_files import printable
from schemas.rows import Reject

_STAGE = "file"  # of the rejects
_SHOWN = 3  # files, and endings, that a reject names

# Reason -> endings, and what to do if there are films in them.
_KINDS = {
    "unfinished download": (
        "part partial crdownload download opdownload aria2 ytdl !ut !qb bc! tmp",
        "let it end, and run again",
    ),
    "torrent": ("torrent magnet nzb", "it names a download: download what it names"),
    "archive": (
        "zip rar 7z tar gz tgz bz2 tbz xz txz zst cab lzh lha ace arj 001 r00",
        "unpack it, if there are films in it",
    ),
    "disc image": ("iso img bin cue nrg mdf mds dmg", "copy the films out of it"),
    "index of a disc": ("ifo bup bdmv mpls clpi", ""),
    "pictures": (
        "jpg jpeg jfif jpe png apng webp bmp tif tiff heic heif avif svg psd ico tga exr dpx xcf",
        "",
    ),
    "sound": (
        "mp3 m4a m4b aac flac wav aif aiff ogg oga opus wma ac3 eac3 dts mka mp2 ape wv mid",
        "",
    ),
    "subtitles as pictures": ("idx sub sup", "only subtitles of text are read: convert them"),
    "subtitles of other formats": (
        "scc stl cap usf json3 srv1 srv2 srv3 ytt mks rt jss aqt psb pjs mpl",
        "convert them to .srt",
    ),
    "playlist": ("m3u m3u8 pls xspf wpl mpd", ""),
    "texts": (
        "txt nfo md rtf doc docx odt pdf epub html htm mht url webloc xml json jsonl csv tsv yaml "
        "yml xls xlsx ods log sfv md5 sha1 sha256 diz",
        "",
    ),
}
_KIND_OF = {ending: kind for kind, (endings, _) in _KINDS.items() for ending in endings.split()}
_VOLUME = re.compile(r"r\d\d|\d{3}")  # of an archive


def rejects(paths: Iterable[str], base: str) -> list[Reject]:
    """Returns a reject for each kind of files, given their paths or uris.

    `base` is the folder or prefix that they are shown relative to.
    """
    kinds: dict[str, list[str]] = {}
    for path in paths:
        kinds.setdefault(_kind(path), []).append(_relative(path, base))
    return [_reject(kind, kinds[kind]) for kind in (*_KINDS, "hidden", "other") if kind in kinds]


def not_named(
    manifest: str, films: Sequence[str], named: Collection[str], base: str
) -> list[Reject]:
    """Returns a reject for the films of a folder that its manifest does not name, if any."""
    known = {_normal(uri) for uri in named}
    left = [_relative(path, base) for path in films if _normal(path) not in known]
    if not left:
        return []
    detail = f"{_listed(left)}: {manifest} does not name them"
    return [Reject(_STAGE, _key(left), "not in the manifest", printable(detail))]


def _kind(path: str) -> str:
    if path.rstrip("/").rpartition("/")[2].startswith("."):
        return "hidden"
    ending = _ending(path)
    return _KIND_OF.get(ending, "archive" if _VOLUME.fullmatch(ending) else "other")


def _ending(path: str) -> str:
    name = path.rpartition("/")[2]
    return name.rpartition(".")[2].lower() if "." in name else ""


def _relative(path: str, base: str) -> str:
    return path.removeprefix(base).lstrip("/")


def _normal(path: str) -> str:
    return path if "://" in path else os.path.normpath(path)


def _reject(kind: str, files: Sequence[str]) -> Reject:
    remedy = _KINDS[kind][1] if kind in _KINDS else ""
    detail = f"{_listed(files)}: {remedy or ('not films' if len(files) > 1 else 'not a film')}"
    return Reject(_STAGE, _key(files), kind, printable(detail))


def _key(files: Sequence[str]) -> str:
    """Returns the name of a file alone, else the commonest endings of several."""
    if len(files) == 1:
        return printable(files[0])
    endings = Counter(_ending(file) for file in files).most_common()
    shown = [f"*.{ending}" if ending else "*" for ending, _ in endings[:_SHOWN]]
    return printable(", ".join([*shown, *(["..."] if len(endings) > _SHOWN else [])]))


def _listed(files: Sequence[str]) -> str:
    """Returns how many files there are, and the names of the first."""
    if len(files) <= _SHOWN:
        return ", ".join(files)
    return f"{len(files):,} files, such as {', '.join(files[:_SHOWN])}"
