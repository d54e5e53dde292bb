import pytest

from benchmarks import throughput


def test_both_kinds_of_server_are_asked_by_both_tools():
    rows = [dict(zip(throughput.HEADS, row, strict=True))
            for row in throughput.rows(calls=40, one_by_one=2, seconds=0.1, at_once=4)]
    assert [(row["server"], row["tool"], row["calls"]) for row in rows] == [
        ("lets wait", "one by one, measured on few", 2), ("lets wait", "ours", 40),
        ("refuses", "one by one, measured on few", 2), ("refuses", "ours", 40)]
    for serial, ours in (rows[:2], rows[2:]):
        assert float(serial["calls/s"]) < 10 and float(serial["wall s"]) >= 0.2
        assert float(ours["wall s"]) >= 1.0
        assert float(ours["calls/s"]) == pytest.approx(40 / float(ours["wall s"]), rel=0.1)
        assert float(ours["share of the server's limit"].rstrip(" %")) == pytest.approx(
            float(ours["calls/s"]) / 40 * 100, abs=1)
        assert float(ours["to one by one"]) == pytest.approx(
            float(ours["calls/s"]) / float(serial["calls/s"]), rel=0.05)
    assert [row["refused calls"] for row in rows[:3]] == [0, 0, 0]
    assert rows[3]["refused calls"] > 0
