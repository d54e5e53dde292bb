from pathlib import Path

import pytest

from benchmarks.results import readme
from benchmarks.results.tables import Column, Figure, Table

BEFORE = b"# Title\n\nWords \xc3\xa9.\n\n<!-- results: one -->\n"
BETWEEN = b"<!-- /results -->\n\n  more words  \n<!-- results: two --><!-- /results -->"
AFTER = b"\n\nno line end at the end"


def table(name, value=0.5):
    return Table(
        name,
        f"Table {name}",
        "row",
        (Column("score", digits=1),),
        {"a": {"score": Figure(value, 3)}},
        "Its text.",
        {"seed": 0},
    )


BODY = b"### Table %s\n\n| row | n | score |\n| --- | --- | --- |\n| a | 3 | %s |\n\nseed: 0\n"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "README.md"
    path.write_bytes(BEFORE + b"what was here before\n" + BETWEEN + AFTER)
    return path


def test_tables_come_between_their_marks_and_nothing_else_changes(path):
    readme.update_readme(path, [table("two"), table("one")])
    first = BEFORE + BODY % (b"one", b"0.5") + BETWEEN.removesuffix(b"<!-- /results -->")
    end = b"<!-- /results -->" + AFTER
    assert path.read_bytes() == first + b"\n" + BODY % (b"two", b"0.5") + end
    readme.update_readme(path, [table("two", 0.7)])  # alone: the other place is left as it is
    assert path.read_bytes() == first + b"\n" + BODY % (b"two", b"0.7") + end


def test_again_changes_nothing_and_does_not_write(path):
    readme.update_readme(path, [table("one"), table("two")])
    before = path.read_bytes(), path.stat().st_ino
    readme.update_readme(path, [table("one"), table("two")])
    assert (path.read_bytes(), path.stat().st_ino) == before
    assert [entry.name for entry in path.parent.iterdir()] == ["README.md"]


def test_line_ends_are_those_of_the_file(path):
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    readme.update_readme(path, [table("one")])
    assert path.read_bytes().count(b"\n") == path.read_bytes().count(b"\r\n") > 10


def test_a_table_without_a_place_is_named_and_nothing_is_written(path):
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r'README\.md has no place for the table "three"'):
        readme.update_readme(path, [table("one"), table("three")])
    assert path.read_bytes() == before


def test_a_place_that_is_not_closed_is_named_and_does_not_swallow_the_next(path):
    path.write_bytes(path.read_bytes().replace(b"<!-- /results -->", b"", 1))
    before = path.read_bytes()
    with pytest.raises(ValueError, match='the place for the table "one" is not closed'):
        readme.update_readme(path, [table("two")])
    assert path.read_bytes() == before


def test_places_are_known(path, tmp_path):
    assert readme.table_places(path) == ["one", "two"]
    with pytest.raises(ValueError, match=r"missing\.md cannot be read"):
        readme.table_places(tmp_path / "missing.md")


def test_the_page_of_results_has_a_place_for_its_tables():
    page = Path(__file__).parents[3] / "docs" / "benchmark.md"
    assert readme.table_places(page) == ["attributes", "consistency"]
