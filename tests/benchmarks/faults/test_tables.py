from benchmarks.faults.tables import table


def test_a_markdown_table_has_its_title_above_it():
    assert table("T", ["a", "b"], [[1, "x"]]) == ("### T\n\n| a | b |\n| --- | --- |\n| 1 | x |")
