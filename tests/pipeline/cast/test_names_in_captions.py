"""Groups without a name get the one that most captions of their pictures have."""

from __future__ import annotations

import numpy as np

from pipeline.cast.identity import Group
from pipeline.cast.names_in_captions import find

FOX, BEAR, SPECK = 0, 1, 2


def groups(together: int = 0) -> list[Group]:
    found = [Group(np.zeros(1), pictures=10) for _ in range(3)]
    found[FOX].together[BEAR] = found[BEAR].together[FOX] = together
    return found


def test_most_captions_of_the_fox_name_pip():
    pictures = [({FOX}, {"Pip"})] * 4 + [({FOX}, ())] * 2 + [({BEAR}, {"Momo"})] * 3
    assert find(pictures, {}, [FOX, BEAR], groups()) == {FOX: "Pip", BEAR: "Momo"}


def test_half_of_them_are_not_most_and_two_are_too_few():
    assert find([({FOX}, {"Pip"})] * 3 + [({FOX}, ())] * 3, {}, [FOX], groups()) == {}
    assert find([({FOX}, {"Pip"})] * 2, {}, [FOX], groups()) == {}


def test_a_hero_whom_every_caption_names_is_no_evidence():
    pictures = [({FOX}, {"Pip"})] * 5 + [({BEAR}, {"Pip"})] * 5
    assert find(pictures, {}, [FOX, BEAR], groups()) == {}


def test_who_is_there_by_name_explains_the_name():
    pictures = [({FOX, BEAR}, {"Pip"})] * 5 + [({SPECK}, ())] * 5
    assert find(pictures, {FOX: "Pip"}, [BEAR], groups(together=5)) == {}


def test_two_that_are_seen_together_do_not_share_a_name():
    pictures = [({FOX}, {"Pip"})] * 4 + [({BEAR}, {"Pip"})] * 3 + [({SPECK}, ())] * 9
    assert find(pictures, {}, [FOX, BEAR], groups(together=5)) == {FOX: "Pip"}
    assert find(pictures, {}, [FOX, BEAR], groups()) == {FOX: "Pip", BEAR: "Pip"}
