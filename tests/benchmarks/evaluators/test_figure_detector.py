"""The boxes of a detector in transformers' layout, and the scores that are made of them."""

import math
import shutil

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForZeroShotObjectDetection,
    AutoProcessor,
    BertConfig,
    BertTokenizer,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessor,
    GroundingDinoProcessor,
    SwinConfig,
)

from benchmarks.evaluators import figure_detector, vistory_table
from pipeline.cast import detectors
from tests.benchmarks.evaluators import items


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    """A folder with a Grounding DINO of random weights, small."""
    folder = tmp_path_factory.mktemp("detector")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "?", "character"]
    (folder / "vocab.txt").write_text("\n".join(words))
    tokenizer = BertTokenizer(str(folder / "vocab.txt"))
    torch.manual_seed(0)
    seen = SwinConfig(
        image_size=64,
        embed_dim=8,
        depths=[1, 1, 1, 1],
        num_heads=[1, 1, 1, 1],
        window_size=4,
        out_features=["stage2", "stage3", "stage4"],
    )
    read = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
    )
    sizes = {"encoder_layers": 1, "decoder_layers": 2}
    sizes |= dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim", "max_text_len"), 16)
    sizes |= dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 2)
    network = GroundingDinoForObjectDetection(
        GroundingDinoConfig(
            backbone_config=seen, text_config=read, num_queries=20, d_model=32, **sizes
        )
    )
    network.save_pretrained(folder)
    pictures = GroundingDinoImageProcessor(size={"shortest_edge": 64, "longest_edge": 96})
    GroundingDinoProcessor(pictures, tokenizer).save_pretrained(folder)
    return str(folder)


def boxes_by_hand(folder, picture, threshold):
    """Boxes of every query above the threshold, as the logits of the words say, the most certain
    first; the network gives centres and sizes."""
    processor = AutoProcessor.from_pretrained(folder)
    network = AutoModelForZeroShotObjectDetection.from_pretrained(folder).eval()
    asked = processor(images=Image.fromarray(picture), text="character.", return_tensors="pt")
    with torch.no_grad():
        found = network(**asked)
    scores = found.logits[0].sigmoid().max(-1).values
    rows = [(float(score), box) for score, box in zip(scores, found.pred_boxes[0], strict=True)]
    rows = sorted([row for row in rows if row[0] > threshold], key=lambda row: -row[0])
    x, y, width, height = torch.stack([box for _, box in rows]).T
    corners = torch.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], 1)
    return corners.clamp(0, 1)


def test_boxes_are_those_of_the_network_above_the_threshold_as_shares(detector, monkeypatch):
    picture = np.random.default_rng(0).integers(0, 256, (72, 128, 3)).astype(np.uint8)
    monkeypatch.setattr(figure_detector, "THRESHOLD", 0.0)
    every = boxes_by_hand(detector, picture, 0.0)
    detect = figure_detector.load_detector(detector)
    found = torch.tensor(detect(picture))
    assert len(found) == 20
    torch.testing.assert_close(found, every, rtol=0, atol=1e-5)


def test_a_folder_without_a_detector_is_refused(tmp_path):
    with pytest.raises(ValueError, match="cannot be loaded as a zero-shot object detector"):
        figure_detector.load_detector(str(tmp_path))


COLOURS = {"Momo": (255, 0, 0), "Pip": (0, 0, 255)}


def seen(picture):
    """A detector that finds squares of the colours of the characters, on grey."""
    height, width = picture.shape[:2]
    boxes = []
    for colour in COLOURS.values():
        rows, columns = np.nonzero((np.abs(picture.astype(int) - colour) < 60).all(-1))
        if len(rows):
            box = (columns.min() / width, rows.min() / height)
            boxes.append((*box, (columns.max() + 1) / width, (rows.max() + 1) / height))
    return boxes


def draw(path, names):
    """A wide picture with a square for each of the names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGB", (640, 160), "grey")
    for name in names:
        left = 80 + 320 * list(COLOURS).index(name)
        ImageDraw.Draw(picture).rectangle((left, 40, left + 79, 119), COLOURS[name])
    picture.save(path)


def test_onstage_counts_and_likeness_follow_from_the_figures_that_are_found(tmp_path):
    """Nobody is asked for in the first shot, Momo and Pip in the second, Momo in the third."""
    dataset = items.vistory(tmp_path / "ViStory")
    drawn = {
        "right": ((), ("Momo", "Pip"), ("Momo",)),
        "crowded": ((), ("Momo", "Pip"), ("Momo", "Pip")),
        "swapped": ((), ("Pip",), ("Pip",)),
        "empty": ((), (), ()),
    }
    for method, shots in drawn.items():
        for story in ("01", "02"):
            for number, names in enumerate(shots, 1):
                draw(tmp_path / method / story / f"shots/shot_{number:02d}.png", names)
    outputs = {name: str(tmp_path / name) for name in drawn}
    cells = vistory_table.run(str(dataset), outputs, detect=seen).cells
    occm = {name: cells[name]["OCCM"].value for name in drawn}
    lost, spare = math.exp(-0.5), math.exp(-1)  # one of two is not there, one too many
    assert occm["right"] == pytest.approx(100)
    assert occm["crowded"] == pytest.approx(50 * (1 + spare), abs=1e-3)
    assert occm["swapped"] == pytest.approx(50 * (lost + 1), abs=1e-3)
    assert occm["empty"] == pytest.approx(50 * (math.exp(-1) + math.exp(-1)), abs=1e-3)
    assert cells["right"]["CIDS cross"].value > 0.95  # the squares are those of the references
    assert cells["right"]["CIDS cross"].value > cells["swapped"]["CIDS cross"].value
    assert cells["empty"]["CIDS cross"].value == 0
    assert "copy-paste" not in cells["empty"]


def test_a_detector_whose_files_lack_weights_is_refused_and_not_random(detector, tmp_path):
    shutil.copytree(detector, tmp_path, dirs_exist_ok=True)
    weights = load_file(tmp_path / "model.safetensors")
    del weights[next(name for name in sorted(weights) if "encoder" in name)]
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match="its files lack"):
        figure_detector.load_detector(str(tmp_path))
    with pytest.raises(ValueError, match=r"cast.figures=transformers:.* its files lack"):
        detectors.check("cast.figures", f"transformers:{tmp_path}")
    detectors.check("cast.figures", f"transformers:{detector}")
