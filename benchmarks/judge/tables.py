"""Tables of the judge: scores, preferences, ratings, position bias, agreement, cost.

The SEED-Story paper's results stand beside ours, marked as published; without a judge they stand
alone, with a line that says how to give one.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks import published_results
from benchmarks.judge import agreement, bradley_terry, preferences, sign_test
from benchmarks.judge.client import JudgedQuestion, JudgeRun, JudgeSettings
from benchmarks.judge.preferences import JudgedPair
from benchmarks.judge.questions import PROMPTS, answer_field
from benchmarks.results.confidence_intervals import bootstrap_mean
from benchmarks.results.tables import Cell, Column, Figure, Table
from pipeline.annotation import prompts

GROUND_TRUTH = "ground truth"  # the row that nobody competes with, where there is one
NO_JUDGE = (
    "**No judge was asked.** Give one with `--judge openai:MODEL[@URL]` (any server with "
    "OpenAI's chat completions and a model that reads pictures; the key is taken from "
    "JUDGE_API_KEY or OPENAI_API_KEY) or `--judge transformers:FOLDER`; what it would cost "
    "is held down by `--judge-price` and `--budget`."
)
PAPER = (
    f"The published row is from {published_results.SEED_STORY_PAPER}: another judge (GPT-4), other "
    "films and other models."
)
UNPARSED = Column("unparsed", "", "%", 1)
SHARE = ("%", 1)
BIAS = "position bias"
Rows = dict[str, dict[str, Cell]]


def warn_of_position_bias(table: Table, order: Table) -> Table:
    """Returns a table of preferences with a warning where the judge is biased by position."""
    biased = [
        name
        for name, row in order.cells.items()
        if isinstance(cell := row["first shown wins"], Figure) and cell.note == BIAS
    ]
    if not biased:
        return table
    warning = (
        f"**This judge goes by the order in which stories are shown** "
        f"({', '.join(biased)}): see *{order.title}*"
    )
    return dataclasses.replace(table, text=f"{warning}\n\n{table.text}")


def _metadata(one: JudgeRun | None, settings: JudgeSettings, task: str) -> dict[str, Any]:
    if one is None:
        return {"source": published_results.SEED_STORY_PAPER}
    stopped = {"stopped": one.stopped} if one.stopped else {}
    return {
        "judge": one.judge,
        "temperature": settings.calls.temperature,
        "prompt": prompts.identity(task, PROMPTS),
        "panels": settings.panels,
        "longest side": settings.calls.longest_side,
        "repeats": settings.repeats,
        "seed": settings.seed,
        "interval": "95 %, bootstrap over openings",
        **stopped,
    }


def _description(one: JudgeRun | None, text: str) -> str:
    """Returns a table's text, with a warning first where not all questions were asked."""
    if one is None:
        return f"{NO_JUDGE}\n\n{text}"
    missing = sum(answer.state == "not asked" for answer in one.answers)
    warning = (
        f"**Not all was asked: {missing} of {len(one.answers)} questions are open** "
        f"({one.stopped}). What was answered is kept; the same command goes on from "
        "there.\n\n"
        if missing
        else ""
    )
    return f"{warning}{text}"


def _unparsed_share(answers: Sequence[JudgedQuestion]) -> Figure:
    """Computes the share of answers that could not be parsed, also when asked again; n counts
    openings."""
    found: dict[str, list[bool]] = {}
    for one in answers:
        if one.question.request is not None and one.state in ("answered", "unparsed"):
            found.setdefault(one.question.opening, []).append(one.state == "unparsed")
    return bootstrap_mean([sum(some) / len(some) for some in found.values()], list(found))


