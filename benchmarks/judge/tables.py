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

GROUND_TRUTH = "ground truth"  # a bound, where it is a row
NO_JUDGE = (
    "**No judge was asked.** Give one with `--judge openai:MODEL[@URL]` (any server with "
    "OpenAI's chat completions and a model that reads pictures; the key is taken from "
    "JUDGE_API_KEY or OPENAI_API_KEY) or `--judge transformers:FOLDER`; cost is "
    "limited by `--judge-price` and `--budget`."
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
        if isinstance(cell := row["first shown preferred"], Figure) and cell.note == BIAS
    ]
    if not biased:
        return table
    warning = f"**This judge has a position bias** ({', '.join(biased)}): see *{order.title}*"
    return dataclasses.replace(table, text=f"{warning}\n\n{table.text}")


def _metadata(judge_run: JudgeRun | None, settings: JudgeSettings, task: str) -> dict[str, Any]:
    if judge_run is None:
        return {"source": published_results.SEED_STORY_PAPER}
    stopped = {"stopped": judge_run.stopped} if judge_run.stopped else {}
    return {
        "judge": judge_run.judge,
        "temperature": settings.calls.temperature,
        "prompt": prompts.identity(task, PROMPTS),
        "panels": settings.panels,
        "longest side": settings.calls.longest_side,
        "repeats": settings.repeats,
        "seed": settings.seed,
        "interval": "95 %, bootstrap over openings",
        **stopped,
    }


def description(judge_run: JudgeRun | None, text: str) -> str:
    """Returns a table's text, with a warning first where not all questions were asked."""
    if judge_run is None:
        return f"{NO_JUDGE}\n\n{text}"
    missing = sum(answer.state == "not asked" for answer in judge_run.answers)
    warning = (
        f"**Not all was asked: {missing} of {len(judge_run.answers)} questions are open** "
        f"({judge_run.stopped}). Answers are cached; the same command "
        "resumes.\n\n"
        if missing
        else ""
    )
    if judge_run.pictures:
        text = (
            "Of each two stories one picture with its text was compared, at the same place in both "
            f"and beyond what both begin with. {text}"
        )
    return f"{warning}{text}"


def _unparsed_share(answers: Sequence[JudgedQuestion]) -> Figure:
    """Computes the share of answers that could not be parsed, also when asked again; n counts
    openings."""
    found: dict[str, list[bool]] = {}
    for answer in answers:
        if answer.question.request is not None and answer.state in ("answered", "unparsed"):
            found.setdefault(answer.question.opening, []).append(answer.state == "unparsed")
    return bootstrap_mean([sum(some) / len(some) for some in found.values()], list(found))


def scores_table(
    judge_run: JudgeRun | None, generators: Sequence[str], settings: JudgeSettings
) -> Table:
    """Makes the table of mean scores by generator and criterion."""
    rows: Rows = {}
    for name in generators:
        assert judge_run is not None
        mine = [answer for answer in judge_run.answers if answer.question.shown == (name,)]
        scores: dict[str, Cell] = {
            criterion: _mean_score(mine, criterion, settings.seed)
            for criterion in settings.criteria
        }
        rows[name] = {**scores, UNPARSED.name: _unparsed_share(mine)}
    paper = f"{published_results.PREFERENCE_BETWEEN[1]}, by GPT-4"
    rows[paper] = {name: Figure(published_results.GPT4_SCORES[name]) for name in settings.criteria}
    return Table(
        "judge-scores",
        "Scores of a judge, 0-10",
        "generator",
        (*(Column(name, "higher", "", 2) for name in settings.criteria), UNPARSED),
        rows,
        description(
            judge_run,
            f"Scores of the first {settings.panels} panels of a story, in whole numbers. n "
            "counts stories; repeats of one are averaged. An answer that cannot be parsed, also "
            "when asked again, counts as unparsed and not as zero. Scores of one judge can be "
            f"compared with each other; those of two cannot, for each has its own scale. {PAPER}",
        ),
        _metadata(judge_run, settings, "score"),
        published=(paper,),
        bounds=tuple(name for name in generators if name == GROUND_TRUTH),
    )


