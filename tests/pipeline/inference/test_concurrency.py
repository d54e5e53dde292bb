"""Servers of every kind, simulated in a time of their own: a thousand calls take milliseconds."""

import asyncio
import math
import random
from dataclasses import dataclass

import pytest

from pipeline.inference.concurrency import ConcurrencyLimit

ROUND_TRIP = 0.02  # seconds until a refusal is known


class Refused(Exception):
    """A 429 with its Retry-After."""


class JumpingLoop(asyncio.SelectorEventLoop):
    """Where nothing is left to do now, it is the time of the next timer."""

    now = 0.0

    def time(self):
        return self.now

    def _run_once(self):
        if not self._ready and self._scheduled:
            self.now = max(self.now, self._scheduled[0].when())
        super()._run_once()


def run(main):
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(main)


def now():
    return asyncio.get_running_loop().time()


def one_second():
    return 1.0


def uneven(seed):
    """Mostly 0.6 to 2.4 seconds, seldom 0.5 or 3; 1.3 on average."""
    chance = random.Random(seed)
    return lambda: min(3.0, max(0.5, chance.lognormvariate(math.log(1.2), 0.5)))


def strict(slots, takes=one_second):
    """Refuses what is beyond its slots."""
    busy = 0

    async def serve():
        nonlocal busy
        if busy == slots:
            await asyncio.sleep(ROUND_TRIP)
            raise Refused(1.0)
        busy += 1
        await asyncio.sleep(takes())
        busy -= 1

    return serve


def queueing(slots, takes=one_second):
    """Lets what is beyond its slots wait."""
    free = asyncio.Semaphore(slots)

    async def serve():
        async with free:
            await asyncio.sleep(takes())

    return serve


def rated(rate, takes=one_second):
    """Refuses what is beyond so many calls begun in a second of the clock."""
    second, begun = 0, 0

    async def serve():
        nonlocal second, begun
        if int(now()) != second:
            second, begun = int(now()), 0
        if begun == rate:
            await asyncio.sleep(ROUND_TRIP)
            raise Refused(second + 1 - now())
        begun += 1
        await asyncio.sleep(takes())

    return serve


def dead(since, until, serve):
    async def serve_or_fail():
        if since <= now() < until:
            await asyncio.sleep(ROUND_TRIP)
            raise ConnectionError
        await serve()

    return serve_or_fail


def failing(share, serve):
    chance = random.Random(1)

    async def serve_or_fail():
        await serve()
        if chance.random() < share:
            raise TimeoutError

    return serve_or_fail


@dataclass
class Seen:
    rate: float = 0.0  # answers per second, from the first call to the last answer
    refused: int = 0
    failed: int = 0
    most_in_flight: int = 0
    allowed: int = 0  # in the end


def seen(serve, calls, callers=256, most=256):
    """What came of so many calls from callers that repeat each until it is answered."""

    async def main():
        limit, seen, left = ConcurrencyLimit(most=most, clock=now), Seen(), iter(range(calls))

        async def caller():
            for _ in left:
                while pause := await one_call():
                    await asyncio.sleep(pause)

        async def one_call():
            async with limit.slot() as slot:
                seen.most_in_flight = max(seen.most_in_flight, limit.in_flight)
                try:
                    await serve()
                except Refused as refusal:
                    seen.refused += 1
                    slot.rejected(refusal.args[0])
                    return refusal.args[0]
                except (ConnectionError, TimeoutError):
                    seen.failed += 1
                    slot.failed()
                    return 1.0

        async with asyncio.TaskGroup() as group:
            for _ in range(callers):
                group.create_task(caller())
        assert limit.in_flight == 0
        seen.rate, seen.allowed = calls / now(), limit.allowed
        return seen

    return run(main())


@pytest.mark.parametrize("kind", [strict, queueing])
@pytest.mark.parametrize("calls", [1000, 1300])
def test_32_slots_are_filled_within_two_seconds(kind, calls):
    rounds = math.ceil((calls - 8 - 16) / 32)  # 8 calls in the first second, 16 in the next
    assert seen(kind(32), calls).rate == pytest.approx(calls / (2 + rounds))
    assert calls / (2 + rounds) > 0.94 * 32


def test_a_server_that_refuses_does_it_once_a_slot_too_many():
    # once when the limit doubled from 32 to 64, then for the tenth more of two later climbs
    assert seen(strict(32), 1300).refused == 32 + 3 + 3


def test_a_server_that_queues_is_sent_twice_what_it_takes_and_no_more():
    found = seen(queueing(32), 1300)
    assert (found.most_in_flight, found.allowed) == (64, 32)


@pytest.mark.parametrize("kind", [strict, queueing])
@pytest.mark.parametrize("seed", range(3))
def test_answers_that_vary_in_length_do_not_shrink_the_limit(kind, seed):
    takes = uneven(seed)
    average = sum(takes() for _ in range(10_000)) / 10_000
    found = seen(kind(32, takes), 1300)
    assert found.allowed >= 32
    assert found.rate > 0.88 * 32 / average  # the last, long answers are waited for


