from pipeline.keyframes.frame_stats import scan_film
from pipeline.testing.films import make_film, scene, still


def test_letterbox_bars_are_found_and_dark_scenes_have_none(tmp_path):
    boxed = scene(1)
    boxed[:20] = boxed[-22:] = 0
    dark = scene(2) // 12
    film = make_film(tmp_path / "a.mp4", still(boxed, 24) + still(dark, 24), gop=6)
    above, below, left, right = scan_film(film).bars
    assert abs(above - 20) <= 1 and abs(below - 22) <= 1
    assert (left, right) == (0, 0)
    plain = make_film(tmp_path / "b.mp4", still(scene(3), 12) + still(dark, 24), gop=6)
    assert scan_film(plain).bars == (0, 0, 0, 0)
