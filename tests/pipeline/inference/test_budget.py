"""What calls cost, and budgets that run out."""

import asyncio
import dataclasses

import pytest

from pipeline.config import Price
from pipeline.inference import response_cache
from pipeline.inference.budget import Budget, BudgetSpent
from pipeline.inference.client import gather
from pipeline.inference.protocol import Answer, Picture, Request, Unanswered
from schemas.answers import CaptionAnswer
from tests.pipeline.scripted import Scripted, with_client

# Scripted answers have 5 tokens, at 0.1 each; they may have 10.
PRICE, MOST = Price(input=0, output=100_000), 10


def request(number=0, prompt="", images=()):
    return Request(str(number), "caption", prompt or f"number {number}", {}, CaptionAnswer, images)


class Slow(Scripted):
    """Notes how many questions it is asked at once."""

    def __init__(self, says=lambda request: f"answer to {request.key}"):
        super().__init__(says, cached=True)
        self.in_flight, self.levels = 0, []

    async def answer(self, request):
        self.in_flight += 1
        self.levels.append(self.in_flight)
        try:
            await asyncio.sleep(0.01 + 0.002 * int(request.key))  # so that they end one by one
            return await super().answer(request)
        finally:
            self.in_flight -= 1


def ask_all(backend, count, work, budget):
    async def use(client):
        return await gather(client.answer(request(number)) for number in range(count))

    return with_client(backend, use, str(work), budget)


def test_an_answer_costs_its_tokens():
    budget = Budget(Price(input=2.5, output=10), None, 1.0, 4096)
    answer = Answer("", "m", 1_000_000, 100_000)
    assert budget.cost(answer) == budget.charge(request(), answer) == 3.5
    assert budget.spent == 4.5


def test_without_a_price_nothing_costs_anything():
    budget = Budget(None, 1.0, 0.0, 4096)
    assert budget.charge(request(), Answer("", "m", 10**9, 10**9)) == budget.spent == 0.0


def test_without_a_budget_nothing_is_held_back(tmp_path):
    backend, budget = Slow(), Budget(PRICE, None, 0.0, MOST)
    ask_all(backend, 30, tmp_path, budget)
    assert max(backend.levels) == 30 and budget.spent == pytest.approx(15.0)


def test_a_budget_is_not_passed_and_its_last_goes_to_fewer_calls_at_once(tmp_path):
    backend, budget = Slow(), Budget(PRICE, 5.0, 0.0, MOST)
    with pytest.raises(BudgetSpent) as caught:
        ask_all(backend, 30, tmp_path, budget)
    assert str(caught.value) == (
        "the budget of 5 does not allow another call: 4.5000 are spent and a call may cost 1.0000; "
        "raise it with --set budget=... and go on"
    )
    assert budget.spent == response_cache.spent(str(tmp_path)) == pytest.approx(4.5)
    assert len(backend.asked) == 9
    # One goes first, to see what it costs. Each may cost 1.0 and costs half of that: four fit
    # beside it, and the more is spent the fewer.
    assert max(backend.levels) == 4 and backend.levels[-1] == 1
    assert max(backend.levels[-3:]) < 4


def test_with_a_higher_budget_the_run_goes_on_where_it_stopped(tmp_path):
    with pytest.raises(BudgetSpent):
        ask_all(Slow(), 12, tmp_path, Budget(PRICE, 5.0, 0.0, MOST))
    before = response_cache.spent(str(tmp_path))
    backend, budget = Slow(), Budget(PRICE, 10.0, before, MOST)
    answers = ask_all(backend, 12, tmp_path, budget)
    assert [answer.text for answer in answers] == [f"answer to {number}" for number in range(12)]
    assert len(backend.asked) == 3
    assert budget.spent == response_cache.spent(str(tmp_path)) == pytest.approx(6.0)


def test_a_call_that_fails_gives_back_what_was_held_for_it(tmp_path):
    backend = Slow(lambda request: Unanswered("no") if int(request.key) < 8 else "yes")
    budget = Budget(PRICE, 2.0, 0.0, MOST)

    async def use(client):
        return await asyncio.gather(
            *(client.answer(request(number)) for number in range(10)), return_exceptions=True
        )

    answers = with_client(backend, use, str(tmp_path), budget)
    assert [type(answer) for answer in answers] == [Unanswered] * 8 + [Answer] * 2
    assert budget.spent == pytest.approx(1.0)


def test_a_model_that_counts_more_than_was_guessed_does_not_pass_the_budget(tmp_path):
    class Dear(Slow):
        """Bills every question at ten thousand tokens."""

        async def answer(self, request):
            answer = await super().answer(request)
            return dataclasses.replace(answer, input_tokens=10_000)

    backend, budget = Dear(), Budget(Price(input=10, output=0), 1.0, 0.0, MOST)
    with pytest.raises(BudgetSpent):
        ask_all(backend, 50, tmp_path, budget)
    assert 0.7 < budget.spent <= 1.0 and max(backend.levels) > 1


def fits(budget, question):
    async def main():
        async with budget.reserve(question):
            return True

    try:
        return asyncio.run(main())
    except BudgetSpent:
        return False


def test_what_a_call_may_cost_is_guessed_from_above():
    price = Price(input=1_000_000, output=0)  # 1 a token
    assert fits(Budget(price, 51.0, 0.0, MOST), request(prompt="x" * 100))  # two letters a token
    assert not fits(Budget(price, 50.0, 0.0, MOST), request(prompt="x" * 100))
    pictures = (Picture("/a.jpg", "1"), Picture("/b.jpg", "2"))
    assert fits(Budget(price, 3051.0, 0.0, MOST), request(0, "x" * 100, pictures))
    assert not fits(Budget(price, 3050.0, 0.0, MOST), request(0, "x" * 100, pictures))


def test_a_model_that_reads_more_tokens_than_guessed_is_guessed_higher_from_then_on():
    price, question = Price(input=1_000_000, output=0), request(prompt="x" * 98)  # 50 tokens
    budget = Budget(price, 200.0, 0.0, MOST)
    budget.charge(question, Answer("", "m", 75, 0))
    assert fits(budget, question)  # 75 + 1.1 * 75 = 157.5
    budget.charge(question, Answer("", "m", 45, 0))
    assert not fits(budget, question)  # 120 + 82.5
