import pytest

from benchmarks.speed import model_calls


@pytest.mark.slow
def test_both_kinds_of_server_are_asked_by_both_tools():
    table = model_calls.run(calls=40, one_by_one=2, seconds=0.1, at_once=4, rounds=2)
    values = {
        name: {head: figure.value for head, figure in row.items()}
        for name, row in table.cells.items()
    }
    assert list(values) == [
        f"{tool}, a server that {does}"
        for does in ("lets wait", "refuses")
        for tool in ("one by one", "ours")
    ]
    for does in ("lets wait", "refuses"):
        serial, ours = (values[f"{tool}, a server that {does}"] for tool in ("one by one", "ours"))
        assert serial["calls/s"] < 10 and serial["wall"] >= 0.2 and ours["wall"] >= 1.0
        assert ours["calls/s"] == pytest.approx(40 / ours["wall"], rel=0.2)  # medians of two
        assert ours["share of the server's limit"] == pytest.approx(ours["calls/s"] / 40)
        assert ours["calls/s relative to one by one"] == pytest.approx(
            ours["calls/s"] / serial["calls/s"], rel=0.2
        )
        assert serial["refused calls"] == 0
    assert values["ours, a server that lets wait"]["refused calls"] == 0
    assert values["ours, a server that refuses"]["refused calls"] > 0
    assert table.about["asked"] == "40 questions a round by ours, 2 one by one"
    assert {figure.n for row in table.cells.values() for figure in row.values()} == {2}


def test_the_steady_rate_is_without_start_and_end():
    """32 answers in every second, but fewer in the first two and the last."""
    times = [second for second, count in enumerate([8, 16, *[32] * 20, 4]) for _ in range(count)]
    run = model_calls.Run(len(times), 23.0, 0.1, 0, [float(second) for second in times])
    assert run.rate == pytest.approx(29, abs=1)
    assert run.steady_rate == pytest.approx(32)