def scores_table(one: JudgeRun | None, generators: Sequence[str], settings: JudgeSettings) -> Table:
    """Makes the table of mean scores by generator and criterion."""
    rows: Rows = {}
    for name in generators:
        assert one is not None
        mine = [answer for answer in one.answers if answer.question.shown == (name,)]
        rows[name] = {
            criterion: _mean_score(mine, criterion, settings.seed)
            for criterion in settings.criteria
        } | {UNPARSED.name: _unparsed_share(mine)}
    paper = f"{published_results.PREFERENCE_BETWEEN[1]}, by GPT-4"
    rows[paper] = {name: Figure(published_results.GPT4_SCORES[name]) for name in settings.criteria}
    return Table(
        "judge-scores",
        "Scores of a judge, 0-10",
        "generator",
        (*(Column(name, "higher", "", 2) for name in settings.criteria), UNPARSED),
        rows,
        _description(
            one,
            f"What a model gives the first {settings.panels} panels of a story, in whole "
            "numbers. n counts stories; repeats of one are averaged. An answer that cannot be "
            "read, also when asked again, counts as unparsed and not as zero. Scores of one "
            "judge can be held against each other; those of two cannot, for each has its own "
            f"scale. {PAPER}",
        ),
        _metadata(one, settings, "score"),
        published=(paper,),
        bounds=tuple(name for name in generators if name == GROUND_TRUTH),
    )


def _mean_score(answers: Sequence[JudgedQuestion], criterion: str, seed: int) -> Figure:
    by_story: dict[str, list[int]] = {}
    for one in answers:
        if one.value is not None:
            by_story.setdefault(one.question.opening, []).append(
                getattr(one.value, answer_field(criterion)).score
            )
    return bootstrap_mean(
        [sum(some) / len(some) for some in by_story.values()], list(by_story), seed
    )


def preference_tables(
    one: JudgeRun | None,
    settings: JudgeSettings,
    found: Mapping[str, Sequence[JudgedPair]] | None = None,
) -> list[Table]:
    """Makes a table of preferences per criterion."""
    return [
        _preference_table(one, name, (found or {}).get(name, ()), settings)
        for name in settings.criteria
    ]


def _preference_table(
    one: JudgeRun | None, criterion: str, pairs: Sequence[JudgedPair], settings: JudgeSettings
) -> Table:
    rows: Rows = {}
    asked = [answer for answer in (one.answers if one else ()) if len(answer.question.shown) == 2]
    outcomes = preferences.outcomes_by_opening(pairs)
    for stories in preferences.compared_pairs(asked):
        mine = {
            opening: outcome for (names, opening), outcome in outcomes.items() if names == stories
        }
        rows[" / ".join(stories)] = {
            **{
                name: bootstrap_mean(
                    [float(outcome == wanted) for outcome in mine.values()],
                    list(mine),
                    settings.seed,
                )
                for name, wanted in (("first", 1), ("second", -1), ("tie", 0))
            },
            "sign test p": _sign_test_figure(list(mine.values())),
            UNPARSED.name: _unparsed_share(
                [answer for answer in asked if set(answer.question.shown) == set(stories)]
            ),
        }
    paper = f"{' / '.join(published_results.PREFERENCE_BETWEEN)}, by GPT-4"
    theirs = published_results.PREFERENCES[criterion]
    first, second, ties = theirs.counts()
    rows[paper] = {
        name: Figure(getattr(theirs, name), theirs.stories) for name in ("first", "second", "tie")
    }
    rows[paper]["sign test p"] = _sign_test_figure([1] * first + [-1] * second + [0] * ties)
    text = (
        "How often whose story is preferred, of the openings that both went on from. Both "
        "orders are asked, and a story is preferred only where it is in both: all else is a "
        "tie, so a judge that goes by the order, and one that is not sure, both make ties. Two "
        "stories that are the same are a tie without being asked about. The sign test (exact, "
        "two-sided, ties left out) is the chance that a coin is as uneven. With many pairs "
        f"some are below 0.05 by luck. {PAPER}"
    )
    return Table(
        f"judge-pairs-{answer_field(criterion).replace('_', '-')}",
        f"Preferred for {criterion}",
        "first / second",
        (
            *(Column(name, "", *SHARE) for name in ("first", "second", "tie")),
            Column("sign test p"),
            UNPARSED,
        ),
        rows,
        _description(one, text)
        if criterion == settings.criteria[0]
        else "Read as the first of these.",
        _metadata(one, settings, "compare"),
        published=(paper,),
    )


