"""Kinds of films by their words: subtitle files and their names, tracks of text and sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import av
from av.stream import Disposition

from benchmarks.films.kinds import ALL, LINES, Kind, film, frames, text_file, together
from pipeline.testing.films import make_film, scene, tone

_BOTH = f"{ALL}; 3 of 3 lines"
_UNREADABLE = f"{ALL}; 0 of 3 lines; reject: unreadable"


def _beside(content: str | bytes, name: str = "a.srt") -> Any:
    """Returns what writes a film with a file beside it."""
    return together(film("a.mp4"), text_file(name, content))


def _kind(
    name: str,
    content: str | bytes,
    file: str = "a.srt",
    lines: Sequence[str] = LINES,
    comes: str = "",
) -> Kind:
    count = f"{len(lines)} of {len(lines)} line{'s' * (len(lines) != 1)}"
    return Kind(name, _beside(content, file), comes or f"{ALL}; {count}", lines=lines)


def _srt(lines: Sequence[str] = LINES, comma: str = ",") -> str:
    """Returns an SRT file with a line over each shot."""
    return "\n".join(
        f"{at + 1}\n00:00:0{at}{comma}200 --> 00:00:0{at}{comma}800\n{line}\n"
        for at, line in enumerate(lines)
    )


def _ass(rows: Sequence[str], head: str = "[V4+ Styles]") -> str:
    version = "v4.00+" if "+" in head else "v4.00"
    first = "Layer" if "+" in head else "Marked"
    return (
        f"[Script Info]\nScriptType: {version}\n\n{head}\n\n[Events]\n"
        f"Format: {first}, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
        + "".join(f"Dialogue: {row}\n" for row in rows)
    )


def _ass_row(at: int, text: str, style: str = "Default", name: str = "", layer: str = "0") -> str:
    return f"{layer},0:00:0{at}.20,0:00:0{at}.80,{style},{name},0,0,0,,{text}"


def _ttml(times: Sequence[tuple[str, str]], head: str = "") -> str:
    cues = "".join(
        f'<p begin="{begin}" end="{end}">{line}</p>'
        for (begin, end), line in zip(times, LINES, strict=True)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><tt xmlns="http://www.w3.org/ns/ttml" '
        f'xmlns:ttp="http://www.w3.org/ns/ttml#parameter" {head}><body><div>{cues}</div>'
        "</body></tt>"
    )


_SECONDS = [(f"{at}.2s", f"{at}.8s") for at in range(3)]
_YOUTUBE = "WEBVTT\nKind: captions\nLanguage: en\n\n" + "\n".join(
    f"00:00:0{at}.{begin} --> 00:00:0{at + late}.{end} align:start position:0%\n{rows}\n"
    for at, begin, late, end, rows in (
        (0, "100", 0, "900", " \na<00:00:00.300><c> kite</c>"),
        (0, "900", 0, "910", "a kite\n "),
        (0, "910", 1, "900", "a kite\nit<00:00:01.200><c> flies</c>"),
        (1, "900", 1, "910", "it flies\n "),
        (1, "910", 2, "900", "it flies\nrun<00:00:02.300><c> after it</c>"),
    )
)
_RUSSIAN = (
    "Привет! Где ты была?",
    "Я искал тебя весь день.",
    "Пойдём домой, уже темно.",
)
_JAPANESE = ("おはよう。どこにいたの？", "一日中さがしたよ。", "さあ、家に帰ろう。")
_CHINESE = ("早上好！你去哪里了？", "我找了你一整天。", "我们回家吧。")
_TAIWANESE = ("早安！你去哪裡了？", "我找了你一整天。", "我們回家吧。")
_KOREAN = ("안녕! 어디 있었니?", "하루 종일 찾았어.", "집에 가자.")
_FRENCH = ("Ça va très bien, garçon?", "Où était le cerf-volant?", "Là-bas, près de l'église.")
_POLISH = ("Dzień dobry, gdzie jesteś?", "Łódź płynie, żółwiu!", "Więc chodźmy już.")
_GREEK = ("Καλημέρα! Πού είσαι;", "Σε έψαχνα όλη μέρα.", "Πάμε στο σπίτι.")
_LONG = (
    "Where have you been all day, I was looking for the kite in the garden and behind the house.",
    "The wind has taken it over the hill, so we must run after it at once before night comes.",
    "Wait for me, I am not so fast, but here it is in the old tree that stands by the river.",
)
_LONG_FRENCH = (
    "Où étais-tu toute la journée, je cherchais le cerf-volant dans le jardin et derrière la "
    "maison.",
    "Le vent l'a emporté de l'autre côté de la colline, il faut donc lui courir après avant la "
    "nuit.",
    "Attends-moi, je ne suis pas aussi rapide, mais le voilà dans le vieil arbre près de la "
    "rivière.",
)
_ENCODED: Mapping[str, tuple[str, Sequence[str]]] = {
    "cp1252": ("French", _FRENCH),
    "mac_roman": ("French", _FRENCH),
    "cp1250": ("Polish", _POLISH),
    "cp1251": ("Russian", _RUSSIAN),
    "koi8_r": ("Russian", _RUSSIAN),
    "cp1253": ("Greek", _GREEK),
    "cp932": ("Japanese", _JAPANESE),
    "euc_jp": ("Japanese", _JAPANESE),
    "gb18030": ("Chinese", _CHINESE),
    "big5": ("Chinese", _TAIWANESE),
    "euc_kr": ("Korean", _KOREAN),
}
_DAMAGED = _srt(_RUSSIAN).encode().replace("день".encode(), "де".encode() + b"\xff" + "нь".encode())

SUBTITLES = [
    _kind("SubRip", _srt()),
    _kind("SubRip of Windows, points for commas", _srt(comma=".").replace("\n", "\r\n")),
    _kind("SubRip without numbers or with wrong ones", _srt().replace("2\n00", "00")),
    _kind(
        "WebVTT with notes, styles and names of cues",
        (
            "WEBVTT\n\nSTYLE\n::cue { color: red }\n\nNOTE made by hand\n\n"
            + _srt(comma=".").replace("1\n", "first cue\n", 1)
        ),
        "a.vtt",
    ),
    _kind(
        "WebVTT of YouTube, which scrolls",
        _YOUTUBE,
        "a.en.vtt",
        ("a kite", "it flies", "run after it"),
    ),
    _kind(
        "ASS with signs, songs, karaoke and drawings",
        _ass(
            [
                *(_ass_row(at, line) for at, line in enumerate(LINES)),
                _ass_row(0, "{\\k20}sa{\\k30}kura", "OP"),
                _ass_row(1, "School", "Signs"),
                _ass_row(2, "{\\p1}m 0 0 l 9 9{\\p0}"),
            ]
        ),
        "a.ass",
    ),
    _kind(
        "SSA, names of speakers",
        _ass(
            [_ass_row(at, line, name="Pip", layer="Marked=0") for at, line in enumerate(LINES)],
            "[V4 Styles]",
        ),
        "a.ssa",
        [f"Pip: {line}" for line in LINES],
    ),
    _kind("TTML in seconds", _ttml(_SECONDS), "a.ttml"),
    _kind(
        "TTML in ticks, as Netflix has it",
        _ttml([(f"{at}2000000t", f"{at}8000000t") for at in range(3)], 'ttp:tickRate="10000000"'),
        "a.dfxp",
    ),
    _kind(
        "TTML in frames, iTunes",
        _ttml([(f"00:00:0{at}:05", f"00:00:0{at}:19") for at in range(3)], 'ttp:frameRate="24"'),
        "a.itt",
    ),
    _kind(
        "SAMI",
        "<SAMI><HEAD><STYLE><!-- P { } .ENCC { lang: en-US; } --></STYLE></HEAD><BODY>"
        + "".join(
            f"<SYNC Start={1000 * at + 200}><P Class=ENCC>{line}"
            f"<SYNC Start={1000 * at + 800}><P Class=ENCC>&nbsp;"
            for at, line in enumerate(LINES)
        )
        + "</BODY></SAMI>",
        "a.smi",
    ),
    _kind(
        "MicroDVD, in frames",
        "".join(f"{{{24 * at + 5}}}{{{24 * at + 19}}}{line}\n" for at, line in enumerate(LINES)),
        "a.sub",
    ),
    _kind(
        "SubViewer",
        "[INFORMATION]\n[TITLE]Kite\n[END INFORMATION]\n[SUBTITLE]\n"
        + "\n".join(f"00:00:0{at}.20,00:00:0{at}.80\n{line}\n" for at, line in enumerate(LINES)),
        "a.sub",
    ),
    _kind(
        "SBV of YouTube",
        "\n".join(f"0:00:0{at}.200,0:00:0{at}.800\n{line}\n" for at, line in enumerate(LINES)),
        "a.sbv",
    ),
    _kind(
        "LRC, lyrics and karaoke players",
        "[ar:Pip]\n[length: 00:03]\n"
        + "".join(f"[00:0{at}.20]{line}\n" for at, line in enumerate(LINES)),
        "a.lrc",
    ),
    _kind(
        "MPL2",
        "".join(f"[{10 * at + 2}][{10 * at + 8}]{line}\n" for at, line in enumerate(LINES)),
        "a.sub",
    ),
    _kind(
        "for those who do not hear",
        _srt(
            (
                "[wind blows]\nA kite!",
                "(laughs) It flies over the hill.",
                "♪ La la la ♪\n- Let us run after it.",
            )
        ),
    ),
    _kind(
        "two speakers in a cue",
        _srt(("- A kite!\n- Where?", *LINES[1:])),
        lines=("A kite!", "Where?", *LINES[1:]),
    ),
    _kind(
        "two languages in a cue, of two scripts",
        _srt([f"{chinese}\n{line}" for chinese, line in zip(_CHINESE, LINES, strict=True)]),
    ),
    _kind(
        "the same file, the film's language in its name",
        _srt([f"{chinese}\n{line}" for chinese, line in zip(_CHINESE, LINES, strict=True)]),
        "a.zh.srt",
        _CHINESE,
    ),
    _kind(
        "two languages in a cue, of one script",
        _srt([f"{french}\n{line}" for french, line in zip(_LONG_FRENCH, _LONG, strict=True)]),
        lines=_LONG,
    ),
    *(
        _kind(f"{language} in {encoding}", _srt(lines).encode(encoding), lines=lines)
        for encoding, (language, lines) in _ENCODED.items()
    ),
    _kind("UTF-16 with a mark", _srt(_RUSSIAN).encode("utf-16"), lines=_RUSSIAN),
    _kind("UTF-16 without a mark", _srt(_RUSSIAN).encode("utf-16-le"), lines=_RUSSIAN),
    _kind(
        "UTF-16 of the other end, Japanese", _srt(_JAPANESE).encode("utf-16-be"), lines=_JAPANESE
    ),
    _kind(
        "UTF-8 with a damaged byte",
        _DAMAGED,
        lines=(_RUSSIAN[0], "Я искал тебя весь де\ufffdнь.", _RUSSIAN[2]),
    ),
    _kind(
        "lines after the film's end, some",
        _srt() + "\n4\n00:01:00,000 --> 00:01:01,000\nX!\n",
        comes=f"{_BOTH}; reject: left out",
    ),
    _kind(
        "of another film, most lines after the end",
        _srt(LINES[:1])
        + "".join(f"\n{at}\n00:0{at}:00,000 --> 00:0{at}:01,000\nX!\n" for at in range(2, 8)),
        comes=_UNREADABLE,
    ),
    *(
        _kind(f"broken {name}", content, file, comes=_UNREADABLE)
        for name, content, file in (
            ("SubRip: no times", "1\nA kite!\n\n2\nIt flies.\n", "a.srt"),
            ("SubRip: empty", "", "a.srt"),
            ("SubRip: really a web page", "<!doctype html><html><body>404</body></html>", "a.srt"),
            ("SubRip: really a ZIP archive", b"PK\x03\x04" + bytes(range(256)) * 9, "a.srt"),
            ("WebVTT: no cue", "WEBVTT\n\nNOTE nothing\n", "a.vtt"),
            ("ASS: no events", "[Script Info]\nTitle: x\n", "a.ass"),
            ("TTML: times that are none", _ttml([("soon", "later")] * 3), "a.ttml"),
            ("TTML: not XML to its end", _ttml(_SECONDS)[:200], "a.ttml"),
            ("SAMI: no times", "<SAMI><BODY><P>A kite!</BODY></SAMI>", "a.smi"),
            ("MicroDVD: no numbers", "{a}{b}A kite!\n", "a.sub"),
            ("SBV: no times", "A kite!\n\nIt flies.\n", "a.sbv"),
            ("LRC: no times", "[ar:Pip]\nA kite!\n", "a.lrc"),
        )
    ),
]


def _track_film(folder: Path, tracks: Sequence[Mapping[str, Any]], name: str = "a.mkv") -> None:
    """Writes a film with tracks of text, each with language, title, lines and disposition."""
    plain = make_film(
        folder / ".plain.mkv",
        frames(),
        gop=12,
        subtitles={f"{number}": track["lines"] for number, track in enumerate(tracks)},
    )
    with av.open(plain) as source, av.open(str(folder / name), "w") as out:
        streams = {}
        for stream in source.streams:
            streams[stream.index] = out.add_stream_from_template(stream)
        for track, stream in zip(tracks, source.streams.subtitles, strict=True):
            copy = streams[stream.index]
            copy.metadata["language"] = track.get("language", "und")
            copy.metadata["title"] = track.get("title", "")
            copy.disposition = track.get("disposition", Disposition(0))
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                out.mux(packet)
    Path(plain).unlink()


_TIMED = [(at + 0.2, at + 0.8, line) for at, line in enumerate(LINES)]
_OTHER = [(at + 0.2, at + 0.8, line) for at, line in enumerate(_FRENCH)]


def _choice(name: str, *tracks: Mapping[str, Any]) -> Kind:
    return Kind(
        name,
        lambda folder: _track_film(folder, tracks),
        f"{_BOTH}; reject: other track",
        lines=LINES,
    )


def _two_videos(folder: Path) -> None:
    make_film(folder / "a.mkv", frames(), gop=12, second_track=True)


def _sound(name: str, codec: str, layout: str = "stereo", cover: bool = False) -> Any:
    """Returns what writes a file of sound, with a cover picture or without."""

    def make(folder: Path) -> None:
        with av.open(str(folder / name), "w") as out:
            track: Any = out.add_stream(codec, rate=16_000, layout="mono")
            if cover:
                picture = out.add_stream("mjpeg", rate=1)
                picture.width, picture.height, picture.pix_fmt = 320, 180, "yuvj420p"
                picture.disposition = Disposition.attached_pic
                frame = av.VideoFrame.from_ndarray(scene(9), format="rgb24")
                out.mux(picture.encode(frame))
                out.mux(picture.encode(None))
            for block in tone(1.0):
                out.mux(track.encode(block))
            out.mux(track.encode(None))

    return make


TRACKS = [
    Kind("text track in Matroska", film("a.mkv", subtitles={"eng": _TIMED}), _BOTH, lines=LINES),
    Kind("text track in MP4", film("a.mp4", subtitles={"eng": _TIMED}), _BOTH, lines=LINES),
    Kind(
        "text track in WebM",
        film(
            "a.webm",
            codec="libvpx-vp9",
            subtitles={"eng": _TIMED},
            subtitle_codec="webvtt",
            options={"deadline": "realtime", "cpu-used": "8"},
        ),
        _BOTH,
        lines=LINES,
    ),
    Kind(
        "text track of ASS",
        film("a.mkv", subtitles={"eng": _TIMED}, subtitle_codec="ass"),
        _BOTH,
        lines=LINES,
    ),
    _choice(
        "forced track before the full one",
        {"language": "eng", "lines": _TIMED[:1], "disposition": Disposition.forced},
        {"language": "eng", "lines": _TIMED},
    ),
    _choice(
        "signs and songs, by title, before the full track",
        {"language": "eng", "title": "Signs & Songs", "lines": _TIMED[:1]},
        {"language": "eng", "title": "Full", "lines": _TIMED},
    ),
    _choice(
        "commentary before the dialogue",
        {"language": "eng", "title": "Director's commentary", "lines": _OTHER},
        {"language": "eng", "lines": _TIMED},
    ),
    _choice(
        "another language by default",
        {"language": "fre", "lines": _OTHER},
        {"language": "eng", "lines": _TIMED, "disposition": Disposition.default},
    ),
    Kind("several video tracks", _two_videos),
    Kind("film with cover art", film("a.mp4", cover=scene(8))),
    Kind("film with sound", film("a.mp4", audio=True)),
    Kind("sound alone in MP4", _sound("a.mp4", "aac"), "reject: unreadable"),
    Kind("music with cover art in MP4", _sound("a.mp4", "aac", cover=True), "reject: unreadable"),
]


def _named(*names: str) -> Any:
    """Returns what writes a film a.mp4 with files: the first has the lines, the others not."""
    first, *others = names
    return together(
        film("a.mp4"),
        text_file(first, _srt()),
        *(text_file(name, _srt(("No.", "Never.", "Not at all."))) for name in others),
    )


NAMES = [
    *(
        Kind(", ".join(names), _named(*names), _BOTH, lines=LINES)
        for names in (
            ("a.srt",),
            ("a.mp4.srt",),
            ("A.SRT",),
            ("a.en.srt", "a.fr.srt"),
            ("a.English.srt", "a.French.srt"),
            ("a_en.srt", "a_de.srt"),
            ("a-en.srt", "a-de.srt"),
            ("a.en_US.srt", "a.de.srt"),
            ("a [English].srt", "a [German].srt"),
            ("a (en).srt", "a (fr).srt"),
            ("a.en.default.srt", "a.fr.srt"),
            ("a.en.srt", "a.en.hi.srt"),
            ("a.en.srt", "a.en.sdh.srt"),
            ("a.en.srt", "a.en.forced.srt"),
            ("a.default.en.srt", "a.forced.en.srt"),
            ("a.en.srt", "a.en.signs.srt"),
            ("a.eng.srt", "a.ger.srt"),
            ("a.en-GB.srt", "a.pt-BR.srt"),
            ("Subs/2_English.srt", "Subs/3_French.srt"),
            ("Subs/a.en.srt", "Subs/a.de.srt"),
            ("Subs/a/2_English.srt", "Subs/a/4_German.srt"),
            ("subtitles/english.srt", "subtitles/french.srt"),
            ("a.en[cc].srt", "a.fr[cc].srt"),
            ("a.0.en.srt", "a.1.fr.srt"),
            ("English.srt", "Deutsch.srt"),
            ("en/a.srt", "fr/a.srt"),
            ("en.srt", "de.srt"),
        )
    ),
    Kind("other.srt", _named("other.srt"), f"{ALL}; 0 of 3 lines; reject: of no film", lines=LINES),
]
