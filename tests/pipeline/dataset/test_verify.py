import hashlib
import io
import json
import os
import shutil
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.__main__ import main
from pipeline.config import load
from pipeline.dataset import verify
from pipeline.graph import run
from pipeline.ingest import discovery
from pipeline.runtime import stage_outputs
from pipeline.testing.films import make_film, moving, scene, shots
from schemas.rows import Caption, Keyframe, Reject, Story, Video, arrow_schema
from tests.pipeline.dataset.hub_server import point_to, serving
from tests.pipeline.runs import IN_MEMORY, scripted_models
from tests.pipeline.scripted import Scripted, said

KINDS = {
    "videos": Video,
    "keyframes": Keyframe,
    "captions": Caption,
    "stories": Story,
    "rejects": Reject,
    "dropped_stories": Story,
}
TRAIN, VAL = "shards/train-00000-of-00001.tar", "shards/val-00000-of-00001.tar"


def said_of_pip(request):
    if request.task == "characters":
        return json.dumps({"characters": [{"name": "Pip", "look": "small"}]})
    return said(request)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    """Two episodes with a story each, one on either side; a film too short for one; and one that
    cannot be read. Rejects have their pictures."""
    films, out = tmp_path_factory.mktemp("films"), tmp_path_factory.mktemp("made") / "out"
    intro = moving(scene(100), 20)
    for name, count in (("S01E01", 12), ("S01E02", 12), ("clip", 4)):
        seed = int(hashlib.sha256(name.encode()).hexdigest()[:6], 16)
        make_film(films / f"{name}.mp4", [*intro, *shots(count, 16, seed=seed)])
    (films / "S01E01.srt").write_text("1\n00:00:02,000 --> 00:00:03,000\nPip: Hello!\n")
    (films / "broken.mp4").write_bytes(b"this is no film" * 100)
    with scripted_models(Scripted(said_of_pip)):
        assert (
            run.run(
                *discovery.find(str(films)),
                load("", ["quality.min_grounding=null"]),
                str(out),
                IN_MEMORY,
            )
            == 0
        )
    return out


@pytest.fixture
def copy(dataset, tmp_path) -> Path:
    """The dataset as somebody else has it: elsewhere, without work/."""
    return shutil.copytree(dataset, tmp_path / "copied", ignore=shutil.ignore_patterns("work"))


# How to damage a dataset so that its digests do not show it.


def in_place_of(path, make):
    path.unlink()
    make(path)


def manifest(out, change):
    found = json.loads((out / "dataset.json").read_text())
    change(found)
    (out / "dataset.json").write_text(json.dumps(found))


def redigest(out, *more):
    """Makes the manifest name the files as they are now, and `more` of them."""

    def change(found):
        names = {file["path"] for file in found["files"]} | set(more)
        found["files"] = [
            {
                "path": name,
                "bytes": len(data := (out / name).read_bytes()),
                "sha256": hashlib.sha256(data).hexdigest(),
            }
            for name in sorted(names)
            if (out / name).exists()
        ]
        found["version"] = stage_outputs.digest(
            sorted(
                (file["path"], file["sha256"])
                for file in found["files"]
                if file["path"] != "README.md"
            )
        )

    manifest(out, change)


def rows(out, table):
    return pq.read_table(out / f"{table}.parquet").to_pylist()


def write(out, table, content):
    pq.write_table(
        pa.Table.from_pylist(content, schema=arrow_schema(KINDS[table])), out / f"{table}.parquet"
    )
    redigest(out)


def edit(table, change, at=0):
    """A damage: one row of a table is changed."""

    def damage(out):
        content = rows(out, table)
        change(content[at])
        write(out, table, content)

    return damage


def put(table, at=0, **values):
    """A damage: one row of a table has other values."""
    return edit(table, lambda row: row.update(values), at)


def twice(table):
    def damage(out):
        content = rows(out, table)
        write(out, table, [content[0], *content])

    return damage


