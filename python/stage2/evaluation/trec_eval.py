"""The measures of trec_eval, equal to its own numbers.

A relevant document that was not retrieved counts: it is in the denominator of every measure that
has one. Scores are compared as float32; of equal scores the document whose name has the larger
bytes comes first. What each measure is stands in trec_eval's own help (https://github.com/usnistgov/
trec_eval, version 9); sums are added in its order, so that the values are equal to the last bit.

Beside a measure stands its expectation over all orders of equal scores, from the core's `rank`:
there a tie is not a win, and a document's name is no merit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from stage2._core import Ranking
from stage2._core import rank as rank_lists
from stage2.data.trec import Found, Qrels, Run
from stage2.utils.arrays import Ints
from stage2.utils.errors import BadInputError

_Numbers = npt.NDArray[np.float64]

# The relevance of a document that the qrels do not have for a question.
_UNJUDGED = -1
_CUTOFFS = (5, 10, 15, 20, 30, 100, 200, 500, 1000)
_LEVELS = tuple(level / 10 for level in range(11))
# The least average precision that a geometric mean counts.
_LEAST_MAP = 0.00001


@dataclass(frozen=True)
class Judged:
    """The documents that a run has for one question, in trec_eval's order, and their relevance.

    Attributes:
        found: int64 (k,), the relevance of each document that was retrieved, the best first; −1 for
            one that is not judged.
        relevances: int64 (j,), the relevance of every judged document.
        level: a document with at least this relevance is relevant.
    """

    found: Ints
    relevances: Ints
    level: int

    @classmethod
    def of(cls, found: Found, judgements: Mapping[str, int], level: int) -> Judged:
        """Order what was found for a question, and look up its relevance."""
        names = [document.encode() for document in found.documents]
        place = np.empty(len(names), np.int64)
        place[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
        order = np.lexsort((-place, -found.scores.astype(np.float64)))
        return cls(
            _relevance(found, judgements)[order],
            np.fromiter(judgements.values(), np.int64, len(judgements)),
            level,
        )

    @cached_property
    def is_relevant(self) -> list[bool]:
        """True for each retrieved document that is relevant."""
        found: list[bool] = (self.found >= self.level).tolist()
        return found

    @cached_property
    def num_relevant(self) -> int:
        """The number of relevant documents, retrieved or not."""
        return int((self.relevances >= self.level).sum())

    @cached_property
    def num_found(self) -> int:
        """The number of relevant documents that were retrieved."""
        return sum(self.is_relevant)

    def within(self, k: int) -> int:
        """Return the number of relevant documents among the first k."""
        return sum(self.is_relevant[:k])

    def precisions(self, k: int) -> float:
        """Return the sum of the precision at each relevant document among the first k."""
        total, seen = 0.0, 0
        for place, relevant in enumerate(self.is_relevant[:k], 1):
            if relevant:
                seen += 1
                total += seen / place
        return total

    def ideal_gain(self, k: int, relevances: Iterable[int] | None = None) -> float:
        """Return the discounted gain of the best order at k, by default of all judged documents."""
        given = self.relevances.tolist() if relevances is None else relevances
        return _discounted(sorted((one for one in given if one > 0), reverse=True)[:k])


@dataclass(frozen=True)
class Expected:
    """The same questions without an order among equal scores.

    Attributes:
        questions: n questions.
        binary: by relevance as a yes or no, the ranks of the questions for which a relevant
            document was retrieved.
        graded: by relevance as a gain, those for which a document of some relevance was.
        binary_rows: int64, the questions of `binary`.
        graded_rows: int64, the questions of `graded`.
    """

    questions: Sequence[Judged]
    binary: Ranking
    graded: Ranking
    binary_rows: Ints
    graded_rows: Ints

    @classmethod
    def of(
        cls, questions: Sequence[Judged], found: Sequence[Found], relevances: Sequence[Ints]
    ) -> Expected:
        """Rank what was found.

        Args:
            questions: n questions.
            found: what was found for each.
            relevances: the relevance of each document of `found`.
        """

        def ranked(gains: Sequence[Ints]) -> tuple[Ranking, Ints]:
            rows = [row for row, one in enumerate(gains) if one.any()]
            scores = [found[row].scores for row in rows]
            offsets = np.cumsum([0, *map(len, scores)]).astype(np.int64)
            flat = np.concatenate([np.empty(0, np.int64), *(gains[row] for row in rows)])
            together = np.concatenate([np.empty(0, np.float32), *scores], dtype=np.float32)
            ranking = rank_lists(together, offsets, relevance=flat.astype(np.float64))
            return ranking, np.asarray(rows, np.int64)

        levels = [one.level for one in questions]
        binary = ranked([(one >= level).astype(np.int64)
                         for one, level in zip(relevances, levels, strict=True)])  # fmt: skip
        graded = ranked([np.maximum(one, 0) for one in relevances])
        return cls(questions, binary[0], graded[0], binary[1], graded[1])

    def share(self, values: _Numbers, of: Callable[[Judged], float]) -> _Numbers:
        """Scale values of `binary` from the relevant documents that were found to others.

        Args:
            values: float64, for each question of `binary`.
            of: a function of a question that returns the divisor.

        Returns:
            float64 (n,), 0 for the other questions.
        """
        out = np.zeros(len(self.questions))
        for row, value in zip(self.binary_rows, values, strict=True):
            one = self.questions[row]
            out[row] = value * one.num_found / of(one)
        return out

    def plain(self, values: _Numbers) -> _Numbers:
        """Return values of `binary` for all questions: float64 (n,), 0 for the others."""
        out = np.zeros(len(self.questions))
        out[self.binary_rows] = values
        return out

    def ndcg(self, k: int) -> _Numbers:
        """Return the expected nDCG at k: float64 (n,)."""
        out = np.zeros(len(self.questions))
        # The core has a number for each of the first k ranks.
        depth = min(k, max((len(one.found) for one in self.questions), default=0))
        for row, value in zip(self.graded_rows, self.graded.ndcg(depth), strict=True):
            one = self.questions[row]
            # The core's ideal is that of what was retrieved.
            out[row] = value * one.ideal_gain(k, one.found.tolist()) / one.ideal_gain(k)
        return out

    def precision_at_relevant(self) -> _Numbers:
        """Return the expected R-precision: float64 (n,)."""
        out = np.zeros(len(self.questions))
        for place, row in enumerate(self.binary_rows):
            one = self.questions[row]
            within = self.binary.take(np.asarray([place])).recall(one.num_relevant)[0]
            out[row] = within * one.num_found / one.num_relevant
        return out


def _relevance(found: Found, judgements: Mapping[str, int]) -> Ints:
    """Look up the relevance of each document, as they stand in the run."""
    wanted = (judgements.get(document, _UNJUDGED) for document in found.documents)
    return np.fromiter(wanted, np.int64, len(found.documents))


def _discounted(gains: Sequence[int]) -> float:
    total = 0.0
    for place, gain in enumerate(gains, 2):
        if gain > 0:
            total += gain / math.log2(place)
    return total


def _bpref(one: Judged) -> float:
    relevant = one.num_relevant
    wrong = int(((one.relevances >= 0) & (one.relevances < one.level)).sum())
    total, wrong_above = 0.0, 0
    for relevance in one.found.tolist():
        if relevance >= one.level:
            total += 1.0 - (min(wrong_above, relevant) / min(wrong, relevant) if wrong_above else 0)
        elif relevance >= 0:
            wrong_above += 1
    return total / relevant if relevant else 0.0


def _interpolated(one: Judged, recall: float) -> float:
    """Return the largest precision at or after the rank where a share of recall is reached."""
    # trec_eval 9 rounds up by adding 0.9, in floats.
    wanted = int(recall * one.num_relevant + 0.9)
    seen, best = one.num_found, 0.0
    if wanted > seen or not one.found.size:
        return 0.0
    best = seen / len(one.found)
    for place in range(len(one.found), 0, -1):
        if seen == 0:
            break
        best = max(best, seen / place)
        if one.is_relevant[place - 1]:
            if seen == wanted:
                return best
            seen -= 1
    return best


def _ndcg(one: Judged, k: int) -> float:
    ideal = one.ideal_gain(k)
    return _discounted(one.found.tolist()[:k]) / ideal if ideal else 0.0


def _reciprocal_rank(one: Judged) -> float:
    return 1.0 / (one.is_relevant.index(True) + 1) if one.num_found else 0.0


def _share(count: float, of: int) -> float:
    return count / of if of else 0.0


@dataclass(frozen=True)
class Measure:
    """A measure of trec_eval.

    Attributes:
        value: a function of a question and a cutoff that returns the measure.
        expected: a function of all questions and a cutoff that returns the expectation over all
            orders of equal scores, float64 (n,); None if there is none.
        cutoffs: the cutoffs by default; empty if the measure has none.
        counts: whether it is a count, which is summed over questions and has no decimals.
        of_all: whether it is shown for all questions together alone.
    """

    value: Callable[[Judged, Any], float]
    expected: Callable[[Expected, Any], _Numbers] | None = None
    cutoffs: tuple[float, ...] = ()
    counts: bool = False
    of_all: bool = False


def _count(value: Callable[[Judged], int], of_all: bool = False) -> Measure:
    def of_each(every: Expected, _: Any) -> _Numbers:
        return np.asarray([value(one) for one in every.questions], np.float64)

    return Measure(lambda one, _: value(one), of_each, (), True, of_all)


# More than any list has.
_WHOLE = 2**31
MEASURES: Mapping[str, Measure] = {
    "num_q": _count(lambda _: 1, of_all=True),
    "num_ret": _count(lambda one: len(one.found)),
    "num_rel": _count(lambda one: one.num_relevant),
    "num_rel_ret": _count(lambda one: one.num_found),
    "map": Measure(
        lambda one, _: _share(one.precisions(len(one.found)), one.num_relevant),
        lambda every, _: every.share(every.binary.average_precision, lambda one: one.num_relevant),
    ),
    "gm_map": Measure(
        lambda one, _: math.log(
            max(_share(one.precisions(len(one.found)), one.num_relevant), _LEAST_MAP)
        ),
        of_all=True,
    ),
    "Rprec": Measure(
        lambda one, _: _share(one.within(one.num_relevant), one.num_relevant),
        lambda every, _: every.precision_at_relevant(),
    ),
    "bpref": Measure(lambda one, _: _bpref(one)),
    "recip_rank": Measure(
        lambda one, _: _reciprocal_rank(one),
        lambda every, _: every.plain(every.binary.reciprocal_rank),
    ),
    "iprec_at_recall": Measure(_interpolated, None, _LEVELS),
    "P": Measure(
        lambda one, k: one.within(k) / k,
        lambda every, k: every.share(every.binary.recall(k), lambda _: k),
        _CUTOFFS,
    ),
    "recall": Measure(
        lambda one, k: _share(one.within(k), one.num_relevant),
        lambda every, k: every.share(every.binary.recall(k), lambda one: one.num_relevant),
        _CUTOFFS,
    ),
    "success": Measure(
        lambda one, k: float(one.within(k) > 0),
        lambda every, k: every.plain(every.binary.success(k)),
        (1, 5, 10),
    ),
    "ndcg": Measure(lambda one, _: _ndcg(one, _WHOLE), lambda every, _: every.ndcg(_WHOLE)),
    "ndcg_cut": Measure(_ndcg, lambda every, k: every.ndcg(k), _CUTOFFS),
    "map_cut": Measure(lambda one, k: _share(one.precisions(k), one.num_relevant), None, _CUTOFFS),
}

# trec_eval prints these measures without -m, in this order.
OFFICIAL = (
    *("num_q", "num_ret", "num_rel", "num_rel_ret", "map", "gm_map", "Rprec", "bpref"),
    *("recip_rank", "iprec_at_recall", "P"),
)


@dataclass(frozen=True)
class Wanted:
    """A measure that is asked for, with a cutoff if it has one."""

    measure: str
    cutoff: float | None

    @property
    def name(self) -> str:
        """The name in trec_eval's table."""
        if self.cutoff is None:
            return self.measure
        written = f"{self.cutoff:.2f}" if self.measure == "iprec_at_recall" else f"{self.cutoff}"
        return f"{self.measure}_{written}"


