import json
import os

import pytest

from pipeline import __main__
from pipeline.config import load
from pipeline.cost import estimate, probe, rates
from pipeline.cost.probe import Speed
from pipeline.graph import run
from pipeline.graph.stages import STAGES, names
from pipeline.ingest import discovery
from pipeline.testing.films import make_film, shots

IN_MEMORY = ["--direct_running_mode=in_memory"]


def test_what_is_there_is_not_counted_again(tmp_path):
    make_film(tmp_path / "film.mp4", shots(4))
    found, rejects = discovery.find(str(tmp_path / "film.mp4"))
    out = str(tmp_path / "out")
    before = estimate.estimate(found, load("", ["stories.shortest=1"]), out)
    assert [(work.films, work.reused) for work in before.stages.values()] == [(1, 0)] * len(STAGES)
    assert before.stages["captions"].calls == round(4 * estimate.SELECTED_SHARE)
    run.run(found, rejects, load("", ["stories.shortest=1"]), out, IN_MEMORY, until="text")
    after = estimate.estimate(found, load("", ["stories.shortest=1"]), out)
    reused = {name: work.reused for name, work in after.stages.items()}
    assert reused == dict.fromkeys(names(), 0) | {"keyframes": 1, "text": 1}
    assert after.stages["captions"].calls == 4  # the keyframes that there are
    assert after.stages["stories"].calls == 2  # one window, one link
    assert "\nstories         1               2 " in estimate.describe(after)


def test_a_film_that_is_new_leaves_what_is_there_of_other_series(tmp_path):
    films = tmp_path / "films"
    for seed, series in enumerate(("a", "b")):
        (films / series).mkdir(parents=True)
        make_film(films / series / "1.mp4", shots(3, 12, seed=10 * seed))
    out = str(tmp_path / "out")
    run.run(*discovery.find(str(films)), load(), out, IN_MEMORY, until="selection")
    (films / "c").mkdir()
    make_film(films / "c/1.mp4", shots(3, 12, seed=30))
    work = estimate.estimate(discovery.find(str(films))[0], load(), out).stages
    assert {name: work[name].reused for name in ("keyframes", "copies", "selection")} == {
        "keyframes": 2,
        "copies": 2,
        "selection": 2,
    }


def test_a_film_that_cannot_be_read_costs_nothing(tmp_path):
    (tmp_path / "film.mp4").write_bytes(b"no film")
    found, _ = discovery.find(str(tmp_path / "film.mp4"))
    work = estimate.estimate(found, load(), str(tmp_path))
    assert sum(stage.films for stage in work.stages.values()) == 0


def test_of_many_films_a_sample_is_opened_and_the_estimate_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(estimate, "OPENED_FILMS", 4)
    make_film(tmp_path / "00.mp4", shots(4, 12))
    for number in range(1, 12):
        os.link(tmp_path / "00.mp4", tmp_path / f"{number:02d}.mp4")
    for number in (3, 4, 5):  # of which the fourth is opened
        (tmp_path / f"{number:02d}.mp4").unlink()
        (tmp_path / f"{number:02d}.mp4").write_bytes(b"no film")
    found, _ = discovery.find(str(tmp_path))
    sampled = estimate.estimate(found, load("", ["stories.shortest=1"]), str(tmp_path / "out"))
    assert (sampled.films, sampled.opened) == (12, 4)
    assert sampled.stages["keyframes"].films == 9  # each unread one is as the one before it
    assert sampled.stages["captions"].calls == 9 * round(4 * estimate.SELECTED_SHARE)
    said = estimate.describe(sampled).replace("\n", " ")
    assert "Of 12 new films 4 were opened; the others are taken to be like them." in said
    monkeypatch.setattr(estimate, "OPENED_FILMS", 100)
    whole = estimate.estimate(found, load("", ["stories.shortest=1"]), str(tmp_path / "out"))
    assert whole.stages == sampled.stages
    assert "were opened" not in estimate.describe(whole)


def test_the_probe_compares_this_machine_with_that_of_the_rates():
    """With a clock that jumps by 0.2 s each time that it is read, whatever is timed takes that."""
    readings = iter(range(100))
    speed = probe.measure(lambda: 0.2 * next(readings))
    assert speed == pytest.approx((0.2 / probe.SCAN, 0.2 / probe.NETWORK))


def test_rates_are_scaled_by_the_kind_of_work():
    there, here = rates.BUILT_IN, rates.scaled(rates.BUILT_IN, Speed(scan=2.0, network=3.0))
    assert here.seconds["keyframes"] == 2 * there.seconds["keyframes"]
    assert here.seconds["text"] == 3 * there.seconds["text"]
    assert here.embedded["captions"] == 3 * there.embedded["captions"]
    assert here.start == 2 * there.start


@pytest.fixture
def film(tmp_path, monkeypatch):
    """A film of a minute, on a machine of one core that takes ten times as long."""
    monkeypatch.setattr(probe, "measure", lambda: Speed(10.0, 10.0))
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    make_film(tmp_path / "film.mp4", shots(60))
    return tmp_path / "film.mp4"


def test_minutes_are_those_of_this_machine(film, tmp_path, capsys):
    words = ["dataset", "--videos", str(film), "--out", str(tmp_path / "out"), "--dry-run"]
    assert __main__.main(words) == 0
    printed = capsys.readouterr().out
    assert "this machine, which takes 10.0 times as long to decode" in printed.replace("\n", " ")
    total = next(line for line in printed.splitlines() if line.startswith("total")).split()[-1]
    assert float(total) > rates.BUILT_IN.start / 6  # ten starts, in minutes, and the work


def test_minutes_are_those_that_the_last_run_into_the_folder_took(film, tmp_path, capsys):
    out = str(tmp_path / "out")
    found, rejects = discovery.find(str(film))
    run.run(found, rejects, load(), out, IN_MEMORY)
    record = json.loads((tmp_path / "out/run.json").read_text())
    record |= {"seconds": 400.0, "runner": "local, 2 processes"}
    for stage in record["stages"]:
        stage["seconds"] = 120.0 if stage["name"] == "captions" else 0.0
    (tmp_path / "out/run.json").write_text(json.dumps(record))
    make_film(tmp_path / "another.mp4", shots(60))
    words = ["dataset", "--videos", str(tmp_path / "another.mp4"), "--out", out, "--dry-run"]
    capsys.readouterr()
    assert __main__.main(words) == 0
    printed = capsys.readouterr().out
    table = printed.partition("Minutes are for")[0]
    minutes = {line.split()[0]: line.split()[-1] for line in table.splitlines()}
    assert f"the machine of the last runs into {out}" in printed.replace("\n", " ")
    assert float(minutes["captions"]) == pytest.approx(2.0, rel=0.3)  # a film as long as the first
    assert float(minutes["total"]) == pytest.approx(
        float(minutes["captions"]) + (400 - 120 / 2) / 60, abs=0.2
    )