def without(table, at=0):
    def damage(out):
        content = rows(out, table)
        del content[at]
        write(out, table, content)

    return damage


def retar(name, change):
    """A damage: the members of a shard, a list of [name, bytes], are changed."""

    def damage(out):
        with tarfile.open(out / name) as tar:
            members = [[member.name, tar.extractfile(member).read()] for member in tar]
        change(members)
        with tarfile.open(out / name, "w") as tar:
            for path, data in members:
                info = tarfile.TarInfo(path)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        redigest(out)

    return damage


def relined(name, change):
    """A damage: the lines of a JSONL file are changed."""

    def damage(out):
        lines = (out / name).read_text().splitlines()
        (out / name).write_text("".join(line + "\n" for line in change(lines)))
        redigest(out)

    return damage


def counted(change):
    return lambda out: manifest(out, change)


def repicture(data):
    """A damage: the first keyframe's picture and its row are `data`, made of its bytes."""

    def damage(out):
        content = rows(out, "keyframes")
        path = out / content[0]["image"]
        new = data(path.read_bytes())
        path.write_bytes(new)
        content[0] |= {"bytes": len(new), "sha256": hashlib.sha256(new).hexdigest()}
        write(out, "keyframes", content)

    return damage


def jpeg(change):
    def make(data):
        picture = change(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))
        return cv2.imencode(".jpg", picture)[1].tobytes()

    return make


def first(out, table="keyframes"):
    return rows(out, table)[0]