def wanted_measures(names: Sequence[str]) -> list[Wanted]:
    """Parse the measures of -m: `map`, `P.5,10` as trec_eval has it, or `P_5`; or `official`.

    Raises:
        BadInputError: there is no such measure, or a cutoff is none.
    """
    asked = [one for name in names or ("official",)
             for one in (OFFICIAL if name == "official" else (name,))]  # fmt: skip
    return list(dict.fromkeys(one for name in asked for one in _parsed(name)))


def _parsed(name: str) -> list[Wanted]:
    if name in MEASURES:
        return [Wanted(name, cutoff) for cutoff in MEASURES[name].cutoffs or (None,)]
    found = re.fullmatch(r"(\w+?)[._]([0-9.,]+)", name)
    measure = MEASURES.get(found[1]) if found else None
    if found is None or measure is None or not measure.cutoffs:
        known = ", ".join(MEASURES)
        raise BadInputError(
            f"-m {name}: no measure that is known; expected official, or one of {known}; cutoffs "
            "stand after a point, as in P.5,10"
        )
    whole = found[1] != "iprec_at_recall"
    cutoffs: list[float] = []
    for text in found[2].split(","):
        is_cutoff = re.fullmatch(r"0*[1-9]\d{0,8}" if whole else r"[01]|[01]?\.\d{1,9}", text)
        if not is_cutoff or not (whole or float(text) <= 1):
            kind = "whole numbers from 1" if whole else "shares from 0 to 1"
            raise BadInputError(f"-m {name}: the cutoff is {text!r}; expected {kind}")
        cutoffs.append(int(text) if whole else float(text))
    return [Wanted(found[1], cutoff) for cutoff in sorted(set(cutoffs))]


