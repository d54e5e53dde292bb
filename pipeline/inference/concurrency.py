"""Finds out how many calls at once a model server takes, while calling it.

A server announces none of its limits. It answers so many calls at once and refuses the rest (429),
or queues them (more calls make it later, not faster), or refuses beyond a rate, or it dies. So the
limit climbs for as long as more calls bring more answers per second:

- It starts by doubling, each time after one answer per slot. If three answers per slot are not a
  tenth more per second than at the level before, it goes back to that.
- From then on it climbs by a tenth from time to time, as servers change, and goes back unless half
  as many calls again bring that tenth. After each failed climb it waits longer.
- A refused call lowers the limit to the calls in flight beside it: those the server took. If there
  are none, nothing is sent until the time that the server asked for has passed.
- Failures halve it, unless there are four answers to each. The other calls that were in flight
  then do not halve it again: they say nothing new. After a while it doubles as in the beginning.

The rate is answers per slot-second in use, so that slots nobody wanted do not make a server look
slow, and is taken over many calls, as one may well take ten times as long as another. A limit that
no call had to wait for does not grow.

The caller repeats what was refused or failed: it leaves the slot, sleeps, and asks for another.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

GAIN = 1.1  # ratio of answers per second below which a climb has failed
CLEAR_GAIN = 1.4  # ratio above which three answers per slot need not be counted
MIN_ANSWERS = 8  # for a rate, however few the slots
CLIMB_PAUSE, MAX_CLIMB_PAUSE = 10.0, 60.0  # seconds until the next climb
MIN_REST = 1.0  # seconds without calls after a server refused or failed all it had
FAILURES_PER_ANSWER = 1 / 4  # failures that an answer makes up for


@dataclass
class Slot:
    """A slot in use. Left without a word it counts as answered, by an exception as nothing."""

    started: float
    retry_after: float | None = None
    failure: bool = False

    def rejected(self, retry_after: float = MIN_REST) -> None:
        """Notes that the server has too many calls (429, 503) and wants none for some seconds."""
        self.retry_after = retry_after

    def failed(self) -> None:
        """Notes that the server did not answer (timeout, no connection) or broke down (5xx)."""
        self.failure = True


class ConcurrencyLimit:
    """The limit on calls at once for one server, in one event loop."""

    def __init__(
        self, most: int = 256, start: int = 8, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.allowed = min(start, most)
        self.in_flight = 0
        self._most, self._clock = most, clock
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._rest: asyncio.TimerHandle | None = None  # while it runs, no call starts alone
        self._base, self._base_rate = self.allowed, 0.0  # the level before the climb, its rate
        self._doubling = True
        self._next_climb = -math.inf  # not before
        self._climb_pause = CLIMB_PAUSE
        self._failures = 0.0  # not made up for by answers
        self._last_halved = -math.inf
        # Counted since the limit is what it is: answers, slot-seconds in use, whether any waited.
        self._answers, self._slot_seconds, self._wanted = 0, 0.0, False
        self._counted_until = clock()

    @contextlib.asynccontextmanager
    async def slot(self) -> AsyncIterator[Slot]:
        """Waits for a slot, first come first served; tell it if the call is not answered."""
        await self._enter()
        slot, answered = Slot(self._clock()), False
        try:
            yield slot
            answered = True
        finally:
            self._leave(slot, answered)

    async def _enter(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._let_in()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # the slot was given and not yet taken
                self._count(-1)
                self._let_in()
            raise

    def _let_in(self) -> None:
        while self._waiting and self.in_flight < self.allowed:
            if self._rest and not self.in_flight:
                return
            turn = self._waiting.popleft()
            if not turn.cancelled():
                self._count(1)
                turn.set_result(None)
        self._wanted |= bool(self._waiting)

    def _count(self, change: int) -> None:
        now = self._clock()
        self._slot_seconds += self.in_flight * (now - self._counted_until)
        self._counted_until = now
        self.in_flight += change

    def _leave(self, slot: Slot, answered: bool) -> None:
        draining = self.in_flight > self.allowed
        self._count(-1)
        if slot.retry_after is not None:
            self._settle(max(1, min(self.allowed, self.in_flight)), slot.retry_after)
        elif slot.failure:
            self._fail(slot)
        elif answered:
            self._failures = max(0.0, self._failures - FAILURES_PER_ANSWER)
            self._answers += 1
            if draining:  # down to a level at which nothing can be counted yet
                self._restart_counting()
            else:
                self._review()
        self._let_in()

    def _review(self) -> None:
        """Decides after an answer whether to climb, or whether a climb has failed."""
        climbing = self.allowed > self._base
        judged_at = self._base + 1 if self._doubling else min(1.5 * self._base, self._most)
        midway = climbing and self.allowed < judged_at  # a tenth more would be lost in the noise
        if not self._wanted or self._answers < max(self.allowed, 0 if midway else MIN_ANSWERS):
            return
        if not climbing and self._clock() < self._next_climb:
            return
        if not midway:
            rate = self.allowed * self._answers / max(self._slot_seconds, 1e-9)
            if climbing:
                enough = self._answers >= 3 * max(self.allowed, MIN_ANSWERS)
                if rate < CLEAR_GAIN * self._base_rate and not enough:
                    return
                if rate < GAIN * self._base_rate:
                    self._settle(self._base)
                    return
                self._climb_pause = CLIMB_PAUSE
            self._base, self._base_rate = self.allowed, rate
        step = self.allowed if self._doubling else max(1, self.allowed // 10)
        self.allowed = min(self._most, self.allowed + step)
        self._restart_counting()

    def _fail(self, slot: Slot) -> None:
        if slot.started < self._last_halved:
            return
        self._failures += 1
        if self._failures >= max(2.0, self.allowed * FAILURES_PER_ANSWER):
            self._failures, self._last_halved = 0.0, self._clock()
            self._settle(max(1, self.allowed // 2), MIN_REST)
            self._doubling = True  # the server may be back as it was

    def _settle(self, level: int, rest: float | None = None) -> None:
        """Sets the limit for a while; `rest` is the seconds for which no call starts alone."""
        pause = CLIMB_PAUSE
        if self.allowed > self._base:  # a failed climb
            pause = self._climb_pause
            self._climb_pause = min(2 * pause, MAX_CLIMB_PAUSE)
        self._next_climb = max(self._next_climb, self._clock() + max(pause, rest or 0.0))
        self.allowed = self._base = level
        self._doubling = False
        self._restart_counting()
        if rest is not None:
            if self._rest:
                self._rest.cancel()
            loop = asyncio.get_running_loop()
            self._rest = loop.call_later(max(rest, MIN_REST), self._rested)

    def _rested(self) -> None:
        self._rest = None
        self._let_in()

    def _restart_counting(self) -> None:
        self._answers, self._slot_seconds, self._wanted = 0, 0.0, False
