"""Clips, compared with the frames of the films that they are cut from."""

import dataclasses
import json
from fractions import Fraction

import av
import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.__main__ import main
from pipeline.dataset.exports import clips
from pipeline.dataset.exports.clips import Clip
from pipeline.testing.films import make_film, shots
from schemas.rows import Keyframe, Video, from_table, to_table

LENGTH = 12  # frames of a shot


def frames_of(path):
    """The frames of a film, in the order that they are shown in, and their times in seconds."""
    with av.open(str(path)) as container:
        found = [
            (float(frame.pts * frame.time_base), frame.to_ndarray(format="rgb24").astype(int))
            for frame in container.decode(video=0)
        ]
    times = [time for time, _ in found]
    return [picture for _, picture in found], [round(time - times[0], 3) for time in times]


def same(picture, others):
    """The number of the most similar of some pictures."""
    return int(np.argmin([np.abs(picture - other).mean() for other in others]))


def check(film, path, shot, copied):
    """A clip has the frames of its shot and no other, at their distances in time."""
    of_film, times = frames_of(film)
    begin = shot * LENGTH
    clip = Clip("a", shot, times[begin], times[begin + LENGTH - 1], "")
    assert clips.cut(str(film), clip, str(path)) == (LENGTH, copied)
    of_clip, clip_times = frames_of(path)
    assert [same(picture, of_film) for picture in of_clip] == [*range(begin, begin + LENGTH)]
    expected = [round(time - times[begin], 3) for time in times[begin : begin + LENGTH]]
    np.testing.assert_allclose(clip_times, expected, atol=0.002)


@pytest.mark.parametrize("bframes", [0, 2])
def test_a_shot_between_random_access_points_is_copied(tmp_path, bframes):
    film = make_film(tmp_path / "a.mp4", shots(3, LENGTH), gop=LENGTH, bframes=bframes)
    check(film, tmp_path / "clip.mp4", 1, copied=True)
    check(film, tmp_path / "last.mp4", 2, copied=True)
    with av.open(film) as source, av.open(str(tmp_path / "clip.mp4")) as clip:
        sizes = [
            [packet.size for packet in file.demux(video=0) if packet.size]
            for file in (source, clip)
        ]
    assert sizes[1] == sizes[0][LENGTH : 2 * LENGTH]


@pytest.mark.parametrize("ending", ["mkv", "mp4"])
def test_a_shot_within_a_group_of_pictures_is_encoded(tmp_path, ending):
    options = {"sc_threshold": "0", "x264-params": "scenecut=0"}
    film = make_film(
        tmp_path / f"a.{ending}", shots(3, LENGTH), gop=1000, bframes=2, options=options
    )
    check(film, tmp_path / "clip.mp4", 1, copied=False)
    first = (tmp_path / "clip.mp4").read_bytes()
    check(film, tmp_path / "clip.mp4", 1, copied=False)
    assert (tmp_path / "clip.mp4").read_bytes() == first


def test_frames_keep_their_distances_where_these_differ(tmp_path):
    pts = [at / 24 + (0.5 if at >= LENGTH + 5 else 0) for at in range(3 * LENGTH)]
    film = make_film(tmp_path / "a.mp4", shots(3, LENGTH), pts=pts, gop=1000)
    _, times = frames_of(film)
    clip = Clip("a", 1, times[LENGTH], times[2 * LENGTH - 1], "")
    assert clips.cut(film, clip, str(tmp_path / "clip.mp4"))[0] == LENGTH
    _, found = frames_of(tmp_path / "clip.mp4")
    assert found[5] - found[4] == pytest.approx(0.5 + 1 / 24, abs=0.002)


def test_a_shot_that_the_film_does_not_have_is_named(tmp_path):
    film = make_film(tmp_path / "a.mp4", shots(1, LENGTH))
    with pytest.raises(ValueError, match=r"has no frames from 9"):
        clips.cut(film, Clip("a", 9, 9.0, 9.5, ""), str(tmp_path / "clip.mp4"))


def test_an_export_has_a_clip_per_shot_with_the_captions_of_its_pictures(dataset, tmp_path, capsys):
    """Each film of the dataset has two shots of twelve frames; the pictures of the first half of
    a film are of its first shot."""
    content = json.loads((dataset / "dataset.json").read_text())
    for film in content["videos"]:
        path = tmp_path / "films" / f"{film['id']}.mp4"
        path.parent.mkdir(exist_ok=True)
        make_film(path, shots(2, LENGTH), gop=LENGTH)
        video = Video(film["id"], path.name, "series", "", size=path.stat().st_size, duration=1.0)
        film |= dataclasses.asdict(video) | film
    (dataset / "dataset.json").write_text(json.dumps(content))
    rows = []
    for row in from_table(pq.read_table(dataset / "keyframes.parquet"), Keyframe):
        shot = int(row.time >= 6)
        start, end = (float(Fraction(at, 24)) for at in (shot * LENGTH, shot * LENGTH + LENGTH - 1))
        rows.append(dataclasses.replace(row, shot=shot, shot_start=start, shot_end=end))
    pq.write_table(to_table(rows, Keyframe), dataset / "keyframes.parquet")

    arguments = ["export", str(dataset), "--format", "clips", "--to", str(tmp_path / "to")]
    assert main(arguments) == 2
    assert "--videos" in capsys.readouterr().err
    assert main([*arguments, "--videos", str(tmp_path / "films")]) == 0
    assert "6 clips of 3 s in all" in " ".join(capsys.readouterr().err.split())
    lines = [json.loads(line) for line in (tmp_path / "to/train.jsonl").read_text().splitlines()]
    assert [line["video"] for line in lines] == [
        f"clips/{film}/{film}_shot_{shot:04d}.mp4" for film in "ab" for shot in (0, 1)
    ]
    first = lines[0]
    assert first["prompt"].startswith(
        "Caption of a_keyframe_0-0-0-0. Caption of a_keyframe_0-0-1-0."
    )
    assert (first["frames"], first["copied"], first["license"]) == (LENGTH, True, "CC0-1.0")
    for line in lines:
        assert len(frames_of(tmp_path / "to" / line["video"])[0]) == LENGTH
    (tmp_path / "films/c.mp4").unlink()
    more = ["export", str(dataset), "--format", "clips", "--to", str(tmp_path / "more")]
    assert main([*more, "--videos", str(tmp_path / "films")]) == 2
    assert "c: its film is not in" in capsys.readouterr().err
