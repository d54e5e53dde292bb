"""Features are computed once."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.metrics import feature_cache
from benchmarks.metrics.encoders import ImageEncoder


class Counted:
    """An embedder that says how many pictures it was shown."""

    def __init__(self, name="mean", version="1"):
        self.seen = 0
        self.embedder = ImageEncoder(name, "imagenet", version, self.embed)

    def embed(self, seen):
        self.seen += len(seen)
        return np.float32(seen).mean((1, 2))


def test_what_is_known_is_not_seen_again(tmp_path, paths):
    counted, cache = Counted(), tmp_path / ".benchmarks"
    first = feature_cache.picture_features(counted.embedder, paths, 16, cache)
    again = feature_cache.picture_features(counted.embedder, paths, 16, cache)
    assert counted.seen == 3
    assert np.array_equal(first, again)
    assert np.array_equal(first, feature_cache.picture_features(counted.embedder, paths, 16))
    [kept] = cache.iterdir()  # nothing half written lies beside it
    assert kept.suffix == ".npy"


def test_whatever_changes_is_seen_anew(tmp_path, paths):
    counted, cache = Counted(), tmp_path / ".benchmarks"
    feature_cache.picture_features(counted.embedder, paths, 16, cache)
    feature_cache.picture_features(counted.embedder, paths, 8, cache)  # another size
    feature_cache.picture_features(counted.embedder, paths[::-1], 16, cache)  # order
    assert counted.seen == 9
    for other in (Counted(version="2"), Counted("another")):
        feature_cache.picture_features(other.embedder, paths, 16, cache)
        assert other.seen == 3
    black = np.zeros((40, 60, 3), np.uint8)
    cv2.imwrite(paths[1], black)
    found = feature_cache.picture_features(counted.embedder, paths, 16, cache)
    assert counted.seen == 12
    assert found[1] == pytest.approx([0, 0, 0])


def test_a_damaged_file_is_made_again(tmp_path, paths):
    counted, cache = Counted(), tmp_path / ".benchmarks"
    first = feature_cache.picture_features(counted.embedder, paths, 16, cache)
    [kept] = cache.iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-5])
    assert np.array_equal(first, feature_cache.picture_features(counted.embedder, paths, 16, cache))
    assert kept.read_bytes() == whole and counted.seen == 6


def test_nothing_is_kept_of_what_fails(tmp_path, paths):
    def embed(seen):
        raise RuntimeError("out of memory")

    cache = tmp_path / ".benchmarks"
    with pytest.raises(RuntimeError):
        feature_cache.picture_features(
            ImageEncoder("bad", "imagenet", "1", embed), paths, 16, cache
        )
    assert not cache.exists()
    Path(paths[2]).unlink()
    with pytest.raises(ValueError, match=r"2\.png: .*make it again"):
        feature_cache.picture_features(Counted().embedder, paths, 16, cache)


def test_each_picture_of_several_rows_is_seen_once(tmp_path, paths):
    counted = Counted()
    found = feature_cache.features_by_path(
        counted.embedder, [paths[:2], [paths[1]] * 3, paths], 16, tmp_path
    )
    assert counted.seen == 3
    assert np.array_equal(
        np.stack([found[path] for path in paths]),
        feature_cache.picture_features(counted.embedder, paths, 16),
    )
