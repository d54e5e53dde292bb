"""How many calls a model server should be sent at once, found out while calling it.

A server announces none of its limits. It answers so many calls at once and refuses the rest (429),
or queues them (more calls make it later, not faster), or refuses beyond a rate, or it dies. So the
limit climbs for as long as more calls bring more answers a second:

- It starts by doubling, each time after an answer a slot. Where three answers a slot are not a
  tenth more a second than at the level before, it goes back to that.
- From then on it climbs by tenths now and then, as servers change, and goes back unless half as
  many calls again bring that tenth. After each climb in vain it waits longer.
- A refused call leaves as many allowed as are in flight beside it: those the server took. Where
  none are, nothing is sent until the server said that it would take one.
- Failures halve it, unless there are four answers to each. The other calls that were in flight
  then do not halve it again: they say nothing new. After a while it doubles as in the beginning.

Answers are counted by the time that slots were in use, so that slots nobody wanted do not make a
server look slow, and over many calls, as one may well take ten times as long as another. A limit
that no call had to wait for does not grow.

Whoever calls repeats what was refused or failed: leaves the slot, sleeps, asks for another.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

GAIN = 1.1  # times the answers a second: less, and a climb was in vain
CLEAR_GAIN = 1.4  # the same: no need to count three answers a slot
FEW = 8  # answers that are too few to tell a rate from, however few the slots
PATIENCE, MOST_PATIENCE = 10.0, 60.0  # seconds until the next climb
BREATH = 1.0  # seconds at least for a server that refused or failed all it had
BAD_LUCK = 1 / 4  # failures an answer makes up for


@dataclass
class Call:
    """A slot in use. Left without a word it counts as answered, by an exception as nothing."""

    started: float
    retry_after: float | None = None
    failure: bool = False

    def rejected(self, retry_after: float = BREATH) -> None:
        """The server has too many calls (429, 503) and wants none for so many seconds."""
        self.retry_after = retry_after

    def failed(self) -> None:
        """The server did not answer (a timeout, no connection) or broke down over it (5xx)."""
        self.failure = True


class Limit:
    """The limit for one server, in one event loop."""

    def __init__(
        self, most: int = 256, start: int = 8, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.allowed = min(start, most)
        self.in_flight = 0
        self._most, self._clock = most, clock
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._breath: asyncio.TimerHandle | None = None  # while it runs, no call starts alone
        self._base, self._base_rate = self.allowed, 0.0  # the level that a climb set out from
        self._doubling = True
        self._hold = -math.inf  # no climb before
        self._patience = PATIENCE
        self._trouble, self._halved = 0.0, -math.inf  # failures not made up for; last halved when
        self._answers, self._used, self._wanted = 0, 0.0, False  # since the limit is what it is
        self._seen = clock()  # until when the use of slots is counted

    @contextlib.asynccontextmanager
    async def slot(self) -> AsyncIterator[Call]:
        """Waits for a slot, first come first served; tell the call where it is not answered."""
        await self._enter()
        call, answered = Call(self._clock()), False
        try:
            yield call
            answered = True
        finally:
            self._leave(call, answered)

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
            if self._breath and not self.in_flight:
                return
            turn = self._waiting.popleft()
            if not turn.cancelled():
                self._count(1)
                turn.set_result(None)
        self._wanted |= bool(self._waiting)

    def _count(self, change: int) -> None:
        now = self._clock()
        self._used += self.in_flight * (now - self._seen)
        self._seen = now
        self.in_flight += change

    def _leave(self, call: Call, answered: bool) -> None:
        draining = self.in_flight > self.allowed
        self._count(-1)
        if call.retry_after is not None:
            self._settle(max(1, min(self.allowed, self.in_flight)), call.retry_after)
        elif call.failure:
            self._fail(call)
        elif answered:
            self._trouble = max(0.0, self._trouble - BAD_LUCK)
            self._answers += 1
            if draining:  # down to a level at which nothing can be counted yet
                self._restart()
            else:
                self._review()
        self._let_in()

    def _review(self) -> None:
        """After an answer: time to climb, or to judge a climb?"""
        climbing = self.allowed > self._base
        judged_at = self._base + 1 if self._doubling else min(1.5 * self._base, self._most)
        midway = climbing and self.allowed < judged_at  # a tenth more would be lost in the noise
        if not self._wanted or self._answers < max(self.allowed, 0 if midway else FEW):
            return
        if not climbing and self._clock() < self._hold:
            return
        if not midway:
            rate = self.allowed * self._answers / max(self._used, 1e-9)
            if climbing:
                if rate < CLEAR_GAIN * self._base_rate and self._answers < 3 * max(
                    self.allowed, FEW
                ):
                    return
                if rate < GAIN * self._base_rate:
                    self._settle(self._base)
                    return
                self._patience = PATIENCE
            self._base, self._base_rate = self.allowed, rate
        step = self.allowed if self._doubling else max(1, self.allowed // 10)
        self.allowed = min(self._most, self.allowed + step)
        self._restart()

    def _fail(self, call: Call) -> None:
        if call.started < self._halved:
            return
        self._trouble += 1
        if self._trouble >= max(2.0, self.allowed * BAD_LUCK):
            self._trouble, self._halved = 0.0, self._clock()
            self._settle(max(1, self.allowed // 2), BREATH)
            self._doubling = True  # the server may be back as it was

    def _settle(self, level: int, rest: float | None = None) -> None:
        """To a level, to stay there for a while; a server that refused or failed gets a rest."""
        patience = PATIENCE
        if self.allowed > self._base:  # a climb in vain
            patience = self._patience
            self._patience = min(2 * patience, MOST_PATIENCE)
        self._hold = max(self._hold, self._clock() + max(patience, rest or 0.0))
        self.allowed = self._base = level
        self._doubling = False
        self._restart()
        if rest is not None:
            if self._breath:
                self._breath.cancel()
            loop = asyncio.get_running_loop()
            self._breath = loop.call_later(max(rest, BREATH), self._breathed)

    def _breathed(self) -> None:
        self._breath = None
        self._let_in()

    def _restart(self) -> None:
        self._answers, self._used, self._wanted = 0, 0.0, False
