from schemas import layout


def test_a_picture_is_named_by_its_film_and_keyframe():
    image = layout.image_path("S01E01", "S01E01_keyframe_0-0-4-500")
    assert image == "images/S01E01/S01E01_keyframe_0-0-4-500.jpg"
    assert layout.image_keyframe(image) == "S01E01_keyframe_0-0-4-500"
    assert layout.rejected_image_path("a", "a_1") == "rejected/a/a_1.jpg"


def test_a_shard_says_its_split_number_and_count():
    assert layout.shard_path("train", 3, 12) == "shards/train-00003-of-00012.tar"
    assert layout.parse_shard_path("shards/train-00003-of-00012.tar") == ("train", 3, 12)
    for other in ("shards/test-00003-of-00012.tar", "shards/train-3-of-12.tar", "train.tar"):
        assert layout.parse_shard_path(other) is None


def test_tables_and_jsonl():
    assert [layout.table_path(table) for table in layout.TABLES] == [
        "videos.parquet",
        "keyframes.parquet",
        "cast.parquet",
        "appearances.parquet",
        "scenes.parquet",
        "places.parquet",
        "captions.parquet",
        "stories.parquet",
        "rejects.parquet",
        "dropped_stories.parquet",
    ]
    assert layout.stories_jsonl_path("val") == "images/val_stories.jsonl"
    assert layout.chunks_jsonl_path("train") == "images/train_chunks.jsonl"
    assert layout.characters_path("Pip-and-Momo") == "characters/Pip-and-Momo.yaml"
