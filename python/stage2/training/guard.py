"""Guards: questions of other data, on which no candidate that is shipped may have become worse.

The questions of a guard are dealt to two halves. One judges candidates while a model is chosen, and
so says nothing about the chosen one any more; the other measures what is shipped.
"""

from __future__ import annotations

from dataclasses import dataclass

from stage2.encoding.ranking_lists import RankingLists
from stage2.evaluation.non_inferiority import WORSE, non_inferiority
from stage2.utils.arrays import Doubles, Ints


@dataclass(frozen=True)
class Judgement:
    """The judgement of a guard about a candidate.

    Attributes:
        name: the name of the guard.
        before: the MRR of stage 1.
        after: the MRR of the candidate.
        low: the lower end of the one-sided 95% interval of the difference.
        high: the upper end of the one-sided 95% interval.
        verdict: `not_worse`, `worse` or `undecided`; see `evaluation.non_inferiority`.
    """

    name: str
    before: float
    after: float
    low: float
    high: float
    verdict: str

    @property
    def is_worse(self) -> bool:
        """True if the candidate is clearly worse than stage 1."""
        return self.verdict == WORSE


@dataclass(frozen=True)
class Guard:
    """The n questions of a guard that judge candidates.

    Attributes:
        name: the name of the guard.
        lists: the questions with the chunks in which they are ranked.
        stage1_ranks: float64 (n,), the reciprocal ranks of stage 1.
        groups: int64 (n,), equal for questions that share chunks.
        margin: the loss of MRR that is allowed.
        seed: the seed of the draws.
    """

    name: str
    lists: RankingLists
    stage1_ranks: Doubles
    groups: Ints
    margin: float
    seed: int

    def judge(self, ranks: Doubles) -> Judgement:
        """Judge a candidate by its reciprocal ranks, float64 (n,)."""
        found = non_inferiority(ranks - self.stage1_ranks, self.groups, self.margin, self.seed)
        return Judgement(
            name=self.name,
            before=float(self.stage1_ranks.mean()),
            after=float(ranks.mean()),
            low=found.low,
            high=found.high,
            verdict=found.verdict,
        )
