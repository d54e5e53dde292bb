"""A table of results for tests."""

import dataclasses

from benchmarks.results.tables import Column, Figure, Table

SCORE = Column("score", "higher", digits=2)


SHARE = Column("share", "lower", "%", 1)


SECONDS = Column("time", "", "s", 1)


def example_table(**changes):
    return dataclasses.replace(
        Table(
            "board",
            "Leaderboard",
            "generator",
            (SCORE, SHARE, SECONDS, Column("verdict")),
            {
                "truth": {"score": Figure(0.9, 40, 0.85, 0.95), "verdict": "fine"},
                "ours": {
                    "score": Figure(0.5, 40, 0.42, 0.58),
                    "share": Figure(0.125, 40, 0.1, 0.15),
                    "time": Figure(1234.56, 40),
                },
                "theirs": {"score": Figure(0.4, 40, 0.3, 0.5), "share": Figure(0.25, 40)},
                "paper": {"score": Figure(0.99)},
            },
            text="What it says.",
            about={"seed": 0, "models": {"clip": "ViT 1.0", "lm": ["a", "b"]}},
            published=("paper",),
            bounds=("truth",),
        ),
        **changes,
    )