def _sign_test_figure(outcomes: Sequence[int]) -> Figure:
    p = sign_test.sign_test(outcomes.count(1), outcomes.count(-1))
    return Figure(
        p, len(outcomes), note="below 0.001" if p < 0.001 else "" if p < 0.05 else "not significant"
    )


def ratings_table(
    one: JudgeRun,
    generators: Sequence[str],
    found: Mapping[str, Sequence[JudgedPair]],
    settings: JudgeSettings,
) -> Table:
    """Makes the table of Bradley-Terry ratings."""
    rated = {
        name: bradley_terry.rate_generators(
            preferences.win_matrix(pairs, generators), settings.seed
        )
        for name, pairs in found.items()
    }
    rows: Rows = {
        name: {criterion: some[at] for criterion, some in rated.items()}
        for at, name in enumerate(generators)
    }
    return Table(
        "judge-ratings",
        "Ratings from preferences",
        "generator",
        tuple(Column(name, "higher", "points", 0) for name in found),
        rows,
        _description(
            one,
            "Bradley-Terry ratings from all pairs, ties as half wins: 400 points more are "
            "odds of ten to one, the mean of all rows is 0. One tie is added to every pair, so "
            "that who never wins has a finite rating; with few openings that draws all together. "
            "A rating says who is better than the others here, not how good.",
        ),
        _metadata(one, settings, "compare")
        | {"method": "Bradley-Terry, MM algorithm (Hunter 2004)"},
        bounds=tuple(name for name in generators if name == GROUND_TRUTH),
    )


def position_bias_table(
    one: JudgeRun, found: Mapping[str, Sequence[JudgedPair]], settings: JudgeSettings
) -> Table:
    """Makes the table of position bias: how often the order of two stories decides."""
    rows: Rows = {}
    for criterion, some in found.items():
        pairs = [pair for pair in some if pair.asked]
        openings = [pair.opening for pair in pairs]
        decided = [
            (pair.opening, place == "first")
            for pair in pairs
            for place in (pair.forth, pair.back)
            if place != "tie"
        ]
        shown_first = bootstrap_mean(
            [float(first) for _, first in decided],
            [opening for opening, _ in decided],
            settings.seed,
        )
        if (
            shown_first.low is not None
            and shown_first.high is not None
            and not (shown_first.low <= 0.5 <= shown_first.high)
        ):
            shown_first = dataclasses.replace(shown_first, note=BIAS)
        rows[criterion] = {"first shown wins": shown_first} | {
            name: bootstrap_mean([float(test) for test in tests], openings, settings.seed)
            for name, tests in (
                ("order decides", [pair.by_order != 0 for pair in pairs]),
                ("first both times", [pair.by_order == 1 for pair in pairs]),
                ("second both times", [pair.by_order == -1 for pair in pairs]),
                ("same story both times", [pair.outcome != 0 for pair in pairs]),
            )
        }
    return Table(
        "judge-order",
        "Does the order decide?",
        "criterion",
        (
            Column("first shown wins", "", *SHARE),
            Column("order decides", "lower", *SHARE),
            *(
                Column(name, "", *SHARE)
                for name in ("first both times", "second both times", "same story both times")
            ),
        ),
        rows,
        _description(
            one,
            "Every pair is asked about in both orders. *First shown wins* is how often, of "
            "the answers that are no tie, the story shown first is preferred: half where the "
            "judge does not go by the order. *Order decides*: pairs of which the one shown first "
            "is preferred both times, or the one shown second both times: 0 for a sure judge, "
            "half for one that tosses coins, all for one that looks at the order alone. "
            "Preferences mean little where it is large.",
        ),
        _metadata(one, settings, "compare"),
    )


