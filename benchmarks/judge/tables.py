"""The judge's tables: scores, preferences, ratings, how far the order decided, agreement, cost.

`run` judges stories and makes them. The SEED-Story paper's own figures stand beside ours, marked as
published; without a judge they stand alone, with a line that says how to give one.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks import published
from benchmarks.judge import preferences, ratings
from benchmarks.judge.asking import Judged, Judgement, Settings, judged, parse
from benchmarks.judge.preferences import Pair
from benchmarks.judge.questions import CRITERIA, PROMPTS, field, questions
from benchmarks.results import Cell, Column, Figure, Table
from benchmarks.statistics import mean
from benchmarks.stories import Story
from pipeline.annotation import prompts

TRUTH = "ground truth"  # the row that nobody competes with, where there is one
NO_JUDGE = (
    "**No judge was asked.** Give one with `--judge openai:MODEL[@URL]` (any server with "
    "OpenAI's chat completions and a model that reads pictures; the key is taken from "
    "JUDGE_API_KEY or OPENAI_API_KEY) or `--judge transformers:FOLDER`; what it would cost "
    "is held down by `--judge-price` and `--budget`."
)
PAPER = (
    f"The published row is from {published.SEED_STORY_PAPER}: another judge (GPT-4), other "
    "films and other models."
)
UNPARSED = Column("unparsed", "", "%", 1)
SHARE = ("%", 1)
BIAS = "position bias"

Rows = dict[str, dict[str, Cell]]


def run(
    stories: Mapping[str, Sequence[Story]],
    judges: Sequence[str] = (),
    settings: Settings | None = None,
) -> list[Table]:
    """Judges stories, given by generator, and returns the tables. Several judges are asked one
    after the other, the second with the key in JUDGE2_API_KEY.

    Raises ValueError for a judge, a setting or stories that cannot be used, before anything is
    asked; lock.Busy where another run keeps answers in the same folder; KeyboardInterrupt. What
    ends the calls otherwise (the budget, a key that is refused) is said in the tables of what was
    answered until then.
    """
    settings = settings or Settings()
    pairs = _checked(stories, judges, settings)
    if not judges:
        return [_scores(None, (), settings), *_preferences(None, settings)]
    asked = questions(
        stories, settings.criteria, settings.panels, settings.scores, pairs, settings.repeats
    )
    found = [
        judged(one, f"judge{number if number > 1 else ''}", asked, settings)
        for number, one in enumerate(judges, start=1)
    ]
    tables = [
        dataclasses.replace(
            table,
            name=f"{table.name}{f'-{number}' if number > 1 else ''}",
            title=f"{table.title} ({one.judge})",
        )
        for number, one in enumerate(found, start=1)
        for table in _of_one(one, tuple(stories), settings)
    ]
    raters = _raters(found)
    return [
        *tables,
        *([_agreement(raters, found, settings)] if raters else []),
        _cost(found, settings),
    ]


def _checked(
    stories: Mapping[str, Sequence[Story]], judges: Sequence[str], settings: Settings
) -> list[tuple[str, str]]:
    """The pairs of generators to compare. Raises ValueError for what cannot be asked."""
    for one in judges:
        parse(one, settings)
    if len(set(judges)) < len(judges):
        raise ValueError("one judge is named twice: ask it the same again with repeats")
    if odd := set(settings.criteria) - set(CRITERIA):
        raise ValueError(
            f"there is no criterion {', '.join(sorted(odd))}; there are {', '.join(CRITERIA)}"
        )
    if min(settings.panels, settings.repeats, len(settings.criteria)) < 1:
        raise ValueError("a judge needs one panel, one criterion and one repeat at the least")
    if settings.against and settings.against not in stories:
        raise ValueError(
            f"there are no stories of {settings.against} to compare with; there are "
            f"{', '.join(stories)}"
        )
    if not settings.pairs:
        return []
    return [
        pair
        for pair in itertools.combinations(stories, 2)
        if not settings.against or settings.against in pair
    ]


def _of_one(one: Judgement, generators: Sequence[str], settings: Settings) -> list[Table]:
    tables = [_scores(one, generators, settings)] if settings.scores else []
    if settings.pairs and len(generators) > 1:
        found = {name: preferences.pairs(one.answers, name) for name in settings.criteria}
        order = _order(one, found, settings)
        tables += [
            _warned(table, order)
            for table in (
                *_preferences(one, settings, found),
                _ratings(one, generators, found, settings),
            )
        ]
        tables.append(order)
    return tables


def _warned(table: Table, order: Table) -> Table:
    """A table of preferences, which says first where they are not to be trusted."""
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


def _about(one: Judgement | None, settings: Settings, task: str) -> dict[str, Any]:
    if one is None:
        return {"source": published.SEED_STORY_PAPER}
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


def _text(one: Judgement | None, text: str) -> str:
    """What a table says of itself, first that it is not whole."""
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


def _unparsed(answers: Sequence[Judged]) -> Figure:
    """The share of answers that could not be read, also when asked again; n counts openings."""
    found: dict[str, list[bool]] = {}
    for one in answers:
        if one.question.request is not None and one.state in ("answered", "unparsed"):
            found.setdefault(one.question.opening, []).append(one.state == "unparsed")
    return mean([sum(some) / len(some) for some in found.values()], list(found))


# Scores ------------------------------------------------------------------------------------------


def _scores(one: Judgement | None, generators: Sequence[str], settings: Settings) -> Table:
    rows: Rows = {}
    for name in generators:
        assert one is not None
        mine = [answer for answer in one.answers if answer.question.shown == (name,)]
        rows[name] = {
            criterion: _score(mine, criterion, settings.seed) for criterion in settings.criteria
        } | {UNPARSED.name: _unparsed(mine)}
    paper = f"{published.PREFERENCE_BETWEEN[1]}, by GPT-4"
    rows[paper] = {name: Figure(published.GPT4_SCORES[name]) for name in settings.criteria}
    return Table(
        "judge-scores",
        "Scores of a judge, 0-10",
        "generator",
        (*(Column(name, "higher", "", 2) for name in settings.criteria), UNPARSED),
        rows,
        _text(
            one,
            f"What a model gives the first {settings.panels} panels of a story, in whole "
            "numbers. n counts stories; repeats of one are averaged. An answer that cannot be "
            "read, also when asked again, counts as unparsed and not as zero. Scores of one "
            "judge can be held against each other; those of two cannot, for each has its own "
            f"scale. {PAPER}",
        ),
        _about(one, settings, "score"),
        published=(paper,),
        bounds=tuple(name for name in generators if name == TRUTH),
    )


def _score(answers: Sequence[Judged], criterion: str, seed: int) -> Figure:
    by_story: dict[str, list[int]] = {}
    for one in answers:
        if one.value is not None:
            by_story.setdefault(one.question.opening, []).append(
                getattr(one.value, field(criterion)).score
            )
    return mean([sum(some) / len(some) for some in by_story.values()], list(by_story), seed)


# Preferences -------------------------------------------------------------------------------------


def _preferences(
    one: Judgement | None, settings: Settings, found: Mapping[str, Sequence[Pair]] | None = None
) -> list[Table]:
    """A table a criterion."""
    return [
        _preferred(one, name, (found or {}).get(name, ()), settings) for name in settings.criteria
    ]


def _preferred(
    one: Judgement | None, criterion: str, pairs: Sequence[Pair], settings: Settings
) -> Table:
    rows: Rows = {}
    asked = [answer for answer in (one.answers if one else ()) if len(answer.question.shown) == 2]
    outcomes = preferences.settled(pairs)
    for stories in preferences.named(asked):
        mine = {
            opening: outcome for (names, opening), outcome in outcomes.items() if names == stories
        }
        rows[" / ".join(stories)] = {
            **{
                name: mean(
                    [float(outcome == wanted) for outcome in mine.values()],
                    list(mine),
                    settings.seed,
                )
                for name, wanted in (("first", 1), ("second", -1), ("tie", 0))
            },
            "sign test p": _sign(list(mine.values())),
            UNPARSED.name: _unparsed(
                [answer for answer in asked if set(answer.question.shown) == set(stories)]
            ),
        }
    paper = f"{' / '.join(published.PREFERENCE_BETWEEN)}, by GPT-4"
    theirs = published.PREFERENCES[criterion]
    first, second, ties = theirs.counts()
    rows[paper] = {
        name: Figure(getattr(theirs, name), theirs.stories) for name in ("first", "second", "tie")
    }
    rows[paper]["sign test p"] = _sign([1] * first + [-1] * second + [0] * ties)
    text = (
        "How often whose story is preferred, of the openings that both went on from. Both "
        "orders are asked, and a story is preferred only where it is in both: all else is a "
        "tie, so a judge that goes by the order, and one that is not sure, both make ties. Two "
        "stories that are the same are a tie without being asked about. The sign test (exact, "
        "two-sided, ties left out) is the chance that a coin is as uneven. With many pairs "
        f"some are below 0.05 by luck. {PAPER}"
    )
    return Table(
        f"judge-pairs-{field(criterion).replace('_', '-')}",
        f"Preferred for {criterion}",
        "first / second",
        (
            *(Column(name, "", *SHARE) for name in ("first", "second", "tie")),
            Column("sign test p"),
            UNPARSED,
        ),
        rows,
        _text(one, text) if criterion == settings.criteria[0] else "Read as the first of these.",
        _about(one, settings, "compare"),
        published=(paper,),
    )


def _sign(outcomes: Sequence[int]) -> Figure:
    p = ratings.sign_test(outcomes.count(1), outcomes.count(-1))
    return Figure(
        p, len(outcomes), note="below 0.001" if p < 0.001 else "" if p < 0.05 else "not significant"
    )


def _ratings(
    one: Judgement,
    generators: Sequence[str],
    found: Mapping[str, Sequence[Pair]],
    settings: Settings,
) -> Table:
    rated = {
        name: ratings.rate(preferences.wins(pairs, generators), settings.seed)
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
        _text(
            one,
            "Bradley-Terry ratings from all pairs, ties as half wins: 400 points more are "
            "odds of ten to one, the mean of all rows is 0. One tie is added to every pair, so "
            "that who never wins has a finite rating; with few openings that draws all together. "
            "A rating says who is better than the others here, not how good.",
        ),
        _about(one, settings, "compare") | {"method": "Bradley-Terry, MM algorithm (Hunter 2004)"},
        bounds=tuple(name for name in generators if name == TRUTH),
    )


def _order(one: Judgement, found: Mapping[str, Sequence[Pair]], settings: Settings) -> Table:
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
        shown_first = mean(
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
            name: mean([float(test) for test in tests], openings, settings.seed)
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
        _text(
            one,
            "Every pair is asked about in both orders. *First shown wins* is how often, of "
            "the answers that are no tie, the story shown first is preferred: half where the "
            "judge does not go by the order. *Order decides*: pairs of which the one shown first "
            "is preferred both times, or the one shown second both times: 0 for a sure judge, "
            "half for one that tosses coins, all for one that looks at the order alone. "
            "Preferences mean little where it is large.",
        ),
        _about(one, settings, "compare"),
    )


# Agreement and cost ------------------------------------------------------------------------------


def _raters(found: Sequence[Judgement]) -> dict[str, list[tuple[Judgement, int | None]]]:
    """Who is held against whom: the repeats of a judge, and every two judges."""
    groups: dict[str, list[tuple[Judgement, int | None]]] = {}
    for one in found:
        repeats = sorted({answer.question.repeat for answer in one.answers})
        if len(repeats) > 1:
            groups[f"{one.judge}, {len(repeats)} times"] = [(one, repeat) for repeat in repeats]
    for one, other in itertools.combinations(found, 2):
        groups[f"{one.judge} / {other.judge}"] = [(one, None), (other, None)]
    return groups


def _agreement(
    groups: Mapping[str, Sequence[tuple[Judgement, int | None]]],
    found: Sequence[Judgement],
    settings: Settings,
) -> Table:
    rows: Rows = {}
    for (label, raters), criterion in itertools.product(groups.items(), settings.criteria):
        row: dict[str, Cell] = {}
        if settings.scores:
            row["same score"], row["kappa of scores"] = ratings.agreement(
                [_said_scores(*rater, criterion) for rater in raters], True, settings.seed
            )
        if settings.pairs:
            row["same preference"], row["kappa of preferences"] = ratings.agreement(
                [_said_preferences(*rater, criterion) for rater in raters], False, settings.seed
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


def _said_scores(one: Judgement, repeat: int | None, criterion: str) -> dict[Any, float]:
    return {
        _item(answer.question.item, repeat): getattr(answer.value, field(criterion)).score
        for answer in one.answers
        if answer.value
        and len(answer.question.shown) == 1
        and repeat in (None, answer.question.repeat)
    }


def _said_preferences(one: Judgement, repeat: int | None, criterion: str) -> dict[Any, float]:
    return {
        _item((pair.opening, pair.stories, pair.repeat), repeat): pair.outcome
        for pair in preferences.pairs(one.answers, criterion)
        if pair.asked and repeat in (None, pair.repeat)
    }


def _item(item: tuple[Any, ...], repeat: int | None) -> tuple[Any, ...]:
    """Repeats are raters of the same item; between judges each repeat is an item of its own."""
    return item if repeat is None else item[:-1]


def _cost(found: Iterable[Judgement], settings: Settings) -> Table:
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
