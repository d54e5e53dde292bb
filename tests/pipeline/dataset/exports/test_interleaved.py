import hashlib
import io
import json
import tarfile
from itertools import zip_longest
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
from PIL import Image, ImageSequence

from pipeline.__main__ import main
from pipeline.dataset.exports.interleaved import export
from schemas.rows import Keyframe, to_table


def as_mint_1t(path):
    """Documents as a reader of MINT-1T's PDFs has them: from the reference in `images` by
    `image_metadata` to a page of the TIFF."""
    with tarfile.open(path) as tar:
        files = {name: tar.extractfile(name).read() for name in tar.getnames()}
    for name in sorted(files):
        if name.endswith(".json"):
            record = json.loads(files[name])
            pages = [
                page.convert("RGB")
                for page in ImageSequence.Iterator(
                    Image.open(io.BytesIO(files[name.replace(".json", ".tiff")]))
                )
            ]
            number = {
                f"page_{image['page']}_image_{image['xref']}": at
                for at, image in enumerate(record["image_metadata"])
            }
            yield (
                record,
                [
                    pages[number[image]] if image else text
                    for image, text in zip_longest(record["images"], record["texts"])
                ],
            )


def as_nemo_curator(path):
    """Rows as InterleavedWebdatasetReaderStage of nemo-curator 1.4.0 has them: an image that is no
    member of the tar is the next page of the member that has the name of the JSON."""
    with tarfile.open(path) as tar:
        for name in tar.getnames():
            if not name.endswith(".json"):
                continue
            record = json.load(tar.extractfile(name))
            tiff = Image.open(io.BytesIO(tar.extractfile(Path(name).stem + ".tiff").read()))
            rows = [(at, text) for at, text in enumerate(record["texts"]) if text is not None]
            for page, at in enumerate(at for at, image in enumerate(record["images"]) if image):
                tiff.seek(page)
                rows.append((at, tiff.convert("RGB")))
            yield [content for _, content in sorted(rows, key=lambda row: row[0])]


def test_a_document_is_a_story_picture_and_text_in_turn(dataset, tmp_path, capsys):
    assert main(["export", str(dataset), "--to", str(tmp_path / "to")]) == 0
    train, val = capsys.readouterr().out.split()
    assert (train, val) == (f"{tmp_path}/to/train-00000.tar", f"{tmp_path}/to/val-00000.tar")
    (first, content), (second, _) = as_mint_1t(train)
    assert (first["story"], second["story"]) == ("a_story_000", "b_story_000")
    assert (first["title"], first["license"], first["attribution"]) == (
        "The Kite",
        "CC0-1.0",
        "Pip",
    )
    assert content[1::2] == [f"a 0 {at}." for at in range(30)]
    for at, page in enumerate(content[::2]):
        path = dataset / f"images/a/a_keyframe_0-0-{at}-0.jpg"
        assert np.array_equal(page, cv2.imread(str(path))[..., ::-1])
        assert (
            first["image_metadata"][at]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        )
    ((short, _),) = as_mint_1t(val)
    assert short["texts"][:2] == [None, "c 0 0."] and len(short["images"]) == 24


def test_both_readers_see_the_same(dataset, tmp_path):
    for path in export(str(dataset), str(tmp_path / "to")):
        ours = [content for _, content in as_mint_1t(path)]
        assert list(as_nemo_curator(path)) == ours


def test_a_tar_that_is_full_is_followed_by_another_and_all_are_the_same_each_time(
    dataset, tmp_path
):
    paths = export(str(dataset), str(tmp_path / "to"), megabytes=0.05)
    assert [path.rpartition("/")[2] for path in paths] == [
        "train-00000.tar",
        "train-00001.tar",
        "val-00000.tar",
    ]
    again = export(str(dataset), str(tmp_path / "again"), megabytes=0.05)
    assert [Path(path).read_bytes() for path in paths] == [
        Path(path).read_bytes() for path in again
    ]


def test_what_cannot_be_exported_is_named(dataset, tmp_path, capsys):
    def refused(to="to"):
        assert main(["export", str(dataset), "--to", str(tmp_path / to)]) == 2
        return capsys.readouterr().err

    (tmp_path / "full").mkdir()
    (tmp_path / "full/letter.txt").write_text("Dear Pip")
    assert "full is not empty" in refused("full")
    picture = dataset / "images/b/b_keyframe_0-0-3-0.jpg"
    picture.write_bytes(picture.read_bytes()[:-1])
    assert "images/b/b_keyframe_0-0-3-0.jpg is not the picture" in refused()
    assert not list((tmp_path / "to").iterdir())
    pq.write_table(to_table([], Keyframe), dataset / "keyframes.parquet")
    assert "keyframes.parquet does not know images/a/" in refused()
    (dataset / "dataset.json").unlink()
    assert "no finished dataset" in refused()
