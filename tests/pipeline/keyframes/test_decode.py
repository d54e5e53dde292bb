import av
import numpy as np

from pipeline.keyframes.decode import cut_time, grab
from pipeline.keyframes.frame_stats import measure
from pipeline.testing.films import make_film, moving, scene, still


def test_any_frame_can_be_reached_again_in_any_company(tmp_path):
    film = make_film(tmp_path / "a.mp4", moving(scene(1), 90), bframes=2, gop=20)
    measures = measure(film)
    with av.open(film) as container:
        whole = {frame.pts: frame.to_ndarray() for frame in container.decode(video=0)}
    for entries in ([0], [len(measures.pts) - 1], [3, 4, 5, 30, 31], list(range(20))):
        reached = list(grab(film, measures, entries, threads=1))
        assert [entry for entry, _, _ in reached] == entries
        for entry, frame, after in reached:
            assert np.array_equal(frame.to_ndarray(), whole[int(measures.pts[entry])])
            assert after is None or after.pts == measures.pts[entry + 1]


def test_a_frame_that_is_not_there_is_left_out(tmp_path):
    film = make_film(tmp_path / "a.mp4", moving(scene(1), 30))
    measures = measure(film)
    measures.pts[10] += 1
    assert [entry for entry, _, _ in grab(film, measures, [5, 10, 20], threads=1)] == [5, 20]


def test_a_cut_between_neighbours_needs_no_decoding(tmp_path):
    film = make_film(tmp_path / "a.mp4", moving(scene(1), 12) + moving(scene(2), 12))
    measures = measure(film)
    assert cut_time("/not/opened", measures, 12) == (measures.times[11], measures.times[12])


def test_a_cut_between_two_frames_of_one_picture_lies_before_the_second(tmp_path):
    film = make_film(tmp_path / "a.mp4", still(np.zeros((180, 320, 3), np.uint8), 24), bframes=2)
    measures = measure(film)
    entry = int(np.argmax(measures.skipped))
    assert measures.skipped[entry] > 0
    before, after = cut_time(film, measures, entry)
    assert measures.times[entry - 1] <= before < after <= measures.times[entry]


def test_the_frames_of_a_recording_are_those_of_a_whole_decode(tmp_path):
    film = make_film(tmp_path / "a.ts", moving(scene(1), 48), bframes=2, gop=12)
    measures = measure(film)
    with av.open(film) as container:
        whole = {frame.pts: frame.to_ndarray() for frame in container.decode(video=0)}
    entries = list(range(0, len(measures.pts), 5))
    reached = list(grab(film, measures, entries, threads=1))
    assert [entry for entry, _, _ in reached] == entries
    for entry, frame, _ in reached:
        assert np.array_equal(frame.to_ndarray(), whole[int(measures.pts[entry])])
