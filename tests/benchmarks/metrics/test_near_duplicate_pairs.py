import pytest

from benchmarks.metrics.near_duplicate_pairs import PAIRS, Pair, near_duplicate_table, read_pairs
from pipeline.testing.films import make_film, scene, still


def test_events_kept_and_repeats_dropped_are_counted(tmp_path):
    entered = scene(1)
    entered[90:150, 200:230] = (220, 60, 40)
    film = make_film(tmp_path / "a.mp4", still(scene(1), 48) + still(entered, 48))
    pairs = [Pair(0.0, 3.0, "event"), Pair(0.0, 1.0, "repeat"), Pair(0.0, 2.5, "either")]
    cells = near_duplicate_table(film, pairs).cells
    kept = {
        rule: [(figure.value, figure.n) for figure in row.values()] for rule, row in cells.items()
    }
    assert kept == {
        "hash of the image": [(0, 1), (1, 1)],  # of the whole image: who enters is not seen
        "hash and largest change": [(1, 1), (1, 1)],
    }
    with pytest.raises(ValueError, match=r"no frame at 9\.0 s; are the pairs of another film"):
        near_duplicate_table(film, [Pair(0.0, 9.0, "event")])


def test_the_pairs_that_come_with_it_are_read_and_a_wrong_line_is_named(tmp_path):
    pairs = read_pairs(PAIRS)
    assert {pair.label for pair in pairs} == {"event", "repeat", "either"}
    assert all(pair.earlier < pair.later for pair in pairs)
    path = tmp_path / "pairs.tsv"
    path.write_text("# times\n1.0\t2.0\tevent\n1.0\t2.0\tevnt\n")
    with pytest.raises(ValueError, match=r"pairs\.tsv, line 3: .*event, repeat, either"):
        read_pairs(path)
