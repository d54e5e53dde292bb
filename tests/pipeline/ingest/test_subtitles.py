"""Dialogue from sidecar files and text tracks, and which keyframe it goes to."""

import dataclasses

import pysubs2
import pytest

from pipeline.ingest.subtitles import Line, SubtitlesError, attach, clean, left_out, parse, read
from pipeline.testing.films import make_film, scene, still
from schemas.rows import Keyframe, Video


def srt(*texts):
    """An SRT file with one line a second."""
    return "\n".join(
        f"{i}\n00:00:0{i},000 --> 00:00:0{i},900\n{text}\n" for i, text in enumerate(texts, 1)
    ).encode()


def texts(data, language=""):
    return [line.text for line in clean(parse(data, language))]


def film(tmp_path, name="f.mp4", **options):
    return Video(
        id="f",
        series="",
        title="",
        subtitles=options.pop("sidecar", ""),
        language=options.pop("language", ""),
        uri=make_film(tmp_path / name, still(scene(1, 48, 64), 24), **options),
    )


class TestText:
    @pytest.mark.parametrize(
        ("written", "said"),
        [
            ('<i>Hello</i> <font color="red">you</font>\nthere', ["Hello you there"]),
            (r"{\an8}Up {\b1}here{\b0}", ["Up here"]),
            ("PIP: Where are you?", ["Pip: Where are you?"]),
            ("- Pip: Here!\n- OLD OWL: And\nnow?", ["Pip: Here!", "Old Owl: And now?"]),
            ("Tom &amp; Jerry at 10:30", ["Tom & Jerry at 10:30"]),
            ("And he said:", ["And he said:"]),
            ("[door slams] Who is it?", ["Who is it?"]),
            ("<script>alert(1)</script> 5 < 6", ["alert(1) 5 < 6"]),
            ("&lt;b&gt; \x07=HYPERLINK(1)", ["<b> =HYPERLINK(1)"]),
        ],
    )
    def test_is_plain(self, written, said):
        assert texts(srt(written)) == said

    @pytest.mark.parametrize(
        "written",
        [
            "♪",
            "♪ La la la ♪",
            "[door slams]",
            "(sighs)",
            "...",
            "PIP: [laughs]",
            "- (sighs)\n- ♫",
            "<i></i>",
        ],
    )
    def test_what_is_not_spoken_is_left_out(self, written):
        assert texts(srt(written, "Yes.")) == ["Yes."]

    def test_webvtt_says_who_speaks(self):
        assert texts(
            b"WEBVTT\n\nNOTE no\n\n00:01.000 --> 00:02.000 line:0\n"
            b"<v.loud Pip>Hello <c.red>you</c> <00:01.500>there</v>\n"
        ) == ["Pip: Hello you there"]

    def test_ass_comments_and_drawings_are_left_out(self):
        head = (
            "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\n\n[Events]\n"
            "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
        )
        rest = "0,0:00:01.00,0:00:02.00,Default,,0,0,0,,"
        assert texts(
            (
                head
                + f"Dialogue: {rest}{{\\i1}}Hello,\\Nyou\n"
                + f"Comment: {rest}no\n"
                + f"Dialogue: {rest}{{\\p1}}m 0 0 l 9 9{{\\p0}}\n"
            ).encode()
        ) == ["Hello, you"]

    def test_same_words_again_at_once_are_one_line(self):
        lines = clean(parse(srt("Come!", "Come!", "No.", "Come!")))
        assert lines == [Line(1.0, 2.9, "Come!"), Line(3.0, 3.9, "No."), Line(4.0, 4.9, "Come!")]


class TestEncoding:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
    def test_is_found(self, encoding):
        text = "Ça va très bien, où est le garçon?"
        assert texts(srt("x").decode().replace("x", text).encode(encoding)) == [text]

    @pytest.mark.parametrize(
        ("language", "encoding", "text"),
        [
            ("pl", "cp1250", "Dzień dobry, gdzie jesteś?"),
            ("rus", "cp1251", "Привет!"),
            ("tr-TR", "cp1254", "Günaydın, nasılsın?"),
            ("ja", "shift_jis", "ありがとう"),
        ],
    )
    def test_language_tells_it(self, language, encoding, text):
        data = srt("x").decode().replace("x", text).encode(encoding)
        assert texts(data, language) == [text]


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


def test_what_nobody_can_say_is_left_out_and_told():
    drawing = "Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,{\\p1}" + "m 0 0 " * 1000
    data = (
        "[Script Info]\n\n[V4+ Styles]\n\n[Events]\nFormat: Layer, Start, End, Style, Name, "
        "MarginL, MarginR, MarginV, Effect, Text\n"
        "Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,Hello\n"
        "Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,"
        + "word " * 2000
        + "\n"
        + drawing
        + "\n"
    )
    events = [*parse(data.encode()), pysubs2.SSAEvent(2_000_000_000, 2_000_001_000, "Late")]
    assert clean(events) == [Line(1.0, 2.0, "Hello")]
    assert left_out(events) == (
        "hold lines of more than 5000 characters or at times that no film has: 2"
    )
    assert left_out(parse(srt("Hello"))) == ""


