"""Opening films and reading their headers."""

import os

import av
import pytest

from pipeline.ingest.video import (
    VideoError,
    check_clock,
    decoded,
    fingerprint,
    open_video,
    packets,
    packets_from,
    probe,
    video_stream,
)
from pipeline.testing.films import make_film, moving, scene, still, tone
from schemas.rows import Video


def film(tmp_path, name="film.mp4", frames=None, **options):
    return make_film(tmp_path / name, frames or moving(scene(1), 12), **options)


def probed(uri):
    return probe(Video(id="film", uri=uri, series="", title=""))


class TestFingerprint:
    def test_tells_size_start_end_and_middle_apart(self, tmp_path):
        path = tmp_path / "f"
        seen = set()
        for at in (None, 0, 3 << 20, (8 << 20) - 1):
            content = bytearray(8 << 20)
            if at is not None:
                content[at - (at == 3 << 20) * 30_000] = 1
            path.write_bytes(content)
            seen.add(fingerprint(str(path)))
        path.write_bytes(bytes((8 << 20) + 1))
        assert len(seen | {fingerprint(str(path))}) >= 4

    def test_small_file_counts_whole(self, tmp_path):
        (tmp_path / "a").write_bytes(b"x" * 1000 + b"1" + b"x" * 1000)
        (tmp_path / "b").write_bytes(b"x" * 1000 + b"2" + b"x" * 1000)
        assert fingerprint(str(tmp_path / "a")) != fingerprint(str(tmp_path / "b"))
        assert len(fingerprint(str(tmp_path / "a"))) == 64


