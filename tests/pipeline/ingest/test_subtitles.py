"""Dialogue from sidecar files and text tracks, and which keyframe it goes to."""

import dataclasses
from fractions import Fraction

import av
import pytest

from pipeline.ingest.subtitle_formats import SubtitlesError
from pipeline.ingest.subtitle_lines import Line
from pipeline.ingest.subtitles import attach, read
from pipeline.testing.films import make_film, scene, still
from schemas.rows import Keyframe, Video


def srt(*texts):
    """An SRT file with one line a second."""
    return "\n".join(
        f"{i}\n00:00:0{i},000 --> 00:00:0{i},900\n{text}\n" for i, text in enumerate(texts, 1)
    ).encode()


def film(tmp_path, name="f.mp4", **options):
    return Video(
        id="f",
        series="",
        title="",
        subtitles=options.pop("sidecar", ""),
        language=options.pop("language", ""),
        uri=make_film(tmp_path / name, still(scene(1, 48, 64), 24), **options),
    )


def make_tracks(path, *tracks):
    """A film of a second with text tracks (language, title, lines)."""
    make_film(path, still(scene(1, 48, 64), 24), subtitles={"und": [(0, 1, "x")]})
    with av.open(str(path)) as film, av.open(str(path) + ".mkv", "w") as out:
        (video,) = film.streams.video
        picture = out.add_stream_from_template(video)
        texts = [out.add_stream_from_template(film.streams.subtitles[0]) for _ in tracks]
        for stream, (language, title, _) in zip(texts, tracks, strict=True):
            stream.metadata.update(language=language, title=title)
        for packet in film.demux(video):
            if packet.dts is not None:
                packet.stream = picture
                out.mux(packet)
        for stream, (_, _, lines) in zip(texts, tracks, strict=True):
            for start, end, text in lines:
                packet = av.Packet(text.encode())
                packet.stream, packet.time_base = stream, Fraction(1, 1000)
                packet.pts = packet.dts = round(start * 1000)
                packet.duration = round((end - start) * 1000)
                out.mux(packet)
    return str(path) + ".mkv"


class TestRead:
    @pytest.mark.parametrize(
        ("ending", "codec"),
        [("mp4", "mov_text"), ("mkv", "subrip"), ("mkv", "ass"), ("mkv", "webvtt")],
    )
    def test_text_track_of_the_language(self, tmp_path, ending, codec):
        tracks = {"deu": [(0.25, 0.75, "Hallo")], "eng": [(0.25, 0.75, r"{\i1}Hel{\i0}lo,\Nyou")]}
        video = film(tmp_path, f"f.{ending}", subtitles=tracks, subtitle_codec=codec, language="en")
        assert read(video).lines == [Line(0.25, 0.75, "Hello, you")]
        assert [line.text for line in read(dataclasses.replace(video, language="")).lines] == [
            "Hallo"
        ]

    def test_sidecar_goes_before_track(self, tmp_path):
        (tmp_path / "f.srt").write_bytes(srt("From the file"))
        video = film(
            tmp_path, subtitles={"eng": [(0, 1, "From the track")]}, sidecar=str(tmp_path / "f.srt")
        )
        assert read(video).lines == [Line(1.0, 1.9, "From the file")]

    @pytest.mark.parametrize("ending", ["mp4", "mkv"])
    def test_times_count_from_the_first_frame_of_a_film_that_starts_late(self, tmp_path, ending):
        (tmp_path / "f.srt").write_bytes(srt("From the file"))
        video = film(
            tmp_path,
            f"f.{ending}",
            pts=[10 + i / 24 for i in range(24)],
            subtitles={"eng": [(10.5, 10.75, "From the track")]},
        )
        assert read(video).lines == [Line(0.5, 0.75, "From the track")]
        sidecar = dataclasses.replace(video, subtitles=str(tmp_path / "f.srt"))
        assert read(sidecar).lines == [Line(1.0, 1.9, "From the file")]

    def test_signs_and_commentary_are_not_the_dialogue(self, tmp_path):
        dialogue = [(i / 10, i / 10 + 0.1, f"Line {i}") for i in range(8)]
        few = [(0.25, 0.75, "A sign")]
        path = make_tracks(
            tmp_path / "f.mkv",
            ("eng", "Signs & Songs", few),
            ("eng", "", few),
            ("eng", "English (SDH)", dialogue),
            ("eng", "Full", dialogue),
            ("eng", "Director's commentary", dialogue),
            ("ger", "", dialogue),
        )
        found = read(Video(id="f", series="", title="", uri=path, language="en"))
        assert len(found.lines) == 8
        assert found.other_tracks.startswith("track 4 (en, Full, 8 lines) is taken, not 1 (en, S")

    def test_lines_after_the_film_are_told(self, tmp_path):
        lines = [f"{i}\n00:00:0{s},000 --> 00:00:0{s},500\nL{i}\n" for i, s in enumerate([0, 0, 9])]
        (tmp_path / "f.srt").write_text("\n".join(lines))
        found = read(film(tmp_path, sidecar=str(tmp_path / "f.srt")))
        assert [line.text for line in found.lines] == ["L0", "L1"]
        assert found.left_out == ("1 of 3 lines begin after the film's end (1 s), the last at 9 s")

    def test_subtitles_of_another_film_are_not_used(self, tmp_path):
        (tmp_path / "f.srt").write_bytes(srt(*"abcdefgh"))
        with pytest.raises(SubtitlesError, match="6 of 8 lines begin after the film"):
            read(film(tmp_path, sidecar=str(tmp_path / "f.srt")))

    def test_film_without_subtitles(self, tmp_path):
        assert read(film(tmp_path)).lines == []

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
