"""Stories in Emu3.5's files, read by the field numbers of its published descriptor."""

import struct

from pipeline.dataset.exports import emu
from schemas import emu_story
from schemas.emu_story import Picture, Segment

# github.com/baaivision/Emu3.5, src/proto/emu_pb.py: number: name, and of what message it is
STORY = {1: ("story_id", str), 2: ("clips", {})}
CLIP = {1: ("clip_id", str), 2: ("timestamp", {}), 101: ("segments", {})}
SEGMENT = {1: ("timestamp", {}), 2: ("asr", str), 101: ("images", {})}
META = {1: ("image_id", str), 2: ("timestamp", {}), 3: ("caption", str), 11: ("image", {})}
IMAGE = {
    1: ("width", int),
    2: ("height", int),
    3: ("format", int),
    4: ("image_data", bytes),
}
TIME = {1: ("start", float), 2: ("end", float)}
INSIDE = {
    "clips": CLIP,
    "segments": SEGMENT,
    "images": META,
    "image": IMAGE,
    "timestamp": TIME,
}


def number(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return value, at


def parse(data, fields):
    """A message as its wire format says: field by field, lists of what is in each."""
    found, at = {}, 0
    while at < len(data):
        key, at = number(data, at)
        name, kind = fields[key >> 3]
        if kind is int:
            assert key & 7 == 0
            value, at = number(data, at)
        elif kind is float:
            assert key & 7 == 1
            (value,), at = struct.unpack("<d", data[at : at + 8]), at + 8
        else:
            assert key & 7 == 2
            length, at = number(data, at)
            value, at = data[at : at + length], at + length
            if kind is str:
                value = value.decode()
            elif kind is not bytes:
                value = parse(value, INSIDE[name])
        found.setdefault(name, []).append(value)
    return found


def test_a_story_is_a_clip_per_picture_with_its_sentence_before_it(dataset, tmp_path):
    paths = emu.export(str(dataset), str(tmp_path / "to"))
    assert paths == [str(tmp_path / "to/train"), str(tmp_path / "to/val")]
    files = sorted((tmp_path / "to").rglob("*.pb"))
    assert [file.relative_to(tmp_path / "to").as_posix() for file in files] == [
        "train/a_story_000.pb",
        "train/b_story_000.pb",
        "val/c_story_000.pb",
    ]
    story = parse(files[0].read_bytes(), STORY)
    assert story["story_id"] == ["a_story_000"] and len(story["clips"]) == 30
    clip = story["clips"][3]
    (segment,) = clip["segments"]
    (picture,) = segment["images"]
    (image,) = picture["image"]
    assert clip["clip_id"] == ["clip_0003"]
    assert segment["asr"] == ["a 0 3."]
    assert segment["timestamp"] == [{"start": [3.0], "end": [4.0]}]
    assert picture["image_id"] == ["a_keyframe_0-0-3-0"]
    assert picture["caption"] == ["."]
    file = (dataset / "images/a/a_keyframe_0-0-3-0.jpg").read_bytes()
    assert image == {"width": [96], "height": [66], "format": [1], "image_data": [file]}


def test_what_is_written_is_read_back():
    told = [
        Segment("Pip ran 🐇.", (Picture(b"\xff\xd8one"), Picture(b"\x89PNG two" * 40))),
        Segment("", (Picture(b"\x89PNG three"),)),
        Segment("The end.", ()),
    ]
    assert emu_story.decode(emu_story.encode("pip", told)) == told
