"""Subtitle files of every format."""

import pytest

from pipeline.ingest.subtitle_formats import SubtitlesError, parse
from pipeline.ingest.subtitle_lines import Line, clean


def lines(data, **options):
    return [(line.start, line.end, line.text) for line in clean(parse(data, **options))]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no format"),
        (b"no subtitles", "no format"),
        (bytes(100), "no format"),
        (bytes(range(256)) * 20, "encoding|no format"),
        (b"x" * (11 << 20), "too many"),
        (b"[Script Info]\n\n[V4+ Styles]\n", "no line"),
    ],
)
def test_broken_file(data, reason):
    with pytest.raises(SubtitlesError, match=reason):
        parse(data)


def test_a_time_before_the_film_is_its_start():
    data = (
        b"1\n-00:00:05,000 --> -00:00:04,000\nBefore\n\n"
        b"2\n-00:00:01,500 --> 00:00:01,000\nStill\n\n"
        b"3\n00:00:02,000 --> 00:00:03,000\nAt -00:00:01,000 sharp\n"
    )
    assert clean(parse(data)) == [
        Line(0.0, 0.0, "Before"),
        Line(0.0, 1.0, "Still"),
        Line(2.0, 3.0, "At -00:00:01,000 sharp"),
    ]


def test_identifiers_notes_and_styles_of_webvtt_are_no_text():
    data = (
        b"WEBVTT - made by hand\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n\n"
        b"STYLE\n::cue { color: red }\n\n"
        b"NOTE\nof two\nrows\n\n"
        b"intro-1\n00:01.000 --> 00:02.000\nHello\n\n"
        b"NOTE a word\n\n"
        b"second cue\n00:00:03.000 --> 00:00:04.000 line:0\n42\n"
    )
    assert lines(data) == [(1.0, 2.0, "Hello"), (3.0, 4.0, "42")]


@pytest.mark.parametrize(
    ("head", "begin", "end"),
    [
        ("", "1s", "2s"),
        ("", "00:00:01.000", "00:00:02.000"),
        ('ttp:frameRate="24"', "24f", "48f"),
        ('ttp:frameRate="24" ttp:tickRate="10000000"', "10000000t", "20000000t"),
        ('ttp:frameRate="25"', "00:00:01:00", "00:00:02:00"),
        ('ttp:frameRate="30" ttp:frameRateMultiplier="1000 1001"', "30f", "60f"),
    ],
)
def test_times_of_ttml(head, begin, end):
    data = (
        f'<tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttp="http://www.w3.org/ns/ttml#parameter" '
        f'{head}><body><div><p begin="{begin}" end="{end}">Hello<br/>you</p></div></body></tt>'
    )
    ((start, stop, text),) = lines(data.encode())
    assert (round(start, 1), round(stop, 1), text) == (1.0, 2.0, "Hello you")


def test_ttml_of_before_the_standard_with_durations():
    data = (
        b'<tt xmlns="http://www.w3.org/2006/10/ttaf1"><body><div>'
        b'<p begin="00:00:01.00" dur="00:00:01.50">Hello</p></div></body></tt>'
    )
    assert lines(data) == [(1.0, 2.5, "Hello")]


@pytest.mark.parametrize("time", ["soon", "1:2", "-5s", "1e99999s", "00:99:99:99:99"])
def test_a_time_that_is_none_is_the_files_fault(time):
    data = (
        f'<tt xmlns="http://www.w3.org/ns/ttml"><body><div><p begin="{time}" end="{time}">x</p>'
        "</div></body></tt>"
    )
    with pytest.raises(SubtitlesError, match="no format"):
        parse(data.encode())


def test_lines_of_songs_and_karaoke_players_are_shown_until_the_next():
    data = (
        b"[ar:Pip]\n[offset:500]\n[00:01.50]A kite!\n[00:03.5][01:00.00]Run <00:04.00>after it.\n"
        b"[00:05.00]\n"
    )
    assert lines(data) == [
        (1.0, 3.0, "A kite!"),
        (3.0, 4.5, "Run after it."),
        (59.5, 65.5, "Run after it."),
    ]


def test_captions_of_youtube_in_sbv():
    assert lines(
        b"0:00:01.200,0:00:02.000\nA kite!\n\n0:00:02.500,0:00:03.000\nRun\nafter it.\n"
    ) == [
        (1.2, 2.0, "A kite!"),
        (2.5, 3.0, "Run after it."),
    ]
