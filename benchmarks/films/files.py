"""Kinds of files beside films, of the same film twice, and of manifests."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.films.kinds import (
    ALL,
    LINES,
    SHOT,
    Image,
    Kind,
    film,
    frames,
    text_file,
    together,
)
from pipeline.testing.films import make_film, moving, scene


def _shots(first: int, size: tuple[int, int] = (320, 180), begin: int = 0) -> list[Image]:
    """Returns eight shots of the scenes from a seed on, in another size, without some of them."""
    return [
        np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)
        for seed in range(first + begin, first + 8)
        for frame in moving(scene(seed), SHOT, size=0.1, step=(0.01, 0))
    ]


def _twice(
    name: str,
    first: int,
    files: tuple[str, str],
    size: tuple[int, int] = (240, 136),
    begin: int = 0,
    **options: Any,
) -> Kind:
    """Returns a kind of the same film twice, of scenes from a seed on: the second in another size,
    and without its beginning."""

    def make(folder: Path) -> None:
        for file in files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
        make_film(folder / files[0], _shots(first), gop=12)
        make_film(folder / files[1], _shots(first, size, begin), **{"gop": 12} | options)

    return Kind(
        name,
        make,
        "8 of 8 pictures; reject: copy",
        pictures=lambda: [scene(seed) for seed in range(first, first + 8)],
    )


def _beside(name: str, content: bytes) -> Any:
    return together(film("a.mp4"), text_file(name, content))


FILES = [
    _twice("twice in a folder, in another container and size", 300, ("kite.mp4", "kite 480p.mkv")),
    _twice("twice, at 25 frames per second for 24", 310, ("kite.mp4", "kite PAL.mkv"), fps=25),
    _twice("twice, with its beginning cut off", 320, ("kite.mp4", "kite cut.mp4"), begin=2),
    _twice("twice, in two folders", 330, ("Kite (2020)/kite.mp4", "New/The.Kite.720p.mkv")),
    _twice("twice, the same file in two folders", 340, ("a/kite.mp4", "b/x.mp4"), (320, 180)),
    Kind(
        "unfinished downloads",
        together(
            film("a.mp4"),
            *(
                text_file(name, b"\0" * 99)
                for name in (
                    "b.mp4.part",
                    "c.mkv.crdownload",
                    "d.mp4.!qB",
                    "e.f137.mp4.part",
                    "f.mp4.aria2",
                )
            ),
        ),
        f"{ALL}; reject: unfinished download",
    ),
    Kind("empty file", _beside("b.mp4", b""), f"{ALL}; reject: empty"),
    Kind(
        "zeros, as of a download that did not begin",
        _beside("b.mp4", bytes(9999)),
        f"{ALL}; reject: unreadable",
    ),
    Kind(
        "web page under a film's name",
        _beside("b.mp4", b"<!DOCTYPE html><html></html>"),
        f"{ALL}; reject: unreadable",
    ),
    Kind(
        "pictures, animated ones too",
        together(film("a.mp4"), *(text_file(name, b"x") for name in ("b.jpg", "c.webp", "d.apng"))),
        f"{ALL}; reject: pictures",
    ),
    Kind(
        "animated WebP and APNG under a film's name",
        together(film("a.webp", codec="libwebp_anim", pix_fmt="bgra"), film("b.mp4")),
        f"{ALL}; reject: pictures",
    ),
    Kind(
        "music, archives, texts, a disc image",
        together(
            film("a.mp4"),
            *(
                text_file(name, b"x")
                for name in ("b.mp3", "c.m4a", "d.zip", "e.part1.rar", "f.nfo", "g.iso", "h.url")
            ),
        ),
        f"{ALL}; reject: archive; reject: disc image; reject: sound; reject: texts",
    ),
    Kind(
        "subtitles as pictures (VobSub, PGS)",
        together(film("a.mp4"), *(text_file(name, b"x") for name in ("a.idx", "a.sub", "a.sup"))),
        f"{ALL}; reject: subtitles as pictures",
    ),
    Kind(
        "hidden files and folders",
        together(
            film("a.mp4"),
            *(text_file(name, b"x") for name in ("._a.mp4", ".DS_Store", ".trash/b.mp4")),
        ),
        f"{ALL}; reject: hidden",
    ),
    Kind(
        "film under another ending",
        lambda folder: Path(make_film(folder / "b.mkv", frames(), gop=12)).rename(folder / "a.avi"),
    ),
]

_SRT = "".join(
    f"{at + 1}\n00:00:0{at},200 --> 00:00:0{at},800\n{line}\n\n" for at, line in enumerate(LINES)
)


def _manifest(
    name: str, content: str | bytes, comes: str = f"{ALL}; 3 of 3 lines", folder: bool = False
) -> Kind:
    """Returns a kind of a manifest that names a film in a folder, and subtitles in another.

    folder: the folder is the source, not the manifest."""
    ending = re.split("[ ,]", name, maxsplit=1)[0]

    def make(base: Path) -> None:
        for path in ("films", "words"):
            (base / path).mkdir()
        make_film(base / "films" / "a b.mp4", frames(), gop=12)
        (base / "words" / "x.srt").write_text(_SRT)
        data = content if isinstance(content, bytes) else content.encode()
        (base / f"manifest{ending}").write_bytes(data)

    return Kind(name, make, comes, lines=LINES, source="" if folder else f"manifest{ending}")


def _table(delimiter: str = ",", end: str = "\n") -> str:
    rows: Sequence[Sequence[str]] = (
        ("uri", "series", "season", "episode", "subtitles"),
        ("films/a b.mp4", "Kite", "1", "2", "words/x.srt"),
    )
    return end.join(map(delimiter.join, rows)) + end


_ROW = {"uri": "films/a b.mp4", "series": "Kite", "season": 1, "subtitles": "words/x.srt"}
_WRONG = "reject: error"
MANIFESTS = [
    _manifest(".csv", _table()),
    _manifest(".csv in the folder that is given", _table(), folder=True),
    _manifest(
        ".csv of Excel: semicolons, CRLF, UTF-8 with a mark",
        b"\xef\xbb\xbf" + _table(";", "\r\n").encode(),
    ),
    _manifest(".csv of Excel: sep=; in front", "sep=;\r\n" + _table(";", "\r\n")),
    _manifest(".txt of Excel: tabs, UTF-16", _table("\t", "\r\n").encode("utf-16")),
    _manifest(
        ".csv of pandas: index, 1.0, NaN",
        ",uri,season,episode,subtitles\n0,films/a b.mp4,1.0,NaN,words/x.srt\n",
    ),
    _manifest(
        ".csv with other capitals, spaces and empty rows",
        "\n URI , Subtitles ,SERIES\n\n films/a b.mp4 , words/x.srt ,Kite\n,,\n\n",
    ),
    _manifest(
        ".csv with quotes",
        'uri,title,subtitles\n"films/a b.mp4","Kites, and ""others""","words/x.srt"\n',
    ),
    _manifest(
        ".csv in the code page of Windows",
        "uri,series,subtitles\nfilms/a b.mp4,Dörfchen,words/x.srt\n".encode("cp1252"),
    ),
    _manifest(".tsv", _table("\t")),
    _manifest(".json, a list", json.dumps([_ROW])),
    _manifest(
        ".json, by columns, as pandas has it",
        json.dumps({name: {"0": value} for name, value in _ROW.items()}),
    ),
    _manifest(".json, a list under a key", json.dumps({"films": [_ROW]})),
    _manifest(".jsonl", json.dumps(_ROW) + "\n\n"),
    _manifest(
        ".json, objects on lines",
        json.dumps(_ROW) + "\n" + json.dumps({"uri": "films/gone.mp4"}) + "\n",
        f"{ALL}; 3 of 3 lines; reject: missing",
    ),
    _manifest(".txt, a path on each line", "# films\nfilms/a b.mp4\n", f"{ALL}; 0 of 3 lines"),
    _manifest(".txt with Windows' paths", "films\\a b.mp4\r\n", f"{ALL}; 0 of 3 lines"),
    _manifest(
        ".csv with the name of a film that is gone",
        _table() + "films/gone.mp4,Kite,1,3,\n",
        f"{ALL}; 3 of 3 lines; reject: missing",
    ),
    _manifest(".csv without a header", "films/a b.mp4,Kite\n", _WRONG),
    _manifest(".csv with a column that is not known", "uri,colour\nfilms/a b.mp4,red\n", _WRONG),
    _manifest(".csv with a number that is none", "uri,season\nfilms/a b.mp4,one\n", _WRONG),
    _manifest(".csv with more cells than columns", "uri,title\nfilms/a b.mp4,A, B\n", _WRONG),
    _manifest(".csv without rows", "uri,title\n", _WRONG),
    _manifest(".json that is none", "{uri: 1", _WRONG),
]
