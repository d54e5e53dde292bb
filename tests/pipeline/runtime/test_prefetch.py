import signal
import threading
import time

import pytest

from pipeline.runtime.prefetch import prefetch


def test_results_come_in_order_and_a_few_are_read_at_the_same_time():
    together = threading.Barrier(4)  # passed only by four at once

    def read(number):
        together.wait(timeout=30)
        return number * 10

    assert list(prefetch(read, range(8), depth=4)) == list(range(0, 80, 10))
    assert list(prefetch(read, [])) == []


def test_no_more_is_read_than_was_asked_for():
    taken = []

    def numbers():
        for number in range(100):
            taken.append(number)
            yield number

    results = prefetch(str, numbers(), depth=3)
    assert [next(results), next(results)] == ["0", "1"]
    assert len(taken) == 5


def test_what_goes_wrong_is_told_in_its_turn():
    results = prefetch(lambda number: 1 // number, [2, 1, 0, 5])
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_who_stops_listening_waits_for_nothing():
    free, done = threading.Event(), []

    def read(number):
        if number:
            free.wait(timeout=10)
        done.append(number)

    results = prefetch(read, range(9), depth=3)
    next(results)
    results.close()
    assert done == [0]
    free.set()


def test_ctrl_c_stops_what_has_not_begun():
    free, begun, done = threading.Event(), [], []

    def read(number):
        begun.append(number)
        if number == 0:
            time.sleep(0.1)  # until all are asked for that will be
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        free.wait(timeout=10)
        done.append(number)

    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt):
        list(prefetch(read, range(9), depth=2))
    assert done == []
    free.set()
    for thread in set(threading.enumerate()) - before:
        thread.join()
    assert sorted(begun) == [0, 1]
