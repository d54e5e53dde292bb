from pipeline.config import load
from pipeline.cost import estimate
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
    assert [(work.films, work.reused) for work in before.values()] == [(1, 0)] * len(STAGES)
    assert before["captions"].calls == round(4 * estimate.SELECTED_SHARE)
    run.run(found, rejects, load("", ["stories.shortest=1"]), out, IN_MEMORY, until="text")
    after = estimate.estimate(found, load("", ["stories.shortest=1"]), out)
    reused = {name: work.reused for name, work in after.items()}
    assert reused == dict.fromkeys(names(), 0) | {"keyframes": 1, "text": 1}
    assert after["captions"].calls == 4  # the keyframes that there are
    assert after["stories"].calls == 2  # one window, one link
    assert "\nstories         1               2 " in estimate.describe(after)


def test_a_film_that_cannot_be_read_costs_nothing(tmp_path):
    (tmp_path / "film.mp4").write_bytes(b"no film")
    found, _ = discovery.find(str(tmp_path / "film.mp4"))
    work = estimate.estimate(found, load(), str(tmp_path))
    assert sum(stage.films for stage in work.values()) == 0
