from benchmarks.fault_injection.markdown import rows_to_markdown


def test_a_markdown_table_has_its_title_above_it():
    assert rows_to_markdown("T", ["a", "b"], [[1, "x"]]) == (
        "### T\n\n| a | b |\n| --- | --- |\n| 1 | x |"
    )
