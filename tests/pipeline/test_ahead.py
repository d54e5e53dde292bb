import threading

import pytest

from pipeline.ahead import ahead


def test_results_come_in_order_and_a_few_are_read_at_the_same_time():
    together = threading.Barrier(4)  # passed only by four at once

    def read(number):
        together.wait(timeout=30)
        return number * 10

    assert list(ahead(read, range(8), most=4)) == list(range(0, 80, 10))
    assert list(ahead(read, [])) == []


def test_no_more_is_read_than_was_asked_for():
    taken = []

    def numbers():
        for number in range(100):
            taken.append(number)
            yield number

    results = ahead(str, numbers(), most=3)
    assert [next(results), next(results)] == ["0", "1"]
    assert len(taken) == 5


def test_what_goes_wrong_is_told_in_its_turn():
    results = ahead(lambda number: 1 // number, [2, 1, 0, 5])
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