def flip_a_byte(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def shared_picture(likeness):
    """A damage: the first keyframe of the other episode has the hash of this one's first."""

    def damage(out):
        content = rows(out, "keyframes")
        first = next(row for row in content if row["video"] == "S01E01")
        other = next(row for row in content if row["video"] == "S01E02")
        value = int(first["phash"], 16) ^ (1 << likeness) - 1
        other["phash"] = f"{value:064x}"
        write(out, "keyframes", content)

    return damage


def same_digest(out):
    """The first pictures of both episodes are, by their rows, the same file."""
    content = rows(out, "keyframes")
    first, other = (
        next(row for row in content if row["video"] == video) for video in ("S01E01", "S01E02")
    )
    other["sha256"] = first["sha256"]
    write(out, "keyframes", content)


def older_schema(out):
    """Another schema, as an older version wrote it, its digest right."""
    table = pq.read_table(out / "stories.parquet").drop_columns(["linked"])
    pq.write_table(table, out / "stories.parquet")
    redigest(out)


def unknown_file(name):
    def damage(out):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(b"what is this")

    return damage


def renamed_shard(out):
    (out / TRAIN).rename(out / "shards/train-00001-of-00002.tar")
    redigest(out, "shards/train-00001-of-00002.tar")


def drop_a_story(out):
    dropped, left = rows(out, "stories")
    write(out, "dropped_stories", [dropped])
    write(out, "stories", [left])


def reversed_pictures(story):
    for name in ("images", "descriptions"):
        story[name].reverse()


def unnamed(name):
    def change(found):
        found["files"] = [file for file in found["files"] if file["path"] != name]

    return change


def other_split(found):
    for film in found["videos"]:
        film["split"] = {"train": "val", "val": "train"}.get(film["split"], "")


# What is damaged: how, the kind of problem that it is, and what is said of it.
DEFECTS = {
    # Files, as a bad copy leaves them.
    "a table is gone": (
        lambda out: (out / "captions.parquet").unlink(),
        "missing file",
        "captions.parquet",
    ),
    "a shard is cut short": (
        lambda out: (out / VAL).write_bytes((out / VAL).read_bytes()[:999]),
        "changed file",
        VAL,
    ),
    "a bit of a shard is turned": (lambda out: flip_a_byte(out / TRAIN), "changed file", TRAIN),
    "the card is gone": (lambda out: (out / "README.md").unlink(), "missing file", "README.md"),
    "a character file is changed": (
        lambda out: next((out / "characters").iterdir()).write_text("{}"),
        "changed file",
        "characters/",
    ),
    "a keyframe's picture is gone": (
        lambda out: (out / first(out)["image"]).unlink(),
        "missing picture",
        "images/S01E01/S01E01_keyframe_0-0-0-875.jpg: keyframes.parquet",
    ),
    "a bit of a picture is turned": (
        lambda out: flip_a_byte(out / first(out)["image"]),
        "changed picture",
        "images/S01E01/S01E01_keyframe_0-0-0-875.jpg: its sha256",
    ),
    "a film has another licence": (
        put("videos", license="none"),
        "film",
        "S01E01: dataset.json has another license",
    ),
    "a film is not in its table": (without("videos"), "film", "S01E01: is not in videos.parquet"),
    "a reject's picture is gone": (
        lambda out: shutil.rmtree(out / "rejected/S01E01"),
        "missing picture",
        "rejected/S01E01/",
    ),
    "a picture is a pipe": (
        lambda out: in_place_of(out / first(out)["image"], os.mkfifo),
        "not a file",
        "images/S01E01/S01E01_keyframe_0-0-0-875.jpg: is a folder, pipe or device",
    ),
    "a picture is a device": (
        lambda out: in_place_of(
            out / first(out)["image"], lambda path: path.symlink_to("/dev/zero")
        ),
        "not a file",
        "images/S01E01/S01E01_keyframe_0-0-0-875.jpg: is a folder, pipe or device",
    ),
    "a picture has no end": (
        lambda out: os.truncate(out / first(out)["image"], 1 << 40),
        "too large",
        "images/S01E01/S01E01_keyframe_0-0-0-875.jpg",
    ),
    "a file is a pipe": (
        lambda out: in_place_of(out / "README.md", os.mkfifo),
        "changed file",
        "README.md",
    ),
    "a reject's picture is none": (
        lambda out: next((out / "rejected/S01E01").iterdir()).write_text("x"),
        "unreadable picture",
        "rejected/S01E01/",
    ),
    "a picture too many": (
        unknown_file("images/S01E01/S01E01_keyframe_9-9-9-9.jpg"),
        "unknown file",
        "images/S01E01/S01E01_keyframe_9-9-9-9.jpg",
    ),
    "a shard too many": (
        unknown_file("shards/val-00001-of-00002.tar"),
        "unknown file",
        "shards/val-00001-of-00002.tar",
    ),
    "a character file too many": (
        unknown_file("characters/Old.yaml"),
        "unknown file",
        "characters/Old.yaml",
    ),
    # The manifest.
    "the manifest leaves a table out": (
        counted(unnamed("rejects.parquet")),
        "missing file",
        "rejects.parquet",
    ),
    "the manifest names a file outside": (
        counted(lambda found: found["files"].append({"path": "../x", "bytes": 1, "sha256": ""})),
        "manifest",
        "dataset.json",
    ),
    "the version is another's": (
        counted(lambda found: found.update(version="0" * 16)),
        "manifest",
        "dataset.json: its version is 0000000000000000",
    ),
    "a count is off": (
        counted(lambda found: found["counts"].update(keyframes=1)),
        "count",
        "says 1 keyframes, there are 28",
    ),
    "a film's count is off": (
        counted(lambda found: found["videos"][0].update(stories=7)),
        "count",
        "says 7 stories of S01E01, there are 1",
    ),
    "a side's count is off": (
        counted(lambda found: found["splits"]["val"].update(chunks=7)),
        "count",
        "says 7 chunks in val, there are 1",
    ),
    # Tables that do not agree, though every digest is right.
    "a column is missing": (
        older_schema,
        "schema",
        "stories.parquet: its columns are not those of this version: linked;",
    ),
    "a table is no table": (
        lambda out: ((out / "captions.parquet").write_text("x"), redigest(out)),
        "unreadable file",
        "captions.parquet",
    ),
    "a keyframe is there twice": (
        twice("keyframes"),
        "keyframe",
        "S01E01_keyframe_0-0-0-875: is in the table twice",
    ),
    "a keyframe has another's time": (
        put("keyframes", time=99.0),
        "keyframe",
        "its name says 0.875 s, its row 99.0 s",
    ),
    "a keyframe is of another film": (
        put("keyframes", video="S01E02"),
        "keyframe",
        "its name says S01E01, its row S01E02",
    ),
    "a keyframe is of no film": (
        put("keyframes", video="S09E09"),
        "keyframe",
        "dataset.json knows no film S09E09",
    ),
    "a keyframe's name is no name": (put("keyframes", id="picture"), "keyframe", "picture"),
    "a row has another height": (
        put("keyframes", height=99),
        "picture",
        "875.jpg: is 320x180, its row says 320x99",
    ),
    "a row has another hash": (put("keyframes", phash="ab" * 32), "picture", "875.jpg: its phash"),
    "a row's hash is none": (put("keyframes", phash="beef"), "picture", "875.jpg: its phash"),
    "a picture is another": (
        repicture(jpeg(lambda picture: picture[::-1])),
        "picture",
        "875.jpg: its phash",
    ),
    "a picture is smaller": (
        repicture(jpeg(lambda picture: picture[:90])),
        "picture",
        "875.jpg: is 320x90, its row says 320x180",
    ),
    "a picture does not decode": (
        repicture(lambda data: b"no JPEG" + data),
        "unreadable picture",
        "875.jpg: is not an image",
    ),
    "a caption is of no keyframe": (
        put("captions", keyframe="nothing"),
        "caption",
        "nothing: is of no keyframe",
    ),
    "a caption is there twice": (
        twice("captions"),
        "caption",
        "S01E01_keyframe_0-0-0-875: is there twice",
    ),
    "a caption is blank": (
        put("captions", sentence=" "),
        "caption",
        "S01E01_keyframe_0-0-0-875: its sentence is blank",
    ),
    "a caption is gone": (
        without("captions"),
        "unexplained",
        "S01E01_keyframe_0-0-0-875: has no caption",
    ),
    "a reject has no reason": (put("rejects", reason=""), "reject", "does not say its reason"),
    "the reject of a short film is gone": (
        lambda out: write(
            out, "rejects", [row for row in rows(out, "rejects") if row["reason"] != "too short"]
        ),
        "unexplained",
        "clip_keyframe_",
    ),
    # Stories.
    "a text is missing": (
        edit("stories", lambda story: story["captions"].pop()),
        "story",
        "S01E01_story_000: has 12 images, 11 captions",
    ),
    "a text is blank": (
        edit("stories", lambda story: story["captions"].__setitem__(3, "")),
        "story",
        "S01E01_story_000: its caption 3 is blank",
    ),
    "a writer is missing": (
        edit("stories", lambda story: story["writers"].pop()),
        "story",
        "12 descriptions, 11 writers",
    ),
    "orders start at 1": (
        put("stories", orders=list(range(1, 13))),
        "story",
        "S01E01_story_000: its orders are [1, 2",
    ),
    "a short story says it is complete": (
        put("stories", complete=True),
        "story",
        "S01E01_story_000: has 12 pictures and says complete=True",
    ),
    "pictures run backwards": (
        edit("stories", reversed_pictures),
        "story",
        "S01E01_story_000: its pictures are not in the order of the film",
    ),
    "a picture is not that of a keyframe": (
        edit("stories", lambda story: story["images"].__setitem__(3, "images/S01E01/gone.jpg")),
        "story",
        "images/S01E01/gone.jpg is not that of a keyframe",
    ),
    "a description is another's": (
        edit("stories", lambda story: story["descriptions"].__setitem__(3, "Something else.")),
        "story",
        "S01E01_story_000: its description 3 is not the caption",
    ),
    "a story is there twice": (twice("stories"), "story", "S01E01_story_000: is there twice"),
    "a story is dropped in silence": (drop_a_story, "story", "S01E01_story_000: was dropped"),
    "a story is in the dataset and dropped": (
        lambda out: write(out, "dropped_stories", rows(out, "stories")[:1]),
        "story",
        "S01E01_story_000: is there twice",
    ),
    "a story is gone": (without("stories"), "unexplained", "S01E01_keyframe_"),
    # What is made of them.
    "a line has another text": (
        relined(
            "images/train_stories.jsonl",
            lambda lines: [line.replace("Pip woke", "Pip slept") for line in lines],
        ),
        "line",
        "train_stories.jsonl:1: S01E02_story_000 is not what",
    ),
    "a line is there twice": (
        relined("images/val_chunks.jsonl", lambda lines: lines * 2),
        "line",
        "val_chunks.jsonl:2: S01E01_story_000_chunk_0 is there twice",
    ),
    "a line is gone": (
        relined("images/val_chunks.jsonl", lambda lines: []),
        "line",
        "val_chunks.jsonl: S01E01_story_000_chunk_0 is not in it",
    ),
    "a line is no JSON": (
        relined("images/val_stories.jsonl", lambda lines: ["{", *lines]),
        "line",
        "val_stories.jsonl:1: there is no JSON",
    ),
    "a sample's picture is another": (
        retar(TRAIN, lambda members: members[1].__setitem__(1, members[2][1])),
        "shard",
        TRAIN,
    ),
    "a sample lacks a picture": (
        retar(TRAIN, lambda members: members.pop(0)),
        "shard",
        f"{TRAIN}: S01E02_story_000_chunk_0 has 01.jpg, 02.jpg",
    ),
    "a sample lacks its text": (
        retar(TRAIN, lambda members: members.pop()),
        "shard",
        f"{TRAIN}: in the sample S01E02_story_000_chunk_0, there is no",
    ),
    "a sample's text is another": (
        retar(VAL, lambda members: members[-1].__setitem__(1, b"{}")),
        "shard",
        VAL,
    ),
    "a sample is there twice": (
        retar(VAL, lambda members: members.extend([["other.json", b"{}"], *members])),
        "shard",
        VAL,
    ),
    "a shard is empty": (
        retar(VAL, lambda members: members.clear()),
        "shard",
        "shards/val: S01E01_story_000_chunk_0 is in none",
    ),
    "a shard is no tar": (
        lambda out: ((out / VAL).write_text("x" * 2000), redigest(out)),
        "unreadable file",
        VAL,
    ),
    "a shard's number leaves a gap": (renamed_shard, "shard", "train shards leave a gap: 1 of 2"),
    # The split.
    "a story is on the other side": (
        put("stories", split="test"),
        "split",
        "S01E01_story_000: is in 'test', its film S01E01 in 'val'",
    ),
    "all films are on the other side": (
        counted(other_split),
        "split",
        "S01E01_story_000: is in 'val', its film S01E01 in 'train'",
    ),
    "the same file is on both sides": (same_digest, "leak", "in train as S01E02_keyframe_"),
    "the same picture is on both sides": (shared_picture(0), "leak", "looks the same (1.000)"),
    "two pictures alike are on both sides": (shared_picture(14), "leak", "looks the same (0.945)"),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_named(name, copy, capsys):
    damage, kind, text = DEFECTS[name]
    damage(copy)
    assert main(["verify", str(copy)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith(f"{kind}: ") and text in line], lines
    assert " problem" in lines[-1] and " files, 4 films" in lines[-1]


def test_a_story_that_a_gate_dropped_is_explained_by_its_reject(copy):
    drop_a_story(copy)
    reject = Reject("quality", "S01E01_story_000", "repetition", "0.9 is above 0.6", "S01E01")
    write(copy, "rejects", [*rows(copy, "rejects"), vars(reject)])
    counts = verify.verify(str(copy)).counts
    assert counts["count"] and not counts["story"] and not counts["unexplained"]


def test_a_story_that_was_not_written_is_explained_from_its_first_picture_on(copy):
    """Wherever stories are cut: here after the third keyframe."""
    gone, left = rows(copy, "stories")
    write(copy, "stories", [left])
    reject = Reject("story", "any", "bad narrative", "no answer", "S01E01", gone["images"][3])
    write(copy, "rejects", [*rows(copy, "rejects"), vars(reject)])
    lines = verify.describe(verify.verify(str(copy))).splitlines()
    told = [line for line in lines if line.startswith("unexplained: ")]
    assert len(told) == 3
    assert all("is in no story, and no reject says why" in line for line in told)


def test_pictures_that_differ_enough_are_no_leak(copy):
    shared_picture(15)(copy)
    assert verify.verify(copy.as_posix()).counts["leak"] == 0


def test_a_dataset_as_it_was_made_is_whole(dataset, capsys):
    assert main(["verify", str(dataset)]) == 0
    assert capsys.readouterr().out.startswith("verified: ")


def test_a_copy_without_its_work_is_whole_too(copy, capsys):
    assert not (copy / "work").exists()
    assert main(["verify", f"{copy}/"]) == 0
    named = len(json.loads((copy / "dataset.json").read_text())["files"])
    pictures = sum(len(list((copy / name).rglob("*.jpg"))) for name in ("images", "rejected"))
    assert capsys.readouterr().out == (
        f"verified: {named + pictures + 1} files, 4 films, 28 keyframes, 2 stories, 2 chunks, "
        f"{len(rows(copy, 'rejects'))} rejects\n"
    )


def test_what_was_pushed_to_a_hub_is_whole_where_it_is_downloaded(
    copy, tmp_path, monkeypatch, capsys
):
    with serving(tmp_path / "repository") as hub:
        point_to(hub, monkeypatch)
        assert main(["push", str(copy), "pip/tales", "--i-have-the-rights"]) == 0
    capsys.readouterr()
    code = main(["verify", str(tmp_path / "repository")])
    assert (code, capsys.readouterr().out.split(":")[0]) == (0, "verified")


def test_a_folder_may_be_called_like_a_pattern(copy, tmp_path):
    moved = copy.rename(tmp_path / "a[1]*")
    assert not verify.verify(str(moved)).counts
    unknown_file("images/more.jpg")(moved)
    assert verify.verify(str(moved)).counts == {"unknown file": 1}


def test_only_so_many_problems_of_a_kind_are_shown(copy):
    for path in (copy / "images").rglob("*.jpg"):
        path.unlink()
    lines = verify.describe(verify.verify(str(copy))).splitlines()
    assert sum(line.startswith("missing picture: images/") for line in lines) == 20
    assert "missing picture: and 8 more" in lines
    assert lines[-1].startswith("28 problems in ")


@pytest.mark.parametrize("content", [None, "no JSON", "[]", '{"files": [{"path": 3}]}'])
def test_a_folder_that_is_no_dataset_is_said_to_be_none(content, tmp_path, capsys):
    if content is not None:
        (tmp_path / "dataset.json").write_text(content)
    assert main(["verify", str(tmp_path)]) == 2
    assert f"{tmp_path} is no " in capsys.readouterr().err


def test_a_name_does_not_act_on_the_terminal(copy, capsys):
    name = "a\x1b[2J\u202egpj.exe"
    unknown_file(f"images/{name}")(copy)
    assert main(["verify", str(copy)]) == 1
    said = capsys.readouterr().out
    assert r"unknown file: images/a\x1b[2J\u202egpj.exe" in said and name not in said
