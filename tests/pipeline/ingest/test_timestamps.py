import pytest

from pipeline.ingest.timestamps import check_clock
from pipeline.ingest.video import VideoError, open_video, packets, video_stream
from pipeline.testing.films import make_film, moving, scene


@pytest.mark.parametrize("ending", ["ts", "mpg", "mkv"])
def test_a_clock_that_starts_again_is_told_with_its_time(tmp_path, ending):
    codec = "mpeg2video" if ending == "mpg" else "libx264"
    uri = make_film(tmp_path / f"f.{ending}", moving(scene(1), 48), codec=codec, bframes=2)
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
