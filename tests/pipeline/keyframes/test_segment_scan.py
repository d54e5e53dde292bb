import dataclasses
from pathlib import Path

import numpy as np
import pytest

from pipeline.ingest.video import VideoError
from pipeline.keyframes import segment_scan
from pipeline.keyframes.frame_stats import FrameStats, scan_film
from pipeline.testing.films import make_film, shots


def in_segments(film, folder, seconds, threads=1):
    bounds = segment_scan.bounds(film, seconds)
    for number, bound in enumerate(bounds):
        file = segment_scan.path(str(folder), number, len(bounds))
        segment_scan.scan(film, bound, threads, file)
    return len(bounds), segment_scan.load(film, str(folder))


def equal(stats: FrameStats, other: FrameStats) -> bool:
    return all(
        np.array_equal(getattr(stats, field.name), getattr(other, field.name))
        for field in dataclasses.fields(FrameStats)
    )


FILMS = [
    ("closed.mp4", {"bframes": 2, "gop": 12}),
    (
        "open.mp4",
        {"bframes": 3, "gop": 12, "options": {"x264-params": "open-gop=1:b-pyramid=normal"}},
    ),
    ("few-access-points.mkv", {"bframes": 2, "gop": 250}),
    ("from-ten-seconds.ts", {"bframes": 2, "gop": 12}),
    ("intra.avi", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
    ("vp9.webm", {"codec": "libvpx-vp9", "gop": 20}),
    ("mpeg2.ts", {"codec": "mpeg2video", "bframes": 2, "gop": 12}),
]


@pytest.mark.parametrize("name, options", FILMS)
@pytest.mark.parametrize("seconds", [0.7, 2.5])
def test_segments_together_see_what_one_pass_sees(tmp_path, name, options, seconds):
    film = make_film(tmp_path / name, shots(6), **options)
    count, joined = in_segments(film, tmp_path / "segments", seconds)
    assert count == len(list((tmp_path / "segments").iterdir())) > 1
    assert joined is not None and equal(joined, scan_film(film))


@pytest.mark.parametrize(
    "name, options", [*FILMS, ("disc.mpg", {"codec": "mpeg2video", "gop": 12})]
)
def test_threads_see_what_one_sees(tmp_path, monkeypatch, name, options):
    monkeypatch.setattr(segment_scan, "SHORTEST", 1.0)
    film = make_film(tmp_path / name, shots(6), **options)
    reached: list[float] = []
    assert equal(segment_scan.scan_film(film, 3, reached.append), scan_film(film))
    assert 0 <= max(reached) < 7
    _, joined = in_segments(film, tmp_path / "segments", 4, threads=2)
    assert joined is not None and equal(joined, scan_film(film))


@pytest.mark.parametrize("lost", [0.2, 0.45, 0.52, 0.8])
def test_threads_see_the_same_damage(tmp_path, monkeypatch, lost):
    monkeypatch.setattr(segment_scan, "SHORTEST", 1.0)
    film = Path(make_film(tmp_path / "a.ts", shots(6), gop=12, bframes=2))
    data, packet = film.read_bytes(), 188
    at = int(len(data) * lost) // packet * packet
    film.write_bytes(data[:at] + data[at + 3 * packet :])
    whole = scan_film(str(film))
    assert whole.damaged.any()
    assert equal(segment_scan.scan_film(str(film), 2), whole)


def test_threads_scan_a_film_that_cannot_be_divided_as_a_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(segment_scan, "SHORTEST", 1.0)
    film = make_film(
        tmp_path / "a.mkv", shots(6), gop=12, options={"x264-params": "intra-refresh=1"}
    )
    assert equal(segment_scan.scan_film(film, 2), scan_film(film))


def test_each_worker_has_as_many_segments(tmp_path):
    film = make_film(tmp_path / "a.mp4", shots(6), gop=12)
    assert [len(segment_scan.bounds(film, 4, workers)) for workers in (1, 2, 5)] == [2, 2, 5]
    assert len(segment_scan.bounds(film, 300, 2)) == 1


@pytest.mark.parametrize("level", [0, 255])
def test_a_letterbox_is_found_from_the_segments_together(tmp_path, level):
    frames = shots(4)
    for frame in frames:
        frame[:20] = frame[-20:] = level
    film = make_film(tmp_path / "a.mp4", frames, gop=6)
    _, joined = in_segments(film, tmp_path / "segments", 1.0)
    assert joined.bars == scan_film(film).bars != (0, 0, 0, 0)


def test_a_short_film_is_one_segment_and_so_is_one_of_unknown_length(tmp_path):
    film = make_film(tmp_path / "a.mp4", shots(1))
    assert segment_scan.bounds(film, 300) == [(None, None)]


def test_a_header_that_lies_gives_no_more_segments_than_a_cluster_can_use(tmp_path, monkeypatch):
    film = make_film(tmp_path / "a.mp4", shots(2))
    monkeypatch.setattr(segment_scan, "stated_duration", lambda *arguments: 1e12)
    assert len(segment_scan.bounds(film, 300)) == 256


def test_segments_beyond_the_real_end_are_empty_and_do_no_harm(tmp_path, monkeypatch):
    film = make_film(tmp_path / "a.mp4", shots(3), gop=12)
    monkeypatch.setattr(segment_scan, "stated_duration", lambda *arguments: 9.0)
    count, joined = in_segments(film, tmp_path / "segments", 1.5)
    assert count == 6
    assert equal(joined, scan_film(film))


def test_a_film_that_no_frame_stands_alone_in_is_passed_over_as_a_whole(tmp_path):
    film = make_film(
        tmp_path / "a.mkv", shots(6), gop=12, options={"x264-params": "intra-refresh=1"}
    )
    bounds = segment_scan.bounds(film, 2.5)
    with pytest.raises(ValueError, match="frames cannot be decoded from its random access points"):
        segment_scan.scan(film, bounds[1], 1, str(tmp_path / "one.npz"))


def test_a_clock_that_starts_again_is_seen_in_segments_too(tmp_path):
    one = make_film(tmp_path / "one.ts", shots(2), gop=12)
    two = make_film(tmp_path / "two.ts", shots(6), gop=12)
    film = tmp_path / "both.ts"
    film.write_bytes(Path(one).read_bytes() + Path(two).read_bytes())
    with pytest.raises(VideoError, match="its clock starts again"):
        in_segments(str(film), tmp_path / "segments", 2.0)


@pytest.mark.parametrize(
    "harm",
    [
        lambda file: file.unlink(),
        lambda file: file.write_bytes(file.read_bytes()[:-100]),
        lambda file: file.write_bytes(b""),
    ],
)
def test_missing_or_damaged_segments_count_as_none(tmp_path, harm):
    film = make_film(tmp_path / "a.mp4", shots(4), gop=12)
    in_segments(film, tmp_path / "segments", 1.0)
    harm(sorted((tmp_path / "segments").iterdir())[1])
    assert segment_scan.load(film, str(tmp_path / "segments")) is None


def test_segments_that_do_not_fit_together_count_as_none(tmp_path):
    film = make_film(tmp_path / "a.mp4", shots(4), gop=12)
    other = make_film(tmp_path / "b.mp4", [frame[::-1] for frame in shots(4)], gop=12)
    in_segments(film, tmp_path / "segments", 1.0)
    in_segments(other, tmp_path / "others", 1.0)
    name = "002-of-004.npz"
    (tmp_path / "segments" / name).write_bytes((tmp_path / "others" / name).read_bytes())
    assert segment_scan.load(film, str(tmp_path / "segments")) is None