def _mean_score(answers: Sequence[JudgedQuestion], criterion: str, seed: int) -> Figure:
    by_story: dict[str, list[int]] = {}
    for answer in answers:
        if answer.value is not None:
            by_story.setdefault(answer.question.opening, []).append(
                getattr(answer.value, answer_field(criterion)).score
            )
    return bootstrap_mean(
        [sum(some) / len(some) for some in by_story.values()], list(by_story), seed
    )


def preference_tables(
    judge_run: JudgeRun | None,
    settings: JudgeSettings,
    found: Mapping[str, Sequence[JudgedPair]] | None = None,
) -> list[Table]:
    """Makes a table of preferences per criterion."""
    return [
        _preference_table(judge_run, name, (found or {}).get(name, ()), settings)
        for name in settings.criteria
    ]


def _preference_table(
    judge_run: JudgeRun | None, criterion: str, pairs: Sequence[JudgedPair], settings: JudgeSettings
) -> Table:
    rows: Rows = {}
    asked = [
        answer
        for answer in (judge_run.answers if judge_run else ())
        if len(answer.question.shown) == 2
    ]
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
        "How often which story is preferred, of the openings that both continue. Both orders "
        "are asked, and a story is preferred only where it is in both: all else is a tie, so a "
        "judge biased by position and one that is uncertain both make ties. Two stories that "
        "are the same are a tie without being asked about. The sign test (exact, two-sided, "
        "ties left out) is the probability that a fair coin is as uneven. With many pairs some "
        f"are below 0.05 by chance. {PAPER}"
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
        description(judge_run, text)
        if criterion == settings.criteria[0]
        else "As in the first of these tables.",
        _metadata(judge_run, settings, "compare"),
        published=(paper,),
    )


def _sign_test_figure(outcomes: Sequence[int]) -> Figure:
    p = sign_test.sign_test(outcomes.count(1), outcomes.count(-1))
    return Figure(
        p, len(outcomes), note="below 0.001" if p < 0.001 else "" if p < 0.05 else "not significant"
    )


def ratings_table(
    judge_run: JudgeRun,
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
        description(
            judge_run,
            "Bradley-Terry ratings from all pairs, ties as half wins: 400 points more are odds "
            "of ten to one, the mean of all rows is 0. One tie is added to every pair, so that "
            "a generator that never wins has a finite rating; with few openings that pulls all "
            "ratings together. A rating ranks the generators here; it does not say how good "
            "they are.",
        ),
        _metadata(judge_run, settings, "compare")
        | {"method": "Bradley-Terry, MM algorithm (Hunter 2004)"},
        bounds=tuple(name for name in generators if name == GROUND_TRUTH),
    )


