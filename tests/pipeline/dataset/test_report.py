"""The report of a small dataset with names and texts that mean harm."""

import dataclasses
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pyarrow.parquet as pq
import yaml

from pipeline.dataset import report
from pipeline.dataset.dataset_card import card
from pipeline.runtime.untrusted_text import escaped
from schemas.rows import Reject, Story
from tests.pipeline.dataset.untrusted import EVIL, QUOTES, RTL, copy_of, write_tables


class Page(HTMLParser):
    """What is in the page as a browser would see it: elements, ids, text, script contents."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.scripts: list[str] = []
        self.words = ""
        self.inside: str = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "script":
            self.scripts[-1] += data
        elif self.inside != "style":
            self.words = " ".join((self.words + " " + data).split())


def page_of(out: Path) -> Page:
    return Page((out / "report.html").read_text())


def books(page: Page) -> list[dict]:
    return json.loads(page.scripts[0])


def test_stories_can_be_leafed_through(untrusted):
    first, rest, other = books(page_of(untrusted))
    assert [len(book["pages"]) for book in (first, rest, other)] == [30, 15, 12]
    assert [book["number"] for book in (first, rest, other)] == [1, 2, 1]
    assert first["film"] == "Title " + QUOTES
    assert first["scores"] == [
        "repetition 0.047",
        "language share 1",
        "toxic words 0",
        "name consistency 0.95",
        "repaired share 0.033",
        "grounding 0.8",
    ]
    assert other["scores"] == []
    assert first["pages"][3] == {
        "src": "images/a%20%22film%22%20%26%20%3Cmore%3E%20100%25%23%3F/"
        "a%20%22film%22%20%26%20%3Cmore%3E%20100%25%23%3F_keyframe_0-0-12-0.jpg",
        "text": "one\ntwo\u2028three",
        "caption": "<!--<script>",
        "writer": "model " + EVIL,
        "repaired": True,
        "recognised": True,
        "width": 64,
        "height": 36,
        "time": "0:12.0",
        "shot": "number 2, 0:08.0 to 0:15.9",
        "dialogue": ["one\ntwo\u2028three"],
        "screen": ["🐇 hop"],
    }


def test_text_from_outside_stays_text(untrusted):
    page = page_of(untrusted)
    assert len(page.scripts) == 2  # the stories and the script that shows them, no third
    assert "Tales " + EVIL in page.words
    source = (untrusted / "report.html").read_text()
    assert "<script>alert" not in source
    assert "<b>bold" not in source
    assert "<!--" not in source
    assert "{{ 7 * 7 }}" in page.scripts[0]  # not taken for a template
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]


def test_the_cast_page_says_who_is_seen_where_and_with_whom(untrusted):
    text = page_of(untrusted).words
    assert f"Pip {EVIL} 31 pictures of 1 film, from a at 0:04.0 to a at 1:04.5 ; with" in text
    assert "grey figure 4 pictures of 1 film" in text


def test_pictures_are_there_and_nothing_else_is_loaded(untrusted):
    page = page_of(untrusted)
    loaded = [
        attrs[name]
        for _, attrs in page.tags
        for name in ("src", "srcset", "data", "poster")
        if name in attrs
    ]
    loaded += [attrs["href"] for tag, attrs in page.tags if tag == "link"]
    loaded += [entry["src"] for book in books(page) for entry in book["pages"]]
    # Pages, black frames, the tail's first, the loop's first, a face of the cast.
    assert len(loaded) == 57 + 3 + 1 + 1 + 1
    for reference in loaded:
        assert not re.match("[a-z]+:|//", reference)
        assert (untrusted / unquote(reference)).is_file()
    style = re.search("<style>(.*?)</style>", (untrusted / "report.html").read_text(), re.DOTALL)[1]
    assert "url(" not in style and "@import" not in style
    assert not re.search(r"https?://(?!www\.w3\.org/)", page.scripts[1])


def test_every_link_inside_the_page_leads_somewhere(untrusted):
    page = page_of(untrusted)
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    links = [attrs["href"] for tag, attrs in page.tags if tag == "a"]
    assert {link.removeprefix("#") for link in links} <= set(ids)
    assert len(ids) == len(set(ids))


def test_counts_are_those_of_the_rows(untrusted):
    words = page_of(untrusted).words
    assert "films, 4 min 2 pictures 57 stories 3 chunks to train on 5" in words
    assert "All 3 stories of this dataset" in words
    funnel = words.partition("what the step left out.")[2]
    for step in (
        "4 Films found in the source −1 no keyframes −1 unreadable",
        "2 Films used",
        "60 Pictures considered for each shot, or part of a long one −3 black",
        "57 Keyframes kept from 29 shots",
        "57 Captioned",
        "5 Stories written and then scored −2 repetitive",
        "3 Stories kept 1 of them with all 30 pictures",
        "57 Pictures in them",
        "5 Chunks",
    ):
        assert step in funnel
    assert "9 things left out" in words
    cards = words.partition("9 things left out")[2].partition("Films Film")[0]
    assert (
        "no answer 1 characters of a series Details Series "
        + EVIL
        + " only those who speak by name"
    ) in cards
    assert cards.index("characters of a series") < cards.index("stories Details tail")
    assert (
        "repetitive 2 stories, by their scores Details loop 1 repetition is 0.7 "
        "loop 2 repetition is 0.9"
    ) in cards
    assert "/films/broken<b>.mp4 unreadable: cut short; fetch it again" in words


def test_time_and_files(untrusted):
    words = page_of(untrusted).words
    assert "The last run took 1 min 20 s on local, from 2026-01-02 03:04 UTC" in words
    assert (
        "Stage Done in this run Reused Work Calls Cached answers Tokens in Tokens out Cost "
        "Counts keyframes 2 0 5.0 s Keyframe 57 "
        "captions 50 7 2 min 1,050 7 2,000 400 1.75 Caption 57 "
        "All 2 min 5 s 1,050 7 2,000 400 1.75 Work, calls, tokens and cost"
    ) in words
    assert "images/ (50 files) 50.0 kB" in words
    assert "stories.parquet 1.2 kB abababababababab" in words
    assert "keyframes.every 4.0" in words


def test_only_what_was_spent_has_a_column(untrusted, tmp_path):
    out = copy_of(untrusted, tmp_path)
    run = json.loads((out / "run.json").read_text())
    run["stages"][1] |= {"cost": 0.0086, "calls": 0, "kept": 0, "counters": {}}
    run["stages"][1]["earlier"] |= {"cost": 0.001, "calls": 0}
    (out / "run.json").write_text(json.dumps(run))
    report.write(str(out))
    words = page_of(out).words
    assert "Reused Work Tokens in Tokens out Cost Counts keyframes" in words
    assert "All 2 min 5 s 2,000 400 0.0096 Work, calls, tokens" in words  # under 1, to 4 decimals
    run["stages"] = run["stages"][:1]
    (out / "run.json").write_text(json.dumps(run))
    report.write(str(out))
    assert "Reused Work Counts keyframes 2 0 5.0 s Keyframe 57 All 5.0 s" in page_of(out).words
    assert "currency" not in page_of(out).words


def test_answers_that_were_not_as_asked_for_are_counted(untrusted, tmp_path):
    out = copy_of(untrusted, tmp_path)
    run = json.loads((out / "run.json").read_text())
    run["stages"][0]["counters"] |= {"refused": 2, "loops": 1}
    run["stages"][1]["counters"] |= {"refused": 1, "cut_off": 4, "smaller pictures": 7}
    (out / "run.json").write_text(json.dumps(run))
    report.write(str(out))
    assert (
        "Of the answers of models in the last run 3 were refused by the model or a filter, "
        "1 was cut in a loop, 4 were cut off for their length, "
        "7 were given to smaller pictures, as the server refused larger ones."
    ) in page_of(out).words


def test_scores_with_their_limits(untrusted):
    words = page_of(untrusted).words
    quality = words.partition("to cut by again.")[2].partition("Distributions")[0]
    for said in (
        "Similarity of pictures and texts was not measured: name an open_clip model with "
        "--set quality.clip=...",
        "Reading grade was not measured: there is no measure for this language.",
        "Median 0.27; nine in ten from 0.069 to 0.48. Dashed: dropped above 0.6 "
        "(quality.max_repetition). Stories dropped for it: 2.",
        "All 2 are 1. Dashed: dropped below 0.7 (quality.min_language_share). "
        "Stories dropped for it: 0.",
        "All 2 are 0.033. No limit is set (quality.max_repaired).",
    ):
        assert said in quality
    titles = [
        title
        for title in (
            "Repetition",
            "Reading grade",
            "Language share",
            "Toxic words",
            "Name consistency",
            "Repaired",
            "Grounding",
            "Similarity",
        )
        if f"{title} share" in quality or f"{title} words of" in quality
    ]
    assert titles == [
        "Repetition",
        "Language share",
        "Toxic words",
        "Name consistency",
        "Repaired",
        "Grounding",
    ]
    drawn = (
        (untrusted / "report.html").read_text().partition('id="quality"')[2].split("<figure>")[1:7]
    )
    assert ["stroke-dasharray" in figure for figure in drawn] == [
        True,
        True,
        True,
        True,
        False,
        True,
    ]


def test_who_is_who(untrusted, tmp_path):
    words = page_of(untrusted).words
    assert (
        "Series " + EVIL + " characters/Series-script-script-alert-1-script.yaml "
        "Name Look Called Source Pip <b> a brown monkey the monkey, " + escaped(RTL) + " pen "
        "Momo given Other characters/Other.yaml Name Source Otto subtitles"
    ) in words
    out = copy_of(untrusted, tmp_path)
    dataset = json.loads((out / "dataset.json").read_text())
    (out / "dataset.json").write_text(json.dumps({**dataset, "characters": []}))
    report.write(str(out))
    assert "Characters" not in page_of(out).words


def test_embedded_models_are_named_as_such(untrusted, tmp_path):
    assert "make dataset CAPTIONER=openai:MODEL WRITER=openai:MODEL" in page_of(untrusted).words
    out = copy_of(untrusted, tmp_path)
    dataset = json.loads((out / "dataset.json").read_text())
    dataset["models"] = {"captioner": "qwen-vl", "writer": "qwen"}
    (out / "dataset.json").write_text(json.dumps(dataset))
    report.write(str(out))
    assert "CAPTIONER" not in page_of(out).words
    assert "For trying the pipeline out" not in card(dataset)


def test_same_dataset_same_bytes(untrusted):
    before = (untrusted / "report.html").read_bytes()
    report.write(str(untrusted))
    assert (untrusted / "report.html").read_bytes() == before


def test_without_the_record_of_the_run(untrusted, tmp_path):
    out = copy_of(untrusted, tmp_path)
    (out / "run.json").unlink()
    report.write(str(out))
    assert "The last run" not in page_of(out).words
    assert "Versions and prompts" in page_of(out).words


def test_nothing_came_through(untrusted, tmp_path):
    out = copy_of(untrusted, tmp_path)
    write_tables(out, [], [], [Reject("video", "/films/a.mp4", "unreadable", "cut short")])
    dataset = json.loads((out / "dataset.json").read_text())
    dataset |= {"videos": [], "splits": {}, "counts": dict.fromkeys(dataset["counts"], 0)}
    (out / "dataset.json").write_text(json.dumps(dataset))
    report.write(str(out))
    page = page_of(out)
    assert "There are no stories to show" in page.words
    assert "1 Films found" in page.words and "0 Chunks" in page.words
    assert page.scripts == []
    assert yaml.safe_load(card(dataset).split("---\n")[1])["license"] == "unknown"


def test_of_many_stories_some_of_each_film_are_shown(untrusted, tmp_path):
    out = copy_of(untrusted, tmp_path)
    (row,) = [row for row in pq.read_table(out / "stories.parquet").to_pylist() if row["complete"]]
    whole = Story(**row)
    many = [
        dataclasses.replace(whole, id=f"{name}_story_{at}", series=name[0], video=name)
        for name, count in (("a1", 100), ("a2", 5), ("b1", 1000), ("c1", 3))
        for at in range(count)
    ]
    tail = dataclasses.replace(whole, id="b1_story_1000", series="b", video="b1", complete=False)
    write_tables(out, [], [*many, tail], [])
    report.write(str(out))
    page = page_of(out)
    assert "24 of 1,109 stories, chosen evenly over series and films" in page.words
    shown = [book["id"].partition("_")[0] for book in books(page)]
    assert {name: shown.count(name) for name in shown} == {"a1": 6, "a2": 5, "b1": 10, "c1": 3}
    assert "b1_story_1000" not in {book["id"] for book in books(page)}


def test_no_text_turns_the_page_or_acts_on_a_terminal(untrusted, tmp_path):
    out = copy_of(untrusted, tmp_path)
    dataset = json.loads((out / "dataset.json").read_text())
    dataset["videos"][0] |= {"title": "Film \u202egpj.exe", "attribution": "\x1b[31mPip\u2066"}
    (out / "dataset.json").write_text(json.dumps(dataset))
    report.write(str(out))
    page = (out / "report.html").read_text() + json.dumps(books(page_of(out)), ensure_ascii=False)
    for text in (page, card(dataset)):
        assert not re.search("[\x1b\u202a-\u202e\u2066-\u2069]", text)
    assert r"Film \u202egpj.exe" in page and r"\x1b[31mPip\u2066" in page
