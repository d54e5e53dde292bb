import json

import pyarrow.parquet as pq

from pipeline.dataset.exports import bagel


def as_bagel(info, folder):
    """Sequences as BAGEL's UnifiedEditIterableDataset makes them of whole rows: it lists the files
    of a folder, takes those that parquet_info knows, and reads one row group after the other."""
    info = json.loads(info.read_text())
    for path in sorted(str(file) for file in folder.iterdir()):
        for group in range(info[path]["num_row_groups"]):
            for _, row in pq.ParquetFile(path).read_row_group(group).to_pandas().iterrows():
                sequence = [row["image_list"][0]]
                for at in range(1, len(row["image_list"])):
                    sequence += [row["instruction_list"][at - 1][0], row["image_list"][at]]
                yield row, sequence


def test_a_row_is_ten_steps_pictures_and_the_texts_between_them(dataset, tmp_path):
    train, val = (tmp_path / "to" / name for name in ("train", "val"))
    paths = bagel.export(str(dataset), str(tmp_path / "to"))
    assert paths == [f"{train}.json", f"{val}.json"]
    rows = list(as_bagel(tmp_path / "to/train.json", train))
    assert [row["story"] for row, _ in rows] == ["a_story_000"] * 3 + ["b_story_000"] * 3
    row, sequence = rows[1]
    assert (row["opening"], row["license"]) == ("a 0 10.", "CC0-1.0")
    assert sequence[1::2] == [f"a 0 {at}." for at in range(11, 21)]
    assert sequence[::2] == [
        (dataset / f"images/a/a_keyframe_0-0-{at}-0.jpg").read_bytes() for at in range(10, 21)
    ]
    told = [text for row, sequence in rows[:3] for text in sequence[1::2]]
    assert told == [f"a 0 {at}." for at in range(1, 30)]  # every step, once
    lengths = [len(sequence[::2]) for _, sequence in as_bagel(tmp_path / "to/val.json", val)]
    assert lengths == [11, 2]  # a story of twelve pictures


def test_files_and_row_groups_are_of_a_size_and_counted(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(bagel, "ROWS_PER_GROUP", 2)
    monkeypatch.setattr(bagel, "GROUPS_PER_FILE", 2)
    bagel.export(str(dataset), str(tmp_path / "to"))
    info = json.loads((tmp_path / "to/train.json").read_text())
    assert info == {
        f"{tmp_path}/to/train/00000.parquet": {"num_row_groups": 2, "num_rows": 4},
        f"{tmp_path}/to/train/00001.parquet": {"num_row_groups": 1, "num_rows": 2},
    }
