"""The tables of shot detection, and films composed of real shots."""

import itertools
import json

import av
import numpy as np
import pytest

from benchmarks.metrics import shot_compositing, shot_detection
from benchmarks.metrics.shot_compositing import FAMILIES, Span, compose
from benchmarks.metrics.shot_scores import ShotScore
from pipeline.testing.films import make_film, moving, scene, shots

TRUTH = {
    "fps": 24,
    "frames": 240,
    "cuts": [{"frame": 10}, {"frame": 50}],
    "gradual": [{"first": 100, "last": 120, "kind": "wipe", "family": "iris open"}],
}


def test_what_lies_in_a_gradual_transition_counts_as_one_for_every_tool(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.truth.json").write_text(json.dumps(TRUTH))
    films = [str(tmp_path / f"{name}.mp4") for name in ("a", "b")]
    tools = {
        "ours": lambda film, fps: [(10, 9), (50, 49), (101, 119)],
        "other": lambda film, fps: [(11, 10), (110, 109)] if film == films[0] else [(200, 199)],
    }
    scores = shot_detection.score(films, tools)
    assert scores["ours"].cuts == ShotScore(4, 4, 4)
    assert scores["other"].cuts == ShotScore(4, 2, 1)
    assert scores["other"].gradual == ShotScore(2, 1, 1)
    table = shot_detection.shot_table(scores, 2, "shots", "Shots", "")
    assert table.cells["ours"]["F1 of gradual"].value == 1
    assert table.cells["other"]["F1 of cuts"].value == pytest.approx(1 / 3)
    families = shot_detection._family_table(scores, "families")
    assert families.cells["iris open"]["other"].value == 0.5


def test_a_film_is_composed_of_spans_with_its_transitions_where_it_says(tmp_path):
    film = make_film(tmp_path / "a.mp4", [*moving(scene(1), 48), *moving(scene(2), 48)])
    spans = [Span(film, 0.0, 1.9), Span(film, 2.0, 3.9), Span(film, 0.0, 1.9)]
    out = str(tmp_path / "composed.mp4")
    truth = compose(out, spans, ["cut", "push left"], 24, seed=1)
    assert shot_detection.truth_of(out) == truth
    with av.open(out) as container:
        pictures = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    assert len(pictures) == truth["frames"]
    (cut,), (push,) = truth["cuts"], truth["gradual"]
    levels = [np.abs(a.astype(int) - b).mean() for a, b in itertools.pairwise(pictures)]
    assert int(np.argmax(levels)) + 1 == cut["frame"]
    assert push["kind"] == "wipe" and push["family"] == "push left"
    moved = [at + 1 for at in range(cut["frame"] + 1, len(levels)) if levels[at] > 5]
    assert push["first"] - 1 <= moved[0] and moved[-1] <= push["last"] + 1


def test_every_family_begins_with_one_shot_and_ends_with_the_other():
    one, other = scene(1, 90, 160), scene(2, 90, 160)
    for name, family in FAMILIES.items():
        if family.mix is None:
            continue
        for share, shot in ((0.001, one), (0.999, other)):
            mixed = family.mix(one, other, share).astype(int)
            assert np.abs(mixed - shot).mean() < 6, name


def test_spans_have_no_boundary_in_them(tmp_path):
    film = make_film(tmp_path / "a.mp4", shots(3, 60))
    spans = shot_detection.spans_of(film)
    assert [round(span.start, 1) for span in spans] == [0.2, 2.8, 5.2]
    assert [round(span.end, 1) for span in spans] == [2.2, 4.8, 7.2]


def test_a_part_of_a_film_has_the_cuts_that_are_in_it(tmp_path, monkeypatch):
    monkeypatch.setattr(shot_detection, "_PART", 2.0)
    film = make_film(tmp_path / "a.mp4", shots(5, 24), gop=12)
    truth = {"fps": 24, "frames": 120, "cuts": [{"frame": 24 * at} for at in range(1, 5)]}
    truth["gradual"] = [{"kind": "wipe", "first": 60, "last": 66}]
    (tmp_path / "a.truth.json").write_text(json.dumps(truth))
    part = shot_detection.part_of(film, 1.3, str(tmp_path))  # from the second at 1.5 on
    assert shot_detection.truth_of(part) == {
        "fps": 24,
        "frames": 48,
        "cuts": [{"frame": 12}, {"frame": 36}],
        "gradual": [{"kind": "wipe", "first": 24, "last": 30}],
    }
    with av.open(part) as container:
        levels = [frame.to_ndarray(format="gray").mean() for frame in container.decode(video=0)]
    assert len(levels) == 48
    assert shot_detection.part_of(film, 1.3, str(tmp_path)) == part


def test_what_others_find_is_kept(tmp_path):
    film = make_film(tmp_path / "a.mp4", shots(2, 12))
    (tmp_path / "a.truth.json").write_text(json.dumps(TRUTH))
    asked = []
    tools = {
        name: lambda film, fps, name=name: asked.append(name) or [(10, 9)]
        for name in ("ours", "other")
    }
    first = shot_detection.score([film], tools, str(tmp_path))
    again = shot_detection.score([film], tools, str(tmp_path))
    assert asked == ["ours", "other", "ours"]
    assert first["other"] == again["other"]


def test_too_few_shots_are_named(tmp_path):
    film = make_film(tmp_path / "a.mp4", shots(1, 60))
    with pytest.raises(ValueError, match="has 1 shots that can be used; 4 are the least"):
        shot_detection.composed(film, str(tmp_path), 0, 1, (24,))


def test_labels_of_public_films_are_in_order():
    for file in shot_detection.LABELS.glob("*.json"):
        truth = json.loads(file.read_text())
        frames = [cut["frame"] for cut in truth["cuts"]]
        assert frames == sorted(set(frames)) and frames[-1] < truth["frames"]
        assert all(each["first"] < each["last"] for each in truth["gradual"])
    assert shot_compositing.SIZE[0] % 2 == 0
