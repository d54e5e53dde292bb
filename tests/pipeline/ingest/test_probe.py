"""What probing tells of films of many kinds."""

import os

import av
import pytest

from pipeline.ingest.fingerprint import fingerprint
from pipeline.ingest.probe import probe
from pipeline.ingest.video import VideoError, open_video, video_stream
from pipeline.testing.films import make_film, moving, scene, still, tone
from schemas.rows import Video


def film(tmp_path, name="film.mp4", frames=None, **options):
    return make_film(tmp_path / name, frames or moving(scene(1), 12), **options)


def probed(uri):
    return probe(Video(id="film", uri=uri, series="", title=""))


def test_plain_film(tmp_path):
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
def test_rotation_is_clockwise_and_turns_the_size(tmp_path, rotation, size):
    video = probed(film(tmp_path, rotation=rotation))
    assert (video.rotation, (video.width, video.height)) == (rotation, size)


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_variable_frame_rate_and_late_start(tmp_path, ending):
    uri = film(tmp_path, f"f.{ending}", frames=still(scene(1), 4), pts=[5, 6, 8, 9])
    assert probed(uri).duration == pytest.approx(4, abs=1.5)  # the last frame's length is open


@pytest.mark.parametrize(
    ("codec", "ending"),
    [("libvpx", "webm"), ("mpeg4", "avi"), ("mpeg2video", "ts"), ("flv", "flv")],
)
def test_other_containers(tmp_path, codec, ending):
    video = probed(film(tmp_path, f"f.{ending}", codec=codec))
    assert (video.width, video.height) == (320, 180)
    assert video.duration == pytest.approx(0.5, abs=0.1)


def test_recorded_stream_without_a_duration_is_measured_by_its_packets(tmp_path):
    uri = film(tmp_path, "f.mkv", container_options={"live": "1"})
    assert probed(uri).duration == pytest.approx(0.5, abs=0.002)


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_largest_track_is_the_film_and_cover_art_is_not(tmp_path, ending):
    uri = film(tmp_path, f"f.{ending}", second_track=True, cover=scene(2, 360, 640))
    assert (probed(uri).width, probed(uri).height) == (320, 180)
    with open_video(uri) as container:
        assert video_stream(container).codec_context.name == "h264"


def test_remote_film_is_read_through_beam(tmp_path):
    local = probed(film(tmp_path))
    remote = probed("file://" + film(tmp_path))
    assert (remote.fingerprint, remote.duration, remote.size) == (
        local.fingerprint,
        local.duration,
        local.size,
    )


def test_path_that_looks_like_a_protocol_is_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.rename(film(tmp_path), "concat:a.mp4")
    assert probed("concat:a.mp4").duration == 0.5


def test_sound_alone_is_no_film(tmp_path):
    path = str(tmp_path / "song.m4a")
    with av.open(path, "w", format="mp4") as out:
        stream = out.add_stream("aac", rate=16_000, layout="mono")
        for frame in tone(0.2):
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with pytest.raises(VideoError, match="no video track"):
        probed(path)


def test_text_is_no_film(tmp_path):
    (tmp_path / "f.mp4").write_bytes(b"not a film" * 100)
    with pytest.raises(VideoError, match="cannot be read as video: "):
        probed(str(tmp_path / "f.mp4"))


def test_missing_film(tmp_path):
    with pytest.raises(OSError):
        probed(str(tmp_path / "gone.mp4"))