def position_bias_table(
    judge_run: JudgeRun, found: Mapping[str, Sequence[JudgedPair]], settings: JudgeSettings
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
        rows[criterion] = {"first shown preferred": shown_first}
        rows[criterion] |= {
            name: bootstrap_mean([float(test) for test in tests], openings, settings.seed)
            for name, tests in (
                ("decided by position", [pair.by_order != 0 for pair in pairs]),
                ("first position both times", [pair.by_order == 1 for pair in pairs]),
                ("second position both times", [pair.by_order == -1 for pair in pairs]),
                ("same story both times", [pair.outcome != 0 for pair in pairs]),
            )
        }
    return Table(
        "judge-position-bias",
        "Position bias of the judge",
        "criterion",
        (
            Column("first shown preferred", "", *SHARE),
            Column("decided by position", "lower", *SHARE),
            *(
                Column(name, "", *SHARE)
                for name in (
                    "first position both times",
                    "second position both times",
                    "same story both times",
                )
            ),
        ),
        rows,
        description(
            judge_run,
            "Every pair is asked about in both orders. *First shown preferred* is how often, of "
            "the answers that are not a tie, the story shown first is preferred: half for a "
            "judge without position bias. *Decided by position*: pairs of which the one shown "
            "first is preferred both times, or the one shown second both times: 0 for a "
            "consistent judge, half for random answers, all for one that judges by position "
            "alone. Preferences mean little where it is large.",
        ),
        _metadata(judge_run, settings, "compare"),
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
        "Agreement of judges",
        "criterion: judges",
        tuple(
            Column(name, "higher", *(SHARE if name.startswith("same") else ("", 2)))
            for name in next(iter(rows.values()))
        ),
        rows,
        "How often two answers to the same question are equal, and Cohen's kappa: 1 is full "
        "agreement, 0 agreement by chance. Scores are weighted by their squared difference; "
        "preferences are outcomes of both orders. Of more than two repeats it is the mean over "
        "all pairs. Kappa is low where nearly all answers are equal, though they agree. Repeats "
        "at temperature 0 show how deterministic the server is, not how certain the model: a "
        "judge can be wrong the same way every time.",
        {
            "judges": [judge_run.judge for judge_run in found],
            "temperature": settings.calls.temperature,
            "repeats": settings.repeats,
            "seed": settings.seed,
            "interval": "95 %, bootstrap over openings",
        },
    )


def _scores_by_item(judge_run: JudgeRun, repeat: int | None, criterion: str) -> dict[Any, float]:
    return {
        _item(answer.question.item, repeat): getattr(answer.value, answer_field(criterion)).score
        for answer in judge_run.answers
        if answer.value
        and len(answer.question.shown) == 1
        and repeat in (None, answer.question.repeat)
    }


def _preferences_by_item(
    judge_run: JudgeRun, repeat: int | None, criterion: str
) -> dict[Any, float]:
    return {
        _item((pair.opening, pair.stories, pair.repeat), repeat): pair.outcome
        for pair in preferences.judged_pairs(judge_run.answers, criterion)
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
            for name in ("questions", "parsed on retry", "unparsed", "unanswered", "not asked")
        ),
        Column("tokens in", "", "", 0),
        Column("tokens out", "", "", 0),
        Column("cost", "", "", 4),
    )
    rows: Rows = {}
    now = []
    for judge_run in found:
        states = [answer.state for answer in judge_run.answers]
        rows[judge_run.judge] = {
            "questions": Figure(
                sum(each.question.request is not None for each in judge_run.answers)
            ),
            "parsed on retry": Figure(sum(each.repaired for each in judge_run.answers)),
            **{
                name: Figure(states.count(name)) for name in ("unparsed", "unanswered", "not asked")
            },
            "tokens in": Figure(judge_run.input_tokens),
            "tokens out": Figure(judge_run.output_tokens),
            "cost": Figure(
                judge_run.cost, note="" if judge_run.cost is not None else "no price given"
            ),
        }
        paid = "" if judge_run.paid is None else f" and paid {judge_run.paid:.4f}"
        now.append(
            f"This run made {judge_run.calls} calls to {judge_run.judge}{paid}; {judge_run.kept} "
            f"answers were cached. Every answer with its reasons: `{judge_run.words}`."
        )
    return Table(
        "judge-cost",
        "Cost of the judge",
        "judge",
        columns,
        rows,
        "Tokens and cost are of all answers in these tables, cached ones included. *Unparsed*: not "
        "parsed on retry either; *unanswered*: refused or failed, and asked again by the next run. "
        + " ".join(now),
        {
            "price of a million tokens": {
                model: f"{price.input:g} in, {price.output:g} out"
                for model, price in settings.prices.items()
            }
            or "not given",
            "budget": "none" if settings.budget is None else settings.budget,
        },
    )
