"""After how long failed calls are tried again."""

import pytest

from pipeline.inference import retries
from pipeline.inference.retries import pause, retry_after


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after": "86400"}, 120.0),  # not believed
        ({"retry-after": "Wed, 21 Oct 2020 07:28:00 GMT"}, 0.0),
        (
            {
                "retry-after": "Wed, 21 Oct 2026 07:28:30 GMT",
                "date": "Wed, 21 Oct 2026 07:28:00 GMT",
            },
            30.0,
        ),
        ({"retry-after": "Wed, 21 Oct 2099 07:28:00 GMT"}, 120.0),
        ({"retry-after": "soon"}, 0.0),
        ({"retry-after": "-1"}, 0.0),
        ({}, 0.0),
    ],
)
def test_a_server_says_how_long_to_wait(headers, seconds):
    assert retry_after(headers) == seconds


def test_how_long_to_wait_may_stand_in_the_body():
    body = (
        '[{"error": {"code": 429, "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo",'
        ' "retryDelay": "12s"}]}}]'
    )
    assert retry_after({}, body) == 12.0
    assert retry_after({"retry-after": "3"}, body) == 3.0
    assert retry_after({}, "Rate limit reached. Please try again in 1.5s.") == 1.5
    assert retry_after({}, '"retryDelay": "1.2.3s"') == 0.0


def test_pauses_double_up_to_a_longest_one_unless_the_server_asks_for_another(monkeypatch):
    monkeypatch.setattr(retries.random, "uniform", lambda low, high: low)
    assert [pause(0.0, failures, 99.0) for failures in (1, 2, 3, 9)] == [0.5, 1.0, 2.0, 10.0]
    assert pause(0.0, 9, 4.0) == 4.0
    assert pause(60.0, 1, 4.0) == 60.0
