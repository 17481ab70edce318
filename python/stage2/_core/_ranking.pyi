"""Ranks, metrics and orders of lists of candidates."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, final

from stage2._core._types import Floats, Ints, Scores

@final
class Ranking:
    """Ranks of the best relevant candidate, and metrics, of n lists.

    Ties are random: all are expectations over the orders of equal scores (McSherry and Najork,
    ECIR 2008), each computed exactly; or they are broken as trec_eval does, and all are its values.
    """

    def __len__(self) -> int: ...
    def take(self, rows: Ints) -> Ranking:
        """Give the lists of `rows`, int64 (m,), in that order.

        Raises:
            ValueError: there is no such list.
        """
    @staticmethod
    def from_counts(
        above: Ints, equal: Ints, starts: Ints, lengths: Ints, gains: Floats | None = None
    ) -> Ranking:
        """Rank lists whose scores were only counted, ties being random.

        Args:
            above: int64 (p,), for each relevant candidate, one list's after another's, how many of
                its list score above it.
            equal: int64 (p,), how many score as it does, itself among them.
            starts: int64 (n + 1,), where each list's relevant candidates start.
            lengths: int64 (n,), candidates of each list.
            gains: float64 (p,), above 0, how relevant each is; None: all are 1.

        Raises:
            ValueError: no scores have such counts.
        """
    @staticmethod
    def concat(parts: Sequence[Ranking]) -> Ranking:
        """Give the lists of several rankings, one after another."""
    @property
    def rank(self) -> Floats:
        """Expected rank of the best relevant candidate, from 1: float64 (n,)."""
    @property
    def ties(self) -> Ints:
        """Other candidates with the best relevant one's score: int64 (n,).

        0 where ties are broken.
        """
    @property
    def reciprocal_rank(self) -> Floats:
        """Expected reciprocal of the rank: float64 (n,)."""
    @property
    def average_precision(self) -> Floats:
        """Expected average precision: float64 (n,)."""
    def success(self, k: int) -> Floats:
        """Give the probability that a relevant candidate is among the first k: float64 (n,)."""
    def recall(self, k: int) -> Floats:
        """Give the expected share of the relevant candidates in the first k: float64 (n,)."""
    def ndcg(self, k: int) -> Floats:
        """Give the expected nDCG at k: float64 (n,).

        A candidate's gain is its relevance, its discount log2(rank + 1), and the ideal is that of
        the list's own candidates.
        """
    def metrics(
        self, topk: Iterable[int] = (1, 3, 5), recall_at: Iterable[int] = ()
    ) -> dict[str, Any]:
        """Give means over the lists.

        Returns:
            `top{k}` for each k of `topk`, `mrr`, `map`, `ndcg10`, `mean_rank`, `recall{k}` for
            each k of `recall_at`; `ties`, the share of lists with a tie; `num_queries`; and under
            `chance` what a random order would get.
        """

def rank(
    scores: Scores,
    offsets: Ints,
    num_relevant: int | Ints | None = None,
    relevance: Floats | None = None,
    ties: Literal["expected", "trec_eval"] = "expected",
    tie_keys: Ints | None = None,
) -> Ranking:
    """Rank the relevant candidates of n lists.

    Args:
        scores: float32 (m,), finite.
        offsets: int64 (n + 1,).
        num_relevant: how many at the head of each list are relevant, of each list or of all: int64
            (n,) or one number, 1 if there is no `relevance` either.
        relevance: float64 (m,), finite, from 0: the gain of each candidate, relevant above 0.
        ties: `expected`, every order of equal scores as likely; or `trec_eval`, of equal scores the
            larger key first, then the larger index.
        tie_keys: int64 (m,), only for `trec_eval`.
    """

def order(scores: Scores, offsets: Ints, tie_keys: Ints | None = None) -> Ints:
    """Order each list by falling score, ties by rising key, then by index.

    Args:
        scores: float32 (m,), finite.
        offsets: int64 (n + 1,).
        tie_keys: int64 (m,).

    Returns:
        Places within the list: int64 (m,).
    """

def kendall_tau(scores: Scores, offsets: Ints) -> Floats:
    """Compare each list's order by score with its given order: τ-b, float64 (n,).

    Zero where it is not defined. Scores, float32 (m,), are finite.
    """
