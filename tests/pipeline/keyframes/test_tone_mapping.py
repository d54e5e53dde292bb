import cv2
import numpy as np
import pytest

from pipeline.config import KeyframesConfig
from pipeline.keyframes.extract import extract_film
from pipeline.keyframes.tone_mapping import luma_table
from pipeline.testing.films import make_film, moving, scene
from schemas.rows import Keyframe, Video

PQ, HLG = 16, 18
TO_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.088, 0.8956]])


def coded(picture, transfer):
    """An SDR picture, uint8 RGB, as an HDR film codes it: white at 203 cd/m2, BT.2020."""
    light = 203 * (picture / 255.0) ** 2.4 @ TO_2020.T
    if transfer == PQ:
        power = (light / 10000) ** 0.1593017578125
        signal = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    else:
        luminance = np.maximum(light @ [0.2627, 0.678, 0.0593], 1e-6)[..., None] / 1000
        scene_light = light / 1000 * luminance ** (1 / 1.2 - 1)
        high = 0.17883277 * np.log(np.maximum(12 * scene_light - 0.28466892, 1e-9)) + 0.55991073
        signal = np.where(scene_light <= 1 / 12, np.sqrt(3 * scene_light), high)
    return np.rint(255 * np.clip(signal, 0, 1)).astype(np.uint8)


@pytest.mark.parametrize(("transfer", "name"), [(PQ, "PQ"), (HLG, "HLG")])
@pytest.mark.parametrize("codec", ["libx264", "libx265", "libvpx-vp9", "libsvtav1"])
def test_keyframes_of_an_hdr_film_are_those_of_its_sdr_master(transfer, name, codec, tmp_path):
    """They were grey: the signal of PQ taken for that of SDR."""
    pictures = [scene(seed) for seed in range(3)]
    frames = [coded(frame, transfer) for each in pictures for frame in moving(each, 24)]
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
        assert np.abs(coded(each, transfer).astype(int) - each).mean() > 15


def test_luma_is_measured_as_that_of_sdr():
    for transfer in (PQ, HLG):
        table = luma_table(transfer)
        assert table[16] == 16
        assert (np.diff(table.astype(int)) >= 0).all()
        assert table[235] == 235
    assert 110 < luma_table(PQ)[110] < 190  # about 40 cd/m2, a fifth of white
