"""The report of made-up tables and stories, with names and texts that mean harm."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from PIL import Image

from benchmarks.results import markdown, report, results_json
from benchmarks.results.tables import Column, Figure, Table
from benchmarks.stories import Story

EVIL = "</script><script>alert(1)</script>"
QUOTES = "\"double\" 'single' <b>bold</b> & {{ 7 * 7 }}"
TRUE, OURS, COPY = "ground truth", "tiny, " + EVIL, "copy " + QUOTES

BOARD = Table(
    "board",
    "Leaderboard " + QUOTES,
    "generator",
    (
        Column("CLIPScore", "higher", digits=2),
        Column("distance", "lower", "px", 1),
        Column("verdict " + EVIL),
    ),
    {
        TRUE: {"CLIPScore": Figure(0.9, 40, 0.85, 0.95), "distance": Figure(1.0, 40)},
        OURS: {"CLIPScore": Figure(0.5, 40, 0.4, 0.6), "verdict " + EVIL: EVIL},
        COPY: {"CLIPScore": Figure(0.45, 40, 0.44, 0.46), "distance": Figure(None, note=QUOTES)},
        "paper": {"distance": Figure(0.25, note="FID")},
    },
    "**Bold** and [a link](https://example.org/) and [no link](javascript:alert(1)).\n\nAnd "
    + EVIL,
    {"seed": 0, "models": {"clip": EVIL}},
    published=("paper",),
    bounds=(TRUE,),
    pictures=("a plot #1.svg",),
)
TIMES = Table(
    "times",
    "Times",
    "step",
    (Column("ours", unit="s"), Column("ratio", "higher")),
    {"load": {"ours": Figure(0.123, 3), "ratio": Figure(2.5, 5, 2.4, 2.6)}},
)


def picture(path: Path, colour: str, size=(320, 180)) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return str(path)


def told(folder: Path) -> dict[str, list[Story]]:
    first, red, blue = (
        picture(folder / f"{colour}.png", colour) for colour in ("green", "red", "blue")
    )
    small = picture(folder / "small.png", "black", (64, 64))
    return {
        TRUE: [
            Story("E1 " + EVIL, ("Once", EVIL, "end"), (first, red, blue)),
            Story("E2", ("Twice", "more"), (first, blue)),
        ],
        OURS: [
            Story("E2", ("Twice", "other"), (first, small)),
            Story("E1 " + EVIL, ("Once", EVIL), (first, small)),
        ],
        COPY: [Story("E1 " + EVIL, ("Once", EVIL, "finis"), (first, first, first))],
    }


@pytest.fixture
def made(tmp_path):
    out = tmp_path / "bench"
    out.mkdir()
    (out / "a plot #1.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    report.write_report(
        out,
        [BOARD, TIMES],
        told(tmp_path / "told"),
        {"dataset": "data " + EVIL, "versions": {"torch": "2.9", "other": QUOTES}},
    )
    return out


class Page(HTMLParser):
    """What is in a page as a browser would see it: elements, table cells, text, scripts."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.cells: list[list[tuple[dict, str]]] = []
        self.words, self.scripts, self.inside = "", 0, ""
        self.feed(path.read_text("utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside = tag
        self.scripts += tag == "script"
        if tag == "tr":
            self.cells.append([])
        if tag in ("th", "td"):
            self.cells[-1].append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("style", "script"):
            self.inside = ""
        if tag == "table":
            self.cells.append([])

    def handle_data(self, data: str) -> None:
        if self.inside not in ("style", "script"):
            self.words = " ".join((self.words + " " + data).split())
            if self.cells and self.cells[-1]:
                attrs, text = self.cells[-1][-1]
                self.cells[-1][-1] = attrs, " ".join((text + " " + data).split())

    def rows(self) -> list[list[str]]:
        return [[text for _, text in row] for row in self.cells if row]

    def all(self, tag: str, name: str) -> list[str]:
        return [attrs[name] for kind, attrs in self.tags if kind == tag and name in attrs]


def pages(made: Path) -> dict[str, Page]:
    return {
        path.name: Page(path)
        for path in [made / "report.html", *sorted((made / "stories").glob("*.html"))]
    }


def test_a_table_shows_values_intervals_and_n_and_sets_the_published_apart(made):
    page = Page(made / "report.html")
    assert page.rows() == [
        [
            "generator",
            "n",
            "CLIPScore ↑ , higher is better",
            "distance px ↓ , lower is better",
            "verdict " + EVIL,
        ],
        [TRUE + " a bound", "40", "0.90 0.85-0.95", "1.0", ""],
        [OURS, "40", "0.50 (best) 0.40-0.60", "", EVIL],
        [COPY, "40", "0.45 0.44-0.46", "– " + QUOTES, ""],
        ["Published figures, not measured here"],
        ["paper", "", "", "0.2 FID", ""],
        ["step", "ours s", "ratio ↑ , higher is better"],
        ["load", "0.123 n 3", "2.500 2.400-2.600 n 5"],
    ]
    assert "seed: 0; models: clip " + EVIL in page.words
    assert "tables 2 figures measured 6 of them with an interval 4" in page.words


def test_cells_carry_what_they_are_sorted_by(made):
    page = Page(made / "report.html")
    keys = [[attrs.get("data-sort") for attrs, _ in row] for row in page.cells if row]
    assert keys[1:4] == [
        [TRUE, "40", "0.9", "1.0", ""],
        [OURS, "40", "0.5", "", EVIL],
        [COPY, "40", "0.45", "", ""],
    ]
    heads = [attrs for attrs, _ in page.cells[0]]
    assert [
        (heading["aria-sort"], heading["data-better"], heading.get("class")) for heading in heads
    ] == [
        ("none", "", None),
        ("none", "", "num"),
        ("none", "higher", "num"),
        ("none", "lower", "num"),
        ("none", "", None),
    ]


def test_a_generator_leads_to_its_stories(made):
    links = [link for link in Page(made / "report.html").all("a", "href") if "mark=" in link]
    assert links == [f"stories/001.html#mark={number}" for number in (1, 2, 3)]


def test_stories_stand_side_by_side_by_number_and_opening(made):
    found = pages(made)
    assert list(found) == ["report.html", "001.html", "002.html"]
    first, second = found["001.html"], found["002.html"]
    assert first.all("img", "alt") == [
        f"{name}, picture {number}"
        for number, names in ((1, (TRUE, OURS, COPY)), (2, (TRUE, OURS, COPY)), (3, (TRUE, COPY)))
        for name in names
    ]
    # What all say is said once, above; what is missing leaves its place empty.
    assert first.words.endswith(f"{TRUE} {OURS} {COPY} 1 Once 2 {EVIL} 3 end none finis")
    assert second.words.endswith(f"{TRUE} {OURS} {COPY} 1 Twice none 2 more other none")
    colours = []
    for source in first.all("img", "src"):
        with Image.open(made / "stories" / source) as image:
            colours.append((image.size, max(range(3), key=image.getpixel((9, 9)).__getitem__)))
    wide, small = (192, 108), (64, 64)
    assert colours[:2] + colours[2:4] + colours[5:] == [
        (wide, 1),
        (wide, 1),
        (wide, 1),
        (wide, 0),
        (wide, 1),
        (wide, 2),
        (wide, 1),
    ]
    assert colours[4][0] == small  # never enlarged
    assert len(list((made / "stories/pictures").iterdir())) == 4  # each once
    assert {attrs["loading"] for tag, attrs in first.tags if tag == "img"} == {"lazy"}


def test_text_from_outside_stays_text(made):
    for page in pages(made).values():
        assert page.scripts == 1
        assert not page.all("b", "onclick")
        assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    source = (made / "report.html").read_text("utf-8")
    assert "<script>alert" not in source and "<b>bold" not in source
    assert "<strong>Bold</strong>" in source
    assert not [
        link for link in Page(made / "report.html").all("a", "href") if "javascript" in link
    ]


def test_every_reference_leads_somewhere_and_nothing_is_loaded_from_elsewhere(made):
    for name, page in pages(made).items():
        folder = made if name == "report.html" else made / "stories"
        ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
        assert len(ids) == len(set(ids))
        loaded = [attrs[key] for _, attrs in page.tags for key in ("src", "srcset") if key in attrs]
        for reference in [*loaded, *page.all("a", "href")]:
            if reference == "https://example.org/":  # a link, not loaded
                continue
            assert not re.match("[a-z]+:|//", reference)
            path, _, mark = reference.partition("#")
            assert (folder / unquote(path)).is_file() if path else mark in ids
        assert not page.all("link", "href")
        style = re.search("<style>(.*?)</style>", (folder / name).read_text("utf-8"), re.DOTALL)[1]
        assert "url(" not in style and "@import" not in style


def test_json_and_markdown_say_the_same(made):
    tables, about = results_json.read_results(made / "results.json")
    assert tables == [BOARD, TIMES]
    assert about["versions"] == {"torch": "2.9", "other": QUOTES}
    text = (made / "results.md").read_text("utf-8")
    assert text.startswith(f"# Benchmarks\n\n- dataset: data {EVIL}\n- versions: torch 2.9, other ")
    assert markdown.table_to_markdown(BOARD, 2) + "\n\n![Leaderboard " in text
    assert "(a%20plot%20%231.svg)\n\n## Times\n" in text


def test_again_gives_the_same_bytes_and_leaves_nothing_of_before(made, tmp_path):
    def files() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in made.rglob("*") if path.is_file()}

    about = json.loads((made / "results.json").read_text("utf-8"))["about"]
    stories, before = told(tmp_path / "told"), files()
    report.write_report(made, [BOARD, TIMES], stories, about)
    assert files() == before
    report.write_report(made, [BOARD], {TRUE: stories[TRUE][1:]}, about)
    left = {path.relative_to(made).as_posix() for path in files()} - {
        "report.html",
        "results.json",
        "results.md",
        "a plot #1.svg",
    }
    assert "stories/001.html" in left and len(left) == 1 + 2  # a page, two pictures


def test_tables_alone_make_a_report(tmp_path):
    report.write_report(tmp_path / "new", [TIMES], {}, {})
    page = Page(tmp_path / "new/report.html")
    assert "Stories side by side" not in page.words
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "report.html",
        "results.json",
        "results.md",
    ]


def test_a_missing_picture_is_named_and_the_figures_are_kept(tmp_path):
    with pytest.raises(ValueError, match=r"a plot #1\.svg, a picture of the table board, is miss"):
        report.write_report(tmp_path, [BOARD], {}, {})
    assert results_json.read_results(tmp_path / "results.json")[0] == [BOARD]
    (tmp_path / "broken.jpg").write_text("no picture")
    for name in ("broken.jpg", "gone.jpg"):
        with pytest.raises(ValueError, match=f"{name}.*make it again"):
            report.write_report(
                tmp_path, [TIMES], {"ours": [Story("a", ("text",), (str(tmp_path / name),))]}, {}
            )