def agreement_table(
    groups: Mapping[str, Sequence[tuple[JudgeRun, int | None]]],
    found: Sequence[JudgeRun],
    settings: JudgeSettings,
) -> Table:
    """Makes the table of agreement between repeats and between judges."""
    rows: Rows = {}
    for (label, raters), criterion in itertools.product(groups.items(), settings.criteria):
        row: dict[str, Cell] = {}
        if settings.scores:
            row["same score"], row["kappa of scores"] = agreement.agreement(
                [_scores_by_item(*rater, criterion) for rater in raters], True, settings.seed
            )
        if settings.pairs:
            row["same preference"], row["kappa of preferences"] = agreement.agreement(
                [_preferences_by_item(*rater, criterion) for rater in raters], False, settings.seed
            )
        rows[f"{criterion}: {label}"] = row
    return Table(
        "judge-agreement",
        "Do judges agree?",
        "criterion: judges",
        tuple(
            Column(name, "higher", *(SHARE if name.startswith("same") else ("", 2)))
            for name in next(iter(rows.values()))
        ),
        rows,
        "How often two answers to the same question say the same, and Cohen's kappa: 1 is full "
        "agreement, 0 what chance would give. Scores are weighed by the square of how far they are "
        "apart; preferences are what both orders come to. Of more than two repeats it is the mean "
        "over all pairs. Kappa is low where nearly all answers are alike, though they agree. "
        "Repeats at temperature 0 say how steady the server is, not how sure the model: a judge "
        "can be wrong the same way every time.",
        {
            "judges": [one.judge for one in found],
            "temperature": settings.calls.temperature,
            "repeats": settings.repeats,
            "seed": settings.seed,
            "interval": "95 %, bootstrap over openings",
        },
    )


def _scores_by_item(one: JudgeRun, repeat: int | None, criterion: str) -> dict[Any, float]:
    return {
        _item(answer.question.item, repeat): getattr(answer.value, answer_field(criterion)).score
        for answer in one.answers
        if answer.value
        and len(answer.question.shown) == 1
        and repeat in (None, answer.question.repeat)
    }


def _preferences_by_item(one: JudgeRun, repeat: int | None, criterion: str) -> dict[Any, float]:
    return {
        _item((pair.opening, pair.stories, pair.repeat), repeat): pair.outcome
        for pair in preferences.judged_pairs(one.answers, criterion)
        if pair.asked and repeat in (None, pair.repeat)
    }


def _item(item: tuple[Any, ...], repeat: int | None) -> tuple[Any, ...]:
    """Identifies what was rated: repeats are raters of the same item; between judges each repeat is
    its own."""
    return item if repeat is None else item[:-1]


def cost_table(found: Iterable[JudgeRun], settings: JudgeSettings) -> Table:
    """Makes the table of calls, tokens and cost by judge."""
    columns = (
        *(
            Column(name, "", "", 0)
            for name in ("questions", "repaired", "unparsed", "unanswered", "not asked")
        ),
        Column("tokens in", "", "", 0),
        Column("tokens out", "", "", 0),
        Column("cost", "", "", 4),
    )
    rows: Rows = {}
    now = []
    for one in found:
        states = [answer.state for answer in one.answers]
        rows[one.judge] = {
            "questions": Figure(sum(each.question.request is not None for each in one.answers)),
            "repaired": Figure(sum(each.repaired for each in one.answers)),
            **{
                name: Figure(states.count(name)) for name in ("unparsed", "unanswered", "not asked")
            },
            "tokens in": Figure(one.input_tokens),
            "tokens out": Figure(one.output_tokens),
            "cost": Figure(one.cost, note="" if one.cost is not None else "no price given"),
        }
        paid = "" if one.paid is None else f" and paid {one.paid:.4f}"
        now.append(
            f"This run made {one.calls} calls to {one.judge}{paid}; {one.kept} answers were "
            f"kept from before. Every answer with its reasons: `{one.words}`."
        )
    return Table(
        "judge-cost",
        "What the judge took",
        "judge",
        columns,
        rows,
        "Tokens and cost are of all answers in these tables, those that were kept from an earlier "
        "run too. *Repaired*: readable when asked again; *unparsed*: not even then; *unanswered*: "
        "refused or failed, and asked again by the next run. " + " ".join(now),
        {
            "price of a million tokens": {
                model: f"{one.input:g} in, {one.output:g} out"
                for model, one in settings.prices.items()
            }
            or "not given",
            "budget": "none" if settings.budget is None else settings.budget,
        },
    )
