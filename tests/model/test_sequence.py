import torch

from model import sequence
from model.sequence import IGNORED
from model.tokens import Vocabulary

WORDS = Vocabulary(bos=0, eos=1, boi=7, eoi=8, image=[20, 21], turn=[3])
TEXTS = [[100, 101], [110], [120, 121]]


def test_the_last_turn_alone_is_the_released_sequence():
    found = sequence.lay_out(TEXTS, WORDS, [2])

    assert found.ids.tolist() == [
        0,
        100,
        101,
        7,
        20,
        21,
        8,  # BoS text0 <img> 0 </img>
        3,
        110,
        7,
        20,
        21,
        8,  # [INST] text1 <img> 1 </img>
        3,
        120,
        121,
        7,
        20,
        21,
        8,
    ]  # [INST] text2 <img> 2 </img>
    assert found.positions.tolist() == list(range(20))
    assert found.given.tolist() == [-1] * 4 + [0, 0] + [-1] * 4 + [1, 1] + [-1] * 8
    assert found.asked.tolist() == [-1] * 17 + [2, 2, -1]
    nothing = IGNORED  # each target is of the token that comes next: of the last turn, and EoS
    assert found.targets.tolist() == [nothing] * 12 + [3, 120, 121, 7] + [nothing] * 3 + [1]


def test_every_turn_puts_what_is_asked_for_beside_what_is_given():
    found = sequence.lay_out(TEXTS, WORDS, [1, 2])

    assert found.ids.tolist()[7:16] == [3, 110, 7, 20, 21, 8, 20, 21, 8]
    assert found.positions.tolist()[7:16] == [7, 8, 9, 10, 11, 12, 10, 11, 12]
    assert found.asked.tolist()[7:16] == [-1, -1, -1, 1, 1, -1, -1, -1, -1]
    assert found.given.tolist()[7:16] == [-1, -1, -1, -1, -1, -1, 1, 1, -1]
    assert found.turn.tolist()[7:16] == [0, 0, 0, 1, 1, 1, 0, 0, 0]
    assert found.targets.tolist()[6:17] == [
        3,
        110,
        7,
        IGNORED,
        IGNORED,
        IGNORED,
        1,
        IGNORED,
        IGNORED,
        3,
        120,
    ]
    assert len(found) == 20  # as long as the story is, whatever stands twice


def test_each_token_sees_what_it_would_see_if_its_turn_were_the_last():
    whole = sequence.together([sequence.lay_out(TEXTS, WORDS, [1, 2])], [3])
    visible = sequence.mask(whole.turn)[0, 0]

    for turn in (1, 2):
        alone = sequence.together([sequence.lay_out(TEXTS, WORDS, [turn])], [3])
        seen_alone = sequence.mask(alone.turn)[0, 0]
        for row in range(alone.ids.shape[1]):
            if alone.turn[0, row] != turn:
                continue
            same = (whole.turn[0] == turn) & (whole.positions[0] == alone.positions[0, row])
            there = visible[int(same.nonzero())]
            assert list(
                zip(
                    whole.ids[0, there].tolist(),
                    whole.given[0, there].tolist(),
                    whole.positions[0, there].tolist(),
                    strict=True,
                )
            ) == list(
                zip(
                    alone.ids[0, seen_alone[row]].tolist(),
                    alone.given[0, seen_alone[row]].tolist(),
                    alone.positions[0, seen_alone[row]].tolist(),
                    strict=True,
                )
            )


def test_a_batch_pads_and_numbers_pictures_through():
    long, short = (sequence.lay_out(TEXTS[:n], WORDS, [n - 1]) for n in (3, 2))

    found = sequence.together([short, long], [2, 3])

    assert found.ids.shape == (2, 20)
    assert found.turn[0, 13:].tolist() == [-1] * 7
    assert (found.targets[0, 13:] == IGNORED).all()
    assert found.given[1][found.given[1] >= 0].tolist() == [2, 2, 3, 3]
    assert found.asked[1][found.asked[1] >= 0].tolist() == [4, 4]
    visible = sequence.mask(found.turn)
    assert not visible[0, 0, :13, 13:].any()  # nobody sees padding
    assert visible[0, 0].any(-1).all()  # and no row is empty, which attention could not take
    assert torch.equal(visible[1, 0], sequence.mask(long.turn[None])[0, 0])