@dataclass(frozen=True)
class Value:
    """A value of a measure.

    Attributes:
        value: the number of trec_eval.
        expected: its expectation over all orders of equal scores; None if there is none.
    """

    value: float
    expected: float | None


@dataclass(frozen=True)
class Table:
    """The values of a run.

    Attributes:
        wanted: the measures.
        questions: by the id of a question, in the order of their bytes, its values.
        all: the values of all questions together.
        tied: the number of questions with a relevant document whose score another document has.
    """

    wanted: Sequence[Wanted]
    questions: Mapping[str, Sequence[Value]]
    all: Sequence[Value]
    tied: int


def evaluate_run(
    run: Run, qrels: Qrels, wanted: Sequence[Wanted], level: int = 1, complete: bool = False
) -> Table:
    """Evaluate a run as trec_eval does.

    Args:
        run: what was found.
        qrels: what is relevant.
        wanted: the measures; see `wanted_measures`.
        level: the least relevance of a relevant document.
        complete: whether means are over all questions of the qrels. Otherwise they are over those
            that the run has too.

    Raises:
        BadInputError: the run has no question of the qrels.
    """
    asked = sorted(run.questions.keys() & qrels.keys(), key=str.encode)
    if not asked:
        raise BadInputError(
            f"the run has no question of the qrels: it has {next(iter(run.questions))!r}, they "
            f"have {next(iter(qrels))!r}; expected the same ids"
        )
    found = [run.questions[question] for question in asked]
    judged = [Judged.of(one, qrels[question], level)
              for question, one in zip(asked, found, strict=True)]  # fmt: skip
    relevances = [_relevance(one, qrels[question])
                  for question, one in zip(asked, found, strict=True)]  # fmt: skip
    every = Expected.of(judged, found, relevances)
    columns = [_column(part, judged, every) for part in wanted]
    missing = len(qrels) - len(asked) if complete else 0
    return Table(
        wanted,
        dict(zip(asked, zip(*columns, strict=True), strict=True)),
        [_together(*pair, missing) for pair in zip(wanted, columns, strict=True)],
        int((every.binary.ties > 0).sum()),
    )


