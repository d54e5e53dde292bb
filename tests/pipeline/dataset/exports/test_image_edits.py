import json
import os

from PIL import Image

from pipeline.dataset.exports import image_edits


def as_diffsynth(base_path, metadata_path, data_file_keys, main_data_operator):
    """Samples as UnifiedDataset of DiffSynth-Studio has them: a file that ends in .jsonl is read by
    line, and what lies under each key of files goes through an operator, whose type is that of the
    value: a path below the base path, or a list of such."""

    def load(value):
        if isinstance(value, list):
            return [load(path) for path in value]
        return main_data_operator(os.path.join(base_path, value))

    for line in metadata_path.read_text().splitlines():
        sample = json.loads(line.strip())
        yield {**sample, **{key: load(sample[key]) for key in data_file_keys if key in sample}}


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
    for edit in edits:
        for path in [edit["image"], *edit["edit_image"]]:
            assert (tmp_path / "to" / path).read_bytes() == (dataset / path).read_bytes()


def test_diffsynth_studio_has_the_pictures(dataset, tmp_path):
    to = tmp_path / "to"
    image_edits.export(str(dataset), str(to))
    samples = list(as_diffsynth(to, to / "train.jsonl", ("image", "edit_image"), Image.open))
    assert [type(samples[4][name]) for name in ("prompt", "edit_image")] == [str, list]
    assert samples[4]["image"].size == (96, 70)
    assert [picture.size for picture in samples[4]["edit_image"]] == [(96, 60), (96, 68)]
