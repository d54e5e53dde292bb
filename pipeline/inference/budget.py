"""What calls cost, and a budget that is not passed.

Prices are per million tokens, in whatever currency the budget is in. A call begins only when what
it may cost at most still fits beside what was spent and what the calls in flight may cost at most;
so the last of a budget goes to fewer calls at once, and then the run stops, with everything kept.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from pipeline.config import Price
from pipeline.inference.backends import Answer, Request, Stop

_TEXT = 2.0  # bytes a token at the least, until calls show what is true of this model
_PICTURE = 1500  # tokens a picture, likewise


class BudgetSpent(Stop):
    """The budget does not allow another call."""

    exit_code = 5


class Purse:
    """What one model's calls may cost, and have cost so far."""

    def __init__(
        self,
        price: Price | None,
        budget: float | None,
        spent: float,
        most_output: int,
        setting: str = "--set budget=...",
    ) -> None:
        """`budget` is None for no limit; `spent` is what counts against it already;
        `most_output` is the most tokens of an answer; `setting` is what raises the budget."""
        self.spent = spent
        self._price, self._budget, self._most_output = price, budget, most_output
        self._setting = setting
        self._held: list[Request] = []
        self._ratio = 1.0  # true tokens of a question to those guessed, the most seen
        self._known = False  # the ratio, by an answer at least
        self._changed = asyncio.Event()

    def cost(self, answer: Answer) -> float:
        """What an answer cost."""
        return self._cost(answer.input_tokens, answer.output_tokens)

    def _cost(self, input_tokens: float, output_tokens: float) -> float:
        if self._price is None:
            return 0.0
        return (input_tokens * self._price.input + output_tokens * self._price.output) / 1e6

    @contextlib.asynccontextmanager
    async def reserved(self, request: Request) -> AsyncIterator[None]:
        """Holds what the question may cost for the length of a call; waits until it fits.

        Before the first answer has shown what tokens a question has, there is one call only.
        Raises BudgetSpent where it does not fit though nothing is in flight.
        """
        if self._budget is None or self._price is None:
            yield
            return
        while self._held and not (self._known and self._fits(request)):
            self._changed.clear()
            await self._changed.wait()
        if not self._fits(request):
            raise BudgetSpent(
                f"the budget of {self._budget:g} does not allow another call: "
                f"{self.spent:.4f} are spent and a call may cost {self._most(request):.4f}; "
                f"raise it with {self._setting} and go on"
            )
        self._held.append(request)
        try:
            yield
        finally:
            self._held.remove(request)
            self._changed.set()

    def _fits(self, request: Request) -> bool:
        held = sum(self._most(one) for one in self._held)
        return self.spent + held + self._most(request) <= (self._budget or 0.0)

    def paid(self, request: Request, answer: Answer) -> float:
        """Takes what an answer cost and learns from it; returns the cost."""
        cost = self.cost(answer)
        self.spent += cost
        seen = 1.1 * answer.input_tokens / self._guess(request)
        self._ratio, self._known = max(self._ratio, seen) if self._known else seen, True
        return cost

    def _guess(self, request: Request) -> float:
        return len(request.prompt.encode()) / _TEXT + _PICTURE * len(request.images) + 1

    def _most(self, request: Request) -> float:
        return self._cost(self._ratio * self._guess(request), self._most_output)
