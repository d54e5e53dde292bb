"""Tables as Markdown."""

from benchmarks.results import markdown
from benchmarks.results.tables import Figure, Table
from tests.benchmarks.results.example import SCORE, SECONDS, example_table


def test_markdown_is_a_table_with_n_and_the_best_in_bold():
    assert markdown.table_to_markdown(example_table()).splitlines() == [
        "### Leaderboard",
        "",
        "What it says.",
        "",
        "| generator | n | score ↑ | share ↓ | time (s) | verdict |",
        "| --- | --- | --- | --- | --- | --- |",
        "| truth | 40 | 0.90 (0.85-0.95) |  |  | fine |",
        "| ours | 40 | **0.50 (0.42-0.58)** | **12.5 % (10.0-15.0)** | 1,234.6 |  |",
        "| theirs | 40 | 0.40 (0.30-0.50) | 25.0 % |  |  |",
        "| paper (published) |  | 0.99 |  |  |  |",
        "",
        "seed: 0; models: clip ViT 1.0, lm a, b",
    ]


def test_n_stands_behind_each_figure_where_a_row_has_several():
    lines = markdown.table_to_markdown(
        Table(
            "a",
            "A",
            "row",
            (SCORE, SECONDS),
            {"x": {"score": Figure(0.5, 3), "time": Figure(1, 4)}},
        ),
        2,
        text=False,
    ).splitlines()
    assert lines == [
        "## A",
        "",
        "| row | score ↑ | time (s) |",
        "| --- | --- | --- |",
        "| x | 0.50, n 3 | 1.0, n 4 |",
    ]


def test_what_names_hold_cannot_break_a_markdown_table():
    text = markdown.table_to_markdown(
        Table(
            "a",
            "A",
            "row",
            (SCORE,),
            {"<unk> a|b": {"score": Figure(None, note="line\nline | <b>")}},
        )
    )
    assert text.splitlines()[-1] == "| &lt;unk> a\\|b | - (line line \\| &lt;b>) |"
