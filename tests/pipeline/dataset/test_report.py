"""The report and the dataset card, of a small dataset with names and texts that mean harm."""

import dataclasses
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import datasets
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import webdataset
import yaml
from huggingface_hub import DatasetCard
from PIL import Image

from pipeline.dataset import report
from pipeline.dataset.charts import histogram
from pipeline.dataset.dataset_card import card, license_id
from pipeline.dataset.report.formatting import size, span
from schemas.published import keyframe_id
from schemas.rows import Keyframe, Reject, Scores, Story, to_table

EVIL = "</script><script>alert(1)</script>"
QUOTES = "\"double\" 'single' `back` <b>bold</b> & {{ 7 * 7 }} | # [x](http://evil.example/)"
RTL = "قال الأرنب: \u202eمرحبا"
TEXTS = [EVIL, QUOTES, RTL, "one\ntwo\u2028three", "🐇 hop", "<!--<script>", "plain words"]


def picture(path: Path, colour: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (64, 36), colour).save(path)


def keyframe(video: str, number: int) -> Keyframe:
    name = keyframe_id(video, 4.0 * number)
    return Keyframe(
        id=name,
        video=video,
        series="Series " + EVIL,
        image=f"images/{video}/{name}.jpg",
        time=4.0 * number,
        shot=number // 2,
        shot_start=8.0 * (number // 2),
        shot_end=8.0 * (number // 2) + 7.9,
        width=64,
        height=36,
        crop=[0, 0, 64, 36],
        bytes=700,
        sha256="0" * 64,
        phash="0" * 64,
        sharpness=100.0,
        brightness=number / 40,
        camera_motion=[0.0, 0.0],
        subject_motion=[0.0, 0.0],
        dialogue=[TEXTS[number % 7]],
        recognised=number == 3,
        text=[TEXTS[(number + 1) % 7]],
    )


def scores(repetition: float) -> Scores:
    return Scores(
        repetition=repetition,
        reading_grade=None,
        language_share=1.0,
        toxic_words=0,
        name_consistency=0.95,
        repaired=0.0333,
        grounding=0.8,
        similarity=None,
    )


def story(keyframes: list[Keyframe], number: int, split: str, scores: Scores | None) -> Story:
    count = len(keyframes)
    return Story(
        id=f"{keyframes[0].video}_story_{number:03d}",
        video=keyframes[0].video,
        series=keyframes[0].series,
        split=split,
        complete=count == 30,
        images=[one.image for one in keyframes],
        captions=[TEXTS[at % 7] for at in range(count)],
        orders=list(range(count)),
        descriptions=[TEXTS[(at + 2) % 7] for at in range(count)],
        caption_model="embedded-captioner-1",
        writers=["plain", *["model " + EVIL] * (count - 1)],
        repaired=[at == 3 for at in range(count)],
        scores=scores,
    )


def film(name: str, keyframes: int, stories: int, split: str, **values: object) -> dict:
    return {
        "id": name,
        "uri": f"/films/{name}.mp4",
        "series": "Series " + EVIL,
        "title": "Title " + QUOTES,
        "season": None,
        "episode": None,
        "language": "en-GB",
        "license": "CC BY 3.0",
        "attribution": EVIL,
        "fingerprint": "f",
        "duration": 120.0,
        "width": 64,
        "height": 36,
        "fps": 24.0,
        "keyframes": keyframes,
        "stories": stories,
        "split": split,
        **values,
    }


def write_tables(out: Path, keyframes: list, stories: list, rejects: list) -> None:
    pq.write_table(to_table(keyframes, Keyframe), out / "keyframes.parquet")
    pq.write_table(to_table(stories, Story), out / "stories.parquet")
    pq.write_table(to_table([], Story), out / "dropped_stories.parquet")
    pq.write_table(to_table(rejects, Reject), out / "rejects.parquet")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two films, 45 and 12 keyframes, three stories, nine rejects; one film cannot be read."""
    out = tmp_path_factory.mktemp("dataset")
    films = {'a "film" & <more> 100%#?': 45, "قصة": 12}
    keyframes = [keyframe(name, at) for name, count in films.items() for at in range(count)]
    first, second = keyframes[:45], keyframes[45:]
    stories = [
        story(first[:30], 0, "train", scores(0.0466)),
        story(first[30:], 1, "train", scores(0.5)),
        story(second, 0, "val", None),
    ]
    for one in keyframes:
        picture(out / one.image, "teal")
    rejects = [
        Reject("video", "/films/broken<b>.mp4", "unreadable", "cut short; fetch it again"),
        Reject("video", "/films/silent.mp4", "no keyframes", "nothing to see", "silent"),
        *(
            Reject(
                "keyframe",
                f"dropped {at}",
                "black",
                f"mean luma {at}",
                "قصة",
                f"rejected/قصة/dropped {at}.jpg",
            )
            for at in range(3)
        ),
        Reject("story", "tail", EVIL, "5 keyframes are left", "قصة", second[0].image),
        Reject("quality", "loop 1", "repetitive", "repetition is 0.7", "قصة", second[1].image),
        Reject("quality", "loop 2", "repetitive", "repetition is 0.9", "قصة"),
        Reject("characters", "Series " + EVIL, "no answer", "only those who speak by name"),
    ]
    for reject in rejects[2:5]:
        picture(out / reject.image, "black")
    write_tables(out, keyframes, stories, rejects)
    names = list(films)
    dataset = {
        "name": "Tales " + EVIL,
        "version": "a1b2",
        "created_by": "storystream 0.1",
        "config": {
            "captioner": "embedded",
            "writer": "embedded",
            "keyframes": {"every": 4.0},
            "speech": "",
            "characters": "",
            "quality": {
                "clip": "",
                "max_repetition": 0.6,
                "max_reading_grade": 18.0,
                "min_language_share": 0.7,
                "max_toxic_words": 0,
                "max_repaired": None,
                "min_name_consistency": 0.5,
                "min_grounding": 0.2,
                "min_similarity": None,
            },
        },
        "config_digest": "c0ffee",
        "models": {"captioner": "embedded", "writer": "embedded"},
        "prompts": {"caption": "1", "narrate": "2", "link": "3"},
        "versions": {"av": "18.1.0"},
        "characters": [
            {
                "series": "Series " + EVIL,
                "name": "Pip <b>",
                "look": "a brown monkey",
                "role": "",
                "called": ["the monkey", RTL],
                "source": "pen",
            },
            {
                "series": "Series " + EVIL,
                "name": "Momo",
                "look": "",
                "role": "",
                "called": [],
                "source": "given",
            },
            {
                "series": "Other",
                "name": "Otto",
                "look": "",
                "role": "",
                "called": [],
                "source": "subtitles",
            },
        ],
        "videos": [
            film(names[0], 45, 2, "train"),
            film(names[1], 12, 1, "val"),
            film("silent", 0, 0, "", license=""),
        ],
        "counts": {"videos": 3, "keyframes": 57, "stories": 3, "chunks": 5, "rejects": 9},
        "splits": {
            "train": {"videos": 1, "stories": 2, "chunks": 4},
            "val": {"videos": 1, "stories": 1, "chunks": 1},
        },
        "files": [
            {"path": "stories.parquet", "bytes": 1234, "sha256": "ab" * 32},
            *({"path": f"images/{at}.jpg", "bytes": 1000, "sha256": "0"} for at in range(50)),
        ],
    }
    (out / "dataset.json").write_text(json.dumps(dataset))
    keyframes_stage = {
        "name": "keyframes",
        "done": 2,
        "reused": 0,
        "seconds": 5.0,
        "input_tokens": 0,
        "output_tokens": 0,
        "cost": 0.0,
        "calls": 0,
        "kept": 0,
        "counters": {"rows Keyframe": 57},
        "earlier": {
            "seconds": 0,
            "input_tokens": 0,
            "output_tokens": 0,
            "cost": 0,
            "calls": 0,
            "kept": 0,
        },
    }
    captions_stage = {
        "name": "captions",
        "done": 50,
        "reused": 7,
        "seconds": 75.0,
        "input_tokens": 1500,
        "output_tokens": 300,
        "cost": 1.25,
        "calls": 1000,
        "kept": 7,
        "counters": {"rows Caption": 57},
        "earlier": {
            "seconds": 45,
            "input_tokens": 500,
            "output_tokens": 100,
            "cost": 0.5,
            "calls": 50,
            "kept": 0,
        },
    }
    run = {
        "started": "2026-01-02T03:04:05Z",
        "seconds": 80.0,
        "command": "make " + EVIL,
        "runner": "local",
        "stages": [keyframes_stage, captions_stage],
        "environment": {"python": "3.11"},
    }
    (out / "run.json").write_text(json.dumps(run))
    report.write(str(out))
    return out


def copy_of(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "copy"))


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


def test_stories_can_be_leafed_through(made):
    first, rest, other = books(page_of(made))
    assert [len(book["pages"]) for book in (first, rest, other)] == [30, 15, 12]
    assert [book["number"] for book in (first, rest, other)] == [1, 2, 1]
    assert first["film"] == "Title " + QUOTES
    assert first["scores"] == [
        "repetition 0.047",
        "language share 1",
        "toxic words 0",
        "name consistency 0.95",
        "repaired 0.033",
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


def test_text_from_outside_stays_text(made):
    page = page_of(made)
    assert len(page.scripts) == 2  # the stories and the script that shows them, no third
    assert "Tales " + EVIL in page.words
    source = (made / "report.html").read_text()
    assert "<script>alert" not in source
    assert "<b>bold" not in source
    assert "<!--" not in source
    assert "{{ 7 * 7 }}" in page.scripts[0]  # not taken for a template
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]


def test_pictures_are_there_and_nothing_else_is_loaded(made):
    page = page_of(made)
    loaded = [
        attrs[name]
        for _, attrs in page.tags
        for name in ("src", "srcset", "data", "poster")
        if name in attrs
    ]
    loaded += [attrs["href"] for tag, attrs in page.tags if tag == "link"]
    loaded += [entry["src"] for book in books(page) for entry in book["pages"]]
    assert len(loaded) == 57 + 3 + 1 + 1  # pages, black frames, the tail's first, the loop's first
    for reference in loaded:
        assert not re.match("[a-z]+:|//", reference)
        assert (made / unquote(reference)).is_file()
    style = re.search("<style>(.*?)</style>", (made / "report.html").read_text(), re.DOTALL)[1]
    assert "url(" not in style and "@import" not in style
    assert not re.search(r"https?://(?!www\.w3\.org/)", page.scripts[1])


def test_every_link_inside_the_page_leads_somewhere(made):
    page = page_of(made)
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    links = [attrs["href"] for tag, attrs in page.tags if tag == "a"]
    assert {link.removeprefix("#") for link in links} <= set(ids)
    assert len(ids) == len(set(ids))


def test_counts_are_those_of_the_rows(made):
    words = page_of(made).words
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


def test_time_and_files(made):
    words = page_of(made).words
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


def test_only_what_was_spent_has_a_column(made, tmp_path):
    out = copy_of(made, tmp_path)
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


def test_scores_with_their_limits(made):
    words = page_of(made).words
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
    drawn = (made / "report.html").read_text().partition('id="quality"')[2].split("<figure>")[1:7]
    assert ["stroke-dasharray" in one for one in drawn] == [True, True, True, True, False, True]


def test_a_limit_is_drawn_where_it_is_on_the_scale():
    chart = histogram("Share", "of one", np.array([0.1] * 12), 0.25, "A note.", (0, 1))
    assert chart["says"] == "All 12 are 0.1. A note."
    (line,) = re.findall(r'<path d="M ([\d.]+) [^"]*"[^>]*stroke-dasharray', chart["svg"])
    left, width = 0.09 * 3.9 * 72, 0.89 * 3.9 * 72  # of the axes, in points
    assert (float(line) - left) / width == pytest.approx(0.25, abs=1e-3)


def test_who_is_who(made, tmp_path):
    words = page_of(made).words
    assert (
        "Series " + EVIL + " characters/Series-script-script-alert-1-script.yaml "
        "Name Look Called Source Pip <b> a brown monkey the monkey, " + RTL + " pen "
        "Momo given Other characters/Other.yaml Name Source Otto subtitles"
    ) in words
    out = copy_of(made, tmp_path)
    dataset = json.loads((out / "dataset.json").read_text())
    (out / "dataset.json").write_text(json.dumps({**dataset, "characters": []}))
    report.write(str(out))
    assert "Characters" not in page_of(out).words


def test_embedded_models_are_named_as_such(made, tmp_path):
    assert "make dataset CAPTIONER=openai:MODEL WRITER=openai:MODEL" in page_of(made).words
    out = copy_of(made, tmp_path)
    dataset = json.loads((out / "dataset.json").read_text())
    dataset["models"] = {"captioner": "qwen-vl", "writer": "qwen"}
    (out / "dataset.json").write_text(json.dumps(dataset))
    report.write(str(out))
    assert "CAPTIONER" not in page_of(out).words
    assert "For trying the pipeline out" not in card(dataset)


def test_same_dataset_same_bytes(made):
    before = (made / "report.html").read_bytes()
    report.write(str(made))
    assert (made / "report.html").read_bytes() == before


def test_without_the_record_of_the_run(made, tmp_path):
    out = copy_of(made, tmp_path)
    (out / "run.json").unlink()
    report.write(str(out))
    assert "The last run" not in page_of(out).words
    assert "Versions and prompts" in page_of(out).words


def test_nothing_came_through(made, tmp_path):
    out = copy_of(made, tmp_path)
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


def test_of_many_stories_some_of_each_film_are_shown(made, tmp_path):
    out = copy_of(made, tmp_path)
    (one,) = [row for row in pq.read_table(out / "stories.parquet").to_pylist() if row["complete"]]
    whole = Story(**one)
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


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.42, "0.4 s"), (59.6, "1 min"), (200, "3 min 20 s"), (3600, "1 h"), (7500, "2 h 5 min")],
)
def test_lengths_of_time(seconds, said):
    assert span(seconds) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [(812, "812 bytes"), (1_200_000, "1.2 MB"), (999_960, "1.0 MB"), (3.2e12, "3.2 TB")],
)
def test_sizes(count, said):
    assert size(count) == said


def test_card_says_to_the_hub_what_it_wants_to_know(made):
    dataset = json.loads((made / "dataset.json").read_text())
    parsed = DatasetCard(card(dataset))
    data = parsed.data
    assert data.license == "cc-by-3.0"
    assert data.language == ["en"]
    assert data.pretty_name == "Tales " + EVIL
    assert data.task_categories == ["image-to-text", "text-to-image", "text-generation"]
    assert data.size_categories == ["n<1K"]
    assert data.configs == [
        {
            "config_name": "chunks",
            "default": True,
            "data_files": [
                {"split": "train", "path": "shards/train-*.tar"},
                {"split": "validation", "path": "shards/val-*.tar"},
            ],
        }
    ]
    assert card(dataset) == card(dataset)


def test_card_names_only_splits_that_exist(made):
    dataset = json.loads((made / "dataset.json").read_text())
    del dataset["splits"]["val"]
    assert DatasetCard(card(dataset)).data.configs[0]["data_files"] == [
        {"split": "train", "path": "shards/train-*.tar"}
    ]
    assert "val-" not in card(dataset)
    dataset["splits"] = {}
    assert [config["config_name"] for config in DatasetCard(card(dataset)).data.configs] == [
        "stories",
        "keyframes",
    ]


def test_card_escapes_names_in_its_tables(made):
    text = card(json.loads((made / "dataset.json").read_text()))
    (row,) = [line for line in text.splitlines() if "bold" in line][:1]
    assert len(re.findall(r"(?<!\\)\|", row)) == 5  # four cells, whatever is in them
    assert r"\<b\>bold\</b\>" in row
    assert not re.search(r"(?<!\\)<script", text.split("---\n", 2)[2])


def test_card_with_licenses_that_differ(made):
    dataset = json.loads((made / "dataset.json").read_text())
    dataset["videos"][1]["license"] = "Studio licence 7"
    data = DatasetCard(card(dataset)).data
    assert (data.license, data.license_name) == ("other", "several-see-sources")
    dataset["videos"][0]["license"] = "Studio licence 7"
    data = DatasetCard(card(dataset)).data
    assert (data.license, data.license_name) == ("other", "studio-licence-7")


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("CC BY 3.0", "cc-by-3.0"),
        ("cc-by-sa-4.0", "cc-by-sa-4.0"),
        ("CC0 1.0", "cc0-1.0"),
        ("https://creativecommons.org/licenses/by-nc/4.0/", "cc-by-nc-4.0"),
        ("Creative Commons Attribution 3.0", "cc-by-3.0"),
        ("all rights reserved", ""),
        ("", ""),
    ],
)
def test_licenses_as_people_write_them(written, known):
    assert license_id(written) == known


def test_the_card_leads_datasets_to_the_shards(made, tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    out = copy_of(made, tmp_path)
    dataset = json.loads((out / "dataset.json").read_text())
    (out / "README.md").write_text(card(dataset))
    pictures = sorted((out / "images").rglob("*.jpg"))[:10]
    for split in ("train", "val"):
        (out / "shards").mkdir(exist_ok=True)
        with webdataset.TarWriter(str(out / f"shards/{split}-00000-of-00001.tar")) as shard:
            shard.write(
                {
                    "__key__": f"{split}_chunk",
                    "json": {"captions": TEXTS},
                    **{f"{at:02d}.jpg": one.read_bytes() for at, one in enumerate(pictures)},
                }
            )
    loaded = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    assert {name: part.num_rows for name, part in loaded.items()} == {"train": 1, "validation": 1}
    chunk = loaded["validation"][0]
    assert chunk["__key__"] == "val_chunk"
    assert chunk["json"]["captions"] == TEXTS
    assert chunk["09.jpg"].size == (64, 36)


def test_card_speaks_of_scores_characters_and_recognised_dialogue(made):
    dataset = json.loads((made / "dataset.json").read_text())
    text = card(dataset)
    (cut,) = re.findall(r"^varied = (stories\[.*\])$", text, re.MULTILINE)
    varied = eval(cut, {"stories": pd.read_parquet(made / "stories.parquet")})
    assert [one["repetition"] for one in varied.scores] == [0.0466]  # not 0.5, not the unscored
    assert "| `characters/<series>.yaml` |" in text
    assert "recognised" not in text
    dataset["config"]["speech"] = "tiny`.en"
    assert "recognised from its sound by\n`tiny'.en`" in card(dataset)
    assert "characters/" not in card({**dataset, "characters": []})


def test_python_in_the_card_is_python(made):
    text = card(json.loads((made / "dataset.json").read_text()))
    blocks = re.findall("```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        compile(block, "card", "exec")