def _column(wanted: Wanted, judged: Sequence[Judged], every: Expected) -> list[Value]:
    """Return the values of a measure for each question."""
    measure, cutoff = MEASURES[wanted.measure], wanted.cutoff
    values = [measure.value(one, cutoff) for one in judged]
    if measure.expected is None:
        return [Value(value, None) for value in values]
    pairs = zip(values, measure.expected(every, cutoff).tolist(), strict=True)
    return [Value(*pair) for pair in pairs]


def _together(wanted: Wanted, column: Sequence[Value], missing: int) -> Value:
    """Sum counts, and average the rest. A missing question counts as 0."""
    measure = MEASURES[wanted.measure]
    count = len(column) + missing
    total = _sum(one.value for one in column)
    expected = None
    if measure.expected is not None:
        expected = _sum(one.expected or 0.0 for one in column)
    if measure.counts:
        more = missing if wanted.measure == "num_q" else 0
        return Value(total + more, None if expected is None else expected + more)
    if wanted.measure == "gm_map":
        return Value(math.exp((total + missing * math.log(_LEAST_MAP)) / count), None)
    return Value(total / count, None if expected is None else expected / count)


def _sum(values: Iterable[float]) -> float:
    """Add one after another, as trec_eval does. Python's own sum compensates from 3.12 on."""
    total = 0.0
    for value in values:
        total += value
    return total
