"""Reaching the packets of films of many kinds."""

import pytest

from pipeline.ingest.video import decoded, open_video, packets, packets_from, video_stream
from pipeline.testing.films import make_film, moving, scene


def film(tmp_path, name="film.mp4", frames=None, **options):
    return make_film(tmp_path / name, frames or moving(scene(1), 12), **options)


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
def test_packets_are_reached_from_wherever_seeking_lands(tmp_path, ending, codec):
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
        frames = {frame.pts: frame.to_ndarray() for frame in decoded(packets(container, stream))}
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


def test_packets_of_a_time_that_no_packet_has_are_none(tmp_path):
    with open_video(film(tmp_path, "f.ts")) as container:
        assert list(packets_from(container, video_stream(container), 7)) == []


def test_packets_of_a_track_that_others_join_on_the_way(tmp_path):
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