def test_a_rate_limit_is_kept():
    found = seen(rated(5), 1000)
    assert found.rate == pytest.approx(5, rel=0.01)
    assert found.refused < 10


def test_a_rate_limit_that_one_call_at_a_time_exceeds_is_met_once_in_two_seconds():
    found = seen(rated(5, lambda: 0.1), 1000)
    assert found.rate == pytest.approx(5, rel=0.03)
    assert found.refused == pytest.approx(1000 / 5 / 2, rel=0.2)


def test_a_rate_limit_and_answers_that_vary():
    found = seen(rated(5, uneven(0)), 1000)
    assert found.refused < 0.05 * 1000
    assert found.rate > 0.5 * 5  # what it costs to be refused so seldom


def test_few_slots():
    found = seen(strict(2), 100)
    assert found.rate == pytest.approx(2, rel=0.01)
    assert found.refused == 6 + 3  # of the first 8, and at climbs after 10, 20 and 40 seconds
    assert seen(queueing(2), 100).rate == pytest.approx(2)


def test_more_slots_than_may_be_used():
    found = seen(strict(1000), 5000, callers=600)
    assert (found.most_in_flight, found.allowed, found.refused) == (256, 256, 0)
    assert found.rate > 0.8 * 256  # 5 seconds of 24 go into the climb
    assert seen(strict(1000), 1000, most=20).allowed == 20


def test_a_limit_that_nobody_waits_for_stays():
    assert seen(strict(1000), 400, callers=4).allowed == 8
    assert seen(strict(1000), 400, callers=10).allowed == 16  # two waited, now nobody does


def test_a_dead_server_is_tried_twice_a_second_and_found_alive():
    found = seen(dead(20, 50, queueing(32)), 2000)
    assert found.failed < 35 + 17 + 8 + 4 + 30 * 2  # those in flight halved, then two a second
    without = seen(queueing(32), 2000)
    assert 2000 / found.rate - 2000 / without.rate < 30 + 20  # ten seconds' patience, then a climb


def test_a_failure_here_and_there_changes_nothing():
    found = seen(failing(0.05, queueing(32)), 1300)
    assert found.failed == pytest.approx(0.05 * 1300, rel=0.2)
    assert found.rate > 0.9 * 32 / 1.05


def test_failures_halve_the_limit_once():
    async def main():
        limit = ConcurrencyLimit(start=32, clock=now)
        async with asyncio.TaskGroup() as group:
            for _ in range(32):
                group.create_task(fails(limit))
        return limit.allowed

    async def fails(limit):
        async with limit.slot() as slot:
            await asyncio.sleep(30)
            slot.failed()

    assert run(main()) == 16


def test_first_come_first_served():
    async def main():
        limit, order = ConcurrencyLimit(start=1, clock=now), []

        async def caller(name):
            async with limit.slot():
                order.append(name)
                await asyncio.sleep(1)

        await asyncio.gather(*(caller(name) for name in "abcd"))
        return "".join(order)

    assert run(main()) == "abcd"


def test_cancelled_callers_leave_no_slot_behind():
    async def main():
        limit = ConcurrencyLimit(start=2, clock=now)

        async def caller():
            async with limit.slot():
                await asyncio.sleep(10)

        callers = [asyncio.create_task(caller()) for _ in range(4)]
        await asyncio.sleep(1)
        callers[2].cancel()  # waits
        callers[0].cancel()  # holds a slot, which goes to the last
        await asyncio.sleep(1)
        assert limit.in_flight == 2
        callers[3].cancel()
        fifth = asyncio.create_task(caller())
        await asyncio.wait(callers)
        assert limit.in_flight == 1  # the fifth; the second is done
        await fifth
        assert (limit.in_flight, limit.allowed) == (0, 2)

    run(main())


def test_a_slot_given_to_a_caller_cancelled_at_that_moment_goes_to_the_next():
    async def main():
        limit, served = ConcurrencyLimit(start=1, clock=now), []

        async def caller(name):
            async with limit.slot():
                served.append(name)

        async with limit.slot():
            second, third = (asyncio.create_task(caller(name)) for name in ("second", "third"))
            await asyncio.sleep(0)
        second.cancel()  # has the slot, but did not run since
        await asyncio.wait([second, third])
        assert (served, limit.in_flight) == (["third"], 0)

    run(main())


def test_an_exception_of_the_callers_own_frees_the_slot_and_says_nothing_of_the_server():
    async def main():
        limit = ConcurrencyLimit(start=1, clock=now)
        for _ in range(20):
            with pytest.raises(ValueError):
                async with limit.slot():
                    raise ValueError
        return limit.in_flight, limit.allowed

    assert run(main()) == (0, 1)