class TestProbe:
    def test_plain_film(self, tmp_path):
        uri = film(tmp_path)
        video = probed(uri)
        assert (video.width, video.height, video.fps, video.duration, video.rotation) == (
            320,
            180,
            24.0,
            0.5,
            0,
        )
        assert video.size == os.path.getsize(uri)
        assert video.fingerprint == fingerprint(uri)

    @pytest.mark.parametrize(
        ("rotation", "size"), [(90, (180, 320)), (180, (320, 180)), (270, (180, 320))]
    )
    def test_rotation_is_clockwise_and_turns_the_size(self, tmp_path, rotation, size):
        video = probed(film(tmp_path, rotation=rotation))
        assert (video.rotation, (video.width, video.height)) == (rotation, size)

    @pytest.mark.parametrize("ending", ["mp4", "mkv"])
    def test_variable_frame_rate_and_late_start(self, tmp_path, ending):
        uri = film(tmp_path, f"f.{ending}", frames=still(scene(1), 4), pts=[5, 6, 8, 9])
        assert probed(uri).duration == pytest.approx(4, abs=1.5)  # the last frame's length is open

    @pytest.mark.parametrize(
        ("codec", "ending"),
        [("libvpx", "webm"), ("mpeg4", "avi"), ("mpeg2video", "ts"), ("flv", "flv")],
    )
    def test_other_containers(self, tmp_path, codec, ending):
        video = probed(film(tmp_path, f"f.{ending}", codec=codec))
        assert (video.width, video.height) == (320, 180)
        assert video.duration == pytest.approx(0.5, abs=0.1)

    def test_recorded_stream_without_a_duration_is_measured_by_its_packets(self, tmp_path):
        uri = film(tmp_path, "f.mkv", container_options={"live": "1"})
        assert probed(uri).duration == pytest.approx(0.5, abs=0.002)

    @pytest.mark.parametrize("ending", ["mp4", "mkv"])
    def test_largest_track_is_the_film_and_cover_art_is_not(self, tmp_path, ending):
        uri = film(tmp_path, f"f.{ending}", second_track=True, cover=scene(2, 360, 640))
        assert (probed(uri).width, probed(uri).height) == (320, 180)
        with open_video(uri) as container:
            assert video_stream(container).codec_context.name == "h264"

    def test_remote_film_is_read_through_beam(self, tmp_path):
        local = probed(film(tmp_path))
        remote = probed("file://" + film(tmp_path))
        assert (remote.fingerprint, remote.duration, remote.size) == (
            local.fingerprint,
            local.duration,
            local.size,
        )

    def test_path_that_looks_like_a_protocol_is_a_path(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        os.rename(film(tmp_path), "concat:a.mp4")
        assert probed("concat:a.mp4").duration == 0.5

    def test_sound_alone_is_no_film(self, tmp_path):
        path = str(tmp_path / "song.m4a")
        with av.open(path, "w", format="mp4") as out:
            stream = out.add_stream("aac", rate=16_000, layout="mono")
            for frame in tone(0.2):
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        with pytest.raises(VideoError, match="no video track"):
            probed(path)

    def test_text_is_no_film(self, tmp_path):
        (tmp_path / "f.mp4").write_bytes(b"not a film" * 100)
        with pytest.raises(VideoError, match="cannot be read as video: "):
            probed(str(tmp_path / "f.mp4"))

    def test_missing_film(self, tmp_path):
        with pytest.raises(OSError):
            probed(str(tmp_path / "gone.mp4"))


class TestPackets:
    @pytest.mark.parametrize(
        ("ending", "codec"),
        [
            ("ts", "libx264"),
            ("ts", "mpeg2video"),
            ("mpg", "mpeg2video"),
            ("mkv", "libx264"),
            ("mp4", "libx264"),
            ("avi", "mpeg4"),
            ("flv", "flv"),
            ("nut", "ffv1"),
        ],
    )
    def test_are_reached_from_wherever_seeking_lands(self, tmp_path, ending, codec):
        uri = film(
            tmp_path,
            f"f.{ending}",
            moving(scene(1), 48),
            codec=codec,
            gop=6,
            bframes=2 if codec == "libx264" else 0,
        )
        with open_video(uri) as container:
            stream = video_stream(container)
            frames = {
                frame.pts: frame.to_ndarray() for frame in decoded(packets(container, stream))
            }
        with open_video(uri) as container:
            access = [
                packet.pts
                for packet in packets(container, video_stream(container))
                if packet.is_keyframe and packet.pts is not None
            ]
        assert len(access) >= 8
        with open_video(uri) as container:
            stream = video_stream(container)
            for start in access:
                frame = next(decoded(packets_from(container, stream, start)))
                while frame.pts < start:
                    frame = next(decoded(packets(container, stream)))
                assert frame.pts == start
                assert (frame.to_ndarray() == frames[start]).all()

    def test_of_a_time_that_no_packet_has_are_none(self, tmp_path):
        with open_video(film(tmp_path, "f.ts")) as container:
            assert list(packets_from(container, video_stream(container), 7)) == []

    def test_of_a_track_that_others_join_on_the_way(self, tmp_path):
        film(tmp_path, "a.ts")
        film(tmp_path, "b.ts", audio=True, pts=[1 + i / 24 for i in range(12)])
        (tmp_path / "c.ts").write_bytes(
            (tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes()
        )
        with open_video(str(tmp_path / "c.ts")) as container:
            found = [
                packet
                for packet in packets(container, video_stream(container))
                if packet.pts is not None
            ]
        assert len(found) == 24


@pytest.mark.parametrize("ending", ["ts", "mpg", "mkv"])
def test_a_clock_that_starts_again_is_told_with_its_time(tmp_path, ending):
    codec = "mpeg2video" if ending == "mpg" else "libx264"
    uri = film(tmp_path, f"f.{ending}", moving(scene(1), 48), codec=codec, bframes=2)
    with open(uri, "rb") as file:
        data = file.read()
    (tmp_path / f"twice.{ending}").write_bytes(data * 2)
    for name, again in (("f", False), ("twice", True)):
        with open_video(str(tmp_path / f"{name}.{ending}")) as container:
            stream = video_stream(container)
            pts = [packet.pts for packet in packets(container, stream) if packet.pts is not None]
            if again:
                with pytest.raises(VideoError, match=r"its clock starts again after [12]\.\d s"):
                    check_clock(pts, float(stream.time_base))
            else:
                check_clock(pts, float(stream.time_base))


def test_a_clock_is_not_wrong_for_a_few_wrong_times_or_frames_out_of_order():
    check_clock([], 1.0)
    check_clock([0, 40, 9000, 80, 120, 0, 160, 200, 240, 280, 320, 360, 400, 440], 0.001)
    check_clock([at + step for at in range(0, 160, 8) for step in (0, 8, 4, 2, 1, 3, 6, 5)], 1.0)
