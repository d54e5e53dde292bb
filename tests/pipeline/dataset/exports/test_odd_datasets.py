"""Exports of datasets that a careful test would not think of, by each format."""

import dataclasses
import json
import re
import shutil

import pyarrow.parquet as pq
import pytest

from pipeline.__main__ import main
from pipeline.dataset.exports import FORMATS
from schemas.rows import Appearance, Caption, Keyframe, Story, from_table, to_table

EVERY = pytest.mark.parametrize("name", FORMATS)
TABLES = {"stories": Story, "keyframes": Keyframe, "captions": Caption, "appearances": Appearance}

KEYFRAME = {"keyframes": "id", "captions": "keyframe", "appearances": "keyframe"}  # columns


def rows_of(out, table):
    return from_table(pq.read_table(out / f"{table}.parquet"), TABLES[table])


def write(out, table, rows):
    pq.write_table(to_table(rows, TABLES[table]), out / f"{table}.parquet")


def change(out, **values):
    content = json.loads((out / "dataset.json").read_text())
    (out / "dataset.json").write_text(json.dumps(content | values))


def films_of(out):
    return json.loads((out / "dataset.json").read_text())["videos"]


def export(out, name, to):
    assert main(["export", str(out), "--format", name, "--to", str(to)]) == 0
    return {path.relative_to(to).as_posix(): path for path in to.rglob("*") if path.is_file()}


def renamed(out, old, new, title):
    """Gives a film another name, as a pipeline names it, in every table and folder."""

    def swap(text):
        return re.sub(rf"\b{old}_", f"{new}_", text).replace(f"/{old}/", f"/{new}/")

    stories = [
        dataclasses.replace(
            row,
            id=swap(row.id),
            video=new if row.video == old else row.video,
            images=[swap(image) for image in row.images],
        )
        for row in rows_of(out, "stories")
    ]
    write(out, "stories", stories)
    for table, field in (
        ("keyframes", "id"),
        ("captions", "keyframe"),
        ("appearances", "keyframe"),
    ):
        rows = [
            dataclasses.replace(
                row,
                video=new if row.video == old else row.video,
                **{field: swap(getattr(row, field))},
                **({"image": swap(row.image)} if table == "keyframes" else {}),
            )
            for row in rows_of(out, table)
        ]
        write(out, table, rows)
    shutil.move(out / f"images/{old}", out / f"images/{new}")
    for picture in (out / f"images/{new}").iterdir():
        picture.rename(picture.with_name(swap(picture.name)))
    films = films_of(out)
    change(
        out,
        videos=[
            film | ({"id": new, "title": title} if film["id"] == old else {}) for film in films
        ],
    )


@EVERY
def test_a_dataset_of_one_story_has_one_side(dataset, tmp_path, name):
    write(dataset, "stories", rows_of(dataset, "stories")[:1])
    change(dataset, splits={"train": {}}, videos=films_of(dataset)[:1])
    files = export(dataset, name, tmp_path / "to")
    assert files and not any("val" in path for path in files)


@EVERY
def test_names_in_any_script_and_with_signs_come_through(dataset, tmp_path, name):
    title = 'Ёжик: "в тумане" 🦔, часть 1'
    renamed(dataset, "a", "Ёжик-в-тумане", title)
    files = export(dataset, name, tmp_path / "to")
    assert title in content(files)
    if name == "emu":
        assert "train/Ёжик-в-тумане_story_000.pb" in files


def content(files):
    """All that files hold, as text, without the escapes of JSON and CSV."""
    held = [
        str(pq.read_table(path).to_pylist())
        if path.suffix == ".parquet"
        else path.read_bytes().decode("utf-8", "ignore")
        for path in files.values()
    ]
    return "".join(held).replace('\\"', '"').replace('""', '"')


@EVERY
def test_a_story_that_review_has_shortened_is_exported_as_it_is(dataset, tmp_path, name):
    """Frames 3 and 4 were left out, and one sentence was edited: nothing of the old ones is
    there."""
    story, *others = rows_of(dataset, "stories")
    kept = [at for at in range(30) if at not in (3, 4)]
    fields = ("images", "captions", "descriptions", "writers", "repaired")
    values = {field: [getattr(story, field)[at] for at in kept] for field in fields}
    values["captions"][7] = "Momo wakes, and the kite is gone."
    story = dataclasses.replace(story, orders=list(range(28)), characters=[], boxes=[], **values)
    gone = {"a_keyframe_0-0-3-0", "a_keyframe_0-0-4-0"}
    write(dataset, "stories", [story, *others])
    for table, field in KEYFRAME.items():
        left = [row for row in rows_of(dataset, table) if getattr(row, field) not in gone]
        write(dataset, table, left)
    files = export(dataset, name, tmp_path / "to")
    held = content(files)
    assert not any(row in held for row in ("a_keyframe_0-0-3-0", "a 0 3."))
    if name != "characters":  # whose captions are those of the pictures
        assert "Momo wakes, and the kite is gone." in held


@EVERY
def test_a_film_without_a_licence_has_an_empty_one_and_is_in_the_list(dataset, tmp_path, name):
    films = films_of(dataset)
    films[0]["license"] = films[0]["attribution"] = ""
    change(dataset, videos=films)
    files = export(dataset, name, tmp_path / "to")
    assert files["sources.csv"].read_text().splitlines()[1:] == [
        "a,The Kite,en,,",
        "b,The Kite,en,CC0-1.0,Pip",
        "c,The Kite,en,CC0-1.0,Pip",
    ]


@EVERY
def test_a_story_of_one_picture_is_exported_or_named(dataset, tmp_path, name, capsys):
    first, *others = rows_of(dataset, "stories")
    fields = ("images", "captions", "orders", "descriptions", "writers", "repaired")
    seen = ("characters", "boxes")
    short = {field: getattr(first, field)[:1] for field in (*fields, *seen)}
    write(dataset, "stories", [dataclasses.replace(first, complete=False, **short), *others])
    files = export(dataset, name, tmp_path / "to")
    said = capsys.readouterr().err
    if name in ("bagel", "image-edits"):
        assert "a_story_000 has one picture" in said
    else:
        assert "one picture" not in said
        assert "a_keyframe_0-0-0-0" in content(files) + "".join(files)


@EVERY
def test_a_dataset_without_stories_says_so(dataset, tmp_path, name, capsys):
    write(dataset, "stories", [])
    change(dataset, splits={}, videos=[film | {"stories": 0} for film in films_of(dataset)])
    assert main(["export", str(dataset), "--format", name, "--to", str(tmp_path / "to")]) == 2
    assert "no stories" in capsys.readouterr().err
