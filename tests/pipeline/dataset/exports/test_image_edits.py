import json

from pipeline.dataset.exports import image_edits


def test_a_picture_is_made_from_the_one_before_and_the_first(dataset, tmp_path):
    image_edits.export(str(dataset), str(tmp_path / "to"))
    edits = [json.loads(line) for line in (tmp_path / "to/train.jsonl").open()]
    assert len(edits) == 2 * 29
    picture = "images/a/a_keyframe_0-0-{}-0.jpg".format
    assert [edits[0][name] for name in ("prompt", "image", "edit_image")] == [
        "a 0 1.",
        picture(1),
        [picture(0)],  # the one before is the first
    ]
    assert edits[4]["edit_image"] == [picture(0), picture(4)]
    for edit in edits:  # as DiffSynth-Studio has them: relative to --dataset_base_path
        for path in [edit["image"], *edit["edit_image"]]:
            assert (tmp_path / "to" / path).read_bytes() == (dataset / path).read_bytes()