class TestRead:
    @pytest.mark.parametrize(
        ("ending", "codec"),
        [("mp4", "mov_text"), ("mkv", "subrip"), ("mkv", "ass"), ("mkv", "webvtt")],
    )
    def test_text_track_of_the_language(self, tmp_path, ending, codec):
        tracks = {"deu": [(0.25, 0.75, "Hallo")], "eng": [(0.25, 0.75, r"{\i1}Hel{\i0}lo,\Nyou")]}
        video = film(tmp_path, f"f.{ending}", subtitles=tracks, subtitle_codec=codec, language="en")
        assert read(video)[0] == [Line(0.25, 0.75, "Hello, you")]
        assert [line.text for line in read(dataclasses.replace(video, language=""))[0]] == ["Hallo"]

    def test_sidecar_goes_before_track(self, tmp_path):
        (tmp_path / "f.srt").write_bytes(srt("From the file"))
        video = film(
            tmp_path, subtitles={"eng": [(0, 1, "From the track")]}, sidecar=str(tmp_path / "f.srt")
        )
        assert read(video)[0] == [Line(1.0, 1.9, "From the file")]

    @pytest.mark.parametrize("ending", ["mp4", "mkv"])
    def test_times_count_from_the_first_frame_of_a_film_that_starts_late(self, tmp_path, ending):
        (tmp_path / "f.srt").write_bytes(srt("From the file"))
        video = film(
            tmp_path,
            f"f.{ending}",
            pts=[10 + i / 24 for i in range(24)],
            subtitles={"eng": [(10.5, 10.75, "From the track")]},
        )
        assert read(video)[0] == [Line(0.5, 0.75, "From the track")]
        sidecar = dataclasses.replace(video, subtitles=str(tmp_path / "f.srt"))
        assert read(sidecar)[0] == [Line(1.0, 1.9, "From the file")]

    def test_film_without_subtitles(self, tmp_path):
        assert read(film(tmp_path))[0] == []

    def test_film_that_is_no_film(self, tmp_path):
        (tmp_path / "f.mp4").write_bytes(b"no film")
        with pytest.raises(SubtitlesError, match="cannot be read"):
            read(Video(id="f", uri=str(tmp_path / "f.mp4"), series="", title=""))

    def test_sidecar_that_is_far_too_large_is_not_read(self, tmp_path):
        with open(tmp_path / "f.srt", "wb") as file:
            file.truncate(1 << 40)  # a hole
        with pytest.raises(SubtitlesError, match="have 1099511627776 bytes: too many"):
            read(film(tmp_path, sidecar=str(tmp_path / "f.srt")))

    def test_sidecar_that_is_gone(self, tmp_path):
        with pytest.raises(OSError):
            read(film(tmp_path, sidecar=str(tmp_path / "gone.srt")))


def keyframe(time, shot, shot_start):
    return Keyframe(
        id=f"f_{time}",
        video="f",
        series="",
        image="",
        time=time,
        shot=shot,
        shot_start=shot_start,
        shot_end=0,
        width=0,
        height=0,
        crop=[],
        bytes=0,
        sha256="",
        phash="",
        sharpness=0,
        brightness=0,
        camera_motion=[],
        subject_motion=[],
    )


class TestAttach:
    KEYFRAMES = (keyframe(3, 0, 1), keyframe(7, 1, 5), keyframe(9, 1, 5), keyframe(14, 3, 12))

    @pytest.mark.parametrize(
        ("start", "end", "at"),
        [
            (0, 0.5, 0),  # before the first shot
            (4, 4.9, 0),
            (4.5, 6, 1),  # begins before the cut at 5 s, spoken mostly after it
            (4, 5.9, 0),
            (5.5, 6.5, 1),  # in the shot, before its picture
            (9, 9, 2),
            (10.5, 11, 2),  # in a shot that has no keyframe
            (99, 100, 3),
        ],
    )
    def test_line_goes_where_its_middle_lies(self, start, end, at):
        attached = attach(self.KEYFRAMES, [Line(start, end, "Yes.")])
        assert [one.dialogue for one in attached] == [["Yes."] if i == at else [] for i in range(4)]

    def test_each_line_goes_somewhere_once_in_order(self):
        lines = [Line(i / 3, i / 3 + 1, str(i)) for i in range(50)]
        attached = attach(self.KEYFRAMES, lines)
        assert [text for one in attached for text in one.dialogue] == [str(i) for i in range(50)]

    def test_no_keyframes(self):
        assert attach([], [Line(0, 1, "Yes.")]) == []
