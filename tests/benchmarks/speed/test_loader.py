"""The tools that are compared give the same: the same pictures, and the same story as tokens."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import torch
import webdataset
from PIL import Image

from benchmarks.speed import compared_loaders, loader
from model import config, runs, tokens

TEXTS = [["Momo waves.", "Pip runs."], ["It rains.", "Rosa sings."]] * 2  # of four chunks


@pytest.fixture
def dataset(tmp_path):
    """Four chunks of two pictures, as shards and as loose files."""
    (tmp_path / "shards").mkdir()
    (tmp_path / "images").mkdir()
    lines = []
    with webdataset.TarWriter(
        str(tmp_path / "shards/train-00000-of-00001.tar"), encoder=False
    ) as tar:
        for chunk, texts in enumerate(TEXTS):
            sample = {"__key__": f"k{chunk}", "json": json.dumps({"captions": texts}).encode()}
            names = [f"{chunk}-{at}.jpg" for at in range(2)]
            for at, name in enumerate(names):
                ramp = np.linspace(0, 255, 320)[None, :, None] + np.zeros((180, 1, 3))
                file = io.BytesIO()
                Image.fromarray((ramp * (chunk * 2 + at + 1) / 8).astype(np.uint8)).save(
                    file, "JPEG", quality=95
                )
                sample[f"{at:02d}.jpg"] = file.getvalue()
                (tmp_path / "images" / name).write_bytes(file.getvalue())
            lines.append(json.dumps({"images": names, "captions": texts}))
            tar.write(sample)
    (tmp_path / "images/train_chunks.jsonl").write_text("\n".join(lines) + "\n")
    return str(tmp_path)


@pytest.fixture
def trained(tmp_path):
    """A run that has features and latents of the same chunks, each chunk its own number."""
    run = runs.Run(tmp_path / "run", config.read("tiny", ["model.vision.image_size=16"]))
    runs.write_preset(run)
    runs.make_tokenizer(run, (text for texts in TEXTS for text in texts))
    tokenizer, _ = runs.tokenizer(run)
    (run.folder / "features").mkdir()
    with webdataset.TarWriter(str(run.folder / "features/train-00000.tar")) as tar:
        for chunk, texts in enumerate(TEXTS):
            ids = tokenizer(texts, add_special_tokens=False)["input_ids"]
            tar.write(
                {
                    "__key__": f"k{chunk}",
                    "json": {"id": f"k{chunk}", "texts": texts, "ids": ids},
                    "features.npy": np.full((2, 64, 192), chunk, np.float16),
                    "latents.npy": np.full((2, 16, 16, 16), chunk, np.float16),
                    "figures.npy": np.zeros((2, 16, 16), np.float16),
                }
            )
    return run


def test_features_come_with_the_same_turns(trained):
    layout, seen = next(iter(compared_loaders.load_features(trained, shuffle=False)))
    assert seen.shape == (8, 64, 192) and seen.dtype == torch.float32
    assert seen[:, 0, 0].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert ((layout.given >= 0).sum(1) == 16).all() and ((layout.asked >= 0).sum(1) == 16).all()
    tokenizer, _ = runs.tokenizer(trained)
    assert "Pip runs." in tokenizer.decode(layout.ids[0])


def test_all_tools_give_the_same_pictures_and_tokens(dataset):
    tokenizer = tokens.train((text for texts in TEXTS for text in texts), 400)
    vocabulary = tokens.with_pictures(tokenizer, 64)
    peer = next(iter(compared_loaders.load_loose_files(dataset, tokenizer, 96, 128)))
    given = (dataset, tokenizer, vocabulary, 96, 128)
    bytes_, seconds, layout = next(iter(compared_loaders.load_ours(*given, shuffle=False)))
    floats, _, _ = next(
        iter(
            compared_loaders.load_ours(
                dataset, tokenizer, vocabulary, 96, 0, shuffle=False, floats=True
            )
        )
    )
    assert bytes_.shape == (8, 96, 96, 3) and bytes_.dtype == torch.uint8
    assert floats.shape == peer["pictures"].shape == (8, 3, 96, 96)
    assert (floats - peer["pictures"]).abs().mean() < 0.02  # of about 4
    # The peer keeps the sides' ratio and cuts off what is over; the second pictures of the chunks.
    assert seconds.shape == (4, 128, 128, 3) and peer["second"].shape == (4, 3, 128, 128)
    torch.testing.assert_close(
        seconds.float().mean((1, 2, 3)) / 127.5 - 1,
        peer["second"].mean((1, 2, 3)),
        atol=0.02,
        rtol=0,
    )
    for ours, other, turn in zip(layout.ids, peer["ids"], layout.turn, strict=True):
        length = int((turn >= 0).sum())
        assert other[:length].tolist() == ours[:length].tolist()
        assert other[length] == vocabulary.eos
    assert (peer["given"].sum(1) == 64).all() and (peer["asked"].sum(1) == 64).all()
    assert ((layout.given >= 0).sum(1) == 64).all() and ((layout.asked >= 0).sum(1) == 64).all()


@pytest.mark.parametrize(("decoding", "away"), [(False, 0), (True, 2)])  # of 256
def test_webdataset_gives_what_ours_gives(dataset, decoding, away):
    tokenizer = tokens.train((text for texts in TEXTS for text in texts), 400)
    given = (dataset, tokenizer, tokens.with_pictures(tokenizer, 64), 96, 128)
    ours = next(iter(compared_loaders.load_ours(*given, shuffle=False)))
    theirs = next(
        iter(compared_loaders.load_with_webdataset(*given, shuffle=False, decoding=decoding))
    )
    for batch, other in zip(ours[:2], theirs[:2], strict=True):
        assert other.dtype == torch.uint8 and batch.shape == other.shape
        assert (batch.float() - other.float()).abs().max() <= away
    assert torch.equal(ours[2].ids, theirs[2].ids)
    assert torch.equal(ours[2].targets, theirs[2].targets)


def test_webdataset_goes_on_without_end(dataset):
    tokenizer = tokens.train((text for texts in TEXTS for text in texts), 400)
    stream = iter(
        compared_loaders.load_with_webdataset(
            dataset, tokenizer, tokens.with_pictures(tokenizer, 64), 16, 0
        )
    )
    seen = [pictures for pictures, _, _ in (next(stream) for _ in range(5))]
    assert all(item.shape == (8, 16, 16, 3) for item in seen)
    assert len({item.numpy().tobytes() for item in seen}) > 1  # in other orders


def test_the_table_has_a_row_a_tool_and_size_and_ratios_of_ours(dataset, trained):
    (table,) = loader.run(
        dataset, str(trained.folder), 2, workers=0, batches=1, sizes=[(16, 0), (16, 32)]
    )
    tools = (
        "loose files",
        "webdataset",
        "webdataset, our decoding",
        "ours",
        "ours, normalised too",
    )
    assert list(table.cells) == [
        *(f"{tool}, 16 pixels" for tool in (*tools, loader.FEATURES)),
        *(f"{tool}, 16 pixels, one at 32" for tool in tools),
    ]
    for name, row in table.cells.items():
        assert row["chunks/s"].value > 0 and row["chunks/s"].n == 2
        assert {head for head in row if head.startswith("relative to ")} == (
            {f"relative to {peer}" for peer in tools[:3]}
            if name.startswith("ours, 16")
            else {"relative to loose files"}
            if name.startswith("ours")
            else set()
        )
    ours = table.cells["ours, 16 pixels"]
    peer = table.cells["loose files, 16 pixels"]["chunks/s"]
    assert ours["chunks/s"].low / peer.high <= ours["relative to loose files"].value
    assert ours["relative to loose files"].value <= ours["chunks/s"].high / peer.low
    assert "4 in the dataset" in table.about["chunks"]
