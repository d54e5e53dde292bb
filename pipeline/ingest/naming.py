"""Names from paths: video ids, and the series, season, episode and title of a film."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence

_ID_LENGTH = 80  # characters; with the rest of an image's name, short of what file systems take
_ID_BYTES = 200

_SEASON = re.compile(
    r"(?:season|series|staffel|saison|temporada|stagione|シーズン)[ ._-]*(\d{1,9})(?!\d)"
    r"|第(\d{1,3})[期季]",
    re.IGNORECASE,
)
_SEASON_OF_RELEASE = re.compile(r"(?<![^\W_])s(\d{1,3})(?![^\W_])", re.IGNORECASE)
# What numbers an episode, the surest first. Groups: season and episode, or episode.
_EPISODES = (
    re.compile(
        r"(?<![^\W_])s(\d{1,3})[ ._-]*e(\d{1,4})(?:[ ._-]*e\d{1,4})*(?:-\d{1,4})?(?!\d)",
        re.IGNORECASE,
    ),
    re.compile(r"(?<![^\W_])(\d{1,2})x(\d{2,3})(?!\d)", re.IGNORECASE),
    re.compile(
        r"(?<![a-z])(?:[eé]pisod[eio]o?|folge|cap[ií]tulo|puntata|aflevering|avsnitt|odcinek"
        r"|серия|эпизод|ep|e)[ ._-]*(\d{1,9})(?![a-z\d])",
        re.IGNORECASE,
    ),
    re.compile(r"第\s*(\d{1,4}|[一二三四五六七八九十])\s*[話话集回]"),
    re.compile(r"(?<!\w)#(\d{1,4})(?!\w)"),
    # "[Group] Show - 03v2 [1080p]"; four digits are rather a year.
    re.compile(r"\s-\s(\d{2,3})(?:v\d)?(?=\s*(?:$|[\[(]|-\s))", re.IGNORECASE),
)
_BRACKETS = re.compile(r"\[[^\]]*\]|【[^】]*】|\((?:19|20)\d\d\)")  # groups, digests, years
# What no title has: it and all behind it tell how the film was encoded, and by whom.
_ENCODING = re.compile(
    r"(?<![^\W_])(?:(?:480|540|576|720|1080|1440|2160|4320)[pi]|[xh][ .]?26[456]|hevc|xvid|divx"
    r"|blu-?ray|b[dr]-?rip|web-?dl|web-?rip|hdtv|hdrip|dvd-?rip|dvdscr|pdtv|bdmv|remux)(?![^\W_])"
    r".*$",
    re.IGNORECASE,
)
# What stands before that: editions, services, years.
_BEFORE_ENCODING = re.compile(
    r"(?:[ ._-]+(?:(?:19|20)\d\d|proper|repack|internal|multi|dubbed|subbed|uncut|extended|complete"
    r"|uhd|4k|hdr(?:10)?|10bit|web|amzn|nf|dsnp|atvp|hmax|cr))+$",
    re.IGNORECASE,
)


def video_ids(relatives: Sequence[str]) -> list[str]:
    """Returns an id for each path: safe as a folder name and unique among these, in their order.

    Word characters of any script and "-" are kept; a dot is not, as a WebDataset key ends at it.
    Of paths that would have the same id, upper and lower case apart, each but the first gets a hash
    of its path, so that a film keeps its id when others are added after it.
    """
    taken: set[str] = set()
    ids = []
    for relative in relatives:
        name, hashed = safe_name(relative), relative
        while name.casefold() in taken:
            name = _shortened(safe_name(relative), hashed)
            hashed += "/"  # films from outside a manifest's folder may share their whole path
        taken.add(name.casefold())
        ids.append(name)
    return ids


def safe_name(relative: str) -> str:
    """Returns a path or title as the name of a file or folder: letters, digits, "_" and "-"."""
    stem = re.sub(r"(?<=[^/])\.\w{1,5}$", "", unicodedata.normalize("NFC", relative))
    name = re.sub(r"[^\w-]+", "-", stem)
    name = re.sub(r"-{2,}", "-", name).strip("-") or "video"
    long = len(name) > _ID_LENGTH or len(name.encode()) > _ID_BYTES
    return _shortened(name, relative) if long else name


def _shortened(name: str, hashed: str) -> str:
    """Cuts a name to the length of an id and ends it with 8 hex digits of the hash of its path."""
    digest = hashlib.sha256(hashed.encode(errors="surrogateescape")).hexdigest()[:8]
    cut = name[: _ID_LENGTH - 9].encode()[: _ID_BYTES - 9].decode(errors="ignore")
    return f"{cut.rstrip('-')}-{digest}"


def parse_path(relative: str, root: str) -> tuple[str, int | None, int | None, str]:
    """Reads series, season, episode and title of a film from its path; None where it names none.

    "Pip/Season 1/Pip - S01E02 - The Kite.mkv" is ("Pip", 1, 2, "The Kite"). The series is the name
    of the film's folder. A film that lies directly in the source is of the series before its
    episode's number ("The.Show.S01E02.1080p.WEB-DL.x264-GRP.mkv": "The Show"), else `root`.
    """
    *folders, name = relative.split("/")
    stem = re.sub(r"(?<=.)\.\w{1,5}$", "", name)
    season = next(filter(None, map(_season, [stem, *reversed(folders)])), None)
    while folders and _SEASON.fullmatch(folders[-1].strip()):
        folders.pop()
    match = next(filter(None, (pattern.search(stem) for pattern in _EPISODES)), None)
    before = _words(_SEASON.sub(" ", stem[: match.start()])) if match else ""
    series = _series(folders[-1]) if folders else before or root
    if match is None:
        return series, season, None, _words(stem) or stem
    *seasons, episode = (number for number in match.groups() if number is not None)
    title = _words(stem[match.end() :]) or before or _words(stem) or stem
    return series, int(seasons[0]) if seasons else season, _number(episode), title


def _season(name: str) -> int | None:
    match = _SEASON.search(name)
    if match is None and _ENCODING.search(name):
        match = _SEASON_OF_RELEASE.search(name)
    return int(next(filter(None, match.groups()))) if match else None


def _series(folder: str) -> str:
    """Returns the series that a folder is named after, which may be a release of a season:
    "The.Show.S01.1080p.BluRay.x264-GRP"."""
    if not _ENCODING.search(folder):
        return folder
    return _words(_SEASON_OF_RELEASE.split(folder)[0]) or folder


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else round(unicodedata.numeric(text))


def _words(text: str) -> str:
    """Returns the words of a part of a name, without what tells of its encoding; "" for none."""
    text = _BRACKETS.sub(" ", text)
    encoding = _ENCODING.search(text)
    if encoding:
        text = text[: encoding.start()].rstrip(" ._-([{")
        text = _BEFORE_ENCODING.sub("", text)
    return re.sub(r"[._\s]+", " ", text).strip(" -–,:")
