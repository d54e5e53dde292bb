import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.__main__ import main
from pipeline.config import load
from pipeline.dataset import verify
from pipeline.graph import run
from pipeline.ingest import discovery
from pipeline.testing.films import card, make_film, moving, scene, still
from schemas.rows import Keyframe, Reject, Story, from_table, to_table
from tests.pipeline.runs import IN_MEMORY, scripted_models
from tests.pipeline.scripted import Scripted, said

# How docs/sharing.md packs a dataset without its pictures.
PACK = [
    "tar",
    "--exclude=./work",
    "--exclude=./shards",
    "--exclude=./rejected",
    "--exclude=*.jpg",
    "--exclude=./report.html",
    "--exclude=./run.json",
]


def drawn(seed, shots=11, bars=0, title=False):
    """Frames of so many shots, with dark bars above and below, of one that is too short and of a
    title card."""
    for shot in range(shots + 1):
        for frame in moving(scene(100 * seed + shot), 16 if shot < shots else 5):
            if bars:
                frame[:bars] = frame[-bars:] = 0
            yield frame
    if title:
        yield from still(card(["The Kite", "A film by Pip"]), 16)


FILMS = {
    "letterboxed.mp4": lambda path: make_film(path, drawn(1, bars=20), bframes=2, gop=30),
    "turned.mov": lambda path: make_film(path, drawn(2), rotation=90),
    "wide.mkv": lambda path: make_film(
        path,
        drawn(3, title=True),
        sample_aspect_ratio=Fraction(4, 3),
        pts=[2 + at / 25 for at in range(400)],
    ),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """The folders `films` and `out`, a dataset of them."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "films").mkdir()
    for name, draw in FILMS.items():
        draw(folder / "films" / name)
    with scripted_models(Scripted(said)):
        assert (
            run.run(
                *discovery.find(str(folder / "films")),
                load("", ["quality.min_grounding=null"]),
                str(folder / "out"),
                IN_MEMORY,
            )
            == 0
        )
    return folder


@pytest.fixture
def shared(made, tmp_path) -> Path:
    """The folders `films` and `out` of somebody who got the dataset without its pictures."""
    shutil.copytree(made / "films", tmp_path / "films")
    subprocess.run([*PACK, "-C", made / "out", "-czf", tmp_path / "shared.tar.gz", "."], check=True)
    (tmp_path / "out").mkdir()
    subprocess.run(["tar", "-C", tmp_path / "out", "-xzf", tmp_path / "shared.tar.gz"], check=True)
    return tmp_path


def rebuild(folder):
    return main(["rebuild", f"{folder}/out/dataset.json", "--videos", f"{folder}/films"])


def files(out):
    """Digests of the files of a dataset, but for what tells of a run."""
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in Path(out).rglob("*")
        if path.is_file()
        and path.name not in ("report.html", "run.json")
        and path.relative_to(out).parts[0] != "work"
    }


def row(out, film, at=0):
    table = pq.read_table(out / "keyframes.parquet").to_pylist()
    return [keyframe for keyframe in table if keyframe["video"] == film][at]


def test_the_films_are_what_this_is_about(made):
    shapes = {
        film: (row(made / "out", film)["width"], row(made / "out", film)["height"])
        for film in ("letterboxed", "turned", "wide")
    }
    assert shapes == {"letterboxed": (320, 140), "turned": (180, 320), "wide": (427, 180)}
    rejects = {
        reject["reason"]: cv2.imread(str(made / "out" / reject["image"])).shape
        for reject in pq.read_table(made / "out/rejects.parquet").to_pylist()
        if reject["video"] == "wide" and reject["image"].startswith("rejected/")
    }
    assert rejects == {"text": (180, 427, 3), "short": (135, 320, 3)}


def test_the_same_films_give_the_same_dataset(made, shared, capsys):
    for at, path in enumerate(sorted((shared / "films").iterdir())):  # whatever they are called
        path.rename(path.with_name(f"{at}{path.suffix}"))
    assert not list((shared / "out").rglob("*.jpg"))
    assert rebuild(shared) == 0
    assert files(shared / "out") == files(made / "out")
    assert "33 identical" in capsys.readouterr().out
    assert not verify.verify(str(shared / "out")).counts


def test_what_is_there_is_kept_and_what_is_damaged_is_made_again(made, shared):
    rebuild(shared)
    out = shared / "out"
    kept, damaged, lost = (out / row(out, "wide", at)["image"] for at in range(3))
    untouched = kept.stat().st_mtime_ns
    damaged.write_bytes(damaged.read_bytes()[:-9])
    lost.unlink()
    shard = next((out / "shards").iterdir())
    shard.write_bytes(b"")
    assert rebuild(shared) == 0
    assert kept.stat().st_mtime_ns == untouched
    assert files(out) == files(made / "out")


def test_a_film_that_is_missing_is_named_and_may_come_later(made, shared, capsys):
    (shared / "films/turned.mov").rename(shared / "turned.mov")
    size = (shared / "turned.mov").stat().st_size
    assert rebuild(shared) == 1
    printed = capsys.readouterr().out
    assert f"no such film: turned, {size:,} bytes, under any name" in printed
    assert "22 identical" in printed and "1 of 2 shards have all their pictures" in printed
    assert "missing films: turned\n" in printed
    assert not list((shared / "out").rglob("turned*.jpg"))
    assert verify.verify(str(shared / "out")).counts["missing picture"]
    (shared / "turned.mov").rename(shared / "films/found.mov")
    assert rebuild(shared) == 0
    assert files(shared / "out") == files(made / "out")


def test_another_encoding_of_a_film_gives_similar_pictures_and_a_dataset_that_says_so(
    made, shared, capsys
):
    make_film(
        shared / "films/wide.mkv",
        drawn(3, title=True),
        sample_aspect_ratio=Fraction(4, 3),
        pts=[at / 25 for at in range(400)],
        options={"crf": "28", "preset": "medium"},
    )
    out = shared / "out"
    before = row(out, "wide")
    assert rebuild(shared) == 0
    printed = capsys.readouterr().out
    assert "films/wide.mkv is not the file that the dataset was made of" in printed
    assert "22 identical" in printed and "11 similar" in printed and "written anew" in printed
    after = row(out, "wide")
    assert after == {**before, "bytes": after["bytes"], "sha256": after["sha256"]}
    assert after["sha256"] != before["sha256"]
    old, new = (json.loads((folder / "out/dataset.json").read_text()) for folder in (made, shared))
    assert new["version"] != old["version"] and new["version"] in (out / "README.md").read_text()
    assert "opencv" in new["rebuilt"]
    assert not verify.verify(str(out)).counts
    once = files(out)
    capsys.readouterr()
    assert rebuild(shared) == 0
    assert files(out) == once and "37 pictures: 33 identical, 4 of" in capsys.readouterr().out
    shutil.copy(made / "out/dataset.json", out)  # as if it had been stopped before the last step
    assert rebuild(shared) == 0
    assert files(out) == once


def test_no_shard_of_another_plan_stays(shared, capsys):
    """Pictures of other sizes may make other shards, of other names."""
    out = shared / "out"
    manifest = json.loads((out / "dataset.json").read_text())
    manifest["config"]["output"]["shard_megabytes"] = 0.35  # closed by the first film's 0.18 MB
    (out / "dataset.json").write_text(json.dumps(manifest))
    (shared / "films/letterboxed.mp4").unlink()
    assert rebuild(shared) == 1
    assert [path.name for path in sorted((out / "shards").iterdir())] == [
        "train-00001-of-00002.tar",
        "val-00000-of-00001.tar",
    ]
    make_film(shared / "films/letterboxed.mp4", drawn(1, bars=20), options={"crf": "32"})
    (out / "shards/val-00000-of-00001.tar.5f.tmp").write_bytes(b"of a call that was killed")
    for _ in range(2):  # the second finds all as dataset.json says
        assert rebuild(shared) == 0
        assert [path.name for path in sorted((out / "shards").iterdir())] == [
            "train-00000-of-00001.tar",
            "val-00000-of-00001.tar",
        ]
        assert not verify.verify(str(out)).counts
        (out / "shards/train-00001-of-00002.tar").write_bytes(b"stopped before it was removed")
    assert "The files are those that dataset.json names" in capsys.readouterr().out


def test_another_film_of_the_same_name_gives_nothing(shared, capsys):
    make_film(shared / "films/wide.mkv", drawn(4), sample_aspect_ratio=Fraction(4, 3), fps=25)
    before = (shared / "out/dataset.json").read_bytes()
    assert rebuild(shared) == 1
    printed = capsys.readouterr().out
    assert "keyframe_0-0-0-40.jpg is different: its similarity is 0." in printed
    assert "13 different" in printed
    assert not list((shared / "out").rglob("wide*.jpg"))
    assert (shared / "out/dataset.json").read_bytes() == before


def test_a_film_that_cannot_be_read_costs_itself_alone(shared, capsys):
    film = shared / "films/turned.mov"
    os.truncate(film, film.stat().st_size // 2)
    assert rebuild(shared) == 1
    printed = capsys.readouterr().out
    assert "22 identical" in printed and "turned_keyframe_0-0-0-42.jpg is missing: " in printed
    assert "missing films" not in printed


def test_a_wrong_call_says_what_is_meant(shared, capsys):
    def refused(*call):
        assert main(["rebuild", *call, "--videos", f"{shared}/films"]) == 2
        return capsys.readouterr().err

    assert "name the dataset.json of a dataset" in refused(f"{shared}/out")
    assert "no finished dataset" in refused(f"{shared}/dataset.json")
    manifest = shared / "out/dataset.json"
    manifest.write_text(manifest.read_text().replace('"bars"', '"beams"'))
    assert "does not say 'bars' of its films" in refused(str(manifest))


def test_tables_and_a_manifest_of_two_datasets_are_refused(shared, capsys):
    manifest = shared / "out/dataset.json"
    content = json.loads(manifest.read_text())
    content["videos"] = [film for film in content["videos"] if film["id"] != "wide"]
    manifest.write_text(json.dumps(content))
    assert rebuild(shared) == 2
    error = capsys.readouterr().err
    assert "pictures of the film wide, which its dataset.json does not know" in error
    assert "copy all of it again" in error


@pytest.mark.parametrize(
    "table, kind, path",
    [
        ("keyframes", Keyframe, "../../x.jpg"),
        ("keyframes", Keyframe, "/tmp/x.jpg"),
        ("keyframes", Keyframe, "README.md"),
        ("rejects", Reject, "rejected/../../../tmp/x.jpg"),
        ("rejects", Reject, "work//x.jpg"),
    ],
)
def test_a_picture_that_belongs_elsewhere_is_refused(shared, table, kind, path, capsys):
    file = shared / f"out/{table}.parquet"
    first, *others = from_table(pq.read_table(file), kind)
    pq.write_table(to_table([dataclasses.replace(first, image=path), *others], kind), file)
    before = files(shared / "out")
    assert rebuild(shared) == 2
    assert f"error: {path} is no place for a picture" in capsys.readouterr().err
    assert files(shared / "out") == before and not list(shared.rglob("*.jpg"))


@pytest.mark.parametrize("folder", ["images", "images/wide", "rejected", "shards", "work"])
def test_a_link_that_leads_out_of_the_folder_is_not_followed(shared, folder, capsys):
    (shared / "elsewhere").mkdir()
    link = shared / "out" / folder
    shutil.rmtree(link, ignore_errors=True)
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(shared / "elsewhere")
    assert rebuild(shared) == 2
    assert "out of the dataset" in capsys.readouterr().err
    assert not list((shared / "elsewhere").iterdir()) and not list(shared.rglob("*.jpg"))


def test_the_last_row_is_checked_before_the_first_picture_is_made(shared, capsys):
    file = shared / "out/keyframes.parquet"
    *others, last = from_table(pq.read_table(file), Keyframe)
    pq.write_table(to_table([*others, dataclasses.replace(last, image="/x.jpg")], Keyframe), file)
    assert rebuild(shared) == 2
    assert "/x.jpg is no place for a picture" in capsys.readouterr().err
    assert not list(shared.rglob("*.jpg"))


def test_a_story_of_other_pictures_is_refused(shared, capsys):
    file = shared / "out/stories.parquet"
    first, *others = from_table(pq.read_table(file), Story)
    changed = dataclasses.replace(first, images=["../../secret.jpg", *first.images[1:]])
    pq.write_table(to_table([changed, *others], Story), file)
    assert rebuild(shared) == 2
    assert "../../secret.jpg, which its other files do not know" in capsys.readouterr().err


def test_a_shard_that_belongs_elsewhere_is_refused(shared, capsys):
    manifest = shared / "out/dataset.json"
    manifest.write_text(manifest.read_text().replace('"split": "val"', '"split": "../../val"'))
    assert rebuild(shared) == 2
    assert "shards/../../val-00000-of-00001.tar is no place" in capsys.readouterr().err
    assert not list(shared.rglob("*.tar"))


def test_pictures_look_as_the_films_do(made):
    """That the fixture's films are turned, cropped and stretched, and not only their rows."""
    keyframe = row(made / "out", "letterboxed")
    picture = cv2.imread(str(made / "out" / keyframe["image"]))
    frame = list(drawn(1, bars=20))[round(keyframe["time"] * 24)][20:-20, :, ::-1]
    assert np.abs(picture.astype(int) - frame).mean() < 6
