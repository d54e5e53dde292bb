import signal

import pytest

from pipeline.runtime import interrupts, progress


def test_ctrl_c_asks_calls_in_flight_to_end_and_a_second_one_does_not_wait(capsys):
    with progress.display({"captions": 1}), interrupts.calls_in_flight():
        assert not interrupts.interrupted()
        signal.raise_signal(signal.SIGINT)
        assert interrupts.interrupted()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert "Press Ctrl-C again to drop them" in capsys.readouterr().err


def test_ctrl_c_without_calls_in_flight_is_the_end():
    with progress.display({"captions": 1}), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
