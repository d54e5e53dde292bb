import cv2
import numpy as np
import pytest

from pipeline.config import KeyframesConfig
from pipeline.keyframes.extract import extract_film
from pipeline.keyframes.tone_mapping import luma_table
from pipeline.testing.films import HLG, PQ, hdr, make_film, moving, scene
from schemas.rows import Keyframe, Video


@pytest.mark.parametrize(("transfer", "name"), [(PQ, "PQ"), (HLG, "HLG")])
@pytest.mark.parametrize("codec", ["libx264", "libx265", "libvpx-vp9", "libsvtav1"])
def test_keyframes_of_an_hdr_film_are_those_of_its_sdr_master(transfer, name, codec, tmp_path):
    """They were grey: the signal of PQ taken for that of SDR."""
    pictures = [scene(seed) for seed in range(3)]
    frames = [hdr(frame, transfer) for each in pictures for frame in moving(each, 24)]
    film = make_film(
        tmp_path / "a.mkv",
        frames,
        codec=codec,
        options={"crf": "8", "preset": "9" if codec == "libsvtav1" else "ultrafast"},
        transfer=transfer,
    )
    rows = extract_film(
        Video("film", film, "series", "Film"),
        KeyframesConfig(),
        str(tmp_path / "out"),
        str(tmp_path / "segments"),
        1,
        lambda share: None,
    )
    assert rows[0].hdr == name
    keyframes = [row for row in rows if isinstance(row, Keyframe)]
    assert [keyframe.shot for keyframe in keyframes] == [0, 1, 2]
    for keyframe, each in zip(keyframes, pictures, strict=True):
        shown = cv2.imread(str(tmp_path / "out" / f"{keyframe.id}.jpg"))[..., ::-1]
        difference = shown.astype(int) - each
        assert np.abs(difference).mean() < 10
        assert np.abs(difference.mean(axis=(0, 1))).max() < 9
        assert np.abs(hdr(each, transfer).astype(int) - each).mean() > 15


def test_luma_is_measured_as_that_of_sdr():
    for transfer in (PQ, HLG):
        table = luma_table(transfer)
        assert table[16] == 16
        assert (np.diff(table.astype(int)) >= 0).all()
        assert table[235] == 235
    assert 110 < luma_table(PQ)[110] < 190  # about 40 cd/m2, a fifth of white
