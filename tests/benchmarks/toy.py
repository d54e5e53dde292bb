"""A toy sample and the dataset made of it: four episodes whose pictures tell what they show."""

import json
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.attributes.labels import ACTION_NAMES, CHARACTERS, PLACE_NAMES
from pipeline.keyframes.near_duplicates import perceptual_hash

# Who is in the shots of an episode, the main one first, by number.
SHOTS = ((0,), (1, 0), (2,), (0, 2), (1,), (2, 1), (0,), (1,), (2, 0), (0, 1), (2,), (1, 2))


def make(folder: Path, held_out: int = 1) -> tuple[str, str]:
    """Writes both and returns their paths; the last `held_out` episodes of four are for `val`.

    A picture's left half has a colour for the main character and what that does, its right half one
    for the place; nothing shows how many are there.
    """
    sample, dataset = folder / "sample", folder / "dataset"
    sample.mkdir(parents=True)
    rows, videos, chunks = [], [], {"train": [], "val": []}
    for number in range(4):
        video, split = f"E{number}", "val" if number >= 4 - held_out else "train"
        (dataset / "images" / video).mkdir(parents=True)
        shots, images, captions = [], [], []
        for at, cast in enumerate(SHOTS):
            place = (at + number) % 3
            shots.append(
                {
                    "start": 2.0 * at,
                    "end": 2.0 * at + 2,
                    "place": PLACE_NAMES[place],
                    "characters": [CHARACTERS[i] for i in cast],
                    "scale": "wide",
                    "action": ACTION_NAMES[3 + cast[0]],
                }
            )
            image = f"images/{video}/{at}.jpg"
            seen = picture(cast[0], place, number, at)
            cv2.imwrite(str(dataset / image), seen)
            rows.append(
                {
                    "video": video,
                    "time": 2.0 * at + 1,
                    "image": image,
                    "phash": perceptual_hash(cv2.cvtColor(seen, cv2.COLOR_BGR2GRAY)),
                }
            )
            images.append(f"{video}/{at}.jpg")
            who = "Somebody" if at == 5 else CHARACTERS[cast[0]]
            captions.append(f"{who} is in the {PLACE_NAMES[place]}.")
        shots.append(
            {
                "start": 24.0,
                "end": 26.0,
                "place": "meadow",
                "characters": [],
                "scale": "wide",
                "action": "",
            }
        )
        (sample / f"{video}.truth.json").write_text(json.dumps({"shots": shots}))
        videos.append({"id": video, "split": split, "keyframes": len(SHOTS), "stories": 1})
        chunks[split].append({"id": video, "images": images[:10], "captions": captions[:10]})
    pq.write_table(pa.Table.from_pylist(rows), dataset / "keyframes.parquet")
    manifest = {
        "version": "toy",
        "config": {"output": {"split_likeness": 0.945}},
        "counts": {},
        "splits": {},
        "videos": videos,
        "characters": [],
        "files": [],
    }
    (dataset / "dataset.json").write_text(json.dumps(manifest))
    for split, lines in chunks.items():
        (dataset / "images" / f"{split}_chunks.jsonl").write_text(
            "".join(json.dumps(line) + "\n" for line in lines)
        )
    return str(dataset), str(sample)


def picture(main: int, place: int, episode: int, at: int) -> np.ndarray:
    """BGR [90, 160, 3]; episodes differ a little in brightness, moments in their lower half."""
    seen = np.zeros((90, 160, 3), np.uint8)
    seen[:, :80, main] = 200 - 10 * episode
    seen[:, 80:] = 90
    seen[:, 80:, place] = 210 - 10 * episode
    seen[45:] += np.uint8(4 * at)
    return seen
