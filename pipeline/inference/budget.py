"""Prices of model calls, and a budget that is never exceeded.

Prices are per million tokens, in the currency of the budget. A call starts only if its largest
possible cost fits beside what is spent and what the calls in flight may cost at most. So the last
of a budget goes to fewer calls at once, and then the run stops with every answer cached.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from pipeline.config import Price
from pipeline.inference.protocol import Answer, Request, Stop

_BYTES_PER_TOKEN = 2.0  # a lower bound, until answers show the model's true figure
_PICTURE_TOKENS = 1500  # per picture, likewise


class BudgetSpent(Stop):
    """The budget does not allow another call."""

    exit_code = 5


class Budget:
    """What one model's calls may cost, and have cost so far."""

    def __init__(
        self,
        price: Price | None,
        limit: float | None,
        spent: float,
        max_output_tokens: int | None,
        setting: str = "--set budget=...",
    ) -> None:
        """`limit` is None for none; `spent` already counts against it; `max_output_tokens` is the
        longest answer, None for what each request says; `setting` tells the user how to raise the
        limit."""
        self.spent = spent
        self._price, self._limit, self._max_output_tokens = price, limit, max_output_tokens
        self._setting = setting
        self._reserved: list[Request] = []
        self._ratio = 1.0  # true tokens of a request per estimated one, the largest seen
        self._ratio_known = False  # from an answer at least
        self._changed = asyncio.Event()

    def cost(self, answer: Answer) -> float:
        """Returns the cost of an answer."""
        return self._cost(answer.input_tokens, answer.output_tokens)

    def _cost(self, input_tokens: float, output_tokens: float) -> float:
        if self._price is None:
            return 0.0
        return (input_tokens * self._price.input + output_tokens * self._price.output) / 1e6

    @contextlib.asynccontextmanager
    async def reserve(self, request: Request) -> AsyncIterator[None]:
        """Reserves the largest possible cost of a call while it lasts; waits until it fits.

        Until the first answer has shown how many tokens a request has, there is one call at a time.
        Raises BudgetSpent if it does not fit though nothing is in flight.
        """
        if self._limit is None or self._price is None:
            yield
            return
        while self._reserved and not (self._ratio_known and self._fits(request)):
            self._changed.clear()
            await self._changed.wait()
        if not self._fits(request):
            raise BudgetSpent(
                f"the budget of {self._limit:g} does not allow another call: "
                f"{self.spent:.4f} are spent and a call may cost {self._max_cost(request):.4f}; "
                f"raise it with {self._setting} and go on"
            )
        self._reserved.append(request)
        try:
            yield
        finally:
            self._reserved.remove(request)
            self._changed.set()

    def _fits(self, request: Request) -> bool:
        reserved = sum(map(self._max_cost, self._reserved))
        return self.spent + reserved + self._max_cost(request) <= (self._limit or 0.0)

    def charge(self, request: Request, answer: Answer) -> float:
        """Adds an answer's cost to what is spent, improves the estimate, and returns the cost."""
        cost = self.cost(answer)
        self.spent += cost
        if not answer.input_tokens:  # a filter refused it unread
            return cost
        ratio = 1.1 * answer.input_tokens / self._estimated_tokens(request)
        self._ratio = max(self._ratio, ratio) if self._ratio_known else ratio
        self._ratio_known = True
        return cost

    def _estimated_tokens(self, request: Request) -> float:
        text = sum(len(text.encode()) for text in request.texts.values()) / _BYTES_PER_TOKEN
        return text + _PICTURE_TOKENS * len(request.images) + 1

    def _max_cost(self, request: Request) -> float:
        tokens = self._ratio * self._estimated_tokens(request)
        return self._cost(tokens, request.most_tokens(self._max_output_tokens))
