import numpy as np

from pipeline.config import OutputConfig
from pipeline.dataset.split import assign_splits, near_duplicate_groups
from tests.pipeline.rows import flipped, phash


def hashes(**films):
    return {
        film: b"".join(bytes.fromhex(phash(picture)) for picture in pictures)
        for film, pictures in films.items()
    }


def alike(text, bits):
    return bytes.fromhex(flipped(text, bits))


def compared_one_by_one(pictures, likeness):
    """The groups, found by comparing each picture with all the others."""
    films = sorted(pictures)
    group = {film: film for film in films}
    for film in films:
        for other in films:
            if any(
                (int.from_bytes(a) ^ int.from_bytes(b)).bit_count() <= (1 - likeness) * 256
                for a in pieces(pictures[film])
                for b in pieces(pictures[other])
            ):
                first, second = sorted((group[film], group[other]))
                group = {name: first if of == second else of for name, of in group.items()}
    return [[film for film in films if group[film] == first] for first in sorted({*group.values()})]


def pieces(joined):
    return [joined[at : at + 32] for at in range(0, len(joined), 32)]


def test_films_that_share_a_picture_go_together():
    pictures = hashes(film=["a", "b"], other=["c"], third=["d", "e"])
    pictures["trailer"] = alike(phash("b"), 12)
    assert near_duplicate_groups(pictures, 0.945) == [["film", "trailer"], ["other"], ["third"]]
    pictures["trailer"] = alike(phash("b"), 40)
    assert len(near_duplicate_groups(pictures, 0.945)) == 4
    assert near_duplicate_groups({}, 0.945) == []
    assert near_duplicate_groups({"none": b"", "film": pictures["film"]}, 0.945) == [
        ["film"],
        ["none"],
    ]


def test_every_likeness_allowed_is_found_whichever_bits_differ():
    for bits in range(16):
        pictures = {"a": alike(phash(bits), 0), "b": alike(phash(bits), bits)}
        assert (near_duplicate_groups(pictures, 0.945) == [["a", "b"]]) == (bits < 15), bits


def test_the_groups_are_those_that_comparing_all_with_all_gives():
    rng = np.random.default_rng(0)
    for round_ in range(20):
        few = [rng.bytes(32) for _ in range(60)]
        pictures = {}
        for film in range(15):
            shown = [bytearray(few[at]) for at in rng.integers(0, len(few), 2)]
            for picture in shown:  # now and then too many bits for a near copy
                for bit in rng.choice(256, rng.integers(2, 12), replace=False):
                    picture[bit // 8] ^= 1 << bit % 8
            black = [bytes(32)] if rng.random() < 0.2 else []  # the same in all that have it
            pictures[f"film{film:02d}"] = b"".join([*shown, *black, rng.bytes(32)])
        found = near_duplicate_groups(pictures, 0.945)
        assert found == compared_one_by_one(pictures, 0.945), round_
        assert 1 < len(found) < 15


def test_many_pictures_that_differ_in_little_are_no_trouble():
    rng = np.random.default_rng(0)
    dark = np.zeros((20_000, 32), np.uint8)
    np.put_along_axis(
        dark,
        rng.integers(0, 32, (20_000, 4)),
        (1 << rng.integers(0, 8, (20_000, 4))).astype(np.uint8),
        axis=1,
    )
    pictures = {
        f"film{number:03d}": part.tobytes() for number, part in enumerate(np.split(dark, 100))
    }
    pictures["other"] = rng.bytes(32)
    assert near_duplicate_groups(pictures, 0.945) == [sorted(pictures)[:100], ["other"]]


def test_the_share_of_films_that_is_held_out_is_as_asked_and_the_same_each_time():
    pictures = hashes(**{f"film{i}": [f"picture {i}"] for i in range(400)})
    stories = dict.fromkeys(pictures, 3)
    split = assign_splits(pictures, stories, OutputConfig(val_share=0.1))
    assert sorted(split) == sorted(pictures)
    assert 25 < list(split.values()).count("val") < 55
    assert (
        assign_splits(dict(reversed(pictures.items())), stories, OutputConfig(val_share=0.1))
        == split
    )


def test_films_that_come_and_go_move_no_other():
    pictures = hashes(**{f"film{i}": [f"picture {i}"] for i in range(60)})
    stories = {film: number % 4 for number, film in enumerate(pictures)}
    split = assign_splits(pictures, stories, OutputConfig())
    assert set(split.values()) == {"train", "val"}
    assert set(split) == {film for film in pictures if stories[film]}
    for removed in (film for film in pictures if split.get(film) == "train"):
        left = {film: joined for film, joined in pictures.items() if film != removed}
        assert assign_splits(left, stories, OutputConfig()) == {
            film: side for film, side in split.items() if film != removed
        }


def test_a_few_films_have_two_sides_and_one_film_has_not():
    for number in range(40):
        pictures = hashes(**{f"{number}{name}": [f"{number}{name}"] for name in "abcd"})
        for share in (0.01, 0.99):
            split = assign_splits(
                pictures, dict.fromkeys(pictures, 1), OutputConfig(val_share=share)
            )
            assert set(split.values()) == {"train", "val"}, (number, share)
        none = assign_splits(pictures, dict.fromkeys(pictures, 1), OutputConfig(val_share=0))
        assert set(none.values()) == {"train"}
    assert assign_splits(hashes(a=["1"]), {"a": 5}, OutputConfig(val_share=0.9)) == {"a": "train"}
    assert assign_splits({}, {}, OutputConfig()) == {}


def test_what_is_most_of_the_dataset_is_never_held_out():
    for number in range(20):
        pictures = hashes(**{f"{number}{name}": [f"{number}{name}"] for name in "ab"})
        split = assign_splits(pictures, {f"{number}a": 9, f"{number}b": 1}, OutputConfig())
        assert split == {f"{number}a": "train", f"{number}b": "val"}
